//! The devices on real sockets: two for all of them, one for each of their ports.

use std::net::SocketAddr;
use std::time::{Duration, Instant as Stopwatch};

use anyhow::{Context as _, bail};
use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;

use super::cast::Company;
use super::devices::{Devices, ROOM};
use crate::echo::socket::{Socket, wait};
use crate::echo::{address, number};

/// How many devices look for a session at a time.
const AT_A_TIME: usize = 16;

/// How many datagrams are taken from a socket before the devices' deadlines are looked
/// at again.
const BURST: usize = 32;

/// Devices in this process.
pub struct Fleet {
    devices: Devices,
    sockets: [Socket; 2],
    begin: Stopwatch,
    buffer: [u8; ROOM],
}

const PORTS: [LocalPort; 2] = [LocalPort::FirstClient, LocalPort::SecondClient];

impl Fleet {
    /// None yet, for a gateway with these ports on this machine.
    ///
    /// # Errors
    /// If there are no sockets.
    pub fn new(gateway: [u16; 2]) -> anyhow::Result<Self> {
        let [negotiation, _] = gateway;
        Ok(Self {
            devices: Devices::new(Company::new()?, negotiation),
            sockets: [Socket::new()?, Socket::new()?],
            begin: Stopwatch::now(),
            buffer: [0; ROOM],
        })
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.begin.elapsed()
    }

    /// Has devices come until there are so many, a few at a time, and waits until all
    /// have a session.
    ///
    /// # Errors
    /// If one gets none.
    pub fn connect(&mut self, count: usize) -> anyhow::Result<()> {
        while self.devices.connected() < count {
            let waiting = self.devices.len() - self.devices.connected();
            if waiting < AT_A_TIME && self.devices.len() < count {
                self.devices.add(self.now())?;
            }
            self.turn(Duration::from_millis(if waiting < AT_A_TIME { 0 } else { 10 }))?;
        }
        Ok(())
    }

    /// Lets so much time go by.
    ///
    /// # Errors
    /// If a device loses its session.
    pub fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Stopwatch::now() + time;
        loop {
            let left = end.saturating_duration_since(Stopwatch::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// Takes what has come, or waits for it, for at most `longest`.
    fn turn(&mut self, longest: Duration) -> anyhow::Result<()> {
        let now = self.now();
        let Self { devices, sockets, buffer, .. } = self;
        let [first, second] = &*sockets;
        let mut send = |client, local, to: SocketAddr, bytes: &[u8]| {
            let SocketAddr::V4(to) = to else { bail!("{to} is no address of IPv4") };
            let socket = if local == LocalPort::FirstClient { first } else { second };
            socket.send(address(client)?, to, bytes)
        };
        devices.call(now, &mut send)?;
        let until_due = devices.deadline().map(|at| at.since(now));
        wait([first, second], until_due.map_or(longest, |due| due.min(longest)))?;
        for (socket, port) in [first, second].into_iter().zip(PORTS) {
            for _ in 0..BURST {
                let Some(received) = socket.receive_now(buffer)? else { break };
                let client = number(received.to).context("a datagram came for nobody")?;
                let from: SocketAddr = received.from.into();
                let datagram = buffer.get_mut(..received.length).unwrap_or_default();
                let now = Instant::ZERO + self.begin.elapsed();
                devices.receive(now, client, port, from, datagram, &mut send)?;
            }
        }
        Ok(())
    }
}
