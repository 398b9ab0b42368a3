//! The device, under attack by insiders.

use crate::input::Input;
use crate::roles::{DeviceSubject, World};

/// A device, beside its twin, meets gateways that hold valid keys and mean harm, and a
/// network in the hands of an attacker.
pub fn device(data: &[u8]) {
    let mut input = Input::new(data);
    World::new(&mut input, DeviceSubject::new).run(&mut input);
}
