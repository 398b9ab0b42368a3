//! A DTLS client.

use crate::dtls::{Server, Twins, World};
use crate::input::Input;

/// A client, beside its twin, meets a server for one client, and an attacker.
pub fn dtls_client(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = Server::Single;
    let twins = Twins { clients: true, server: false };
    World::new(kind, twins, &mut input).run(&mut input);
}
