//! The hello messages (RFC 5246 section 7.4.1, RFC 6347 section 4.2.1), and
//! the two extensions that are negotiated: the extended master secret
//! (RFC 7627) and the renegotiation indication (RFC 5746).

use super::record::{DTLS_1_0, DTLS_1_2};
use crate::dtls::AlertDescription;
use crate::wire::{DecodeError, Reader, Writer};

/// TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905).
const SUITE: u16 = 0xccab;
/// Says the same as an empty renegotiation indication (RFC 5746 section 3.3),
/// in fewer bytes.
const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00ff;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RENEGOTIATION_INFO: u16 = 0xff01;
const NULL_COMPRESSION: u8 = 0;

/// The greatest length of a cookie (RFC 6347 section 4.2.1), in bytes.
pub(crate) const MAX_COOKIE: usize = 255;
/// The greatest length of our `ClientHello`'s body, in bytes.
pub(crate) const MAX_CLIENT_HELLO: usize = 2 + 32 + 1 + 1 + MAX_COOKIE + 6 + 2 + 6;
/// The length of our `ServerHello`'s body at most, in bytes.
pub(crate) const MAX_SERVER_HELLO: usize = 2 + 32 + 1 + 2 + 1 + 11;

/// A cookie.
pub(crate) type Cookie = heapless::Vec<u8, MAX_COOKIE, u8>;

/// The random value of a hello.
pub(crate) type Random = [u8; 32];

/// The two random values of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Randoms {
    pub(crate) client: Random,
    pub(crate) server: Random,
}

/// Writes our `ClientHello`.
pub(crate) fn write_client_hello(writer: &mut Writer<'_>, random: &Random, cookie: &[u8]) {
    writer.u16(DTLS_1_2);
    writer.bytes(random);
    writer.vector8(|_| {});
    writer.vector8(|writer| writer.bytes(cookie));
    writer.vector16(|writer| {
        writer.u16(SUITE);
        writer.u16(EMPTY_RENEGOTIATION_INFO_SCSV);
    });
    writer.vector8(|writer| writer.u8(NULL_COMPRESSION));
    writer.vector16(|writer| {
        writer.u16(EXTENDED_MASTER_SECRET);
        writer.vector16(|_| {});
    });
}

/// The first part of a `ClientHello`: what a cookie is made over, and the
/// cookie. It can be read from the first fragment alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HelloStart<'a> {
    pub(crate) random: Random,
    /// Version, random and session id as they came.
    pub(crate) before_cookie: &'a [u8],
    pub(crate) cookie: &'a [u8],
}

impl<'a> HelloStart<'a> {
    /// Reads it from the start of `body`, which may go on or be cut off.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        // RFC 6347 section 4.2.1: all versions of DTLS have the major number 254.
        if version >> 8 != DTLS_1_2 >> 8 {
            return Err(DecodeError::UnknownVersion);
        }
        let random = reader.array()?;
        if reader.vector8()?.len() > 32 {
            return Err(DecodeError::TooLong);
        }
        let read = body.len().saturating_sub(reader.remaining());
        let cookie = reader.vector8()?;
        Ok(Self { random, before_cookie: body.get(..read).unwrap_or_default(), cookie })
    }
}

/// What a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) random: Random,
    pub(crate) extended_master_secret: bool,
    pub(crate) secure_renegotiation: bool,
}

