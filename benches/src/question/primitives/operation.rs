//! What is computed, and from what.

use std::fmt::{self, Display, Formatter};

use iot_crypto::crypto::{
    Nonce, P256PublicKey, P256Secret, Provider as _, RustCrypto, Signature, SymmetricKey, Tag,
    X25519PublicKey, X25519Secret,
};

use getrandom::SysRng;

/// The records of the AEAD, in bytes.
pub(super) const RECORDS: [usize; 4] = [16, 64, 256, 1024];
/// What is hashed and authenticated, in bytes.
pub(super) const MESSAGES: [usize; 2] = [32, 256];
/// The greatest length of what comes of an operation, in bytes: a record and its tag.
pub(super) const OUTPUT: usize = 1024 + size_of::<Tag>();

/// When the key of an operation is made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Once, before anything is measured.
    Before,
    /// Each time, from its bytes: so it is where a session keeps nothing else.
    EachTime,
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "key made ready before",
            Self::EachTime => "key made ready each time",
        })
    }
}

/// How a public key of P-256 is given (SEC 1 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// In 33 bytes, as it is in a certificate.
    Compressed,
    /// In 65 bytes.
    Uncompressed,
}

/// What a provider needs of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// A record of so many bytes is sealed in place with ChaCha20-Poly1305.
    Seal(Key, usize),
    /// It is opened in place.
    Open(Key, usize),
    /// The X25519 public key of a private key.
    X25519PublicKey,
    /// The X25519 shared secret of a private key and someone's public key.
    X25519,
    /// The P-256 public key of a private key: a multiple of the generator.
    P256PublicKey,
    /// An ECDSA signature with the nonce of RFC 6979.
    P256Sign,
    /// Its verification.
    P256Verify(Point),
    /// SHA-256 of so many bytes.
    Sha256(usize),
    /// HMAC-SHA256 of so many bytes.
    Hmac(Key, usize),
    /// HKDF-SHA256, extracting and expanding.
    Hkdf,
}

impl Operation {
    /// All of them; those of one primitive follow on one another.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for key in [Key::Before, Key::EachTime] {
            all.extend(RECORDS.iter().flat_map(|&n| [Self::Seal(key, n), Self::Open(key, n)]));
        }
        all.extend([Self::X25519PublicKey, Self::X25519, Self::P256PublicKey, Self::P256Sign]);
        all.extend([Point::Compressed, Point::Uncompressed].map(Self::P256Verify));
        all.extend(MESSAGES.map(Self::Sha256));
        for key in [Key::Before, Key::EachTime] {
            all.extend(MESSAGES.map(|length| Self::Hmac(key, length)));
        }
        all.push(Self::Hkdf);
        all
    }

    /// What it is an operation of.
    pub(super) fn primitive(self) -> String {
        match self {
            Self::Seal(key, length) | Self::Open(key, length) => {
                format!("ChaCha20-Poly1305, {length} bytes, {key}")
            }
            Self::X25519PublicKey | Self::X25519 => "X25519, of an existing private key".to_owned(),
            Self::P256PublicKey | Self::P256Sign | Self::P256Verify(_) => {
                "P-256, with SHA-256".to_owned()
            }
            Self::Sha256(_) => "SHA-256".to_owned(),
            Self::Hmac(key, _) => format!("HMAC-SHA256, {key}"),
            Self::Hkdf => "HKDF-SHA256".to_owned(),
        }
    }

    /// How many of them a batch has: what is over in less than a microsecond could not
    /// be timed alone.
    pub(super) const fn batch(self) -> usize {
        match self {
            Self::X25519PublicKey
            | Self::X25519
            | Self::P256PublicKey
            | Self::P256Sign
            | Self::P256Verify(_) => 1,
            Self::Seal(..) | Self::Open(..) | Self::Sha256(_) | Self::Hmac(..) | Self::Hkdf => 64,
        }
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(..) => f.write_str("seal"),
            Self::Open(..) => f.write_str("open"),
            Self::X25519PublicKey | Self::P256PublicKey => f.write_str("public key"),
            Self::X25519 => f.write_str("shared secret"),
            Self::P256Sign => f.write_str("sign"),
            Self::P256Verify(Point::Compressed) => f.write_str("verify, key compressed"),
            Self::P256Verify(Point::Uncompressed) => f.write_str("verify, key uncompressed"),
            Self::Sha256(length) | Self::Hmac(_, length) => write!(f, "{length} bytes"),
            Self::Hkdf => f.write_str("extract and expand"),
        }
    }
}

/// What everyone is given.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub(super) key: SymmetricKey,
    pub(super) nonce: Nonce,
    /// As long as that of a record of DTLS 1.2 (RFC 5246 section 6.2.3.3).
    pub(super) aad: [u8; 13],
    /// What is sealed, hashed and authenticated, as much of it as is asked for.
    pub(super) content: Vec<u8>,
    pub(super) x25519_secret: X25519Secret,
    pub(super) x25519_public: X25519PublicKey,
    pub(super) p256_secret: P256Secret,
    pub(super) p256_public: P256PublicKey,
    pub(super) p256_uncompressed: [u8; 65],
    /// About as long as the content of a certificate.
    pub(super) signed: [u8; 100],
    pub(super) signature: Signature,
    /// As HKDF is used for the key of a session: salt, input and info.
    pub(super) salt: [u8; 32],
    pub(super) input: [u8; 64],
    pub(super) info: [u8; 22],
}

impl Inputs {
    /// # Errors
    /// None: the keys are valid.
    pub(super) fn new() -> anyhow::Result<Self> {
        let provider = RustCrypto::new(SysRng);
        let mut p256_uncompressed = [0; 65];
        let [form, coordinates @ ..] = &mut p256_uncompressed;
        *form = 4;
        coordinates.copy_from_slice(&P256_POINT);
        let (p256_secret, signed) = (P256Secret::new(P256_SECRET), [0x33; 100]);
        let signature = provider
            .p256_sign(&p256_secret, &[&signed])
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self {
            key: SymmetricKey::new([7; 32]),
            nonce: [9; 12],
            aad: [3; 13],
            content: (0..=u8::MAX).cycle().take(OUTPUT).collect(),
            x25519_secret: X25519Secret::new([0x55; 32]),
            x25519_public: provider.x25519_public_key(&X25519Secret::new([0x66; 32])),
            p256_secret,
            p256_public: P256PublicKey(compressed(&p256_uncompressed)),
            p256_uncompressed,
            signed,
            signature,
            salt: [0x11; 32],
            input: [0x22; 64],
            info: *b"IoT-Crypto session key",
        })
    }

    /// The first bytes of the content.
    pub(super) fn content(&self, length: usize) -> Vec<u8> {
        self.content.get(..length).unwrap_or_default().to_vec()
    }
}

/// The short form of a point (SEC 1 section 2.3.3).
pub(super) fn compressed(uncompressed: &[u8; 65]) -> [u8; 33] {
    let mut compressed = [0; 33];
    let ([_, x @ ..], [form, to @ ..]) = (uncompressed, &mut compressed);
    let (x, y) = x.split_at(32);
    *form = 2 + (y.last().copied().unwrap_or_default() & 1);
    to.copy_from_slice(x);
    compressed
}

/// The key pair of RFC 6979 appendix A.2.5.
const P256_SECRET: [u8; 32] = [
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];
const P256_POINT: [u8; 64] = [
    0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
    0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6,
    0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64,
    0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99,
];
