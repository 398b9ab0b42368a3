//! From the pre-shared key to the keys of the records: the PRF with SHA-256
//! (RFC 5246 section 5), the master secret (RFC 4279 section 2, RFC 5246
//! section 8.1, RFC 7627 section 4), the key block (RFC 5246 section 6.3) and
//! the `Finished` of both sides (RFC 5246 section 7.4.9).
//!
//! ```text
//! PresharedKey ─► PremasterSecret ─► MasterSecret ─► Keys
//!                                         └────────► FinishedPair
//! ```
//! Each is consumed by the next, and erased.

use super::hello::Randoms;
use super::message::VERIFY_DATA_LENGTH;
use super::protection::{ReadState, TrafficKey, WriteState};
use super::transcript::Transcript;
use crate::crypto::{KeyLogLabel, Provider, Secret, Sha256Digest};
use crate::dtls::PresharedKey;
use crate::wire::copy;
use zeroize::Zeroize as _;

/// The epoch that the keys of a handshake open; there is no other one, since
/// there is no renegotiation.
const EPOCH: u16 = 1;

/// P_SHA256 (RFC 5246 section 5) with the seed `label` + `seed`.
fn prf<P: Provider>(
    provider: &P,
    secret: &P::HmacKey,
    label: &[u8],
    seed: [&[u8]; 2],
    out: &mut [u8],
) {
    let [first, second] = seed;
    let mut a = Sha256Digest::default();
    for (index, chunk) in out.chunks_mut(a.len()).enumerate() {
        a = match index {
            0 => provider.hmac(secret, &[label, first, second]),
            _ => provider.hmac(secret, &[&a]),
        };
        let mut block = provider.hmac(secret, &[&a, label, first, second]);
        for (to, from) in chunk.iter_mut().zip(&block) {
            *to = *from;
        }
        block.zeroize();
    }
    a.zeroize();
}

/// How the master secret is bound to its handshake.
pub(crate) enum Binding {
    /// To all of it up to the `ClientKeyExchange` (RFC 7627): the session hash.
    Extended(Sha256Digest),
    /// Only to the two random values.
    Randoms,
}

/// Which side of the handshake we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The premaster secret of a plain PSK key exchange (RFC 4279 section 2): the
/// key's length, as many zeros, the length again, and the key.
struct PremasterSecret {
    bytes: Secret<{ 4 + 2 * PresharedKey::MAX_LENGTH }>,
    length: usize,
}

impl PremasterSecret {
    fn new(key: &PresharedKey) -> Self {
        let key = key.expose();
        let mut bytes = Secret::default();
        let mut writer = crate::wire::Writer::new(bytes.expose_mut());
        writer.vector16(|writer| key.iter().for_each(|_| writer.u8(0)));
        writer.vector16(|writer| writer.bytes(key));
        let length = writer.len();
        Self { bytes, length }
    }

    fn master_secret<P: Provider>(
        self,
        provider: &P,
        binding: &Binding,
        randoms: &Randoms,
    ) -> MasterSecret<P> {
        let premaster = self.bytes.expose().get(..self.length).unwrap_or_default();
        let mut master = Secret::<48>::default();
        let (label, seed): (&[u8], [&[u8]; 2]) = match binding {
            Binding::Extended(hash) => (b"extended master secret", [hash, &[]]),
            Binding::Randoms => (b"master secret", [&randoms.client, &randoms.server]),
        };
        prf(provider, &provider.hmac_key(premaster), label, seed, master.expose_mut());
        provider.log_secret(KeyLogLabel::ClientRandom, &randoms.client, master.expose());
        MasterSecret(provider.hmac_key(master.expose()))
    }
}

/// The master secret, as the key of the PRF: it is used for nothing else.
struct MasterSecret<P: Provider>(P::HmacKey);

impl<P: Provider> MasterSecret<P> {
    fn traffic_keys(&self, provider: &P, randoms: &Randoms) -> [TrafficKey; 2] {
        let mut block = Secret::<88>::default();
        let seed: [&[u8]; 2] = [&randoms.server, &randoms.client];
        prf(provider, &self.0, b"key expansion", seed, block.expose_mut());
        let mut reader = crate::wire::Reader::new(block.expose());
        let mut take = |out: &mut [u8]| {
            if let Ok(bytes) = reader.take(out.len()) {
                copy(bytes, out);
            }
        };
        let mut keys =
            [(); 2].map(|()| TrafficKey { key: Secret::default(), iv: Secret::default() });
        keys.iter_mut().for_each(|traffic| take(traffic.key.expose_mut()));
        keys.iter_mut().for_each(|traffic| take(traffic.iv.expose_mut()));
        keys
    }

    fn verify_data(
        &self,
        provider: &P,
        side: Side,
        digest: &Sha256Digest,
    ) -> Secret<VERIFY_DATA_LENGTH> {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let mut data = Secret::default();
        prf(provider, &self.0, label, [digest, &[]], data.expose_mut());
        data
    }
}

/// The record states of the new epoch.
pub(crate) struct Keys<P: Provider> {
    pub(crate) write: WriteState<P>,
    pub(crate) read: ReadState<P>,
}

/// What our `Finished` says, and what the peer's must say.
///
/// Both are known as soon as the keys are: if the client's is valid, it is the
/// one that was computed here, and so is the transcript with it.
pub(crate) struct FinishedPair {
    pub(crate) own: [u8; VERIFY_DATA_LENGTH],
    pub(crate) expected: ExpectedFinished,
}

/// What the peer's `Finished` must say.
pub(crate) struct ExpectedFinished(Secret<VERIFY_DATA_LENGTH>);

/// The peer's `Finished` was verified: it holds the same key, and saw the same
/// handshake. Only [`ExpectedFinished::verify`] makes it.
pub(crate) struct VerifiedFinished(());

