//! The networks that devices are on: frames, rates, losses, and when they may send.
//!
//! | profile | what is modelled |
//! |---|---|
//! | [`ETHERNET`] | whole datagrams at 100 Mbit/s |
//! | [`WIFI`] | whole datagrams at 20 Mbit/s, delays that let them overtake, a loss of 1 % |
//! | [`IEEE_802_15_4`] | 6LoWPAN: frames of 127 bytes at 250 kbit/s, fragments (RFC 4944), a loss of 1 % of the frames |
//! | [`BLE`] | IPSP: connection events every 30 to 60 ms, at most 239.2 kbit/s, nothing lost |
//!
//! The figures of the last are those that the paper measured (section 5.4); those
//! of the others are chosen, not measured.

use std::time::Duration;

/// The bytes of an IPv6 and a UDP header.
pub const IPV6_UDP: usize = 48;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// What it is called.
    pub name: &'static str,
    /// The greatest IP packet, in bytes. A datagram that doesn't fit with the
    /// headers of IPv6 and UDP is lost.
    pub mtu: usize,
    /// The rate of the medium, in bits a second.
    pub rate: u64,
    /// How a datagram becomes frames.
    pub framing: Framing,
    /// Of 10,000 frames, how many are lost for good. A datagram of which one is
    /// lost is lost.
    pub loss: u64,
    /// The least and the greatest time besides that of the bits, in microseconds,
    /// for each frame.
    pub delay: (u64, u64),
    /// Whether the delay keeps the medium busy, so that nothing overtakes.
    pub in_order: bool,
    /// When it may send.
    pub access: Access,
}

/// How a datagram becomes frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One frame, with so many bytes around the IP packet.
    Whole {
        /// The bytes of the frame besides.
        around: usize,
    },
    /// 6LoWPAN: headers compressed (RFC 6282), and fragments if need be (RFC 4944
    /// section 5.3).
    SixLowPan {
        /// The bytes of the compressed IPv6 and UDP headers.
        compressed: usize,
        /// What fits into a frame, in bytes.
        payload: usize,
        /// The bytes of the frame besides.
        around: usize,
    },
    /// An L2CAP channel with credits (RFC 7668): the link repeats what is lost, so
    /// that nothing is.
    L2Cap {
        /// The bytes of the compressed IPv6 and UDP headers.
        compressed: usize,
        /// What fits into a frame, in bytes.
        payload: usize,
        /// The bytes of the frame besides.
        around: usize,
    },
}

/// When a network may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whenever it is free.
    Free,
    /// In connection events only, at an interval that each connection draws
    /// between these two, in microseconds; as much in each as the goodput allows.
    ConnectionEvents {
        /// The least and the greatest interval, in microseconds.
        interval: (u64, u64),
        /// The greatest goodput of both directions together, in bits a second.
        goodput: u64,
    },
}

/// 100 Mbit/s, switched.
pub const ETHERNET: Profile = Profile {
    name: "ethernet",
    mtu: 1500,
    rate: 100_000_000,
    framing: Framing::Whole { around: 38 },
    loss: 0,
    delay: (50, 500),
    in_order: true,
    access: Access::Free,
};

/// 20 Mbit/s, shared.
pub const WIFI: Profile = Profile {
    name: "wifi",
    mtu: 1500,
    rate: 20_000_000,
    framing: Framing::Whole { around: 60 },
    loss: 100,
    delay: (1_000, 20_000),
    in_order: false,
    access: Access::Free,
};

/// IEEE 802.15.4 at 2.4 GHz with 6LoWPAN. Of a frame's 127 bytes, 23 are MAC
/// header (long addresses, one PAN) and check sequence; 6 more go before it.
pub const IEEE_802_15_4: Profile = Profile {
    name: "802.15.4",
    mtu: 1280,
    rate: 250_000,
    framing: Framing::SixLowPan { compressed: 10, payload: 104, around: 29 },
    loss: 100,
    delay: (1_000, 4_000),
    in_order: true,
    access: Access::Free,
};

