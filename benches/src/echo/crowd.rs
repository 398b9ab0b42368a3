//! The clients.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::socket::{Received, Socket};
use super::voices::{Voices, voices};
use super::{Means, address, number};
use crate::process::processor_time;

/// Room for a datagram.
const ROOM: usize = 2048;

/// Clients of one server, each with its own address and session.
pub struct Crowd {
    socket: Socket,
    server: SocketAddrV4,
    voices: Box<dyn Voices>,
    clients: usize,
    /// Who says something next.
    next: usize,
    payload: Vec<u8>,
    outgoing: Box<[u8; ROOM]>,
    incoming: Box<[u8; ROOM]>,
}

/// Echoes that came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echoes {
    /// How many.
    pub count: u64,
    /// In which time.
    pub elapsed: Duration,
    /// The time of the processor that the clients used for them.
    pub clients_time: Duration,
}

impl Crowd {
    /// Clients, each of which gets a session; they say `payload` bytes at a time.
    ///
    /// # Errors
    /// If a session can't be had.
    pub fn connect(
        server: SocketAddrV4,
        means: Means,
        clients: usize,
        payload: usize,
    ) -> anyhow::Result<Self> {
        let mut crowd = Self {
            socket: Socket::new()?,
            server,
            voices: voices(means)?,
            clients,
            next: 0,
            payload: vec![0x5a; payload],
            outgoing: Box::new([0; ROOM]),
            incoming: Box::new([0; ROOM]),
        };
        for client in 0..clients {
            crowd.voices.add()?;
            crowd.get_session(client).with_context(|| format!("client {client} got no session"))?;
        }
        Ok(crowd)
    }

    fn get_session(&mut self, client: usize) -> anyhow::Result<()> {
        let Self { socket, server, voices, outgoing, incoming, .. } = self;
        let from = address(client)?;
        loop {
            while let Some(length) = voices.poll_transmit(client, &mut outgoing[..])? {
                socket.send(from, *server, outgoing.get(..length).unwrap_or_default())?;
            }
            if voices.is_connected(client)? {
                return Ok(());
            }
            let Received { to, length, .. } = socket.receive(&mut incoming[..])?;
            ensure!(to == from, "a datagram came for {to}");
            voices.receive(client, incoming.get_mut(..length).unwrap_or_default())?;
        }
    }

    /// Has the clients say something, one after the other, and hear it again, until
    /// `duration` is over: at most `window` of them wait for their echo at a time.
    ///
    /// # Errors
    /// If an echo is lost, or is none.
    pub fn talk(&mut self, window: usize, duration: Duration) -> anyhow::Result<Echoes> {
        let (begin, used) = (Instant::now(), processor_time()?);
        let mut echoes = Echoes::default();
        let mut waiting = 0;
        let mut goes_on = true;
        while goes_on || waiting > 0 {
            while goes_on && waiting < window {
                self.say()?;
                waiting += 1;
            }
            waiting -= self.hear()?;
            echoes.count += 1;
            // The clock is not asked for each.
            if echoes.count.is_multiple_of(16) {
                goes_on = begin.elapsed() < duration;
            }
        }
        echoes.elapsed = begin.elapsed();
        echoes.clients_time = processor_time()?.saturating_sub(used);
        Ok(echoes)
    }

    fn say(&mut self) -> anyhow::Result<()> {
        let Self { socket, server, voices, outgoing, payload, .. } = self;
        let client = self.next;
        self.next = if client + 1 < self.clients { client + 1 } else { 0 };
        let length = voices.send(client, payload, &mut outgoing[..])?;
        socket.send(address(client)?, *server, outgoing.get(..length).unwrap_or_default())
    }

    /// Waits for an echo: one.
    fn hear(&mut self) -> anyhow::Result<usize> {
        let Self { socket, voices, incoming, payload, .. } = self;
        loop {
            let Received { to, length, .. } = socket.receive(&mut incoming[..])?;
            let client = number(to).context("a datagram came for nobody")?;
            let datagram = incoming.get_mut(..length).unwrap_or_default();
            // What comes late from the handshake is none.
            if let Some(echo) = voices.receive(client, datagram)? {
                ensure!(echo == payload, "client {client} heard something else");
                return Ok(1);
            }
        }
    }
}
