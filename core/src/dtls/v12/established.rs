//! What a handshake leads to: protected records in both directions.

use core::time::Duration;

use super::flight::Finished;
use super::key_schedule::{Keys, VerifiedFinished};
use super::message::{HandshakeType, fragments};
use super::protection::{OVERHEAD, ReadState, SealError, WriteState};
use super::record::{ContentType, PlaintextState, Record};
use crate::crypto::Provider;
use crate::dtls::alert::Alert;
use crate::dtls::{AlertDescription, CloseReason, Config, DropReason, SendError};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// How many sequence numbers are kept back for alerts and repetitions when
/// application data may use no more.
const RESERVED: u64 = 64;
/// How long the last flight can be repeated: twice TCP's maximum segment
/// lifetime (RFC 6347 section 4.2.4).
const LAST_FLIGHT_KEPT: Duration = Duration::from_secs(240);

/// An established session. Small: what it holds, it needs.
pub struct Established<P: Provider> {
    write: WriteState<P>,
    read: ReadState<P>,
    last_flight: LastFlight,
    status: Status,
    alert: PendingAlert,
    limit: u16,
    bytes_sent: u64,
    bytes_received: u64,
}

/// The flight that ended the handshake, if it was ours and the peer may still
/// lack it.
enum LastFlight {
    /// It was the peer's, or the peer has it, or too much time has passed.
    Gone,
    /// To be repeated whenever the peer repeats its own.
    Kept { finished: Finished, plaintext: PlaintextState, until: Instant },
}

enum Status {
    Open,
    /// Closed, which the application does not know yet.
    Closing {
        since: Instant,
        reason: CloseReason,
    },
    Closed,
}

enum PendingAlert {
    Nothing,
    Alert { since: Instant, alert: Alert },
}

impl<P: Provider> Established<P> {
    /// The client's session: the server's `Finished` has ended the handshake.
    pub(crate) fn client(keys: Keys<P>, _: VerifiedFinished, config: &Config) -> Self {
        Self::new(keys, LastFlight::Gone, config)
    }

    /// The server's session: its own `Finished` ends the handshake, and is sent
    /// from here.
    pub(crate) fn server(
        keys: Keys<P>,
        _: VerifiedFinished,
        config: &Config,
        now: Instant,
        mut finished: Finished,
        plaintext: PlaintextState,
    ) -> Self {
        finished.queue(now);
        let until = now + LAST_FLIGHT_KEPT;
        Self::new(keys, LastFlight::Kept { finished, plaintext, until }, config)
    }

    fn new(keys: Keys<P>, last_flight: LastFlight, config: &Config) -> Self {
        Self {
            write: keys.write,
            read: keys.read,
            last_flight,
            status: Status::Open,
            alert: PendingAlert::Nothing,
            limit: u16::try_from(config.datagram_limit()).unwrap_or(u16::MAX),
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Open)
    }

    pub(crate) fn max_payload(&self) -> usize {
        usize::from(self.limit).saturating_sub(OVERHEAD)
    }

