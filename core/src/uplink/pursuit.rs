//! How an uplink gets from one attempt to the next, and to a session.

use heapless::Vec;

use super::attempt::{Agreement, Attempt, Beginning, Requesting, Step};
use super::{
    Acquaintance, Disconnection, FAREWELL, Failure, Farewell, LEAST_DELAY, Live, Liveness, Path,
    Pursuit, Uplink, UplinkEvent,
};
use crate::connection::NetworkKeyId;
use crate::crypto::Provider;
use crate::dtls::{ConnectionEvent, Session};
use crate::endpoint::{Address, LocalPort};
use crate::identity::Trust;
use crate::party::Party;
use crate::time::{Instant, doubled};

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
        match Beginning::new(party, key) {
            Ok(beginning) => self.begin(now, path, beginning),
            Err(failure) => self.fail(party, now, failure),
        }
    }

    #[inline(never)] // An attempt on its way to its place is large.
    fn begin(&mut self, now: Instant, path: Path<A>, beginning: Beginning) {
        self.pursuit = Pursuit::Attempting(Attempt::start(&self.terms, now, path, beginning));
    }

    /// Does what a step of the attempt asks for.
    pub(super) fn follow<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        step: Step<A>,
    ) {
        match step {
            Step::Goes => {}
            Step::Negotiated(agreement) => self.connect(party, now, agreement),
            Step::Stands => self.establish(party, now),
            Step::Fails(failure) => {
                self.pursuit = Pursuit::None;
                self.fail(party, now, failure);
            }
            Step::Leaves(failure) => {
                if let Pursuit::Attempting(Attempt::Requesting(state)) = &mut self.pursuit {
                    let provider = &mut party.provider;
                    Farewell::bid(
                        &mut self.farewell,
                        provider,
                        now,
                        state.path,
                        &mut state.session,
                    );
                }
                self.pursuit = Pursuit::None;
                self.fail(party, now, failure);
            }
        }
    }

    /// Goes on to the transmission service of the party that a key was negotiated with.
    #[inline(never)] // An attempt on its way to its place is large.
    fn connect<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        agreement: Agreement<A>,
    ) {
        let Pursuit::Attempting(attempt) = &mut self.pursuit else { return };
        let Attempt::Requesting(Requesting { path, key, session, .. }) = attempt else { return };
        Farewell::bid(&mut self.farewell, &mut party.provider, now, *path, session);
        let peer = agreement.peer();
        if self.acquaintance.is_some_and(|known| known.party != peer) {
            let (negotiation, key) = (path.peer, *key);
            self.pursuit = Pursuit::None;
            return self.begin_anew(party, now, negotiation, key);
        }
        match attempt.connect(&self.terms, party, now, agreement) {
            Ok(()) => self.report(UplinkEvent::Negotiated { peer }),
            Err(failure) => {
                self.pursuit = Pursuit::None;
                self.fail(party, now, failure);
            }
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

    /// The attempt has led to a session, which takes the place of the live one.
    #[inline(never)] // A session on its way to its place is large.
    fn establish<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        let Pursuit::Attempting(Attempt::Connecting(state)) = &mut self.pursuit else { return };
        let Some(session) = state.connection.take_session() else { return };
        let (path, peer) = (state.path, state.peer.clone());
        self.pursuit = Pursuit::None;
        self.failures = 0;
        let party_above = peer.standing.party();
        let known = Acquaintance { party: party_above, incarnation: peer.incarnation };
        let former = self.acquaintance.replace(known);
        self.report(UplinkEvent::Connected {
            peer: party_above,
            replaced: self.live.is_some(),
            new_incarnation: former != Some(known),
        });
        if let Some(old) = &mut self.live {
            let provider = &mut party.provider;
            Farewell::bid(&mut self.farewell, provider, now, old.path, &mut old.session);
        }
        self.live = Some(Live { path, session, peer, liveness: Liveness::Heard(now) });
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
        let delay = doubled(self.retry, self.failures).min(self.retry_limit).max(LEAST_DELAY);
        let due = now + delay;
        let mut random = [0];
        // Without randomness there is no jitter, and soon a failure that says so.
        let _ = party.provider.random(&mut random);
        let [random] = random;
        // Up to a quarter of the delay.
        let (now, due) = (now.as_millis(), due.as_millis());
        let jitter = due.saturating_sub(now).saturating_mul(random.into()) / 1024;
        self.pursuit = Pursuit::Waiting(Instant::from_millis(due.saturating_add(jitter)));
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

impl<A> Farewell<A> {
    /// Closes `session`, whose close_notify is still to be sent, and puts it in its
    /// `place`.
    pub(super) fn bid<P: Provider>(
        place: &mut Option<Self>,
        provider: &mut P,
        now: Instant,
        path: Path<A>,
        session: &mut Session<P>,
    ) {
        session.close(now);
        let mut datagram = Vec::from_array([0; FAREWELL]);
        if let Ok(Some(length)) = session.poll_transmit(provider, now, &mut datagram) {
            datagram.truncate(length);
            // Only a courtesy: the peer notices anyway, if later. A session that
            // was replaced is closed by the peer itself, so the older one gives way.
            *place = Some(Self { path, datagram });
        }
    }
}
