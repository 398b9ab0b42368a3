//! The UDP sockets of a role: one for each local port and family, so that IPv4
//! and IPv6 never share one.

use crate::batch::{Slot, Ways};
use crate::config::{Binding, payload_limit};
use crate::error::{OpenError, purpose};
use crate::inbox::Inbox;
use crate::outbox::Outgoing;
use crate::traffic::{Datagram, Direction, Observer, Traffic};
use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;
use mio::event::Event;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How many errors that wait in a socket are passed over to reach the datagrams
/// behind them, before the socket is taken for drained.
const PENDING_ERRORS: usize = 16;

/// All sockets of a driver.
pub(crate) struct Sockets {
    list: Vec<Bound>,
    /// The one whose turn to be read from is next.
    next: usize,
    path_mtu: usize,
    observer: Option<Observer>,
    /// Whether nothing can be sent, as if all send buffers were full: loopback takes
    /// everything.
    #[cfg(test)]
    pub(crate) blocked: bool,
}

struct Bound {
    port: LocalPort,
    local: SocketAddr,
    io: UdpSocket,
    /// Whether a datagram may wait. The event queue reports only that more came
    /// in, so this stays on until a read has found nothing.
    readable: bool,
    ways: Ways,
    traffic: Traffic,
}

/// Why a datagram was not sent.
#[derive(Debug)]
pub(crate) enum Refusal {
    TooLong,
    NoSocket,
    Blocked,
    System(io::Error),
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong => f.write_str("it is larger than the path MTU allows"),
            Self::NoSocket => f.write_str("no socket of its family is open"),
            Self::Blocked => f.write_str("the send buffer is full"),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// Why a socket was not opened.
#[derive(Debug)]
enum Failure {
    /// This machine does not have the family.
    NoFamily(io::Error),
    Bind(io::Error),
}

impl Sockets {
    /// Opens and binds one socket for each of `bindings`.
    pub(crate) fn open(bindings: &[Binding], path_mtu: usize) -> Result<Self, OpenError> {
        Self::open_with(bindings, path_mtu, open)
    }

    fn open_with(
        bindings: &[Binding],
        path_mtu: usize,
        open: impl Fn(&Binding) -> Result<UdpSocket, Failure>,
    ) -> Result<Self, OpenError> {
        if bindings.is_empty() {
            return Err(OpenError::NoBinding);
        }
        let mut sockets = Self {
            list: Vec::new(),
            next: 0,
            path_mtu,
            observer: None,
            #[cfg(test)]
            blocked: false,
        };
        let mut missing = Vec::new();
        for (index, binding) in bindings.iter().enumerate() {
            let &Binding { port, address } = binding;
            let same = |one: &Binding| {
                one.port == port && one.address.is_ipv4() == binding.address.is_ipv4()
            };
            if bindings.iter().take(index).any(same) {
                return Err(OpenError::SecondBinding { port, address });
            }
            let opened = open(binding).and_then(|io| {
                let local = io.local_addr().map_err(Failure::Bind)?;
                let ways = Ways::of(&io);
                Ok(Bound { port, local, io, readable: true, ways, traffic: Traffic::default() })
            });
            match opened {
                Ok(bound) => sockets.list.push(bound),
                Err(Failure::NoFamily(source)) => missing.push((port, address, source)),
                Err(Failure::Bind(source)) => {
                    return Err(OpenError::Bind { port, address, source });
                }
            }
        }
        for (port, address, source) in missing {
            if !sockets.list.iter().any(|bound| bound.port == port) {
                return Err(OpenError::Bind { port, address, source });
            }
            tracing::warn!(
                "{address} can't be used for {}: {source}; going on without it. Leave {} out of \
                 the configuration if this machine is not to have it",
                purpose(port),
                if address.is_ipv4() { "IPv4" } else { "IPv6" },
            );
        }
        Ok(sockets)
    }

