//! Devices over the UDP sockets of embassy-net, without a heap (feature `embassy`).
//!
//! [`run`] is the whole loop, as a future. embassy-net does ARP and neighbor discovery,
//! in its own task: don't join the two in one, because embassy-net wakes its runner
//! whenever a socket is looked at, and a task that holds both never rests. To give the role a command when something else happens, call the
//! loop's parts:
//!
//! ```
//! use core::net::SocketAddr;
//! use embassy_futures::select::select;
//! use iot_crypto::endpoint::Endpoint;
//! use iot_crypto::wire::BufferTooSmall;
//! use iot_crypto_embedded::driver::Driver;
//! use iot_crypto_embedded::embassy::{DeviceSockets, now};
//!
//! async fn run<E: Endpoint<Address = SocketAddr>>(
//!     mut driver: Driver<600>,
//!     mut sockets: DeviceSockets<'_>,
//!     mut device: E,
//!     button_pressed: impl AsyncFn(),
//!     // Takes the events of the device, and gives it commands.
//!     mut serve: impl FnMut(&mut E),
//! ) -> Result<(), BufferTooSmall> {
//!     loop {
//!         serve(&mut device);
//!         let turn = driver.turn(now(), &mut sockets, &mut device)?;
//!         select(sockets.wait(turn.wake), button_pressed()).await;
//!     }
//! }
//! ```

use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};

use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_net::Stack;
use embassy_net::udp::{self, PacketMetadata, UdpSocket};
use embassy_time::{Duration, Timer};
use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto::time::Instant;
use iot_crypto::wire::BufferTooSmall;

use crate::driver::{Config, Driver};
use crate::udp::{Received, SendError, Udp};

/// The longest sleep, so that no deadline is beyond what timers can hold.
const LONGEST_SLEEP: core::time::Duration = core::time::Duration::from_secs(24 * 3600);

/// The present moment, by embassy's clock.
#[must_use]
pub fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}

/// Drives a device as [`Driver::run`] does, until `application` returns false.
///
/// # Errors
/// As [`Driver::turn`].
pub async fn run<const DATAGRAM: usize, E>(
    driver: &mut Driver<DATAGRAM>,
    sockets: &mut DeviceSockets<'_>,
    endpoint: &mut E,
    mut application: impl FnMut(&mut E, Instant) -> bool,
) -> Result<(), BufferTooSmall>
where
    E: Endpoint<Address = SocketAddr> + ?Sized,
{
    while application(endpoint, now()) {
        let turn = driver.turn(now(), sockets, endpoint)?;
        sockets.wait(turn.wake).await;
    }
    driver.flush(now(), sockets, endpoint)
}

/// Room for `COUNT` datagrams of up to `DATAGRAM` bytes.
#[derive(Debug)]
struct Room<const DATAGRAM: usize, const COUNT: usize> {
    metadata: [PacketMetadata; COUNT],
    payload: [[u8; DATAGRAM]; COUNT],
}

impl<const DATAGRAM: usize, const COUNT: usize> Room<DATAGRAM, COUNT> {
    const EMPTY: Self =
        Self { metadata: [PacketMetadata::EMPTY; COUNT], payload: [[0; DATAGRAM]; COUNT] };

    fn split(&mut self) -> (&mut [PacketMetadata], &mut [u8]) {
        (&mut self.metadata, self.payload.as_flattened_mut())
    }
}

/// The buffers of a device's three sockets, for datagrams of up to `DATAGRAM` bytes:
/// `RECEIVED` of them that came in wait in each, and one to be sent in both from which
/// the device sends.
///
/// embassy-net takes all frames that it finds before the device has its turn; what
/// comes in meanwhile beyond `RECEIVED` datagrams is lost, and repeated by the peer.
#[derive(Debug)]
pub struct DeviceStorage<const DATAGRAM: usize, const RECEIVED: usize> {
    received: [Room<DATAGRAM, RECEIVED>; 3],
    sent: [Room<DATAGRAM, 1>; 2],
}

impl<const DATAGRAM: usize, const RECEIVED: usize> DeviceStorage<DATAGRAM, RECEIVED> {
    /// Empty buffers.
    #[must_use]
    pub const fn new() -> Self {
        Self { received: [Room::EMPTY; 3], sent: [Room::EMPTY; 2] }
    }
}

impl<const DATAGRAM: usize, const RECEIVED: usize> Default for DeviceStorage<DATAGRAM, RECEIVED> {
    fn default() -> Self {
        Self::new()
    }
}

/// The three sockets of a device on a stack of embassy-net.
pub struct DeviceSockets<'a> {
    stack: Stack<'a>,
    sockets: [(LocalPort, UdpSocket<'a>); 3],
}

impl core::fmt::Debug for DeviceSockets<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceSockets").finish_non_exhaustive()
    }
}

/// Why sockets were not opened: the stack did not join this multicast group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJoined(pub IpAddr);

