//! The steps of the demonstration.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use iot_crypto::identity::Refusal;
use iot_crypto::transmission::ErrorCode;

use super::display::Display;
use super::expectation::{Expectation, Expectations};
use super::measurements::Measurements;
use super::network::{self, Network, OURS, THEIRS};
use super::processes::{Message, Processes};
use super::{Actor, Failure, StepReport, milliseconds};
use crate::error::Error;
use crate::events::{Event, Line, Scalar, Who};

/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(12);

/// The demonstration while it runs.
pub(super) struct Play {
    // Dropped first, so that nobody uses the files any more.
    processes: Processes,
    network: Network,
    display: Display,
    history: Vec<(Actor, Line)>,
    steps: Vec<StepReport>,
    deadline: Instant,
}

/// What a step does; what it gives is worth telling.
type Act = fn(&mut Play) -> Result<Option<String>, Failure>;

const STEPS: [(&str, Act); 9] = [
    ("A network is made, and its gateway joins the cloud", Play::make_network),
    ("Two devices hear the gateway, are verified, and are polled", Play::connect_devices),
    ("The cloud commands a device", Play::command),
    ("A device raises an alert, and the cloud hears of it", Play::alert),
    ("A device of an unknown company is refused", Play::refuse),
    ("The company becomes a partner, and its device is let in", Play::partner),
    ("The partnership ends, and with it the session, at once", Play::part),
    ("Keys are replaced under way: the network's, and those of sessions", Play::replace_keys),
    ("A device is stolen, and its company revokes it", Play::revoke),
];

impl Play {
    pub(super) fn new(
        network: Network,
        display: Display,
        deadline: Instant,
    ) -> Result<Self, Error> {
        Ok(Self {
            processes: Processes::new()?,
            network,
            display,
            history: Vec::new(),
            steps: Vec::new(),
            deadline,
        })
    }

    pub(super) fn steps(&self) -> &[StepReport] {
        &self.steps
    }

    pub(super) const fn display(&self) -> &Display {
        &self.display
    }

    /// Where the files stay after the end, if they do.
    pub(super) fn kept_directory(&self, failed: bool) -> Option<&Path> {
        self.network.kept(failed)
    }

    /// All steps, until one fails.
    pub(super) fn perform(&mut self) -> Result<Measurements, Failure> {
        for (index, (title, act)) in STEPS.into_iter().enumerate() {
            let begun = Instant::now();
            self.display.begin_step(index + 1, title);
            let done = act(self);
            let ms = milliseconds(begun.elapsed());
            let (note, failure) = match &done {
                Ok(note) => (note.clone(), None),
                Err(failure) => (None, Some(failure.to_string())),
            };
            self.display.end_step(done.is_ok(), begun.elapsed(), note.as_deref());
            let ok = done.is_ok();
            self.steps.push(StepReport { step: index + 1, title, ok, ms, note, failure });
            done?;
        }
        self.measure()
    }

    /// Goes on until it is interrupted, or something happens that should not.
    pub(super) fn stay(&mut self) -> Failure {
        self.display.begin_staying();
        loop {
            match self.processes.wait() {
                Some(Message::Event(actor, line)) => self.display.follow(actor, &line.event),
                Some(Message::Ended(actor)) => return ended(actor),
                Some(Message::Interrupted) | None => return Failure::Interrupted,
            }
        }
    }

    /// Ends all parties; gives where the files stay, if they do.
    pub(super) fn end(mut self, kept: bool) -> Option<PathBuf> {
        self.processes.end();
        self.network.end(kept)
    }

    fn make_network(&mut self) -> Result<Option<String>, Failure> {
        self.display.remark(&format!(
            "network key, identities and endorsements of {OURS} (ours) and {THEIRS}"
        ));
        self.network.make_identities()?;
        self.network.configure(Actor::Cloud, None)?;
        self.start(Actor::Cloud)?;
        self.expect(
            0,
            [Expectation::new(Actor::Cloud, "listens", |event| {
                matches!(event, Event::Started { .. })
            })],
        )?;
        let cloud = self.history.iter().find_map(|(actor, line)| match &line.event {
            Event::Started { ports, .. } if *actor == Actor::Cloud => {
                ports.negotiation.first().copied()
            }
            _ => None,
        });
        self.network.configure(Actor::Hall, cloud)?;
        self.start(Actor::Hall)?;
        self.expect(
            0,
            [connected(Actor::Hall, Actor::Cloud), connected(Actor::Cloud, Actor::Hall)],
        )?;
        Ok(None)
    }

    fn connect_devices(&mut self) -> Result<Option<String>, Failure> {
        for device in [Actor::Boiler, Actor::Meter] {
            self.network.configure(device, None)?;
            self.start(device)?;
        }
        self.expect(
            0,
            [Actor::Boiler, Actor::Meter].into_iter().flat_map(|device| {
                [
                    connected(device, Actor::Hall),
                    connected(Actor::Hall, device),
                    readings(Actor::Hall, device),
                    readings(Actor::Cloud, device),
                ]
            }),
        )?;
        Ok(None)
    }

