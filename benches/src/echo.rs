//! Echoes over the loopback interface, from a server in a process of its own: what the
//! server sends back is what it got, secured or not.
//!
//! The server is driven by the mio driver, whatever its means are: ours, those of a
//! peer, or none at all. Its clients are a crowd behind one socket, each with an address
//! of its own in 127.0.0.0/8.

mod crowd;
mod server;
mod servers;
pub(crate) mod socket;
mod voices;

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use iot_crypto_peers::Library;

pub use crowd::{Crowd, Echoes};
pub use server::{Running, serve};

/// How what is echoed is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Not at all: plain sockets.
    Plain,
    /// By ours, with the provider for hosts.
    Ours,
    /// By a peer.
    Peer(Library),
}

impl Means {
    /// What it is called, with its version.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Plain => "plain sockets".to_owned(),
            Self::Ours => "IoT-Crypto (host)".to_owned(),
            Self::Peer(library) => {
                format!("{} {}", library.name(), library.version().unwrap_or_default())
            }
        }
    }
}

/// The word for it in a command.
impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Ours => "ours",
            Self::Peer(library) => library.feature(),
        })
    }
}

impl FromStr for Means {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "plain" => Ok(Self::Plain),
            "ours" => Ok(Self::Ours),
            _ => crate::contestant::parse_peer(word).map(Self::Peer),
        }
    }
}

/// The number of a client, by its address: the lower bits of 127.x.y.z.
pub(crate) fn number(address: std::net::Ipv4Addr) -> Option<usize> {
    let offset = u32::from(address).checked_sub(u32::from(FIRST))?;
    usize::try_from(offset).ok()
}

/// The address of a client.
pub(crate) fn address(number: usize) -> anyhow::Result<std::net::Ipv4Addr> {
    let offset = u32::try_from(number).context("too many clients")?;
    let address = u32::from(FIRST).saturating_add(offset);
    if address >= u32::from(END) {
        bail!("127.0.0.0/8 has no address for client {number}");
    }
    Ok(address.into())
}

/// The address of the first client: others begin with what servers are usually bound to.
const FIRST: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 1, 0, 0);
/// The end of their addresses.
const END: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 255, 0, 0);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_its_address() {
        for client in [0, 1, 255, 256, 65_536, 1_000_000] {
            assert_eq!(number(address(client).unwrap()), Some(client));
        }
        assert!(address(1 << 24).is_err());
        assert_eq!(number(std::net::Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn means_are_named_in_a_command() {
        for means in [Means::Plain, Means::Ours, Means::Peer(Library::OpenSsl)] {
            assert_eq!(means.to_string().parse(), Ok(means));
        }
        assert!("nothing".parse::<Means>().unwrap_err().contains("openssl"));
    }
}
