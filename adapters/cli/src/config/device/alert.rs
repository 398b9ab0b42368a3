//! What a device raises alerts for.

use std::time::Duration;

use iot_crypto::transmission::{self, MAX_TEXT};
use serde::Deserialize;
use toml::Spanned;

use super::field;
use super::part::{ActuatorConfig, SensorConfig};
use crate::actuators::Actuator;
use crate::document::Review;
use crate::value;

/// What a device raises an alert for.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertConfig {
    /// The sensor, or the actuator that keeps a state, that is watched.
    pub label: String,
    /// What its values have to stay within.
    pub limits: Limits,
    /// How far a value has to come back within the limits before the alert can
    /// be raised again.
    pub hysteresis: f64,
    /// The time from one look at the value to the next.
    pub every: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// What to tell about it, of at most 64 bytes.
    pub text: String,
}

/// What values have to stay within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limits {
    /// Not greater than this.
    Above(f64),
    /// Not less than this.
    Below(f64),
    /// Not less than the one, not greater than the other.
    Outside {
        /// The least that is all right.
        below: f64,
        /// The most that is all right.
        above: f64,
    },
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Information,
    /// Somebody should look.
    #[default]
    Warning,
    /// Somebody must act.
    Critical,
}

impl From<Severity> for transmission::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Information => Self::Information,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl AlertConfig {
    /// Whether the alert is on after `value`, if it was or wasn't before. It is to
    /// be raised when it goes on; a value that is no number (NaN) changes nothing.
    #[must_use]
    pub fn is_on(&self, was_on: bool, value: f64) -> bool {
        let back = if was_on { self.hysteresis } else { 0.0 };
        if value.is_nan() {
            return was_on;
        }
        match self.limits {
            Limits::Above(above) => value > above - back,
            Limits::Below(below) => value < below + back,
            Limits::Outside { below, above } => value > above - back || value < below + back,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    label: Spanned<String>,
    above: Option<Spanned<f64>>,
    below: Option<Spanned<f64>>,
    hysteresis: Option<Spanned<f64>>,
    every: Option<Spanned<String>>,
    #[serde(default)]
    severity: Severity,
    text: Option<Spanned<String>>,
}

impl RawAlert {
    /// The alert; `None` if a mistake was noted.
    pub(super) fn review(
        &self,
        review: &mut Review<'_>,
        sensors: &[SensorConfig],
        actuators: &[ActuatorConfig],
    ) -> Option<AlertConfig> {
        let every = field::duration(review, self.every.as_ref(), "every", Duration::from_secs(5));
        let text = self.text(review);
        let label = self.label(review, sensors, actuators);
        let limits = self.limits(review);
        let hysteresis = self.hysteresis(review, limits);
        Some(AlertConfig {
            label: label?,
            limits: limits?,
            hysteresis: hysteresis?,
            every,
            severity: self.severity,
            text: text?,
        })
    }

    fn label(
        &self,
        review: &mut Review<'_>,
        sensors: &[SensorConfig],
        actuators: &[ActuatorConfig],
    ) -> Option<String> {
        let label = field::label(review, &self.label)?;
        let is_state = |actuator: &ActuatorConfig| match &actuator.actuator {
            Actuator::State(value) => value::as_number(value).is_some(),
            Actuator::Run(_) => false,
        };
        let known = sensors.iter().any(|sensor| sensor.label == label)
            || actuators.iter().any(|actuator| actuator.label == label && is_state(actuator));
        if !known {
            let problem = format!(
                "there is no sensor '{label}', nor an actuator of that name that keeps a number; \
                 add one, or mend the label"
            );
            review.note(self.label.span(), problem);
        }
        known.then_some(label)
    }

    fn limits(&self, review: &mut Review<'_>) -> Option<Limits> {
        let above = field::finite(review, self.above.as_ref(), "above");
        let below = field::finite(review, self.below.as_ref(), "below");
        match (&self.above, &self.below) {
            (None, None) => {
                let problem = "the alert has no limit; write above = … or below = …, or both";
                review.note(self.label.span(), problem);
                None
            }
            (Some(_), None) => Some(Limits::Above(above?)),
            (None, Some(_)) => Some(Limits::Below(below?)),
            (Some(field), Some(_)) => {
                let (above, below) = (above?, below?);
                if above < below {
                    let problem = format!(
                        "with above = {above} less than below = {below} the alert would always be \
                         on; exchange them"
                    );
                    review.note(field.span(), problem);
                    return None;
                }
                Some(Limits::Outside { below, above })
            }
        }
    }

    fn hysteresis(&self, review: &mut Review<'_>, limits: Option<Limits>) -> Option<f64> {
        let Some(field) = &self.hysteresis else { return Some(0.0) };
        let hysteresis = field::finite(review, Some(field), "hysteresis")?;
        let problem = match limits {
            _ if hysteresis < 0.0 => {
                "hysteresis can't be less than 0; write how far a value has \
                                      to come back within the limits"
            }
            Some(Limits::Outside { below, above }) if 2.0 * hysteresis >= above - below => {
                "with a hysteresis of half of the distance between the limits, or more, the alert \
                 could not go off again; lessen it"
            }
            _ => return Some(hysteresis),
        };
        review.note(field.span(), problem);
        None
    }

    fn text(&self, review: &mut Review<'_>) -> Option<String> {
        let Some(field) = &self.text else { return Some(String::new()) };
        let text = field.get_ref();
        if text.len() > MAX_TEXT {
            let problem = format!("the text has {} bytes; shorten it to {MAX_TEXT}", text.len());
            review.note(field.span(), problem);
            return None;
        }
        Some(text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(limits: Limits, hysteresis: f64) -> AlertConfig {
        AlertConfig {
            label: "load".to_owned(),
            limits,
            hysteresis,
            every: Duration::from_secs(1),
            severity: Severity::Warning,
            text: String::new(),
        }
    }

    /// Whether the alert is on after each of the values.
    fn history(alert: &AlertConfig, values: &[f64]) -> Vec<bool> {
        let states = values.iter().scan(false, |on, value| {
            *on = alert.is_on(*on, *value);
            Some(*on)
        });
        states.collect()
    }

    #[test]
    fn an_alert_stays_on_until_the_value_has_come_back_far_enough() {
        let above = alert(Limits::Above(10.0), 2.0);
        let values = [10.0, 10.1, 9.0, 8.1, f64::NAN, 8.0, 9.9];
        assert_eq!(history(&above, &values), [false, true, true, true, true, false, false]);
        let below = alert(Limits::Below(-5.0), 0.0);
        assert_eq!(history(&below, &[-5.0, -5.1, -5.0]), [false, true, false]);
    }

    #[test]
    fn a_band_has_two_limits() {
        let outside = alert(Limits::Outside { below: 0.0, above: 10.0 }, 1.0);
        let values = [5.0, 11.0, 9.5, 9.0, -1.0, 0.5, 1.0];
        assert_eq!(history(&outside, &values), [false, true, true, false, true, true, false]);
    }
}