    fn command(&mut self) -> Result<Option<String>, Failure> {
        self.type_line(Actor::Cloud, "command boiler switch true")?;
        self.type_line(Actor::Cloud, "read boiler door")?;
        self.expect(
            0,
            [
                Expectation::new(Actor::Boiler, "carries the command out", |event| {
                    matches!(event, Event::Commanded { label, argument: Scalar::Bool(true) }
                    if label == "switch")
                }),
                Expectation::new(Actor::Cloud, "hears that the command is done", |event| {
                    matches!(event,
                    Event::CommandStatus { device: Some(device), state, result, .. }
                    if is(device, Actor::Boiler) && state == "done"
                        && *result == Some(Scalar::Bool(true)))
                }),
                no_door(Actor::Hall),
                no_door(Actor::Cloud),
            ],
        )?;
        Ok(None)
    }

    fn alert(&mut self) -> Result<Option<String>, Failure> {
        self.display.remark("some traffic on the loopback interface crosses the meter's threshold");
        network::make_traffic()
            .map_err(|error| Failure::Problem(format!("no traffic can be made: {error}")))?;
        self.expect(
            0,
            [
                Expectation::new(Actor::Meter, "raises an alert", |event| {
                    matches!(event, Event::AlertRaised { .. })
                }),
                alert(Actor::Hall),
                alert(Actor::Cloud),
                Expectation::new(Actor::Meter, "knows that its alert was delivered", |event| {
                    matches!(event, Event::AlertDelivered { .. })
                }),
            ],
        )?;
        Ok(None)
    }

    fn refuse(&mut self) -> Result<Option<String>, Failure> {
        self.network.configure(Actor::Freezer, None)?;
        self.start(Actor::Freezer)?;
        self.expect(0, refusal(Actor::Freezer, Refusal::NoTrustedEndorsement))?;
        Ok(None)
    }

    fn partner(&mut self) -> Result<Option<String>, Failure> {
        let from = self.history.len();
        self.shell(&format!("trust add hall.trust {THEIRS}.certificate"))?;
        self.expect(
            from,
            [
                connected(Actor::Hall, Actor::Freezer),
                connected(Actor::Freezer, Actor::Hall),
                readings(Actor::Hall, Actor::Freezer),
                readings(Actor::Cloud, Actor::Freezer),
                Expectation::new(Actor::Freezer, "asks what is waiting", |event| {
                    *event == Event::Woke
                }),
            ],
        )?;
        Ok(None)
    }

    fn part(&mut self) -> Result<Option<String>, Failure> {
        let from = self.history.len();
        self.shell(&format!("trust remove hall.trust {THEIRS}"))?;
        let changed = self.network.changed("hall.trust")?;
        let cut = [(Actor::Hall, Actor::Freezer), (Actor::Freezer, Actor::Hall)];
        let times = self.expect(from, cut.map(|(actor, peer)| disconnected(actor, peer)))?;
        self.expect(from, refusal(Actor::Freezer, Refusal::NoTrustedEndorsement))?;
        let last = times.into_iter().max().unwrap_or(changed);
        // Events are in whole milliseconds.
        let ms = milliseconds(last.duration_since(changed).unwrap_or_default()).max(1);
        Ok(Some(format!("the session was cut {ms} ms after the trust file had changed")))
    }

    fn replace_keys(&mut self) -> Result<Option<String>, Failure> {
        let from = self.history.len();
        self.shell("network rotate cloud.network")?;
        let takes = |actor: Actor| {
            Expectation::new(
                actor,
                "takes the new network key",
                |event| matches!(event, Event::NetworkKeys { added, .. } if !added.is_empty()),
            )
        };
        let all = [Actor::Cloud, Actor::Hall, Actor::Boiler, Actor::Meter];
        self.expect(from, all.map(takes))?;
        // As old as the gateway lets keys of sessions become.
        let replaces = |actor: Actor| {
            Expectation::new(actor, "has a new session, and lost none", |event| {
                matches!(event, Event::Connected { replaced: true, .. })
            })
        };
        self.expect(0, [Actor::Boiler, Actor::Meter].map(replaces))?;
        Ok(None)
    }

