//! The decision against a naive model, in random worlds.

use std::sync::{Mutex, OnceLock};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// What the random test chooses from: three issuers, and of each an endorsement
/// for every combination of dates, role and genuineness.
struct Choices {
    provider: TestProvider,
    issuers: Vec<PrivateIdentity>,
    device: PrivateIdentity,
    endorsements: Vec<Choice>,
    memory: Mutex<SignatureMemory>,
}

#[derive(Clone, Debug)]
struct Choice {
    issuer: usize,
    from: u64,
    to: u64,
    role: Role,
    genuine: bool,
    endorsement: Endorsement,
}

fn choices() -> &'static Choices {
    static CHOICES: OnceLock<Choices> = OnceLock::new();
    CHOICES.get_or_init(|| {
        let mut provider = provider(8);
        let issuers: Vec<_> =
            (0..3).map(|_| new_identity(&mut provider, "issuer", 0, 100)).collect();
        let device = new_identity(&mut provider, "device", 10, 50);
        let other = new_identity(&mut provider, "other", 10, 50);
        let mut endorsements = Vec::new();
        for (issuer, identity) in issuers.iter().enumerate() {
            for (from, to) in [(0, 20), (15, 60), (25, 40)] {
                for role in [Role::Device, Role::Gateway] {
                    for genuine in [true, false] {
                        let subject = if genuine { &device } else { &other };
                        let grant = Grant { roles: role.into(), rights: Rights::ALL };
                        let endorsement = identity
                            .endorse(&provider, subject.certificate(), at(from), at(to), grant)
                            .unwrap();
                        endorsements.push(Choice { issuer, from, to, role, genuine, endorsement });
                    }
                }
            }
        }
        let memory = Mutex::new(SignatureMemory::new());
        Choices { provider, issuers, device, endorsements, memory }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_that_of_a_naive_model(
        authorities in proptest::collection::vec(proptest::option::of(any::<bool>()), 3),
        revocations in proptest::collection::vec((0..3_usize, 0..4_usize), 0..3),
        shown in proptest::collection::vec(0..36_usize, 0..=4),
        held in proptest::option::of(0..36_usize),
        day in 5..65_u64,
        forgotten in proptest::option::of((0..3_usize, 0..4_usize)),
        removed in proptest::option::of(0..3_usize),
        later in 0..30_u64,
    ) {
        let world = choices();
        let id = |party: usize| world.issuers.get(party).unwrap_or(&world.device).id();
        let mut store = Store::new();
        for (issuer, full) in authorities.iter().enumerate() {
            if let Some(full) = full {
                let authority = if *full { Authority::Full } else { Authority::Endorse };
                store.add_party(&world.provider, world.issuers[issuer].certificate(), authority).unwrap();
            }
        }
        let mut recorded = Vec::new();
        for (issuer, subject) in revocations {
            let revocation = world.issuers[issuer].revoke(&world.provider, id(subject), at(0)).unwrap();
            let known = store.revoke(&world.provider, &revocation);
            prop_assert_eq!(known.is_err(), authorities[issuer].is_none());
            if known.is_ok() {
                recorded.push((issuer, subject));
            }
        }
        if let Some(one) = forgotten {
            // Not of one that is on the list.
            let is_listed = authorities.get(one.1).is_some_and(Option::is_some);
            let dropped = recorded.contains(&one) && !is_listed;
            prop_assert_eq!(store.drop_revocation(&id(one.0), &id(one.1)), dropped);
            recorded.retain(|known| !dropped || *known != one);
        }
        if let Some(held) = held {
            let fingerprint = world.device.certificate().fingerprint(&world.provider);
            store.hold_endorsement(fingerprint, world.endorsements[held].endorsement.clone()).unwrap();
        }
        let endorsements: Vec<_> =
            shown.iter().map(|index| world.endorsements[*index].endorsement.clone()).collect();
        let credential = Credential {
            certificate: world.device.certificate().clone(),
            endorsements: Endorsements::new(&endorsements).unwrap(),
        };
        let decision = store.verify(&world.provider, &credential, Role::Device, at(day));
        // With a memory that all cases share, it is the same, the first time and later.
        let mut memory = world.memory.lock().unwrap();
        for _ in 0..2 {
            let again = Verifier::with_memory(&store, &mut memory)
                .verify(&world.provider, &credential, Role::Device, at(day));
            prop_assert_eq!(&again, &decision);
        }

        let cut_off = |party: usize| recorded.iter().any(|&(issuer, subject)| {
            subject == party && (authorities[issuer] == Some(true) || issuer == party)
        });
        let good = |choice: &&Choice| {
            choice.genuine
                && authorities[choice.issuer].is_some()
                && !cut_off(choice.issuer)
                && !recorded.contains(&(choice.issuer, 3))
                && (choice.from..choice.to).contains(&day)
                && choice.role == Role::Device
        };
        let longest = shown.iter().chain(&held).map(|index| &world.endorsements[*index])
            .filter(good).map(|choice| choice.to).max();
        let expected = longest.filter(|_| (10..50).contains(&day) && !cut_off(3));
        match decision {
            Ok(verified) => {
                prop_assert_eq!(Some(verified.standing().valid_until()), expected.map(|to| at(to.min(50))));
                prop_assert_eq!(store.check(verified.standing(), at(day)), Ok(()));

                // What it rests on, once a party is off the list and time has passed. With
                // the party go the effects of its revocations.
                let standing = verified.standing();
                let rests_on = (0..3).find(|issuer| id(*issuer) == standing.rests_on());
                if let Some(removed) = removed {
                    store.remove_party(&id(removed));
                }
                let stays = rests_on != removed && at(day + later) < standing.valid_until();
                prop_assert_eq!(store.check(standing, at(day + later)).is_ok(), stays);
            }
            // The checks in the order of SPEC.md section 6.3, signatures last; of several
            // endorsements, the one that came furthest.
            Err(reason) => {
                prop_assert!(expected.is_none(), "{reason:?}");
                let of_one = |choice: &Choice| {
                    let Choice { issuer, from, to, role, .. } = *choice;
                    if authorities[issuer].is_none() {
                        Refusal::NoTrustedEndorsement
                    } else if cut_off(issuer) {
                        Refusal::IssuerRevoked
                    } else if recorded.contains(&(issuer, 3)) {
                        Refusal::Revoked
                    } else if day < from {
                        Refusal::EndorsementNotYetValid
                    } else if day >= to {
                        Refusal::EndorsementExpired
                    } else if role != Role::Device {
                        Refusal::RoleNotGranted
                    } else {
                        Refusal::NoTrustedEndorsement
                    }
                };
                let furthest = shown.iter().chain(&held).map(|at| of_one(&world.endorsements[*at])).max();
                let expected = match day {
                    0..10 => Refusal::NotYetValid,
                    50.. => Refusal::Expired,
                    _ if cut_off(3) => Refusal::Revoked,
                    _ => furthest.unwrap_or(Refusal::NoTrustedEndorsement),
                };
                prop_assert_eq!(reason, expected);
            }
        }
    }
}
