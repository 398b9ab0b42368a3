//! Linux's calls for several datagrams.

use super::{Outgoing, Read, Slot};
use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage,
    recvmmsg, sendmsg, setsockopt, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

/// The fewest slots to ask for: one more than what is there, mostly, so that the same
/// call finds out that nothing else is.
pub(super) const FEWEST: usize = 2;

/// Has the system give runs in one piece. An old kernel can't; then none come.
pub(super) fn enable_runs(socket: &UdpSocket) {
    if let Err(error) = setsockopt(socket, sockopt::UdpGroSegment, &true) {
        tracing::debug!(%error, "datagrams are received one by one");
    }
}

/// Reads several. When there are fewer than asked for, nothing else was there.
pub(super) fn read(socket: &UdpSocket, slots: &mut [Slot]) -> io::Result<Read> {
    let asked = slots.len();
    let read = read_into(socket, slots)?;
    for (slot, message) in slots.iter_mut().zip(&read) {
        let &Message { from, length, stride } = message;
        (slot.from, slot.length, slot.stride) = (from, length, stride.unwrap_or(length));
    }
    Ok(Read { slots: read.len(), drained: read.len() < asked })
}

/// What is said of the bytes in a slot.
struct Message {
    from: SocketAddr,
    length: usize,
    /// `None` if it is one datagram.
    stride: Option<usize>,
}

fn read_into(socket: &UdpSocket, slots: &mut [Slot]) -> io::Result<Vec<Message>> {
    let control = cmsg_space!(i32);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slots.len(), Some(control));
    let mut buffers: Vec<[IoSliceMut<'_>; 1]> =
        slots.iter_mut().map(|slot| [IoSliceMut::new(&mut slot.buffer)]).collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), &mut headers, &mut buffers, flags, None)?;
    let message = |message: RecvMsg<'_, '_, SockaddrStorage>| Message {
        from: from(&message),
        length: message.bytes,
        stride: stride(&message),
    };
    Ok(messages.map(message).collect())
}

/// The length of the datagrams of a run.
fn stride(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<usize> {
    let mut controls = message.cmsgs().ok()?;
    controls.find_map(|control| match control {
        ControlMessageOwned::UdpGroSegments(length) => usize::try_from(length).ok(),
        _ => None,
    })
}

/// Who it is from; nobody, if the system didn't say, which it does.
fn from(message: &RecvMsg<'_, '_, SockaddrStorage>) -> SocketAddr {
    let address = message.address.as_ref();
    let v4 =
        address.and_then(SockaddrStorage::as_sockaddr_in).map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = || {
        address.and_then(SockaddrStorage::as_sockaddr_in6).map(|v6| SocketAddr::V6((*v6).into()))
    };
    v4.or_else(v6).unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// Sends a run in one piece.
pub(super) fn write_run(socket: &UdpSocket, datagrams: &[Outgoing<'_>]) -> io::Result<()> {
    let Some(first) = datagrams.first() else { return Ok(()) };
    let stride = u16::try_from(first.payload.len()).map_err(io::Error::other)?;
    let pieces: Vec<IoSlice<'_>> =
        datagrams.iter().map(|datagram| IoSlice::new(datagram.payload)).collect();
    let control = [ControlMessage::UdpGsoSegments(&stride)];
    let to = SockaddrStorage::from(first.to);
    sendmsg(socket.as_raw_fd(), &pieces, &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
    Ok(())
}
