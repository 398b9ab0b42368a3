//! What was not sent.

/// Datagrams, or copies of one to everyone, that were not sent, by reason. None
/// of these is fatal: UDP may lose datagrams, and the protocols repeat them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Larger than [`Config::path_mtu`](super::Config::path_mtu) allows.
    pub too_long: u64,
    /// No socket of this local port is open, or the stack has no address of the
    /// family of the peer's.
    pub no_socket: u64,
    /// The stack had no room, or what it had taken stayed unsent and kept others from
    /// being sent.
    pub blocked: u64,
    /// The stack refused it: no route, no such address, larger than any …
    pub refused: u64,
}

/// Why a datagram was not sent.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    TooLong,
    NoSocket,
    Blocked,
    Refused,
}

impl Drops {
    pub(super) fn count(&mut self, refusal: Refusal, datagrams: u64) {
        let counter = match refusal {
            Refusal::TooLong => &mut self.too_long,
            Refusal::NoSocket => &mut self.no_socket,
            Refusal::Blocked => &mut self.blocked,
            Refusal::Refused => &mut self.refused,
        };
        *counter = counter.saturating_add(datagrams);
    }
}
