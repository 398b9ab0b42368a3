//! From power on to a node. What keeps the device from starting is said, and looked at
//! again, until its cause is gone.

use core::net::{Ipv4Addr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use embedded_storage::nor_flash::ReadNorFlash as _;
use iot_crypto::crypto::RustCrypto;
use iot_crypto::device::DeviceTrust;
use iot_crypto::time::Instant;
use iot_crypto::uplink::{Search, Settings};
use iot_crypto_embedded::entropy::{EntropyFailure, Generator, Parameters, Personalization};
use iot_crypto_embedded::node::Node;
use iot_crypto_embedded::store::{Store, StoreError, USUAL_LEN};
use iot_crypto_firmware::entropy::Entropy;
use iot_crypto_firmware::flash::Flash;
use iot_crypto_firmware::say;
use static_cell::{ConstStaticCell, StaticCell};

use crate::apparatus::Apparatus;
use crate::{DATAGRAM, DeviceNode, DeviceParty, DeviceProvider, DeviceStore, Machine};

/// Where the store is.
const REGION: Range<u32> = 0..USUAL_LEN;

/// How long a cause is given to go.
const AGAIN: Duration = Duration::from_secs(2);

/// Where the gateway is, if the device is told: behind the store, four bytes of an IPv4
/// address and two of a UDP port. Erased, the device waits for an advertisement.
const GATEWAY: u32 = REGION.end;

/// How the device looks for its gateway.
fn settings(flash: &mut Flash) -> Settings<SocketAddr> {
    let mut place = [0xFF; 6];
    let search = match flash.read(GATEWAY, &mut place) {
        Ok(()) if place != [0xFF; 6] => {
            let [a, b, c, d, high, low] = place;
            let port = u16::from_be_bytes([high, low]);
            Search::At((Ipv4Addr::new(a, b, c, d), port).into())
        }
        _ => Search::Advertisement,
    };
    let mut settings = Settings::new(search);
    settings.dtls.max_datagram = DATAGRAM;
    settings
}

/// Makes the node. Each step is a function of its own, so that what it needs on the stack
/// is there no longer than it is needed.
pub(crate) fn node(
    machine: &mut Machine,
    flash: &'static mut Flash,
    entropy: &'static Entropy,
    apparatus: Apparatus,
) -> &'static mut DeviceNode {
    let settings = settings(flash);
    let mut store = store(machine, flash);
    let provider = RustCrypto::new(generator(machine, &mut store, entropy));
    let trust = trust(machine, &mut store, &provider);
    let party = party(machine, &mut store, provider, trust);
    place(party, store, apparatus, settings, machine.now())
}

/// Makes the node, in its place.
#[inline(never)]
fn place(
    party: DeviceParty,
    store: DeviceStore,
    apparatus: Apparatus,
    settings: Settings<SocketAddr>,
    now: Instant,
) -> &'static mut DeviceNode {
    static NODE: StaticCell<DeviceNode> = StaticCell::new();

    NODE.init_with(|| Node::new(party, store, apparatus, settings, now))
}

/// The device with what is stored.
#[inline(never)]
fn party(
    machine: &mut Machine,
    store: &mut DeviceStore,
    provider: DeviceProvider,
    trust: &'static mut DeviceTrust,
) -> DeviceParty {
    let party = store.party(provider, trust);
    or_restart(machine, party)
}

/// Whom the device trusts.
#[inline(never)]
fn trust(
    machine: &mut Machine,
    store: &mut DeviceStore,
    provider: &DeviceProvider,
) -> &'static mut DeviceTrust {
    static TRUST: ConstStaticCell<DeviceTrust> = ConstStaticCell::new(DeviceTrust::new());

    let trust = TRUST.take();
    let loaded = store.load_trust(provider, trust);
    or_restart(machine, loaded);
    trust
}

/// What was read from the store; if it couldn't be, the device begins again.
fn or_restart<T>(machine: &mut Machine, read: Result<T, StoreError>) -> T {
    read.unwrap_or_else(|error| {
        tell(&error);
        restart(machine)
    })
}

/// The store, as soon as there is one in the flash.
#[inline(never)]
fn store(machine: &mut Machine, flash: &'static mut Flash) -> DeviceStore {
    while let Err(error) = Store::open(&mut *flash, REGION) {
        tell(&error);
        wait(machine);
    }
    let opened = Store::open(flash, REGION);
    or_restart(machine, opened)
}

/// What sets this start apart from all others.
fn personalization(machine: &mut Machine, store: &mut DeviceStore) -> Personalization {
    loop {
        match store.personalization() {
            Ok(personalization) => return personalization,
            Err(error) => tell(&error),
        }
        wait(machine);
    }
}

/// The generator of random numbers, as soon as its source is healthy.
#[inline(never)]
fn generator(
    machine: &mut Machine,
    store: &mut DeviceStore,
    entropy: &'static Entropy,
) -> Generator<&'static Entropy> {
    let personalization = personalization(machine, store);
    loop {
        match Generator::new(entropy, Parameters::default(), &personalization) {
            Ok(generator) => return generator,
            Err(EntropyFailure::Source) => say!("there is no source of entropy"),
            Err(_) => say!("the source of entropy fails its health test"),
        }
        wait(machine);
    }
}

/// Begins again from the start.
fn restart(machine: &mut Machine) -> ! {
    wait(machine);
    cortex_m::peripheral::SCB::sys_reset()
}

fn wait(machine: &mut Machine) {
    let until = machine.now() + AGAIN;
    while machine.now() < until {
        machine.sleep(Some(until));
    }
}

/// Says what is wrong with the store.
fn tell(error: &StoreError) {
    match error {
        StoreError::Blank => say!("the flash is blank: provision it"),
        StoreError::Unfinished => say!("the flash is half-written: provision it again"),
        StoreError::Version(version) => say!("the flash is of another version: ", *version),
        StoreError::Foreign => say!("the flash holds something else"),
        StoreError::Entropy => say!("there is no source of entropy"),
        _ => say!("the flash fails"),
    }
}
