//! The device as a program: its sensors and actuators are those of this
//! computer.

mod alerts;
mod parts;
mod search;
mod state;

use std::path::Path;

use iot_crypto::connection::{ForwardSecrecy, NetworkKeyId};
use iot_crypto::device::DeviceEvent;
use iot_crypto::identity::{PartyId, Role};
use iot_crypto::time::{Instant, WallClock};
use iot_crypto::transmission::{
    ErrorCode, MAX_ITEMS, OwnedLabel, OwnedReading, OwnedValue, Reading, Ticket,
};
use iot_crypto::uplink::{self, Disconnection, Failure, Settings};
use iot_crypto_mio::Config;

use super::files::PartyFiles;
use super::inputs::Stdin;
use super::member::{self, HostDevice, Member as _};
use super::meter::Meter;
use super::recorder::Recorder;
use super::service::Names;
use super::{Desk, Manner, Program, WallClockWatch, advice, observe, open, ports, service};
use crate::commands::Context;
use crate::config::{Clock, DeviceConfig};
use crate::error::Error;
use crate::events::{Event, Printer, Scalar, Who};
use crate::exit::Exit;
use alerts::Alerts;
use parts::{Finished, Parts};
use search::{Search, Signs};
use state::StateFile;

struct DeviceProgram {
    device: Box<HostDevice>,
    parts: Parts,
    alerts: Alerts,
    state: Option<StateFile>,
    meter: Meter,
    names: Names,
    search: Option<Search>,
    /// When a device that sleeps wakes next, and how often it does.
    wake: Option<(Instant, core::time::Duration)>,
}

/// What is to be done about an event, without anything that is borrowed.
enum Task {
    Answer { request: Ticket, labels: Vec<OwnedLabel> },
    Execute { request: Ticket, label: OwnedLabel, argument: OwnedValue },
    Negotiated(PartyId),
    Connected { gateway: PartyId, replaced: bool },
    Disconnected(PartyId, Disconnection),
    Failed(Failure),
    KeepNetworkKey(NetworkKeyId),
    KeepRevocation(PartyId),
    Tell(Event),
    Nothing,
}

/// Runs the device whose configuration is in the file `path`.
///
/// # Errors
/// [`Error`], if it can't be started, or can't go on.
pub fn run(context: &Context, path: &Path, manner: &Manner) -> Result<Exit, Error> {
    let provider = context.provider.clone();
    let config = DeviceConfig::load(&provider, path)?;
    let (files, trust) = PartyFiles::open(provider.clone(), &config.party)?;
    let certificate = config.party.identity.certificate();
    let recorder = Recorder::start(&manner.record)?;
    let printer = Printer::new(context.format, certificate.name().to_string());
    let party = Who::new(Role::Device, config.party.identity.id(), Some(certificate.name()));

    let mut driver = open(network_config(&config))?;
    let meter = Meter::default();
    observe(&mut driver, &recorder, Some(meter.clone()));
    let now = driver.now();
    let (state, kept) = match &config.state {
        Some(path) => {
            let (state, kept) = StateFile::open(&provider, path)?;
            (Some(state), kept)
        }
        None => (None, state::Kept::default()),
    };
    let clock = match config.clock {
        Clock::System => WallClock::unknown(),
        Clock::Gateway => WallClock::with_floor(kept.time),
    };
    let keys = kept.with(config.party.network.clone());
    let own =
        member::party(provider.with_key_log(recorder.tap()), &config.party, trust, keys, clock)?;
    let device = HostDevice::new(own, settings(&config), now);

    let looks_for = config.gateway.map_or_else(
        || "a gateway, by its advertisement".to_owned(),
        |address| format!("its gateway at {address}"),
    );
    printer.print(Event::Started { party, ports: ports(&driver), looks_for })?;
    let stdin = if manner.stop_at_eof { Stdin::CommandsUntilEnd } else { Stdin::Unused };
    let watch = (config.clock == Clock::System).then(WallClockWatch::new);
    let program = DeviceProgram {
        device: Box::new(device),
        parts: Parts::new(config.sensors, config.actuators),
        alerts: Alerts::new(config.alerts),
        state,
        meter,
        names: Names::default(),
        search: config.gateway.is_none().then(|| Search::begin(now)),
        wake: config.wake.map(|every| (now + every, every)),
    };
    super::run(program, driver, Desk { printer, files, recorder }, stdin, watch)
}

