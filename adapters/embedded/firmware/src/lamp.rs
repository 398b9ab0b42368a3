//! The status LED of the board, on pin 0 of port F.

use crate::registers::{Port, Register};

/// The pin, as a mask.
const PIN: u32 = 1;

/// The status LED, an actuator that can be read back.
pub struct Lamp(&'static Register);

impl Lamp {
    pub(crate) fn new(port: &'static Port) -> Self {
        port.direction.set(port.direction.get() | PIN);
        port.digital.set(port.digital.get() | PIN);
        let Port { data, .. } = port;
        // The register by which this pin alone is reached.
        let [_, pin, ..] = data;
        Self(pin)
    }

    /// Switches it on or off.
    pub fn set(&mut self, on: bool) {
        self.0.set(if on { PIN } else { 0 });
    }

    /// Whether it is on, as the pin says.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.get() & PIN != 0
    }
}
