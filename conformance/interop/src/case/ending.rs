//! Connections that one side ends in order.

use anyhow::ensure;
use iot_crypto::dtls::CloseReason;

use super::Parties;
use crate::pair::{OurStatus, Setup};
use crate::peer::Status;

pub(super) fn by_us(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut pair = parties.connect(&Setup::default())?;
    pair.exchange()?;
    pair.ours.close();
    pair.run_until("the peer has ended", |pair| Ok(*pair.theirs.status() != Status::Connected))?;
    ensure!(*pair.theirs.status() == Status::Closed, "the peer ended {:?}", pair.theirs.status());
    let ours = pair.our_status();
    ensure!(ours == OurStatus::Closed(CloseReason::ByApplication), "we ended {ours:?}");
    Ok(None)
}

pub(super) fn by_peer(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut pair = parties.connect(&Setup::default())?;
    pair.exchange()?;
    pair.theirs.close()?;
    pair.run_until("both have ended", |pair| {
        Ok(pair.our_status() != OurStatus::Connected && *pair.theirs.status() != Status::Connected)
    })?;
    let ours = pair.our_status();
    ensure!(ours == OurStatus::Closed(CloseReason::ByPeer), "we ended {ours:?}");
    ensure!(*pair.theirs.status() == Status::Closed, "the peer ended {:?}", pair.theirs.status());
    Ok(None)
}