fn network_config(config: &DeviceConfig) -> Config {
    let mut network = Config::device(config.listen.discovery_port).on(&config.listen.bind);
    network.path_mtu = usize::from(config.listen.path_mtu);
    network
}

fn settings(config: &DeviceConfig) -> Settings<std::net::SocketAddr> {
    let search = config.gateway.map_or(uplink::Search::Advertisement, uplink::Search::At);
    let mut settings = Settings::new(search);
    settings.forward_secrecy =
        if config.ephemeral { ForwardSecrecy::On } else { ForwardSecrecy::Off };
    settings.sleepy = config.wake.is_some();
    settings.dtls.max_datagram = network_config(config).datagram_size();
    settings.retry = config.retry;
    settings.retry_limit = config.retry_limit;
    settings
}

impl DeviceProgram {
    fn gateway(&mut self, id: PartyId) -> Who {
        if let Some(name) = self.device.gateway_name() {
            self.names.learn(id, name);
        }
        self.names.who(Role::Gateway, id)
    }

    fn poll_task(&mut self) -> Option<Task> {
        Some(match self.device.poll_event()? {
            DeviceEvent::DataRequest { request, labels } => {
                Task::Answer { request, labels: labels.iter().copied().map(Into::into).collect() }
            }
            DeviceEvent::Command { request, label, argument } => {
                Task::Execute { request, label: label.into(), argument: argument.into() }
            }
            DeviceEvent::Negotiated { gateway } => Task::Negotiated(gateway),
            DeviceEvent::Connected { gateway, replaced } => Task::Connected { gateway, replaced },
            DeviceEvent::Disconnected { gateway, reason } => Task::Disconnected(gateway, reason),
            DeviceEvent::Failed(failure) => Task::Failed(failure),
            DeviceEvent::AlertDelivered(id) => Task::Tell(Event::AlertDelivered { alert: id.0 }),
            DeviceEvent::AlertRefused(id, code) => Task::Tell(Event::RequestFailed {
                device: None,
                request: id.0,
                reason: code.to_string(),
            }),
            DeviceEvent::NetworkKeyReceived(id) => Task::KeepNetworkKey(id),
            DeviceEvent::Revoked(party) => Task::KeepRevocation(party),
            DeviceEvent::MaySleep => Task::Nothing,
        })
    }

    /// Does a task; gives what to tell, if anything.
    fn perform(&mut self, task: Task, desk: &mut Desk) -> Result<Option<Event>, Error> {
        Ok(match task {
            Task::Answer { request, labels } => self.answer(request, &labels),
            Task::Execute { request, label, argument } => {
                let event = Event::Commanded {
                    label: label.to_string(),
                    argument: Scalar::from(&argument),
                };
                desk.printer.print(event)?;
                self.parts.execute(request, &label, &argument);
                None
            }
            Task::Negotiated(gateway) => Some(Event::Negotiated {
                peer: self.gateway(gateway),
                exchange: Some(self.meter.exchange()),
            }),
            Task::Connected { gateway, replaced } => {
                self.meter.reset();
                self.save_state(desk)?;
                Some(Event::Connected { peer: self.gateway(gateway), replaced })
            }
            Task::Disconnected(gateway, reason) => {
                self.meter.reset();
                Some(Event::Disconnected {
                    peer: self.gateway(gateway),
                    reason: reason.to_string(),
                    advice: advice::on_disconnection(&reason, Role::Gateway, desk.files.trust()),
                })
            }
            Task::Failed(failure) => {
                self.meter.reset();
                Some(Event::Failed {
                    reason: failure.to_string(),
                    advice: advice::on_failure(&failure, Role::Gateway, desk.files.trust()),
                })
            }
            Task::KeepNetworkKey(id) => {
                if let Some(state) = &mut self.state
                    && let Some(key) = self.device.party().network().find(id)
                {
                    state.keep(key);
                }
                self.save_state(desk)?;
                Some(Event::NetworkKeys { added: vec![id.to_string()], retired: Vec::new() })
            }
            Task::KeepRevocation(party) => {
                for revocation in self.device.revocations_of(party) {
                    if let Err(error) = desk.files.save_revocation(&revocation) {
                        desk.printer.problem(format!("a revocation is not kept: {error}"))?;
                    }
                }
                Some(Event::Revoked { party: party.to_string(), name: self.names.name(party) })
            }
            Task::Tell(event) => Some(event),
            Task::Nothing => None,
        })
    }

