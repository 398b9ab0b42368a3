//! A network interface in memory.

use smoltcp::phy::{self, Checksum, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use std::collections::VecDeque;

/// Frames that came in and wait; one more is lost.
const RING: usize = 16;

/// The end of a station on its network.
pub struct Port {
    pub medium: Medium,
    pub inbox: VecDeque<Vec<u8>>,
    pub outbox: Vec<Vec<u8>>,
    /// Whether it takes no frame to send.
    pub is_busy: bool,
    /// Frames that were lost here.
    pub overflows: usize,
}

impl Port {
    pub fn new(medium: Medium) -> Self {
        Self { medium, inbox: VecDeque::new(), outbox: Vec::new(), is_busy: false, overflows: 0 }
    }

    pub fn arrive(&mut self, frame: Vec<u8>) {
        if self.inbox.len() < RING {
            self.inbox.push_back(frame);
        } else {
            self.overflows += 1;
        }
    }
}

impl Device for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = match self.medium {
            Medium::Ethernet => 1514,
            Medium::Ieee802154 => 125,
            Medium::Ip => 1280,
        };
        // Damaged datagrams are to reach the roles.
        capabilities.checksum.udp = Checksum::Tx;
        capabilities
    }

    fn receive(&mut self, _: Instant) -> Option<(Received, Sent<'_>)> {
        let frame = self.inbox.pop_front()?;
        Some((Received(frame), Sent(&mut self.outbox)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        (!self.is_busy).then_some(Sent(&mut self.outbox))
    }
}

pub struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub struct Sent<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}
