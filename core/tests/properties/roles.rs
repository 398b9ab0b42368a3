//! The three roles together under any sequence of operations: the rules of the
//! sans-I/O core hold for each, what is bad changes nothing, commands run once, and
//! alerts arrive.

mod sides;
mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::testing::one_in;
use world::{Operation, Reached, Terms, World, operation, terms};

fn run(terms: &Terms, operations: &[Operation]) -> Reached {
    let mut world = World::new(terms);
    operations.iter().for_each(|operation| world.perform(operation));
    world.finish()
}

proptest! {
    #![proptest_config(one_in(6))]

    #[test]
    fn a_device_a_gateway_and_a_cloud_keep_the_rules(
        terms in terms(),
        operations in prop::collection::vec(operation(), 0..50),
    ) {
        run(&terms, &operations);
    }
}

/// Or else the property would say little.
#[test]
fn everything_is_tried_and_arrives() {
    let mut runner = TestRunner::deterministic();
    let mut all = Reached::default();
    for _ in 0..12 {
        let cases = (terms(), prop::collection::vec(operation(), 50));
        let (terms, operations) = cases.new_tree(&mut runner).unwrap().current();
        let reached = run(&terms, &operations);
        all.executed.extend(reached.executed);
        all.done.extend(reached.done);
        all.delivered.extend(reached.delivered);
        all.at_cloud.extend(reached.at_cloud);
        all.trials += reached.trials;
    }
    assert!(all.executed.len() >= 20 && all.done.len() >= 20, "{all:?}");
    assert!(all.delivered.len() >= 15 && all.at_cloud.len() >= 15, "{all:?}");
    let trials = all.trials;
    assert!(trials.dropped >= 60 && trials.refused >= 200 && trials.early >= 20, "{trials:?}");
}
