//! Why a driver was not opened.

use core::net::IpAddr;

use iot_crypto_embedded::driver::ConfigError;
#[cfg(feature = "multicast")]
use smoltcp::iface::MulticastError;

/// Why a driver was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration can't work.
    Config(ConfigError),
    /// The two services of a gateway need two UDP ports that are not 0.
    ServicePorts {
        /// The port of the negotiation service.
        negotiation: u16,
        /// The port of the transmission service.
        transmission: u16,
    },
    /// The interface did not join the multicast group.
    #[cfg(feature = "multicast")]
    Join {
        /// The group.
        group: IpAddr,
        /// The stack's answer.
        source: MulticastError,
    },
    /// The stack was built without multicast.
    NoMulticast {
        /// The group that is configured.
        group: IpAddr,
    },
}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::ServicePorts { negotiation, transmission } => write!(
                f,
                "the services can't have the UDP ports {negotiation} and {transmission}; choose \
                 two different ones from 1 on"
            ),
            #[cfg(feature = "multicast")]
            Self::Join { group, source } => write!(
                f,
                "the interface did not join the multicast group {group} ({source}); leave another \
                 group, or raise IFACE_MAX_MULTICAST_GROUP_COUNT of smoltcp"
            ),
            Self::NoMulticast { group } => write!(
                f,
                "the multicast group {group} can't be joined; configure none, or build with the \
                 feature `multicast`"
            ),
        }
    }
}

impl core::error::Error for OpenError {}
