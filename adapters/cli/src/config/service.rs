//! What a gateway and a cloud have in common: the two services that they offer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::field;
use crate::document::Review;

/// The two services, for key negotiation and for transmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The UDP port of the key negotiation.
    pub negotiation_port: u16,
    /// The UDP port of the transmission service.
    pub transmission_port: u16,
    /// The addresses of this computer that both listen on.
    pub bind: Vec<IpAddr>,
    /// The greatest length of an IP packet, in bytes.
    pub path_mtu: u16,
    /// When the key of a session is replaced.
    pub rotation: Rotation,
    /// When a client has to prove its address first.
    pub cookies: Cookies,
}

/// When the key of a session is replaced: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When it is this old.
    pub age: Duration,
    /// When it has protected so many records.
    pub records: u64,
}

/// When a client has to prove its address, with a cookie (RFC 6347 section
/// 4.2.1), before anything is computed or kept for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cookies {
    /// When many handshakes are going on.
    #[default]
    UnderLoad,
    /// Always.
    Always,
    /// Never: only where nobody can send from the address of another.
    Never,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRotation {
    age: Option<Spanned<String>>,
    records: Option<Spanned<i64>>,
}

/// The fields of a configuration that a [`Service`] comes from.
pub(super) struct ServiceFields<'a> {
    pub(super) negotiation_port: Option<&'a Spanned<i64>>,
    pub(super) transmission_port: Option<&'a Spanned<i64>>,
    pub(super) default_ports: [u16; 2],
    pub(super) bind: Option<&'a Spanned<Vec<Spanned<String>>>>,
    pub(super) path_mtu: Option<&'a Spanned<i64>>,
    pub(super) rotation: &'a RawRotation,
    pub(super) cookies: Cookies,
}

impl ServiceFields<'_> {
    /// The service. What has a mistake is noted, and as if it were not there.
    pub(super) fn review(&self, review: &mut Review<'_>) -> Service {
        let [negotiation, transmission] = self.default_ports;
        let negotiation_port =
            field::port(review, self.negotiation_port, "negotiation_port", negotiation);
        let transmission_port =
            field::port(review, self.transmission_port, "transmission_port", transmission);
        if negotiation_port == transmission_port
            && let Some(place) = self.transmission_port.or(self.negotiation_port)
        {
            let problem = format!("both services can't have port {transmission_port}; change one");
            review.note(place.span(), problem);
        }
        Service {
            negotiation_port,
            transmission_port,
            bind: self.bind(review),
            path_mtu: field::path_mtu(review, self.path_mtu),
            rotation: self.rotation.review(review),
            cookies: self.cookies,
        }
    }

    fn bind(&self, review: &mut Review<'_>) -> Vec<IpAddr> {
        match self.bind {
            Some(addresses) => field::bind(review, addresses),
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        }
    }
}

impl RawRotation {
    fn review(&self, review: &mut Review<'_>) -> Rotation {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        // A DTLS 1.2 epoch ends with its 48-bit sequence numbers.
        const MOST: i64 = (1 << 48) - 1;
        let records = field::number(review, self.records.as_ref(), "records", 1..=MOST, 1_000_000);
        Rotation {
            age: field::duration(review, self.age.as_ref(), "age", DAY),
            records: records.unsigned_abs(),
        }
    }
}
