//! The Ethernet controller (data sheet, chapter 16), as smoltcp drives it.

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::registers::EthernetController;

/// The header of a frame, which the length in the queue of frames to send doesn't count.
const HEADER: usize = 14;

/// The length that precedes a frame in both queues, in bytes.
const LENGTH: usize = 2;

/// The checksum that follows a received frame.
const CHECKSUM: usize = 4;

/// The controller's own memory for received frames, in bytes.
const RECEIVE_QUEUE: usize = 2048;

/// The words that a frame with an IP packet of up to `mtu` bytes takes, with its length and
/// checksum.
#[must_use]
pub const fn words(mtu: usize) -> usize {
    (LENGTH + HEADER + mtu + CHECKSUM).div_ceil(4)
}

/// Bits of the registers.
mod bits {
    pub(super) const INTERRUPT_RECEIVED: u32 = 1;
    pub(super) const INTERRUPTS: u32 = 0x7F;
    pub(super) const RECEIVE: u32 = 1;
    pub(super) const RECEIVE_RESET: u32 = 1 << 4;
    pub(super) const TRANSMIT: u32 = 1;
    pub(super) const TRANSMIT_PAD: u32 = 1 << 1;
    pub(super) const TRANSMIT_CHECKSUM: u32 = 1 << 2;
    pub(super) const TRANSMIT_DUPLEX: u32 = 1 << 4;
    /// No frame is sent before all of it is there.
    pub(super) const WHOLE_FRAMES: u32 = 0x3F;
    pub(super) const TRANSMISSION_NEW: u32 = 1;
    pub(super) const PACKETS: u32 = 0x3F;
}

/// What the queues take and give, in words: the length of a frame, then the frame.
type Frame<const WORDS: usize> = [[u8; 4]; WORDS];

/// Room for the frame that was received and the one to be sent, of up to `WORDS`
/// [`words`].
pub struct Frames<const WORDS: usize> {
    received: Frame<WORDS>,
    sent: Frame<WORDS>,
}

impl<const WORDS: usize> Frames<WORDS> {
    /// Empty frames.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a static is made of it")]
    pub const fn new() -> Self {
        Self { received: [[0; 4]; WORDS], sent: [[0; 4]; WORDS] }
    }
}

/// The Ethernet controller, for frames of up to `WORDS` [`words`].
pub struct Ethernet<const WORDS: usize> {
    controller: &'static EthernetController,
    address: [u8; 6],
    frames: &'static mut Frames<WORDS>,
    dropped: u32,
}

impl<const WORDS: usize> Ethernet<WORDS> {
    /// The longest frame, in bytes, without its checksum.
    const MAX_FRAME: usize = 4 * WORDS - LENGTH - CHECKSUM;

    pub(crate) fn new(
        controller: &'static EthernetController,
        address: [u8; 6],
        frames: &'static mut Frames<WORDS>,
    ) -> Self {
        use bits::*;
        let [a, b, c, d, e, f] = address;
        let [low, high] = &controller.address;
        low.set(u32::from_le_bytes([a, b, c, d]));
        high.set(u32::from_le_bytes([e, f, 0, 0]));
        controller.interrupts.set(INTERRUPTS);
        controller.interrupt_mask.set(INTERRUPT_RECEIVED);
        controller.threshold.set(WHOLE_FRAMES);
        let form = TRANSMIT_PAD | TRANSMIT_CHECKSUM | TRANSMIT_DUPLEX;
        controller.transmit_control.set(TRANSMIT | form);
        controller.receive_control.set(RECEIVE | RECEIVE_RESET);
        Self { controller, address, frames, dropped: 0 }
    }

    /// The hardware address.
    #[must_use]
    pub const fn address(&self) -> [u8; 6] {
        self.address
    }

    /// How many frames were dropped because they were too long or too short, or their length
    /// made no sense.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Whether a frame waits.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        self.controller.packets.get() & bits::PACKETS != 0
    }

    /// Takes back the call for the processor: the next frame calls anew.
    pub(crate) fn acknowledge(&mut self) {
        self.controller.interrupts.set(bits::INTERRUPTS);
    }

    /// Takes the next frame out of the queue and gives its length; `None` if there is
    /// none, or it was dropped.
    fn take_frame(&mut self) -> Option<usize> {
        if !self.has_frame() {
            return None;
        }
        let data = &self.controller.data;
        let first = data.get().to_le_bytes();
        let [low, high, ..] = first;
        let queued = usize::from(u16::from_le_bytes([low, high]));
        if !(LENGTH + CHECKSUM..=RECEIVE_QUEUE).contains(&queued) {
            // Where the next frame begins is not known any more.
            self.controller.receive_control.set(bits::RECEIVE | bits::RECEIVE_RESET);
            self.dropped = self.dropped.wrapping_add(1);
            return None;
        }
        let words = queued.div_ceil(4);
        let mut room = self.frames.received.iter_mut();
        for index in 0..words {
            let word = if index == 0 { first } else { data.get().to_le_bytes() };
            if let Some(place) = room.next() {
                *place = word;
            }
        }
        if words > WORDS || queued < LENGTH + HEADER + CHECKSUM {
            self.dropped = self.dropped.wrapping_add(1);
            return None;
        }
        Some(queued - LENGTH - CHECKSUM)
    }

    fn may_send(&self) -> bool {
        self.controller.transmission.get() & bits::TRANSMISSION_NEW == 0
    }
}

impl<const WORDS: usize> phy::Device for Ethernet<WORDS> {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a, WORDS>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_, WORDS>)> {
        // Where no answer can be sent, the frame waits in the queue.
        if !self.may_send() {
            return None;
        }
        let length = self.take_frame()?;
        let Frames { received, sent } = &mut *self.frames;
        let received = received.as_flattened().get(LENGTH..LENGTH + length)?;
        Some((Received(received), Sending { controller: self.controller, frame: sent }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_, WORDS>> {
        self.may_send()
            .then_some(Sending { controller: self.controller, frame: &mut self.frames.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = Self::MAX_FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that came in.
pub struct Received<'a>(&'a [u8]);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

/// A frame that is to be sent.
pub struct Sending<'a, const WORDS: usize> {
    controller: &'static EthernetController,
    frame: &'a mut Frame<WORDS>,
}

impl<const WORDS: usize> phy::TxToken for Sending<'_, WORDS> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        // smoltcp asks for no more than `max_transmission_unit`.
        let length = length.clamp(HEADER, Ethernet::<WORDS>::MAX_FRAME);
        let (before, room) = self.frame.as_flattened_mut().split_at_mut(LENGTH);
        let filled = fill(room.get_mut(..length).unwrap_or_default());
        let counted = u16::try_from(length - HEADER).unwrap_or(0);
        before.copy_from_slice(&counted.to_le_bytes());
        for word in self.frame.iter().take((LENGTH + length).div_ceil(4)) {
            self.controller.data.set(u32::from_le_bytes(*word));
        }
        self.controller.transmission.set(bits::TRANSMISSION_NEW);
        filled
    }
}
