//! Connections over a relay that loses, repeats and delays datagrams.

use std::collections::VecDeque;

use anyhow::{Context as _, ensure};

use super::Parties;
use crate::pair::{Pair, Setup};
use crate::relay::Faults;

/// How many connections there are, each with its own faults.
const SEEDS: u8 = 16;
/// How many payloads go each way in one of them.
const PAYLOADS: usize = 50;

fn setup(faults: Faults, seed: u8) -> Setup {
    let mut setup = Setup { faults, seed, ..Setup::default() };
    // Cookies make handshakes longer, so that more can happen to them.
    setup.cookies = iot_crypto::dtls::CookiePolicy::Always;
    setup.theirs.cookie = true;
    setup
}

fn payloads(from: &str) -> Vec<Vec<u8>> {
    (0..PAYLOADS).map(|number| format!("{from}, number {number}").into_bytes()).collect()
}

/// What has come to the peer, and what to us.
type Received = [VecDeque<Vec<u8>>; 2];

/// Sends payloads both ways at once, until as many have come each way as should.
fn exchange(
    pair: &mut Pair,
    expected: impl Fn(&Pair) -> (usize, usize),
) -> anyhow::Result<Received> {
    let mut unsent = payloads("from us").into_iter().zip(payloads("from the peer"));
    pair.run_until("what was not lost is received", |pair| {
        if let Some((from_us, from_them)) = unsent.next() {
            pair.ours.send(&from_us)?;
            pair.theirs.send(&from_them)?;
            return Ok(false);
        }
        Ok((pair.theirs.received.len(), pair.ours.received.len()) >= expected(pair))
    })?;
    Ok([&mut pair.theirs.received, &mut pair.ours.received].map(std::mem::take))
}

/// Whether `received` is what is left of `sent` when some are missing.
fn is_in_order(received: &VecDeque<Vec<u8>>, sent: &[Vec<u8>]) -> bool {
    let mut sent = sent.iter();
    received.iter().all(|payload| sent.any(|other| other == payload))
}

pub(super) fn with_loss(parties: Parties) -> anyhow::Result<Option<String>> {
    let faults = Faults { loss: 5, ..Faults::default() };
    let mut lost = [0; 4];
    for seed in 0..SEEDS {
        let mut pair =
            parties.connect(&setup(faults, seed)).with_context(|| format!("seed {seed}"))?;
        let [at_them, at_us] = exchange(&mut pair, |pair| {
            (PAYLOADS - pair.from_us().lost_data, PAYLOADS - pair.from_them().lost_data)
        })?;
        let (from_us, from_them) = (pair.from_us(), pair.from_them());
        ensure!(
            at_them.len() + from_us.lost_data == PAYLOADS
                && at_us.len() + from_them.lost_data == PAYLOADS,
            "of {PAYLOADS} payloads each way {} and {} were lost, {} and {} received",
            from_us.lost_data,
            from_them.lost_data,
            at_them.len(),
            at_us.len()
        );
        ensure!(is_in_order(&at_them, &payloads("from us")), "ours came changed or out of order");
        ensure!(is_in_order(&at_us, &payloads("from the peer")), "theirs came so");
        let now = [from_us.lost, from_them.lost, from_us.lost_data, from_them.lost_data];
        for (all, now) in lost.iter_mut().zip(now) {
            *all += now;
        }
    }
    ensure!(!lost.contains(&0), "too little was lost to show anything: {lost:?}");
    Ok(None)
}

pub(super) fn out_of_order(parties: Parties) -> anyhow::Result<Option<String>> {
    let faults = Faults { repetition: 5, delay: 5, ..Faults::default() };
    let mut disturbed = [0; 4];
    for seed in 0..SEEDS {
        let mut pair =
            parties.connect(&setup(faults, seed)).with_context(|| format!("seed {seed}"))?;
        let [at_them, at_us] = exchange(&mut pair, |_| (PAYLOADS, PAYLOADS))?;
        ensure!(sorted(at_them) == sorted(payloads("from us")), "other payloads came than ours");
        ensure!(sorted(at_us) == sorted(payloads("from the peer")), "others came than theirs");
        let (from_us, from_them) = (pair.from_us(), pair.from_them());
        let now = [from_us.repeated, from_them.repeated, from_us.overtaken, from_them.overtaken];
        for (all, now) in disturbed.iter_mut().zip(now) {
            *all += now;
        }
    }
    ensure!(!disturbed.contains(&0), "too little happened to show anything: {disturbed:?}");
    Ok(None)
}

fn sorted(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut payloads: Vec<_> = payloads.into_iter().collect();
    payloads.sort();
    payloads
}
