//! The functions of the core one by one, by criterion: what a change to one of them does
//! to its time, beside what it took the last time. Whose library is the faster one is the
//! question of the program, not of this.
#![allow(clippy::unwrap_used)]

mod identity;
mod messages;
mod negotiation;
mod records;
mod server;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let calm = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let mut criterion = calm.configure_from_args();
    records::measure(&mut criterion);
    server::measure(&mut criterion);
    identity::measure(&mut criterion);
    negotiation::measure(&mut criterion);
    messages::measure(&mut criterion);
    criterion.final_summary();
}