impl core::fmt::Display for NotJoined {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "the stack did not join the multicast group {}; leave another group, or raise \
             IFACE_MAX_MULTICAST_GROUP_COUNT of smoltcp",
            self.0
        )
    }
}

impl core::error::Error for NotJoined {}

impl<'a> DeviceSockets<'a> {
    /// Opens the sockets: for advertisements on [`Config::discovery_port`], and for two
    /// clients on ports that the stack chooses by its random seed; and has the stack
    /// join the multicast groups of [`Config::announce`].
    ///
    /// # Errors
    /// [`NotJoined`].
    ///
    /// # Panics
    /// As [`UdpSocket::new`], if the stack's resources have no room for three more
    /// sockets.
    pub fn open<const DATAGRAM: usize, const RECEIVED: usize>(
        stack: Stack<'a>,
        config: &Config,
        storage: &'a mut DeviceStorage<DATAGRAM, RECEIVED>,
    ) -> Result<Self, NotJoined> {
        for group in config.announce.groups() {
            stack.join_multicast_group(group).map_err(|_| NotJoined(group))?;
        }
        let open = |received: &'a mut Room<_, _>, sent: (&'a mut _, &'a mut _), port: u16| {
            let (metadata, payload) = Room::split(received);
            let mut socket = UdpSocket::new(stack, metadata, payload, sent.0, sent.1);
            // A new socket takes any port, and chooses one itself for 0.
            let _ = socket.bind(port);
            socket
        };
        let DeviceStorage { received: [discovery, first, second], sent: [sent, also_sent] } =
            storage;
        // It only receives.
        let unused: (&mut [PacketMetadata], &mut [u8]) = (&mut [], &mut []);
        let sockets = [
            (LocalPort::Discovery, open(discovery, unused, config.discovery_port)),
            (LocalPort::FirstClient, open(first, sent.split(), 0)),
            (LocalPort::SecondClient, open(second, also_sent.split(), 0)),
        ];
        Ok(Self { stack, sockets })
    }

    /// Waits until `until` has come, a datagram comes in, or there is room again for
    /// what could not be sent; without `until`, only for the latter two. It may end
    /// earlier.
    pub async fn wait(&mut self, until: Option<Instant>) {
        // Others have their turn even if there is always something to do here.
        yield_now().await;
        let is_full = !self.has_room();
        let stirred = poll_fn(|context| {
            let receives =
                self.sockets.iter().any(|(_, socket)| socket.poll_recv_ready(context).is_ready());
            let has_room =
                is_full && self.clients().all(|socket| socket.poll_send_ready(context).is_ready());
            if receives || has_room { Poll::Ready(()) } else { Poll::Pending }
        });
        match until.map(|until| until.since(now()).min(LONGEST_SLEEP)) {
            Some(sleep) => {
                let millis = u64::try_from(sleep.as_millis()).unwrap_or(u64::MAX);
                select(stirred, Timer::after(Duration::from_millis(millis))).await;
            }
            None => stirred.await,
        }
    }

    fn clients(&self) -> impl Iterator<Item = &UdpSocket<'a>> {
        let clients = self.sockets.iter().filter(|(port, _)| *port != LocalPort::Discovery);
        clients.map(|(_, socket)| socket)
    }
}

impl Udp for DeviceSockets<'_> {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let mut nobody = Context::from_waker(Waker::noop());
        self.sockets.iter().find_map(|(port, socket)| {
            match socket.may_recv().then(|| socket.poll_recv_from(buffer, &mut nobody))? {
                Poll::Ready(Ok((length, metadata))) => {
                    Some(Received { port: *port, from: metadata.endpoint.into(), length })
                }
                Poll::Ready(Err(udp::RecvError::Truncated)) | Poll::Pending => None,
            }
        })
    }

    fn send(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        let socket = self.sockets.iter().find(|(port, _)| *port == from);
        let (_, socket) = socket.ok_or(SendError::NoSocket)?;
        match socket.poll_send_to(payload, to, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(_)) => Err(SendError::Refused),
            Poll::Pending => Err(SendError::Full),
        }
    }

    fn has_room(&mut self) -> bool {
        self.clients().all(UdpSocket::may_send)
    }

    fn discard(&mut self) -> u64 {
        let mut discarded = 0;
        for (port, socket) in &mut self.sockets {
            if *port == LocalPort::Discovery || socket.may_send() {
                continue;
            }
            let endpoint = socket.endpoint();
            socket.close();
            // The socket is bound again to what it was bound to.
            let _ = socket.bind(endpoint);
            discarded += 1;
        }
        discarded
    }

    fn has_address_for(&self, to: SocketAddr) -> bool {
        match to {
            SocketAddr::V4(_) => self.stack.config_v4().is_some(),
            SocketAddr::V6(_) => self.stack.config_v6().is_some(),
        }
    }
}
