//! Advertisements.

use core::time::Duration;

use iot_crypto::connection::{
    Advertisement, AdvertisementError, AdvertisementFilter, NetworkKey, NetworkKeys, NotFresh,
    Versions,
};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::identity::PartyId;
use iot_crypto::time::{Instant, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::identity::undecodable;
use super::{Failure, provider, written};
use crate::hex::{Hex, HexArray, hex};

/// The fields of an advertisement.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Fields {
    gateway: HexArray<16>,
    negotiation_port: u16,
    transmission_port: u16,
    versions: u32,
    /// 0 if it is not known.
    time: u64,
    sequence: u32,
    incarnation: u32,
}

fn known(time: u64) -> Option<UnixTime> {
    Some(UnixTime::from_secs(time)).filter(|_| time != 0)
}

impl From<&Fields> for Advertisement {
    fn from(fields: &Fields) -> Self {
        Self {
            gateway: PartyId(fields.gateway.0),
            negotiation_port: fields.negotiation_port,
            transmission_port: fields.transmission_port,
            versions: Versions(fields.versions),
            time: known(fields.time),
            sequence: fields.sequence,
            incarnation: fields.incarnation,
        }
    }
}

impl From<&Advertisement> for Fields {
    fn from(advertisement: &Advertisement) -> Self {
        Self {
            gateway: HexArray(advertisement.gateway.0),
            negotiation_port: advertisement.negotiation_port,
            transmission_port: advertisement.transmission_port,
            versions: advertisement.versions.0,
            time: advertisement.time.unwrap_or_default().as_secs(),
            sequence: advertisement.sequence,
            incarnation: advertisement.incarnation,
        }
    }
}

/// Makes an advertisement under a network key.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Advertise {
    network_key: HexArray<32>,
    advertisement: Fields,
}

impl Advertise {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let provider = &provider(&[]);
        let key = NetworkKey::from_secret(provider, SymmetricKey::new(self.network_key.0));
        let mut buffer = [0; Advertisement::MAX_LEN];
        let length = Advertisement::from(&self.advertisement)
            .seal(provider, &key, &mut buffer)
            .map_err(Failure::request)?;
        Ok(json!({ "bytes": hex(written(&buffer, length)) }))
    }
}

/// Takes an advertisement under one of several network keys.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Open {
    network_keys: Vec<HexArray<32>>,
    bytes: Hex,
}

impl Open {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let provider = &provider(&[]);
        let mut keys = NetworkKeys::new();
        for HexArray(secret) in self.network_keys {
            let key = NetworkKey::from_secret(provider, SymmetricKey::new(secret));
            keys.add(key).map_err(Failure::request)?;
        }
        let opened = Advertisement::open(provider, &keys, &self.bytes.0);
        let (advertisement, key) = opened.map_err(|error| match error {
            AdvertisementError::Decode(error) => undecodable(error),
            AdvertisementError::UnknownVersion => Failure::refused("unknown version"),
            AdvertisementError::UnknownKey => Failure::refused("unknown key"),
            AdvertisementError::Forged => Failure::refused("forged"),
        })?;
        let fields = Fields::from(&advertisement);
        Ok(json!({ "network-key": key.to_string(), "advertisement": fields }))
    }
}

/// Tells which of several authentic advertisements are new.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Freshness {
    /// By how many seconds clocks may differ.
    window: u64,
    heard: Vec<Heard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heard {
    gateway: HexArray<16>,
    time: u64,
    sequence: u32,
    /// The receiver's own time; 0 if it is not known.
    clock: u64,
}

impl Freshness {
    pub(super) fn carry_out(self) -> Value {
        let mut filter = AdvertisementFilter::<8>::new(Duration::from_secs(self.window));
        let verdicts = (0..).zip(self.heard).map(|(at, heard)| {
            let advertisement = Advertisement {
                gateway: PartyId(heard.gateway.0),
                negotiation_port: 0,
                transmission_port: 0,
                versions: Versions::V1,
                time: known(heard.time),
                sequence: heard.sequence,
                incarnation: 0,
            };
            match filter.accept(&advertisement, Instant::from_millis(at), known(heard.clock)) {
                Ok(()) => "taken",
                Err(NotFresh::Replayed) => "not newer",
                Err(NotFresh::TooOld | NotFresh::TooEarly) => "out of the window",
            }
        });
        json!({ "verdicts": verdicts.collect::<Vec<_>>() })
    }
}
