//! Several datagrams with one call to the system, where the system can: Linux
//! reads several (`recvmmsg`), and takes and gives a run of equally long ones of one
//! peer as if it were one (GSO, GRO). Elsewhere each has a call of its own.
//!
//! Datagrams to several peers have a call each on Linux, too: `sendmmsg` is not to be
//! had without unsafe code (nix's reads memory that nobody has written).

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod portable;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use portable as system;

use crate::outbox::Outgoing;
use mio::net::UdpSocket;
use std::io;
use std::net::SocketAddr;

/// No UDP datagram is larger, in bytes, nor is a run that was taken together.
pub(crate) const LARGEST_DATAGRAM: usize = 65_535;

/// Room for what is read at a time from one peer: a datagram, or a run of them.
pub(crate) struct Slot {
    pub(crate) buffer: Box<[u8]>,
    pub(crate) from: SocketAddr,
    /// The bytes of all datagrams.
    pub(crate) length: usize,
    /// The bytes of each of them but the last, which may be shorter.
    pub(crate) stride: usize,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; LARGEST_DATAGRAM].into_boxed_slice(),
            from: SocketAddr::from(([0, 0, 0, 0], 0)),
            length: 0,
            stride: 0,
        }
    }
}

/// How a socket is read and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// How many slots to ask for next: about as many as were filled the last time.
    asked: usize,
    /// Whether a run goes out in one piece: until the system refuses one whose first
    /// datagram it takes alone.
    can_segment: bool,
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// The slots that were filled, from the first one on.
    pub(crate) slots: usize,
    /// Whether nothing is left to be read.
    pub(crate) drained: bool,
}

impl Ways {
    pub(crate) fn of(socket: &UdpSocket) -> Self {
        system::enable_runs(socket);
        Self { asked: system::FEWEST, can_segment: true }
    }

    /// Reads into `slots`.
    ///
    /// # Errors
    /// The system's, and [`io::ErrorKind::WouldBlock`] if there is nothing.
    pub(crate) fn read(&mut self, socket: &UdpSocket, slots: &mut [Slot]) -> io::Result<Read> {
        let asked = self.asked.min(slots.len());
        let read = system::read(socket, slots.get_mut(..asked).unwrap_or_default())?;
        let next = match read.drained {
            true => read.slots.saturating_add(1),
            false => asked.saturating_mul(2),
        };
        self.asked = next.max(system::FEWEST);
        Ok(read)
    }

    /// Sends the first ones of `datagrams`; gives how many, at least one.
    ///
    /// # Errors
    /// The system's, about the first one.
    pub(crate) fn write(
        &mut self,
        socket: &UdpSocket,
        datagrams: &[Outgoing<'_>],
    ) -> io::Result<usize> {
        let Some(first) = datagrams.first() else { return Ok(0) };
        let run = if self.can_segment { run_length(datagrams) } else { 1 };
        if run > 1 {
            match system::write_run(socket, datagrams.get(..run).unwrap_or_default()) {
                Ok(()) => return Ok(run),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) => tracing::debug!(%error, to = %first.to, "a run is refused"),
            }
        }
        socket.send_to(first.payload, first.to)?;
        // What one alone may, a run may not: the kernel, or a network interface, can't.
        // Where one may not either, the run was refused for another reason.
        self.can_segment &= run == 1;
        Ok(1)
    }
}

/// The most datagrams that Linux takes as one run (UDP_MAX_SEGMENTS).
const LONGEST_RUN: usize = 64;

/// The most bytes of a run: what an IPv4 packet holds besides its headers.
const LARGEST_RUN: usize = 65_507;

