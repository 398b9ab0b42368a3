//! Figure 9: what the cryptography of a key exchange is made of.

mod contact;
mod counting;

use std::collections::BTreeSet;
use std::time::Duration;

use iot_crypto::connection::ForwardSecrecy;

use self::contact::{Contact, Work, first_contact, later_contact};
use self::counting::Operation;
use super::report::{Cell, Figure, Table};

/// Whether times are measured. They differ from machine to machine and from run to
/// run; how often something is computed does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// They are.
    Measured,
    /// Only what is the same each time is told.
    LeftOut,
}

/// How often a contact is repeated for its times; of each time, the median is told.
const REPETITIONS: usize = 15;

/// What happens, and how it is called.
type Variant = (fn(u64, ForwardSecrecy) -> Contact, ForwardSecrecy, &'static str);

const VARIANTS: [Variant; 3] = [
    (first_contact, ForwardSecrecy::On, "The device brings an ephemeral key (the default)"),
    (
        first_contact,
        ForwardSecrecy::Off,
        "The device brings none: static-ephemeral, as in the paper",
    ),
    (
        later_contact,
        ForwardSecrecy::On,
        "The device comes back to replace the key: both know each other's credentials",
    ),
];

/// The figure.
pub(super) fn figure(seed: u64, times: Times) -> Figure {
    let mut figure = Figure::new(
        9,
        "Cryptographic operations in the work of a key exchange",
        seed,
        &[
            "peer certificate verification is responsible for about half of the computation overhead",
        ],
    );
    figure.tables = VARIANTS
        .iter()
        .map(|(contact, variant, caption)| match times {
            Times::LeftOut => counts(caption, &contact(seed, *variant)),
            Times::Measured => shares(caption, &std::array::from_fn(|_| contact(seed, *variant))),
        })
        .collect();
    figure.notes.push(
        "A whole contact: advertisement (or the gateway's request), handshake with the network key, \
         negotiation with one endorsement each, and handshake with the negotiated key. The \
         provider is RustCrypto."
            .to_owned(),
    );
    figure.notes.push(match times {
        Times::Measured => format!(
            "Times were measured on this machine, now: medians of {REPETITIONS} contacts. Calls are the \
             same each time."
        ),
        Times::LeftOut => "Calls; `figures 9` measures the time and the share of each as well, on the \
                           machine that it runs on."
            .to_owned(),
    });
    figure
}

/// Every operation that one of the sides has called, in their order.
fn operations(contact: &Contact) -> BTreeSet<Operation> {
    contact.device.ledger.keys().chain(contact.gateway.ledger.keys()).copied().collect()
}

impl Work {
    fn calls(&self, operation: Operation) -> u64 {
        self.ledger.get(&operation).map_or(0, |tally| tally.calls)
    }

    fn time_of(&self, operation: Operation) -> Duration {
        self.ledger.get(&operation).map_or(Duration::ZERO, |tally| tally.time)
    }

    /// The time of what is no cryptography: state machines, encodings, and the
    /// counting itself.
    fn rest(&self) -> Duration {
        self.time.saturating_sub(self.ledger.values().map(|tally| tally.time).sum())
    }
}

fn counts(caption: &str, contact: &Contact) -> Table {
    let rows = operations(contact).into_iter().map(|operation| {
        let calls = [&contact.device, &contact.gateway].map(|side| side.calls(operation).into());
        [vec![operation.to_string().into()], calls.to_vec()].concat()
    });
    Table::new(format!("{caption}. Calls"), &["operation", "device", "gateway"], rows)
}

/// What a line of the table is about.
#[derive(Clone, Copy)]
enum Line {
    Operation(Operation),
    Rest,
    Whole,
    PeerCertificate,
}

fn shares(caption: &str, contacts: &[Contact; REPETITIONS]) -> Table {
    let [first, ..] = contacts;
    let operations = operations(first);
    let lines = operations.iter().copied().map(Line::Operation);
    let lines = lines.chain([Line::Rest, Line::Whole, Line::PeerCertificate]);
    let median = |side: fn(&Contact) -> &Work, time: &dyn Fn(&Work) -> Duration| {
        let mut times: Vec<Duration> = contacts.iter().map(|contact| time(side(contact))).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let cells = |line, side: fn(&Contact) -> &Work| -> [Cell; 3] {
        let of = |line| match line {
            Line::Operation(operation) => median(side, &|work| work.time_of(operation)),
            _ => median(side, &Work::rest),
        };
        let sum = |fits: &dyn Fn(Operation) -> bool| -> (u64, Duration) {
            let fitting = operations.iter().copied().filter(|operation| fits(*operation));
            fitting.fold((0, Duration::ZERO), |(calls, time), operation| {
                let line = Line::Operation(operation);
                (calls + side(first).calls(operation), time + of(line))
            })
        };
        let (all_calls, cryptography) = sum(&|_| true);
        let whole = cryptography + of(Line::Rest);
        let (calls, time) = match line {
            Line::Operation(operation) => (Some(side(first).calls(operation)), of(line)),
            Line::Rest => (None, of(line)),
            Line::Whole => (Some(all_calls), whole),
            Line::PeerCertificate => {
                let (calls, time) = sum(&Operation::verifies_the_peer);
                (Some(calls), time)
            }
        };
        let share = 100.0 * time.as_secs_f64() / whole.as_secs_f64();
        [
            calls.map_or_else(|| "".into(), Cell::from),
            Cell::Measured(time.as_secs_f64() * 1e6, 1),
            Cell::Measured(share, 1),
        ]
    };
    let rows = lines.map(|line| {
        let name = match line {
            Line::Operation(operation) => operation.to_string(),
            Line::Rest => "everything else".to_owned(),
            Line::Whole => "together".to_owned(),
            Line::PeerCertificate => "of which peer certificate verification".to_owned(),
        };
        let [device, gateway] =
            [cells(line, |contact| &contact.device), cells(line, |contact| &contact.gateway)];
        [vec![name.into()], device.to_vec(), gateway.to_vec()].concat()
    });
    let columns = [
        "operation",
        "device calls",
        "device µs",
        "device %",
        "gateway calls",
        "gateway µs",
        "gateway %",
    ];
    Table::new(caption, &columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(Contact { device, gateway }: Contact) -> [[u64; 6]; 2] {
        [device, gateway].map(|side| {
            use Operation::{
                Sign, VerifyCertificate, VerifyEndorsement, VerifyNegotiation, X25519,
                X25519PublicKey,
            };
            let public_key = [
                VerifyCertificate,
                VerifyEndorsement,
                VerifyNegotiation,
                Sign,
                X25519,
                X25519PublicKey,
            ];
            assert_eq!(
                side.calls(Operation::VerifyOther) + side.calls(Operation::P256PublicKey),
                0
            );
            public_key.map(|operation| side.calls(operation))
        })
    }

    /// As SPEC.md section 9 says, and nothing twice.
    #[test]
    fn each_side_computes_what_the_negotiation_asks_of_it() {
        let [on, off] = [ForwardSecrecy::On, ForwardSecrecy::Off];
        assert_eq!(calls(first_contact(1, on)), [[1, 1, 1, 0, 2, 1], [1, 1, 0, 1, 2, 1]]);
        assert_eq!(calls(first_contact(1, off)), [[1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 1, 1]]);
    }

    #[test]
    fn no_signature_is_verified_twice() {
        let [on, off] = [ForwardSecrecy::On, ForwardSecrecy::Off];
        assert_eq!(calls(later_contact(1, on)), [[0, 0, 1, 0, 2, 1], [0, 0, 0, 1, 2, 1]]);
        assert_eq!(calls(later_contact(1, off)), [[0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1]]);
    }

    #[test]
    fn what_one_side_seals_the_other_opens() {
        for variant in [ForwardSecrecy::On, ForwardSecrecy::Off] {
            let Contact { device, gateway } = first_contact(2, variant);
            assert!(device.calls(Operation::Seal) >= 3, "two Finished and M1");
            assert_eq!(device.calls(Operation::Seal), gateway.calls(Operation::Open));
            // The device has closed its session with the negotiation service, and does not
            // look at the service's own close_notify (RFC 5246 section 7.2.1).
            let opened = device.calls(Operation::Open) + 1;
            assert_eq!(gateway.calls(Operation::Seal), opened);
        }
    }

    #[test]
    fn calls_are_the_same_each_time() {
        let [one, other] = [3, 3].map(|seed| first_contact(seed, ForwardSecrecy::On));
        for (one, other) in [(&one.device, &other.device), (&one.gateway, &other.gateway)] {
            let calls = |work: &Work| -> Vec<u64> {
                work.ledger.values().map(|tally| tally.calls).collect()
            };
            assert_eq!(calls(one), calls(other));
        }
    }
}
