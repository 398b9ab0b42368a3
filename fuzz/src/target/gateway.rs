//! The gateway, under attack by insiders.

use crate::input::Input;
use crate::roles::{GatewaySubject, World};

/// A gateway, beside its twin, meets a cloud and devices that hold valid keys and mean harm, and a
/// network in the hands of an attacker.
pub fn gateway(data: &[u8]) {
    let mut input = Input::new(data);
    World::new(&mut input, GatewaySubject::new).run(&mut input);
}
