//! Certificates.

use std::hint::black_box;

use criterion::Criterion;
use iot_crypto::identity::{Certificate, Name, PrivateIdentity};
use iot_crypto::time::UnixTime;
use iot_crypto::wire::cbor;
use iot_crypto_bench::contestant::parties::{self, Acquaintance};
use iot_crypto_host::os_provider;

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certificate");
    let [from, to] = [1_800_000_000, 1_900_000_000].map(UnixTime::from_secs);
    let name = Name::new("thermometer").unwrap();
    let identity = PrivateIdentity::create(&mut os_provider(), name, from, to).unwrap();
    let certificate = identity.certificate();
    let mut buffer = [0; Certificate::MAX_LEN];
    group.bench_function("encode", |bencher| {
        bencher.iter(|| cbor::encode(black_box(certificate), &mut buffer).unwrap());
    });
    let length = cbor::encode(certificate, &mut buffer).unwrap();
    let bytes = buffer.get(..length).unwrap();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Certificate::decode(black_box(bytes)).unwrap());
    });
    for mut parties in parties::all().unwrap() {
        for (known, acquaintance) in
            [("endorsed", Acquaintance::First), ("known before", Acquaintance::Return)]
        {
            group.bench_function(format!("verify, {known}, {}", parties.name()), |bencher| {
                // Acquainted from here on, if they may be.
                parties.verify(acquaintance, 1).unwrap();
                bencher.iter_custom(|count| {
                    parties.verify(acquaintance, count.try_into().unwrap()).unwrap()
                });
            });
        }
    }
    group.finish();
}
