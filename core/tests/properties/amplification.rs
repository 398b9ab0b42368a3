//! What a server sends to an address that nobody has proved, by a cookie or by the
//! end of a handshake, is at most three times what came from there: or else whoever
//! forges addresses could have it flood others.

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::dtls::{CookiePolicy, ServerConfig};
use iot_crypto::endpoint::{Destination, LocalPort};
use iot_crypto::time::Instant;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::dtls::sides::{Knowledge, Serving, SingleSide, TableSide};
use crate::dtls::world::{config, cookies};
use crate::harness::Place;
use crate::testing::edits::{Edit, edit, edited};

/// A `ClientHello` that a stranger made up.
#[derive(Clone, Debug)]
struct Hello {
    random: u8,
    /// So long is an extension that nobody knows.
    padding: usize,
    suite: u16,
    extended_master_secret: bool,
    /// Up to here in one record, and the rest in another.
    cut: Option<Index>,
}

#[derive(Clone, Debug)]
enum Operation {
    Hello(Hello),
    /// What was sent is sent again, or changed.
    Repeat(Index, Vec<Edit>),
    KeyExchange,
    Wait(u64),
    Answer(Knowledge),
    /// The server's application gives somebody up.
    Close,
}

fn hello() -> impl Strategy<Value = Hello> {
    let suite = prop_oneof![8 => Just(0xccab), 1 => Just(0xccaa)];
    let cut = prop_oneof![4 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (0..3_u8, 0..80_usize, suite, prop::bool::weighted(0.9), cut).prop_map(
        |(random, padding, suite, extended_master_secret, cut)| Hello {
            random,
            padding,
            suite,
            extended_master_secret,
            cut,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let answer = prop_oneof![Just(Knowledge::Right), Just(Knowledge::Nothing)];
    let edits = prop_oneof![Just(Vec::new()), prop::collection::vec(edit(), 1..3)];
    prop_oneof![
        4 => hello().prop_map(Operation::Hello),
        2 => (any::<Index>(), edits).prop_map(|(which, edits)| Operation::Repeat(which, edits)),
        1 => Just(Operation::KeyExchange),
        4 => (0..9_000_u64).prop_map(Operation::Wait),
        1 => answer.prop_map(Operation::Answer),
        1 => Just(Operation::Close),
    ]
}

/// The record of one fragment of a handshake message.
fn record(number: u8, kind: u8, total: usize, offset: usize, part: &[u8]) -> Vec<u8> {
    let length = |length: usize| (length as u32).to_be_bytes();
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number];
    record.extend(&length(part.len() + 12)[2..]);
    record.push(kind);
    record.extend(&length(total)[1..]);
    record.extend([0, u8::from(kind == 16)]);
    record.extend(&length(offset)[1..]);
    record.extend(&length(part.len())[1..]);
    record.extend(part);
    record
}

impl Hello {
    /// RFC 5246 section 7.4.1.2 and RFC 6347 section 4.2.1.
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([self.random; 32]);
        body.extend([0, 0, 0, 2]);
        body.extend(self.suite.to_be_bytes());
        body.extend([1, 0]);
        let mut extensions = Vec::new();
        if self.extended_master_secret {
            extensions.extend([0, 23, 0, 0]);
        }
        extensions.extend([0, 21]);
        extensions.extend((self.padding as u16).to_be_bytes());
        extensions.resize(extensions.len() + self.padding, 0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        match &self.cut {
            None => vec![record(0, 1, body.len(), 0, &body)],
            Some(cut) => {
                let cut = cut.index(body.len() + 1);
                let (first, rest) = body.split_at(cut);
                vec![record(0, 1, body.len(), 0, first), record(1, 1, body.len(), cut, rest)]
            }
        }
    }
}

struct Account<S> {
    now: Instant,
    server: S,
    /// What came in.
    datagrams: Vec<Vec<u8>>,
    received: usize,
    sent: BTreeMap<Place, usize>,
}

const STRANGER: Place = Place { host: 1, port: 0 };

impl<S: Serving> Account<S> {
    fn receive(&mut self, datagram: Vec<u8>) {
        self.received += datagram.len();
        let mut bytes = datagram.clone();
        self.server.handle_datagram(self.now, LocalPort::FirstClient, STRANGER, &mut bytes);
        assert!(self.server.payloads().is_empty());
        self.datagrams.push(datagram);
    }

    fn settle(&mut self) {
        self.server.handle_timeout(self.now);
        let mut buffer = [0; 1500];
        while let Some(sent) = self.server.poll_transmit(self.now, &mut buffer).unwrap() {
            let Destination::Address(to) = sent.to else { panic!() };
            *self.sent.entry(to).or_default() += sent.length;
        }
        while self.server.event().is_some() {}
        let sent: usize = self.sent.values().sum();
        assert_eq!(sent, self.sent.get(&STRANGER).copied().unwrap_or(0));
        assert!(sent <= 3 * self.received, "{sent} bytes for {}", self.received);
    }
}

fn run<S: Serving>(config: ServerConfig, operations: &[Operation]) -> usize {
    let mut account = Account {
        now: Instant::from_millis(1_000_000),
        server: S::new(1, config),
        datagrams: Vec::new(),
        received: 0,
        sent: BTreeMap::new(),
    };
    for operation in operations {
        match operation {
            Operation::Hello(hello) => {
                hello.datagrams().into_iter().for_each(|datagram| account.receive(datagram));
            }
            Operation::Repeat(which, edits) if !account.datagrams.is_empty() => {
                let datagram: &Vec<u8> = which.get(&account.datagrams);
                let datagram = edited(datagram, edits);
                account.receive(datagram);
            }
            Operation::Repeat(..) => {}
            Operation::KeyExchange => account.receive(record(2, 16, 6, 0, b"\0\x04name")),
            Operation::Wait(milliseconds) => {
                let end = account.now + Duration::from_millis(*milliseconds);
                while let Some(next) = account.server.poll_timeout().filter(|next| next.at <= end) {
                    account.now = account.now.max(next.at);
                    account.settle();
                }
                account.now = end;
            }
            Operation::Answer(knowledge) => account.server.answer(account.now, *knowledge),
            Operation::Close => account.server.close(account.now, 0),
        }
        account.settle();
    }
    account.sent.values().sum()
}

fn server_config() -> impl Strategy<Value = ServerConfig> {
    (config(), cookies()).prop_map(|(dtls, cookies)| ServerConfig {
        dtls,
        cookies,
        ..ServerConfig::default()
    })
}

proptest! {
    #[test]
    fn a_server_for_many_sends_at_most_three_times_what_it_received(
        config in server_config(),
        operations in prop::collection::vec(operation(), 0..12),
    ) {
        run::<TableSide>(config, &operations);
    }

    #[test]
    fn a_server_for_one_sends_at_most_three_times_what_it_received(
        config in server_config(),
        operations in prop::collection::vec(operation(), 0..12),
    ) {
        run::<SingleSide>(config, &operations);
    }

    /// A cookie that is demanded is shorter than what it is demanded for.
    #[test]
    fn a_server_that_demands_cookies_sends_no_more_than_it_received(
        hellos in prop::collection::vec(hello(), 1..5),
    ) {
        let config = ServerConfig { cookies: CookiePolicy::Always, ..ServerConfig::default() };
        let received: usize = hellos.iter().flat_map(Hello::datagrams).map(|it| it.len()).sum();
        let operations: Vec<_> = hellos.into_iter().map(Operation::Hello).collect();
        prop_assert!(run::<TableSide>(config, &operations) <= received);
    }
}
