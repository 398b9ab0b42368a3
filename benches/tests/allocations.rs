//! From datagram to session and back, nothing is taken from the heap.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use iot_crypto_bench::contestant::ours;
use iot_crypto_bench::heap::{Counting, allocations};
use iot_crypto_bench::question::records;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test, since all that this process takes is counted.
#[test]
fn records_take_nothing_from_the_heap() {
    let (_, counted) = allocations(|| black_box(vec![1_u8]));
    assert_eq!(counted, 1, "blocks are counted");
    for mut contestant in ours() {
        let mut connection = contestant.connect().unwrap();
        for size in records::SIZES {
            let payload = vec![7; size];
            let mut turn = || {
                connection.seal(&payload, 16).unwrap();
                connection.open(16).unwrap();
            };
            // Where the benchmark keeps them.
            turn();
            let ((), counted) = allocations(turn);
            assert_eq!(counted, 0, "{}, {size} bytes", contestant.name());
        }
    }
}
