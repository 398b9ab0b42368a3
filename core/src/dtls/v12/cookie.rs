//! Stateless cookies (RFC 6347 section 4.2.1).

use core::hash::{Hash, Hasher};
use core::time::Duration;

use subtle::ConstantTimeEq as _;

use super::hello::HelloStart;
use crate::crypto::{EntropyError, Provider, Secret, Sha256};
use crate::time::Instant;

/// The length of a cookie of ours, in bytes.
pub(crate) const LENGTH: usize = 8;
/// How long cookies are made with one secret; each is accepted as long again.
const PERIOD: Duration = Duration::from_secs(60);

/// Makes and checks cookies.
///
/// A cookie is the start of an HMAC over the period of time, the address, and
/// what precedes the cookie in the `ClientHello`. The period is in the HMAC, so
/// the secret changes with it, and nothing needs to be drawn or timed.
pub(crate) struct CookieJar {
    secret: Secret<32>,
}

impl CookieJar {
    pub(crate) fn new<P: Provider>(provider: &mut P) -> Result<Self, EntropyError> {
        let mut secret = Secret::default();
        provider.random(secret.expose_mut())?;
        Ok(Self { secret })
    }

    /// A key for hashes of what comes from the network. Nothing that a cookie is
    /// made of is as short as its label.
    pub(crate) fn hash_key<P: Provider>(&self, provider: &P) -> [u8; 16] {
        let mac = provider.hmac_sha256(self.secret.expose(), &[b"hash key"]);
        mac.first_chunk().copied().unwrap_or_default()
    }

    /// The cookie for a `ClientHello` from `address`.
    pub(crate) fn make<P: Provider>(
        &self,
        provider: &P,
        now: Instant,
        address: &impl Hash,
        hello: &HelloStart<'_>,
    ) -> [u8; LENGTH] {
        self.of_period(provider, period(now), address, hello)
    }

    /// Whether the `ClientHello` carries a cookie made for it in this period or
    /// the one before.
    pub(crate) fn is_valid<P: Provider>(
        &self,
        provider: &P,
        now: Instant,
        address: &impl Hash,
        hello: &HelloStart<'_>,
    ) -> bool {
        if hello.cookie.len() != LENGTH {
            return false;
        }
        let current = period(now);
        let mut periods = core::iter::once(current).chain(current.checked_sub(1));
        periods.any(|period| {
            hello.cookie.ct_eq(&self.of_period(provider, period, address, hello)).into()
        })
    }

    fn of_period<P: Provider>(
        &self,
        provider: &P,
        period: u64,
        address: &impl Hash,
        hello: &HelloStart<'_>,
    ) -> [u8; LENGTH] {
        let mut bytes = AddressBytes { hash: provider.sha256() };
        address.hash(&mut bytes);
        let address = bytes.hash.finish();
        let message: [&[u8]; 3] = [&period.to_be_bytes(), &address, hello.before_cookie];
        let mac = provider.hmac_sha256(self.secret.expose(), &message);
        mac.first_chunk().copied().unwrap_or_default()
    }
}

fn period(now: Instant) -> u64 {
    now.as_millis() / (PERIOD.as_secs() * 1000)
}

/// Takes the bytes of an address, whatever type it is, through its `Hash`.
struct AddressBytes<S> {
    hash: S,
}

impl<S: Sha256> Hasher for AddressBytes<S> {
    fn write(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    fn finish(&self) -> u64 {
        // An address is only ever written; the digest is taken from the field.
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::provider;

    const ADDRESS: u16 = 7;

    #[test]
    fn a_cookie_is_good_for_its_address_hello_and_time_alone() {
        let mut provider = provider(1);
        let jar = CookieJar::new(&mut provider).unwrap();
        let now = Instant::from_millis(59_999);
        let bare = HelloStart { random: [1; 32], before_cookie: b"hello", cookie: &[] };
        let cookie = jar.make(&provider, now, &ADDRESS, &bare);
        let hello = HelloStart { cookie: &cookie, ..bare };
        let valid = |at, address: u16, hello: &HelloStart<'_>| {
            jar.is_valid(&provider, Instant::from_millis(at), &address, hello)
        };
        assert!(valid(59_999, ADDRESS, &hello));
        assert!(valid(60_000, ADDRESS, &hello));
        assert!(valid(119_999, ADDRESS, &hello));
        assert!(!valid(120_000, ADDRESS, &hello));
        assert!(!valid(59_999, 8, &hello));
        assert!(!valid(59_999, ADDRESS, &bare));
        assert!(!valid(59_999, ADDRESS, &HelloStart { before_cookie: b"hallo", ..hello }));
        assert!(!valid(59_999, ADDRESS, &HelloStart { cookie: &cookie[..7], ..hello }));
        let mut other_secret = crate::testing::provider(2);
        let other = CookieJar::new(&mut other_secret).unwrap();
        assert!(!other.is_valid(&provider, now, &ADDRESS, &hello));
    }
}
