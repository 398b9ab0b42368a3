//! The timer that Mbed TLS wants from its caller (`mbedtls_ssl_set_timer_cb`).

use std::ffi::{c_int, c_void};
use std::time::{Duration, Instant};

/// Two delays from one start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timer(Option<Running>);

#[derive(Clone, Copy, Debug)]
struct Running {
    start: Instant,
    intermediate: Duration,
    end: Duration,
}

/// Starts the timer, or cancels it if the end is at 0.
///
/// # Safety
/// `timer` is that which the session was given.
pub(super) unsafe extern "C" fn set(timer: *mut c_void, intermediate: u32, end: u32) {
    let running = (end > 0).then(|| Running {
        start: Instant::now(),
        intermediate: Duration::from_millis(intermediate.into()),
        end: Duration::from_millis(end.into()),
    });
    // SAFETY: the timer lives as long as the session.
    unsafe { *timer.cast::<Timer>() = Timer(running) };
}

/// −1 if it is cancelled, or how many of the two delays have passed.
///
/// # Safety
/// `timer` is that which the session was given.
pub(super) unsafe extern "C" fn get(timer: *mut c_void) -> c_int {
    // SAFETY: the timer lives as long as the session.
    let Timer(running) = unsafe { *timer.cast::<Timer>() };
    running.map_or(-1, |Running { start, intermediate, end }| {
        let elapsed = start.elapsed();
        c_int::from(elapsed >= intermediate) + c_int::from(elapsed >= end)
    })
}
