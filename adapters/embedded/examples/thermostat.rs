//! A whole device, on this computer: it measures, switches its heating, and raises
//! an alert when it freezes. On a microcontroller only what `main` opens is another:
//! the flash, the source of entropy, and the driver.
//!
//! Run it with `cargo run -p iot-crypto-embedded --example thermostat`; it makes an
//! identity for itself, and waits for a gateway of its network, which has none.

use std::time::Duration;

use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::RustCrypto;
use iot_crypto::device::DeviceTrust;
use iot_crypto::identity::{Endorsements, Name, PrivateIdentity};
use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, Reading, Severity, Ticket, Value};
use iot_crypto::uplink::{Search, Settings};
use iot_crypto_embedded::entropy::{EntropySource, Generator, Parameters, SourceError};
use iot_crypto_embedded::event::Event;
use iot_crypto_embedded::flash::RamFlash;
use iot_crypto_embedded::handlers::{Execution, Handlers, Sender, Texts, Unavailable};
use iot_crypto_embedded::node::Node;
use iot_crypto_embedded::store::{Provisioning, Store, USUAL_LEN};
use iot_crypto_mio::{Config, Driver, wall_time};

const TEMPERATURE: Label<'static> = Label::Number(1);
const HEATING: Label<'static> = Label::Text("heating");

/// The device: all that is its own.
#[derive(Default)]
struct Thermostat {
    celsius: f64,
    is_heating: bool,
    is_frozen: bool,
}

impl Handlers for Thermostat {
    fn labels(&self) -> &'static [Label<'static>] {
        &[TEMPERATURE, HEATING]
    }

    fn read<'t>(
        &mut self,
        label: Label<'static>,
        _: &mut Texts<'t>,
    ) -> Result<Reading<'t>, Unavailable> {
        let value = match label {
            TEMPERATURE => Value::Float(self.celsius),
            _ => Value::Bool(self.is_heating),
        };
        Ok(Reading::new(label, value))
    }

    fn execute(&mut self, _: Ticket, label: Label<'_>, argument: Value<'_>) -> Execution<'_> {
        match (label, argument) {
            (HEATING, Value::Bool(on)) => {
                self.is_heating = on;
                Execution::Done(Some(Value::Bool(on)))
            }
            (HEATING, _) => Execution::Refused,
            _ => Execution::Unknown,
        }
    }

    fn send(&mut self, now: Instant, sender: &mut Sender<'_>) -> Option<Instant> {
        // In place of a sensor.
        self.celsius += if self.is_heating { 0.1 } else { -0.1 };
        let was_frozen = std::mem::replace(&mut self.is_frozen, self.celsius < 0.0);
        if self.is_frozen && !was_frozen {
            let reading = Reading::new(TEMPERATURE, Value::Float(self.celsius));
            self.is_frozen = sender.alert(Severity::Critical, reading, "frost").is_ok();
        }
        Some(now + Duration::from_secs(1))
    }

    fn observe(&mut self, event: &Event) {
        println!("{event}");
    }
}

/// The noise of this computer.
struct SystemNoise;

impl EntropySource for SystemNoise {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SourceError> {
        getrandom::fill(out).map_err(|_| SourceError)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let region = 0..USUAL_LEN;
    let mut store = Store::open(image()?, region)?;
    let personalization = store.personalization()?;
    let generator = Generator::new(SystemNoise, Parameters::default(), &personalization)?;

    let provider = RustCrypto::new(generator);
    let trust: DeviceTrust = store.trust(&provider)?;
    let party = store.party(provider, trust)?;

    let mut driver = Driver::open(Config::device(5683))?;
    let settings = Settings::new(Search::Advertisement);
    let mut node = Node::new(party, store, Thermostat::default(), settings, driver.now());
    println!("waiting for a gateway");
    loop {
        driver.turn(&mut node, None)?;
    }
}

/// What a programmer would have written to the flash: a new device in a network of
/// its own.
fn image() -> Result<RamFlash<[u8; USUAL_LEN as usize]>, Box<dyn std::error::Error>> {
    let mut provider = RustCrypto::new(getrandom::SysRng);
    let (created, year) = (wall_time(), Duration::from_secs(365 * 24 * 3600));
    let name = Name::new("thermostat")?;
    let expires = created.saturating_add(year);
    let identity = PrivateIdentity::create(&mut provider, name, created, expires)?;
    let mut network = NetworkKeys::new();
    network.add(NetworkKey::create(&mut provider)?)?;
    let device = Provisioning {
        identity: &identity,
        endorsements: &Endorsements::none(),
        trusted: &[],
        held: &[],
        network: &network,
    };
    Ok(Store::provision(RamFlash::erased(), 0..USUAL_LEN, &mut provider, &device)?.into_flash())
}
