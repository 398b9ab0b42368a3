//! The other end of the board's Ethernet: a router that passes UDP on between the board
//! and the loopback interface of this machine, broadcasts to the board included.
//!
//! ```text
//! board ── frames over a Unix socket, by QEMU ── bridge ── UDP on 127.0.0.1
//! ```
//!
//! Each port of the board is one socket here, so that a peer on this machine sees one
//! address for it, and its answers find the way back.

mod frame;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{UdpSocket, UnixDatagram};
use mio::{Events, Interest, Poll, Token};

use crate::network::{BOARD, HOST};
use frame::{Datagram, Frame, MacAddress};

/// The most ports of the board that are passed on; what it sends from others is dropped.
const MAX_PORTS: usize = 64;

/// How often the bridge looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// How often the bridge asks where the board is, as a router does: so it is found again by
/// a board that somebody has told another address for it.
const ASK: Duration = Duration::from_secs(5);

/// The longest datagram and frame, in bytes, with room to spare.
const BUFFER: usize = 2048;

/// The tokens of the two sockets that are not those of a port of the board.
const FRAMES: Token = Token(1 << 16);
const BROADCASTS: Token = Token(FRAMES.0 + 1);

/// What is meant for everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// The port at which it is heard on this machine.
    pub heard: u16,
    /// The port of the board to which it goes, as a broadcast.
    pub delivered: u16,
}

/// A bridge that runs, until it is dropped.
#[derive(Debug)]
pub struct Bridge {
    service: Option<SocketAddr>,
    boards: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the bridge and its thread have in common.
#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    /// The frames that came from the board.
    frames: AtomicUsize,
    /// The ports that the board has sent from.
    ports: Mutex<BTreeSet<u16>>,
}

impl Bridge {
    /// Starts a bridge between its own Unix socket at the path `ours` and QEMU's at the
    /// path `boards`. The port `service` of the board can be reached from this machine
    /// before it has sent anything; `broadcast` is carried to it.
    ///
    /// # Errors
    /// If a socket can't be made.
    pub fn start(
        ours: &Path,
        boards: &Path,
        service: Option<u16>,
        broadcast: Option<Broadcast>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        // One of a bridge that is gone.
        let _ = std::fs::remove_file(ours);
        let mut frames = UnixDatagram::bind(ours)?;
        poll.registry().register(&mut frames, FRAMES, Interest::READABLE)?;
        let mut broadcasts = broadcast.map(hear_everything).transpose()?;
        if let Some((socket, _)) = &mut broadcasts {
            poll.registry().register(socket, BROADCASTS, Interest::READABLE)?;
        }
        let mut router = Router {
            poll,
            frames,
            boards: boards.to_owned(),
            board: None,
            asked: Instant::now(),
            ports: BTreeMap::new(),
            broadcasts,
            shared: Arc::default(),
        };
        let service = match service {
            Some(port) => Some(router.open(port)?),
            None => None,
        };
        let shared = Arc::clone(&router.shared);
        let thread = std::thread::spawn(move || {
            if let Err(error) = router.run() {
                eprintln!("the bridge fails: {error}");
            }
        });
        Ok(Self { service, boards: boards.to_owned(), shared, thread: Some(thread) })
    }

    /// Where the service of the board is reached.
    #[must_use]
    pub const fn service(&self) -> Option<SocketAddr> {
        self.service
    }

    /// The Unix socket at which the board takes frames, from everyone.
    #[must_use]
    pub fn boards(&self) -> &Path {
        &self.boards
    }

    /// How many frames came from the board so far, whatever was in them.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.shared.frames.load(Ordering::Relaxed)
    }

    /// The ports that the board has sent from so far.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let ports = self.shared.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter().copied().collect()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A socket that hears what is sent to everyone on the loopback interface, beside others
/// that do.
fn hear_everything(broadcast: Broadcast) -> io::Result<(UdpSocket, u16)> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let everyone = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, broadcast.heard);
    socket.bind(&SocketAddr::from(everyone).into())?;
    Ok((UdpSocket::from_std(socket.into()), broadcast.delivered))
}

