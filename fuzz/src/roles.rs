//! What the targets for the three roles share: the role, beside its twin; insiders
//! above and below it; and the world in which they meet.

mod above;
mod below;
mod insider;
mod subject;
mod twin;
mod world;

use iot_crypto::endpoint::{Address, LocalPort};

pub(crate) use subject::{CloudSubject, DeviceSubject, GatewaySubject};
pub(crate) use world::World;

/// A host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) host: u8,
    pub(crate) port: u16,
}

impl Address for Place {
    fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

/// The host of the role that is under attack.
const SUBJECT: u8 = 0;
/// The host of the insider above it.
const ABOVE: u8 = 1;
/// The hosts of the insiders below it.
const BELOW: [u8; 2] = [2, 3];
/// The host of somebody who only has the network.
const STRANGER: u8 = 9;

/// The ports of the services, and of the clients.
const PORTS: [LocalPort; 5] = [
    LocalPort::Negotiation,
    LocalPort::Transmission,
    LocalPort::FirstClient,
    LocalPort::SecondClient,
    LocalPort::Discovery,
];
const NEGOTIATION: u16 = 1;
const TRANSMISSION: u16 = 2;
const DISCOVERY: u16 = 5;

fn number(port: LocalPort) -> u16 {
    PORTS.iter().position(|known| *known == port).map_or(0, |index| index as u16 + 1)
}

fn local_port(number: u16) -> Option<LocalPort> {
    PORTS.get(usize::from(number).checked_sub(1)?).copied()
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq)]
struct Datagram {
    from: Place,
    to: Place,
    bytes: Vec<u8>,
}
