//! What a device watches, to raise alerts.

use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, OwnedLabel, OwnedReading, Severity};

use super::parts::Parts;
use crate::config::AlertConfig;
use crate::value;

/// The alerts that are configured.
pub(super) struct Alerts(Vec<Watch>);

struct Watch {
    config: AlertConfig,
    label: OwnedLabel,
    next: Instant,
    is_on: bool,
}

/// An alert that is to be raised.
pub(super) struct Due {
    /// What [`Alerts::confirm`] knows it by.
    pub(super) index: usize,
    pub(super) severity: Severity,
    pub(super) reading: OwnedReading,
    pub(super) text: String,
}

impl Alerts {
    pub(super) fn new(configs: Vec<AlertConfig>) -> Self {
        let watch = |config: AlertConfig| {
            let label = Label::parse(&config.label)?.into();
            Some(Watch { config, label, next: Instant::ZERO, is_on: false })
        };
        Self(configs.into_iter().filter_map(watch).collect())
    }

    /// Looks at what is to be looked at by `now`; gives what is to be raised.
    pub(super) fn due(&mut self, now: Instant, parts: &Parts) -> Vec<Due> {
        let mut due = Vec::new();
        for (index, watch) in self.0.iter_mut().enumerate().filter(|(_, it)| now >= it.next) {
            watch.next = now + watch.config.every;
            let Some(Ok(reading)) = parts.read(&watch.label) else { continue };
            let Some(number) = value::as_number(&reading.value) else { continue };
            match watch.config.is_on(watch.is_on, number) {
                true if watch.is_on => {}
                true => due.push(Due {
                    index,
                    severity: watch.config.severity.into(),
                    reading,
                    text: watch.config.text.clone(),
                }),
                false => watch.is_on = false,
            }
        }
        due
    }

    /// Notes that an alert was raised, so that it is not again before the value
    /// has come back.
    pub(super) fn confirm(&mut self, index: usize) {
        if let Some(watch) = self.0.get_mut(index) {
            watch.is_on = true;
        }
    }

    /// When to look next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|watch| watch.next).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actuators::Actuator;
    use crate::config::{ActuatorConfig, Limits};
    use crate::value::Value;

    #[test]
    fn an_alert_is_raised_once_until_its_value_has_come_back() {
        let parts = |level| {
            let actuator = Actuator::State(Value::Integer(level));
            Parts::new(vec![], vec![ActuatorConfig { label: "level".to_owned(), actuator }])
        };
        let mut alerts = Alerts::new(vec![AlertConfig {
            label: "level".to_owned(),
            limits: Limits::Above(10.0),
            hysteresis: 2.0,
            every: Duration::from_secs(1),
            severity: crate::config::Severity::Warning,
            text: String::new(),
        }]);
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        let raised = alerts.due(at(0), &parts(11));
        assert_eq!(raised.len(), 1);
        assert_eq!(alerts.deadline(), Some(at(1)));
        // It could not be sent, so that it is still to be raised.
        assert_eq!(alerts.due(at(1), &parts(11)).len(), 1);
        alerts.confirm(raised[0].index);
        for (second, level, count) in [(2, 20, 0), (3, 9, 0), (4, 12, 0), (5, 8, 0), (6, 11, 1)] {
            assert_eq!(alerts.due(at(second), &parts(level)).len(), count, "{second}");
        }
        assert!(alerts.due(at(6), &parts(8)).is_empty(), "before it is time");
    }
}
