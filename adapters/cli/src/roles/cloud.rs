//! The cloud as a program.

use std::path::Path;

use iot_crypto::cloud::{CloudEvent, DeviceEntry, DeviceState};
use iot_crypto::connection::NegotiationRefusal;
use iot_crypto::endpoint::LocalPort;
use iot_crypto::identity::{PartyId, Revocation, Role};
use iot_crypto::time::{Instant, WallClock};
use iot_crypto::transmission::{Label, OwnedLabel, PresenceState};
use iot_crypto_mio::Config;

use super::console::{self, Command, Flow};
use super::files::PartyFiles;
use super::inputs::Stdin;
use super::member::{self, HostCloud};
use super::recorder::Recorder;
use super::service::{self, Names};
use super::{Desk, Manner, Program, WallClockWatch, advice, observe, open, ports};
use crate::argument::Source;
use crate::commands::Context;
use crate::config::CloudConfig;
use crate::error::Error;
use crate::events::{DeviceRow, Event, Printer, ReadingRow, Who};
use crate::exit::Exit;
use crate::time::Date;
use iot_crypto_host::OsProvider;

struct CloudProgram {
    cloud: Box<HostCloud>,
    provider: OsProvider,
    gateways: Names,
}

/// Runs the cloud whose configuration is in the file `path`.
///
/// # Errors
/// [`Error`], if it can't be started, or can't go on.
pub fn run(context: &Context, path: &Path, manner: &Manner) -> Result<Exit, Error> {
    let provider = context.provider.clone();
    let config = CloudConfig::load(&provider, path)?;
    let (files, trust) = PartyFiles::open(provider.clone(), &config.party)?;
    let certificate = config.party.identity.certificate();
    let recorder = Recorder::start(&manner.record)?;
    let printer = Printer::new(context.format, certificate.name().to_string());
    let party = Who::new(Role::Cloud, config.party.identity.id(), Some(certificate.name()));

    let (negotiation, transmission) = service::service_ports(&config.service, manner);
    let network = Config::cloud(negotiation, transmission);
    let network = service::on_addresses(network, &config.service);
    let max_datagram = network.datagram_size();
    let mut driver = open(network)?;
    observe(&mut driver, &recorder, None);
    let keys = config.party.network.clone();
    let role_provider = provider.clone().with_key_log(recorder.tap());
    let own = member::party(role_provider, &config.party, trust, keys, WallClock::unknown())?;
    let transmission = service::bound_port(&driver, LocalPort::Transmission);
    let settings =
        service::settings(&config.service, config.max_gateways, transmission, max_datagram);
    let cloud =
        HostCloud::new(own, settings).map_err(|error| Error::Unexpected(error.to_string()))?;

    printer.print(Event::Started { party, ports: ports(&driver), looks_for: String::new() })?;
    let stdin = if manner.stop_at_eof { Stdin::CommandsUntilEnd } else { Stdin::Commands };
    let program = CloudProgram { cloud: Box::new(cloud), provider, gateways: Names::default() };
    super::run(
        program,
        driver,
        Desk { printer, files, recorder },
        stdin,
        Some(WallClockWatch::new()),
    )
}

impl CloudProgram {
    fn gateway(&self, id: PartyId) -> Who {
        self.gateways.who(Role::Gateway, id)
    }

    fn device(&self, id: PartyId) -> Who {
        let name = self.cloud.structure().device(id).map(|entry| entry.name.clone());
        Who { role: Role::Device.to_string(), id: id.to_string(), name }
    }

    fn tell(&mut self, event: CloudEvent, desk: &Desk) -> Event {
        match event {
            CloudEvent::GatewayNegotiated { gateway } => {
                Event::Negotiated { peer: self.gateway(gateway), exchange: None }
            }
            CloudEvent::GatewayRefused { who, refusal } => {
                service::refused(who, refusal, Role::Gateway, desk.files.trust())
            }
            CloudEvent::GatewayConnected { gateway, name, replaced } => {
                self.gateways.learn(gateway, &name);
                Event::Connected { peer: self.gateway(gateway), replaced }
            }
            CloudEvent::GatewayDisconnected { gateway, name, reason } => Event::Disconnected {
                peer: Who::new(Role::Gateway, gateway, Some(&name)),
                reason: reason.to_string(),
                advice: advice::on_disconnection(&reason, Role::Gateway, desk.files.trust()),
            },
            CloudEvent::DevicePresence { gateway, device, name, state } => {
                let (state, reason) = presence(state);
                Event::Presence {
                    gateway: self.gateway(gateway),
                    device: Who { name: Some(name), ..self.device(device) },
                    state: state.to_owned(),
                    reason,
                }
            }
            CloudEvent::Readings { device, readings, .. } => Event::Readings {
                device: self.device(device),
                readings: readings.iter().map(Into::into).collect(),
            },
            CloudEvent::Alert { device, severity, reading, text, .. } => Event::Alert {
                device: self.device(device),
                severity: severity.to_string(),
                reading: (&reading).into(),
                text,
            },
            CloudEvent::CommandStatus { device, request, state, result } => Event::CommandStatus {
                device: Some(self.device(device)),
                request: request.0,
                state: state.to_string(),
                result: result.as_ref().map(Into::into),
            },
            CloudEvent::RequestFailed { device, request, code, .. } => Event::RequestFailed {
                device: device.map(|device| self.device(device)),
                request: request.0,
                reason: code.to_string(),
            },
        }
    }