/// How many of the first `datagrams` are a run: to the same address and equally long;
/// the last one may be shorter.
fn run_length(datagrams: &[Outgoing<'_>]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let (stride, mut total) = (first.payload.len(), first.payload.len());
    let mut count = 1;
    for next in datagrams.iter().skip(1).take(LONGEST_RUN - 1) {
        let length = next.payload.len();
        total = total.saturating_add(length);
        if next.to != first.to || length == 0 || length > stride || total > LARGEST_RUN {
            break;
        }
        count += 1;
        if length < stride {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn pair() -> (UdpSocket, UdpSocket, SocketAddr) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (from, to) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
        let address = to.local_addr().unwrap();
        (from, to, address)
    }

    /// Everything that `socket` gets until it got `count` datagrams.
    fn read_all(socket: &UdpSocket, ways: &mut Ways, count: usize) -> Vec<Vec<u8>> {
        let mut slots: Vec<Slot> = (0..8).map(|_| Slot::new()).collect();
        let mut got = Vec::new();
        while got.len() < count {
            match ways.read(socket, &mut slots) {
                Ok(read) => {
                    for slot in &slots[..read.slots] {
                        let datagrams = slot.buffer[..slot.length].chunks(slot.stride.max(1));
                        got.extend(datagrams.map(<[u8]>::to_vec));
                        if slot.length == 0 {
                            got.push(Vec::new());
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
        got
    }

    #[test]
    fn a_run_is_to_one_address_and_of_one_length_but_for_its_last() {
        let [a, b] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let count = |list: &[(SocketAddr, usize)]| {
            let bytes = [0; 60_000];
            let datagrams: Vec<_> = list
                .iter()
                .map(|&(to, length)| Outgoing { to, payload: &bytes[..length] })
                .collect();
            run_length(&datagrams)
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(a, 5), (b, 5)]), 1);
        assert_eq!(count(&[(a, 5), (a, 6)]), 1);
        assert_eq!(count(&[(a, 5), (a, 0)]), 1);
        assert_eq!(count(&[(a, 5), (a, 5), (a, 3), (a, 3)]), 3);
        assert_eq!(count(&[(a, 40_000), (a, 40_000)]), 1);
        assert_eq!(count(&[(a, 5); 100]), 64);
    }

    #[test]
    fn what_is_written_is_read_in_the_same_pieces() {
        let (from, to, address) = pair();
        let (mut out, mut inward) = (Ways::of(&from), Ways::of(&to));
        let lengths = [1, 9, 9, 9, 4, 0, 700, 700, 1200, 3, 0, 8, 8];
        let payloads: Vec<Vec<u8>> = lengths.iter().zip(1..).map(|(n, x)| vec![x; *n]).collect();
        let datagrams: Vec<_> =
            payloads.iter().map(|payload| Outgoing { to: address, payload }).collect();
        let mut sent = 0;
        while sent < datagrams.len() {
            sent += out.write(&from, &datagrams[sent..]).unwrap();
        }
        assert_eq!(read_all(&to, &mut inward, lengths.len()), payloads);
    }

    #[test]
    fn datagrams_to_several_peers_reach_each() {
        let (from, first, to_first) = pair();
        let (_, second, to_second) = pair();
        let mut out = Ways::of(&from);
        let payload = |number: u8| vec![number; 20];
        let payloads: Vec<Vec<u8>> = (0..20).map(payload).collect();
        let to = |number: usize| if number.is_multiple_of(2) { to_first } else { to_second };
        let datagrams: Vec<_> = payloads
            .iter()
            .enumerate()
            .map(|(number, payload)| Outgoing { to: to(number), payload })
            .collect();
        let mut sent = 0;
        while sent < datagrams.len() {
            sent += out.write(&from, &datagrams[sent..]).unwrap();
        }
        let even: Vec<Vec<u8>> = (0..20).step_by(2).map(payload).collect();
        let odd: Vec<Vec<u8>> = (1..20).step_by(2).map(payload).collect();
        assert_eq!(read_all(&first, &mut Ways::of(&first), 10), even);
        assert_eq!(read_all(&second, &mut Ways::of(&second), 10), odd);
    }

    #[test]
    fn what_the_system_refuses_is_said_of_the_first_alone() {
        let (from, to, address) = pair();
        let mut out = Ways::of(&from);
        let too_long = vec![0; LARGEST_DATAGRAM];
        let datagrams = [
            Outgoing { to: address, payload: &[1] },
            Outgoing { to: address, payload: &too_long },
            Outgoing { to: address, payload: &[2] },
        ];
        assert_eq!(out.write(&from, &datagrams).unwrap(), 1);
        assert!(out.write(&from, &datagrams[1..]).is_err());
        assert_eq!(out.write(&from, &datagrams[2..]).unwrap(), 1);
        assert_eq!(read_all(&to, &mut Ways::of(&to), 2), [[1], [2]]);
    }

    #[test]
    fn runs_go_on_after_one_that_no_datagram_of_could_be_sent() {
        let (from, to, address) = pair();
        let mut out = Ways::of(&from);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let refused = [Outgoing { to: nowhere, payload: &[1] }; 2];
        assert!(out.write(&from, &refused).is_err());
        assert!(out.can_segment);
        let good = [Outgoing { to: address, payload: &[1] }; 2];
        let mut sent = 0;
        while sent < good.len() {
            sent += out.write(&from, &good[sent..]).unwrap();
        }
        assert_eq!(read_all(&to, &mut Ways::of(&to), 2), [[1], [1]]);
    }

    #[test]
    fn one_at_a_time_is_never_taken_for_the_last() {
        let (from, to, address) = pair();
        for number in 0..3 {
            from.send_to(&[number], address).unwrap();
        }
        let mut slots: Vec<Slot> = (0..4).map(|_| Slot::new()).collect();
        for number in 0..3 {
            let read = portable::read(&to, &mut slots).unwrap();
            assert_eq!(read, Read { slots: 1, drained: false });
            assert_eq!(slots[0].buffer[0], number);
        }
        let empty = portable::read(&to, &mut slots).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_socket_that_was_read_empty_is_known_to_be() {
        let (from, to, address) = pair();
        let mut ways = Ways::of(&to);
        let mut slots: Vec<Slot> = (0..4).map(|_| Slot::new()).collect();
        let empty = ways.read(&to, &mut slots).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        for length in 1..=9 {
            from.send_to(&[7; 9][..length], address).unwrap();
        }
        // Loopback delivers before it returns.
        let (mut count, mut drained) = (0, false);
        while !drained {
            match ways.read(&to, &mut slots) {
                Ok(read) => {
                    count += read.slots;
                    drained = read.drained;
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    drained = true;
                }
            }
        }
        assert_eq!(count, 9);
    }
}
