//! One datagram with each call.

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::Outgoing;
use super::{Read, Slot};
use mio::net::UdpSocket;
use std::io;

/// The fewest slots to ask for.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const FEWEST: usize = 1;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn enable_runs(_: &UdpSocket) {}

/// Reads into the first slot. Whether that was the last datagram shows when the next
/// call would block.
pub(super) fn read(socket: &UdpSocket, slots: &mut [Slot]) -> io::Result<Read> {
    let Some(slot) = slots.first_mut() else { return Ok(Read { slots: 0, drained: false }) };
    let (length, from) = socket.recv_from(&mut slot.buffer)?;
    (slot.length, slot.stride, slot.from) = (length, length, from);
    Ok(Read { slots: 1, drained: false })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn write_run(_: &UdpSocket, _: &[Outgoing<'_>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
