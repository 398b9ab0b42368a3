//! A DTLS server for one client.

use crate::dtls::{Server, Twins, World};
use crate::input::Input;

/// A server for one client, beside its twin, meets clients, and an attacker.
pub fn dtls_single_server(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = Server::Single;
    let twins = Twins { clients: false, server: true };
    World::new(kind, twins, &mut input).run(&mut input);
}
