//! Power is lost at every single step, in every way.

use std::collections::BTreeMap;
use std::vec::Vec;

use embedded_storage::nor_flash::NorFlashErrorKind;

use super::format::header_check;
use super::*;
use crate::testing::{Tear, TornFlash};

const LENGTH: u32 = 4096;

fn begin(flash: TornFlash) -> Result<Log<TornFlash>, StoreError> {
    Log::begin(flash, 0, LENGTH)
}

fn open(flash: TornFlash) -> Result<Log<TornFlash>, StoreError> {
    Log::open(flash, 0, LENGTH)
}

fn empty() -> Log<TornFlash> {
    let mut log = begin(TornFlash::erased(LENGTH as usize)).unwrap();
    log.commit().unwrap();
    log
}

fn key(number: u32) -> Key {
    Key { kind: 1 + (number % 5) as u8, slot: (number % 3) as u8 }
}

/// What is written in the turn `number`: values of all lengths, and empty ones.
fn value(number: u32) -> Vec<u8> {
    let length = [0, 1, 3, 4, 7, 24, 25, 100, 259][number as usize * 7 % 9];
    (0..length).map(|place| (place * 31 + number) as u8).collect()
}

fn read(log: &mut Log<TornFlash>, key: Key) -> Vec<u8> {
    let mut buffer = [0; 300];
    let length = log.get(key, &mut buffer).unwrap();
    buffer[..length.unwrap_or(0)].to_vec()
}

#[test]
fn whenever_power_is_lost_each_value_is_the_old_or_the_new_one() {
    let mut before = empty();
    let mut kept = BTreeMap::<u32, Vec<u8>>::new();
    for turn in 0..75 {
        let mut whole = open(before.into_flash()).unwrap();
        let flash = whole.flash.clone();
        whole.put(key(turn), &value(turn)).unwrap();
        for cut in 0..whole.flash.steps - flash.steps {
            for tear in Tear::ALL {
                let mut log = open(flash.clone().cut_after(cut, tear)).unwrap();
                let failed = log.put(key(turn), &value(turn));
                assert_eq!(failed, Err(StoreError::Flash(NorFlashErrorKind::Other)));
                assert!(log.flash.is_off());

                let mut log = open(log.into_flash().powered()).unwrap();
                for number in 0..15 {
                    let found = read(&mut log, key(number));
                    let old = kept.get(&number).cloned().unwrap_or_default();
                    let is_new = turn % 15 == number && found == value(turn);
                    assert!(found == old || is_new, "{turn} {cut} {tear:?} {number}: {found:?}");
                }
                // It goes on as if nothing had been.
                log.put(key(turn), &value(turn + 1)).unwrap();
                let mut log = open(log.into_flash()).unwrap();
                assert_eq!(read(&mut log, key(turn)), value(turn + 1), "{turn} {cut} {tear:?}");
            }
        }
        kept.insert(turn % 15, value(turn));
        before = whole;
    }
    assert!(before.flash.erased > 4, "it was copied several times: {}", before.flash.erased);
}

#[test]
fn power_may_be_lost_again_and_again() {
    let mut flash = empty().into_flash();
    let mut kept = BTreeMap::<u32, Vec<u8>>::new();
    let mut changes = 0;
    for turn in 0..2_000_u32 {
        let tear = Tear::ALL[turn as usize % 5];
        let mut log = open(flash.powered().cut_after(u64::from(turn * 7 % 997), tear)).unwrap();
        let is_put = log.put(key(turn), &value(turn)).is_ok();
        let mut log = open(log.into_flash().powered()).unwrap();
        for number in 0..15 {
            let found = read(&mut log, key(number));
            let old = kept.get(&number).cloned().unwrap_or_default();
            let is_turn = turn % 15 == number;
            assert!(found == old && !(is_turn && is_put) || is_turn && found == value(turn));
            changes += u32::from(kept.insert(number, found.clone()) != Some(found));
        }
        flash = log.into_flash();
    }
    assert!(changes > 1_000, "{changes}");
}

