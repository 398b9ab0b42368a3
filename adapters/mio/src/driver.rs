//! The loop: it sends what is to be sent, sleeps until something comes in or is
//! due, and hands that to the role.

use crate::announce::{Memberships, warn_of_missing};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::OpenError;
use crate::inbox::Inbox;
use crate::sender::Sender;
use crate::sockets::Sockets;
use crate::traffic::{Datagram, Drops, Traffic};
use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto::time::{Instant, Reason};
use mio::{Events, Poll, Token};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The token of the waker; those of sockets are their numbers.
const WAKER: Token = Token(usize::MAX);

/// Drives one role on its UDP sockets; see the crate's first page for the loop.
pub struct Driver {
    poll: Poll,
    events: Events,
    waker: Waker,
    clock: Clock,
    sockets: Sockets,
    sender: Sender,
    /// None if the role hears no advertisements.
    memberships: Option<Memberships>,
    inbox: Inbox,
    burst: usize,
    /// Datagrams received since the event queue was last asked.
    since_asked: usize,
}

/// What a [`Driver::turn`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Datagrams handed to the role.
    pub received: usize,
    /// Datagrams taken from the role; one to everyone counts once.
    pub sent: usize,
    /// Whether a [`Waker`] or a signal ended the sleep.
    pub woken: bool,
}

/// Wakes a driver's [`Driver::turn`] from another thread; if none sleeps, the
/// next one does not.
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Wakes the driver.
    ///
    /// # Errors
    /// The operating system's.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

impl core::fmt::Debug for Driver {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Driver").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

impl Driver {
    /// Opens the sockets and starts the clock.
    ///
    /// A machine without IPv6 (or IPv4) is no error as long as every local port
    /// has a socket of the other family; a warning is logged.
    ///
    /// # Errors
    /// [`OpenError`], in words for the person who starts the program.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let Config { bindings, discovery_port, announce, path_mtu, burst, batch } = config;
        if path_mtu < Config::SMALLEST_PATH_MTU {
            return Err(OpenError::PathMtu(path_mtu));
        }
        let groups = [announce.multicast_v4.map(IpAddr::V4), announce.multicast_v6.map(IpAddr::V6)];
        if let Some(group) = groups.into_iter().flatten().find(|group| !group.is_multicast()) {
            return Err(OpenError::NotMulticast(group));
        }
        warn_of_missing(&announce);
        let mut sockets = Sockets::open(&bindings, path_mtu)?;
        let poll = Poll::new().map_err(OpenError::EventQueue)?;
        sockets.register(poll.registry()).map_err(OpenError::EventQueue)?;
        let waker = mio::Waker::new(poll.registry(), WAKER).map_err(OpenError::EventQueue)?;
        let listens = sockets.local_addresses(LocalPort::Discovery).next().is_some();
        Ok(Self {
            poll,
            events: Events::with_capacity(sockets.len().saturating_add(1)),
            waker: Waker(Arc::new(waker)),
            clock: Clock::start(),
            memberships: listens.then(|| Memberships::new(announce.clone())),
            sender: Sender::new(announce, discovery_port, batch),
            sockets,
            inbox: Inbox::new(batch),
            burst: burst.max(1),
            since_asked: 0,
        })
    }

    /// The driver's clock; the role's commands are to be given its time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The present moment of [`Driver::clock`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A handle that interrupts the sleep of [`Driver::turn`].
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The addresses that `port` is bound to, with the UDP ports that the system
    /// chose: at most one of IPv4 and one of IPv6.
    pub fn local_addresses(&self, port: LocalPort) -> impl Iterator<Item = SocketAddr> {
        self.sockets.local_addresses(port)
    }

    /// What `port` has carried so far.
    #[must_use]
    pub fn traffic(&self, port: LocalPort) -> Traffic {
        self.sockets.traffic(port)
    }