struct Router {
    poll: Poll,
    frames: UnixDatagram,
    boards: PathBuf,
    /// The board's hardware address, once it was heard.
    board: Option<MacAddress>,
    /// When it was asked for last.
    asked: Instant,
    ports: BTreeMap<u16, UdpSocket>,
    broadcasts: Option<(UdpSocket, u16)>,
    shared: Arc<Shared>,
}

impl Router {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut buffer = [0; BUFFER];
        while !self.shared.is_over.load(Ordering::Relaxed) {
            if self.asked.elapsed() > ASK {
                self.asked = Instant::now();
                self.send_frame(&frame::who_has(HOST, BOARD))?;
            }
            match self.poll.poll(&mut events, Some(LOOK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    FRAMES => self.take_frames(&mut buffer)?,
                    BROADCASTS => self.take_broadcasts(&mut buffer)?,
                    Token(port) => {
                        if let Ok(port) = u16::try_from(port) {
                            self.take_answers(port, &mut buffer)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The socket for a port of the board.
    fn open(&mut self, port: u16) -> io::Result<SocketAddr> {
        let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let token = Token(usize::from(port));
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        let address = socket.local_addr()?;
        self.ports.insert(port, socket);
        Ok(address)
    }

    fn take_frames(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        while let Some(length) = ready(self.frames.recv(buffer))? {
            self.shared.frames.fetch_add(1, Ordering::Relaxed);
            let frame = buffer.get(..length).unwrap_or_default();
            if !frame::is_for_bridge(frame) {
                continue;
            }
            match Frame::parse(frame) {
                Some(Frame::WhoHas { sender, sender_address, address }) => {
                    self.board = Some(sender);
                    // This router has every address but the board's.
                    if address != BOARD {
                        let answer = frame::is_here(sender, sender_address, address);
                        self.send_frame(&answer)?;
                    }
                }
                Some(Frame::Udp { sender, datagram }) => {
                    self.board = Some(sender);
                    self.pass_on(&datagram)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Passes a datagram of the board on to this machine.
    fn pass_on(&mut self, datagram: &Datagram<'_>) -> io::Result<()> {
        let port = datagram.from.port();
        if *datagram.to.ip() != HOST {
            return Ok(());
        }
        if !self.ports.contains_key(&port) {
            if self.ports.len() >= MAX_PORTS {
                return Ok(());
            }
            self.open(port)?;
            self.shared.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        }
        if let Some(socket) = self.ports.get(&port) {
            let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, datagram.to.port());
            // Nobody there, or no room: datagrams may be lost.
            let _ = socket.send_to(datagram.payload, to.into());
        }
        Ok(())
    }

    /// Passes on what came to the socket of a port of the board.
    fn take_answers(&mut self, port: u16, buffer: &mut [u8]) -> io::Result<()> {
        while let Some(socket) = self.ports.get(&port)
            && let Some((length, from)) = ready(socket.recv_from(buffer))?
        {
            let payload = buffer.get(..length).unwrap_or_default();
            let from = SocketAddrV4::new(HOST, from.port());
            let to = SocketAddrV4::new(BOARD, port);
            // Before its first frame nobody knows where the board is, and everyone hears.
            let receiver = self.board.unwrap_or(frame::EVERYONE);
            self.send_frame(&frame::udp(receiver, &Datagram { from, to, payload }))?;
        }
        Ok(())
    }

    /// Passes on what was sent to everyone.
    fn take_broadcasts(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        while let Some((socket, port)) = &self.broadcasts
            && let Some((length, from)) = ready(socket.recv_from(buffer))?
        {
            let payload = buffer.get(..length).unwrap_or_default();
            let from = SocketAddrV4::new(HOST, from.port());
            let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, *port);
            self.send_frame(&frame::udp(frame::EVERYONE, &Datagram { from, to, payload }))?;
        }
        Ok(())
    }

    fn send_frame(&self, frame: &[u8]) -> io::Result<()> {
        match self.frames.send_to(frame, &self.boards) {
            // The board is off, or doesn't keep up: frames may be lost.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::WouldBlock
                ) =>
            {
                Ok(())
            }
            sent => sent.map(drop),
        }
    }
}

/// What was received; `None` if nothing is there. That an earlier datagram found nobody,
/// which a socket says here, is nothing to stop at.
pub(crate) fn ready<T>(received: io::Result<T>) -> io::Result<Option<T>> {
    match received {
        Ok(received) => Ok(Some(received)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
