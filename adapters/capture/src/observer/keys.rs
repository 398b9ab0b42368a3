//! From a master secret to the content of records.

use iot_crypto::crypto::{Nonce, Provider, Secret, SymmetricKey, Tag};

use super::record::Record;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// The keys of a session under TLS_PSK_WITH_CHACHA20_POLY1305_SHA256.
pub(super) struct Keys<P: Provider> {
    client: Direction<P>,
    server: Direction<P>,
}

struct Direction<P: Provider> {
    key: P::AeadKey,
    iv: Secret<12>,
}

impl<P: Provider> Direction<P> {
    fn new(provider: &P, key: &[u8; 32], iv: &[u8; 12]) -> Self {
        let key = provider.aead_key(&SymmetricKey::new(*key));
        Self { key, iv: Secret::new(*iv) }
    }
}

impl<P: Provider> Keys<P> {
    /// The key block (RFC 5246 section 6.3): two keys of 32 bytes and two IVs of 12
    /// (RFC 7905 section 2), the client's first. `randoms` are the client's and the
    /// server's.
    pub(super) fn new(provider: &P, master: &Secret<48>, randoms: [[u8; 32]; 2]) -> Self {
        let [client, server] = randoms;
        let seed: [&[u8]; 3] = [b"key expansion", &server, &client];
        let block = key_block(provider, master, seed);
        let (keys, ivs) = block.expose().split_at(64);
        let (mut keys, _) = keys.as_chunks::<32>();
        let (mut ivs, _) = ivs.as_chunks::<12>();
        let mut next = || {
            let zero = (&[0; 32], &[0; 12]);
            let key = keys.split_off_first().unwrap_or(zero.0);
            let iv = ivs.split_off_first().unwrap_or(zero.1);
            Direction::new(provider, key, iv)
        };
        Self { client: next(), server: next() }
    }

    /// Opens a record that `sender` has sent; `None` if it was not sealed with these
    /// keys.
    pub(super) fn open(&self, provider: &P, sender: Side, record: &Record<'_>) -> Option<Vec<u8>> {
        let direction = match sender {
            Side::Client => &self.client,
            Side::Server => &self.server,
        };
        let (sealed, tag) = record.content.split_last_chunk::<{ size_of::<Tag>() }>()?;
        // RFC 7905 section 2: the IV, its last eight bytes changed by the number.
        let mut nonce: Nonce = *direction.iv.expose();
        for (to, from) in nonce.iter_mut().skip(4).zip(record.number) {
            *to ^= from;
        }
        // RFC 5246 section 6.2.3.3.
        let [high, low] = u16::try_from(sealed.len()).ok()?.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = record.number;
        let [major, minor] = record.version;
        let aad = [a, b, c, d, e, f, g, h, record.kind, major, minor, high, low];
        let mut content = sealed.to_vec();
        provider.open(&direction.key, &nonce, &aad, &mut content, tag).ok()?;
        Some(content)
    }
}

/// P_SHA256 (RFC 5246 section 5), as much as the key block takes.
fn key_block<P: Provider>(provider: &P, master: &Secret<48>, seed: [&[u8]; 3]) -> Secret<88> {
    let [label, first, second] = seed;
    let master = provider.hmac_key(master.expose());
    let mut block = Secret::default();
    let mut a = Secret::new(provider.hmac(&master, &[label, first, second]));
    for chunk in block.expose_mut().chunks_mut(32) {
        let part = Secret::new(provider.hmac(&master, &[a.expose(), label, first, second]));
        for (to, from) in chunk.iter_mut().zip(part.expose()) {
            *to = *from;
        }
        a = Secret::new(provider.hmac(&master, &[a.expose()]));
    }
    block
}
