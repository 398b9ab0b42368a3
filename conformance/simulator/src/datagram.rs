//! What a datagram of DTLS shows to those who have no key: its first record, and the
//! message that begins there (RFC 6347 section 4.1 and 4.2.2).

use std::ops::Range;

/// The type of a ClientHello (RFC 5246 section 7.4).
pub(crate) const CLIENT_HELLO: u8 = 1;
/// The type of a ServerHello.
pub(crate) const SERVER_HELLO: u8 = 2;

/// The types of records (RFC 5246 section 6.2.1).
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Where the record has its type, and the message its own.
const RECORD_TYPE: usize = 0;
const MESSAGE_TYPE: usize = 13;
/// Where a hello of either side has its random value (RFC 5246 section 7.4.1).
const RANDOM: Range<usize> = 27..59;

/// Whether it begins with this hello, in epoch 0.
pub(crate) fn is_hello(datagram: &[u8], hello: u8) -> bool {
    datagram.get(RECORD_TYPE) == Some(&HANDSHAKE) && datagram.get(MESSAGE_TYPE) == Some(&hello)
}

/// Whether it begins with application data, sealed as it is.
pub(crate) fn is_application_data(datagram: &[u8]) -> bool {
    datagram.get(RECORD_TYPE) == Some(&APPLICATION_DATA)
}

/// The random value of a hello.
pub(crate) fn random(hello: &[u8]) -> Option<&[u8]> {
    hello.get(RANDOM)
}

/// The same, to be changed.
pub(crate) fn random_mut(hello: &mut [u8]) -> Option<&mut [u8]> {
    hello.get_mut(RANDOM)
}
