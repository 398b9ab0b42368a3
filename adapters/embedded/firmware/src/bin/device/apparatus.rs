//! What is the device's own: its sensor, its actuator, and its alert.

use core::time::Duration;

use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, Reading, Severity, Ticket, Value};
use iot_crypto_embedded::event::Event;
use iot_crypto_embedded::handlers::{Execution, Handlers, Sender, Texts, Unavailable};
use iot_crypto_firmware::clock::Clock;
use iot_crypto_firmware::lamp::Lamp;
use iot_crypto_firmware::thermometer::Thermometer;
use iot_crypto_firmware::{say, stack};

/// SPEC.md section 10.3.
const TEMPERATURE: Label<'static> = Label::Number(1);
const SWITCH: Label<'static> = Label::Number(10);

/// From here on it is warm, in thousandths of a degree Celsius; and below this no more.
const WARM: i32 = 30_000;
const COOL: i32 = 28_000;

/// How often the device looks whether it is warm.
const LOOK: Duration = Duration::from_secs(10);

/// The thermometer and the lamp.
pub(crate) struct Apparatus {
    thermometer: &'static mut Thermometer,
    lamp: &'static mut Lamp,
    clock: &'static Clock,
    next_look: Instant,
    is_warm: bool,
}

impl Apparatus {
    pub(crate) fn new(
        thermometer: &'static mut Thermometer,
        lamp: &'static mut Lamp,
        clock: &'static Clock,
    ) -> Self {
        Self { thermometer, lamp, clock, next_look: Instant::ZERO, is_warm: false }
    }

    /// Raises an alert when it has become warm.
    fn look(&mut self, sender: &mut Sender<'_>) {
        let Ok(temperature) = self.thermometer.read(self.clock) else { return };
        if temperature < COOL {
            self.is_warm = false;
        } else if temperature >= WARM && !self.is_warm {
            let reading = Reading::new(TEMPERATURE, celsius(temperature));
            // If there is no room for it now, it is raised at the next look.
            self.is_warm = sender.alert(Severity::Warning, reading, "warm").is_ok();
            say!("it is warm: ", temperature);
        }
    }
}

/// In whole degrees, which the sensor is good for: the processor has no floating point,
/// and a division would be 1 KB of program.
fn celsius(thousandths: i32) -> Value<'static> {
    Value::Integer(i64::from(thousandths / 1000))
}

impl Handlers for Apparatus {
    fn labels(&self) -> &'static [Label<'static>] {
        &[TEMPERATURE, SWITCH]
    }

    fn read<'t>(
        &mut self,
        label: Label<'static>,
        _: &mut Texts<'t>,
    ) -> Result<Reading<'t>, Unavailable> {
        let value = match label {
            SWITCH => Value::Bool(self.lamp.is_on()),
            _ => match self.thermometer.read(self.clock) {
                Ok(temperature) => celsius(temperature),
                Err(_) => return Err(Unavailable("no sample")),
            },
        };
        say!("asked");
        Ok(Reading::new(label, value))
    }

    fn execute(&mut self, _: Ticket, label: Label<'_>, argument: Value<'_>) -> Execution<'_> {
        match (label, argument) {
            (SWITCH, Value::Bool(on)) => {
                self.lamp.set(on);
                let on = self.lamp.is_on();
                say!("lamp ", if on { "on" } else { "off" });
                Execution::Done(Some(Value::Bool(on)))
            }
            (SWITCH, _) => Execution::Refused,
            _ => Execution::Unknown,
        }
    }

    fn send(&mut self, now: Instant, sender: &mut Sender<'_>) -> Option<Instant> {
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.look(sender);
        }
        Some(self.next_look)
    }

    fn observe(&mut self, event: &Event) {
        match event {
            Event::Negotiated { .. } => say!("negotiated"),
            Event::Connected { replaced: false, .. } => say!("connected"),
            Event::Connected { replaced: true, .. } => say!("connected anew"),
            Event::Disconnected { .. } => say!("disconnected"),
            Event::Failed(_) => say!("an attempt failed"),
            Event::AlertDelivered(_) => say!("alert delivered"),
            Event::NetworkKeyReceived(_) => say!("network key received"),
            Event::Revoked(_) => say!("someone was revoked"),
            Event::NotSaved(_) => say!("not saved"),
            _ => return,
        }
        say!("the stack was ", stack::peak(), " bytes deep");
    }
}
