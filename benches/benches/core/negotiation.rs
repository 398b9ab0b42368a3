//! The key negotiation, both sides, and its first message alone.

use std::hint::black_box;

use criterion::Criterion;
use iot_crypto::connection::{ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, Request};
use iot_crypto::identity::{Endorsements, Grant, Name, PrivateIdentity, Rights, Role};
use iot_crypto::time::UnixTime;
use iot_crypto_bench::contestant::parties::{self, Acquaintance};
use iot_crypto_host::os_provider;

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("negotiation");
    for mut parties in parties::all().unwrap() {
        for (contact, acquaintance) in
            [("first contact", Acquaintance::First), ("on return", Acquaintance::Return)]
        {
            group.bench_function(format!("{contact}, {}", parties.name()), |bencher| {
                parties.negotiate(acquaintance, 1).unwrap();
                bencher.iter_custom(|count| {
                    let count = count.try_into().unwrap();
                    let sides = parties.negotiate(acquaintance, count).unwrap();
                    sides.initiator + sides.responder
                });
            });
        }
    }
    let provider = &mut os_provider();
    let [from, to] = [1_800_000_000, 1_900_000_000].map(UnixTime::from_secs);
    let name = Name::new("thermometer").unwrap();
    let identity = PrivateIdentity::create(provider, name, from, to).unwrap();
    let grant = Grant { roles: Role::Device.into(), rights: Rights::ALL };
    let endorsement = identity.endorse(provider, identity.certificate(), from, to, grant).unwrap();
    let endorsements = Endorsements::new(&[endorsement]).unwrap();
    let local = LocalParty { identity: &identity, endorsements: &endorsements };
    let parameters = InitiatorParameters {
        role: Role::Device,
        peer_role: Role::Gateway,
        sleepy: false,
        incarnation: 1,
        forward_secrecy: ForwardSecrecy::On,
    };
    let initiator = Initiator::new(provider, parameters).unwrap();
    let mut buffer = [0; 1024];
    group.bench_function("request, encode", |bencher| {
        bencher.iter(|| initiator.request(black_box(local), &mut buffer).unwrap());
    });
    let length = initiator.request(local, &mut buffer).unwrap();
    let bytes = buffer.get(..length).unwrap();
    group.bench_function("request, decode", |bencher| {
        bencher.iter(|| Request::decode(black_box(bytes)).unwrap());
    });
    group.finish();
}
