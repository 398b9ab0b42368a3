//! What an observer reads of records and of messages of the handshake.

use iot_crypto::wire::{DecodeError, Reader};

/// Content types (RFC 5246 section 6.2.1).
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// The epoch of all protected records, since nobody renegotiates (SPEC.md section
/// 11.1).
pub(super) const PROTECTED_EPOCH: u16 = 1;

/// Types of handshake messages (RFC 5246 section 7.4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// A record of DTLS 1.2 (RFC 6347 section 4.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    pub(super) version: [u8; 2],
    pub(super) epoch: u16,
    /// Epoch and sequence number, as on the wire.
    pub(super) number: [u8; 8],
    pub(super) content: &'a [u8],
}

impl<'a> Record<'a> {
    /// The records of a datagram, up to the first that is cut off.
    pub(super) fn all(datagram: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut reader = Reader::new(datagram);
        std::iter::from_fn(move || Self::read(&mut reader).ok())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (kind, version): (_, [u8; 2]) = (reader.u8()?, reader.array()?);
        let number: [u8; 8] = reader.array()?;
        let [high, low, ..] = number;
        let epoch = u16::from_be_bytes([high, low]);
        Ok(Self { kind, version, epoch, number, content: reader.vector16()? })
    }
}

/// What is at the beginning of the messages that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeStart {
    ClientHello { random: [u8; 32] },
    ServerHello { random: [u8; 32] },
    ClientKeyExchange { identity_length: u16 },
}

impl HandshakeStart {
    /// Those in a record: of each message that matters, the first fragment.
    pub(super) fn all(content: &[u8]) -> impl Iterator<Item = Self> {
        let mut reader = Reader::new(content);
        let fragments = std::iter::from_fn(move || Self::read(&mut reader).ok());
        fragments.flatten()
    }

    /// Reads a fragment (RFC 6347 section 4.2.2); `None` if it is of no use.
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let kind = reader.u8()?;
        let (_length, _sequence, offset) = (reader.u24()?, reader.u16()?, reader.u24()?);
        let length = usize::try_from(reader.u24()?).unwrap_or(usize::MAX);
        let body = reader.take(length)?;
        Ok(if offset == 0 { Self::parse(kind, body).ok().flatten() } else { None })
    }

    fn parse(kind: u8, body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut body = Reader::new(body);
        Ok(match kind {
            CLIENT_HELLO | SERVER_HELLO => {
                let _version = body.u16()?;
                let random = body.array()?;
                Some(match kind {
                    CLIENT_HELLO => Self::ClientHello { random },
                    _ => Self::ServerHello { random },
                })
            }
            // RFC 4279 section 2: it holds the PSK identity, with its length.
            CLIENT_KEY_EXCHANGE => Some(Self::ClientKeyExchange { identity_length: body.u16()? }),
            _ => None,
        })
    }
}
