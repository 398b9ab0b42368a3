//! A proxy between the board and its gateway: what the board takes for its gateway. It
//! passes datagrams on, or treats them as it is told to, and keeps all that the board
//! sent.
//!
//! ```text
//! board ── 127.0.0.1 ── proxy ── 127.0.0.2 ── gateway
//! ```
//!
//! Both have the same ports, since the gateway tells the board the port of its
//! transmission service, but not its address.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

/// Where the gateway is that has a proxy before it.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How often the proxy looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// The time from one datagram to the board to the next: its Ethernet controller has
/// room for a few.
const PACE: Duration = Duration::from_millis(1);

/// How many datagrams may wait for the board; others are dropped.
const MAX_WAITING: usize = 8192;

/// The longest datagram, in bytes, with room to spare.
const BUFFER: usize = 2048;

/// For whom a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The board.
    Board,
    /// The gateway.
    Gateway,
}

/// How a proxy treats datagrams.
pub trait Manner: Send {
    /// Takes a datagram that is for the side `to`, and gives those that go in its
    /// stead, each with the side that it goes to.
    fn treat(&mut self, to: Side, datagram: &[u8]) -> Vec<(Side, Vec<u8>)>;
}

/// Everything goes on as it came.
#[derive(Clone, Copy, Debug)]
pub struct Honest;

impl Manner for Honest {
    fn treat(&mut self, to: Side, datagram: &[u8]) -> Vec<(Side, Vec<u8>)> {
        vec![(to, datagram.to_vec())]
    }
}

/// A datagram that the board sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// From which address, to which service: the same number means the same ones.
    pub flow: usize,
    /// What it sent.
    pub datagram: Vec<u8>,
}

/// What the proxy and its thread have in common.
struct Shared {
    manner: Mutex<Box<dyn Manner>>,
    sent: Mutex<Vec<Sent>>,
    delivered: AtomicUsize,
    is_over: AtomicBool,
}

