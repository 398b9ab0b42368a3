//! What the checks of bad surroundings begin with: a board that is told where its gateway
//! is, and finds a proxy there.

use anyhow::Result;

use crate::board::Board;
use crate::parties::{Gateway, Parties};
use crate::proxy::Proxy;

/// A gateway that runs, behind an honest proxy, and a board that is still off.
pub struct Setting {
    /// The files of the parties.
    pub parties: Parties,
    /// What the board takes for its gateway.
    pub proxy: Proxy,
    /// The gateway.
    pub gateway: Gateway,
    /// The board.
    pub board: Board,
}

impl Setting {
    /// A new one, in which the gateway replaces the key of a session of the age `rotation`.
    ///
    /// # Errors
    /// If the parties or the proxy can't be made, or the gateway doesn't start.
    pub fn new(rotation: &str) -> Result<Self> {
        let parties = Parties::new()?;
        let proxy = Proxy::start()?;
        let gateway = parties.gateway_behind(&proxy, rotation)?;
        let board = Board::new()?;
        let [negotiation, _] = proxy.ports;
        board.set_store(&parties.image()?, Some(negotiation))?;
        Ok(Self { parties, proxy, gateway, board })
    }
}
