//! What can be seen of DTLS 1.2 on the way, without its keys: the records' headers
//! and the handshake messages of epoch 0 (RFC 6347 sections 4.1 and 4.2.2).

use iot_crypto::wire::{DecodeError, Reader};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
const EXTENDED_MASTER_SECRET: u16 = 23;

/// What went one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams that were sent, those that were lost on the way included.
    pub datagrams: usize,
    /// The longest of them, in bytes of UDP payload.
    pub largest: usize,
    /// Demands for a cookie.
    pub hello_verify_requests: usize,
    /// Parts of handshake messages that did not come whole.
    pub fragments: usize,
    /// Whether a `ServerHello` took the extended master secret (RFC 7627), once one
    /// came whole.
    pub extended_master_secret: Option<bool>,
    /// The descriptions of the fatal alerts of epoch 0.
    pub alerts: Vec<u8>,
    /// Datagrams without application data that were lost.
    pub lost: usize,
    /// Datagrams with application data that were lost.
    pub lost_data: usize,
    /// Datagrams that were delivered twice.
    pub repeated: usize,
    /// Datagrams that were delivered after a later one.
    pub overtaken: usize,
}

impl Traffic {
    /// Counts a datagram that is sent.
    pub fn see(&mut self, datagram: &[u8]) {
        self.datagrams += 1;
        self.largest = self.largest.max(datagram.len());
        // What can't be read is not ours to judge: the receiver does.
        let _ = self.see_records(Reader::new(datagram));
    }

    fn see_records(&mut self, mut reader: Reader<'_>) -> Result<(), DecodeError> {
        while !reader.is_empty() {
            let (content_type, epoch, content) = record(&mut reader)?;
            match (content_type, epoch) {
                (HANDSHAKE, 0) => self.see_messages(Reader::new(content))?,
                (ALERT, 0) => {
                    if let [2, description] = content {
                        self.alerts.push(*description);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn see_messages(&mut self, mut reader: Reader<'_>) -> Result<(), DecodeError> {
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let length = reader.u24()? as usize;
            reader.u16()?;
            reader.u24()?;
            let part = reader.u24()? as usize;
            let body = reader.take(part)?;
            if part < length {
                self.fragments += 1;
            } else if kind == SERVER_HELLO {
                self.extended_master_secret = Some(has_extended_master_secret(body)?);
            } else if kind == HELLO_VERIFY_REQUEST {
                self.hello_verify_requests += 1;
            }
        }
        Ok(())
    }
}

/// Whether a record of application data is in `datagram`.
#[must_use]
pub fn carries_application_data(datagram: &[u8]) -> bool {
    let mut reader = Reader::new(datagram);
    while let Ok((content_type, ..)) = record(&mut reader) {
        if content_type == APPLICATION_DATA {
            return true;
        }
    }
    false
}

/// The next record's content type, epoch and content.
fn record<'a>(reader: &mut Reader<'a>) -> Result<(u8, u16, &'a [u8]), DecodeError> {
    let content_type = reader.u8()?;
    reader.u16()?;
    let epoch = reader.u16()?;
    reader.u48()?;
    Ok((content_type, epoch, reader.vector16()?))
}

fn has_extended_master_secret(server_hello: &[u8]) -> Result<bool, DecodeError> {
    let mut reader = Reader::new(server_hello);
    // Version, random value, session id, suite, compression.
    reader.take(2 + 32)?;
    reader.vector8()?;
    reader.take(2 + 1)?;
    if reader.is_empty() {
        return Ok(false);
    }
    let mut extensions = Reader::new(reader.vector16()?);
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        extensions.vector16()?;
        if kind == EXTENDED_MASTER_SECRET {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn record_of(content_type: u8, epoch: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let header = [content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
        [&header[..], &length, content].concat()
    }

    fn message(kind: u8, length: u8, part: &[u8]) -> Vec<u8> {
        let part_length = u8::try_from(part.len()).unwrap();
        [&[kind, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, part_length], part].concat()
    }

    #[test]
    fn what_passes_in_the_open_is_counted_and_the_rest_is_not_looked_into() {
        let hello = [&[0xfe, 0xfd][..], &[0; 32], &[0, 0xcc, 0xab, 0]].concat();
        let extended = [&hello[..], &[0, 4, 0, 23, 0, 0]].concat();
        let mut traffic = Traffic::default();
        let whole = message(SERVER_HELLO, 38, &hello);
        traffic.see(&[record_of(22, 0, &whole), record_of(21, 0, &[2, 40])].concat());
        assert_eq!(traffic.extended_master_secret, Some(false));
        assert_eq!(traffic.alerts, [40]);
        traffic.see(&record_of(22, 0, &message(SERVER_HELLO, 44, &extended)));
        assert_eq!(traffic.extended_master_secret, Some(true));
        traffic.see(&record_of(22, 0, &message(HELLO_VERIFY_REQUEST, 3, &[0xfe, 0xff, 0])));
        traffic.see(&record_of(22, 0, &message(1, 9, &[1, 2, 3])));
        // Protected, a warning, and rubbish.
        traffic.see(&record_of(22, 1, &message(HELLO_VERIFY_REQUEST, 9, &[0xfe, 0xff, 0])));
        traffic.see(&record_of(21, 0, &[1, 0]));
        traffic.see(&[1, 2]);
        let Traffic { datagrams, largest, hello_verify_requests, fragments, .. } = traffic;
        assert_eq!((datagrams, largest), (7, 13 + 12 + 38 + 13 + 2));
        assert_eq!((hello_verify_requests, fragments), (1, 1));
        assert_eq!(traffic.alerts, [40]);
    }

    #[test]
    fn application_data_is_found_behind_other_records() {
        let other = record_of(22, 1, &[1, 2, 3]);
        let data = record_of(23, 1, &[4]);
        assert!(!carries_application_data(&other));
        assert!(carries_application_data(&[other, data].concat()));
        assert!(!carries_application_data(&[]));
    }
}
