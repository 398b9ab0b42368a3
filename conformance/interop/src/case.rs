//! What is tried with each peer, in each direction.

mod disturbed;
mod ending;
mod refusal;
mod sizes;

use anyhow::ensure;
use iot_crypto::dtls::CookiePolicy;
use iot_crypto_peers::Version;

use crate::pair::{Direction, Pair, Setup};
use crate::peer::Library;

/// A case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// A handshake as short as it can be, and data both ways.
    Plain,
    /// The server demands a cookie.
    WithCookie,
    /// Datagrams so small that handshake messages come in fragments.
    SmallDatagrams,
    /// The relay loses one datagram in twenty.
    WithLoss,
    /// The relay repeats one datagram in twenty, and delays as many.
    OutOfOrder,
    /// The peer does not know the extended master secret, and we require it.
    ExtendedMasterSecretRequired,
    /// The peer does not know the extended master secret, and we don't require it.
    ExtendedMasterSecretPreferred,
    /// The two sides have different keys.
    WrongKey,
    /// We close.
    ClosedByUs,
    /// The peer closes.
    ClosedByPeer,
    /// Payloads of all sizes.
    Sizes,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::WithCookie,
        Self::SmallDatagrams,
        Self::WithLoss,
        Self::OutOfOrder,
        Self::ExtendedMasterSecretRequired,
        Self::ExtendedMasterSecretPreferred,
        Self::WrongKey,
        Self::ClosedByUs,
        Self::ClosedByPeer,
        Self::Sizes,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::WithCookie => "with cookie",
            Self::SmallDatagrams => "small datagrams",
            Self::WithLoss => "with loss",
            Self::OutOfOrder => "out of order",
            Self::ExtendedMasterSecretRequired => "extended master secret required",
            Self::ExtendedMasterSecretPreferred => "extended master secret preferred",
            Self::WrongKey => "wrong key",
            Self::ClosedByUs => "closed by us",
            Self::ClosedByPeer => "closed by the peer",
            Self::Sizes => "sizes",
        }
    }

    /// What passes, and what a note in the table says.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Plain => {
                "The handshake ends without a cookie and with the extended master secret; data \
                 goes both ways. “with cookie”: the peer's server never does without."
            }
            Self::WithCookie => "The same, and the server demands a cookie first.",
            Self::SmallDatagrams => {
                "Our datagrams are at most 128 bytes, theirs at most 256 (OpenSSL, wolfSSL), 128, \
                 or 96 (Mbed TLS as server); identity, hint and server name are long. So \
                 handshake messages come in fragments, and nobody exceeds the limit. Noted: the \
                 fragments of ours and theirs. wolfSSL never splits these messages, and of our \
                 server's none is long enough."
            }
            Self::WithLoss => {
                "The relay loses 5 % of the datagrams, with 16 seeds: every handshake ends, and \
                 of the payloads exactly those arrive that were not lost, in order."
            }
            Self::OutOfOrder => {
                "The relay delivers 5 % of the datagrams twice and 5 % after the next one, with \
                 16 seeds: every handshake ends, and every payload arrives exactly once."
            }
            Self::ExtendedMasterSecretRequired => {
                "The peer has the extended master secret switched off, and our default requires \
                 it: we refuse with handshake_failure, and nobody connects."
            }
            Self::ExtendedMasterSecretPreferred => {
                "The same peer, and ours prefers the extension only: both connect without it."
            }
            Self::WrongKey => {
                "The keys differ: nobody connects. Noted: what tells us, the peer's alert or our \
                 own deadline."
            }
            Self::ClosedByUs => "We send close_notify, and the peer takes it as the end.",
            Self::ClosedByPeer => {
                "The peer sends close_notify; we take it as the end and answer with ours, which \
                 the peer takes."
            }
            Self::Sizes => {
                "Payloads of 1 byte up to the greatest, with every size about a power of two and \
                 a block of the cipher. Noted: the greatest that we send, and that the peer \
                 does, in bytes."
            }
        }
    }

    /// Tries it; gives a note for the table if there is something to say.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(self, library: Library, direction: Direction) -> anyhow::Result<Option<String>> {
        let party = Parties { library, direction };
        match self {
            Self::Plain => plain(party),
            Self::WithCookie => with_cookie(party),
            Self::SmallDatagrams => sizes::small_datagrams(party),
            Self::WithLoss => disturbed::with_loss(party),
            Self::OutOfOrder => disturbed::out_of_order(party),
            Self::ExtendedMasterSecretRequired => refusal::extended_master_secret(party),
            Self::ExtendedMasterSecretPreferred => without_extended_master_secret(party),
            Self::WrongKey => refusal::wrong_key(party),
            Self::ClosedByUs => ending::by_us(party),
            Self::ClosedByPeer => ending::by_peer(party),
            Self::Sizes => sizes::sizes(party),
        }
    }
}

/// Who talks in a case.
#[derive(Clone, Copy, Debug)]
struct Parties {
    library: Library,
    direction: Direction,
}

impl Parties {
    /// Whether the peer's server demands a cookie even if it is told not to.
    fn always_with_cookie(self) -> bool {
        self.direction == Direction::OurClient
            && self.library.always_demands_cookie(Version::Dtls12)
    }

    fn begin(self, setup: &Setup) -> anyhow::Result<Pair> {
        Pair::new(self.library, self.direction, setup)
    }

    fn connect(self, setup: &Setup) -> anyhow::Result<Pair> {
        Pair::connected(self.library, self.direction, setup)
    }
}

fn plain(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut pair = parties.connect(&Setup::default())?;
    pair.exchange()?;
    let server = pair.from_server();
    ensure!(server.extended_master_secret == Some(true), "no extended master secret");
    if parties.always_with_cookie() {
        ensure!(server.hello_verify_requests > 0, "for once, wolfSSL demanded no cookie");
        return Ok(Some("with cookie".to_owned()));
    }
    ensure!(server.hello_verify_requests == 0, "a cookie was demanded");
    Ok(None)
}

fn with_cookie(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut setup = Setup { cookies: CookiePolicy::Always, ..Setup::default() };
    setup.theirs.cookie = true;
    let mut pair = parties.connect(&setup)?;
    pair.exchange()?;
    let demands = pair.from_server().hello_verify_requests;
    ensure!(demands == 1, "a cookie was demanded {demands} times");
    Ok(None)
}

fn without_extended_master_secret(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut pair = parties.connect(&refusal::without_extended_master_secret())?;
    pair.exchange()?;
    let server = pair.from_server();
    ensure!(server.extended_master_secret == Some(false), "the extension was there");
    Ok(None)
}
