//! Messages of the Transmission-Protocol: those of the question `encoding`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use iot_crypto::transmission::Message;
use iot_crypto_bench::question::encoding::messages;

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    for (name, message) in messages() {
        let mut buffer = [0; 1200];
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            bencher.iter(|| black_box(&message).encode(&mut buffer).unwrap());
        });
        let length = message.encode(&mut buffer).unwrap();
        let bytes = buffer.get(..length).unwrap();
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| Message::decode(black_box(bytes)).unwrap());
        });
    }
    group.finish();
}
