//! Why a driver could not be opened, in words for the person who starts it.

use crate::Config;
use iot_crypto::endpoint::LocalPort;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A driver could not be opened. The messages say what was wrong and what to
/// do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration has no bindings.
    #[error("no address is configured to listen on; add at least one")]
    NoBinding,
    /// A local port has two bindings of one family; there is one socket for
    /// each.
    #[error(
        "two {} addresses are configured for {}; keep one of them, or {} for all addresses of this \
         machine",
        family(address), purpose(*port), any(address)
    )]
    SecondBinding {
        /// The local port.
        port: LocalPort,
        /// The address of the second binding.
        address: SocketAddr,
    },
    /// The group of [`Announce`](crate::Announce) is no multicast address.
    #[error(
        "{0} is no multicast address; choose one in 224.0.0.0/4 or ff00::/8, such as {group}",
        group = crate::Announce::EXPERIMENTAL_V6
    )]
    NotMulticast(IpAddr),
    /// [`Config::path_mtu`] is below [`Config::SMALLEST_PATH_MTU`].
    #[error(
        "a path MTU of {0} bytes is too small; choose at least {least}, usually {usual}",
        least = Config::SMALLEST_PATH_MTU, usual = Config::IPV6_MINIMUM_MTU
    )]
    PathMtu(usize),
    /// An address could not be bound.
    #[error(
        "can't bind UDP port {} on {} for {}: {source}; {}",
        address.port(), address.ip(), purpose(*port), advice(source, address)
    )]
    Bind {
        /// The local port.
        port: LocalPort,
        /// The address that was to be bound.
        address: SocketAddr,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The operating system gave no event queue.
    #[error(
        "the operating system gave no event queue: {0}; raise the limit of open files if it is \
         reached"
    )]
    EventQueue(#[source] io::Error),
}

/// What a local port is for, in words.
pub(crate) fn purpose(port: LocalPort) -> &'static str {
    match port {
        LocalPort::Discovery => "discovery",
        LocalPort::Negotiation => "key negotiation",
        LocalPort::Transmission => "transmission",
        LocalPort::FirstClient => "the first client port",
        LocalPort::SecondClient => "the second client port",
    }
}

fn family(address: &SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn any(address: &SocketAddr) -> &'static str {
    if address.is_ipv4() { "0.0.0.0" } else { "::" }
}

fn advice(error: &io::Error, address: &SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the other program that uses it, or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => format!(
            "choose an address of this machine, or {} for all of its addresses",
            any(address)
        ),
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024 on, or run with the right to use lower ones".to_owned()
        }
        _ => format!("check that this machine supports {}", family(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_explained() {
        let error = OpenError::Bind {
            port: LocalPort::Negotiation,
            address: SocketAddr::from(([0, 0, 0, 0], 4433)),
            source: io::Error::new(io::ErrorKind::AddrInUse, "address in use"),
        };
        assert_eq!(
            error.to_string(),
            "can't bind UDP port 4433 on 0.0.0.0 for key negotiation: address in use; stop the \
             other program that uses it, or choose another port"
        );
    }
}
