//! The sensors and actuators of a device.

use std::time::{Duration, Instant};

use iot_crypto::transmission::{
    CommandState, ErrorCode, Label, MAX_TEXT, OwnedLabel, OwnedReading, OwnedValue, Ticket, Unit,
};

use crate::actuators::{Actuator, Outcome, Running};
use crate::config::{ActuatorConfig, SensorConfig};
use crate::sensors::{NotAvailable, Source};

/// What a device measures and does.
pub(super) struct Parts {
    sensors: Vec<(OwnedLabel, Source)>,
    actuators: Vec<(OwnedLabel, Actuator)>,
    running: Vec<(Ticket, Running)>,
    finished: Vec<Finished>,
}

/// A command that was carried out, or not.
pub(super) struct Finished {
    pub(super) request: Ticket,
    pub(super) state: CommandState,
    pub(super) result: Option<OwnedValue>,
}

impl Parts {
    pub(super) fn new(sensors: Vec<SensorConfig>, actuators: Vec<ActuatorConfig>) -> Self {
        let label = |text: &str| Label::parse(text).map(OwnedLabel::from);
        let sensors = sensors.into_iter();
        let actuators = actuators.into_iter();
        Self {
            sensors: sensors.filter_map(|it| Some((label(&it.label)?, it.source))).collect(),
            actuators: actuators.filter_map(|it| Some((label(&it.label)?, it.actuator))).collect(),
            running: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Measures what the labels say; everything that there is, if there are
    /// none. What can't be measured now is left out if anything else can.
    ///
    /// # Errors
    /// A label that is not known here, or nothing that can be measured: the code
    /// and the text of the answer.
    pub(super) fn measure(
        &self,
        labels: &[OwnedLabel],
    ) -> Result<Vec<OwnedReading>, (ErrorCode, String)> {
        let wanted: Vec<&OwnedLabel> = match labels {
            [] => self.labels().collect(),
            labels => labels.iter().collect(),
        };
        let mut readings = Vec::new();
        let mut problem = None;
        for label in wanted {
            match self.read(label) {
                None => return Err((ErrorCode::UnknownLabel, shorten(label.to_string()))),
                Some(Ok(reading)) => readings.push(reading),
                Some(Err(error)) => {
                    tracing::debug!(%label, %error, "left out of the answer");
                    problem = Some(format!("{label}: {error}"));
                }
            }
        }
        match problem {
            Some(problem) if readings.is_empty() => Err((ErrorCode::Internal, shorten(problem))),
            _ => Ok(readings),
        }
    }

    /// Measures one thing; `None` if there is no such thing.
    pub(super) fn read(&self, label: &OwnedLabel) -> Option<Result<OwnedReading, NotAvailable>> {
        if let Some((_, source)) = self.sensors.iter().find(|(known, _)| known == label) {
            let unit = Unit::parse(source.unit());
            return Some(source.read().map(|value| reading(label, value, unit)));
        }
        self.actuators.iter().find_map(|(known, actuator)| match actuator {
            Actuator::State(value) if known == label => {
                Some(Ok(reading(label, value.clone(), Some(Unit::NONE))))
            }
            _ => None,
        })
    }

    /// Carries out a command; a program that it starts is not waited for.
    pub(super) fn execute(&mut self, request: Ticket, label: &OwnedLabel, argument: &OwnedValue) {
        let actuator = self.actuators.iter_mut().find(|(known, _)| known == label);
        let (state, result) = match actuator.map(|(_, actuator)| actuator) {
            None => (CommandState::Unknown, None),
            Some(Actuator::State(value)) => match converted(argument, value) {
                Some(new) => {
                    *value = new.clone();
                    (CommandState::Done, Some(new))
                }
                None => (CommandState::Refused, Some(value.clone())),
            },
            Some(Actuator::Run(program)) => match program.start(argument, Instant::now()) {
                Ok(running) => return self.running.push((request, running)),
                Err(error) => {
                    tracing::warn!(%label, %error, "a program could not be started");
                    (CommandState::Failed, None)
                }
            },
        };
        self.finished.push(Finished { request, state, result });
    }

    /// The commands that have ended since this was last asked.
    pub(super) fn finished(&mut self) -> Vec<Finished> {
        let now = Instant::now();
        let mut finished = std::mem::take(&mut self.finished);
        self.running.retain_mut(|(request, running)| {
            let (state, result) = match running.try_finish(now) {
                Ok(None) => return true,
                Ok(Some(Outcome::Done)) => (CommandState::Done, None),
                Ok(Some(Outcome::Failed(code))) => {
                    (CommandState::Failed, code.map(|code| OwnedValue::Integer(code.into())))
                }
                Ok(Some(Outcome::TimedOut)) => {
                    (CommandState::Failed, Some(OwnedValue::Text("timed out".to_owned())))
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not known how a program ended");
                    (CommandState::Uncertain, None)
                }
            };
            finished.push(Finished { request: *request, state, result });
            false
        });
        finished
    }

    /// How long the first of the programs that run may still take.
    pub(super) fn patience(&self) -> Option<Duration> {
        let end = self.running.iter().map(|(_, running)| running.deadline()).min()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    fn labels(&self) -> impl Iterator<Item = &OwnedLabel> {
        let states = self.actuators.iter().filter(|(_, it)| matches!(it, Actuator::State(_)));
        let sensors = self.sensors.iter().map(|(label, _)| label);
        sensors.chain(states.map(|(label, _)| label))
    }
}

fn reading(label: &OwnedLabel, value: OwnedValue, unit: Option<Unit>) -> OwnedReading {
    let usual = label.borrow().default_unit();
    OwnedReading { label: label.clone(), value, unit: unit.filter(|it| *it != usual), time: None }
}

/// `argument` as a value of the type that `present` has; `None` if it is not of
/// that type.
#[allow(clippy::cast_precision_loss, reason = "the state is not that exact")]
fn converted(argument: &OwnedValue, present: &OwnedValue) -> Option<OwnedValue> {
    match (argument, present) {
        (OwnedValue::Integer(number), OwnedValue::Float(_)) => {
            Some(OwnedValue::Float(*number as f64))
        }
        _ if std::mem::discriminant(argument) == std::mem::discriminant(present) => {
            Some(argument.clone())
        }
        _ => None,
    }
}

/// The text, cut to what an error message may hold.
fn shorten(mut text: String) -> String {
    let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> OwnedLabel {
        Label::parse(text).unwrap().into()
    }

    fn parts() -> Parts {
        let sensor = |label: &str, source| SensorConfig { label: label.to_owned(), source };
        let lamp = Actuator::State(OwnedValue::Bool(false));
        Parts::new(
            vec![
                sensor("uptime", Source::Uptime),
                sensor("kettle", Source::Temperature { component: Some("kettle".to_owned()) }),
            ],
            vec![ActuatorConfig { label: "lamp".to_owned(), actuator: lamp }],
        )
    }

    #[test]
    fn all_is_measured_that_can_be_and_a_state_is_a_reading_too() {
        let readings = parts().measure(&[]).unwrap();
        let labels: Vec<_> = readings.iter().map(|reading| reading.label.to_string()).collect();
        assert_eq!(labels, ["uptime", "lamp"]);
        // It is the usual unit of the label, so that it is not named.
        assert_eq!(readings[0].unit, None);
        let (code, text) = parts().measure(&[label("kettle")]).unwrap_err();
        assert_eq!((code, text.len()), (ErrorCode::Internal, MAX_TEXT.min(text.len())));
        let (code, _) = parts().measure(&[label("uptime"), label("toaster")]).unwrap_err();
        assert_eq!(code, ErrorCode::UnknownLabel);
    }

    #[test]
    fn a_state_keeps_its_type() {
        let state = OwnedValue::Float(1.5);
        assert_eq!(converted(&OwnedValue::Integer(2), &state), Some(OwnedValue::Float(2.0)));
        assert_eq!(converted(&OwnedValue::Text("2".to_owned()), &state), None);
        assert_eq!(shorten("ä".repeat(40)).len(), MAX_TEXT);
    }
}
