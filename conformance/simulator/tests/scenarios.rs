//! Every scenario holds for a few seeds, and plays again as it was. The thorough runs
//! are commands of their own: `iot-crypto-simulator --help`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use iot_crypto_simulator::Cast;
use iot_crypto_simulator::command::Progress;
use iot_crypto_simulator::profile;
use iot_crypto_simulator::scenario::{
    Outcome, attack, clock, days, first_contact, media, partner, rebinding,
};

/// Plays `seeds` and gives the outcomes, which must have held.
fn hold(seeds: std::ops::Range<u64>, play: impl Fn(u64) -> Outcome) -> Vec<Outcome> {
    let outcomes: Vec<Outcome> = seeds.map(play).collect();
    for outcome in &outcomes {
        assert!(outcome.violations.is_empty(), "seed {}: {:#?}", outcome.seed, outcome.violations);
    }
    outcomes
}

fn total(outcomes: &[Outcome], what: &str) -> u64 {
    outcomes.iter().filter_map(|outcome| outcome.counts.get(what)).sum()
}

#[test]
fn a_first_contact_ends_with_a_session_or_at_a_deadline() {
    let cast = Cast::new();
    for profile in profile::ALL {
        let settings = first_contact::Settings { profile, loss: 2000 };
        let outcomes = hold(0..25, |seed| first_contact::play(seed, &cast, settings));
        assert_eq!(total(&outcomes, "contacts"), 25);
    }
    // With most of it lost, there are failures to look at.
    let settings = first_contact::Settings { profile: profile::ETHERNET, loss: 6000 };
    let outcomes = hold(0..15, |seed| first_contact::play(seed, &cast, settings));
    let failures = "handshakes with the negotiation service that failed at their deadline";
    assert!(total(&outcomes, failures) > 0);
}

#[test]
fn a_network_lives_for_days() {
    let cast = Cast::new();
    let play = |seed, settings| days::play(seed, &cast, settings, &Progress::silent());
    let outcomes = hold(1..2, |seed| play(seed, days::Settings { days: 8, devices: 12 }));
    for what in [
        "sessions replaced",
        "restarts of devices",
        "looks at devices that should have a session",
        "looks at devices that should have none",
        "readings",
    ] {
        assert!(total(&outcomes, what) > 0, "no {what}");
    }
    // What takes longer to come about, with a seed in which it does.
    let outcomes = hold(2..3, |seed| play(seed, days::Settings { days: 45, devices: 6 }));
    for what in ["network keys that were replaced", "revocations that were dropped"] {
        assert!(total(&outcomes, what) > 0, "no {what}");
    }
}

#[test]
fn attacks_are_not_noticed() {
    let cast = Cast::new();
    let outcomes = hold(0..2, |seed| attack::play(seed, &cast));
    assert!(total(&outcomes, "readings") > 300);
}

#[test]
fn what_a_partner_endorsed_ends_when_its_word_does() {
    let cast = Cast::new();
    let outcomes = hold(0..12, |seed| partner::play(seed, &cast));
    let ends: std::collections::BTreeSet<_> =
        outcomes.iter().flat_map(|outcome| outcome.counts.keys()).collect();
    assert_eq!(ends.len(), 4, "{ends:?}");
}

#[test]
fn sessions_come_back_after_a_rebinding() {
    let cast = Cast::new();
    let outcomes = hold(0..5, |seed| rebinding::play(seed, &cast));
    assert!(total(&outcomes, "commands carried out") > 0);
}

#[test]
fn who_is_connected_is_who_should_be_by_the_clocks() {
    let cast = Cast::new();
    let outcomes = hold(0..80, |seed| clock::play(seed, &cast));
    assert!(total(&outcomes, "should connect") > 15);
    assert!(total(&outcomes, "should not connect") > 15);
}

#[test]
fn everything_arrives_on_every_medium() {
    let cast = Cast::new();
    for profile in profile::ALL {
        let outcomes = hold(0..3, |seed| media::play(seed, &cast, profile));
        assert_eq!(total(&outcomes, "alerts"), 60);
    }
}

#[test]
fn the_same_seed_plays_again_as_it_was() {
    let cast = Cast::new();
    let play = |seed| attack::play(seed, &cast);
    assert_eq!(play(7), play(7));
    assert_ne!(play(7).digest, play(8).digest);
    let settings = days::Settings { days: 2, devices: 5 };
    let play = |seed| days::play(seed, &cast, settings, &Progress::silent());
    assert_eq!(play(7), play(7));
    assert_ne!(play(7).digest, play(8).digest);
}