    /// Answers a data request, with as many readings as fit into the answer.
    fn answer(&mut self, request: Ticket, labels: &[OwnedLabel]) -> Option<Event> {
        let readings = match self.parts.measure(labels) {
            Ok(readings) => readings,
            Err((code, text)) => {
                // If the request is no longer open, nobody waits for the answer.
                let _ = self.device.reject(request, code, &text);
                return None;
            }
        };
        for count in (0..=readings.len().min(MAX_ITEMS)).rev() {
            let readings = readings.get(..count).unwrap_or_default();
            let borrowed: Vec<Reading<'_>> = readings.iter().map(OwnedReading::borrow).collect();
            if self.device.respond(request, &borrowed).is_ok() {
                return Some(Event::DataRequested {
                    labels: labels.iter().map(ToString::to_string).collect(),
                    readings: readings.iter().map(Into::into).collect(),
                });
            }
        }
        let _ = self.device.reject(request, ErrorCode::TooLarge, "");
        None
    }

    fn report_finished(&mut self, desk: &Desk) -> Result<(), Error> {
        for Finished { request, state, result } in self.parts.finished() {
            let borrowed = result.as_ref().map(OwnedValue::borrow);
            if let Err(error) = self.device.report(request, state, borrowed) {
                tracing::debug!(%error, "the status of a command is not sent");
            }
            desk.printer.print(Event::CommandStatus {
                device: None,
                request: request.id().0,
                state: state.to_string(),
                result: result.as_ref().map(Into::into),
            })?;
        }
        Ok(())
    }

    fn raise_alerts(&mut self, now: Instant, desk: &Desk) -> Result<(), Error> {
        for alert in self.alerts.due(now, &self.parts) {
            let (severity, reading) = (alert.severity, alert.reading.borrow());
            match self.device.alert(now, severity, reading, &alert.text) {
                Ok(id) => {
                    self.alerts.confirm(alert.index);
                    desk.printer.print(Event::AlertRaised {
                        alert: id.0,
                        severity: severity.to_string(),
                        reading: (&alert.reading).into(),
                        text: alert.text,
                    })?;
                }
                // It is raised at the next look, if it still is one.
                Err(error) => tracing::warn!(%error, "an alert has to wait"),
            }
        }
        Ok(())
    }

    fn save_state(&mut self, desk: &Desk) -> Result<(), Error> {
        let clock = *self.device.party().clock();
        match &mut self.state {
            Some(state) => match state.save(clock.floor()) {
                Ok(()) => Ok(()),
                Err(error) => desk.printer.problem(format!("the state is not kept: {error}")),
            },
            None => Ok(()),
        }
    }
}

impl Program for DeviceProgram {
    type Role = HostDevice;

    fn role(&mut self) -> &mut HostDevice {
        &mut self.device
    }

    fn serve(&mut self, now: Instant, desk: &mut Desk) -> Result<(), Error> {
        while let Some(task) = self.poll_task() {
            if let Some(event) = self.perform(task, desk)? {
                desk.printer.print(event)?;
            }
        }
        let signs = Signs {
            is_connected: self.device.gateway().is_some(),
            advertisements: self.meter.advertisements(),
            was_attempted: self.meter.was_attempted(),
        };
        if let Some(search) = &mut self.search
            && let Some(problem) = search.look(now, signs)
        {
            desk.printer.problem(problem)?;
        }
        self.report_finished(desk)?;
        self.raise_alerts(now, desk)?;
        if let Some((next, every)) = &mut self.wake
            && now >= *next
        {
            *next = now + *every;
            match self.device.wake(now) {
                Ok(_) if self.device.gateway().is_some() => desk.printer.print(Event::Woke)?,
                // It asks when it is connected.
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the gateway is not asked what is waiting"),
            }
        }
        Ok(())
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let wake = self.wake.map(|(next, _)| next);
        let programs = self.parts.patience().map(|patience| now + patience);
        let search = self.search.as_ref().and_then(Search::deadline);
        [self.alerts.deadline(), programs, search, wake].into_iter().flatten().min()
    }

    /// A device counts no messages: its gateway does.
    fn traffic(&self) -> Event {
        Event::Traffic { sent: Vec::new(), dropped: service::dropped_rows(&self.device.dropped()) }
    }

    fn finish(&mut self, _: Instant, desk: &mut Desk) -> Result<(), Error> {
        self.save_state(desk)
    }
}
