//! Certificates, endorsements, credentials, revocations and private files.

use serde_json::{Value, json};

use super::broken::{broken, decodes, malformed};
use super::cast::{Party, company, day, device, encoded, gateway};
use super::cbor::Item;
use super::primitives::{other_half, start};
use crate::hex::hex;
use crate::vectors::{InnerValue, Vector};

const LATEST: u64 = u64::MAX;

pub(super) fn vectors() -> Vec<Vector> {
    [
        certificates(),
        endorsements(),
        credentials(),
        revocations(),
        private_identities(),
        signatures(),
        issued(),
    ]
    .concat()
}

fn certificates() -> Vec<Vector> {
    let kind = "certificate";
    let device = device();
    let decoded = |name: &str, party: &Party| {
        decodes(name, kind, &party.certificate(), party.certificate_fields()).steps(vec![
            InnerValue::new("signed", &signed_content(party)),
            InnerValue::new("id", &party.id()),
            InnerValue::new("fingerprint", &party.fingerprint()),
        ])
    };
    let whole = device.certificate();
    let renamed = |name: Item| whole.with(1, name).encode();
    let dated = |created: u64, expires: u64| whole.with(2, created).with(3, expires).encode();
    let mut vectors = vec![
        decoded("certificate: usual", &device),
        decoded("certificate: longest", &Party::new(&"x".repeat(32), LATEST - 1, LATEST)),
        decoded("certificate: shortest, valid for one second", &Party::new("x", 0, 1)),
        decoded("certificate: name in UTF-8", &Party::new("Zürich 7 µ", day(0), day(1))),
    ];
    vectors.extend(broken(kind, &whole, Some(0)));
    vectors.extend([
        malformed("no name", "the name is empty", kind, &renamed("".into()), true),
        malformed(
            "long name",
            "the name has 33 bytes",
            kind,
            &renamed("x".repeat(33).as_str().into()),
            true,
        ),
        malformed(
            "control character",
            "the name has the control character U+000A",
            kind,
            &renamed("a\nb".into()),
            false,
        ),
        malformed(
            "other control character",
            "the name has the control character U+0085",
            kind,
            &renamed("a\u{85}b".into()),
            false,
        ),
        malformed(
            "name not in UTF-8",
            "the name is not valid UTF-8",
            kind,
            &renamed(Item::Raw(vec![0x62, 0xc3, 0x28])),
            true,
        ),
        malformed(
            "dates in reverse",
            "created is later than expires",
            kind,
            &dated(day(1), day(0)),
            false,
        ),
        malformed(
            "never valid",
            "created is equal to expires",
            kind,
            &dated(day(1), day(1)),
            false,
        ),
        malformed(
            "date before 1970",
            "created is negative",
            kind,
            &whole.with(2, Item::Negative(0)).encode(),
            true,
        ),
        malformed(
            "long date",
            "the head of created is not the shortest",
            kind,
            &whole.with(2, Item::Raw([&[0x1b], &day(0).to_be_bytes()[..]].concat())).encode(),
            false,
        ),
    ]);
    vectors
}

fn signed_content(party: &Party) -> Vec<u8> {
    let content = Item::Array(party.certificate_content()).encode();
    [b"IoT-Crypto certificate".as_slice(), &content].concat()
}

fn endorsement_fields(issuer: &Party, [created, expires]: [u64; 2], grant: [&str; 2]) -> Value {
    let [roles, rights] = grant;
    json!({
        "issuer": hex(&issuer.id()),
        "created": created,
        "expires": expires,
        "roles": roles,
        "rights": rights,
    })
}

fn endorsements() -> Vec<Vector> {
    let kind = "endorsement";
    let (company, device) = (company(), device());
    let decoded = |name: &str, dates: [u64; 2], [roles, rights]: [u64; 2], words: [&str; 2]| {
        let endorsement = company.endorse(device.fingerprint(), dates, roles, rights);
        decodes(name, kind, &endorsement, endorsement_fields(&company, dates, words))
    };
    let usual = [day(0), day(100)];
    let whole = company.endorse(device.fingerprint(), usual, 1, 5);
    let mut vectors = vec![
        decoded("endorsement: usual", usual, [1, 5], ["device", "data, alert"]),
        decoded("endorsement: of nothing", usual, [0, 0], ["none", "none"]),
        decoded(
            "endorsement: longest, of everything",
            [LATEST - 1, LATEST],
            [7, 31],
            ["device, gateway, cloud", "data, command, alert, revoke, keys"],
        ),
    ];
    vectors.extend(broken(kind, &whole, Some(0)));
    let mut with = |name: &str, because: &str, item: Item, seen| {
        vectors.push(malformed(name, because, kind, &item.encode(), seen));
    };
    with("unknown role", "bit 8 of the roles is not assigned", whole.with(4, 8), true);
    with("unknown right", "bit 32 of the rights is not assigned", whole.with(5, 32), true);
    with("roles of two bytes", "the roles are 256", whole.with(4, 256), true);
    with("never valid", "created is equal to expires", whole.with(2, day(100)), false);
    vectors
}

