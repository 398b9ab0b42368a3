//! The loop of any [`Endpoint`], without its waiting: a [`Driver`] sends what the role
//! has ready, hands over what came in and what is due, and says until when there is
//! nothing to do.
//!
//! The sockets are any [`Udp`]; how to wait is left to the caller. Where the stack can
//! put the program to sleep ([`Sleep`]), [`Driver::run`] is the whole loop.

mod config;
mod drops;
#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use core::time::Duration;

use iot_crypto::endpoint::{Destination, Endpoint, Transmit};
use iot_crypto::time::{Instant, Reason};
use iot_crypto::wire::BufferTooSmall;

use crate::udp::{SendError, Sleep, Udp};

pub use config::{Announce, Config, ConfigError};
pub use drops::Drops;
use drops::Refusal;

/// How long datagrams that the stack has taken but can't send may keep others from
/// being sent: time enough for a neighbor to answer.
const HOLD: Duration = Duration::from_millis(100);

/// Drives one role, whose datagrams are at most `DATAGRAM` bytes long.
///
/// While the stack has no room ([`Udp::has_room`]), datagrams stay with the role. If
/// it gets none for 100 ms, because a neighbor doesn't answer, say, what it holds is
/// dropped and counted ([`Drops::blocked`]): one peer that is gone delays the others no
/// longer than that. Copies for everyone are not held: the next announcement repeats
/// them.
#[derive(Debug)]
pub struct Driver<const DATAGRAM: usize> {
    config: Config,
    buffer: [u8; DATAGRAM],
    /// Until when the role waits for room, if it does.
    held_until: Option<Instant>,
    drops: Drops,
}

/// What a [`Driver::turn`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Datagrams handed to the role.
    pub received: usize,
    /// Datagrams taken from the role; one to everyone counts once.
    pub sent: usize,
    /// When the next turn is due, if nothing comes in before; `None` if only a
    /// datagram, or a command of the application, gives something to do.
    pub wake: Option<Instant>,
}

impl<const DATAGRAM: usize> Driver<DATAGRAM> {
    /// A driver with this configuration.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let drops = Drops::default();
        Ok(Self { config, buffer: [0; DATAGRAM], held_until: None, drops })
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What was not sent so far.
    #[must_use]
    pub const fn drops(&self) -> Drops {
        self.drops
    }