    /// Has `registry` report what comes in; the token is the socket's number.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (index, bound) in self.list.iter_mut().enumerate() {
            registry.register(&mut bound.io, Token(index), Interest::READABLE)?;
        }
        Ok(())
    }

    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The addresses that `port` is bound to: at most one of each family.
    pub(crate) fn local_addresses(&self, port: LocalPort) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().filter(move |bound| bound.port == port).map(|bound| bound.local)
    }

    pub(crate) fn traffic(&self, port: LocalPort) -> Traffic {
        let of_port = self.list.iter().filter(|bound| bound.port == port);
        of_port.fold(Traffic::default(), |sum, bound| sum.plus(bound.traffic))
    }

    /// Takes note of what the event queue reported.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(bound) = self.list.get_mut(event.token().0) {
            bound.readable |= event.is_readable() || event.is_error();
        }
    }

    /// Reads several datagrams from the next socket, in turn, that has any, into
    /// `inbox`; whether there were any.
    pub(crate) fn receive(&mut self, now: Instant, inbox: &mut Inbox) -> bool {
        for _ in 0..self.list.len() {
            let index = self.next;
            self.next = if index + 1 < self.list.len() { index + 1 } else { 0 };
            let Some(bound) = self.list.get_mut(index).filter(|bound| bound.readable) else {
                continue;
            };
            let filled = bound.receive(inbox.slots());
            if filled == 0 {
                continue;
            }
            inbox.fill(bound.port, filled);
            let (port, local, direction) = (bound.port, bound.local, Direction::In);
            for (peer, payload) in inbox.all() {
                bound.traffic.count(direction, payload.len());
                if let Some(observer) = &mut self.observer {
                    observer(&Datagram { at: now, direction, port, local, peer, payload });
                }
            }
            return true;
        }
        false
    }

    /// Sends the first ones of `datagrams`, which are to addresses of one family: the
    /// only way out. Gives how many were sent, at least one.
    ///
    /// # Errors
    /// Why the first one was not.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        port: LocalPort,
        datagrams: &[Outgoing<'_>],
    ) -> Result<usize, Refusal> {
        let Some(first) = datagrams.first() else { return Ok(0) };
        let limit = payload_limit(self.path_mtu, first.to);
        let fits = |datagram: &&Outgoing<'_>| datagram.payload.len() <= limit;
        let fitting = datagrams.iter().take_while(fits).count();
        let fitting = datagrams.get(..fitting).filter(|fitting| !fitting.is_empty());
        let fitting = fitting.ok_or(Refusal::TooLong)?;
        #[cfg(test)]
        if self.blocked {
            return Err(Refusal::Blocked);
        }
        let mut all = self.list.iter_mut();
        let bound = all.find(|bound| bound.serves(port, first.to)).ok_or(Refusal::NoSocket)?;
        let sent = loop {
            match bound.ways.write(&bound.io, fitting) {
                Ok(sent) => break sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Refusal::Blocked);
                }
                Err(error) => return Err(Refusal::System(error)),
            }
        };
        let (local, direction) = (bound.local, Direction::Out);
        for &Outgoing { to: peer, payload } in fitting.iter().take(sent) {
            bound.traffic.count(direction, payload.len());
            if let Some(observer) = &mut self.observer {
                observer(&Datagram { at: now, direction, port, local, peer, payload });
            }
        }
        Ok(sent)
    }

    /// Has the event queue also report, or no longer report, that there is room
    /// again to send from `port` to `to`.
    ///
    /// Not from the start: the event queue would then wake the driver after
    /// each datagram that the network has taken.
    pub(crate) fn watch_for_room(
        &mut self,
        registry: &Registry,
        port: LocalPort,
        to: SocketAddr,
        watch: bool,
    ) -> io::Result<()> {
        let found = self.list.iter_mut().enumerate().find(|(_, bound)| bound.serves(port, to));
        let Some((index, bound)) = found else { return Ok(()) };
        let interest =
            if watch { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut bound.io, Token(index), interest)
    }

    /// Has the multicast datagrams of `port` to `group` leave on one interface:
    /// the IPv4 one with the address `interface`, or the IPv6 one of the
    /// group's scope id.
    pub(crate) fn aim_multicast(
        &mut self,
        port: LocalPort,
        group: SocketAddr,
        interface: Ipv4Addr,
    ) -> Result<(), Refusal> {
        let bound = self.of_family(port, group).ok_or(Refusal::NoSocket)?;
        let socket = SockRef::from(&bound.io);
        match group {
            SocketAddr::V4(_) => socket.set_multicast_if_v4(&interface),
            SocketAddr::V6(group) => socket.set_multicast_if_v6(group.scope_id()),
        }
        .map_err(Refusal::System)
    }

    /// Has `port` hear the multicast group `group`, likewise.
    pub(crate) fn join(
        &mut self,
        port: LocalPort,
        group: SocketAddr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        let Some(bound) = self.of_family(port, group) else { return Ok(()) };
        match group {
            SocketAddr::V4(group) => bound.io.join_multicast_v4(group.ip(), &interface),
            SocketAddr::V6(group) => bound.io.join_multicast_v6(group.ip(), group.scope_id()),
        }
    }

    fn of_family(&mut self, port: LocalPort, address: SocketAddr) -> Option<&mut Bound> {
        self.list.iter_mut().find(|bound| bound.serves(port, address))
    }
}

