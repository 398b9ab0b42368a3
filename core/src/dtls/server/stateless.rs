//! Answers to clients for whom nothing is kept.

use alloc::collections::VecDeque;

use crate::dtls::alert::Alert;
use crate::dtls::v12::cookie;
use crate::dtls::v12::hello::write_hello_verify_request;
use crate::dtls::v12::message::{self, HandshakeType, MessageHeader};
use crate::dtls::v12::record::{self, ContentType, DTLS_1_0, PlaintextState};
use crate::dtls::v12::server::ClientHelloRecord;
use crate::dtls::{AlertDescription, DropReason};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::{BufferTooSmall, Writer};

/// How many answers may wait; when there are so many, the request is dropped, and
/// the client repeats it.
const LIMIT: usize = 64;
/// The length of a `HelloVerifyRequest`'s body, in bytes.
const BODY: usize = 2 + 1 + cookie::LENGTH;
const LONGEST: usize = record::HEADER_LENGTH + message::HEADER_LENGTH + BODY;

struct Reply<A> {
    since: Instant,
    to: A,
    datagram: heapless::Vec<u8, LONGEST, u8>,
}

/// The answers that wait to be sent. Each is shorter than its request.
pub(super) struct StatelessReplies<A> {
    waiting: VecDeque<Reply<A>>,
}

impl<A: Copy> StatelessReplies<A> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    /// Demands `cookie` for `hello`.
    pub(super) fn hello_verify_request(
        &mut self,
        now: Instant,
        to: A,
        hello: &ClientHelloRecord<'_>,
        cookie: &[u8],
    ) -> Result<(), DropReason> {
        let header = MessageHeader {
            kind: HandshakeType::HELLO_VERIFY_REQUEST,
            sequence: hello.message_sequence(),
            length: BODY as u32,
        };
        let mut message = [0; message::HEADER_LENGTH + BODY];
        let mut writer = Writer::new(&mut message);
        header.write_fragment(&mut writer, 0, BODY);
        write_hello_verify_request(&mut writer, cookie);
        self.push(now, to, hello, ContentType::Handshake, &message)
    }

    /// Refuses a `ClientHello`.
    pub(super) fn alert(
        &mut self,
        now: Instant,
        to: A,
        hello: &ClientHelloRecord<'_>,
        alert: AlertDescription,
    ) -> Result<(), DropReason> {
        self.push(now, to, hello, ContentType::Alert, &Alert::fatal(alert).encode())
    }

    fn push(
        &mut self,
        now: Instant,
        to: A,
        request: &ClientHelloRecord<'_>,
        content_type: ContentType,
        content: &[u8],
    ) -> Result<(), DropReason> {
        if self.waiting.len() >= LIMIT {
            return Err(DropReason::NoRoom);
        }
        // RFC 6347 section 4.2.1: with the number of the ClientHello's record, as
        // no count is kept, and in a record of DTLS 1.0.
        let mut buffer = [0; LONGEST];
        let length = PlaintextState::new(request.record_sequence).write(
            content_type,
            DTLS_1_0,
            content,
            &mut buffer,
        );
        let datagram = buffer.get(..length).unwrap_or_default();
        let datagram = heapless::Vec::from_slice(datagram).map_err(|_| DropReason::NoRoom)?;
        self.waiting.push_back(Reply { since: now, to, datagram });
        Ok(())
    }

    pub(super) fn poll_transmit(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        let Some(reply) = self.waiting.front() else { return Ok(None) };
        let needed = reply.datagram.len();
        let to = reply.to;
        buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?.copy_from_slice(&reply.datagram);
        self.waiting.pop_front();
        Ok(Some((to, needed)))
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.waiting.front().map(|reply| Deadline::new(reply.since, Reason::Output))
    }
}
