//! Who they are. Both processes make the same company and gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::anyhow;
use chacha20::ChaCha20Rng;
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::device::{Device, DeviceTrust};
use iot_crypto::gateway::{self, Gateway, GatewayTrust, Polling};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::uplink::{self, Search};
use iot_crypto_host::HostCrypto;
use rand_core::SeedableRng as _;

/// The provider of everyone: fast, and the same in each run.
pub(super) type Provider = HostCrypto<ChaCha20Rng>;
/// The gateway.
pub(super) type OurGateway = Gateway<Provider, SocketAddr>;
/// A device.
pub(super) type OurDevice = Device<Provider, SocketAddr>;

/// How often a device is asked.
pub(super) const EVERY: Duration = Duration::from_secs(60);

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const YEAR: u64 = 365 * 86_400;

/// The company that endorses everyone.
pub(super) struct Company {
    identity: PrivateIdentity,
    provider: Provider,
}

fn provider(seed: u64) -> Provider {
    HostCrypto::new(ChaCha20Rng::seed_from_u64(seed))
}

fn identity(provider: &mut Provider, name: &str) -> anyhow::Result<PrivateIdentity> {
    let [from, to] = [NOW.as_secs() - YEAR, NOW.as_secs() + YEAR].map(UnixTime::from_secs);
    let name = Name::new(name).map_err(|error| anyhow!("{error}"))?;
    Ok(PrivateIdentity::create(provider, name, from, to)?)
}

impl Company {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut provider = provider(0);
        Ok(Self { identity: identity(&mut provider, "company")?, provider })
    }

    fn party<const A: usize, const B: usize, const C: usize>(
        &self,
        seed: u64,
        name: &str,
        role: Role,
    ) -> anyhow::Result<Party<Provider, TrustStore<A, B, C>>> {
        let mut provider = provider(seed);
        let identity = identity(&mut provider, name)?;
        let [from, to] = [NOW.as_secs() - YEAR, NOW.as_secs() + YEAR].map(UnixTime::from_secs);
        let grant = Grant { roles: role.into(), rights: Rights::ALL };
        let certificate = identity.certificate();
        let endorsement = self.identity.endorse(&self.provider, certificate, from, to, grant)?;
        let endorsements = Endorsements::new(&[endorsement]).map_err(|error| anyhow!("{error}"))?;
        let mut trust = TrustStore::new();
        trust.add_party(&self.provider, self.identity.certificate(), Authority::Full)?;
        let mut keys = NetworkKeys::new();
        keys.add(NetworkKey::from_secret(&provider, SymmetricKey::new([7; 32])))?;
        let clock = WallClock::with_floor(NOW);
        Ok(Party::new(provider, identity, endorsements, trust, keys, clock)?)
    }

    /// The gateway, with these ports, for so many devices.
    pub(super) fn gateway(
        &self,
        now: Instant,
        ports: [u16; 2],
        devices: usize,
    ) -> anyhow::Result<OurGateway> {
        let [negotiation, transmission] = ports;
        let party: Party<_, GatewayTrust> = self.party(1, "gateway", Role::Gateway)?;
        let mut settings = gateway::Settings::new(negotiation, transmission);
        settings.advertise = None;
        settings.polling = Some(Polling { every: EVERY, labels: Vec::new() });
        settings.downlink.max_peers = devices;
        let mut gateway = Gateway::new(party, settings, now)?;
        gateway.set_time(now, NOW);
        Ok(gateway)
    }

    /// Device `number`, which looks for the gateway there.
    pub(super) fn device(
        &self,
        now: Instant,
        number: usize,
        negotiation: u16,
    ) -> anyhow::Result<OurDevice> {
        let seed = 2 + u64::try_from(number)?;
        let party: Party<_, DeviceTrust> =
            self.party(seed, &format!("device {number}"), Role::Device)?;
        let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, negotiation));
        Ok(Device::new(party, uplink::Settings::new(Search::At(gateway)), now))
    }
}