#[test]
fn what_has_not_changed_is_not_written() {
    let mut log = empty();
    log.put(key(1), b"value").unwrap();
    log.put(key(2), b"").unwrap();
    let steps = log.flash.steps;
    log.put(key(1), b"value").unwrap();
    log.put(key(2), b"").unwrap();
    assert_eq!(log.flash.steps, steps);
    log.put(key(1), b"valuE").unwrap();
    assert!(log.flash.steps > steps);
}

#[test]
fn a_flash_that_fails_once_is_written_at_the_next_call() {
    let mut log = empty();
    log.put(key(1), b"old").unwrap();
    log.flash = log.flash.clone().cut_after(1, Tear::Bits);
    assert!(log.put(key(1), b"new").is_err());
    log.flash = log.flash.clone().powered();
    log.put(key(1), b"new").unwrap();
    assert_eq!(read(&mut log, key(1)), b"new");
    assert_eq!(read(&mut open(log.into_flash()).unwrap(), key(1)), b"new");
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_nothing_is_lost() {
    let mut log = empty();
    log.put(key(1), b"here").unwrap();
    for number in 2..20 {
        let result = log.put(Key { kind: 2, slot: number }, &[number; 250]);
        if let Err(error) = result {
            let StoreError::Full { needed } = error else { panic!("{error}") };
            assert!(needed > LENGTH);
            assert_eq!(number, 9);
            assert_eq!(read(&mut log, key(1)), b"here");
            let mut log = open(log.into_flash()).unwrap();
            assert_eq!(read(&mut log, Key { kind: 2, slot: 8 }), [8; 250]);
            return;
        }
    }
    panic!("it is never full");
}

#[test]
fn a_bit_that_the_flash_loses_is_noticed() {
    let mut log = empty();
    log.put(key(1), b"value").unwrap();
    let place = log.flash.bytes.windows(5).position(|bytes| bytes == b"value").unwrap();
    log.flash.bytes[place] ^= 1;
    assert_eq!(log.get(key(1), &mut [0; 9]), Err(StoreError::Damaged));
}

#[test]
fn a_region_that_can_not_be_is_refused() {
    for (start, end) in [(0, 1024), (1, 2049), (0, 3072), (0, 8192), (2048, 0), (0, 0)] {
        let flash = TornFlash::erased(LENGTH as usize);
        assert_eq!(Log::open(flash, start, end).err(), Some(StoreError::Region), "{start} {end}");
    }
}

#[test]
fn each_other_content_has_its_own_answer_and_stays() {
    let erased = TornFlash::erased(LENGTH as usize);
    let answer = |flash: &TornFlash| {
        let answers = (open(flash.clone()).err(), begin(flash.clone()).err());
        (answers.0.unwrap(), answers.1)
    };
    assert_eq!(answer(&erased), (StoreError::Blank, None));
    // Whatever is not erased, and not of this kind.
    for place in [0, 40, 2048, 4095] {
        let mut foreign = erased.clone();
        foreign.bytes[place] = 0;
        assert_eq!(answer(&foreign), (StoreError::Foreign, Some(StoreError::Foreign)));
    }
    // A version to come.
    let mut newer = empty().into_flash();
    newer.bytes[HEADER_VERSION] = 2;
    let header: &mut [u8; MAX_WORD] = newer.bytes[2048..][..32].as_mut().try_into().unwrap();
    *header = [0xff; MAX_WORD];
    let header: &mut [u8; MAX_WORD] = newer.bytes[..32].as_mut().try_into().unwrap();
    let check = header_check(header).to_le_bytes();
    header[HEADER_CHECK..HEADER_CHECK + 4].copy_from_slice(&check);
    assert_eq!(answer(&newer), (StoreError::Version(2), Some(StoreError::Version(2))));
    // In the other half, beside a valid one.
    let mut both = empty().into_flash();
    let header = newer.bytes[..32].to_vec();
    both.bytes[2048..][..32].copy_from_slice(&header);
    assert_eq!(answer(&both).0, StoreError::Version(2));
    let whole = empty().into_flash();
    assert_eq!(begin(whole).err(), Some(StoreError::Provisioned));
    let flash = Log::erase(both, 0, LENGTH).unwrap();
    assert_eq!(answer(&flash), (StoreError::Blank, None));
}