/// Bluetooth Low Energy with IPSP. 14 bytes of link layer and 4 of L2CAP go with
/// each frame.
pub const BLE: Profile = Profile {
    name: "ble",
    mtu: 1280,
    rate: 1_000_000,
    framing: Framing::L2Cap { compressed: 10, payload: 247, around: 18 },
    loss: 0,
    delay: (0, 0),
    in_order: true,
    access: Access::ConnectionEvents { interval: (30_000, 60_000), goodput: 239_200 },
};

/// All of them.
pub const ALL: [Profile; 4] = [ETHERNET, WIFI, IEEE_802_15_4, BLE];

/// The profile of this name.
#[must_use]
pub fn named(name: &str) -> Option<Profile> {
    ALL.into_iter().find(|profile| profile.name == name)
}

impl Profile {
    /// The greatest UDP payload, in bytes, that fits into a packet of IPv6.
    #[must_use]
    pub const fn max_datagram(&self) -> usize {
        self.mtu - IPV6_UDP
    }

    /// The bytes of each frame that a datagram of `length` bytes (UDP payload)
    /// becomes, all included.
    #[must_use]
    pub fn frames(&self, length: usize) -> Vec<usize> {
        match self.framing {
            Framing::Whole { around } => vec![length + IPV6_UDP + around],
            Framing::SixLowPan { compressed, payload, around } => {
                six_low_pan(length, compressed, payload)
                    .into_iter()
                    .map(|bytes| bytes + around)
                    .collect()
            }
            Framing::L2Cap { compressed, payload, around } => {
                // The first frame of a packet begins with its length (Bluetooth
                // Core, volume 3, part A, section 3.4.3).
                let mut rest = 2 + compressed + length;
                let mut frames = Vec::new();
                while rest > 0 {
                    let part = rest.min(payload);
                    frames.push(part + around);
                    rest -= part;
                }
                frames
            }
        }
    }

    /// How long the medium is busy with so many bytes.
    #[must_use]
    pub fn time_of(&self, bytes: usize) -> Duration {
        Duration::from_micros((bytes as u64 * 8_000_000).div_ceil(self.rate))
    }
}

/// What each frame carries: the headers of fragments, and the packet with its
/// headers compressed. Fragments are cut where the packet before compression is at
/// a multiple of eight (RFC 4944 section 5.3).
fn six_low_pan(length: usize, compressed: usize, payload: usize) -> Vec<usize> {
    const FIRST: usize = 4;
    const NEXT: usize = 5;
    if compressed + length <= payload {
        return vec![compressed + length];
    }
    let room = payload - FIRST - compressed;
    let first = (IPV6_UDP + room) / 8 * 8 - IPV6_UDP;
    let mut frames = vec![FIRST + compressed + first];
    let mut rest = length - first;
    while rest > 0 {
        let part = rest.min((payload - NEXT) / 8 * 8);
        frames.push(NEXT + part);
        rest -= part;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_hold_the_datagram_and_no_frame_is_too_long() {
        for length in 0..=BLE.max_datagram() {
            let frames = IEEE_802_15_4.frames(length);
            assert!(frames.iter().all(|frame| *frame <= 127 + 6), "{length}: {frames:?}");
            let headers = match frames.len() {
                1 => 10,
                count => 10 + 4 + 5 * (count - 1),
            };
            let carried: usize = frames.iter().map(|frame| frame - 29).sum();
            assert_eq!(carried, length + headers);
            let frames = BLE.frames(length);
            let carried: usize = frames.iter().map(|frame| frame - 18).sum();
            assert_eq!(carried, length + 12);
            assert_eq!(ETHERNET.frames(length), [length + 48 + 38]);
        }
    }

    #[test]
    fn a_datagram_that_just_fits_a_frame_has_one_and_the_next_has_two() {
        assert_eq!(IEEE_802_15_4.frames(94).len(), 1);
        // 48 and 80 bytes are a multiple of eight; 88 would not leave room.
        assert_eq!(IEEE_802_15_4.frames(95), [4 + 10 + 88 + 29, 5 + 7 + 29]);
    }

    #[test]
    fn every_profile_is_found_by_its_name() {
        for profile in ALL {
            assert_eq!(named(profile.name), Some(profile));
        }
        assert_eq!(named("token ring"), None);
    }
}
