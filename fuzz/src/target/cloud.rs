//! The cloud, under attack by insiders.

use crate::input::Input;
use crate::roles::{CloudSubject, World};

/// A cloud, beside its twin, meets gateways that hold valid keys and mean harm, and a
/// network in the hands of an attacker.
pub fn cloud(data: &[u8]) {
    let mut input = Input::new(data);
    World::new(&mut input, CloudSubject::new).run(&mut input);
}
