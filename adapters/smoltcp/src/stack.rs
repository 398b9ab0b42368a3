//! smoltcp for the duration of one turn, as the driver sees it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heapless::Vec;
use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;
#[cfg(feature = "medium-ieee802154")]
use iot_crypto_embedded::driver::Announce;
use iot_crypto_embedded::udp::{Received, SendError, Udp};
use smoltcp::iface::{Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::udp;
use smoltcp::wire::IpAddress;

use crate::address;

/// How long to leave a network alone that takes no frame.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The sockets of a role: three or four.
pub(crate) type Bound = Vec<(LocalPort, SocketHandle), 4>;

/// The stack, and what it may still do in this turn.
pub(crate) struct Stack<'a, 's, D: Device + ?Sized> {
    pub(crate) now: Instant,
    pub(crate) interface: &'a mut Interface,
    pub(crate) phy: &'a mut D,
    pub(crate) sockets: &'a mut SocketSet<'s>,
    pub(crate) bound: &'a mut Bound,
    /// The multicast groups that the role hears.
    #[cfg(feature = "medium-ieee802154")]
    pub(crate) groups: &'a Announce,
    /// The frames that may still be taken from the network.
    pub(crate) frames: usize,
    /// The most that are sent at a time.
    pub(crate) burst: usize,
}

/// The same moment in smoltcp's terms.
pub(crate) fn stack_time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

impl<D: Device + ?Sized> Stack<'_, '_, D> {
    fn is_ieee802154(&self) -> bool {
        #[cfg(feature = "medium-ieee802154")]
        return self.phy.capabilities().medium == smoltcp::phy::Medium::Ieee802154;
        #[cfg(not(feature = "medium-ieee802154"))]
        false
    }

    /// Takes the datagram that a socket has, if one has any.
    fn take(&mut self, buffer: &mut [u8]) -> Option<Received> {
        self.bound.iter().find_map(|(port, handle)| {
            let socket = self.sockets.get_mut::<udp::Socket>(*handle);
            let (length, metadata) = socket.recv_slice(buffer).ok()?;
            Some(Received { port: *port, from: metadata.endpoint.into(), length })
        })
    }

    /// When the stack has something to do: the past if it has output.
    fn poll_at(&mut self) -> Option<Instant> {
        let at = self.interface.poll_at(stack_time(self.now), self.sockets)?;
        Some(Instant::from_millis(u64::try_from(at.total_millis()).unwrap_or(0)))
    }

    fn send_some(&mut self) {
        let now = stack_time(self.now);
        #[cfg(feature = "medium-ieee802154")]
        if self.is_ieee802154() {
            let groups = self.groups.groups().filter_map(address::ip);
            return crate::silence::without_reports(self.interface, groups, now, |interface| {
                interface.poll_egress(now, self.phy, self.sockets);
            });
        }
        self.interface.poll_egress(now, self.phy, self.sockets);
    }

    fn has_output(&mut self) -> bool {
        self.poll_at().is_some_and(|at| at <= self.now)
    }

    /// Sends what waits, as far as the network takes it.
    fn flush(&mut self) {
        let now = stack_time(self.now);
        for _ in 0..self.burst {
            self.send_some();
            if !self.has_output() || self.phy.transmit(now).is_none() {
                break;
            }
        }
    }
}

impl<D: Device + ?Sized> Udp for Stack<'_, '_, D> {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        // Each frame's datagram is taken before the next frame: a socket has room for
        // one only.
        loop {
            if let Some(received) = self.take(buffer) {
                return Some(received);
            }
            self.frames = self.frames.checked_sub(1)?;
            let now = stack_time(self.now);
            let taken = self.interface.poll_ingress_single(now, self.phy, self.sockets);
            if matches!(taken, PollIngressSingleResult::None) {
                self.frames = self.frames.saturating_add(1);
                return None;
            }
        }
    }

    fn send(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        // smoltcp drops it later and doesn't tell.
        let headers = if to.is_ipv4() { 28 } else { 48 };
        let mtu = self.phy.capabilities().ip_mtu();
        if !self.is_ieee802154() && payload.len().saturating_add(headers) > mtu {
            return Err(SendError::Refused);
        }
        let socket = self.bound.iter().find(|(port, _)| *port == from);
        let (_, handle) = socket.ok_or(SendError::NoSocket)?;
        let socket = self.sockets.get_mut::<udp::Socket>(*handle);
        let to = address::endpoint(to).ok_or(SendError::NoSocket)?;
        socket.send_slice(payload, to).map_err(|error| match error {
            udp::SendError::BufferFull => SendError::Full,
            udp::SendError::Unaddressable => SendError::Refused,
        })?;
        self.flush();
        Ok(())
    }

    fn has_room(&mut self) -> bool {
        self.flush();
        // smoltcp has one buffer for the fragments of 6LoWPAN, which the next datagram
        // would overwrite.
        let fragments = self.is_ieee802154() && self.has_output();
        let is_empty = |(_, handle): &(_, SocketHandle)| {
            self.sockets.get::<udp::Socket>(*handle).send_queue() == 0
        };
        !fragments && self.bound.iter().all(is_empty)
    }

    fn discard(&mut self) -> u64 {
        let mut discarded = 0;
        for (_, handle) in self.bound.iter_mut() {
            let socket = self.sockets.get_mut::<udp::Socket>(*handle);
            if socket.send_queue() == 0 {
                continue;
            }
            let endpoint = socket.endpoint();
            socket.close();
            // The socket is bound again to what it was bound to.
            let _ = socket.bind(endpoint);
            // Removed and added, it is not silent any more until the neighbor answers.
            *handle = match self.sockets.remove(*handle) {
                smoltcp::socket::Socket::Udp(socket) => self.sockets.add(socket),
                #[allow(unreachable_patterns)]
                _ => *handle,
            };
            discarded += 1;
        }
        discarded
    }

    fn has_address_for(&self, to: SocketAddr) -> bool {
        let is_ipv4 = |address: IpAddress| IpAddr::from(address).is_ipv4();
        self.interface.ip_addrs().iter().any(|cidr| is_ipv4(cidr.address()) == to.is_ipv4())
    }

    fn deadline(&mut self) -> Option<Instant> {
        if self.frames == 0 {
            return Some(self.now);
        }
        let is_busy = self.phy.transmit(stack_time(self.now)).is_none();
        self.poll_at().map(|at| if is_busy { at.max(self.now + LOOK_AGAIN) } else { at })
    }
}
