//! The client's side.

use super::Connection;
use crate::crypto::{EntropyError, Provider};
use crate::dtls::v12::client::{Handshake, Offering};
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
        let offering = Offering::new(provider, identity, key)?;
        Ok(Self::offer(config, now, offering))
    }

    /// [`Client::new`], with what can fail behind it: so it can be made where it is to be.
    pub(crate) fn offer(config: &Config, now: Instant, offering: Offering) -> Self {
        Self::begin(Handshake::start(config, now, offering))
    }
}
