//! A relay between a client and a server on the loopback interface, which loses,
//! repeats and delays datagrams as its seed says, and counts what passes.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::traffic::{Traffic, carries_application_data};

/// How long a datagram is held back when no later one overtakes it.
const HELD_AT_MOST: Duration = Duration::from_millis(50);
/// Longer than any datagram.
const BUFFER: usize = 1 << 16;

/// What happens to datagrams, in percent of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub repetition: u32,
    /// Held back until the next one of the same direction went by.
    pub delay: u32,
}

/// One of the two ways through the relay.
struct Way {
    traffic: Traffic,
    /// Where what becomes of the datagrams comes from: each way has its own, so
    /// that it depends on their order in it alone.
    random: ChaCha20Rng,
    held: Option<(Instant, Vec<u8>)>,
}

impl Way {
    fn new(seed: [u8; 32]) -> Self {
        let random = ChaCha20Rng::from_seed(seed);
        Self { traffic: Traffic::default(), random, held: None }
    }

    fn happens(&mut self, percent: u32) -> bool {
        self.random.next_u32() % 100 < percent
    }

    /// What is to be delivered now that `datagram` has come.
    fn handle(&mut self, faults: &Faults, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.traffic.see(datagram);
        // All three are drawn for each datagram, whatever they say.
        let lost = self.happens(faults.loss);
        let repeated = self.happens(faults.repetition);
        let delayed = self.happens(faults.delay);
        if lost {
            match carries_application_data(datagram) {
                true => self.traffic.lost_data += 1,
                false => self.traffic.lost += 1,
            }
            return Vec::new();
        }
        if delayed && self.held.is_none() {
            self.held = Some((Instant::now(), datagram.to_vec()));
            return Vec::new();
        }
        let mut delivered = vec![datagram.to_vec()];
        if repeated {
            self.traffic.repeated += 1;
            delivered.push(datagram.to_vec());
        }
        if let Some((_, held)) = self.held.take() {
            self.traffic.overtaken += 1;
            delivered.push(held);
        }
        delivered
    }

    /// What was held back for long enough.
    fn handle_timeout(&mut self) -> Option<Vec<u8>> {
        self.held.take_if(|(since, _)| since.elapsed() >= HELD_AT_MOST).map(|(_, held)| held)
    }
}

/// A relay with one socket for the client and one for the server.
pub struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
    server: Option<SocketAddr>,
    faults: Faults,
    to_server: Way,
    to_client: Way,
    buffer: Vec<u8>,
}

impl Relay {
    /// A relay whose faults follow from `seed`.
    ///
    /// # Errors
    /// [`io::Error`] if there are no sockets.
    pub fn new(faults: Faults, seed: u8) -> io::Result<Self> {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            io::Result::Ok(socket)
        };
        let mut seeds = [[seed; 32]; 2];
        seeds[1][0] = !seed;
        let [to_server, to_client] = seeds.map(Way::new);
        let (front, back, buffer) = (bind()?, bind()?, vec![0; BUFFER]);
        Ok(Self { front, back, client: None, server: None, faults, to_server, to_client, buffer })
    }

    /// Where the client finds the server.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not know.
    pub fn front(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }

    /// Where the server sees the client.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not know.
    pub fn back(&self) -> io::Result<SocketAddr> {
        self.back.local_addr()
    }

    /// Says where the server is.
    pub fn set_server(&mut self, server: SocketAddr) {
        self.server = Some(server);
    }

    /// What the client sent.
    #[must_use]
    pub fn from_client(&self) -> &Traffic {
        &self.to_server.traffic
    }

    /// What the server sent.
    #[must_use]
    pub fn from_server(&self) -> &Traffic {
        &self.to_client.traffic
    }

    /// Delivers what has come; gives whether anything has.
    ///
    /// # Errors
    /// [`io::Error`] if a socket fails.
    pub fn turn(&mut self) -> io::Result<bool> {
        let mut moved = false;
        while let Some((datagram, from)) = receive(&self.front, &mut self.buffer)? {
            self.client = Some(from);
            moved = true;
            for datagram in self.to_server.handle(&self.faults, datagram) {
                send(&self.back, self.server, &datagram)?;
            }
        }
        while let Some((datagram, _)) = receive(&self.back, &mut self.buffer)? {
            moved = true;
            for datagram in self.to_client.handle(&self.faults, datagram) {
                send(&self.front, self.client, &datagram)?;
            }
        }
        if let Some(datagram) = self.to_server.handle_timeout() {
            moved = true;
            send(&self.back, self.server, &datagram)?;
        }
        if let Some(datagram) = self.to_client.handle_timeout() {
            moved = true;
            send(&self.front, self.client, &datagram)?;
        }
        Ok(moved)
    }
}

/// The next datagram at `socket`, and where it is from.
pub(crate) fn receive<'b>(
    socket: &UdpSocket,
    buffer: &'b mut [u8],
) -> io::Result<Option<(&'b mut [u8], SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok((length, from)) => Ok(Some((buffer.get_mut(..length).unwrap_or_default(), from))),
        Err(error) if passes(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nothing came, or what was sent before found nobody.
pub(crate) fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn send(socket: &UdpSocket, to: Option<SocketAddr>, datagram: &[u8]) -> io::Result<()> {
    match to.map_or(Ok(0), |to| socket.send_to(datagram, to)) {
        Err(error) if !passes(&error) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// The numbers of the datagrams that come out of a way, of 100 that go in.
    fn out_of(faults: Faults, seed: u8) -> (Vec<u8>, Traffic) {
        let mut way = Way::new([seed; 32]);
        let out = (0..100).flat_map(|number| way.handle(&faults, &[number])).map(|out| out[0]);
        (out.collect(), way.traffic)
    }

    #[test]
    fn faults_happen_as_often_as_they_should_and_are_counted() {
        let (out, _) = out_of(Faults::default(), 1);
        assert_eq!(out, Vec::from_iter(0..100));

        let (out, traffic) = out_of(Faults { loss: 20, ..Faults::default() }, 1);
        assert_eq!(out.len(), 100 - traffic.lost);
        assert!((10..30).contains(&traffic.lost), "{}", traffic.lost);

        let (out, traffic) = out_of(Faults { repetition: 20, ..Faults::default() }, 1);
        assert_eq!(out.len(), 100 + traffic.repeated);
        assert!((10..30).contains(&traffic.repeated), "{}", traffic.repeated);

        let (out, traffic) = out_of(Faults { delay: 20, ..Faults::default() }, 1);
        let overtaken = out.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert_eq!(overtaken, traffic.overtaken);
        assert!((10..30).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_gives_others() {
        let faults = Faults { loss: 5, repetition: 5, delay: 5 };
        assert_eq!(out_of(faults, 7), out_of(faults, 7));
        assert_ne!(out_of(faults, 7).0, out_of(faults, 8).0);
    }
}
