//! Sensors and actuators.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::field;
use crate::actuators::{Actuator, Program};
use crate::document::Review;
use crate::sensors::Source;
use crate::value::{MAX_LEN, Value};

/// A sensor of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorConfig {
    /// The name that its readings carry; unique in the device.
    pub label: String,
    /// What it measures.
    pub source: Source,
}

/// An actuator of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct ActuatorConfig {
    /// The name that commands give; unique in the device.
    pub label: String,
    /// What a command to it does.
    pub actuator: Actuator,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSensor {
    label: Spanned<String>,
    source: RawSource,
    interface: Option<Spanned<String>>,
    component: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum RawSource {
    Load,
    Memory,
    Temperature,
    BytesReceived,
    BytesSent,
    Uptime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawActuator {
    label: Spanned<String>,
    kind: RawKind,
    initial: Option<Spanned<RawValue>>,
    command: Option<Spanned<Vec<String>>>,
    timeout: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    State,
    Run,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a state is true or false, a number or a text")]
enum RawValue {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// The sensors and actuators; a label stands for one of them only.
pub(super) struct Parts {
    pub(super) sensors: Vec<SensorConfig>,
    pub(super) actuators: Vec<ActuatorConfig>,
}

impl Parts {
    /// What has a mistake is noted and left out.
    pub(super) fn review(
        review: &mut Review<'_>,
        sensors: Vec<RawSensor>,
        actuators: Vec<RawActuator>,
    ) -> Self {
        let mut labels = BTreeSet::new();
        let sensors = sensors
            .into_iter()
            .filter_map(|sensor| {
                let label = unique_label(review, &mut labels, &sensor.label);
                let source = sensor.review(review);
                Some(SensorConfig { label: label?, source })
            })
            .collect();
        let actuators = actuators
            .into_iter()
            .filter_map(|actuator| {
                let label = unique_label(review, &mut labels, &actuator.label);
                let actuator = actuator.review(review);
                Some(ActuatorConfig { label: label?, actuator: actuator? })
            })
            .collect();
        Self { sensors, actuators }
    }
}

fn unique_label(
    review: &mut Review<'_>,
    labels: &mut BTreeSet<String>,
    field: &Spanned<String>,
) -> Option<String> {
    let label = field::label(review, field)?;
    if !labels.insert(label.clone()) {
        let problem = format!("there is another sensor or actuator '{label}'; rename one of them");
        review.note(field.span(), problem);
        return None;
    }
    Some(label)
}

impl RawSensor {
    fn review(&self, review: &mut Review<'_>) -> Source {
        let counts = matches!(self.source, RawSource::BytesReceived | RawSource::BytesSent);
        if let Some(field) = &self.interface
            && !counts
        {
            let problem = "only bytes-received and bytes-sent have an interface; take it out";
            review.note(field.span(), problem);
        }
        if let Some(field) = &self.component
            && self.source != RawSource::Temperature
        {
            review.note(field.span(), "only temperature has a component; take it out");
        }
        let name =
            |field: &Option<Spanned<String>>| field.as_ref().map(|field| field.get_ref().clone());
        match self.source {
            RawSource::Load => Source::Load,
            RawSource::Memory => Source::Memory,
            RawSource::Temperature => Source::Temperature { component: name(&self.component) },
            RawSource::BytesReceived => Source::BytesReceived { interface: name(&self.interface) },
            RawSource::BytesSent => Source::BytesSent { interface: name(&self.interface) },
            RawSource::Uptime => Source::Uptime,
        }
    }
}

impl RawActuator {
    fn review(&self, review: &mut Review<'_>) -> Option<Actuator> {
        match self.kind {
            RawKind::State => self.state(review),
            RawKind::Run => self.program(review).map(Actuator::Run),
        }
    }

    fn state(&self, review: &mut Review<'_>) -> Option<Actuator> {
        if let Some(field) = &self.command {
            review.note(field.span(), "only kind = \"run\" has a command; take it out");
        }
        if let Some(field) = &self.timeout {
            review.note(field.span(), "only kind = \"run\" has a timeout; take it out");
        }
        let Some(initial) = &self.initial else {
            let problem = "a state needs a value to begin with; write initial = false, for example";
            review.note(self.label.span(), problem);
            return None;
        };
        let value = match initial.get_ref() {
            RawValue::Bool(value) => Value::Bool(*value),
            RawValue::Integer(value) => Value::Integer(*value),
            RawValue::Float(value) => Value::Float(*value),
            RawValue::Text(text) if text.len() > MAX_LEN => {
                let problem = format!("a text has at most {MAX_LEN} bytes; shorten it");
                review.note(initial.span(), problem);
                return None;
            }
            RawValue::Text(text) => Value::Text(text.clone()),
        };
        Some(Actuator::State(value))
    }

    fn program(&self, review: &mut Review<'_>) -> Option<Program> {
        if let Some(field) = &self.initial {
            review.note(field.span(), "only kind = \"state\" has an initial value; take it out");
        }
        let timeout = self.timeout.as_ref();
        let timeout = field::duration(review, timeout, "timeout", Duration::from_secs(10));
        let Some(field) = &self.command else {
            let problem = "there is nothing to run; write \
                           command = [\"/usr/bin/logger\", \"--\", \"{value}\"], for example";
            review.note(self.label.span(), problem);
            return None;
        };
        let Some((program, arguments)) = field.get_ref().split_first() else {
            review.note(field.span(), "the command is empty; its first element is the program");
            return None;
        };
        let Some(program) = find_program(review, program) else {
            let problem = format!("there is no program '{program}'; mend its path");
            review.note(field.span(), problem);
            return None;
        };
        Some(Program { program, arguments: arguments.to_vec(), timeout })
    }
}

/// The program: a path, relative to the configuration's directory, or a name
/// that is looked for in `PATH`.
fn find_program(review: &Review<'_>, program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(review.document().resolve(program)).filter(|path| path.is_file());
    }
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories)
        .map(|directory| directory.join(program))
        .find(|path| !program.is_empty() && Path::is_file(path))
}
