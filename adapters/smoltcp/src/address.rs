//! Addresses in smoltcp's terms; `None` where it is built without their family.

use core::net::{IpAddr, SocketAddr};

use smoltcp::wire::{IpAddress, IpEndpoint};

pub(crate) fn endpoint(address: SocketAddr) -> Option<IpEndpoint> {
    ip(address.ip()).map(|ip| IpEndpoint::new(ip, address.port()))
}

pub(crate) fn ip(address: IpAddr) -> Option<IpAddress> {
    match address {
        #[cfg(feature = "proto-ipv4")]
        IpAddr::V4(v4) => Some(v4.into()),
        #[cfg(feature = "proto-ipv6")]
        IpAddr::V6(v6) => Some(v6.into()),
        #[cfg(not(all(feature = "proto-ipv4", feature = "proto-ipv6")))]
        _ => None,
    }
}
