//! The configuration of a device.

mod alert;
mod part;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

pub use alert::{AlertConfig, Limits, Severity};
pub use part::{ActuatorConfig, SensorConfig};

use super::field;
use super::party::{Party, PartyFields};
use crate::document::{Document, Mistakes, Review};
use crate::error::Error;
use alert::RawAlert;
use iot_crypto_host::OsProvider;
use part::{Parts, RawActuator, RawSensor};

/// The configuration of a device.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Who it is, and whom it trusts.
    pub party: Party,
    /// The key-negotiation service of its gateway; if not given, the device
    /// waits for an advertisement.
    pub gateway: Option<SocketAddr>,
    /// Whether it brings a key of its own for each negotiation, so that past
    /// sessions stay closed to whoever steals its long-term keys.
    pub ephemeral: bool,
    /// Whether it sleeps most of the time: how often it wakes and asks its gateway
    /// what is waiting, if it does.
    pub wake: Option<Duration>,
    /// Where it has the time from.
    pub clock: Clock,
    /// The file in which it keeps the last time that it knew, and network keys
    /// that it was handed.
    pub state: Option<PathBuf>,
    /// How it hears advertisements.
    pub listen: Listen,
    /// What it measures.
    pub sensors: Vec<SensorConfig>,
    /// What it can be commanded to do.
    pub actuators: Vec<ActuatorConfig>,
    /// What it raises alerts for.
    pub alerts: Vec<AlertConfig>,
    /// The pause after the first attempt to connect that failed; it doubles with
    /// each one.
    pub retry: Duration,
    /// The longest pause.
    pub retry_limit: Duration,
}

/// Where a device has the time from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// From the clock of this computer.
    #[default]
    System,
    /// From its gateway, as a device without a clock.
    Gateway,
}

/// How a device hears advertisements, and how it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The UDP port.
    pub discovery_port: u16,
    /// The greatest length of an IP packet, in bytes.
    pub path_mtu: u16,
    /// The addresses of this computer that it sends from: at most one of IPv4
    /// and one of IPv6.
    pub bind: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDevice {
    identity: Spanned<String>,
    #[serde(default)]
    endorsements: Vec<Spanned<String>>,
    trust: Spanned<String>,
    network: Spanned<String>,
    gateway: Option<Spanned<String>>,
    #[serde(default = "yes")]
    ephemeral: bool,
    #[serde(default)]
    sleepy: bool,
    wake: Option<Spanned<String>>,
    #[serde(default)]
    clock: Clock,
    state: Option<Spanned<String>>,
    #[serde(default)]
    listen: RawListen,
    #[serde(default)]
    sensor: Vec<RawSensor>,
    #[serde(default)]
    actuator: Vec<RawActuator>,
    #[serde(default)]
    alert: Vec<RawAlert>,
    retry: Option<Spanned<String>>,
    retry_limit: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListen {
    discovery_port: Option<Spanned<i64>>,
    path_mtu: Option<Spanned<i64>>,
    bind: Option<Spanned<Vec<Spanned<String>>>>,
    ipv4: Option<Spanned<bool>>,
    ipv6: Option<Spanned<bool>>,
}

const fn yes() -> bool {
    true
}

impl DeviceConfig {
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
        let raw: RawDevice = document.parse()?;
        let mut review = Review::new(document);
        let party = PartyFields {
            identity: &raw.identity,
            endorsements: &raw.endorsements,
            trust: &raw.trust,
            network: &raw.network,
        }
        .review(provider, &mut review);
        let gateway = raw.gateway.as_ref().and_then(|field| field::address(&mut review, field));
        let state = raw.state.as_ref().and_then(|field| review_state(&mut review, field));
        let listen = raw.listen.review(&mut review);
        let Parts { sensors, actuators } = Parts::review(&mut review, raw.sensor, raw.actuator);
        let alerts = raw
            .alert
            .into_iter()
            .filter_map(|alert| alert.review(&mut review, &sensors, &actuators))
            .collect();
        let (retry, retry_limit) =
            field::retry(&mut review, raw.retry.as_ref(), raw.retry_limit.as_ref());
        let minute = Duration::from_secs(60);
        let wake = field::duration(&mut review, raw.wake.as_ref(), "wake", minute);
        if let (false, Some(field)) = (raw.sleepy, &raw.wake) {
            review.note(field.span(), "only a device with sleepy = true wakes; take this out");
        }
        let config = party.map(|party| Self {
            party,
            gateway,
            ephemeral: raw.ephemeral,
            wake: raw.sleepy.then_some(wake),
            clock: raw.clock,
            state,
            listen,
            sensors,
            actuators,
            alerts,
            retry,
            retry_limit,
        });
        review.finish(config)
    }
}

/// The state need not be there yet, but its directory must.
fn review_state(review: &mut Review<'_>, field: &Spanned<String>) -> Option<PathBuf> {
    let path = review.document().resolve(field.get_ref());
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    match directory {
        Some(directory) if !directory.is_dir() => {
            let problem = format!("there is no directory {}; make it first", directory.display());
            review.note(field.span(), problem);
            None
        }
        _ => Some(path),
    }
}

impl RawListen {
    fn review(&self, review: &mut Review<'_>) -> Listen {
        let port = self.discovery_port.as_ref();
        Listen {
            discovery_port: field::port(review, port, "discovery_port", super::DISCOVERY_PORT),
            path_mtu: field::path_mtu(review, self.path_mtu.as_ref()),
            bind: self.bind(review),
        }
    }

    fn bind(&self, review: &mut Review<'_>) -> Vec<IpAddr> {
        let is_on = |field: &Option<Spanned<bool>>| field.as_ref().is_none_or(|on| *on.get_ref());
        match (&self.bind, &self.ipv4, &self.ipv6) {
            (Some(addresses), None, None) => field::bind(review, addresses),
            (Some(_), Some(place), _) | (Some(_), None, Some(place)) => {
                let problem = "bind says already which of IPv4 and IPv6 is used; take this out";
                review.note(place.span(), problem);
                Vec::new()
            }
            (None, ipv4, ipv6) => {
                let mut addresses: Vec<IpAddr> = Vec::new();
                if is_on(ipv4) {
                    addresses.push(Ipv4Addr::UNSPECIFIED.into());
                }
                if is_on(ipv6) {
                    addresses.push(Ipv6Addr::UNSPECIFIED.into());
                }
                if let (true, Some(place)) = (addresses.is_empty(), ipv6) {
                    review.note(place.span(), "IPv4 and IPv6 can't both be off; turn one on");
                }
                addresses
            }
        }
    }
}
