//! What an uplink is configured with.

use core::time::Duration;

use crate::connection::ForwardSecrecy;
use crate::dtls;

/// How a party looks for the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search<A> {
    /// It waits for an advertisement.
    Advertisement,
    /// It knows the address of the negotiation service.
    At(A),
}

/// What an uplink is configured with.
#[derive(Clone, Debug)]
pub struct Settings<A> {
    /// Where to look for the party above.
    pub search: Search<A>,
    /// Whether the party brings an ephemeral key of its own to the negotiation.
    pub forward_secrecy: ForwardSecrecy,
    /// Whether it sleeps between exchanges, so that the peer keeps requests
    /// until it hears from it.
    pub sleepy: bool,
    /// The settings of the DTLS connections.
    pub dtls: dtls::Config,
    /// The time after the first failed attempt until the next; it doubles with
    /// each failure.
    pub retry: Duration,
    /// The longest time between attempts.
    pub retry_limit: Duration,
}

impl<A> Settings<A> {
    /// The usual settings for a party that looks for the one above as `search`
    /// says: an ephemeral key, no sleep, attempts after 2 s to 5 min.
    pub fn new(search: Search<A>) -> Self {
        Self {
            search,
            forward_secrecy: ForwardSecrecy::On,
            sleepy: false,
            dtls: dtls::Config::default(),
            retry: Duration::from_secs(2),
            retry_limit: Duration::from_secs(300),
        }
    }
}