    pub(crate) fn records_sent(&self) -> u64 {
        self.write.records()
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    pub(crate) fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// Opens a record in place; application data is given back.
    pub(crate) fn handle<'d>(
        &mut self,
        provider: &P,
        now: Instant,
        record: Record<'d>,
    ) -> Result<Option<&'d mut [u8]>, DropReason> {
        if !self.is_open() {
            return Err(DropReason::Unexpected);
        }
        // Records of epoch 0 are not authentic, and have no say any more: no
        // alert, no message of a handshake (RFC 6347 section 4.1).
        let (content_type, content) = self.read.open(provider, record)?;
        match content_type {
            ContentType::ApplicationData => {
                self.last_flight = LastFlight::Gone;
                self.bytes_received = self.bytes_received.saturating_add(content.len() as u64);
                return Ok(Some(content));
            }
            ContentType::Handshake => self.handle_handshake(now, content),
            ContentType::Alert => self.handle_alert(now, content),
            ContentType::ChangeCipherSpec => {}
        }
        Ok(None)
    }

    fn handle_handshake(&mut self, now: Instant, content: &[u8]) {
        let Some(first) = fragments(content).ok().and_then(|mut all| all.next()) else { return };
        match first.header.kind {
            // The client repeats its flight: ours was lost (RFC 6347 4.2.4).
            HandshakeType::FINISHED => match &mut self.last_flight {
                LastFlight::Kept { finished, until, .. } if now < *until => finished.queue(now),
                _ => self.last_flight = LastFlight::Gone,
            },
            HandshakeType::CLIENT_HELLO => {
                self.queue(now, Alert::warning(AlertDescription::NoRenegotiation));
            }
            // A HelloRequest may be ignored (RFC 5246 section 7.4.1.1), and so is
            // everything else: there is no renegotiation.
            _ => {}
        }
    }

    fn handle_alert(&mut self, now: Instant, content: &[u8]) {
        let Some(reason) = Alert::decode(content).ok().and_then(Alert::closes) else { return };
        self.alert = PendingAlert::Nothing;
        if reason == CloseReason::ByPeer {
            // RFC 5246 section 7.2.1: to be answered by one of our own.
            self.queue(now, Alert::CLOSE_NOTIFY);
        }
        self.end(now, reason);
    }

    fn queue(&mut self, now: Instant, alert: Alert) {
        self.alert = PendingAlert::Alert { since: now, alert };
    }

    fn end(&mut self, now: Instant, reason: CloseReason) {
        self.last_flight = LastFlight::Gone;
        self.status = Status::Closing { since: now, reason };
    }

    /// Ends the session, if it has not ended, and tells the peer.
    pub(crate) fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.is_open() {
            self.queue(now, Alert::CLOSE_NOTIFY);
            self.end(now, reason);
        }
    }

    /// Seals `payload` into one datagram.
    pub(crate) fn send(
        &mut self,
        provider: &P,
        now: Instant,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let maximum = self.max_payload();
        if payload.len() > maximum {
            return Err(SendError::PayloadTooLarge { maximum });
        }
        let length = match self.write.seal(provider, ContentType::ApplicationData, payload, buffer)
        {
            Ok(length) => length,
            Err(SealError::BufferTooSmall(error)) => return Err(error.into()),
            Err(SealError::Exhausted) => return Err(SendError::Closed),
        };
        self.bytes_sent = self.bytes_sent.saturating_add(payload.len() as u64);
        // RFC 6347 section 4.1: sequence numbers must not wrap.
        if self.write.remaining() <= RESERVED {
            self.close(now, CloseReason::SequenceNumbersExhausted);
        }
        Ok(length)
    }

    /// Writes the next datagram of the session's own: the last flight, or an
    /// alert.
    pub(crate) fn poll_transmit(
        &mut self,
        provider: &P,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if let LastFlight::Kept { finished, plaintext, .. } = &mut self.last_flight {
            let sent = finished.poll_transmit(provider, plaintext, &mut self.write, buffer)?;
            if sent.is_some() {
                return Ok(sent);
            }
        }
        let PendingAlert::Alert { alert, .. } = self.alert else { return Ok(None) };
        let sealed = self.write.seal(provider, ContentType::Alert, &alert.encode(), buffer);
        if let Err(SealError::BufferTooSmall(error)) = sealed {
            return Err(error);
        }
        self.alert = PendingAlert::Nothing;
        Ok(sealed.ok())
    }

    /// Why the session has closed, once.
    pub(crate) fn poll_closed(&mut self) -> Option<CloseReason> {
        let Status::Closing { reason, .. } = self.status else { return None };
        self.status = Status::Closed;
        Some(reason)
    }

    /// Whether a datagram is waiting for [`Established::poll_transmit`].
    pub(crate) fn output(&self) -> Option<Deadline> {
        let alert = match self.alert {
            PendingAlert::Nothing => None,
            PendingAlert::Alert { since, .. } => Some(Deadline::new(since, Reason::Output)),
        };
        let flight = match &self.last_flight {
            LastFlight::Gone => None,
            LastFlight::Kept { finished, .. } => finished.deadline(),
        };
        Deadline::earlier(alert, flight)
    }

    /// When the session wants to be called: a session has no timers of its own.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let event = match self.status {
            Status::Closing { since, .. } => Some(Deadline::new(since, Reason::Output)),
            Status::Open | Status::Closed => None,
        };
        Deadline::earlier(event, self.output())
    }

    #[cfg(all(test, feature = "alloc"))]
    pub(crate) fn write_state(&mut self) -> &mut WriteState<P> {
        &mut self.write
    }
}
