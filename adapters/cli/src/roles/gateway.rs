//! The gateway as a program.

use std::path::Path;

use iot_crypto::endpoint::LocalPort;
use iot_crypto::gateway::{GatewayEvent, Polling, Settings};
use iot_crypto::identity::{PartyId, Role};
use iot_crypto::time::{Instant, WallClock};
use iot_crypto::transmission::{Label, OwnedLabel};
use iot_crypto::uplink::{self, Search};
use iot_crypto_mio::{Announce, Config, Driver, Interfaces};

use super::console::{self, Command, Flow};
use super::files::PartyFiles;
use super::inputs::Stdin;
use super::member::{self, HostGateway, Member as _};
use super::meter::Meter;
use super::recorder::Recorder;
use super::service::{self, Names};
use super::{Desk, Manner, Program, WallClockWatch, advice, observe, open, ports};
use crate::commands::Context;
use crate::config::GatewayConfig;
use crate::error::Error;
use crate::events::{DeviceRow, Event, Printer, Who};
use crate::exit::Exit;

struct GatewayProgram {
    gateway: Box<HostGateway>,
    names: Names,
    meter: Meter,
}

/// Runs the gateway whose configuration is in the file `path`.
///
/// # Errors
/// [`Error`], if it can't be started, or can't go on.
pub fn run(context: &Context, path: &Path, manner: &Manner) -> Result<Exit, Error> {
    let provider = context.provider.clone();
    let config = GatewayConfig::load(&provider, path)?;
    let (files, trust) = PartyFiles::open(provider.clone(), &config.party)?;
    let certificate = config.party.identity.certificate();
    let recorder = Recorder::start(&manner.record)?;
    let printer = Printer::new(context.format, certificate.name().to_string());
    let party = Who::new(Role::Gateway, config.party.identity.id(), Some(certificate.name()));

    let network = network_config(&config, manner);
    let max_datagram = network.datagram_size();
    let mut driver = open(network)?;
    let meter = Meter::default();
    observe(&mut driver, &recorder, Some(meter.clone()));
    let now = driver.now();
    let keys = config.party.network.clone();
    let own = member::party(
        provider.with_key_log(recorder.tap()),
        &config.party,
        trust,
        keys,
        WallClock::unknown(),
    )?;
    let settings = settings(&config, &driver, max_datagram);
    let gateway = HostGateway::new(own, settings, now)
        .map_err(|error| Error::Unexpected(error.to_string()))?;

    let looks_for =
        config.cloud.map_or_else(String::new, |cloud| format!("its cloud at {}", cloud.address));
    printer.print(Event::Started { party, ports: ports(&driver), looks_for })?;
    let stdin = if manner.stop_at_eof { Stdin::CommandsUntilEnd } else { Stdin::Commands };
    let program = GatewayProgram { gateway: Box::new(gateway), names: Names::default(), meter };
    super::run(
        program,
        driver,
        Desk { printer, files, recorder },
        stdin,
        Some(WallClockWatch::new()),
    )
}

fn network_config(config: &GatewayConfig, manner: &Manner) -> Config {
    let (negotiation, transmission) = service::service_ports(&config.service, manner);
    let network = Config::gateway(negotiation, transmission);
    let mut network = service::on_addresses(network, &config.service);
    let advertise = &config.advertise;
    network.discovery_port = advertise.port;
    network.announce = Announce {
        interfaces: advertise.interfaces.clone().map_or(Interfaces::All, Interfaces::Named),
        unicast: advertise.unicast.clone(),
        ..Announce::default()
    };
    network
}

