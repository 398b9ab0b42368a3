//! What the program reads: configurations, trust files, identities and other texts.

mod store;
mod text;

use std::path::PathBuf;

use iot_crypto_cli::config::{CloudConfig, DeviceConfig, GatewayConfig};
use iot_crypto_cli::document::Document;
use iot_crypto_cli::time::{Date, parse_duration};
use iot_crypto_cli::value;
use iot_crypto_host::os_provider;

use crate::input::Input;
use store::{Directory, PRIVATE};

/// Reads the rest as what the first byte says. What is accepted is within the limits
/// that the documentation states; what is not, is told with a place that exists. A
/// trust file that was accepted can be changed, and says afterwards what it should.
pub fn files(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.below(8);
    if kind == 7 {
        return store::edit(&mut input);
    }
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    match kind {
        0 => config(text, DeviceConfig::check, |config| {
            assert!((256..=u16::MAX).contains(&config.listen.path_mtu));
            assert!(!config.listen.bind.is_empty() && config.listen.discovery_port > 0);
            assert!(config.retry <= config.retry_limit && !config.retry.is_zero());
        }),
        1 => config(text, GatewayConfig::check, |config| {
            let service = &config.service;
            assert_ne!(service.negotiation_port, service.transmission_port);
            assert!((1..=1_000_000).contains(&config.max_devices));
            assert!(config.poll.labels.len() <= 8 && !config.poll.every.is_zero());
            assert!(!config.advertise.every.is_zero() && !service.bind.is_empty());
        }),
        2 => config(text, CloudConfig::check, |config| {
            let service = &config.service;
            assert_ne!(service.negotiation_port, service.transmission_port);
            assert!((1..=1_000_000).contains(&config.max_gateways));
            assert!(!service.rotation.age.is_zero() && service.rotation.records > 0);
        }),
        3 => store::contents(text),
        4 => text::any(text),
        5 => {
            if let Ok(date) = text.parse::<Date>() {
                assert_eq!(date.to_string().parse(), Ok(date), "for {text:?}");
            }
            std::hint::black_box(parse_duration(text).is_ok());
        }
        _ => {
            std::hint::black_box(value::parse(text).to_string());
        }
    }
}

/// Checks a configuration whose files are there.
fn config<T, E: std::fmt::Display>(
    text: &str,
    check: impl Fn(&iot_crypto_host::OsProvider, &Document) -> Result<T, E>,
    look: impl FnOnce(&T),
) {
    // It names files; none but those that were made for it are to be touched.
    if text.contains(['/', '\\']) || text.contains("..") {
        return;
    }
    Directory::with(|directory| {
        let path = directory.path().join("config.toml");
        let document = Document::new(path, text.to_owned());
        match check(&os_provider(), &document) {
            Ok(config) => look(&config),
            Err(mistakes) => assert_places(&document, &mistakes.to_string()),
        }
    });
}

/// Each mistake is at a place of the document.
fn assert_places(document: &Document, mistakes: &str) {
    assert!(!mistakes.is_empty());
    let name = format!("{}:", document.path().display());
    let lines = document.text().split('\n').count();
    for mistake in mistakes.lines() {
        // What was quoted from the document may have gone on in another line.
        let Some(place) = mistake.strip_prefix(&name) else { continue };
        let mut parts = place.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
        let (line, column) = (number().expect("a line"), number().expect("a column"));
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
        let length = document.text().split('\n').nth(line - 1).unwrap().chars().count();
        assert!((1..=length + 1).contains(&column), "column {column} of {length}");
    }
    for secret in PRIVATE.with(|secrets| secrets.get().cloned().unwrap_or_default()) {
        assert!(!mistakes.contains(&secret), "a mistake shows a secret");
    }
}

/// A place for a document that is in no directory.
fn nowhere() -> PathBuf {
    "trust.toml".into()
}