impl Bound {
    fn serves(&self, port: LocalPort, address: SocketAddr) -> bool {
        self.port == port && self.local.is_ipv4() == address.is_ipv4()
    }

    /// Reads into `slots`; gives how many were filled.
    fn receive(&mut self, slots: &mut [Slot]) -> usize {
        for _ in 0..PENDING_ERRORS {
            match self.ways.read(&self.io, slots) {
                Ok(read) => {
                    self.readable = !read.drained;
                    return read.slots;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => tracing::debug!(port = purpose(self.port), %error, "receive failed"),
            }
        }
        self.readable = false;
        0
    }
}

fn open(binding: &Binding) -> Result<UdpSocket, Failure> {
    let address = binding.address;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(Failure::NoFamily)?;
    configure(&socket, binding).map_err(Failure::Bind)?;
    socket.bind(&address.into()).map_err(|error| match error.kind() {
        // Every machine that has the family has these addresses.
        io::ErrorKind::AddrNotAvailable if names_no_interface(address.ip()) => {
            Failure::NoFamily(error)
        }
        _ => Failure::Bind(error),
    })?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn configure(socket: &Socket, binding: &Binding) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    if binding.address.is_ipv4() {
        socket.set_broadcast(true)?;
    } else {
        socket.set_only_v6(true)?;
    }
    if binding.port == LocalPort::Discovery {
        // Several devices on one machine share the discovery port; each hears
        // every broadcast and multicast. Linux needs only the first option, and
        // with the second would spread unicast datagrams over the sockets.
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
        socket.set_reuse_port(true)?;
    }
    Ok(())
}

fn names_no_interface(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(port: LocalPort, address: &str) -> Binding {
        Binding { port, address: address.parse().unwrap() }
    }

    fn without_v6(binding: &Binding) -> Result<UdpSocket, Failure> {
        if binding.address.is_ipv6() {
            return Err(Failure::NoFamily(io::Error::other("address family not supported")));
        }
        open(binding)
    }

    #[test]
    fn a_machine_without_ipv6_goes_on_with_ipv4() {
        let both = [
            binding(LocalPort::Negotiation, "[::1]:0"),
            binding(LocalPort::Negotiation, "127.0.0.1:0"),
        ];
        let sockets = Sockets::open_with(&both, 1280, without_v6).ok().unwrap();
        let local: Vec<_> = sockets.local_addresses(LocalPort::Negotiation).collect();
        assert!(matches!(local.as_slice(), [SocketAddr::V4(_)]));
    }

    #[test]
    fn a_port_that_is_left_without_any_socket_is_an_error() {
        let bindings = [
            binding(LocalPort::Negotiation, "127.0.0.1:0"),
            binding(LocalPort::Transmission, "[::1]:0"),
        ];
        let error = Sockets::open_with(&bindings, 1280, without_v6).err().unwrap();
        assert!(matches!(error, OpenError::Bind { port: LocalPort::Transmission, .. }));
    }

    #[test]
    fn a_second_socket_of_one_family_is_refused() {
        let bindings = [
            binding(LocalPort::Negotiation, "127.0.0.1:0"),
            binding(LocalPort::Negotiation, "127.0.0.2:0"),
        ];
        let error = Sockets::open(&bindings, 1280).err().unwrap();
        assert!(matches!(error, OpenError::SecondBinding { .. }));
        assert!(matches!(Sockets::open(&[], 1280).err().unwrap(), OpenError::NoBinding));
    }

    #[test]
    fn a_busy_port_is_refused_but_the_discovery_port_is_shared() {
        let first = Sockets::open(&[binding(LocalPort::Negotiation, "127.0.0.1:0")], 1280);
        let first = first.ok().unwrap();
        let taken = first.local_addresses(LocalPort::Negotiation).next().unwrap();
        let busy = [Binding { port: LocalPort::Negotiation, address: taken }];
        let error = Sockets::open(&busy, 1280).err().unwrap();
        assert!(matches!(error, OpenError::Bind { .. }));
        assert!(error.to_string().contains("stop the other program"), "{error}");

        let first = Sockets::open(&[binding(LocalPort::Discovery, "127.0.0.1:0")], 1280);
        let first = first.ok().unwrap();
        let taken = first.local_addresses(LocalPort::Discovery).next().unwrap();
        let shared = [Binding { port: LocalPort::Discovery, address: taken }];
        assert!(Sockets::open(&shared, 1280).is_ok());
    }
}
