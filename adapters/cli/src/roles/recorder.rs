//! What is recorded of a running role, for those who asked for it: the secrets of
//! its sessions, and what goes over its sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use iot_crypto_capture::{Captured, Recording, Sink, Tap};
use iot_crypto_host::os_provider;
use iot_crypto_mio::{Datagram, Direction};

use crate::error::Error;
use crate::files::{self, FileError};

/// The peers whose routes are remembered; when there are as many, all are
/// forgotten, and asked for again.
const MAX_ROUTES: usize = 4096;

/// The files that are written while a role runs; usually none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFiles {
    /// Where the datagrams go, with the secrets and what they open.
    pub capture: Option<PathBuf>,
    /// Where the secrets go.
    pub key_log: Option<PathBuf>,
}

/// Records a role, if it was asked to.
#[derive(Default)]
pub(super) struct Recorder(Option<Recording>);

impl Recorder {
    /// Opens the files, and warns of what will be in them.
    pub(super) fn start(files: &RecordFiles) -> Result<Self, Error> {
        let RecordFiles { capture, key_log } = files;
        if *files == RecordFiles::default() {
            return Ok(Self::default());
        }
        let open = |path: &Option<PathBuf>, open: fn(&Path) -> Result<_, _>| -> Result<_, Error> {
            let Some(path) = path else { return Ok(None) };
            let file: Sink = Box::new(open(path)?);
            Ok(Some(file))
        };
        let key_log_file = open(key_log, files::append_private)?;
        let capture_file = open(capture, files::create_private)?;
        for path in [key_log, capture].into_iter().flatten() {
            tracing::warn!(
                "the secrets of all sessions are written to {}; whoever reads it reads all \
                 that is said",
                path.display()
            );
        }
        let application = concat!("iot-crypto ", env!("CARGO_PKG_VERSION"));
        let recording = Recording::start(os_provider(), key_log_file, capture_file, application)
            .map_err(|source| match capture {
                Some(path) => FileError::Write { path: path.clone(), source }.into(),
                None => Error::Unexpected(source.to_string()),
            })?;
        Ok(Self(Some(recording)))
    }

    /// What takes the secrets.
    pub(super) fn tap(&self) -> Tap {
        self.0.as_ref().map(Recording::tap).unwrap_or_default()
    }

    /// What takes the datagrams.
    pub(super) fn datagrams(&self) -> Datagrams {
        Datagrams { tap: self.tap(), routes: Routes::default() }
    }

    /// Ends it, when all is written.
    pub(super) fn end(self) {
        if let Some(recording) = self.0 {
            recording.end();
        }
    }
}

/// Records datagrams.
pub(super) struct Datagrams {
    tap: Tap,
    routes: Routes,
}

impl Datagrams {
    /// Records a datagram; to be called for each.
    pub(super) fn note(&mut self, datagram: &Datagram<'_>) {
        if !self.tap.takes_datagrams() {
            return;
        }
        let &Datagram { direction, local, peer, payload, .. } = datagram;
        let local = self.routes.local(local, peer);
        let (inbound, from, to) = match direction {
            Direction::In => (true, peer, local),
            Direction::Out => (false, local, peer),
        };
        self.tap.datagram(&Captured { at: SystemTime::now(), inbound, from, to, payload });
    }
}

/// Finds the address that this computer has towards a peer: a socket on all
/// addresses does not tell.
#[derive(Default)]
struct Routes(BTreeMap<SocketAddr, IpAddr>);

impl Routes {
    /// The address of the socket that is bound to `local`, as `peer` sees it; as it
    /// is bound, if the system has no route.
    fn local(&mut self, local: SocketAddr, peer: SocketAddr) -> SocketAddr {
        if !local.ip().is_unspecified() {
            return local;
        }
        if self.0.len() >= MAX_ROUTES {
            self.0.clear();
        }
        let mut to = peer;
        to.set_port(0);
        let ip = *self.0.entry(to).or_insert_with(|| route(peer).unwrap_or(local.ip()));
        SocketAddr::new(ip, local.port())
    }
}

/// The address that the system would send to `peer` from. Nothing is sent.
fn route(peer: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_broadcast(true)?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_on_all_addresses_is_shown_with_the_one_that_its_peer_sees() {
        let mut routes = Routes::default();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let peer = address("127.0.0.1:9");
        assert_eq!(routes.local(address("0.0.0.0:4441"), peer), address("127.0.0.1:4441"));
        assert_eq!(routes.local(address("127.0.0.7:4441"), peer), address("127.0.0.7:4441"));
        let broadcast = address("127.255.255.255:9");
        let local = routes.local(address("0.0.0.0:4441"), broadcast);
        assert!(local.ip().is_loopback(), "{local}");
        for number in 0..2 * u32::try_from(MAX_ROUTES).unwrap() {
            let peer = SocketAddr::from((Ipv4Addr::from(0x7f00_0000 | number), 9));
            routes.local(address("0.0.0.0:4441"), peer);
            assert!(routes.0.len() <= MAX_ROUTES);
        }
    }

    #[test]
    fn nothing_is_recorded_unless_it_was_asked_for() {
        let recorder = Recorder::start(&RecordFiles::default()).unwrap();
        assert!(recorder.0.is_none() && !recorder.tap().takes_datagrams());
        recorder.end();
    }
}
