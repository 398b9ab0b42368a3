//! All devices, and when each of them wants to be called.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use iot_crypto::device::DeviceEvent;
use iot_crypto::endpoint::{Destination, Endpoint as _, LocalPort};
use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, Reading, Value};

use super::cast::{Company, OurDevice};

/// Room for a datagram.
pub(super) const ROOM: usize = 1500;

/// What a device sends: its number, from which port, where to, and what.
pub(super) type Send<'a> =
    dyn FnMut(usize, LocalPort, SocketAddr, &[u8]) -> anyhow::Result<()> + 'a;

/// The devices, by their numbers.
pub(super) struct Devices {
    company: Company,
    negotiation: u16,
    list: Vec<Known>,
    /// When each is to be called, the first one first.
    due: BTreeSet<(Instant, usize)>,
    connected: usize,
}

struct Known {
    device: Box<OurDevice>,
    due: Option<Instant>,
}

impl Devices {
    /// None yet; they look for a gateway with that port for negotiations.
    pub(super) fn new(company: Company, negotiation: u16) -> Self {
        Self { company, negotiation, list: Vec::new(), due: BTreeSet::new(), connected: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// How many have a session.
    pub(super) const fn connected(&self) -> usize {
        self.connected
    }

    /// One more, which begins at once.
    pub(super) fn add(&mut self, now: Instant) -> anyhow::Result<()> {
        let number = self.len();
        let device = Box::new(self.company.device(now, number, self.negotiation)?);
        self.list.push(Known { device, due: None });
        self.note(number);
        Ok(())
    }

    /// When the first one is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Gives device `number` a datagram, and sends what it answers.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        number: usize,
        port: LocalPort,
        from: SocketAddr,
        datagram: &mut [u8],
        send: &mut Send<'_>,
    ) -> anyhow::Result<()> {
        let known = self.list.get_mut(number).context("a datagram came for nobody")?;
        known.device.handle_datagram(now, port, from, datagram);
        self.turn(now, number, send)
    }

    /// Calls those who want it, and sends what they have.
    pub(super) fn call(&mut self, now: Instant, send: &mut Send<'_>) -> anyhow::Result<()> {
        while let Some((at, number)) = self.due.first().copied()
            && at <= now
        {
            if let Some(known) = self.list.get_mut(number) {
                known.device.handle_timeout(now);
            }
            self.turn(now, number, send)?;
        }
        Ok(())
    }

    fn turn(&mut self, now: Instant, number: usize, send: &mut Send<'_>) -> anyhow::Result<()> {
        let mut buffer = [0; ROOM];
        let Some(Known { device, .. }) = self.list.get_mut(number) else { return Ok(()) };
        loop {
            while let Some(transmit) = device.poll_transmit(now, &mut buffer)? {
                let Destination::Address(to) = transmit.to else {
                    bail!("a device calls everyone")
                };
                send(number, transmit.from, to, buffer.get(..transmit.length).unwrap_or_default())?;
            }
            match device.poll_event() {
                Some(DeviceEvent::DataRequest { request, .. }) => {
                    device
                        .respond(request, &[Reading::new(Label::Number(1), Value::Float(21.5))])?;
                }
                Some(DeviceEvent::Connected { .. }) => self.connected += 1,
                Some(DeviceEvent::Failed(failure)) => bail!("device {number}: {failure}"),
                Some(DeviceEvent::Disconnected { .. }) => bail!("device {number} lost its session"),
                Some(_) => {}
                None => break,
            }
        }
        self.note(number);
        Ok(())
    }

    fn note(&mut self, number: usize) {
        let Some(known) = self.list.get_mut(number) else { return };
        let due = known.device.poll_timeout().map(|deadline| deadline.at);
        if due == known.due {
            return;
        }
        if let Some(before) = std::mem::replace(&mut known.due, due) {
            self.due.remove(&(before, number));
        }
        self.due.extend(due.map(|at| (at, number)));
    }
}
