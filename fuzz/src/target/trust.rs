//! Certificates and trust, against a naive model.

mod model;

use std::cell::OnceCell;

use iot_crypto::identity::{
    Authority, Certificate, Credential, Endorsement, Endorsements, Grant, Name, PrivateIdentity,
    Recorded, Refusal, Rights, Role, Roles, SignatureMemory, Standing, TrustError, TrustStore,
    Verifier,
};
use iot_crypto::time::UnixTime;
use iot_crypto::wire::cbor;

use crate::input::Input;
use crate::toy::Toy;
use model::{Model, Shown, Subject};

const PARTIES: usize = 3;
const HELD: usize = 3;
const REVOCATIONS: usize = 4;
type Store = TrustStore<PARTIES, HELD, REVOCATIONS>;

/// How many parties there are, each with two certificates.
const ALL: usize = 5;
const ROLES: [Role; 3] = [Role::Device, Role::Gateway, Role::Cloud];
/// From which day until which day what is issued may be valid.
const DATES: [(u64, u64); 4] = [(0, 100), (10, 20), (15, 60), (30, 40)];
const STEPS: usize = 64;

/// Changes a trust store, asks it whom it trusts, and whether it still does: the
/// answers, and the reasons, are those of a model that looks at everything there is
/// each time.
pub fn trust(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World {
        store: Store::new(),
        memory: SignatureMemory::new(),
        model: Model::default(),
        standings: Vec::new(),
    };
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
}

/// Everyone's keys and certificates, made once.
struct Parties {
    identities: Vec<PrivateIdentity>,
    /// Of each party two, and the same with a broken signature.
    certificates: Vec<[[Certificate; 2]; 2]>,
}

fn parties() -> &'static Parties {
    thread_local! {
        static PARTIES: OnceCell<&'static Parties> = const { OnceCell::new() };
    }
    PARTIES.with(|parties| *parties.get_or_init(|| Box::leak(Box::new(Parties::new()))))
}

impl Parties {
    fn new() -> Self {
        let mut toy = Toy::new(5);
        let identities: Vec<_> = (0..ALL)
            .map(|party| {
                let name = Name::new(&format!("party {party}")).unwrap();
                PrivateIdentity::create(&mut toy, name, day(0), day(100)).unwrap()
            })
            .collect();
        let certificates = identities
            .iter()
            .map(|identity| {
                [(0, 100), (10, 50)].map(|(from, to)| {
                    let renewed = identity.renew(&toy, day(from), day(to)).unwrap();
                    let certificate = renewed.certificate().clone();
                    let broken = broken(&certificate);
                    [certificate, broken]
                })
            })
            .collect();
        Self { identities, certificates }
    }

    fn certificate(&self, subject: Subject) -> &Certificate {
        &self.certificates[subject.party][subject.version][usize::from(subject.is_broken)]
    }
}

/// The same certificate with another signature.
fn broken(certificate: &Certificate) -> Certificate {
    let mut bytes = [0; Certificate::MAX_LEN];
    let length = cbor::encode(certificate, &mut bytes).unwrap();
    bytes[length - 1] ^= 1;
    Certificate::decode(&bytes[..length]).unwrap()
}

fn day(day: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + day * 86_400)
}