/// A proxy that runs, until it is dropped.
pub struct Proxy {
    /// The ports of the negotiation service and the transmission service.
    pub ports: [u16; 2],
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts an honest proxy.
    ///
    /// # Errors
    /// If a socket can't be made.
    pub fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let open = |token| -> io::Result<UdpSocket> {
            let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
            poll.registry().register(&mut socket, Token(token), Interest::READABLE)?;
            Ok(socket)
        };
        let services = [open(0)?, open(1)?];
        let [negotiation, transmission] = &services;
        let ports = [negotiation.local_addr()?.port(), transmission.local_addr()?.port()];
        let shared = Arc::new(Shared {
            manner: Mutex::new(Box::new(Honest)),
            sent: Mutex::default(),
            delivered: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let mut relay = Relay {
            poll,
            services,
            ports,
            flows: Vec::new(),
            waiting: VecDeque::new(),
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::spawn(move || {
            if let Err(error) = relay.run() {
                eprintln!("the proxy fails: {error}");
            }
        });
        Ok(Self { ports, shared, thread: Some(thread) })
    }

    /// From now on, datagrams are treated like this. What waits for the board is
    /// delivered all the same.
    pub fn behave(&self, manner: impl Manner + 'static) {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(manner);
    }

    /// How many datagrams went to the board so far.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.shared.delivered.load(Ordering::Relaxed)
    }

    /// What the board has sent since this was asked last.
    #[must_use]
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What goes between one port of the board and one service.
struct Flow {
    board: SocketAddr,
    service: usize,
    /// Towards the gateway.
    socket: UdpSocket,
}

struct Relay {
    poll: Poll,
    services: [UdpSocket; 2],
    ports: [u16; 2],
    flows: Vec<Flow>,
    /// What is for the board, and by which flow it goes.
    waiting: VecDeque<(usize, Vec<u8>)>,
    shared: Arc<Shared>,
}

impl Relay {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut buffer = [0; BUFFER];
        let mut next = Instant::now();
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let wait = if self.waiting.is_empty() { LOOK } else { PACE };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    Token(service @ (0 | 1)) => self.take_boards(service, &mut buffer)?,
                    Token(token) => self.take_gateways(token - 2, &mut buffer)?,
                }
            }
            let now = Instant::now();
            if now >= next
                && let Some((flow, datagram)) = self.waiting.pop_front()
            {
                self.deliver(flow, &datagram);
                next = now + PACE;
            }
        }
        Ok(())
    }

    /// Takes what the board has sent to a service.
    fn take_boards(&mut self, service: usize, buffer: &mut [u8]) -> io::Result<()> {
        while let Some(socket) = self.services.get(service)
            && let Some((length, board)) = crate::bridge::ready(socket.recv_from(buffer))?
        {
            let flow = self.flow(board, service)?;
            let datagram = buffer.get(..length).unwrap_or_default();
            let sent = Sent { flow, datagram: datagram.to_vec() };
            self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
            self.treat(flow, Side::Gateway, datagram);
        }
        Ok(())
    }

    /// Takes what the gateway has answered to a flow.
    fn take_gateways(&mut self, flow: usize, buffer: &mut [u8]) -> io::Result<()> {
        while let Some(Flow { socket, .. }) = self.flows.get(flow)
            && let Some(length) = crate::bridge::ready(socket.recv(buffer))?
        {
            self.treat(flow, Side::Board, buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    /// The number of the flow between the board's address and a service.
    fn flow(&mut self, board: SocketAddr, service: usize) -> io::Result<usize> {
        let known = self.flows.iter().position(|it| (it.board, it.service) == (board, service));
        if let Some(known) = known {
            return Ok(known);
        }
        let port = self.ports.get(service).copied().unwrap_or_default();
        let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        socket.connect((GATEWAY, port).into())?;
        let token = Token(self.flows.len() + 2);
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.flows.push(Flow { board, service, socket });
        Ok(self.flows.len() - 1)
    }

    fn treat(&mut self, flow: usize, to: Side, datagram: &[u8]) {
        let mut manner = self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner);
        for (to, datagram) in manner.treat(to, datagram) {
            match to {
                Side::Board if self.waiting.len() < MAX_WAITING => {
                    self.waiting.push_back((flow, datagram));
                }
                Side::Board => {}
                Side::Gateway => {
                    if let Some(Flow { socket, .. }) = self.flows.get(flow) {
                        // Nobody there, or no room: datagrams may be lost.
                        let _ = socket.send(&datagram);
                    }
                }
            }
        }
    }

    fn deliver(&self, flow: usize, datagram: &[u8]) {
        if let Some(Flow { board, service, .. }) = self.flows.get(flow)
            && let Some(socket) = self.services.get(*service)
        {
            // As above.
            let _ = socket.send_to(datagram, *board);
            self.shared.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn socket(address: Ipv4Addr, port: u16) -> std::net::UdpSocket {
        let socket = std::net::UdpSocket::bind((address, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn hear(socket: &std::net::UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        (buffer.get(..length).unwrap().to_vec(), from)
    }

    /// Answers in the gateway's stead.
    struct Echo;

    impl Manner for Echo {
        fn treat(&mut self, _: Side, datagram: &[u8]) -> Vec<(Side, Vec<u8>)> {
            vec![(Side::Board, datagram.to_vec()); 2]
        }
    }

    #[test]
    fn it_passes_on_keeps_what_was_sent_and_answers_in_anothers_stead() {
        let proxy = Proxy::start().unwrap();
        let [_, port] = proxy.ports;
        let (board, gateway) = (socket(Ipv4Addr::LOCALHOST, 0), socket(GATEWAY, port));
        board.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        board.send(b"up").unwrap();
        let (datagram, from) = hear(&gateway);
        assert_eq!(datagram, b"up");
        gateway.send_to(b"down", from).unwrap();
        assert_eq!(hear(&board).0, b"down");
        proxy.behave(Echo);
        board.send(b"again").unwrap();
        assert_eq!((hear(&board).0, hear(&board).0), (b"again".to_vec(), b"again".to_vec()));
        let sent = |datagram: &[u8]| Sent { flow: 0, datagram: datagram.to_vec() };
        assert_eq!(proxy.take_sent(), [sent(b"up"), sent(b"again")]);
        assert_eq!(proxy.take_sent(), []);
    }
}
