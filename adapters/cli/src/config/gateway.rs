//! The configuration of a gateway.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use iot_crypto::transmission::MAX_ITEMS;
use serde::Deserialize;
use toml::Spanned;

use super::field;
use super::party::{Party, PartyFields};
use super::service::{Cookies, RawRotation, Service, ServiceFields};
use crate::document::{Document, Mistakes, Review};
use crate::error::Error;
use iot_crypto_host::OsProvider;

/// The configuration of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Who it is, and whom it trusts.
    pub party: Party,
    /// The two services that it offers to devices.
    pub service: Service,
    /// How it makes itself known.
    pub advertise: Advertise,
    /// The way to its cloud, if it has one.
    pub cloud: Option<CloudLink>,
    /// What it asks its devices for.
    pub poll: Poll,
    /// The greatest number of devices at a time.
    pub max_devices: usize,
}

/// How a gateway finds its cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudLink {
    /// The key-negotiation service of the cloud.
    pub address: SocketAddr,
    /// The pause after the first attempt to connect that failed; it doubles with
    /// each one.
    pub retry: Duration,
    /// The longest pause.
    pub retry_limit: Duration,
}

/// How a gateway makes itself known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// The time from one advertisement to the next.
    pub every: Duration,
    /// The network interfaces to broadcast on; `None` means all.
    pub interfaces: Option<Vec<String>>,
    /// Addresses to which every advertisement is sent besides.
    pub unicast: Vec<SocketAddr>,
    /// The UDP port that devices hear advertisements on.
    pub port: u16,
}

/// What a gateway asks its devices for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The time from one data request to the next.
    pub every: Duration,
    /// What to ask for; everything, if empty.
    pub labels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    identity: Spanned<String>,
    #[serde(default)]
    endorsements: Vec<Spanned<String>>,
    trust: Spanned<String>,
    network: Spanned<String>,
    negotiation_port: Option<Spanned<i64>>,
    transmission_port: Option<Spanned<i64>>,
    bind: Option<Spanned<Vec<Spanned<String>>>>,
    path_mtu: Option<Spanned<i64>>,
    #[serde(default)]
    rotation: RawRotation,
    #[serde(default)]
    cookies: Cookies,
    #[serde(default)]
    advertise: RawAdvertise,
    cloud: Option<RawCloudLink>,
    #[serde(default)]
    poll: RawPoll,
    max_devices: Option<Spanned<i64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdvertise {
    every: Option<Spanned<String>>,
    interfaces: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    unicast: Vec<Spanned<String>>,
    port: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCloudLink {
    address: Spanned<String>,
    retry: Option<Spanned<String>>,
    retry_limit: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoll {
    every: Option<Spanned<String>>,
    #[serde(default)]
    labels: Vec<Spanned<String>>,
}

impl GatewayConfig {
    /// Reads the configuration in the file `path`, and everything that it names.
    ///
    /// # Errors
    /// [`Error::File`] if the file itself can't be read, or else
    /// [`Error::Mistakes`].
    pub fn load(provider: &OsProvider, path: &Path) -> Result<Self, Error> {
        Ok(Self::check(provider, &Document::read(path)?)?)
    }

    /// Checks the configuration `document`, and reads everything that it names.
    ///
    /// # Errors
    /// All [`Mistakes`] in it.
    pub fn check(provider: &OsProvider, document: &Document) -> Result<Self, Mistakes> {
        let raw: RawGateway = document.parse()?;
        let mut review = Review::new(document);
        let party = PartyFields {
            identity: &raw.identity,
            endorsements: &raw.endorsements,
            trust: &raw.trust,
            network: &raw.network,
        }
        .review(provider, &mut review);
        let service = ServiceFields {
            negotiation_port: raw.negotiation_port.as_ref(),
            transmission_port: raw.transmission_port.as_ref(),
            default_ports: [4441, 4442],
            bind: raw.bind.as_ref(),
            path_mtu: raw.path_mtu.as_ref(),
            rotation: &raw.rotation,
            cookies: raw.cookies,
        }
        .review(&mut review);
        let advertise = raw.advertise.review(&mut review);
        let cloud = raw.cloud.and_then(|cloud| cloud.review(&mut review));
        let poll = raw.poll.review(&mut review);
        let devices = raw.max_devices.as_ref();
        let max_devices = field::number(&mut review, devices, "max_devices", 1..=1_000_000, 10_000);
        let config =
            party.map(|party| Self { party, service, advertise, cloud, poll, max_devices });
        review.finish(config)
    }
}

impl RawCloudLink {
    fn review(&self, review: &mut Review<'_>) -> Option<CloudLink> {
        let (retry, limit) = (self.retry.as_ref(), self.retry_limit.as_ref());
        let (retry, retry_limit) = field::retry(review, retry, limit);
        let address = field::address(review, &self.address)?;
        Some(CloudLink { address, retry, retry_limit })
    }
}

impl RawAdvertise {
    fn review(&self, review: &mut Review<'_>) -> Advertise {
        let every = Duration::from_secs(5);
        let interfaces = self.interfaces.as_ref().map(|names| {
            for name in names.iter().filter(|name| name.get_ref().is_empty()) {
                review.note(name.span(), "the name of an interface can't be empty; take it out");
            }
            names.iter().map(|name| name.get_ref().clone()).collect()
        });
        Advertise {
            every: field::duration(review, self.every.as_ref(), "every", every),
            interfaces,
            unicast: self
                .unicast
                .iter()
                .filter_map(|address| field::address(review, address))
                .collect(),
            port: field::port(review, self.port.as_ref(), "port", super::DISCOVERY_PORT),
        }
    }
}

impl RawPoll {
    fn review(&self, review: &mut Review<'_>) -> Poll {
        let every = Duration::from_secs(10);
        if let Some(excess) = self.labels.get(MAX_ITEMS) {
            let problem = format!(
                "more than {MAX_ITEMS} labels don't fit into one request; take some out, or \
                 leave the list empty to ask for everything"
            );
            review.note(excess.span(), problem);
        }
        Poll {
            every: field::duration(review, self.every.as_ref(), "every", every),
            labels: self.labels.iter().filter_map(|label| field::label(review, label)).collect(),
        }
    }
}
