//! Multicast on IEEE 802.15.4, where smoltcp 0.14 can't say which groups it hears: it
//! panics when it is to send a report of MLDv2 (RFC 3810) over 6LoWPAN. Nobody misses
//! the reports: there multicast is broadcast on the link.
//!
//! A group that is joined, but not reported yet, is heard already. So the driver's
//! groups are left before each time that the stack sends, and joined again after it;
//! and an answer to a query that has come is due while nothing can be sent.

use smoltcp::iface::{Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

/// Has `interface` send what it has, without any report of MLDv2.
pub(crate) fn without_reports(
    interface: &mut Interface,
    groups: impl Iterator<Item = IpAddress> + Clone,
    now: Instant,
    send: impl FnOnce(&mut Interface),
) {
    for group in groups.clone() {
        let _ = interface.leave_multicast_group(group);
    }
    interface.poll_egress(now, &mut Silence, &mut SocketSet::new(&mut [][..]));
    send(interface);
    for group in groups {
        // There is room: it was there before.
        let _ = interface.join_multicast_group(group);
    }
}

/// A network that takes nothing and has nothing.
struct Silence;

/// What it never gives.
enum Never {}

impl Device for Silence {
    type RxToken<'a> = Never;
    type TxToken<'a> = Never;

    fn receive(&mut self, _: Instant) -> Option<(Never, Never)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Never> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::default()
    }
}

impl RxToken for Never {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, _: F) -> R {
        match self {}
    }
}

impl TxToken for Never {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: usize, _: F) -> R {
        match self {}
    }
}
