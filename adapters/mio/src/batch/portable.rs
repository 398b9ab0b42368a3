//! One datagram with each call.

use super::{Outgoing, Slot};
use mio::net::UdpSocket;
use std::io;

/// The fewest slots to ask for.
pub(super) const FEWEST: usize = 1;

pub(super) fn enable_runs(_: &UdpSocket) {}

pub(super) fn read(socket: &UdpSocket, slots: &mut [Slot]) -> io::Result<usize> {
    let Some(slot) = slots.first_mut() else { return Ok(0) };
    let (length, from) = socket.recv_from(&mut slot.buffer)?;
    (slot.length, slot.stride, slot.from) = (length, length, from);
    Ok(1)
}

pub(super) fn write_run(_: &UdpSocket, _: &[Outgoing<'_>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn write(socket: &UdpSocket, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
    let Some(first) = datagrams.first() else { return Ok(0) };
    socket.send_to(first.payload, first.to)?;
    Ok(1)
}
