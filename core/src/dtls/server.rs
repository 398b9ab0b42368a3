//! Many clients on one port.

mod addresses;
mod config;
mod event;
mod slab;
mod stateless;
mod table;
#[cfg(test)]
mod tests;

pub use config::{CookiePolicy, ServerConfig};
pub use event::{Received, ServerEvent, SessionId};

use alloc::collections::VecDeque;

use stateless::StatelessReplies;
use table::{Peer, PeerState, Table};

use super::v12::cookie::CookieJar;
use super::v12::ending::Ending;
use super::v12::record::{Record, next_record};
use super::v12::server::{Allowance, ClientHelloRecord, Handshake, Outcome, Refusal};
use super::{CloseReason, Datagram, DropReason, Drops, PresharedKey, SendError};
use crate::crypto::{EntropyError, Provider};
use crate::endpoint::Address;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// A DTLS server: the handshakes and sessions of many clients on one port.
///
/// Nothing is kept for a client that has not proved its address, if the
/// [`CookiePolicy`] demands that. A client that begins anew from the address of
/// a live session does not displace it until the new handshake has ended
/// (RFC 6347 section 4.2.8).
pub struct Server<P: Provider, A: Address> {
    config: ServerConfig,
    cookies: CookieJar,
    /// The key of all who are not known: nobody has it.
    substitute: PresharedKey,
    table: Table<P, A>,
    replies: StatelessReplies<A>,
    events: VecDeque<(Instant, ServerEvent<A>)>,
    drops: Drops,
}

impl<P: Provider, A: Address> Server<P, A> {
    /// A server without sessions.
    ///
    /// # Errors
    /// [`EntropyError`] if `provider` gives no random bytes.
    pub fn new(config: ServerConfig, provider: &mut P) -> Result<Self, EntropyError> {
        let cookies = CookieJar::new(provider)?;
        Ok(Self {
            config,
            table: Table::new(&cookies.hash_key(provider)),
            cookies,
            substitute: PresharedKey::random(provider)?,
            replies: StatelessReplies::new(),
            events: VecDeque::new(),
            drops: Drops::default(),
        })
    }

    /// The number of sessions and handshakes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are neither sessions nor handshakes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of handshakes that have not ended.
    #[must_use]
    pub fn half_open(&self) -> usize {
        self.table.half_open()
    }

    /// Where the client of a session or handshake is.
    #[must_use]
    pub fn address(&self, session: SessionId) -> Option<A> {
        self.table.get(session).map(|peer| peer.address)
    }