fn settings(
    config: &GatewayConfig,
    driver: &Driver,
    max_datagram: usize,
) -> Settings<std::net::SocketAddr> {
    let transmission = service::bound_port(driver, LocalPort::Transmission);
    Settings {
        downlink: service::settings(
            &config.service,
            config.max_devices,
            transmission,
            max_datagram,
        ),
        negotiation_port: service::bound_port(driver, LocalPort::Negotiation),
        advertise: Some(config.advertise.every),
        cloud: config.cloud.map(|cloud| {
            let mut settings = uplink::Settings::new(Search::At(cloud.address));
            settings.retry = cloud.retry;
            settings.retry_limit = cloud.retry_limit;
            settings.dtls.max_datagram = max_datagram;
            settings
        }),
        polling: Some(Polling {
            every: config.poll.every,
            labels: config
                .poll
                .labels
                .iter()
                .filter_map(|label| Label::parse(label))
                .map(OwnedLabel::from)
                .collect(),
        }),
    }
}

impl GatewayProgram {
    fn device(&self, id: PartyId) -> Who {
        self.names.who(Role::Device, id)
    }

    fn cloud(&mut self, id: PartyId) -> Who {
        if let Some(name) = self.gateway.cloud_name() {
            self.names.learn(id, name);
        }
        self.names.who(Role::Cloud, id)
    }

    /// Does what an event asks for; gives what to tell.
    fn follow(&mut self, event: GatewayEvent, desk: &mut Desk) -> Result<Event, Error> {
        Ok(match event {
            GatewayEvent::CloudNegotiated { cloud } => {
                Event::Negotiated { peer: self.cloud(cloud), exchange: Some(self.meter.exchange()) }
            }
            GatewayEvent::CloudConnected { cloud, replaced } => {
                self.meter.reset();
                Event::Connected { peer: self.cloud(cloud), replaced }
            }
            GatewayEvent::CloudDisconnected { cloud, reason } => {
                self.meter.reset();
                Event::Disconnected {
                    peer: self.cloud(cloud),
                    reason: reason.to_string(),
                    advice: advice::on_disconnection(&reason, Role::Cloud, desk.files.trust()),
                }
            }
            GatewayEvent::CloudFailed(failure) => {
                self.meter.reset();
                Event::Failed {
                    reason: failure.to_string(),
                    advice: advice::on_failure(&failure, Role::Cloud, desk.files.trust()),
                }
            }
            GatewayEvent::CloudRefused { kind, code } => Event::Problem {
                problem: format!(
                    "the cloud does not take the {kind}, and it is lost: {code}; look at the \
                     rights that this gateway was endorsed with"
                ),
            },
            GatewayEvent::DeviceNegotiated { device } => {
                Event::Negotiated { peer: self.device(device), exchange: None }
            }
            GatewayEvent::DeviceRefused { who, refusal } => {
                if let Some((id, name)) = &who {
                    self.names.learn(*id, name);
                }
                service::refused(who, refusal, Role::Device, desk.files.trust())
            }
            GatewayEvent::DeviceConnected { device, name, replaced } => {
                self.names.learn(device, &name);
                Event::Connected { peer: self.device(device), replaced }
            }
            GatewayEvent::DeviceDisconnected { device, name, reason } => Event::Disconnected {
                peer: Who::new(Role::Device, device, Some(&name)),
                reason: reason.to_string(),
                advice: advice::on_disconnection(&reason, Role::Device, desk.files.trust()),
            },
            GatewayEvent::Readings { device, readings } => Event::Readings {
                device: self.device(device),
                readings: readings.iter().map(Into::into).collect(),
            },
            GatewayEvent::Alert { device, severity, reading, text } => Event::Alert {
                device: self.device(device),
                severity: severity.to_string(),
                reading: (&reading).into(),
                text,
            },
            GatewayEvent::CommandForwarded { device, request } => {
                Event::CommandSent { device: self.device(device), request: request.0 }
            }
            GatewayEvent::CommandStatus { device, request, state, result } => {
                Event::CommandStatus {
                    device: Some(self.device(device)),
                    request: request.0,
                    state: state.to_string(),
                    result: result.as_ref().map(Into::into),
                }
            }
            GatewayEvent::RequestFailed { device, request, code } => Event::RequestFailed {
                device: Some(self.device(device)),
                request: request.0,
                reason: code.to_string(),
            },
            GatewayEvent::Revoked(party) => {
                for revocation in self.gateway.revocations_of(party) {
                    if let Err(error) = desk.files.save_revocation(&revocation) {
                        desk.printer.problem(format!("a revocation is not kept: {error}"))?;
                    }
                }
                Event::Revoked { party: party.to_string(), name: self.names.name(party) }
            }
            GatewayEvent::NetworkKeyReceived(id) => {
                if let Some(key) = self.gateway.party().network().find(id)
                    && let Err(error) = desk.files.save_network_key(key)
                {
                    desk.printer.problem(format!("a network key is not kept: {error}"))?;
                }
                Event::NetworkKeys { added: vec![id.to_string()], retired: Vec::new() }
            }
        })
    }

