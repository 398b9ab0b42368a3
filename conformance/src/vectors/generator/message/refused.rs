//! What is no message: answered with an error, or dropped.

use serde_json::json;

use super::{request, warm};
use crate::vectors::Vector;
use crate::vectors::generator::cbor::{Item, array};

pub(super) fn vectors() -> Vec<Vector> {
    [answered(), dropped()].concat()
}

/// The requests that are answered with an error.
fn answered() -> Vec<Vector> {
    let [malformed, unknown_kind] = [1, 2];
    let answered = |name: &str, because: &str, items: Vec<Item>, code: u64| {
        let request = request(&Item::Array(items).encode());
        Vector::refused(format!("answered: {name}"), because, request, "answer")
            .and("with", json!({ "kind": "error", "id": 5, "code": code }))
            .schema(false)
    };
    let command =
        |label: Item, argument: Item| vec![3.into(), 5.into(), label, argument, true.into()];
    let reading =
        |items: Vec<Item>| vec![5.into(), 5.into(), 2.into(), Item::Array(items), "".into()];
    let one = || Item::from(1);
    vec![
        answered("kind 14", "it is not assigned", vec![14.into(), 5.into()], unknown_kind),
        answered("kind 255", "it is not assigned", vec![255.into(), 5.into()], unknown_kind),
        answered(
            "one field less",
            "the flag is missing",
            vec![1.into(), 5.into(), array([])],
            malformed,
        ),
        answered(
            "one field more",
            "a subject has 16 bytes",
            vec![8.into(), 5.into(), one()],
            malformed,
        ),
        answered(
            "two fields more",
            "nothing follows a subject",
            vec![8.into(), 5.into(), [7; 16].into(), one()],
            malformed,
        ),
        answered(
            "subject of 15 bytes",
            "a subject has 16 bytes",
            vec![8.into(), 5.into(), [7; 15].into()],
            malformed,
        ),
        answered(
            "null at the end",
            "an absent field is left out where nothing follows it",
            [command(10.into(), one()), vec![Item::Null]].concat(),
            malformed,
        ),
        answered(
            "subject in the place of the lifetime",
            "an absent field in front of a subject is null",
            [command(10.into(), one()), vec![[7; 16].into()]].concat(),
            malformed,
        ),
        answered(
            "nine labels",
            "at most eight are allowed",
            vec![1.into(), 5.into(), Item::Array(vec![one(); 9]), true.into()],
            malformed,
        ),
        answered("label of 17 bits", "a label has 16", command(65_536.into(), one()), malformed),
        answered("empty label", "a label has 1 to 16 bytes", command("".into(), one()), malformed),
        answered(
            "long label",
            "a label has 1 to 16 bytes",
            command("l".repeat(17).as_str().into(), one()),
            malformed,
        ),
        answered(
            "null as a value",
            "a value is not null",
            command(10.into(), Item::Null),
            malformed,
        ),
        answered(
            "integer of 65 bits",
            "an integer is less than 2^63",
            command(10.into(), (1 << 63).into()),
            malformed,
        ),
        answered(
            "long text",
            "a value has at most 64 bytes",
            command(10.into(), "t".repeat(65).as_str().into()),
            malformed,
        ),
        answered(
            "long bytes",
            "a value has at most 64 bytes",
            command(10.into(), vec![0; 65].into()),
            malformed,
        ),
        answered(
            "long form of a float",
            "21.5 in single precision is not the shortest form",
            command(10.into(), Item::Raw(vec![0xfa, 0x41, 0xac, 0, 0])),
            malformed,
        )
        .schema(true),
        answered(
            "another NaN",
            "the only NaN is f97e00",
            command(10.into(), Item::Raw(vec![0xf9, 0x7e, 1])),
            malformed,
        )
        .schema(true),
        answered(
            "reading with null at its end",
            "an absent unit is left out where nothing follows it",
            reading(vec![one(), one(), Item::Null]),
            malformed,
        ),
        answered("reading of one item", "the value is missing", reading(vec![one()]), malformed),
        answered(
            "severity in a byte string",
            "a severity is an integer",
            vec![5.into(), 5.into(), [2].into(), warm().0, "".into()],
            malformed,
        ),
        answered(
            "unit in a byte string",
            "a unit is an integer",
            reading(vec![one(), one(), [2].into()]),
            malformed,
        ),
        answered(
            "severity 4",
            "the registry is closed",
            vec![5.into(), 5.into(), 4.into(), warm().0, "".into()],
            malformed,
        ),
        answered(
            "presence 3 without a reason",
            "a refusal has a reason",
            vec![11.into(), 5.into(), 3.into(), "".into()],
            malformed,
        ),
        answered(
            "presence 2 with a reason",
            "only a refusal has a reason",
            vec![11.into(), 5.into(), array([2.into(), 1.into()]), "".into()],
            malformed,
        ),
        answered(
            "long name",
            "a name has at most 32 bytes",
            vec![11.into(), 5.into(), 1.into(), "n".repeat(33).as_str().into()],
            malformed,
        ),
        answered(
            "long object",
            "a revocation has at most 256 bytes",
            vec![10.into(), 5.into(), vec![0; 257].into()],
            malformed,
        ),
    ]
}

/// What is dropped without an answer.
fn dropped() -> Vec<Vector> {
    let dropped = |name: &str, because: &str, bytes: &[u8]| {
        Vector::refused(format!("dropped: {name}"), because, request(bytes), "drop").schema(false)
    };
    let of = |items: Vec<Item>| Item::Array(items).encode();
    vec![
        dropped("nothing", "there is nothing", &[]),
        dropped("no array", "it is no array", &[5]),
        dropped("no id", "the id can't be read", &of(vec![1.into()])),
        dropped("id 0", "ids count from 1", &of(vec![8.into(), 0.into()])),
        dropped("id of 33 bits", "an id has 32", &of(vec![8.into(), (1 << 32).into()])),
        dropped(
            "answer of unknown state",
            "a broken answer is not answered",
            &of(vec![4.into(), 5.into(), 7.into()]),
        ),
        dropped(
            "error of unknown code",
            "a broken answer is not answered",
            &of(vec![6.into(), 5.into(), 12.into(), "".into()]),
        ),
        dropped(
            "long error",
            "a text has at most 64 bytes",
            &of(vec![6.into(), 5.into(), 1.into(), "t".repeat(65).as_str().into()]),
        ),
        dropped(
            "acknowledgement of an integer",
            "the flag is a boolean",
            &of(vec![7.into(), 5.into(), 1.into()]),
        ),
        dropped("kind 16", "16 to 23 are set aside for answers", &of(vec![16.into(), 5.into()])),
        dropped("kind 23", "16 to 23 are set aside for answers", &of(vec![23.into(), 5.into()])),
        dropped("kind 256", "a kind has 8 bits", &of(vec![256.into(), 5.into()])),
    ]
}
