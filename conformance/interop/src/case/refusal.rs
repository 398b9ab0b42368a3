//! Connections that must not come about.

use std::time::Duration;

use anyhow::{bail, ensure};
use iot_crypto::dtls::{AlertDescription, CloseReason, ExtendedMasterSecret};

use super::Parties;
use crate::pair::{Direction, OurStatus, Pair, Setup};
use crate::peer::Status;

/// How long our handshake may take when the keys differ.
const DEADLINE: Duration = Duration::from_secs(2);

/// A peer without the extended master secret, and ours that does not require it.
pub(super) fn without_extended_master_secret() -> Setup {
    let mut setup = Setup::default();
    setup.ours.extended_master_secret = ExtendedMasterSecret::Preferred;
    setup.theirs.extended_master_secret = false;
    setup
}

pub(super) fn extended_master_secret(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut setup = without_extended_master_secret();
    setup.ours.extended_master_secret = ExtendedMasterSecret::default();
    let mut pair = parties.begin(&setup)?;
    // A server of ours refuses without having begun: it has nothing to report.
    let over = |pair: &Pair| match parties.direction {
        Direction::OurClient => pair.our_status() != OurStatus::Handshaking,
        Direction::OurServer => true,
    };
    pair.run_until("it is refused", |pair| {
        Ok(over(pair) && *pair.theirs.status() != Status::Handshaking)
    })?;
    let failed = matches!(pair.theirs.status(), Status::Failed(_));
    ensure!(failed, "the peer is {:?}", pair.theirs.status());
    let refusal = AlertDescription::HandshakeFailure;
    let expected = match parties.direction {
        Direction::OurClient => OurStatus::Closed(CloseReason::Protocol(refusal)),
        Direction::OurServer => OurStatus::Handshaking,
    };
    ensure!(pair.our_status() == expected, "we are {:?}", pair.our_status());
    let alerts = &pair.from_us().alerts;
    ensure!(alerts.contains(&refusal.code()), "our alerts were {alerts:?}");
    Ok(None)
}

pub(super) fn wrong_key(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut setup = Setup::default();
    setup.ours.handshake_timeout = DEADLINE;
    setup.key = vec![0xff; 16];
    let mut pair = parties.begin(&setup)?;
    pair.run_until("ours fails", |pair| {
        ensure!(*pair.theirs.status() != Status::Connected, "the peer has connected");
        Ok(pair.our_status() != OurStatus::Handshaking)
    })?;
    let how = match pair.our_status() {
        OurStatus::Closed(CloseReason::Alert(alert)) => format!("alert {}", alert.code()),
        OurStatus::Closed(CloseReason::HandshakeTimeout { undecryptable }) => {
            // Only a server sees a record that tells: the client's Finished.
            let expected = parties.direction == Direction::OurServer;
            ensure!(undecryptable == expected, "undecryptable is {undecryptable}");
            "deadline".to_owned()
        }
        other => bail!("we are {other:?}"),
    };
    Ok(Some(how))
}
