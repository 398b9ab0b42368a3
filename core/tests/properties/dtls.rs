//! DTLS clients and servers under any sequence of operations: the rules of the
//! sans-I/O core hold, and what is bad changes nothing.

pub(crate) mod sides;
pub(crate) mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use sides::{Knowledge, Serving, SingleSide, TableSide};
use world::{Operation, Reached, Terms, World, operation, terms};

fn run<S: Serving>(terms: &Terms, operations: &[Operation], clients: usize) -> Reached {
    let mut world = World::<S>::new(terms, clients);
    operations.iter().for_each(|operation| world.perform(operation));
    world.finish()
}

/// Half of the time, everyone is connected first.
fn operations() -> impl Strategy<Value = Vec<Operation>> {
    use Operation::{Answer, CarryAll};
    let answers = [Answer(Knowledge::Right), Answer(Knowledge::Right), Answer(Knowledge::Right)];
    let first = [&[CarryAll], &answers[..], &[CarryAll]].concat();
    let first = prop_oneof![Just(Vec::new()), Just(first)];
    (first, prop::collection::vec(operation(), 0..60)).prop_map(|(mut operations, more)| {
        operations.extend(more);
        operations
    })
}

proptest! {
    /// With three clients at a time, which begin anew as they like, and little room.
    #[test]
    fn a_server_for_many_and_its_clients_keep_the_rules(
        terms in terms(),
        operations in operations(),
    ) {
        run::<TableSide>(&terms, &operations, 3);
    }

    #[test]
    fn a_server_for_one_and_its_client_keep_the_rules(
        terms in terms(),
        operations in operations(),
    ) {
        run::<SingleSide>(&terms, &operations, 1);
    }
}

/// Or else the properties would say little.
#[test]
fn everything_is_tried_and_every_end_is_reached() {
    let mut runner = TestRunner::deterministic();
    let mut reached = Reached::default();
    for _ in 0..200 {
        let (terms, operations) = (terms(), operations()).new_tree(&mut runner).unwrap().current();
        let other = run::<TableSide>(&terms, &operations, 3);
        reached.events.extend(other.events);
        reached.heard += other.heard;
        reached.trials += other.trials;
    }
    let count = |word: &str| reached.events.iter().filter(|event| event.contains(word)).count();
    for word in ["Connected", "ByPeer", "ByApplication", "HandshakeTimeout", "Replaced", "Overload"]
    {
        assert!(count(word) >= 10, "{word}: {}", count(word));
    }
    assert!(reached.heard >= 50, "{}", reached.heard);
    let trials = reached.trials;
    assert!(trials.dropped >= 200 && trials.refused >= 200 && trials.early >= 200, "{trials:?}");
}