    fn find(&self, wanted: &str) -> Result<PartyId, String> {
        console::find(self.gateway.devices().map(|(id, name)| (id, name.as_str())), wanted)
    }

    fn obey(&mut self, now: Instant, command: Command) -> Result<Option<Event>, String> {
        match command {
            Command::Devices => {
                let row = |(id, name)| DeviceRow {
                    device: Who::new(Role::Device, id, Some(name)),
                    gateway: None,
                    state: "connected".to_owned(),
                    since: None,
                    readings: Vec::new(),
                };
                Ok(Some(Event::Devices { devices: self.gateway.devices().map(row).collect() }))
            }
            Command::Read { device, labels } => {
                let device = self.find(&device)?;
                let labels: Vec<Label<'_>> = labels.iter().map(OwnedLabel::borrow).collect();
                self.gateway.request_data(now, device, &labels).map_err(service::explain)?;
                Ok(None)
            }
            Command::Act { device, label, value } => {
                let device = self.find(&device)?;
                let request = self
                    .gateway
                    .command(now, device, label.borrow(), value.borrow())
                    .map_err(service::explain)?;
                Ok(Some(Event::CommandSent { device: self.device(device), request: request.0 }))
            }
            Command::Help => Ok(Some(Event::Help { text: super::CONSOLE_HELP.to_owned() })),
            Command::Gateways | Command::Revoke(_) => {
                Err("this is a gateway; only its cloud can do that".to_owned())
            }
            Command::Quit => Ok(None),
        }
    }
}

impl Program for GatewayProgram {
    type Role = HostGateway;

    fn role(&mut self) -> &mut HostGateway {
        &mut self.gateway
    }

    fn serve(&mut self, _: Instant, desk: &mut Desk) -> Result<(), Error> {
        while let Some(event) = self.gateway.poll_event() {
            let event = self.follow(event, desk)?;
            desk.printer.print(event)?;
        }
        Ok(())
    }

    fn handle_line(&mut self, now: Instant, line: &str, desk: &mut Desk) -> Result<Flow, Error> {
        match Command::parse(line) {
            Ok(Command::Quit) => return Ok(Flow::Stop),
            Ok(command) => match self.obey(now, command) {
                Ok(Some(event)) => desk.printer.print(event)?,
                Ok(None) => {}
                Err(problem) => desk.printer.problem(problem)?,
            },
            Err(problem) => desk.printer.problem(problem)?,
        }
        Ok(Flow::Go)
    }

    fn traffic(&self) -> Event {
        let up = self.gateway.sent_to_cloud().into_iter();
        let up = up.flat_map(|tally| service::sent_rows(Role::Gateway, Role::Cloud, tally));
        let down = service::sent_rows(Role::Gateway, Role::Device, self.gateway.sent_to_devices());
        let from =
            service::sent_rows(Role::Device, Role::Gateway, self.gateway.received_from_devices());
        Event::Traffic {
            sent: up.chain(down).chain(from).collect(),
            dropped: service::dropped_rows(&self.gateway.dropped()),
        }
    }
}
