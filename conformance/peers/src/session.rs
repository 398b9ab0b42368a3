//! What every library is to its user.

use crate::Transport;

/// How a call went that must not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// It goes on when a datagram or a timer has come.
    Waiting,
    /// The other side has sent `close_notify`.
    Closed,
    /// The connection has failed, as the library puts it.
    Failed(String),
}

/// A library, configured for one side: made once, it serves many sessions, as it would
/// in a program that serves many peers.
pub trait Endpoint {
    /// A session that talks through `transport`. A client's begins with its first call.
    ///
    /// # Errors
    /// If the library gives none.
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>>;
}

/// A connection of a library. Its calls never wait, and do what its timers want.
pub trait Session {
    /// Goes on with the handshake.
    fn handshake(&mut self) -> Step<()>;

    /// Sends `payload` in one record.
    fn send(&mut self, payload: &[u8]) -> Step<()>;

    /// Receives a payload into `buffer`; gives its length.
    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize>;

    /// The greatest payload that it sends in one record, in bytes.
    fn max_payload(&self) -> usize;

    /// Sends `close_notify`.
    fn close(&mut self) -> Step<()>;
}
