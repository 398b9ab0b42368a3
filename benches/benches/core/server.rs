//! What a server does with a datagram: of one of many sessions, of a stranger, and of
//! someone who repeats another's.

use criterion::{BenchmarkId, Criterion};
use iot_crypto_bench::contestant::door::Door;
use iot_crypto_bench::contestant::scale::Crowded;
use iot_crypto_host::os_provider;

/// How many sessions there are.
const SESSIONS: [usize; 3] = [1_000, 10_000, 100_000];

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("server");
    for sessions in SESSIONS {
        // Made when it is measured: not if something else is asked for.
        let mut crowded = None;
        group.bench_function(
            BenchmarkId::new("datagram to its session, of", sessions),
            |bencher| {
                let server =
                    crowded.get_or_insert_with(|| Crowded::new(os_provider(), sessions).unwrap());
                bencher.iter_custom(|count| {
                    let talking = server.talking() as u64;
                    let turns = count.div_ceil(talking);
                    let elapsed: std::time::Duration =
                        (0..turns).map(|_| server.handle().unwrap()).sum();
                    elapsed.mul_f64(count as f64 / (turns * talking) as f64)
                });
            },
        );
    }
    let mut door = Door::new(os_provider()).unwrap();
    group.bench_function("ClientHello without a cookie, answered", |bencher| {
        bencher.iter(|| door.knock().unwrap());
    });
    group.bench_function("record that was replayed, dropped", |bencher| {
        bencher.iter(|| door.replay().unwrap());
    });
    group.finish();
}
