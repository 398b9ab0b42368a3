//! Measures what a key negotiation costs, on the wire, and whether advertisements
//! come in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use iot_crypto::endpoint::LocalPort;
use iot_crypto_mio::{Datagram, Direction};

use crate::events::Exchange;

/// The content type of handshake records (RFC 5246 section 6.2.1).
const HANDSHAKE: u8 = 22;

/// Counts the datagrams that are exchanged with the negotiation service of the
/// party above.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The negotiation service: whom the first handshake goes to.
    service: Option<SocketAddr>,
    so_far: Exchange,
    /// What it was when the last datagram came in.
    answered: Exchange,
    /// The datagrams that came in on the discovery port; these are not forgotten
    /// with an attempt.
    advertisements: u64,
    was_attempted: bool,
}

impl Meter {
    /// Counts a datagram; to be called for each.
    pub(super) fn note(&self, datagram: &Datagram<'_>) {
        self.with(|state| state.note(datagram));
    }

    /// Forgets all; to be called when an attempt is over.
    pub(super) fn reset(&self) {
        self.with(|state| {
            let State { advertisements, was_attempted, .. } = *state;
            *state = State { advertisements, was_attempted, ..State::default() };
        });
    }

    /// What was exchanged from the first datagram to the answer; to be called
    /// when the key is negotiated. What went out since then (the end of the
    /// session with the service) is not in it.
    pub(super) fn exchange(&self) -> Exchange {
        self.with(|state| state.answered)
    }

    /// The advertisements, or what was sent in their place, that came in so far.
    pub(super) fn advertisements(&self) -> u64 {
        self.with(|state| state.advertisements)
    }

    /// Whether a negotiation was ever begun.
    pub(super) fn was_attempted(&self) -> bool {
        self.with(|state| state.was_attempted)
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // Counts are as good after a panic as before.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn note(&mut self, datagram: &Datagram<'_>) {
        if datagram.port == LocalPort::Discovery {
            self.advertisements = self.advertisements.saturating_add(1);
        }
        if !matches!(datagram.port, LocalPort::FirstClient | LocalPort::SecondClient) {
            return;
        }
        let out = datagram.direction == Direction::Out;
        if self.service.is_none() && out && is_open_handshake(datagram.payload) {
            self.service = Some(datagram.peer);
            self.was_attempted = true;
        }
        if self.service != Some(datagram.peer) {
            return;
        }
        let bytes = u64::try_from(datagram.payload.len()).unwrap_or(u64::MAX);
        let Exchange { bytes_sent, bytes_received, datagrams_sent, datagrams_received } =
            &mut self.so_far;
        let (sum, count) = match datagram.direction {
            Direction::Out => (bytes_sent, datagrams_sent),
            Direction::In => (bytes_received, datagrams_received),
        };
        *sum = sum.saturating_add(bytes);
        *count = count.saturating_add(1);
        if !out {
            self.answered = self.so_far;
        }
    }
}

/// Whether a datagram begins with a handshake record that is not encrypted (of
/// epoch 0, RFC 6347 section 4.1).
fn is_open_handshake(payload: &[u8]) -> bool {
    matches!(payload, [HANDSHAKE, _, _, 0, 0, ..])
}

#[cfg(test)]
mod tests {
    use iot_crypto::time::Instant;

    use super::*;

    fn note(state: &mut State, direction: Direction, peer: u16, payload: &[u8]) {
        let (at, port) = (Instant::ZERO, LocalPort::FirstClient);
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let peer = SocketAddr::from(([127, 0, 0, 1], peer));
        state.note(&Datagram { at, direction, port, local, peer, payload });
    }

    #[test]
    fn only_the_negotiation_counts_and_only_up_to_the_answer() {
        let hello = [HANDSHAKE, 254, 253, 0, 0, 0, 0];
        let sealed = [23, 254, 253, 0, 1, 0, 0, 0, 0, 0];
        let mut state = State::default();
        // The session that is to be replaced goes on meanwhile.
        note(&mut state, Direction::Out, 7, &sealed);
        note(&mut state, Direction::Out, 8, &hello);
        note(&mut state, Direction::In, 7, &sealed);
        note(&mut state, Direction::In, 8, &sealed);
        // The farewell, and the handshake under the new key.
        note(&mut state, Direction::Out, 8, &sealed);
        note(&mut state, Direction::Out, 9, &hello);
        let expected = Exchange {
            bytes_sent: 7,
            bytes_received: 10,
            datagrams_sent: 1,
            datagrams_received: 1,
        };
        assert_eq!(state.answered, expected);
    }
}
