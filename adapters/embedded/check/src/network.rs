//! How a board reaches this machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use clap::ValueEnum;

use crate::bridge::{self, Bridge};

/// The board's address.
pub const BOARD: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// This machine, as the board sees it. What is sent to it arrives at 127.0.0.1.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// The port on which the board hears advertisements.
pub const DISCOVERY: u16 = 4440;

/// Everyone on the loopback interface of this machine.
const EVERYONE: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// What lies between a board and this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Medium {
    /// QEMU's own network, in which there is no broadcast from outside.
    User,
    /// Ethernet frames to a bridge in this process.
    Bridge,
}

impl Medium {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::User, Self::Bridge];

    /// What it is, for people.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::User => "inside of QEMU",
            Self::Bridge => "of Ethernet frames, by a bridge",
        }
    }
}

/// What goes from this machine to the board.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inbound {
    /// The port of a service on the board, which is to be reached from this machine.
    pub service: Option<u16>,
    /// The port at which this machine hears what is meant for everyone, and that of the
    /// board at which it arrives. Only a bridge carries it.
    pub broadcast: Option<bridge::Broadcast>,
}

/// A network, as long as it is not dropped.
#[derive(Debug)]
pub struct Network {
    /// The options with which QEMU joins it.
    pub options: Vec<String>,
    /// Where the service of the board is reached.
    pub service: Option<SocketAddr>,
    /// Where everyone is reached, the board among them.
    pub everyone: Option<SocketAddr>,
    /// The bridge, if this is one.
    pub bridge: Option<Bridge>,
}

impl Network {
    /// A network for the board whose files are in `folder`.
    ///
    /// # Errors
    /// If a socket can't be made.
    pub fn new(medium: Medium, folder: &Path, inbound: Inbound) -> io::Result<Self> {
        match medium {
            Medium::User => Self::user(inbound.service),
            Medium::Bridge => {
                let (ours, boards) = (folder.join("ours"), folder.join("boards"));
                let options = [
                    "-nic".to_owned(),
                    "none".to_owned(),
                    "-net".to_owned(),
                    "nic,model=stellaris,netdev=lan".to_owned(),
                    "-netdev".to_owned(),
                    format!(
                        "dgram,id=lan,local.type=unix,local.path={},remote.type=unix,\
                         remote.path={}",
                        boards.display(),
                        ours.display()
                    ),
                ];
                let bridge = Bridge::start(&ours, &boards, inbound.service, inbound.broadcast)?;
                let service = bridge.service();
                let everyone = inbound.broadcast.map(|it| (EVERYONE, it.heard).into());
                Ok(Self { options: options.into(), service, everyone, bridge: Some(bridge) })
            }
        }
    }

    fn user(service: Option<u16>) -> io::Result<Self> {
        let mut option = "user,model=stellaris".to_owned();
        let service = match service {
            None => None,
            Some(port) => {
                // QEMU can't be asked for any free port, so one is looked for.
                let here = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
                option = format!("{option},hostfwd=udp:{here}-{BOARD}:{port}");
                Some(here)
            }
        };
        Ok(Self { options: vec!["-nic".to_owned(), option], service, everyone: None, bridge: None })
    }
}
