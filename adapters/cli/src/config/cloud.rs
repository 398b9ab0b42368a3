//! The configuration of a cloud.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::field;
use super::party::{Party, PartyFields};
use super::service::{Cookies, RawRotation, Service, ServiceFields};
use crate::document::{Document, Mistakes, Review};
use crate::error::Error;
use iot_crypto_host::OsProvider;

/// The configuration of a cloud.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// Who it is, and whom it trusts.
    pub party: Party,
    /// The two services that it offers to gateways.
    pub service: Service,
    /// The greatest number of gateways at a time.
    pub max_gateways: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCloud {
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
    max_gateways: Option<Spanned<i64>>,
}

impl CloudConfig {
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
        let raw: RawCloud = document.parse()?;
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
            default_ports: [4451, 4452],
            bind: raw.bind.as_ref(),
            path_mtu: raw.path_mtu.as_ref(),
            rotation: &raw.rotation,
            cookies: raw.cookies,
        }
        .review(&mut review);
        let gateways = raw.max_gateways.as_ref();
        let max_gateways =
            field::number(&mut review, gateways, "max_gateways", 1..=1_000_000, 1_000);
        let config = party.map(|party| Self { party, service, max_gateways });
        review.finish(config)
    }
}