impl ExpectedFinished {
    /// Compares, in constant time, with what the peer sent.
    pub(crate) fn verify(&self, body: &[u8]) -> Option<VerifiedFinished> {
        let received = <[u8; VERIFY_DATA_LENGTH]>::try_from(body).ok()?;
        (Secret::new(received) == self.0).then_some(VerifiedFinished(()))
    }
}

/// Derives everything from the key. `transcript` ends with the
/// `ClientKeyExchange`; the client's `Finished` will have the number
/// `client_finished`.
pub(crate) fn derive<P: Provider>(
    provider: &P,
    side: Side,
    key: &PresharedKey,
    extended_master_secret: bool,
    randoms: &Randoms,
    transcript: &mut Transcript<P>,
    client_finished: u16,
) -> (Keys<P>, FinishedPair) {
    let session_hash = transcript.digest();
    let binding =
        if extended_master_secret { Binding::Extended(session_hash) } else { Binding::Randoms };
    let master = PremasterSecret::new(key).master_secret(provider, &binding, randoms);
    let client = master.verify_data(provider, Side::Client, &session_hash);
    transcript.add_finished(client_finished, client.expose());
    let server = master.verify_data(provider, Side::Server, &transcript.digest());
    let [client_key, server_key] = master.traffic_keys(provider, randoms);
    let (write, read, own, expected) = match side {
        Side::Client => (client_key, server_key, client, server),
        Side::Server => (server_key, client_key, server, client),
    };
    let keys = Keys {
        write: WriteState::new(provider, EPOCH, &write),
        read: ReadState::new(provider, EPOCH, &read),
    };
    (keys, FinishedPair { own: *own.expose(), expected: ExpectedFinished(expected) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::provider;
    use data::*;

    mod data {
        /// The test vector for P_SHA256 that is in common use (IETF TLS mailing
        /// list, "Test vectors for TLS 1.2 PRF", 2009).
        pub(super) const SECRET: [u8; 16] = [
            0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71,
            0xdb, 0x35,
        ];
        pub(super) const SEED: [u8; 16] = [
            0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5,
            0x19, 0x8c,
        ];
        pub(super) const OUTPUT: [u8; 100] = [
            0xe3, 0xf2, 0x29, 0xba, 0x72, 0x7b, 0xe1, 0x7b, 0x8d, 0x12, 0x26, 0x20, 0x55, 0x7c,
            0xd4, 0x53, 0xc2, 0xaa, 0xb2, 0x1d, 0x07, 0xc3, 0xd4, 0x95, 0x32, 0x9b, 0x52, 0xd4,
            0xe6, 0x1e, 0xdb, 0x5a, 0x6b, 0x30, 0x17, 0x91, 0xe9, 0x0d, 0x35, 0xc9, 0xc9, 0xa4,
            0x6b, 0x4e, 0x14, 0xba, 0xf9, 0xaf, 0x0f, 0xa0, 0x22, 0xf7, 0x07, 0x7d, 0xef, 0x17,
            0xab, 0xfd, 0x37, 0x97, 0xc0, 0x56, 0x4b, 0xab, 0x4f, 0xbc, 0x91, 0x66, 0x6e, 0x9d,
            0xef, 0x9b, 0x97, 0xfc, 0xe3, 0x4f, 0x79, 0x67, 0x89, 0xba, 0xa4, 0x80, 0x82, 0xd1,
            0x22, 0xee, 0x42, 0xc5, 0xa7, 0x2e, 0x5a, 0x51, 0x10, 0xff, 0xf7, 0x01, 0x87, 0x34,
            0x7b, 0x66,
        ];
    }

    #[test]
    fn the_prf_gives_the_vector() {
        let mut out = [0; 100];
        prf(&provider(1), &provider(1).hmac_key(&SECRET), b"test label", [&SEED, &[]], &mut out);
        assert_eq!(out, OUTPUT);
        let mut split = [0; 33];
        prf(
            &provider(1),
            &provider(1).hmac_key(&SECRET),
            b"test label",
            [&SEED[..3], &SEED[3..]],
            &mut split,
        );
        assert_eq!(split, OUTPUT[..33]);
    }

    #[test]
    fn the_premaster_secret_is_that_of_a_plain_psk() {
        let premaster = PremasterSecret::new(&PresharedKey::new(&[7, 8, 9]).unwrap());
        assert_eq!(premaster.bytes.expose()[..premaster.length], [0, 3, 0, 0, 0, 0, 3, 7, 8, 9]);
    }

    fn pair(side: Side, key: &[u8], extended: bool, hello: &[u8]) -> FinishedPair {
        let provider = provider(1);
        let randoms = Randoms { client: [1; 32], server: [2; 32] };
        let mut transcript = Transcript::new(&provider);
        transcript.add_encoded(hello);
        let key = PresharedKey::new(key).unwrap();
        derive(&provider, side, &key, extended, &randoms, &mut transcript, 3).1
    }

    #[test]
    fn only_the_same_key_and_the_same_handshake_verify() {
        let client = pair(Side::Client, &[1; 16], true, b"hello");
        let server = pair(Side::Server, &[1; 16], true, b"hello");
        assert!(server.expected.verify(&client.own).is_some());
        assert!(client.expected.verify(&server.own).is_some());
        assert!(server.expected.verify(&server.own).is_none());
        assert!(server.expected.verify(&client.own[..11]).is_none());
        for other in [
            pair(Side::Client, &[2; 16], true, b"hello"),
            pair(Side::Client, &[1; 16], true, b"hullo"),
            pair(Side::Client, &[1; 16], false, b"hello"),
        ] {
            assert!(server.expected.verify(&other.own).is_none());
        }
    }
}