    fn revoke(&mut self) -> Result<Option<String>, Failure> {
        let from = self.history.len();
        self.shell(&format!(
            "revoke --issuer {OURS}.identity --subject meter.certificate --out meter.revocation"
        ))?;
        self.type_line(Actor::Cloud, "revoke meter.revocation")?;
        let revoked = |actor: Actor| {
            Expectation::new(actor, "knows that meter is revoked", |event| {
                matches!(event, Event::Revoked { name, .. }
                    if name.as_deref() == Some(Actor::Meter.name()))
            })
        };
        self.expect(
            from,
            [
                revoked(Actor::Cloud),
                revoked(Actor::Hall),
                disconnected(Actor::Hall, Actor::Meter),
                disconnected(Actor::Meter, Actor::Hall),
            ],
        )?;
        self.expect(from, refusal(Actor::Meter, Refusal::Revoked))?;
        Ok(None)
    }

    /// What was sent, as the services count it, and as long as the files are.
    fn measure(&mut self) -> Result<Measurements, Failure> {
        let from = self.history.len();
        self.processes.ask_for_statistics();
        let told = |actor| {
            Expectation::new(actor, "tells what it sent", |event| {
                matches!(event, Event::Traffic { .. })
            })
        };
        self.expect(from, [Actor::Cloud, Actor::Hall].map(told))?;
        Measurements::take(&self.network, &self.history)
    }

    fn start(&mut self, actor: Actor) -> Result<(), Failure> {
        self.processes.start(&self.network, actor)
    }

    /// Types a line for a party and shows it.
    fn type_line(&mut self, actor: Actor, line: &str) -> Result<(), Failure> {
        self.display.typed(actor, line);
        self.processes.type_line(actor, line)
    }

    /// Runs a command and shows it.
    fn shell(&self, line: &str) -> Result<(), Failure> {
        self.display.shell(line);
        self.network.command(line)
    }

    /// Waits until all of it has happened, after the first `from` events; gives
    /// when each did.
    fn expect(
        &mut self,
        from: usize,
        all: impl IntoIterator<Item = Expectation>,
    ) -> Result<Vec<SystemTime>, Failure> {
        let mut expectations = Expectations::new(all);
        for (actor, line) in self.history.iter().skip(from) {
            expectations.note(*actor, line);
        }
        let deadline = self.deadline.min(Instant::now() + STEP_LIMIT);
        loop {
            if let Some(times) = expectations.all_met() {
                return Ok(times);
            }
            match self.processes.poll(deadline) {
                Some(Message::Event(actor, line)) => {
                    self.display.narrate(actor, &line.event);
                    expectations.note(actor, &line);
                    self.history.push((actor, *line));
                }
                Some(Message::Ended(actor)) => return Err(ended(actor)),
                Some(Message::Interrupted) => return Err(Failure::Interrupted),
                None => return Err(Failure::Missing(expectations.missing())),
            }
        }
    }
}

fn ended(actor: Actor) -> Failure {
    let name = actor.name();
    Failure::Problem(format!("{name} has ended unexpectedly; {name}.log says why"))
}

fn is(who: &Who, actor: Actor) -> bool {
    who.name.as_deref() == Some(actor.name())
}

fn connected(actor: Actor, peer: Actor) -> Expectation {
    Expectation::new(
        actor,
        format!("has a session with {}", peer.name()),
        move |event| matches!(event, Event::Connected { peer: who, .. } if is(who, peer)),
    )
}

fn disconnected(actor: Actor, peer: Actor) -> Expectation {
    Expectation::new(
        actor,
        format!("has no session with {}", peer.name()),
        move |event| matches!(event, Event::Disconnected { peer: who, .. } if is(who, peer)),
    )
}

fn readings(actor: Actor, device: Actor) -> Expectation {
    Expectation::new(actor, format!("gets readings of {}", device.name()), move |event| {
        matches!(event, Event::Readings { device: who, readings }
            if is(who, device) && !readings.is_empty())
    })
}

fn no_door(actor: Actor) -> Expectation {
    Expectation::new(actor, "hears that boiler has no door", |event| {
        matches!(event, Event::RequestFailed { device: Some(device), reason, .. }
            if is(device, Actor::Boiler) && *reason == ErrorCode::UnknownLabel.to_string())
    })
}

fn alert(actor: Actor) -> Expectation {
    Expectation::new(
        actor,
        "hears of the alert",
        |event| matches!(event, Event::Alert { device, .. } if is(device, Actor::Meter)),
    )
}

/// A device is refused, as both sides and the cloud say.
fn refusal(device: Actor, refusal: Refusal) -> [Expectation; 3] {
    let name = device.name();
    [
        Expectation::new(Actor::Hall, format!("refuses {name}"), move |event| {
            matches!(event, Event::Refused { peer: Some(who), code, .. }
                if is(who, device) && *code == refusal.code())
        }),
        Expectation::new(device, "is told why it is refused", move |event| {
            let reason = refusal.to_string();
            matches!(event, Event::Failed { reason: told, .. } if told.contains(&reason))
        }),
        Expectation::new(Actor::Cloud, format!("hears that {name} is refused"), move |event| {
            matches!(event, Event::Presence { device: who, state, .. }
                if is(who, device) && state == "refused")
        }),
    ]
}
