//! Datagrams that make no sense, or the wrong one: as a client of DTLS must be able to
//! get them from anyone.

use crate::dice::Dice;

/// The longest datagram, in bytes: longer than what goes in a frame of Ethernet.
pub(super) const LONGEST: usize = 1600;

/// The versions of DTLS, and one that is none.
const VERSIONS: [u16; 4] = [0xFEFD, 0xFEFF, 0xFEFC, 0x0303];

/// The types of records, and two that are none.
const TYPES: [u8; 6] = [20, 21, 22, 23, 24, 0];

/// The types of handshake messages that a server sends, and others.
const MESSAGES: [u8; 10] = [0, 1, 2, 3, 11, 12, 13, 14, 16, 20];

/// Cipher suites: the one of this system, and others.
const SUITES: [u16; 4] = [0xCCAB, 0xCCA8, 0x00A8, 0x0000];

/// Random bytes of every length up to [`LONGEST`].
pub(super) fn of_every_length(dice: &mut Dice) -> Vec<Vec<u8>> {
    (0..=LONGEST).map(|length| dice.bytes(length)).collect()
}

/// Some nonsense in answer to `asked`.
pub(super) fn nonsense(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    match dice.below(11) {
        0 => {
            let length = dice.below(LONGEST + 1);
            dice.bytes(length)
        }
        1 => asked.to_vec(),
        2 => {
            let mut damaged = asked.to_vec();
            dice.damage(&mut damaged);
            damaged
        }
        3 => false_record(dice, asked),
        4 | 5 => hello_verify_request(dice, asked),
        6 => alert(dice, asked),
        7 => server_hello(dice, asked),
        8 => any_message(dice, asked),
        9 => protected(dice),
        _ => [nonsense(dice, asked), nonsense(dice, asked)].concat(),
    }
}

/// Where the header of a record has its number, and that of a message its own, in a
/// datagram with one.
const NUMBER: usize = 3;
const MESSAGE_NUMBER: usize = 13 + 4;

/// The number of the record that is answered, epoch included; or another one.
fn number(dice: &mut Dice, asked: &[u8]) -> u64 {
    let own = asked.get(NUMBER..).and_then(<[u8]>::first_chunk);
    match dice.below(4) {
        0 => u64::from_be_bytes(dice.array()),
        1 => u64::from(dice.byte()),
        _ => own.map_or(0, |it| u64::from_be_bytes(*it)),
    }
}

/// The number of the message that is answered; or another one.
fn message_number(dice: &mut Dice, asked: &[u8]) -> u16 {
    let own = asked.get(MESSAGE_NUMBER..).and_then(<[u8]>::first_chunk);
    match dice.below(4) {
        0 => u16::from_be_bytes(dice.array()),
        1 => u16::from(dice.byte() % 4),
        _ => own.map_or(0, |it| u16::from_be_bytes(*it)),
    }
}

fn version(dice: &mut Dice) -> u16 {
    // Mostly one that is taken.
    match dice.below(8) {
        0 => dice.pick(&VERSIONS).unwrap_or_default(),
        half => VERSIONS.get(half % 2).copied().unwrap_or_default(),
    }
}

fn record(kind: u8, version: u16, number: u64, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut record = vec![kind];
    record.extend(version.to_be_bytes());
    record.extend(number.to_be_bytes());
    record.extend(length.to_be_bytes());
    record.extend(content);
    record
}

/// A handshake record with one whole message.
fn message(dice: &mut Dice, asked: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
    let sequence = message_number(dice, asked);
    fragment(dice, asked, (kind, sequence), [body.len(), 0, body.len()], body)
}

/// A handshake record with a fragment, in whose header are these lengths: of the message,
/// before the fragment, and of the fragment.
fn fragment(
    dice: &mut Dice,
    asked: &[u8],
    (kind, sequence): (u8, u16),
    [length, offset, part]: [usize; 3],
    body: &[u8],
) -> Vec<u8> {
    let three = |number: usize| {
        let [_, bytes @ ..] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        bytes
    };
    let mut content = vec![kind];
    content.extend(three(length));
    content.extend(sequence.to_be_bytes());
    content.extend(three(offset));
    content.extend(three(part));
    content.extend(body);
    record(22, version(dice), number(dice, asked), &content)
}

/// A record whose header is wrong in one or more places.
fn false_record(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    let kind = dice.pick(&TYPES).unwrap_or_default();
    let version = dice.pick(&VERSIONS).unwrap_or_default();
    let length = dice.below(600);
    let content = dice.bytes(length);
    let mut record = record(kind, version, number(dice, asked), &content);
    if dice.below(2) == 0
        && let Some(place) = record.get_mut(11..13)
    {
        place.copy_from_slice(&dice.array::<2>());
    }
    record
}

/// A HelloVerifyRequest with a cookie of any length, of which it may say another one.
fn hello_verify_request(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    let length = dice.byte();
    let mut body = version(dice).to_be_bytes().to_vec();
    body.push(if dice.below(4) == 0 { dice.byte() } else { length });
    body.extend(dice.bytes(usize::from(length)));
    message(dice, asked, 3, &body)
}

/// An alert: any, and now and then longer or shorter than one.
fn alert(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    let level = if dice.below(4) == 0 { dice.byte() } else { 1 + dice.byte() % 2 };
    let content = [level, dice.byte(), dice.byte()];
    let length = dice.pick(&[2, 2, 2, 0, 1, 3]).unwrap_or_default();
    let (version, number) = (version(dice), number(dice, asked));
    record(21, version, number, content.get(..length).unwrap_or_default())
}

/// A ServerHello that may be as it should be, and usually is not.
fn server_hello(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    let mut body = version(dice).to_be_bytes().to_vec();
    body.extend(dice.array::<32>());
    let session = dice.pick(&[0, 0, 32, 33]).unwrap_or_default();
    body.push(session);
    body.extend(dice.bytes(usize::from(session)));
    body.extend(dice.pick(&SUITES).unwrap_or_default().to_be_bytes());
    body.push(dice.byte() % 2);
    match dice.below(3) {
        // The extended master secret and an empty renegotiation indication.
        0 => body.extend([0, 9, 0, 23, 0, 0, 0xFF, 1, 0, 1, 0]),
        1 => {
            let length = dice.below(80);
            body.extend(dice.bytes(length));
        }
        _ => {}
    }
    message(dice, asked, 2, &body)
}

/// A message of any type, or a fragment of one that lies about its lengths.
fn any_message(dice: &mut Dice, asked: &[u8]) -> Vec<u8> {
    let kind = dice.pick(&MESSAGES).unwrap_or_default();
    let length = dice.below(200);
    let body = dice.bytes(length);
    if dice.below(2) == 0 {
        return message(dice, asked, kind, &body);
    }
    let sequence = message_number(dice, asked);
    let lengths = [dice.below(1 << 24), dice.below(300), dice.below(300)];
    fragment(dice, asked, (kind, sequence), lengths, &body)
}

/// What looks like a protected record, perhaps behind a ChangeCipherSpec.
fn protected(dice: &mut Dice) -> Vec<u8> {
    let kind = dice.pick(&TYPES).unwrap_or_default();
    let epoch = 1 + u64::from(dice.byte() % 2);
    let length = dice.below(500);
    let content = dice.bytes(length);
    let protected = record(kind, 0xFEFD, epoch << 48 | u64::from(dice.byte()), &content);
    let mut all = if dice.below(2) == 0 { Vec::new() } else { record(20, 0xFEFD, 3, &[1]) };
    all.extend(protected);
    all
}
