//! Our server, and datagrams that it turns away.

use anyhow::{Context as _, ensure};
use iot_crypto::crypto::Provider;
use iot_crypto::dtls::{Client, CookiePolicy, Datagram, Server, ServerConfig};

use super::ours::{Address, BUFFER, NOW};
use super::scale::handshake;
use super::{our_config, our_credentials};

/// Whose session it is.
const KNOWN: Address = Address(0);
/// Someone who has none.
const STRANGER: Address = Address(1);

/// A server with one session that demands cookies, a `ClientHello` without one from
/// somewhere else, and a record of the session that it had before.
pub struct Door<P: Provider> {
    server: Server<P, Address>,
    provider: P,
    hello: Vec<u8>,
    record: Vec<u8>,
    buffer: [u8; BUFFER],
}

impl<P: Provider> Door<P> {
    /// # Errors
    /// If the handshake fails, or the record is not taken the first time.
    pub fn new(mut provider: P) -> anyhow::Result<Self> {
        let dtls = our_config();
        let config =
            ServerConfig { dtls, cookies: CookiePolicy::Always, ..ServerConfig::default() };
        let (identity, key) = our_credentials()?;
        let mut server = Server::new(config, &mut provider)?;
        let mut client = Client::new(&dtls, &mut provider, NOW, &identity, key.clone())?;
        handshake(&mut server, &mut provider, KNOWN, &mut client, &key)?;
        let mut buffer = [0; BUFFER];
        let length = client.send(&mut provider, NOW, b"once", &mut buffer)?;
        let record = buffer.get(..length).unwrap_or_default().to_vec();
        let mut stranger = Client::new(&dtls, &mut provider, NOW, &identity, key)?;
        let length = stranger.poll_transmit(&mut provider, NOW, &mut buffer)?;
        let length = length.context("our client says nothing")?;
        let hello = buffer.get(..length).unwrap_or_default().to_vec();
        let mut door = Self { server, provider, hello, record, buffer };
        ensure!(door.deliver(), "our server does not take a record");
        Ok(door)
    }

    /// The record comes; whether the server takes it.
    fn deliver(&mut self) -> bool {
        let Self { server, provider, record, buffer, .. } = self;
        let mut datagram = Datagram::new(copied(record, buffer));
        server.handle_record(provider, NOW, KNOWN, &mut datagram).is_some()
    }

    /// The `ClientHello` comes, and is answered with a cookie.
    ///
    /// # Errors
    /// If there is no answer, or the server keeps anything of it.
    pub fn knock(&mut self) -> anyhow::Result<()> {
        let Self { server, provider, hello, buffer, .. } = self;
        let mut datagram = Datagram::new(copied(hello, buffer));
        while server.handle_record(provider, NOW, STRANGER, &mut datagram).is_some() {}
        let answer = server.poll_transmit(provider, NOW, buffer)?;
        ensure!(answer.is_some_and(|(address, _)| address == STRANGER), "nobody answers");
        ensure!(server.half_open() == 0 && server.len() == 1, "our server keeps a stranger");
        Ok(())
    }

    /// The record comes again, and is dropped.
    ///
    /// # Errors
    /// If it is taken.
    pub fn replay(&mut self) -> anyhow::Result<()> {
        ensure!(!self.deliver(), "our server takes a record twice");
        Ok(())
    }
}

/// The datagram, where it can be changed.
fn copied<'b>(datagram: &[u8], buffer: &'b mut [u8; BUFFER]) -> &'b mut [u8] {
    let room = buffer.get_mut(..datagram.len()).unwrap_or_default();
    room.copy_from_slice(datagram);
    room
}