impl ClientHello {
    /// Reads a `ClientHello`. One that offers nothing that we know is an error,
    /// with the alert that says so.
    pub(crate) fn read(body: &[u8]) -> Result<Self, AlertDescription> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        // Minor numbers count down: 0xfefd and less is DTLS 1.2 or later.
        if version > DTLS_1_2 || version >> 8 != DTLS_1_2 >> 8 {
            return Err(AlertDescription::ProtocolVersion);
        }
        let random = reader.array()?;
        reader.vector8()?;
        reader.vector8()?;
        let (suite, scsv) = read_suites(reader.vector16()?)?;
        let compressions = reader.vector8()?;
        let mut hello = Self { random, extended_master_secret: false, secure_renegotiation: scsv };
        if !reader.is_empty() {
            let mut extensions = Reader::new(reader.vector16()?);
            while !extensions.is_empty() {
                hello.read_extension(&mut extensions)?;
            }
        }
        reader.finish()?;
        if !compressions.contains(&NULL_COMPRESSION) {
            return Err(AlertDescription::IllegalParameter);
        }
        if suite { Ok(hello) } else { Err(AlertDescription::HandshakeFailure) }
    }

    fn read_extension(&mut self, extensions: &mut Reader<'_>) -> Result<(), AlertDescription> {
        let kind = extensions.u16()?;
        let content = extensions.vector16()?;
        match kind {
            EXTENDED_MASTER_SECRET => {
                Reader::new(content).finish()?;
                self.extended_master_secret = true;
            }
            RENEGOTIATION_INFO => {
                check_renegotiation_info(content)?;
                self.secure_renegotiation = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether our suite, and whether the signalling value, is in the list.
fn read_suites(list: &[u8]) -> Result<(bool, bool), DecodeError> {
    let mut reader = Reader::new(list);
    let (mut suite, mut scsv) = (false, false);
    while !reader.is_empty() {
        match reader.u16()? {
            SUITE => suite = true,
            EMPTY_RENEGOTIATION_INFO_SCSV => scsv = true,
            _ => {}
        }
    }
    Ok((suite, scsv))
}

/// RFC 5746 sections 3.4 and 3.6: in an initial handshake the content is an
/// empty vector, or the handshake is aborted.
fn check_renegotiation_info(content: &[u8]) -> Result<(), AlertDescription> {
    if content == [0] { Ok(()) } else { Err(AlertDescription::HandshakeFailure) }
}

/// Writes our `ServerHello`: no session id, and only those extensions that the
/// client offered.
pub(crate) fn write_server_hello(writer: &mut Writer<'_>, random: &Random, hello: &ClientHello) {
    writer.u16(DTLS_1_2);
    writer.bytes(random);
    writer.vector8(|_| {});
    writer.u16(SUITE);
    writer.u8(NULL_COMPRESSION);
    if hello.extended_master_secret || hello.secure_renegotiation {
        writer.vector16(|writer| {
            if hello.extended_master_secret {
                writer.u16(EXTENDED_MASTER_SECRET);
                writer.vector16(|_| {});
            }
            if hello.secure_renegotiation {
                writer.u16(RENEGOTIATION_INFO);
                writer.vector16(|writer| writer.u8(0));
            }
        });
    }
}

/// What a server chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) random: Random,
    pub(crate) extended_master_secret: bool,
}

impl ServerHello {
    /// Reads a `ServerHello`. One that chose what was not offered is an error,
    /// with the alert that says so.
    pub(crate) fn read(body: &[u8]) -> Result<Self, AlertDescription> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.vector8()?;
        let suite = reader.u16()?;
        let compression = reader.u8()?;
        if version != DTLS_1_2 {
            return Err(AlertDescription::ProtocolVersion);
        }
        if session_id.len() > 32 {
            return Err(AlertDescription::DecodeError);
        }
        if suite != SUITE || compression != NULL_COMPRESSION {
            return Err(AlertDescription::IllegalParameter);
        }
        let mut extended_master_secret = false;
        let mut secure_renegotiation = false;
        if !reader.is_empty() {
            let mut extensions = Reader::new(reader.vector16()?);
            while !extensions.is_empty() {
                let kind = extensions.u16()?;
                let content = extensions.vector16()?;
                let seen = match kind {
                    EXTENDED_MASTER_SECRET => {
                        Reader::new(content).finish()?;
                        &mut extended_master_secret
                    }
                    RENEGOTIATION_INFO => {
                        check_renegotiation_info(content)?;
                        &mut secure_renegotiation
                    }
                    // RFC 5246 section 7.4.1.4: a server may only answer.
                    _ => return Err(AlertDescription::UnsupportedExtension),
                };
                if core::mem::replace(seen, true) {
                    return Err(AlertDescription::DecodeError);
                }
            }
        }
        reader.finish()?;
        Ok(Self { random, extended_master_secret })
    }
}

/// Writes a `HelloVerifyRequest`.
#[cfg(any(feature = "alloc", test))]
pub(crate) fn write_hello_verify_request(writer: &mut Writer<'_>, cookie: &[u8]) {
    // RFC 6347 section 4.2.1: DTLS 1.0, whatever will be negotiated.
    writer.u16(DTLS_1_0);
    writer.vector8(|writer| writer.bytes(cookie));
}

/// Reads the cookie out of a `HelloVerifyRequest`.
pub(crate) fn read_hello_verify_request(body: &[u8]) -> Result<Cookie, DecodeError> {
    let mut reader = Reader::new(body);
    let version = reader.u16()?;
    if version != DTLS_1_0 && version != DTLS_1_2 {
        return Err(DecodeError::UnknownVersion);
    }
    let cookie = reader.vector8()?;
    reader.finish()?;
    Cookie::from_slice(cookie).map_err(|_| DecodeError::TooLong)
}

impl From<DecodeError> for AlertDescription {
    /// What cannot be decoded is a `decode_error`, whatever is wrong with it.
    fn from(_: DecodeError) -> Self {
        Self::DecodeError
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::edits::{edit, edited};
    use crate::testing::items::opaque;
    use crate::testing::written;
    use std::vec::Vec;

    /// A `ClientHello` as others may write it.
    #[derive(Clone, Debug)]
    struct AnyClientHello {
        version: u16,
        random: Vec<u8>,
        session: Vec<u8>,
        cookie: Vec<u8>,
        suites: Vec<u16>,
        compressions: Vec<u8>,
        /// None at all, or a list of them.
        extensions: Option<Vec<(u16, Vec<u8>)>>,
    }

    fn any_client_hello() -> impl Strategy<Value = AnyClientHello> {
        let extension = prop_oneof![
            Just((EXTENDED_MASTER_SECRET, Vec::new())),
            Just((RENEGOTIATION_INFO, std::vec![0])),
            (24..0xff00_u16, (0..20_usize).prop_flat_map(opaque)),
        ];
        let suite = prop_oneof![Just(SUITE), Just(EMPTY_RENEGOTIATION_INFO_SCSV), any::<u16>()];
        let fields = (
            prop::sample::select(std::vec![DTLS_1_2, 0xfefc]),
            opaque(32),
            (0..=32_usize).prop_flat_map(opaque),
            (0..=MAX_COOKIE).prop_flat_map(opaque),
            prop::collection::vec(suite, 0..20),
            prop::collection::vec(prop_oneof![2 => Just(0), 1 => any::<u8>()], 1..4),
            prop::option::of(prop::collection::vec(extension, 0..4)),
        );
        fields.prop_map(|(version, random, session, cookie, suites, compressions, extensions)| {
            AnyClientHello { version, random, session, cookie, suites, compressions, extensions }
        })
    }

    impl AnyClientHello {
        fn encode(&self) -> Vec<u8> {
            written(|writer| {
                writer.u16(self.version);
                writer.bytes(&self.random);
                writer.vector8(|writer| writer.bytes(&self.session));
                writer.vector8(|writer| writer.bytes(&self.cookie));
                writer.vector16(|writer| self.suites.iter().for_each(|suite| writer.u16(*suite)));
                writer.vector8(|writer| writer.bytes(&self.compressions));
                if let Some(extensions) = &self.extensions {
                    writer.vector16(|writer| {
                        for (kind, content) in extensions {
                            writer.u16(*kind);
                            writer.vector16(|writer| writer.bytes(content));
                        }
                    });
                }
            })
        }

        fn has(&self, kind: u16) -> bool {
            self.extensions.iter().flatten().any(|(known, _)| *known == kind)
        }
    }

    proptest! {
        #[test]
        fn what_a_client_offers_is_what_is_read(hello in any_client_hello()) {
            let body = hello.encode();
            let start = HelloStart::read(&body).unwrap();
            prop_assert_eq!((&start.random[..], start.cookie), (&hello.random[..], &hello.cookie[..]));
            prop_assert_eq!(start.before_cookie, &body[..2 + 32 + 1 + hello.session.len()]);
            let expected = if !hello.compressions.contains(&NULL_COMPRESSION) {
                Err(AlertDescription::IllegalParameter)
            } else if !hello.suites.contains(&SUITE) {
                Err(AlertDescription::HandshakeFailure)
            } else {
                Ok(ClientHello {
                    random: start.random,
                    extended_master_secret: hello.has(EXTENDED_MASTER_SECRET),
                    secure_renegotiation: hello.has(RENEGOTIATION_INFO)
                        || hello.suites.contains(&EMPTY_RENEGOTIATION_INFO_SCSV),
                })
            };
            prop_assert_eq!(ClientHello::read(&body), expected);
        }

        /// The start can be read from the first fragment as soon as the cookie is in
        /// it, and is the same then as in the whole.
        #[test]
        fn the_start_of_a_hello_does_not_depend_on_what_follows(
            hello in any_client_hello(),
            cut in any::<prop::sample::Index>(),
        ) {
            let body = hello.encode();
            let end = 2 + 32 + 1 + hello.session.len() + 1 + hello.cookie.len();
            let cut = cut.index(body.len() + 1);
            let read = HelloStart::read(&body[..cut]);
            prop_assert_eq!(read.is_ok(), cut >= end);
            prop_assert!(read.is_err() || read == HelloStart::read(&body));
        }

        #[test]
        fn our_own_hellos_are_read_as_they_are_written(
            client in any::<[u8; 32]>(),
            server in any::<[u8; 32]>(),
            cookie in (0..=MAX_COOKIE).prop_flat_map(opaque),
            offered in any::<(bool, bool)>(),
        ) {
            let body = written(|writer| write_client_hello(writer, &client, &cookie));
            let (extended_master_secret, secure_renegotiation) = (true, true);
            let hello = ClientHello { random: client, extended_master_secret, secure_renegotiation };
            prop_assert_eq!(ClientHello::read(&body), Ok(hello));
            prop_assert_eq!(HelloStart::read(&body).unwrap().cookie, &cookie[..]);

            let (extended_master_secret, secure_renegotiation) = offered;
            let hello = ClientHello { extended_master_secret, secure_renegotiation, ..hello };
            let body = written(|writer| write_server_hello(writer, &server, &hello));
            let read = ServerHello { random: server, extended_master_secret };
            prop_assert_eq!(ServerHello::read(&body), Ok(read));

            let body = written(|writer| write_hello_verify_request(writer, &cookie));
            prop_assert_eq!(&read_hello_verify_request(&body).unwrap()[..], cookie);
        }

        /// A `ServerHello` and a `HelloVerifyRequest` leave others so little choice
        /// that what is accepted is what we would write, but for the session id, the
        /// order of the extensions, and the version.
        #[test]
        fn what_is_accepted_of_a_server_is_what_we_would_write(
            random in any::<[u8; 32]>(),
            offered in any::<(bool, bool)>(),
            cookie in (0..40_usize).prop_flat_map(opaque),
            edits in prop::collection::vec(edit(), 1..3),
        ) {
            let (extended_master_secret, secure_renegotiation) = offered;
            let hello = ClientHello { random, extended_master_secret, secure_renegotiation };
            let body = written(|writer| write_server_hello(writer, &random, &hello));
            let changed = edited(&body, &edits);
            if let Ok(read) = ServerHello::read(&changed) {
                let session = usize::from(changed[34]);
                let [tail, other] = [true, false].map(|secure_renegotiation| {
                    let hello = ClientHello {
                        random: read.random,
                        extended_master_secret: read.extended_master_secret,
                        secure_renegotiation,
                    };
                    written(|writer| write_server_hello(writer, &read.random, &hello)).split_off(35)
                });
                let found = &changed[35 + session..];
                let without_any = found == [0xcc, 0xab, 0, 0, 0];
                prop_assert!(found == tail || found == other || without_any, "{:02x?}", changed);
            }
            let body = written(|writer| write_hello_verify_request(writer, &cookie));
            let changed = edited(&body, &edits);
            if let Ok(read) = read_hello_verify_request(&changed) {
                let again = written(|writer| write_hello_verify_request(writer, &read));
                prop_assert_eq!(&again[2..], &changed[2..]);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            hello in any_client_hello(),
            edits in prop::collection::vec(edit(), 0..8),
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            for bytes in [edited(&hello.encode(), &edits), bytes] {
                let whole = ClientHello::read(&bytes);
                // What is accepted as a whole has a start that is accepted.
                let start = HelloStart::read(&bytes);
                let too_long = bytes.get(34).is_some_and(|length| *length > 32);
                prop_assert!(whole.is_err() || start.is_ok() || too_long);
                let _ = ServerHello::read(&bytes);
                let _ = read_hello_verify_request(&bytes);
            }
        }
    }

    fn client_hello(cookie: &[u8]) -> Vec<u8> {
        written(|writer| write_client_hello(writer, &[5; 32], cookie))
    }

    /// A ServerHello with these extensions.
    fn server_hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = std::vec![0xfe, 0xfd];
        body.extend([6; 32]);
        body.extend([0, 0xcc, 0xab, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    #[test]
    fn a_client_hello_is_small_and_says_what_we_offer() {
        let body = client_hello(&[]);
        assert_eq!(body.len(), 50);
        let hello = ClientHello::read(&body).unwrap();
        assert_eq!(hello.random, [5; 32]);
        assert!(hello.extended_master_secret && hello.secure_renegotiation);
        assert_eq!(client_hello(&[1; MAX_COOKIE]).len(), MAX_CLIENT_HELLO);
    }

    #[test]
    fn the_start_of_a_client_hello_can_be_read_from_its_first_fragment() {
        let body = client_hello(b"cookie");
        let start = HelloStart::read(&body[..42]).unwrap();
        assert_eq!((start.random, start.cookie), ([5; 32], &b"cookie"[..]));
        assert_eq!(start.before_cookie, &body[..35]);
        assert!(HelloStart::read(&body[..41]).is_err());
    }

    #[test]
    fn a_client_hello_cut_anywhere_is_refused() {
        let body = client_hello(b"cookie");
        // Without any extensions the message is whole again (RFC 5246 7.4.1.2).
        for length in (0..body.len()).filter(|length| *length != body.len() - 6) {
            let cut = ClientHello::read(&body[..length]);
            assert_eq!(cut, Err(AlertDescription::DecodeError), "{length}");
        }
    }

    #[test]
    fn a_client_that_offers_nothing_we_know_is_told_why() {
        let mut other_suite = client_hello(&[]);
        other_suite[39] = 0xac;
        assert_eq!(ClientHello::read(&other_suite), Err(AlertDescription::HandshakeFailure));
        let mut older = client_hello(&[]);
        older[1] = 0xff;
        assert_eq!(ClientHello::read(&older), Err(AlertDescription::ProtocolVersion));
        let mut compressed = client_hello(&[]);
        compressed[43] = 1;
        assert_eq!(ClientHello::read(&compressed), Err(AlertDescription::IllegalParameter));
    }

    #[test]
    fn a_server_hello_answers_only_what_was_offered() {
        let offered = ClientHello::read(&client_hello(&[])).unwrap();
        let body = written(|writer| write_server_hello(writer, &[6; 32], &offered));
        assert_eq!(body.len(), MAX_SERVER_HELLO);
        let hello = ServerHello::read(&body).unwrap();
        assert_eq!(hello, ServerHello { random: [6; 32], extended_master_secret: true });

        let bare =
            ClientHello { extended_master_secret: false, secure_renegotiation: false, ..offered };
        let body = written(|writer| write_server_hello(writer, &[6; 32], &bare));
        assert_eq!(body.len(), 38);
        assert!(!ServerHello::read(&body).unwrap().extended_master_secret);
    }

    #[test]
    fn a_server_hello_with_what_was_not_offered_is_refused() {
        let read = |extensions: &[u8]| ServerHello::read(&server_hello(extensions));
        assert!(read(&[0xff, 1, 0, 1, 0, 0, 23, 0, 0]).is_ok());
        assert_eq!(read(&[0xff, 1, 0, 2, 1, 9]), Err(AlertDescription::HandshakeFailure));
        assert_eq!(read(&[0, 22, 0, 0]), Err(AlertDescription::UnsupportedExtension));
        assert_eq!(read(&[0, 23, 0, 0, 0, 23, 0, 0]), Err(AlertDescription::DecodeError));
        assert_eq!(read(&[0, 23, 0, 1, 0]), Err(AlertDescription::DecodeError));
        let mut body = server_hello(&[]);
        body[36] = 0xac;
        assert_eq!(ServerHello::read(&body), Err(AlertDescription::IllegalParameter));
        body[1] = 0xff;
        assert_eq!(ServerHello::read(&body), Err(AlertDescription::ProtocolVersion));
    }

    #[test]
    fn a_hello_verify_request_may_carry_either_version() {
        let body = written(|writer| write_hello_verify_request(writer, b"cookie"));
        assert_eq!(body, b"\xfe\xff\x06cookie");
        assert_eq!(read_hello_verify_request(&body).unwrap(), b"cookie");
        assert_eq!(read_hello_verify_request(b"\xfe\xfd\x06cookie").unwrap(), b"cookie");
        assert!(read_hello_verify_request(b"\xfe\xfc\x06cookie").is_err());
    }
}
