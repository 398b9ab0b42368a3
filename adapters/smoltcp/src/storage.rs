//! The buffers of a role's sockets, which the caller owns.

use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};

/// Room for one datagram of up to `DATAGRAM` bytes. There is never need for more: the
/// driver hands over what came in before it takes the next frame from the network, and
/// takes the next datagram from the role when the last one has left.
#[derive(Debug)]
struct Room<const DATAGRAM: usize> {
    metadata: [PacketMetadata; 1],
    payload: [u8; DATAGRAM],
}

impl<const DATAGRAM: usize> Room<DATAGRAM> {
    const EMPTY: Self = Self { metadata: [PacketMetadata::EMPTY], payload: [0; DATAGRAM] };

    fn buffer(&mut self) -> PacketBuffer<'_> {
        PacketBuffer::new(&mut self.metadata[..], &mut self.payload[..])
    }
}

/// The buffers of a socket that receives and sends.
#[derive(Debug)]
struct Both<const DATAGRAM: usize> {
    received: Room<DATAGRAM>,
    sent: Room<DATAGRAM>,
}

impl<const DATAGRAM: usize> Both<DATAGRAM> {
    const EMPTY: Self = Self { received: Room::EMPTY, sent: Room::EMPTY };

    fn socket(&mut self) -> Socket<'_> {
        Socket::new(self.received.buffer(), self.sent.buffer())
    }
}

/// The buffers of a device's three sockets, for datagrams of up to `DATAGRAM` bytes:
/// five times as many, and some.
#[derive(Debug)]
pub struct DeviceStorage<const DATAGRAM: usize> {
    discovery: Room<DATAGRAM>,
    clients: [Both<DATAGRAM>; 2],
}

impl<const DATAGRAM: usize> DeviceStorage<DATAGRAM> {
    /// Empty buffers.
    #[must_use]
    pub const fn new() -> Self {
        Self { discovery: Room::EMPTY, clients: [Both::EMPTY; 2] }
    }

    /// The sockets for discovery and for the two client ports.
    pub(crate) fn sockets(&mut self) -> [Socket<'_>; 3] {
        // It only receives.
        let unused = PacketBuffer::new(&mut [][..], &mut [][..]);
        let discovery = Socket::new(self.discovery.buffer(), unused);
        let [first, second] = self.clients.each_mut().map(Both::socket);
        [discovery, first, second]
    }
}

impl<const DATAGRAM: usize> Default for DeviceStorage<DATAGRAM> {
    fn default() -> Self {
        Self::new()
    }
}

/// The buffers of a gateway's four sockets, for datagrams of up to `DATAGRAM` bytes:
/// eight times as many, and some.
#[derive(Debug)]
pub struct GatewayStorage<const DATAGRAM: usize> {
    sockets: [Both<DATAGRAM>; 4],
}

impl<const DATAGRAM: usize> GatewayStorage<DATAGRAM> {
    /// Empty buffers.
    #[must_use]
    pub const fn new() -> Self {
        Self { sockets: [Both::EMPTY; 4] }
    }

    /// The sockets for the two services and for the two client ports.
    pub(crate) fn sockets(&mut self) -> [Socket<'_>; 4] {
        self.sockets.each_mut().map(Both::socket)
    }
}

impl<const DATAGRAM: usize> Default for GatewayStorage<DATAGRAM> {
    fn default() -> Self {
        Self::new()
    }
}
