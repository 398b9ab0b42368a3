//! One socket with many addresses: whatever leaves it names its source, and whatever
//! comes in says what it was sent to.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};

/// How long nothing may come before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket for all of 127.0.0.0/8.
pub(crate) struct Socket(UdpSocket);

/// A datagram that came: from where, to which address, and how long it is.
pub(crate) struct Received {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: Ipv4Addr,
    pub(crate) length: usize,
}

impl Socket {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("can't open a socket")?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
            .context("this system doesn't tell what address a datagram was sent to")?;
        Ok(Self(socket))
    }

    pub(crate) fn send(
        &self,
        from: Ipv4Addr,
        to: SocketAddrV4,
        datagram: &[u8],
    ) -> anyhow::Result<()> {
        let source = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr { s_addr: u32::from(from).to_be() },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let control = [ControlMessage::Ipv4PacketInfo(&source)];
        let (pieces, flags) = ([IoSlice::new(datagram)], MsgFlags::empty());
        sendmsg(self.0.as_raw_fd(), &pieces, &control, flags, Some(&SockaddrIn::from(to)))
            .with_context(|| format!("can't send from {from}"))?;
        Ok(())
    }

    /// Waits for a datagram.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> anyhow::Result<Received> {
        if let Some(received) = self.receive_now(buffer)? {
            return Ok(received);
        }
        ensure!(wait([self], PATIENCE)?, "the server doesn't answer");
        self.receive_now(buffer)?.context("the server doesn't answer")
    }

    /// The next datagram, if one has come.
    pub(crate) fn receive_now(&self, buffer: &mut [u8]) -> anyhow::Result<Option<Received>> {
        let (mut pieces, mut control) = ([IoSliceMut::new(buffer)], cmsg_space!(in_pktinfo));
        let (control, flags) = (Some(&mut control[..]), MsgFlags::MSG_DONTWAIT);
        let received = recvmsg::<SockaddrIn>(self.0.as_raw_fd(), &mut pieces, control, flags);
        let received = match received {
            Err(Errno::EAGAIN) => return Ok(None),
            received => received?,
        };
        let to = received.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
            }
            _ => None,
        });
        let (from, to) = received.address.zip(to).context("a datagram has no addresses")?;
        Ok(Some(Received { from: from.into(), to, length: received.bytes }))
    }
}

/// Waits until one of `sockets` has a datagram, for at most `longest`; whether one has.
pub(crate) fn wait<const N: usize>(
    sockets: [&Socket; N],
    longest: Duration,
) -> anyhow::Result<bool> {
    let mut list = sockets.map(|socket| PollFd::new(socket.0.as_fd(), PollFlags::POLLIN));
    // Rounded up, so that what is due then is due.
    let milliseconds = i32::try_from(longest.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    Ok(poll(&mut list, timeout)? > 0)
}
