//! Sleep.

use cortex_m::peripheral::NVIC;

use crate::clock::{CYCLES_PER_MILLISECOND, Clock};
use crate::ethernet::Ethernet;
use crate::registers::{InterruptLine, Timer};

/// The longest that the alarm is set to, in milliseconds; the clock wakes the processor
/// once a second anyway.
const LONGEST: u64 = 1000;

/// The processor's sleep, and the timer that ends it.
pub struct Power(&'static Timer);

impl Power {
    pub(crate) fn new(alarm: &'static Timer) -> Self {
        alarm.control.set(0);
        // One timer of 32 bits, that runs down once.
        alarm.configuration.set(0);
        alarm.mode.set(1);
        alarm.interrupt_mask.set(1);
        Self(alarm)
    }

    /// Sleeps until a frame is there or it is `until`, in milliseconds since the start;
    /// not at all if so it is. The clock, too, ends a sleep, once a second: whoever wants
    /// to sleep for longer calls again.
    ///
    /// The interrupts wake the processor without being taken: they are unmasked only
    /// while all are off. A frame that comes between the look for it and the sleep so
    /// ends the sleep at once.
    pub fn sleep<const WORDS: usize>(
        &mut self,
        clock: &Clock,
        ethernet: &mut Ethernet<WORDS>,
        until: Option<u64>,
    ) {
        let Self(alarm) = self;
        let left = until.map_or(LONGEST, |until| until.saturating_sub(clock.now()).min(LONGEST));
        let (Ok(left @ 1..), false) = (u32::try_from(left), ethernet.has_frame()) else { return };
        alarm.load.set(left.saturating_mul(CYCLES_PER_MILLISECOND));
        alarm.control.set(1);
        cortex_m::interrupt::free(|_| {
            InterruptLine::ETHERNET.unmask();
            InterruptLine::ALARM.unmask();
            if !ethernet.has_frame() {
                cortex_m::asm::wfi();
            }
            NVIC::mask(InterruptLine::ETHERNET);
            NVIC::mask(InterruptLine::ALARM);
        });
        alarm.control.set(0);
        alarm.interrupt_clear.set(1);
        NVIC::unpend(InterruptLine::ALARM);
        // What comes in after this calls anew; what came before is seen by a look.
        NVIC::unpend(InterruptLine::ETHERNET);
        ethernet.acknowledge();
    }
}