    /// Sends what `endpoint` has ready, hands over what came in, and does what is due
    /// at `now`. Then sleep until [`Turn::wake`], or until a datagram comes in.
    ///
    /// Take the role's events and give it commands before each turn, not between it and
    /// the sleep. Work is bounded by [`Config::burst`]; what is left is for the next
    /// turn, which is then due at once. When the role has an event, the turn ends, so
    /// that the caller can take it before more comes in; the next turn is due at once
    /// as long as one waits.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if the role's datagrams may be longer than `DATAGRAM`:
    /// configure them to that length.
    pub fn turn<U, E>(
        &mut self,
        now: Instant,
        udp: &mut U,
        endpoint: &mut E,
    ) -> Result<Turn, BufferTooSmall>
    where
        U: Udp + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        let mut turn = Turn::default();
        self.transmit(now, udp, endpoint, &mut turn)?;
        let mut may_have_more = false;
        while !may_have_more && let Some(received) = udp.receive(&mut self.buffer) {
            let datagram = self.buffer.get_mut(..received.length).unwrap_or_default();
            endpoint.handle_datagram(now, received.port, received.from, datagram);
            turn.received += 1;
            self.transmit(now, udp, endpoint, &mut turn)?;
            may_have_more =
                turn.received >= self.burst() || is_due(endpoint, now, Some(Reason::Output));
        }
        if is_due(endpoint, now, None) {
            endpoint.handle_timeout(now);
        }
        self.transmit(now, udp, endpoint, &mut turn)?;
        turn.wake = if may_have_more { Some(now) } else { self.wake(now, udp, endpoint) };
        Ok(turn)
    }

    /// Takes turns with the application and sleeps in between, until `application`
    /// returns false; then it sends what `endpoint` still has ready, such as the
    /// `close_notify` of a role that was told to close.
    ///
    /// `application` takes the events of the role and gives it commands.
    ///
    /// # Errors
    /// As [`Driver::turn`].
    pub fn run<U, E>(
        &mut self,
        udp: &mut U,
        endpoint: &mut E,
        mut application: impl FnMut(&mut E, Instant) -> bool,
    ) -> Result<(), BufferTooSmall>
    where
        U: Sleep + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        while application(endpoint, udp.now()) {
            let turn = self.turn(udp.now(), udp, endpoint)?;
            if turn.wake.is_none_or(|wake| wake > udp.now()) {
                udp.sleep(turn.wake);
            }
        }
        self.flush(udp.now(), udp, endpoint)
    }

    /// Sends what `endpoint` has ready, at most [`Config::burst`] datagrams, and does
    /// nothing else.
    ///
    /// # Errors
    /// As [`Driver::turn`].
    pub fn flush<U, E>(
        &mut self,
        now: Instant,
        udp: &mut U,
        endpoint: &mut E,
    ) -> Result<(), BufferTooSmall>
    where
        U: Udp + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        self.transmit(now, udp, endpoint, &mut Turn::default())
    }

    fn burst(&self) -> usize {
        self.config.burst.max(1)
    }

    fn transmit<U, E>(
        &mut self,
        now: Instant,
        udp: &mut U,
        endpoint: &mut E,
        turn: &mut Turn,
    ) -> Result<(), BufferTooSmall>
    where
        U: Udp + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        while self.makes_room(now, udp, endpoint) && turn.sent < self.burst() {
            let Some(transmit) = endpoint.poll_transmit(now, &mut self.buffer)? else { break };
            self.send(udp, &transmit);
            turn.sent += 1;
        }
        Ok(())
    }

    /// Whether there is room for what the role may have to send.
    fn makes_room<U, E>(&mut self, now: Instant, udp: &mut U, endpoint: &E) -> bool
    where
        U: Udp + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        let has_room = udp.has_room();
        if has_room || !is_due(endpoint, now, None) {
            self.held_until = None;
            return has_room;
        }
        if now < *self.held_until.get_or_insert(now + HOLD) {
            return false;
        }
        self.drops.count(Refusal::Blocked, udp.discard());
        let has_room = udp.has_room();
        self.held_until = (!has_room).then(|| now + HOLD);
        has_room
    }

    /// Sends what the role wrote into the buffer.
    fn send<U: Udp + ?Sized>(&mut self, udp: &mut U, transmit: &Transmit<SocketAddr>) {
        match transmit.to {
            Destination::Address(to) => self.send_to(udp, transmit, to),
            Destination::Everyone => {
                for to in self.config.announce.targets(self.config.discovery_port) {
                    if udp.has_address_for(to) {
                        self.send_to(udp, transmit, to);
                    }
                }
            }
        }
    }

    fn send_to<U: Udp + ?Sized>(
        &mut self,
        udp: &mut U,
        transmit: &Transmit<SocketAddr>,
        to: SocketAddr,
    ) {
        let payload = self.buffer.get(..transmit.length).unwrap_or_default();
        let sent = if payload.len() > self.config.payload_limit(&to) {
            Err(Refusal::TooLong)
        } else if udp.has_address_for(to) {
            udp.send(transmit.from, to, payload).map_err(|error| match error {
                SendError::NoSocket => Refusal::NoSocket,
                SendError::Full => Refusal::Blocked,
                SendError::Refused => Refusal::Refused,
            })
        } else {
            Err(Refusal::NoSocket)
        };
        if let Err(refusal) = sent {
            self.drops.count(refusal, 1);
        }
    }

    fn wake<U, E>(&self, now: Instant, udp: &mut U, endpoint: &E) -> Option<Instant>
    where
        U: Udp + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        let deadline = endpoint.poll_timeout().map(|deadline| deadline.at);
        // While the role is held, what is due only waits for room.
        let deadline = deadline.filter(|at| self.held_until.is_none() || *at > now);
        let due = [deadline, self.held_until, udp.deadline()].into_iter().flatten().min();
        due.map(|due| due.max(now))
    }
}

/// Whether the deadline of `endpoint`, with this reason or any, has come.
fn is_due<E: Endpoint + ?Sized>(endpoint: &E, now: Instant, reason: Option<Reason>) -> bool {
    endpoint.poll_timeout().is_some_and(|deadline| {
        deadline.at <= now && reason.is_none_or(|reason| reason == deadline.reason)
    })
}
