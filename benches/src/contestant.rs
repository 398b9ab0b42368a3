//! Who is measured: ours with each of its providers, and the peers.

pub mod door;
mod ours;
pub mod parties;
mod peer;
mod raw;
pub mod scale;
mod slots;
pub mod x509;

use std::fmt::Write as _;

use anyhow::Context as _;
use getrandom::SysRng;
use iot_crypto::crypto::{Provider, RustCrypto};
use iot_crypto::dtls::{Config, PresharedKey, PskIdentity};
use iot_crypto_host::os_provider;
use iot_crypto_peers::{Library, Suite, Traffic, Version};

use ours::Ours;
use peer::PeerContestant;

/// The name of the key, of 4 bytes.
pub const IDENTITY: &str = "dev1";
/// The key, of 16 bytes.
pub const KEY: [u8; 16] = *b"0123456789abcdef";
/// The greatest datagram that anyone may send, in bytes of UDP payload; tinydtls can't
/// be told.
pub const MAX_DATAGRAM: u16 = 1200;

/// Our settings of DTLS.
pub(crate) fn our_config() -> Config {
    Config { max_datagram: MAX_DATAGRAM.into(), ..Config::default() }
}

/// The key and its name, as ours takes them.
pub(crate) fn our_credentials() -> anyhow::Result<(PskIdentity, PresharedKey)> {
    let identity = PskIdentity::new(IDENTITY.as_bytes()).context("the name is too long")?;
    Ok((identity, PresharedKey::new(&KEY).context("the key is too long")?))
}

/// Who is measured.
pub trait Contestant {
    /// What it is called, with its version.
    fn name(&self) -> String;

    /// Whether it is ours.
    fn is_ours(&self) -> bool;

    /// The version of DTLS.
    fn version(&self) -> Version;

    /// The suite.
    fn suite(&self) -> Suite;

    /// Whether its server demands a cookie even if it is told not to.
    fn always_demands_cookie(&self) -> bool;

    /// So many handshakes, one after the other, each from nothing to both sides
    /// connected; gives what the datagrams of all came to.
    ///
    /// # Errors
    /// If one fails.
    fn handshakes(&mut self, cookie: bool, count: usize) -> anyhow::Result<Traffic>;

    /// A connection, its handshake behind it.
    ///
    /// # Errors
    /// If there is none.
    fn connect(&mut self) -> anyhow::Result<Box<dyn Connection>>;

    /// A server with so many sessions, all of them established and idle.
    ///
    /// # Errors
    /// If a handshake fails.
    fn serve(&mut self, sessions: usize) -> anyhow::Result<Box<dyn Idle>>;

    /// Whether its sessions are in the memory of Rust code; if not, in that of a C
    /// library.
    fn heap_is_rust(&self) -> bool;

    /// The AEAD of its provider alone; `None` if that can't be had apart.
    fn raw(&self) -> Option<Box<dyn Connection>> {
        None
    }
}

/// Records from one side to the other.
pub trait Connection {
    /// Seals `payload` in a record, so many times. The records are kept.
    ///
    /// # Errors
    /// If it can't be.
    fn seal(&mut self, payload: &[u8], count: usize) -> anyhow::Result<()>;

    /// Opens so many of the records that were sealed.
    ///
    /// # Errors
    /// If one is not there, or not authentic.
    fn open(&mut self, count: usize) -> anyhow::Result<()>;

    /// The payload of the record that was opened last.
    fn payload(&self) -> &[u8];

    /// How long the record is that was sealed last, in bytes.
    fn record_length(&self) -> usize;
}

/// The sessions of a server that wait: they end when this is dropped.
pub trait Idle {}

/// Ours with each of its providers. The first is the one that others are compared with.
#[must_use]
pub fn ours() -> Vec<Box<dyn Contestant>> {
    vec![
        Box::new(Ours::new("host", os_provider)),
        Box::new(Ours::new("RustCrypto", || RustCrypto::new(SysRng))),
    ]
}

/// Ours alone, with the providers that `provider` makes.
pub fn ours_with<P: Provider + 'static>(provider: impl Fn() -> P) -> impl Contestant {
    Ours::new("own", provider)
}

/// The peers that are linked, those of `only` if it is not empty.
///
/// # Errors
/// If one does not take its settings.
pub fn peers(only: &[Library]) -> anyhow::Result<Vec<Box<dyn Contestant>>> {
    let mut peers: Vec<Box<dyn Contestant>> = Vec::new();
    for version in [Version::Dtls12, Version::Dtls13] {
        for library in Library::ALL.into_iter().filter(|library| library.speaks(version)) {
            if library.version().is_some() && (only.is_empty() || only.contains(&library)) {
                peers.push(Box::new(PeerContestant::new(library, version)?));
            }
        }
    }
    Ok(peers)
}

/// All of them, ours first.
///
/// # Errors
/// As [`peers`].
pub fn all(only: &[Library]) -> anyhow::Result<Vec<Box<dyn Contestant>>> {
    let mut all = ours();
    all.extend(peers(only)?);
    Ok(all)
}

/// What is to be done about the peers that are missing, those of `only` if it is not
/// empty.
#[must_use]
pub fn missing(only: &[Library]) -> Vec<String> {
    let wanted = |library: &Library| only.is_empty() || only.contains(library);
    let missing = |library: &Library| library.version().is_none();
    Library::ALL
        .into_iter()
        .filter(|library| wanted(library) && missing(library))
        .map(|library| format!("left out: {}", library.how_to_link()))
        .collect()
}

/// The peer with that name, as its feature or as it calls itself.
///
/// # Errors
/// A sentence that says which there are.
pub fn parse_peer(name: &str) -> Result<Library, String> {
    let is_it = |library: &Library| {
        name.eq_ignore_ascii_case(library.feature()) || name.eq_ignore_ascii_case(library.name())
    };
    Library::ALL.into_iter().find(is_it).ok_or_else(|| {
        let mut text = String::from("there is no such peer; there are");
        for (index, library) in Library::ALL.into_iter().enumerate() {
            let _ = write!(text, "{} {}", if index > 0 { "," } else { "" }, library.feature());
        }
        text
    })
}