    fn find(&self, wanted: &str) -> Result<PartyId, String> {
        let devices = self.cloud.structure().devices();
        console::find(devices.map(|(id, entry)| (id, entry.name.as_str())), wanted)
    }

    fn row(&self, id: PartyId, entry: &DeviceEntry) -> DeviceRow {
        DeviceRow {
            device: self.device(id),
            gateway: Some(self.gateway(entry.gateway)),
            state: match entry.state {
                DeviceState::Connected => "connected",
                DeviceState::Disconnected => "disconnected",
                DeviceState::Refused(_) => "refused",
                DeviceState::Unknown => "unknown",
            }
            .to_owned(),
            since: entry.since.map(|since| Date(since).to_string()),
            readings: entry.readings.values().map(|(it, _)| ReadingRow::from(it)).collect(),
        }
    }

    fn obey(
        &mut self,
        now: Instant,
        command: Command,
        desk: &mut Desk,
    ) -> Result<Option<Event>, String> {
        match command {
            Command::Devices => {
                let devices = self.cloud.structure().devices();
                let devices = devices.map(|(id, entry)| self.row(id, entry)).collect();
                Ok(Some(Event::Devices { devices }))
            }
            Command::Gateways => {
                let who = |(id, name)| Who::new(Role::Gateway, id, Some(name));
                Ok(Some(Event::Gateways { gateways: self.cloud.gateways().map(who).collect() }))
            }
            Command::Read { device, labels } => {
                let device = self.find(&device)?;
                let labels: Vec<Label<'_>> = labels.iter().map(OwnedLabel::borrow).collect();
                self.cloud.request_data(now, device, &labels).map_err(service::explain)?;
                Ok(None)
            }
            Command::Act { device, label, value } => {
                let device = self.find(&device)?;
                let request = self
                    .cloud
                    .command(now, device, label.borrow(), value.borrow())
                    .map_err(service::explain)?;
                Ok(Some(Event::CommandSent { device: self.device(device), request: request.0 }))
            }
            Command::Revoke(source) => self.revoke(now, &source, desk).map(Some),
            Command::Help => {
                let text = format!("{}\n{}", super::CONSOLE_HELP, super::CLOUD_HELP);
                Ok(Some(Event::Help { text }))
            }
            Command::Quit => Ok(None),
        }
    }

    fn revoke(&mut self, now: Instant, source: &str, desk: &mut Desk) -> Result<Event, String> {
        let source = match source.parse() {
            Ok(Source::Stdin) => return Err("write a file, or the text itself".to_owned()),
            Ok(source) => source,
            Err(never) => match never {},
        };
        let revocation: Revocation =
            source.read(&self.provider).map_err(|error| error.to_string())?;
        self.cloud.revoke(now, &revocation).map_err(|error| {
            format!("{error}; the cloud's trust file must list the issuer: iot-crypto trust add")
        })?;
        if let Err(error) = desk.files.save_revocation(&revocation) {
            let problem = format!("it is revoked, but not in the trust file: {error}");
            desk.printer.problem(problem).map_err(|error| error.to_string())?;
        }
        let subject = revocation.subject();
        let name = self.device(subject).name.or_else(|| self.gateways.name(subject));
        Ok(Event::Revoked { party: subject.to_string(), name })
    }
}

fn presence(state: PresenceState) -> (&'static str, Option<String>) {
    match state {
        PresenceState::Connected => ("connected", None),
        PresenceState::Disconnected => ("disconnected", None),
        PresenceState::Refused(code) => {
            ("refused", Some(NegotiationRefusal::from_code(code).to_string()))
        }
    }
}

impl Program for CloudProgram {
    type Role = HostCloud;

    fn role(&mut self) -> &mut HostCloud {
        &mut self.cloud
    }

    fn serve(&mut self, _: Instant, desk: &mut Desk) -> Result<(), Error> {
        while let Some(event) = self.cloud.poll_event() {
            let event = self.tell(event, desk);
            desk.printer.print(event)?;
        }
        Ok(())
    }

    fn handle_line(&mut self, now: Instant, line: &str, desk: &mut Desk) -> Result<Flow, Error> {
        match Command::parse(line) {
            Ok(Command::Quit) => return Ok(Flow::Stop),
            Ok(command) => match self.obey(now, command, desk) {
                Ok(Some(event)) => desk.printer.print(event)?,
                Ok(None) => {}
                Err(problem) => desk.printer.problem(problem)?,
            },
            Err(problem) => desk.printer.problem(problem)?,
        }
        Ok(Flow::Go)
    }

    fn traffic(&self) -> Event {
        let sent = service::sent_rows(Role::Cloud, Role::Gateway, self.cloud.sent_to_gateways());
        Event::Traffic {
            sent: sent.collect(),
            dropped: service::dropped_rows(&self.cloud.dropped()),
        }
    }
}
