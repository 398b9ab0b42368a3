//! How an uplink gets from one attempt to the next, and to a session.

use heapless::Vec;

use super::attempt::{Attempt, Established, Step};
use super::{
    Acquaintance, Disconnection, FAREWELL, Failure, Farewell, LEAST_DELAY, Live, Liveness, Path,
    Pursuit, Terms, Uplink, UplinkEvent,
};
use crate::connection::NetworkKeyId;
use crate::crypto::Provider;
use crate::dtls::{ConnectionEvent, Session};
use crate::endpoint::{Address, LocalPort};
use crate::identity::Trust;
use crate::party::Party;
use crate::time::Instant;

impl<P: Provider, A: Address> Uplink<P, A> {
    /// Begins an attempt by way of a negotiation service, under the preferred
    /// network key or another one.
    pub(super) fn attempt<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        negotiation: A,
        key: Option<NetworkKeyId>,
    ) {
        // The live session keeps its port to itself, so that its records and
        // those of the session to replace it can't be mistaken for each other.
        let port = match &self.live {
            Some(live) if live.path.port == LocalPort::FirstClient => LocalPort::SecondClient,
            _ => LocalPort::FirstClient,
        };
        let path = Path { port, peer: negotiation };
        match Attempt::start(&self.terms, party, now, path, key) {
            Ok(attempt) => self.pursuit = Pursuit::Attempting(attempt),
            Err(failure) => self.fail(party, now, failure),
        }
    }

    /// Takes the attempt one step on.
    pub(super) fn step<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        step: impl FnOnce(Attempt<P, A>, &Terms, &mut Party<P, T>) -> Step<P, A>,
    ) {
        match core::mem::replace(&mut self.pursuit, Pursuit::None) {
            Pursuit::Attempting(attempt) => match step(attempt, &self.terms, party) {
                Step::Goes(attempt) => self.pursuit = Pursuit::Attempting(attempt),
                Step::Negotiated(path, key, session, next) => {
                    self.bid_farewell(party, now, path, session);
                    let peer = next.peer();
                    if self.acquaintance.is_some_and(|known| known.party != peer) {
                        self.begin_anew(party, now, path.peer, key);
                    } else {
                        self.report(UplinkEvent::Negotiated { peer });
                        self.pursuit = Pursuit::Attempting(Attempt::Connecting(next));
                    }
                }
                Step::Fails(failure) => self.fail(party, now, failure),
                Step::Leaves(path, session, failure) => {
                    self.bid_farewell(party, now, path, session);
                    self.fail(party, now, failure);
                }
                Step::Stands(established) => self.establish(party, now, established),
            },
            other => self.pursuit = other,
        }
    }

    /// Breaks an attempt off that led to another party than the one that knows the
    /// present incarnation, and begins again with a new one. What the two
    /// remember of each other would not hold if the way led back: the former
    /// might repeat a command that was carried out, and is forgotten here.
    fn begin_anew<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        negotiation: A,
        key: NetworkKeyId,
    ) {
        let mut incarnation = [0; 4];
        if party.provider.random(&mut incarnation).is_err() {
            return self.fail(party, now, Failure::Entropy);
        }
        self.terms.incarnation = u32::from_be_bytes(incarnation);
        self.acquaintance = None;
        self.attempt(party, now, negotiation, Some(key));
    }

    fn establish<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        established: Established<P, A>,
    ) {
        let Established { path, session, peer } = established;
        self.failures = 0;
        let party_above = peer.standing.party();
        let known = Acquaintance { party: party_above, incarnation: peer.incarnation };
        let former = self.acquaintance.replace(known);
        self.report(UplinkEvent::Connected {
            peer: party_above,
            replaced: self.live.is_some(),
            new_incarnation: former != Some(known),
        });
        let live = Live { path, session, peer, liveness: Liveness::Heard(now) };
        if let Some(old) = self.live.replace(live) {
            self.bid_farewell(party, now, old.path, old.session);
        }
        // Whom the party trusts may have changed since the negotiation.
        self.check_trust(party, now);
    }

    /// Looks whether the live session has ended.
    pub(super) fn settle<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        let Some(live) = &mut self.live else { return };
        if let Some(ConnectionEvent::Closed(reason)) = live.session.poll_event() {
            let peer = live.peer.standing.party();
            self.live = None;
            let reason = Disconnection::Session(reason);
            self.report(UplinkEvent::Disconnected { peer, reason });
            self.wait(party, now);
        }
    }

    /// Closes `session`, whose close_notify is still to be sent.
    pub(super) fn bid_farewell<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        path: Path<A>,
        mut session: Session<P>,
    ) {
        session.close(now);
        let mut datagram = Vec::from_array([0; FAREWELL]);
        if let Ok(Some(length)) = session.poll_transmit(&mut party.provider, now, &mut datagram) {
            datagram.truncate(length);
            // Only a courtesy: the peer notices anyway, if later. A session that
            // was replaced is closed by the peer itself, so the older one gives way.
            self.farewell = Some(Farewell { path, datagram });
        }
    }

    pub(super) fn fail<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        failure: Failure,
    ) {
        self.report(UplinkEvent::Failed(failure));
        self.wait(party, now);
        self.failures = self.failures.saturating_add(1);
    }

    /// Lets the time until the next attempt begin: the longer, the more failed,
    /// and a little different for each party, so that a thousand devices don't
    /// all come back in the same second.
    pub(super) fn wait<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        if matches!(self.pursuit, Pursuit::Attempting(_)) {
            return;
        }
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let delay = self.retry.saturating_mul(doubled).min(self.retry_limit).max(LEAST_DELAY);
        let mut random = [0];
        // Without randomness there is no jitter, and soon a failure that says so.
        let _ = party.provider.random(&mut random);
        let [random] = random;
        let jitter = delay.saturating_mul(u32::from(random)) / 1024;
        self.pursuit = Pursuit::Waiting(now + delay.saturating_add(jitter));
    }

    /// Whether to follow an advertisement. After a failure it is left to chance, so
    /// that a gateway that refuses this party, and always is the first to be
    /// heard, doesn't stand in front of one that would take it.
    pub(super) fn chooses<T: Trust>(&self, party: &mut Party<P, T>) -> bool {
        let mut random = [0];
        let _ = party.provider.random(&mut random);
        let [random] = random;
        self.failures == 0 || random.is_multiple_of(2)
    }
}
