//! Both sides of DTLS.

use crate::dtls::{Server, Twins, World};
use crate::input::Input;

/// Clients and either kind of server, all beside their twins, and an attacker.
pub fn dtls_pair(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = if input.bool() { Server::Single } else { Server::Table };
    let twins = Twins { clients: true, server: true };
    World::new(kind, twins, &mut input).run(&mut input);
}
