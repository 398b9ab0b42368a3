//! A DTLS session under the negotiated key: its handshake, and a record each way; of that,
//! the device's part is counted.

use iot_crypto::connection::SessionKey;
use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, Session, SingleServer,
};
use iot_crypto::time::Instant;

use crate::{Device, Gateway, PAYLOAD, Step, marks};

/// The time: nothing is lost, so no timer is ever due.
const NOW: Instant = Instant::ZERO;

/// The longest datagram, in bytes: that of the program `device`.
const DATAGRAM: usize = 548;

type OfDevice = Session<Device>;
type OfGateway = SingleServer<Gateway>;

/// Runs the handshake and exchanges the payload.
pub(crate) fn measure(
    device: &mut Device,
    gateway: &mut Gateway,
    key: &SessionKey,
) -> Result<(), Step> {
    let (mut session, mut server) = handshake(device, gateway, key)?;

    let mut record = [0; DATAGRAM];
    let sealed = marks::count(marks::seal, || session.send(device, NOW, &PAYLOAD, &mut record));
    let length = sealed.map_err(|_| Step("seal"))?;
    let mut datagram = Datagram::new(record.get_mut(..length).unwrap_or_default());
    let opened = server.handle_record(gateway, NOW, &mut datagram);
    if opened.is_none_or(|opened| *opened != PAYLOAD) {
        return Err(Step("record of the device"));
    }

    let sealed = server.send(gateway, NOW, &PAYLOAD, &mut record);
    let length = sealed.map_err(|_| Step("seal by the gateway"))?;
    let opened = marks::count(marks::open, || {
        let mut datagram = Datagram::new(record.get_mut(..length).unwrap_or_default());
        session.handle_record(device, NOW, &mut datagram)
    });
    if opened.is_none_or(|opened| *opened != PAYLOAD) {
        return Err(Step("record of the gateway"));
    }
    Ok(())
}

fn handshake(
    device: &mut Device,
    gateway: &mut Gateway,
    key: &SessionKey,
) -> Result<(OfDevice, OfGateway), Step> {
    let config = Config { max_datagram: DATAGRAM, ..Config::default() };
    let identity = PskIdentity::new(&key.id().0).ok_or(Step("name of the key"))?;
    let psk = || PresharedKey::new(key.secret().expose()).ok_or(Step("key"));
    let mut server = SingleServer::new(&config, gateway).map_err(|_| Step("server"))?;
    let psk_of_device = psk()?;
    let mut buffer = [0; DATAGRAM];

    let mut client = marks::count(marks::handshake, || {
        Client::new(&config, device, NOW, &identity, psk_of_device)
    })
    .map_err(|_| Step("client"))?;
    loop {
        let mut moved = false;
        while let Some(length) =
            marks::count(marks::handshake, || client.poll_transmit(device, NOW, &mut buffer))
                .map_err(|_| Step("flight of the device"))?
        {
            moved = true;
            let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
            while server.handle_record(gateway, NOW, &mut datagram).is_some() {}
        }
        while let Some(event) = server.poll_event() {
            if let ConnectionEvent::PskRequired(name) = event {
                server.provide_psk(gateway, NOW, &name, Some(psk()?));
            }
        }
        while let Some(length) = server
            .poll_transmit(gateway, NOW, &mut buffer)
            .map_err(|_| Step("flight of the gateway"))?
        {
            moved = true;
            marks::count(marks::handshake, || {
                let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
                while client.handle_record(device, NOW, &mut datagram).is_some() {}
            });
        }
        match marks::count(marks::handshake, || client.poll_event()) {
            Some(ConnectionEvent::Connected) => break,
            Some(_) => return Err(Step("handshake")),
            None if moved => {}
            None => return Err(Step("next flight")),
        }
    }
    // The device leaves its session where it is.
    let session = client.into_session().map_err(|_| Step("session"))?;
    Ok((session, server))
}
