//! The client's side.

use super::Connection;
use crate::crypto::{EntropyError, Provider};
use crate::dtls::v12::client::Handshake;
use crate::dtls::{Config, PresharedKey, PskIdentity};
use crate::time::Instant;

/// A client's connection with one server.
pub type Client<P> = Connection<P, Handshake<P>>;

impl<P: Provider> Client<P> {
    /// A client that begins a handshake at `now`, under the name `identity`.
    ///
    /// # Errors
    /// [`EntropyError`] if `provider` gives no random bytes.
    pub fn new(
        config: &Config,
        provider: &mut P,
        now: Instant,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, EntropyError> {
        Handshake::start(config, provider, now, identity, key).map(Self::begin)
    }
}