fn credentials() -> Vec<Vector> {
    let kind = "credential";
    let (company, device) = (company(), device());
    let dates = [day(0), day(100)];
    let endorsement = company.endorse(device.fingerprint(), dates, 1, 5);
    let fields = endorsement_fields(&company, dates, ["device", "data, alert"]);
    let decoded = |name: &str, count: usize| {
        let item = device.credential(&vec![endorsement.clone(); count]);
        let certificate = device.certificate_fields();
        let endorsements = vec![fields.clone(); count];
        let fields = json!({ "certificate": certificate, "endorsements": endorsements });
        decodes(name, kind, &item, fields)
    };
    let mut vectors = vec![
        decoded("credential: no endorsement", 0),
        decoded("credential: one endorsement", 1),
        decoded("credential: four endorsements", 4),
    ];
    let [one, five] = [1, 5].map(|count| device.credential(&vec![endorsement.clone(); count]));
    vectors.extend(broken(kind, &one, None));
    let five = five.encode();
    vectors.push(malformed("five endorsements", "there are five", kind, &five, true));
    vectors
}

fn revocations() -> Vec<Vector> {
    let kind = "revocation";
    let (company, device) = (company(), device());
    let decoded = |name: &str, created: u64| {
        let fields = json!({
            "issuer": hex(&company.id()),
            "subject": hex(&device.id()),
            "created": created,
        });
        decodes(name, kind, &company.revoke(device.id(), created), fields)
    };
    let mut vectors =
        vec![decoded("revocation: usual", day(3)), decoded("revocation: longest", LATEST)];
    vectors.extend(broken(kind, &company.revoke(device.id(), day(3)), Some(0)));
    vectors
}

fn private_identities() -> Vec<Vector> {
    let kind = "private-identity";
    let (device, gateway) = (device(), gateway());
    let whole = device.private_identity();
    let fields = json!({ "certificate": device.certificate_fields() });
    let mut vectors = vec![decodes("private-identity: usual", kind, &whole, fields)];
    vectors.extend(broken(kind, &whole, Some(0)));
    let refused = |name: &str, because: &str, item: Item, reason: &str| {
        let request = json!({ "op": "decode", "type": kind, "bytes": encoded(&item) });
        Vector::refused(name, because, request, reason).schema(true)
    };
    vectors.extend([
        refused(
            "private-identity: exchange key of another",
            "the exchange secret does not belong to the exchange key",
            whole.with(2, gateway.exchange_secret),
            "wrong keys",
        ),
        refused(
            "private-identity: signing key of another",
            "the signing secret does not belong to the signing key",
            whole.with(3, gateway.signing_secret),
            "wrong keys",
        ),
        refused(
            "private-identity: signing key zero",
            "zero is no scalar of the curve",
            whole.with(3, [0; 32]),
            "wrong keys",
        ),
        refused(
            "private-identity: signature",
            "the certificate's signature is that of another",
            whole.with(1, device.certificate().with(6, signature(&gateway.certificate()))),
            "self-signature",
        ),
    ]);
    vectors
}

/// The last item of a signed structure.
fn signature(item: &Item) -> [u8; 64] {
    match item.items().last() {
        Some(Item::Bytes(signature)) => start(signature),
        _ => panic!("not signed"),
    }
}

