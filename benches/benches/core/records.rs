//! Records of an established session, with each of our providers.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use iot_crypto_bench::contestant::ours;
use iot_crypto_bench::measure::time;
use iot_crypto_bench::question::records::SIZES;

/// How many records are sealed before they are opened.
const BATCH: usize = 64;

pub(super) fn measure(criterion: &mut Criterion) {
    for mut contestant in ours() {
        let mut group = criterion.benchmark_group(format!("record, {}", contestant.name()));
        for size in SIZES {
            let payload = vec![7; size];
            group.throughput(Throughput::Bytes(size as u64));
            let mut connection = contestant.connect().unwrap();
            group.bench_function(BenchmarkId::new("seal", size), |bencher| {
                bencher.iter(|| connection.seal(&payload, 1).unwrap());
            });
            group.bench_function(BenchmarkId::new("open", size), |bencher| {
                bencher.iter_custom(|count| {
                    let (mut left, mut elapsed) = (count, Duration::ZERO);
                    while left > 0 {
                        let batch = BATCH.min(left.try_into().unwrap_or(BATCH));
                        connection.seal(&payload, batch).unwrap();
                        elapsed += time(|| connection.open(batch)).unwrap().0;
                        left -= batch as u64;
                    }
                    elapsed
                });
            });
        }
        group.finish();
    }
}
