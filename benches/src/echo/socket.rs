//! One socket with many addresses: whatever leaves it names its source, and whatever
//! comes in says what it was sent to.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::Context as _;
use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};

/// How long nothing may come before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket for all of 127.0.0.0/8, that talks to one server.
pub(super) struct Socket {
    socket: UdpSocket,
    server: SockaddrIn,
    control: Vec<u8>,
}

impl Socket {
    pub(super) fn new(server: SocketAddrV4) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("can't open a socket")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
            .context("this system doesn't tell what address a datagram was sent to")?;
        Ok(Self { socket, server: server.into(), control: cmsg_space!(in_pktinfo) })
    }

    pub(super) fn send(&self, from: Ipv4Addr, datagram: &[u8]) -> anyhow::Result<()> {
        let source = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr { s_addr: u32::from(from).to_be() },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let control = [ControlMessage::Ipv4PacketInfo(&source)];
        let (pieces, flags) = ([IoSlice::new(datagram)], MsgFlags::empty());
        sendmsg(self.socket.as_raw_fd(), &pieces, &control, flags, Some(&self.server))
            .with_context(|| format!("can't send from {from}"))?;
        Ok(())
    }

    /// Waits for a datagram; gives what it was sent to, and its length.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<(Ipv4Addr, usize)> {
        let mut pieces = [IoSliceMut::new(buffer)];
        let control = Some(&mut self.control[..]);
        let flags = MsgFlags::empty();
        let received = recvmsg::<SockaddrIn>(self.socket.as_raw_fd(), &mut pieces, control, flags)
            .map_err(io::Error::from)
            .context("the server doesn't answer")?;
        let mut controls = received.cmsgs()?;
        let to = controls.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
            }
            _ => None,
        });
        Ok((
            to.context("the system didn't say what address a datagram was sent to")?,
            received.bytes,
        ))
    }
}