struct World {
    store: Store,
    memory: SignatureMemory,
    model: Model,
    standings: Vec<(Standing, model::Standing)>,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let (toy, all) = (Toy::new(0), parties());
        match input.below(11) {
            0 => {
                let subject = subject(input);
                let is_full = input.bool();
                let authority = if is_full { Authority::Full } else { Authority::Endorse };
                let added = self.store.add_party(&toy, all.certificate(subject), authority);
                let expected = if subject.is_broken {
                    Err(TrustError::Signature)
                } else if self.model.add(subject.party, is_full) {
                    Ok(())
                } else {
                    Err(TrustError::Full)
                };
                assert_eq!(added, expected);
            }
            1 => {
                let party = input.below(ALL);
                let removed = self.store.remove_party(&all.identities[party].id());
                assert_eq!(removed, self.model.remove(party));
            }
            2 => {
                let (issuer, subject) = (input.below(ALL), input.below(ALL));
                // In another's name, now and then.
                let signer = if input.u8() < 220 { issuer } else { (issuer + 1) % ALL };
                let id = all.identities[subject].id();
                let mut revocation = all.identities[signer].revoke(&toy, id, day(1)).unwrap();
                if signer != issuer {
                    revocation = in_the_name_of(&revocation, issuer);
                }
                let recorded = self.store.revoke(&toy, &revocation);
                assert_eq!(recorded, self.model.revoke(issuer, subject, signer == issuer));
            }
            3 => {
                let subject = subject(input);
                let shown = shown(input);
                let fingerprint = all.certificate(subject).fingerprint(&toy);
                let held = self.store.hold_endorsement(fingerprint, endorsement(&shown, subject));
                assert_eq!(held.is_ok(), self.model.hold(subject, shown));
            }
            4 => {
                let (subject, issuer) = (subject(input), input.below(ALL));
                let fingerprint = all.certificate(subject).fingerprint(&toy);
                let dropped =
                    self.store.drop_endorsement(&fingerprint, &all.identities[issuer].id());
                assert_eq!(dropped, self.model.drop(subject, issuer));
            }
            5 => {
                let now = input.below(110) as u64;
                self.store.purge(day(now));
                self.model.purge(now);
            }
            6 => {
                let (issuer, subject) = (input.below(ALL), input.below(ALL));
                let [by, of] = [issuer, subject].map(|party| all.identities[party].id());
                let dropped = self.store.drop_revocation(&by, &of);
                assert_eq!(dropped, self.model.forget(issuer, subject));
            }
            _ => self.verify(input),
        }
        let now = input.below(110) as u64;
        for (standing, known) in &self.standings {
            assert_eq!(self.store.check(standing, day(now)), self.model.check(known, now));
        }
    }

    fn verify(&mut self, input: &mut Input<'_>) {
        let toy = Toy::new(0);
        let subject = subject(input);
        let role = input.pick(&ROLES);
        let now = input.below(110) as u64;
        let shown: Vec<Shown> = (0..input.below(5)).map(|_| shown(input)).collect();
        let endorsements: Vec<_> = shown.iter().map(|shown| endorsement(shown, subject)).collect();
        let credential = Credential {
            certificate: parties().certificate(subject).clone(),
            endorsements: Endorsements::new(&endorsements).unwrap(),
        };
        let verified = self.store.verify(&toy, &credential, role, day(now));
        let mut verifier = Verifier::with_memory(&self.store, &mut self.memory);
        assert_eq!(verifier.verify(&toy, &credential, role, day(now)), verified);
        let expected = self.model.verify(subject, &shown, role, now);
        match (verified, expected) {
            (Ok(verified), Ok(expected)) => {
                let standing = verified.standing();
                let ids = &parties().identities;
                assert_eq!(verified.certificate(), &credential.certificate);
                assert_eq!((verified.id(), verified.role()), (ids[subject.party].id(), role));
                assert_eq!(standing.rests_on(), ids[expected.issuer].id());
                assert_eq!(standing.valid_until(), day(expected.until));
                assert_eq!(verified.rights(), expected.rights);
                self.standings.truncate(7);
                self.standings.insert(0, (standing.clone(), expected));
            }
            (verified, expected) => {
                let expected = expected.map(|_| ());
                assert_eq!(verified.map(|_| ()), expected, "{subject:?} {shown:?} on day {now}");
            }
        }
    }
}

fn subject(input: &mut Input<'_>) -> Subject {
    let (party, kind) = (input.below(ALL), input.u8());
    Subject { party, version: usize::from(kind & 1), is_broken: kind > 230 }
}

/// An endorsement of anyone, for any time.
fn shown(input: &mut Input<'_>) -> Shown {
    let issuer = input.below(ALL);
    let (from, to) = input.pick(&DATES);
    let roles = input.pick(&[Roles::ALL, Roles::DEVICE, Roles::GATEWAY, Roles::NONE]);
    let rights = input.pick(&[Rights::ALL, Rights::DATA, Rights::ALERT]);
    Shown { issuer, from, to, roles, rights, is_genuine: input.u8() < 220 }
}

/// The endorsement itself; one that is not genuine is for somebody else.
fn endorsement(shown: &Shown, subject: Subject) -> Endorsement {
    let all = parties();
    let other = Subject { party: (subject.party + 1) % ALL, ..subject };
    let subject = all.certificate(if shown.is_genuine { subject } else { other });
    let grant = Grant { roles: shown.roles, rights: shown.rights };
    let issuer = &all.identities[shown.issuer];
    issuer.endorse(&Toy::new(0), subject, day(shown.from), day(shown.to), grant).unwrap()
}

/// The revocation as if `issuer` had signed it.
fn in_the_name_of(
    revocation: &iot_crypto::identity::Revocation,
    issuer: usize,
) -> iot_crypto::identity::Revocation {
    let mut bytes = [0; iot_crypto::identity::Revocation::MAX_LEN];
    let length = cbor::encode(revocation, &mut bytes).unwrap();
    bytes[3..19].copy_from_slice(&parties().identities[issuer].id().0);
    iot_crypto::identity::Revocation::decode(&bytes[..length]).unwrap()
}
