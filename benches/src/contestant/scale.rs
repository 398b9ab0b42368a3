//! Our server with very many sessions, and a few of its clients.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use iot_crypto::crypto::Provider;
use iot_crypto::dtls::{
    Client, CookiePolicy, Datagram, PresharedKey, Server, ServerConfig, ServerEvent,
};

use super::ours::{Address, BUFFER, NOW};
use super::{our_config, our_credentials};
use crate::measure::time;

/// How many clients keep talking: more than what a processor remembers of where it was.
pub const TALKING: usize = 1_024;

/// The payload of a datagram, in bytes.
pub const PAYLOAD: usize = 64;

/// The server, and those clients.
pub struct Crowded<P: Provider> {
    server: Server<P, Address>,
    provider: P,
    talking: Vec<Talking<P>>,
}

struct Talking<P: Provider> {
    address: Address,
    client: Client<P>,
    datagram: [u8; BUFFER],
    length: usize,
}

impl<P: Provider> Crowded<P> {
    /// A server with so many sessions; the clients that talk are spread evenly.
    ///
    /// # Errors
    /// If a handshake fails.
    pub fn new(mut provider: P, sessions: usize) -> anyhow::Result<Self> {
        let dtls = our_config();
        let config = ServerConfig {
            dtls,
            cookies: CookiePolicy::Never,
            max_sessions: sessions,
            ..ServerConfig::default()
        };
        let (identity, key) = our_credentials()?;
        let mut server = Server::new(config, &mut provider)?;
        let (mut talking, apart) = (Vec::new(), sessions.div_ceil(TALKING).max(1));
        for number in 0..sessions {
            let address = Address(u32::try_from(number)?);
            let mut client = Client::new(&dtls, &mut provider, NOW, &identity, key.clone())?;
            handshake(&mut server, &mut provider, address, &mut client, &key)?;
            if number.is_multiple_of(apart) {
                talking.push(Talking { address, client, datagram: [0; BUFFER], length: 0 });
            }
        }
        ensure!(server.len() == sessions, "our server has fewer sessions");
        Ok(Self { server, provider, talking })
    }

    /// How many clients talk.
    #[must_use]
    pub fn talking(&self) -> usize {
        self.talking.len()
    }

    /// Each client that talks seals a record; gives how long the server takes to handle
    /// all of them.
    ///
    /// # Errors
    /// If a record is not taken.
    pub fn handle(&mut self) -> anyhow::Result<Duration> {
        let Self { server, provider, talking } = self;
        for one in &mut *talking {
            one.length = one.client.send(provider, NOW, &[7; PAYLOAD], &mut one.datagram)?;
        }
        let (elapsed, taken) = time(|| {
            let mut taken = 0;
            for Talking { address, datagram, length, .. } in &mut *talking {
                let bytes = datagram.get_mut(..*length).unwrap_or_default();
                let mut datagram = Datagram::new(bytes);
                while server.handle_record(provider, NOW, *address, &mut datagram).is_some() {
                    taken += 1;
                }
            }
            Ok(taken)
        })?;
        ensure!(taken == talking.len(), "our server took {taken} of {} records", talking.len());
        Ok(elapsed)
    }

    /// How long it takes to find the next deadline, so many times.
    ///
    /// # Errors
    /// None.
    pub fn find_deadline(&self, count: usize) -> anyhow::Result<Duration> {
        let (elapsed, ()) = time(|| {
            for _ in 0..count {
                std::hint::black_box(std::hint::black_box(&self.server).poll_timeout());
            }
            Ok(())
        })?;
        Ok(elapsed)
    }
}

pub(super) fn handshake<P: Provider>(
    server: &mut Server<P, Address>,
    provider: &mut P,
    address: Address,
    client: &mut Client<P>,
    key: &PresharedKey,
) -> anyhow::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let mut moved = false;
        while let Some(length) = client.poll_transmit(provider, NOW, &mut buffer)? {
            let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
            while server.handle_record(provider, NOW, address, &mut datagram).is_some() {}
            moved = true;
        }
        while let Some(event) = server.poll_event() {
            match event {
                ServerEvent::PskRequired { session, .. } => {
                    server.provide_psk(provider, NOW, session, Some(key.clone()));
                }
                ServerEvent::Connected { .. } => {}
                other => return Err(anyhow!("our server: {other:?}")),
            }
        }
        while let Some((_, length)) = server.poll_transmit(provider, NOW, &mut buffer)? {
            let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
            while client.handle_record(provider, NOW, &mut datagram).is_some() {}
            moved = true;
        }
        if client.is_connected() {
            while client.poll_event().is_some() {}
            return Ok(());
        }
        ensure!(moved, "our handshake does not go on");
    }
}
