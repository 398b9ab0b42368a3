//! Where the parties of a world are.

use iot_crypto::endpoint::{Address, LocalPort};

/// A host and a port: the address of a simulated network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the host.
    pub host: u16,
    /// The port.
    pub port: u16,
}

impl Address for Place {
    fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

/// The port of every negotiation service.
pub const NEGOTIATION: u16 = 1;
/// The port of every transmission service.
pub const TRANSMISSION: u16 = 2;

const PORTS: [(LocalPort, u16); 5] = [
    (LocalPort::Negotiation, NEGOTIATION),
    (LocalPort::Transmission, TRANSMISSION),
    (LocalPort::FirstClient, 3),
    (LocalPort::SecondClient, 4),
    (LocalPort::Discovery, 5),
];

/// The number of a local port.
#[must_use]
pub fn number(port: LocalPort) -> u16 {
    PORTS.iter().find(|(local, _)| *local == port).map_or(0, |(_, number)| *number)
}

/// The local port with this number, if a host has one.
#[must_use]
pub fn port(number: u16) -> Option<LocalPort> {
    PORTS.iter().find(|(_, known)| *known == number).map(|(local, _)| *local)
}
