//! The flash image of a microcontroller.

use iot_crypto::device::DeviceTrust;
use iot_crypto_embedded::flash::RamFlash;
use iot_crypto_embedded::store::{Store, USUAL_LEN};
use iot_crypto_host::os_provider;

use crate::world::World;

const LENGTH: usize = USUAL_LEN as usize;

/// A device, whose configuration is that of a microcontroller.
fn world() -> World {
    let world = World::with_lamp();
    world.write(
        "lamp.toml",
        "identity = \"lamp.identity\"\nendorsements = [\"lamp.endorsement\"]\n\
         trust = \"lamp.trust\"\nnetwork = \"lab.network\"\n",
    );
    world
}

fn store(world: &World) -> Store<RamFlash<[u8; LENGTH]>> {
    let image = std::fs::read(world.path("lamp.image")).unwrap();
    Store::open(RamFlash::new(image.try_into().unwrap()), 0..USUAL_LEN).unwrap()
}

#[test]
fn what_the_configuration_names_is_in_the_image() {
    let world = world();
    world.ok("identity new thief");
    world.ok("revoke --issuer lab.identity --subject thief.certificate --store lamp.trust \
              --out thief.revocation");
    let made = world.json("image lamp.toml --out lamp.image");
    assert_eq!((&made["name"], &made["length"]), (&"lamp".into(), &USUAL_LEN.into()));
    assert_eq!(world.mode("lamp.image"), 0o600);
    let (mut store, provider) = (store(&world), os_provider());
    assert_eq!(made["id"], store.identity(&provider).unwrap().id().to_string());
    assert_eq!(store.endorsements().unwrap().iter().count(), 1);
    assert_eq!(store.network_keys(&provider).unwrap().iter().count(), 1);
    let trust: DeviceTrust = store.trust(&provider).unwrap();
    let names: Vec<_> = trust.parties().map(|party| party.name.to_string()).collect();
    assert_eq!((names, trust.revocations().count()), (vec!["lab".to_owned()], 1));
}

#[test]
fn two_images_of_one_device_don_t_share_their_random_numbers() {
    let world = world();
    world.ok("image lamp.toml --out lamp.image");
    let first = std::fs::read(world.path("lamp.image")).unwrap();
    world.ok("image lamp.toml --out lamp.image --force");
    assert_ne!(first, std::fs::read(world.path("lamp.image")).unwrap());
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_replaced() {
    let world = world();
    world.write("lamp.image", "precious");
    assert!(world.fails(2, "image lamp.toml --out lamp.image").contains("--force"));
    let complaint = world.fails(2, "image lamp.toml --out small.image --length 256");
    assert!(complaint.contains("give it a region of"), "{complaint}");
    for number in 0..4 {
        world.ok(&format!("identity new party{number}"));
        world.ok(&format!("trust add lamp.trust party{number}.certificate"));
    }
    let complaint = world.fails(2, "image lamp.toml --out many.image");
    assert!(complaint.contains("more trusted parties"), "{complaint}");
    world.fails(2, "image lamp.toml --out odd.image --word 3");
    assert_eq!(world.read("lamp.image"), "precious");
    assert!(!world.path("many.image").exists() && !world.path("small.image").exists());
}
