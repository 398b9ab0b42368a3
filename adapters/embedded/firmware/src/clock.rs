//! The time since the start, from SysTick.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

use crate::registers::SystemControl;

/// The cycles of a millisecond: the core runs at 12.5 MHz.
pub(crate) const CYCLES_PER_MILLISECOND: u32 = 12_500;

/// SysTick, a counter of 24 bits, wraps once a second.
const CYCLES_PER_WRAP: u32 = 1000 * CYCLES_PER_MILLISECOND;

/// The wraps since the start. Only the exception writes it.
static SECONDS: AtomicU32 = AtomicU32::new(0);

#[cortex_m_rt::exception]
fn SysTick() {
    SECONDS.store(SECONDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The fields of the run-mode clock configuration (RCC; data sheet, 5.2.4).
mod rcc {
    pub(super) const SYSTEM_DIVIDER_16: u32 = 0xF << 23;
    pub(super) const USE_SYSTEM_DIVIDER: u32 = 1 << 22;
    pub(super) const PLL_OFF: u32 = 1 << 13;
    pub(super) const PLL_BYPASS: u32 = 1 << 11;
    pub(super) const CRYSTAL_8_MHZ: u32 = 0xE << 6;
    /// Of the raw interrupt status.
    pub(super) const PLL_LOCKED: u32 = 1 << 6;
}

/// The looks at the PLL until it is taken for locked: far more than the half millisecond
/// that it needs.
const PATIENCE: u32 = 100_000;

/// Has the core run from the crystal of 8 MHz, by the PLL, at 200 MHz / 16 (data sheet,
/// 5.3).
pub(crate) fn run_from_crystal(system: &SystemControl) {
    use rcc::*;
    let configured = SYSTEM_DIVIDER_16 | CRYSTAL_8_MHZ;
    system.run_mode_clock.set(configured | PLL_BYPASS | PLL_OFF);
    system.run_mode_clock.set(configured | PLL_BYPASS);
    system.run_mode_clock.set(configured | PLL_BYPASS | USE_SYSTEM_DIVIDER);
    for _ in 0..PATIENCE {
        if system.raw_interrupts.get() & PLL_LOCKED != 0 {
            break;
        }
    }
    system.run_mode_clock.set(configured | USE_SYSTEM_DIVIDER);
}

/// The time since the start.
pub struct Clock(SYST);

impl Clock {
    pub(crate) fn start(mut timer: SYST) -> Self {
        timer.set_reload(CYCLES_PER_WRAP - 1);
        timer.set_clock_source(SystClkSource::Core);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self(timer)
    }

    /// The milliseconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        loop {
            let seconds = SECONDS.load(Ordering::Relaxed);
            let left = SYST::get_current();
            // Otherwise the counter wrapped between the two.
            if SECONDS.load(Ordering::Relaxed) == seconds {
                let elapsed = (CYCLES_PER_WRAP - 1).saturating_sub(left);
                let milliseconds = elapsed / CYCLES_PER_MILLISECOND;
                return u64::from(seconds) * 1000 + u64::from(milliseconds);
            }
        }
    }

    /// The counter that the time is made from: 12,500 steps a millisecond, and begins anew
    /// each second. For measurements of what takes less.
    #[must_use]
    pub fn cycles(&self) -> u32 {
        (CYCLES_PER_WRAP - 1).saturating_sub(SYST::get_current())
    }
}
