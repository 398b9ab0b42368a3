//! Figure 10: the structures of the protocol in four encodings.

mod c_structure;
mod json;
mod node;
mod packed;
mod schema;

use iot_crypto::connection::{
    Advertisement, ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, ResponderParameters,
    Versions, respond,
};
use iot_crypto::identity::{Credential, Role, TrustStore};
use iot_crypto::wire::cbor;
use minicbor::Encode;

use self::node::{Field, Node};
use super::cast::{Cast, NOW};
use super::messages;
use super::report::{Cell, Figure, Table};
use crate::cast::trusting;

/// A structure as the core encoded it.
struct Structure {
    name: String,
    cbor: Vec<u8>,
    node: Node,
}

impl Structure {
    fn new(name: impl Into<String>, fields: &'static [Field], cbor: Vec<u8>) -> Self {
        let name = name.into();
        let node = Node::read(fields, &cbor).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, cbor, node }
    }

    fn row(&self) -> Vec<Cell> {
        vec![
            self.name.as_str().into(),
            self.cbor.len().into(),
            data_encoding::HEXLOWER.encode(&self.cbor).len().into(),
            json::json(&self.node).to_string().len().into(),
            packed::packed(&self.node).len().into(),
            c_structure::c_structure(&self.node).len().into(),
        ]
    }
}

/// The figure.
pub(super) fn figure(seed: u64) -> Figure {
    let mut figure = Figure::new(
        10,
        "Sizes of the structures by encoding",
        seed,
        &[
            "CBOR-encoded data stored in binary format has a similar size to the raw data structures \
             of the C language. It is even more efficient in some cases, thanks to more compact data \
             representation and the non-optimal layout of corresponding C structures.",
            "CBOR data can be stored in binary format or as a hexadecimal string, which is twice as long",
            "IoT-Crypto certificate size is 232 bytes without compression.",
        ],
    );
    let columns = ["structure", "CBOR", "CBOR as hex", "JSON", "raw, packed", "raw, C structure"];
    figure.tables = vec![Table::new(
        "Bytes of one structure each; CBOR is what is sent",
        &columns,
        structures(seed).iter().map(Structure::row),
    )];
    figure.notes = [
        "JSON: the names of the fields, no spaces, byte strings in base64url, numbers of registries as \
         numbers, absent fields left out.",
        "Raw, packed: numbers in their full width, variable parts behind their length, no padding.",
        "Raw, C structure: as a compiler lays it out, with room for the longest text and for as many \
         items as a list may have; the same size whatever it holds.",
        "The structures and their limits are ours, so that these are not the paper's numbers.",
    ]
    .map(str::to_owned)
    .into();
    figure
}

/// Certificate, endorsement and credential; advertisement; key negotiation; messages.
fn structures(seed: u64) -> Vec<Structure> {
    let mut cast = Cast::new(seed);
    let endorsements = cast.device_endorsements();
    let certificate = cast.device.certificate().clone();
    let credential =
        Credential { certificate: certificate.clone(), endorsements: endorsements.clone() };
    let named = |what: &str| format!("{what}, {}-byte name", certificate.name().as_str().len());
    let mut structures = vec![
        Structure::new(named("certificate"), schema::CERTIFICATE, encoded(&certificate)),
        Structure::new("endorsement", schema::ENDORSEMENT, encoded(&endorsements[0])),
        Structure::new("credential, 1 endorsement", schema::CREDENTIAL, encoded(&credential)),
        Structure::new("advertisement", schema::ADVERTISEMENT, advertisement(&mut cast)),
    ];
    for (forward_secrecy, name) in
        [(ForwardSecrecy::On, "ephemeral"), (ForwardSecrecy::Off, "static")]
    {
        let [request, response] = negotiation(&mut cast, forward_secrecy);
        structures.push(Structure::new(format!("M1, {name}"), schema::REQUEST, request));
        if forward_secrecy == ForwardSecrecy::On {
            structures.push(Structure::new("M2", schema::RESPONSE, response));
        }
    }
    let messages = messages::of_a_device(&cast);
    let messages =
        messages.into_iter().chain([messages::longest()]).chain(messages::of_a_gateway(&cast));
    structures.extend(
        messages.map(|message| {
            Structure::new(message.name, schema::message(message.kind), message.bytes)
        }),
    );
    structures
}

fn encoded(value: &impl Encode<()>) -> Vec<u8> {
    let mut bytes = vec![0; cbor::encoded_len(value)];
    cbor::encode(value, &mut bytes).expect("it has room");
    bytes
}

fn advertisement(cast: &mut Cast) -> Vec<u8> {
    let advertisement = Advertisement {
        gateway: cast.gateway.id(),
        negotiation_port: 4441,
        transmission_port: 4442,
        versions: Versions::V1,
        time: Some(NOW),
        sequence: 1000,
        incarnation: u32::MAX,
    };
    let mut bytes = vec![0; Advertisement::MAX_LEN];
    let length =
        advertisement.seal(&cast.provider(), &cast.network_key, &mut bytes).expect("it has room");
    bytes.truncate(length);
    bytes
}

/// M1 of the device and M2 of the gateway.
fn negotiation(cast: &mut Cast, forward_secrecy: ForwardSecrecy) -> [Vec<u8>; 2] {
    let parameters = InitiatorParameters {
        role: Role::Device,
        peer_role: Role::Gateway,
        sleepy: false,
        incarnation: u32::MAX,
        forward_secrecy,
    };
    let initiator = Initiator::new(&mut cast.provider(), parameters).expect("it never fails");
    let endorsements = cast.device_endorsements();
    let local = LocalParty { identity: &cast.device, endorsements: &endorsements };
    let mut request = vec![0; 1200];
    let length = initiator.request(local, &mut request).expect("it has room");
    request.truncate(length);

    let parameters = ResponderParameters {
        peer_role: Role::Device,
        incarnation: u32::MAX,
        transmission_port: 4442,
        now: Some(NOW),
    };
    let trust: TrustStore<1, 0, 0> = trusting(&[&cast.company]);
    let endorsements = cast.gateway_endorsements();
    let mut provider = cast.provider();
    let local = LocalParty { identity: &cast.gateway, endorsements: &endorsements };
    let mut response = vec![0; 1200];
    let (_, length) = respond(&mut provider, local, &trust, &parameters, &request, &mut response)
        .expect("the device is trusted");
    response.truncate(length);
    [request, response]
}

#[cfg(test)]
mod tests;