fn signatures() -> Vec<Vector> {
    let (company, device, gateway) = (company(), device(), gateway());
    let dates = [day(0), day(100)];
    let certificate = device.certificate();
    let endorsement = company.endorse(device.fingerprint(), dates, 1, 5);
    let revocation = company.revoke(device.id(), day(3));
    let of_certificate =
        |item: &Item| json!({ "op": "verify", "type": "certificate", "bytes": encoded(item) });
    let of_endorsement = |item: &Item, key: &Party, subject: &Party| {
        json!({
            "op": "verify", "type": "endorsement", "bytes": encoded(item),
            "key": hex(&key.signing_key()), "fingerprint": hex(&subject.fingerprint()),
        })
    };
    let of_revocation = |item: &Item, key: &Party| {
        let key = hex(&key.signing_key());
        json!({ "op": "verify", "type": "revocation", "bytes": encoded(item), "key": key })
    };
    let good =
        |name: &str, request| Vector::accepted(format!("signature of {name}"), request, json!({}));
    let bad = |name: &str, because: &str, request| {
        Vector::refused(format!("signature of {name}"), because, request, "signature")
    };
    let high = |item: &Item| item.with(item.items().len() - 1, other_half(&signature(item)));
    let unlabelled = device.signed("", &[], device.certificate_content());
    let mut renewed = device.clone();
    renewed.expires += 1;
    vec![
        good("a certificate", of_certificate(&certificate)),
        good("an endorsement", of_endorsement(&endorsement, &company, &device)),
        good("a revocation", of_revocation(&revocation, &company)),
        bad(
            "a certificate: s in the upper half",
            "s is n − s",
            of_certificate(&high(&certificate)),
        ),
        bad(
            "an endorsement: s in the upper half",
            "s is n − s",
            of_endorsement(&high(&endorsement), &company, &device),
        ),
        bad(
            "a certificate: changed",
            "expires is one second later than what was signed",
            of_certificate(&certificate.with(3, day(100) + 1)),
        ),
        bad("a certificate: no label", "the label was left out", of_certificate(&unlabelled)),
        bad(
            "a certificate: zero",
            "r and s are zero",
            of_certificate(&certificate.with(6, [0; 64])),
        ),
        bad(
            "a certificate: no point",
            "the signing key is not a point of the curve",
            of_certificate(&certificate.with(5, [&[2][..], &[0xff; 32]].concat())),
        ),
        bad(
            "an endorsement: another issuer",
            "another party's key is used",
            of_endorsement(&endorsement, &gateway, &device),
        ),
        bad(
            "an endorsement: another certificate",
            "the certificate was renewed with the same keys",
            of_endorsement(&endorsement, &company, &renewed),
        ),
        bad(
            "a revocation: another issuer",
            "another party's key is used",
            of_revocation(&revocation, &gateway),
        ),
        bad(
            "a revocation: changed",
            "the subject is another",
            of_revocation(&revocation.with(2, gateway.id()), &company),
        ),
    ]
}

/// Signatures with the nonce of RFC 6979 are the same for everyone.
fn issued() -> Vec<Vector> {
    let (company, device) = (company(), device());
    let dates = [day(0), day(100)];
    let made = |name: &str, mut request: Value, item: &Item| {
        request["op"] = "issue".into();
        Vector::accepted(format!("issue: {name}"), request, json!({ "bytes": encoded(item) }))
    };
    let identity = |party: &Party| encoded(&party.private_identity());
    let renewed = Party { created: day(50), expires: day(150), ..device.clone() };
    vec![
        made(
            "certificate with new dates",
            json!({
                "type": "certificate", "identity": identity(&device),
                "created": renewed.created, "expires": renewed.expires,
            }),
            &renewed.certificate(),
        ),
        made(
            "endorsement",
            json!({
                "type": "endorsement", "identity": identity(&company),
                "certificate": encoded(&device.certificate()),
                "created": dates[0], "expires": dates[1],
                "roles": "device, gateway", "rights": "data, keys",
            }),
            &company.endorse(device.fingerprint(), dates, 3, 17),
        ),
        made(
            "revocation",
            json!({
                "type": "revocation", "identity": identity(&company),
                "subject": hex(&device.id()), "created": day(3),
            }),
            &company.revoke(device.id(), day(3)),
        ),
    ]
}

/// The fields of a credential with one endorsement by `issuer`.
pub(super) fn credential_fields(party: &Party, issuer: &Party, words: [&str; 2]) -> Value {
    let endorsement = endorsement_fields(issuer, [day(0), day(100)], words);
    json!({ "certificate": party.certificate_fields(), "endorsements": [endorsement] })
}
