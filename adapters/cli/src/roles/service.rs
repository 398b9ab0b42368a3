//! What a gateway and a cloud have in common: their services, and the names of
//! those that they serve.

use std::collections::BTreeMap;
use std::path::Path;

use iot_crypto::connection::NegotiationRefusal;
use iot_crypto::downlink::{self, RequestError};
use iot_crypto::dropped::Dropped;
use iot_crypto::dtls::{CookiePolicy, DropReason};
use iot_crypto::endpoint::LocalPort;
use iot_crypto::identity::{Name, PartyId, Role};
use iot_crypto::transmission::{Refused, Tally};
use iot_crypto_mio::{Config, Driver};

use super::{Manner, advice};
use crate::config::{Cookies, Service};
use crate::events::{Event, SentRow, Who};

/// The half-open handshakes from which on clients prove their addresses first.
const LOAD: usize = 16;

/// The names that are remembered; when there are as many, all are forgotten, and
/// learnt again.
const MAX_NAMES: usize = 100_000;

/// The names of the parties that were heard of.
#[derive(Default)]
pub(super) struct Names(BTreeMap<PartyId, Name>);

impl Names {
    pub(super) fn learn(&mut self, id: PartyId, name: &Name) {
        if self.0.len() >= MAX_NAMES {
            self.0.clear();
        }
        self.0.insert(id, name.clone());
    }

    pub(super) fn name(&self, id: PartyId) -> Option<String> {
        self.0.get(&id).map(|name| name.as_str().to_owned())
    }

    pub(super) fn who(&self, role: Role, id: PartyId) -> Who {
        Who::new(role, id, self.0.get(&id))
    }
}

/// Binds the ports of the services to the addresses that are configured.
pub(super) fn on_addresses(config: Config, service: &Service) -> Config {
    let mut config = config.on(&service.bind);
    config.path_mtu = usize::from(service.path_mtu);
    config
}

/// The UDP ports of the services: of the negotiation, and of the transmission.
pub(super) fn service_ports(service: &Service, manner: &Manner) -> (u16, u16) {
    match manner.any_port {
        true => (0, 0),
        false => (service.negotiation_port, service.transmission_port),
    }
}

/// The port that the first socket of `port` is bound to.
pub(super) fn bound_port(driver: &Driver, port: LocalPort) -> u16 {
    driver.local_addresses(port).next().map_or(0, |address| address.port())
}

/// The core's settings of the services.
pub(super) fn settings(
    service: &Service,
    max_peers: usize,
    transmission_port: u16,
    max_datagram: usize,
) -> downlink::Settings {
    let mut settings = downlink::Settings::new(transmission_port);
    settings.server.dtls.max_datagram = max_datagram;
    settings.server.cookies = match service.cookies {
        Cookies::Always => CookiePolicy::Always,
        Cookies::UnderLoad => CookiePolicy::UnderLoad { half_open: LOAD },
        Cookies::Never => CookiePolicy::Never,
    };
    // A new session stands beside the one that it replaces.
    settings.server.max_sessions = max_peers.saturating_mul(2);
    settings.max_peers = max_peers;
    settings.rotation.age = service.rotation.age;
    settings.rotation.records = service.rotation.records;
    settings
}

/// The event for a party that was refused; `trust` is the trust file.
pub(super) fn refused(
    who: Option<(PartyId, Name)>,
    refusal: NegotiationRefusal,
    below: Role,
    trust: &Path,
) -> Event {
    Event::Refused {
        peer: who.map(|(id, name)| Who::new(below, id, Some(&name))),
        code: refusal.code(),
        reason: refusal.to_string(),
        advice: advice::on_refused(refusal, below, trust),
    }
}

/// Why a request was not taken, in words for the one who typed it.
pub(super) fn explain(error: RequestError) -> String {
    match error {
        RequestError::Refused(Refused::Full) => {
            "too many requests to it are unanswered; wait until some are".to_owned()
        }
        RequestError::Refused(Refused::TooLarge { .. } | Refused::OutOfLimits) => {
            "it is too long: 8 labels of 16 bytes, and a value of 64 bytes, are the most".to_owned()
        }
        error => error.to_string(),
    }
}

/// What was dropped, by reason, where there is anything.
pub(super) fn dropped_rows(dropped: &Dropped) -> BTreeMap<String, u32> {
    let records = DropReason::ALL
        .into_iter()
        .map(|reason| (format!("record {reason}"), dropped.records.count(reason)));
    let others = [("advertisement", dropped.advertisements), ("message", dropped.messages)];
    records
        .chain(others.map(|(what, count)| (what.to_owned(), count)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The rows of a tally of what went from those to these.
pub(super) fn sent_rows(from: Role, to: Role, tally: &Tally) -> impl Iterator<Item = SentRow> {
    tally.iter().map(move |(kind, sent)| SentRow {
        from: from.to_string(),
        to: to.to_string(),
        kind: kind.to_string(),
        messages: sent.messages,
        payload: sent.payload,
        datagram: sent.datagram,
    })
}