    /// The greatest payload that fits into one datagram, in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.config.dtls.datagram_limit().saturating_sub(super::RECORD_OVERHEAD)
    }

    /// The number of records sealed with the key of a session, for rotation by
    /// volume; `None` if it is not established.
    #[must_use]
    pub fn records_sent(&self, session: SessionId) -> Option<u64> {
        match &self.table.get(session)?.state {
            PeerState::Session(session) => Some(session.records_sent()),
            _ => None,
        }
    }

    /// How many records were dropped, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Goes on through the records of `datagram` until one carries application
    /// data, which is returned, decrypted in place. To be called until it gives
    /// `None`.
    pub fn handle_record<'d>(
        &mut self,
        provider: &mut P,
        now: Instant,
        from: A,
        datagram: &mut Datagram<'d>,
    ) -> Option<Received<'d>> {
        while let Some(record) = next_record(datagram) {
            let handled = record.and_then(|record| match record.header.epoch {
                0 => self.handle_plaintext(provider, now, from, record).map(|()| None),
                _ => self.handle_protected(provider, now, from, record),
            });
            match handled {
                Ok(Some(received)) => return Some(received),
                Ok(None) => {}
                Err(reason) => self.drops.add(reason),
            }
        }
        None
    }

    fn handle_protected<'d>(
        &mut self,
        provider: &mut P,
        now: Instant,
        from: A,
        record: Record<'d>,
    ) -> Result<Option<Received<'d>>, DropReason> {
        let begins_anew = self.table.has_handshake(from);
        let Some((session, established)) = self.table.session_at(from) else {
            return self.handle_in_handshake(provider, now, from, record).map(|()| None);
        };
        // It may belong to the handshake that is to replace this session, whose
        // sequence numbers begin again; to open it in vain would destroy it.
        let header = record.header;
        let mut copy = begins_anew.then(|| record.fragment.to_vec());
        match (established.handle(provider, now, record), &mut copy) {
            (Ok(Some(payload)), _) => Ok(Some(Received { session, payload })),
            (Ok(None), _) => {
                self.settle_session(now, session);
                Ok(None)
            }
            (Err(DropReason::Undecryptable | DropReason::Replayed), Some(fragment)) => {
                let record = Record { header, fragment };
                self.handle_in_handshake(provider, now, from, record).map(|()| None)
            }
            (Err(reason), _) => Err(reason),
        }
    }

    fn handle_plaintext(
        &mut self,
        provider: &mut P,
        now: Instant,
        from: A,
        record: Record<'_>,
    ) -> Result<(), DropReason> {
        if let Some(hello) = ClientHelloRecord::read(&record)? {
            if self.table.is_hello_of_session(from, &hello.start.random) {
                return Err(DropReason::Repeated);
            }
            let begun = self.table.handshake_at(from);
            if !begun.is_some_and(|(_, handshake)| handshake.began_with(&hello)) {
                return self.greet(provider, now, from, &hello);
            }
        }
        self.handle_in_handshake(provider, now, from, record)
    }

    fn handle_in_handshake(
        &mut self,
        provider: &mut P,
        now: Instant,
        from: A,
        record: Record<'_>,
    ) -> Result<(), DropReason> {
        let (session, handshake) = self.table.handshake_at(from).ok_or(DropReason::Unexpected)?;
        let outcome = handshake.handle(provider, now, record, self.config.psk_timeout)?;
        self.follow(now, session, outcome);
        Ok(())
    }

    /// Answers the start of a `ClientHello` that no handshake began with.
    fn greet(
        &mut self,
        provider: &mut P,
        now: Instant,
        from: A,
        hello: &ClientHelloRecord<'_>,
    ) -> Result<(), DropReason> {
        let demanded = match self.config.cookies {
            CookiePolicy::Always => true,
            CookiePolicy::UnderLoad { half_open } => {
                self.half_open() > half_open || self.table.is_occupied(from)
            }
            CookiePolicy::Never => false,
        };
        let proved = self.cookies.is_valid(provider, now, &from, &hello.start);
        if demanded && !proved {
            let cookie = self.cookies.make(provider, now, &from, &hello.start);
            return self.replies.hello_verify_request(now, from, hello, &cookie);
        }
        if !self.has_room() {
            return Err(DropReason::NoRoom);
        }
        let allowance = if proved { Allowance::PROVED } else { Allowance::UNPROVED };
        let dtls = &self.config.dtls;
        match Handshake::begin(dtls, provider, now, allowance, hello) {
            Ok(handshake) => {
                self.admit(now, from, handshake);
                Ok(())
            }
            Err(Refusal::Drop(reason)) => Err(reason),
            Err(Refusal::Alert(alert)) => self.replies.alert(now, from, hello, alert),
        }
    }

    /// Whether another handshake may begin: there is a place for it that is not a
    /// session's, and the application reads its events.
    fn has_room(&self) -> bool {
        let taken = self.len().saturating_sub(self.half_open());
        let events = self.config.max_sessions.saturating_mul(4);
        taken < self.config.max_sessions && self.table.has_place() && self.events.len() < events
    }

    /// Takes a new handshake in. The oldest ones give way to it also when sessions
    /// leave less room than `max_half_open`: or else a few handshakes that are
    /// never ended would keep everyone else out.
    fn admit(&mut self, now: Instant, from: A, handshake: Handshake<P>) {
        if let Some((displaced, _)) = self.table.handshake_at(from) {
            self.fail(now, displaced, Ending::silent(CloseReason::Replaced));
        }
        while self.half_open() >= self.config.max_half_open.max(1)
            || self.len() >= self.config.max_sessions
        {
            let Some(oldest) = self.table.oldest_handshake() else { break };
            self.fail(now, oldest, Ending::silent(CloseReason::Overload));
        }
        self.table.insert(from, handshake);
    }

    /// Does what the outcome of a handshake's input asks for.
    fn follow(&mut self, now: Instant, session: SessionId, outcome: Outcome<P>) {
        match outcome {
            Outcome::Waiting => self.table.settle(session),
            Outcome::PskRequired => {
                let Some(identity) = self.table.announce(session) else { return };
                self.report(now, ServerEvent::PskRequired { session, identity });
            }
            Outcome::Established(established, identity) => {
                let Some(address) = self.address(session) else { return };
                if let Some(replaced) = self.table.establish(session, established) {
                    let reason = CloseReason::Replaced;
                    self.report(now, ServerEvent::Closed { session: replaced, reason });
                }
                self.report(now, ServerEvent::Connected { session, address, identity });
            }
            Outcome::Failed(ending) => self.fail(now, session, ending),
        }
    }

    /// Ends a handshake.
    fn fail(&mut self, now: Instant, session: SessionId, ending: Ending) {
        let reason = ending.reason;
        if self.table.fail(session, now, ending.farewell) {
            self.report(now, ServerEvent::Closed { session, reason });
        }
    }

    /// Reports the end of a session, if it has ended.
    fn settle_session(&mut self, now: Instant, session: SessionId) {
        if let Some(reason) = self.table.settle_session(session) {
            self.report(now, ServerEvent::Closed { session, reason });
        }
    }

    fn report(&mut self, now: Instant, event: ServerEvent<A>) {
        self.events.push_back((now, event));
    }

    /// Answers [`ServerEvent::PskRequired`]: the key of that identity, or `None`
    /// if there is none. The client can't tell that from a wrong key. Without
    /// effect if the handshake is over, or the question was answered.
    pub fn provide_psk(
        &mut self,
        provider: &mut P,
        now: Instant,
        session: SessionId,
        key: Option<PresharedKey>,
    ) {
        let key = key.unwrap_or_else(|| self.substitute.clone());
        if let Some(handshake) = self.table.handshake(session) {
            let outcome = handshake.provide_psk(provider, now, key);
            self.follow(now, session, outcome);
        }
    }

    /// Seals `payload` into one datagram at the start of `buffer`; gives where it
    /// goes, and its length.
    ///
    /// # Errors
    /// [`SendError`]; nothing was changed.
    pub fn send(
        &mut self,
        provider: &mut P,
        now: Instant,
        session: SessionId,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<(A, usize), SendError> {
        let Peer { address, state, .. } = self.table.get_mut(session).ok_or(SendError::Closed)?;
        let address = *address;
        let established = match state {
            PeerState::Session(established) => established,
            PeerState::Handshake(_) => return Err(SendError::NotConnected),
            PeerState::Failed(_) => return Err(SendError::Closed),
        };
        let length = established.send(provider, now, payload, buffer)?;
        if !established.is_open() {
            self.settle_session(now, session);
        }
        Ok((address, length))
    }

    /// Ends a session, or gives up a handshake; the client is told. Without effect
    /// if it is over.
    pub fn close(&mut self, now: Instant, session: SessionId) {
        match self.table.get_mut(session).map(|peer| &mut peer.state) {
            Some(PeerState::Session(established)) => {
                established.close(now, CloseReason::ByApplication);
                self.settle_session(now, session);
            }
            Some(PeerState::Handshake(beginning)) => {
                let ending = beginning.handshake.cancel(CloseReason::ByApplication);
                self.fail(now, session, ending);
            }
            Some(PeerState::Failed(_)) | None => {}
        }
    }

    /// Writes the next datagram of the server's own (a flight, an alert, a
    /// demand for a cookie) into `buffer`; gives where it goes and its length, or
    /// `None` if there is none.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the datagram is not lost. `Config::max_datagram` bytes
    /// always suffice.
    pub fn poll_transmit(
        &mut self,
        provider: &mut P,
        _now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        if let Some(sent) = self.replies.poll_transmit(buffer)? {
            return Ok(Some(sent));
        }
        while let Some((session, peer)) = self.table.first_ready() {
            let address = peer.address;
            let sent = match &mut peer.state {
                PeerState::Handshake(beginning) => beginning.handshake.poll_transmit(buffer)?,
                PeerState::Session(established) => established.poll_transmit(provider, buffer)?,
                PeerState::Failed(failed) => failed.farewell.poll_transmit(buffer)?,
            };
            self.table.settle(session);
            if let Some(length) = sent {
                return Ok(Some((address, length)));
            }
        }
        Ok(None)
    }

    /// Does what is due at `now`; harmless if nothing is.
    pub fn handle_timeout(&mut self, provider: &mut P, now: Instant) {
        for session in self.table.due(now) {
            if let Some(handshake) = self.table.handshake(session) {
                let outcome = handshake.handle_timeout(provider, now, &self.substitute);
                self.follow(now, session, outcome);
            }
        }
    }

    /// When the server wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let event = self.events.front().map(|(since, _)| Deadline::new(*since, Reason::Output));
        let output = Deadline::earlier(event, self.replies.deadline());
        Deadline::earlier(output, self.table.deadline())
    }

    /// The next event. An application that does not read its events gets no new
    /// handshakes once four for each possible session are waiting.
    pub fn poll_event(&mut self) -> Option<ServerEvent<A>> {
        self.events.pop_front().map(|(_, event)| event)
    }
}

impl<P: Provider, A: Address> core::fmt::Debug for Server<P, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("len", &self.len())
            .field("half_open", &self.half_open())
            .finish_non_exhaustive()
    }
}
