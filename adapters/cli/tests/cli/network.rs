//! Network keys.

use crate::world::World;

fn ids(shown: &serde_json::Value) -> Vec<String> {
    let accepted = shown["accepted"].as_array().unwrap();
    accepted.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn keys_are_made_rotated_and_retired() {
    let world = World::new();
    let first = ids(&world.json("network new lab.network"));
    assert_eq!(world.mode("lab.network"), 0o600);
    let both = ids(&world.json("network rotate lab.network"));
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], first[0], "the old key is kept behind the new one");
    let shown = world.json("network show lab.network");
    assert_eq!(ids(&shown), both);
    assert_eq!(shown["used"], both[0]);
    let left = ids(&world.json(&format!("network rotate lab.network --retire {}", first[0])));
    assert_eq!(left, both[..1]);
    assert_eq!(world.mode("lab.network"), 0o600);
}

#[test]
fn the_last_key_and_unknown_keys_can_not_be_retired() {
    let world = World::new();
    let only = &ids(&world.json("network new lab.network"))[0];
    assert!(
        world.fails(2, &format!("network rotate lab.network --retire {only}")).contains("only")
    );
    world.fails(2, "network rotate lab.network --retire 00000000");
    world.fails(2, "network rotate lab.network --retire nonsense");
    assert_eq!(&ids(&world.json("network show lab.network"))[0], only);
}

#[test]
fn there_is_room_for_four_keys() {
    let world = World::new();
    world.ok("network new lab.network");
    for _ in 1..4 {
        world.ok("network rotate lab.network");
    }
    assert!(world.fails(2, "network rotate lab.network").contains("--retire"));
    assert_eq!(ids(&world.json("network show lab.network")).len(), 4);
}

#[test]
fn the_file_is_kept_private_and_not_overwritten() {
    let world = World::new();
    world.ok("network new lab.network");
    world.fails(2, "network new lab.network");
    world.set_mode("lab.network", 0o640);
    assert!(world.fails(2, "network show lab.network").contains("chmod 600"));
    world.fails(2, "network rotate lab.network");
    world.ok("network new lab.network --force");
    assert_eq!(world.mode("lab.network"), 0o600);
}
