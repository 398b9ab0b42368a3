//! A DTLS server for many clients.

use crate::dtls::{Server, Twins, World};
use crate::input::Input;

/// A server for many clients, beside its twin, meets some, and an attacker.
pub fn dtls_server(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = Server::Table;
    let twins = Twins { clients: false, server: true };
    World::new(kind, twins, &mut input).run(&mut input);
}
