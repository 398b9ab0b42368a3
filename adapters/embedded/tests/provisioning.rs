//! A device gets what it begins with, and keeps what it is told, though power is
//! lost at any step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, reason = "each file of tests takes what it needs of the common ones")]

extern crate std;

#[path = "../src/testing.rs"]
mod testing;
mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use iot_crypto::crypto::Provider;
use iot_crypto::device::DeviceTrust;
use iot_crypto::identity::{
    Credential, PartyId, Recorded, Refusal, Revocation, Role, SignatureMemory, Standing, Trust,
    TrustError, VerifiedCertificate,
};
use iot_crypto::time::UnixTime;
use iot_crypto_embedded::store::{SequenceNumbers, Store, StoreError};
use testing::{Tear, TornFlash};
use world::{EPOCH, LENGTH, company, provider, provision, provisioned};

fn open(flash: TornFlash) -> Result<Store<TornFlash>, StoreError> {
    Store::open(flash, 0..LENGTH)
}

#[test]
fn provisioning_that_was_cut_off_is_recognised_and_can_be_done_again() {
    let steps = provisioned().steps;
    assert!(steps > 100, "{steps}");
    for cut in 0..steps {
        for tear in Tear::ALL {
            let flash = TornFlash::erased(LENGTH as usize).cut_after(cut, tear);
            let mut flash = Shared(Rc::new(RefCell::new(flash)));
            let error = provision(flash.clone()).err().unwrap();
            assert!(matches!(error, StoreError::Flash(_)), "{error}");
            flash = flash.powered();
            let found = Store::open(flash.clone(), 0..LENGTH);
            let flash = match found {
                // Only the last step may be all done though nobody was told.
                Ok(_) => {
                    assert_eq!((cut, tear == Tear::Nothing), (steps - 1, false));
                    continue;
                }
                Err(StoreError::Blank | StoreError::Unfinished) => flash,
                Err(StoreError::Foreign) => {
                    // The header is cut off.
                    assert!(cut < 12, "{cut} {tear:?}");
                    Store::erase(flash, 0..LENGTH).unwrap()
                }
                Err(error) => panic!("{error}"),
            };
            let mut store = provision(flash).unwrap();
            assert!(store.identity(&provider(0)).is_ok());
        }
    }
}

#[test]
fn what_is_there_is_not_written_over_unless_it_is_asked_for() {
    let whole = provisioned();
    let steps = whole.steps;
    assert_eq!(provision(whole.clone()).err(), Some(StoreError::Provisioned));
    let mut foreign = TornFlash::erased(LENGTH as usize);
    foreign.bytes[100] = 1;
    assert_eq!(open(foreign.clone()).err(), Some(StoreError::Foreign));
    assert_eq!(provision(foreign).err(), Some(StoreError::Foreign));
    assert_eq!(open(whole.clone()).unwrap().into_flash().steps, steps);
    let erased = Store::erase(whole, 0..LENGTH).unwrap();
    assert_eq!(open(erased.clone()).err(), Some(StoreError::Blank));
    assert!(provision(erased).is_ok());
}

#[test]
fn every_error_says_what_to_do() {
    for (error, advice) in [
        (StoreError::Blank, "provision"),
        (StoreError::Unfinished, "again"),
        (StoreError::Version(2), "erase"),
        (StoreError::Foreign, "erase"),
        (StoreError::Provisioned, "erase"),
        (StoreError::Full { needed: 1 }, "region"),
        (StoreError::Damaged, "replace"),
        (StoreError::Region, "correct"),
    ] {
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn no_number_is_given_twice_however_power_is_lost() {
    for block in [1, 3, 16] {
        let block = NonZeroU32::new(block).unwrap();
        let (mut flash, mut given) = (provisioned(), BTreeSet::new());
        for turn in 0..300_u64 {
            let tear = Tear::ALL[turn as usize % Tear::ALL.len()];
            let cut = flash.powered().cut_after(turn * 7 % 331, tear);
            let mut store = open(cut).unwrap();
            let mut numbers = SequenceNumbers::new(block);
            for _ in 0..turn % 12 {
                let Ok(number) = numbers.take(&mut store) else { break };
                assert!(given.last().is_none_or(|last| *last < number));
                given.insert(number);
            }
            flash = store.into_flash();
        }
        assert!(given.len() > 500, "{}", given.len());
    }
}

/// A list of revocations, in the order in which they are saved.
struct List(Vec<Revocation>);

impl Trust for List {
    fn verify<P: Provider>(
        &self,
        _: &P,
        _: &Credential,
        _: Role,
        _: UnixTime,
        _: Option<&mut SignatureMemory>,
    ) -> Result<VerifiedCertificate, Refusal> {
        Err(Refusal::NoTrustedEndorsement)
    }

    fn check(&self, _: &Standing, _: UnixTime) -> Result<(), Refusal> {
        Err(Refusal::NoTrustedEndorsement)
    }

    fn revoke<P: Provider>(&mut self, _: &P, _: &Revocation) -> Result<Recorded, TrustError> {
        Err(TrustError::Full)
    }

    fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        self.0.iter()
    }
}

#[test]
fn a_revocation_that_stays_is_never_lost_while_others_come_and_go() {
    let (company, provider) = (company(), provider(0));
    let revoke = |number: u8| {
        let subject = PartyId([number; 16]);
        company.revoke(&provider, subject, UnixTime::from_secs(EPOCH)).unwrap()
    };
    let all: Vec<Revocation> = (0..8).map(revoke).collect();
    let list = |numbers: &[usize]| List(numbers.iter().map(|it| all[*it].clone()).collect());
    let mut flash = provisioned();
    let mut old: &[usize] = &[];
    for new in [&[0_usize, 1, 2, 3][..], &[0, 2, 3, 4, 5], &[2, 5], &[5, 6, 7, 0], &[1]] {
        for cut in 0.. {
            let tear = Tear::ALL[cut as usize % Tear::ALL.len()];
            let mut store = open(flash.clone().cut_after(cut, tear)).unwrap();
            let saved = store.save_revocations(&list(new));
            let mut store = open(store.into_flash().powered()).unwrap();
            let trust: DeviceTrust = store.trust(&provider).unwrap();
            let found: BTreeSet<usize> = trust
                .revocations()
                .map(|revocation| usize::from(revocation.subject().0[0]))
                .collect();
            for number in 0..8 {
                let (was, is) = (old.contains(&number), new.contains(&number));
                let may_be = was || is;
                let must_be = is && (was || saved.is_ok());
                assert!(!must_be || found.contains(&number), "{old:?} {new:?} {cut} {number}");
                assert!(may_be || !found.contains(&number), "{old:?} {new:?} {cut} {number}");
            }
            if saved.is_ok() {
                assert_eq!(found, new.iter().copied().collect());
                flash = store.into_flash();
                break;
            }
            // The next one puts it right.
            store.save_revocations(&list(new)).unwrap();
            let trust: DeviceTrust = store.trust(&provider).unwrap();
            assert_eq!(trust.revocations().count(), new.len());
        }
        old = new;
    }
}

/// A flash that its owner keeps while a store has it.
#[derive(Clone)]
struct Shared(Rc<RefCell<TornFlash>>);

impl Shared {
    fn powered(self) -> Self {
        let flash = self.0.borrow().clone().powered();
        Self(Rc::new(RefCell::new(flash)))
    }
}

impl ErrorType for Shared {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Shared {
    const READ_SIZE: usize = TornFlash::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for Shared {
    const WRITE_SIZE: usize = TornFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = TornFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().write(offset, bytes)
    }
}
