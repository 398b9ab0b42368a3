//! The temperature of the chip, from the sensor in its ADC (data sheet, 12.2.6).

use crate::clock::Clock;
use crate::registers::{Adc, Timer};

/// The last of the four sample sequencers, which takes one sample.
const SEQUENCER: u32 = 1 << 3;

/// It is set off by a timer.
const TRIGGERED_BY_TIMER: u32 = 5 << 12;

/// Its one sample is the last, and of the temperature.
const LAST: u32 = 1 << 1;
const TEMPERATURE: u32 = 1 << 3;

/// How many samples may wait.
const QUEUE: u32 = 16;

/// There is no sample.
const EMPTY: u32 = 1 << 8;

/// A sample is a part of 1023 of 3 V.
const SAMPLE: u32 = 0x3FF;

/// One timer of 32 bits, that runs down once and then sets off the ADC.
const ONCE: u32 = 1;
const START_AND_TRIGGER: u32 = 1 << 5 | 1;

/// How long a sample is waited for, in milliseconds; it takes some microseconds, and in
/// QEMU on a busy machine longer.
const PATIENCE: u64 = 500;

/// The ADC gave no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSample;

/// The temperature sensor.
pub struct Thermometer {
    adc: &'static Adc,
    timer: &'static Timer,
}

impl Thermometer {
    pub(crate) fn new(adc: &'static Adc, timer: &'static Timer) -> Self {
        timer.control.set(0);
        timer.configuration.set(0);
        timer.mode.set(ONCE);
        timer.load.set(1);
        adc.active.set(0);
        adc.trigger.set(TRIGGERED_BY_TIMER);
        adc.control.set(TEMPERATURE | LAST);
        adc.active.set(SEQUENCER);
        Self { adc, timer }
    }

    /// Takes a sample; gives the temperature in thousandths of a degree Celsius. One step
    /// of the ADC is a fifth of a degree.
    ///
    /// # Errors
    /// [`NoSample`] if the ADC gives none.
    pub fn read(&mut self, clock: &Clock) -> Result<i32, NoSample> {
        // At most as many as fit: QEMU's queue says that it is not empty for good once it
        // has been gone through.
        let _ = (0..QUEUE).find(|_| self.take().is_none());
        self.timer.control.set(START_AND_TRIGGER);
        let until = clock.now() + PATIENCE;
        let sample = loop {
            match self.take() {
                None if clock.now() < until => {}
                taken => break taken,
            }
        };
        self.timer.control.set(0);
        // 2.7 V less a volt for each 75 degrees above -55 (data sheet, 12.2.6).
        let microvolts = sample.ok_or(NoSample)? * 3_000_000 / SAMPLE;
        let below = 2_700_000_i32.saturating_sub_unsigned(microvolts);
        Ok(below / 1000 * 75 - 55_000)
    }

    /// Takes a sample that is there already.
    fn take(&self) -> Option<u32> {
        (self.adc.fifo_status.get() & EMPTY == 0).then(|| self.adc.fifo.get() & SAMPLE)
    }
}