    /// What was not sent so far.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.sender.drops()
    }

    /// Has `observer` see each datagram from now on, as it is on the wire; it
    /// takes the place of an earlier observer.
    pub fn observe(&mut self, observer: impl FnMut(&Datagram<'_>) + Send + 'static) {
        self.sockets.observe(Box::new(observer));
    }

    /// Sends what `endpoint` has ready, sleeps until a datagram comes in, its
    /// deadline comes, a [`Waker`] wakes it or `max_wait` is over, and hands
    /// over what there is.
    ///
    /// Work is bounded by [`Config::burst`]; sockets are read from in turn, at most
    /// [`Config::batch`] datagrams at a time (runs of them where the system gives
    /// them in one piece), and what the role answers leaves together, too; what is
    /// left is for the next turn, which then does not sleep. When the role has an
    /// event, the turn ends, so that the caller can take it before more comes in.
    /// Take all events between two turns: as long as one waits, a turn does not
    /// sleep.
    ///
    /// # Errors
    /// The event queue's, and [`io::ErrorKind::InvalidInput`] if the role has a
    /// datagram that is larger than any in UDP. What the sockets refuse is
    /// counted ([`Driver::drops`]), no error.
    pub fn turn<E>(&mut self, endpoint: &mut E, max_wait: Option<Duration>) -> io::Result<Turn>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        let mut turn = Turn::default();
        if let Some(memberships) = &mut self.memberships {
            memberships.handle_timeout(self.clock.now(), &mut self.sockets);
        }
        self.transmit(endpoint, &mut turn)?;
        self.receive(endpoint, &mut turn)?;
        // What was left unread is read before the event queue is asked again,
        // but not for ever: other sockets and the waker have their right, too.
        if turn.received == 0 || self.since_asked >= self.burst {
            let timeout = match turn.received {
                0 => self.until_due(endpoint, max_wait),
                _ => Some(Duration::ZERO),
            };
            turn.woken = self.wait(timeout)?;
            self.receive(endpoint, &mut turn)?;
        }
        let now = self.clock.now();
        if endpoint.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
            endpoint.handle_timeout(now);
        }
        self.transmit(endpoint, &mut turn)?;
        Ok(turn)
    }

    /// Sends what `endpoint` still has ready, for at most `within`; nothing is
    /// received any more. Tell the role to close first: then this sends its
    /// `close_notify` alerts.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if the time was not enough; otherwise as
    /// [`Driver::turn`].
    pub fn shutdown<E>(&mut self, endpoint: &mut E, within: Duration) -> io::Result<()>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        let end = self.clock.now() + within;
        loop {
            let mut turn = Turn::default();
            self.transmit(endpoint, &mut turn)?;
            let now = self.clock.now();
            match self.sender.held_until() {
                None if turn.sent < self.burst => return Ok(()),
                _ if now >= end => {
                    let message = "not every session could be closed in the time allowed";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                None => {}
                Some(until) => {
                    self.wait(Some(until.min(end).since(now)))?;
                }
            }
        }
    }

    /// Sends what `endpoint` has ready.
    fn transmit<E>(&mut self, endpoint: &mut E, turn: &mut Turn) -> io::Result<()>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        self.flush();
        self.collect(endpoint, turn)?;
        self.flush();
        Ok(())
    }

    fn flush(&mut self) {
        if !self.sender.is_empty() {
            self.sender.flush(self.clock.now(), &mut self.sockets, self.poll.registry());
        }
    }

    /// Takes what `endpoint` has ready, and sends it when there is much.
    fn collect<E>(&mut self, endpoint: &mut E, turn: &mut Turn) -> io::Result<()>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        while turn.sent < self.burst {
            let now = self.clock.now();
            let room = self.sender.room(now, &mut self.sockets, self.poll.registry());
            let Some(room) = room else { break };
            let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
            let Some(transmit) = endpoint.poll_transmit(now, room).map_err(invalid)? else { break };
            self.sender.take(now, &mut self.sockets, &transmit);
            turn.sent += 1;
        }
        Ok(())
    }

    fn receive<E>(&mut self, endpoint: &mut E, turn: &mut Turn) -> io::Result<()>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        while turn.received < self.burst {
            let now = self.clock.now();
            let Some(received) = self.inbox.take() else {
                // What was answered leaves before more is read.
                self.flush();
                if self.sockets.receive(now, &mut self.inbox) {
                    continue;
                }
                break;
            };
            endpoint.handle_datagram(now, received.port, received.from, received.payload);
            turn.received += 1;
            self.since_asked = self.since_asked.saturating_add(1);
            self.collect(endpoint, turn)?;
            if has_output(endpoint, now) {
                break;
            }
        }
        self.flush();
        Ok(())
    }

    /// How long to sleep; `None` without end.
    fn until_due<E>(&self, endpoint: &E, max_wait: Option<Duration>) -> Option<Duration>
    where
        E: Endpoint<Address = SocketAddr>,
    {
        let now = self.clock.now();
        let held_until = self.sender.held_until();
        let deadline = endpoint.poll_timeout();
        // While a datagram is held, no other output can go.
        let deadline =
            deadline.filter(|deadline| held_until.is_none() || deadline.reason != Reason::Output);
        let look_again = self.memberships.as_ref().map(Memberships::deadline);
        let due = [deadline.map(|deadline| deadline.at), held_until, look_again];
        let wait = due.into_iter().flatten().min().map(|due| due.since(now));
        [wait, max_wait].into_iter().flatten().min()
    }

    /// Asks the event queue; says whether a waker or a signal ended the sleep.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.since_asked = 0;
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        }
        let mut woken = false;
        for event in &self.events {
            match event.token() {
                WAKER => woken = true,
                _ => self.sockets.note(event),
            }
        }
        Ok(woken)
    }
}

/// Whether `endpoint` still has output at `now`: after all datagrams were sent,
/// an event for the caller.
fn has_output(endpoint: &impl Endpoint, now: Instant) -> bool {
    endpoint
        .poll_timeout()
        .is_some_and(|deadline| deadline.reason == Reason::Output && deadline.at <= now)
}
