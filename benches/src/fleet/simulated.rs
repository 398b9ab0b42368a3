//! All of them in memory and virtual time: only what the gateway computes is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as Stopwatch};

use anyhow::{Context as _, ensure};
use iot_crypto::endpoint::{Destination, Endpoint as _, LocalPort};
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::time::Instant;

use super::Work;
use super::cast::{Company, EVERY, OurGateway};
use super::devices::{Devices, ROOM};
use crate::echo::{address, number};
use crate::heap;

/// The ports of the gateway's services.
const NEGOTIATION: u16 = 4433;
const TRANSMISSION: u16 = 4434;

/// A gateway and its devices. What one sends, the other has at once.
pub struct Simulation {
    gateway: OurGateway,
    devices: Devices,
    now: Instant,
    to_gateway: Vec<Datagram>,
    to_devices: Vec<Datagram>,
    work: Work,
    /// What the gateway took of the heap, in bytes.
    heap: isize,
}

struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The ports of a device.
const fn port(port: LocalPort) -> u16 {
    match port {
        LocalPort::FirstClient => 1,
        _ => 2,
    }
}

impl Simulation {
    /// A gateway for so many devices, of which none has come yet.
    ///
    /// # Errors
    /// If there are no random numbers.
    pub fn new(devices: usize) -> anyhow::Result<Self> {
        let company = Company::new()?;
        let now = Instant::ZERO;
        Ok(Self {
            gateway: company.gateway(now, [NEGOTIATION, TRANSMISSION], devices)?,
            devices: Devices::new(company, NEGOTIATION),
            now,
            to_gateway: Vec::new(),
            to_devices: Vec::new(),
            work: Work::default(),
            heap: 0,
        })
    }

    /// One device more comes, negotiates a key and gets a session, and `pause` later it
    /// is the next one's turn. Gives what the gateway did.
    ///
    /// # Errors
    /// If it gets none.
    pub fn connect_one(&mut self, pause: Duration) -> anyhow::Result<Work> {
        let before = self.work;
        self.devices.add(self.now)?;
        self.settle()?;
        ensure!(self.devices.connected() == self.devices.len(), "a device got no session");
        let work = self.since(before);
        self.run(pause)?;
        Ok(work)
    }

    /// Lets one minute go by: each device is asked once. Gives what the gateway did.
    ///
    /// # Errors
    /// If a device loses its session.
    pub fn minute(&mut self) -> anyhow::Result<Work> {
        let before = self.work;
        self.run(EVERY)?;
        Ok(self.since(before))
    }

    /// What the gateway has taken of the heap since it was made, in bytes, as `malloc`
    /// counts them; `None` where nobody can tell.
    #[must_use]
    pub fn heap(&self) -> Option<usize> {
        usize::try_from(self.heap).ok().filter(|bytes| *bytes > 0)
    }

    fn since(&self, before: Work) -> Work {
        Work {
            seconds: self.work.seconds - before.seconds,
            readings: self.work.readings - before.readings,
            datagrams: self.work.datagrams - before.datagrams,
        }
    }

    fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = self.now + time;
        loop {
            let (gateway, devices) = (self.gateway.poll_timeout(), self.devices.deadline());
            let next = gateway.map(|deadline| deadline.at).into_iter().chain(devices).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            self.settle()?;
        }
        self.now = end;
        Ok(())
    }

    /// Until nothing is left to be done at this moment.
    fn settle(&mut self) -> anyhow::Result<()> {
        loop {
            self.call_gateway()?;
            self.call_devices()?;
            if self.to_gateway.is_empty() {
                return Ok(());
            }
        }
    }

    fn call_gateway(&mut self) -> anyhow::Result<()> {
        let Self { gateway, now, to_gateway, to_devices, work, .. } = self;
        let mut buffer = [0; ROOM];
        let begin = Stopwatch::now();
        let taken = heap::taken(|| -> anyhow::Result<()> {
            work.datagrams += to_gateway.len() as u64;
            for datagram in to_gateway.iter_mut() {
                let port = match datagram.to.port() {
                    NEGOTIATION => LocalPort::Negotiation,
                    _ => LocalPort::Transmission,
                };
                gateway.handle_datagram(*now, port, datagram.from, &mut datagram.bytes);
            }
            if gateway.poll_timeout().is_some_and(|deadline| deadline.at <= *now) {
                gateway.handle_timeout(*now);
            }
            while let Some(event) = gateway.poll_event() {
                work.readings += u64::from(matches!(event, GatewayEvent::Readings { .. }));
            }
            Ok(())
        });
        self.heap += taken.1;
        taken.0?;
        loop {
            let (transmit, taken) = heap::taken(|| gateway.poll_transmit(*now, &mut buffer));
            self.heap += taken;
            let Some(transmit) = transmit? else { break };
            let Destination::Address(to) = transmit.to else { continue };
            let from = match transmit.from {
                LocalPort::Negotiation => NEGOTIATION,
                _ => TRANSMISSION,
            };
            work.datagrams += 1;
            to_devices.push(Datagram {
                from: SocketAddr::from((Ipv4Addr::LOCALHOST, from)),
                to,
                bytes: buffer.get(..transmit.length).unwrap_or_default().to_vec(),
            });
        }
        work.seconds += begin.elapsed().as_secs_f64();
        to_gateway.clear();
        Ok(())
    }

    fn call_devices(&mut self) -> anyhow::Result<()> {
        let Self { devices, now, to_gateway, to_devices, .. } = self;
        let mut send = |client, local, to, bytes: &[u8]| {
            let from = SocketAddr::from((address(client)?, port(local)));
            to_gateway.push(Datagram { from, to, bytes: bytes.to_vec() });
            Ok(())
        };
        for mut datagram in to_devices.drain(..) {
            let SocketAddr::V4(to) = datagram.to else { continue };
            let client = number(*to.ip()).context("a datagram is for nobody")?;
            let local =
                if to.port() == 1 { LocalPort::FirstClient } else { LocalPort::SecondClient };
            devices.receive(*now, client, local, datagram.from, &mut datagram.bytes, &mut send)?;
        }
        devices.call(*now, &mut send)
    }
}
