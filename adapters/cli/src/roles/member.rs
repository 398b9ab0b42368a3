//! What the three roles have in common: whom they trust, the keys of their
//! network, their time and their end.

use std::net::SocketAddr;

use iot_crypto::cloud::Cloud;
use iot_crypto::connection::{NetworkKey, NetworkKeyId, NetworkKeys};
use iot_crypto::device::Device;
use iot_crypto::gateway::Gateway;
use iot_crypto::identity::{PartyId, Revocation, Trust as _};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};

use crate::config;
use crate::error::Error;
use crate::trust_file::Store;
use iot_crypto_capture::Tap;
use iot_crypto_host::OsProvider;

/// The provider of a role: the secrets of its sessions are recorded, if that was
/// asked for.
pub(super) type RoleProvider = OsProvider<Tap>;
/// The device of this program.
pub(super) type HostDevice = Device<RoleProvider, SocketAddr, Box<Store>>;
/// The gateway of this program.
pub(super) type HostGateway = Gateway<RoleProvider, SocketAddr, Box<Store>>;
/// The cloud of this program.
pub(super) type HostCloud = Cloud<RoleProvider, SocketAddr, Box<Store>>;

/// The party that a configuration describes, which has just started.
pub(super) fn party(
    provider: RoleProvider,
    own: &config::Party,
    trust: Box<Store>,
    network: NetworkKeys,
    clock: WallClock,
) -> Result<Party<RoleProvider, Box<Store>>, Error> {
    let (identity, endorsements) = (own.identity.clone(), own.endorsements.clone());
    Party::new(provider, identity, endorsements, trust, network, clock)
        .map_err(|error| Error::Unexpected(error.to_string()))
}

/// A member of a network.
pub(super) trait Member {
    /// What it is, and what it knows.
    fn party(&self) -> &Party<RoleProvider, Box<Store>>;

    /// Trusts whom `store` says from now on, and tells the parties below of new
    /// revocations.
    fn change_trust(&mut self, now: Instant, store: Box<Store>);

    /// Prefers a network key, and tells the parties below.
    fn add_network_key(&mut self, now: Instant, key: NetworkKey);

    /// Accepts a network key no longer.
    fn retire_network_key(&mut self, id: NetworkKeyId);

    /// Sets the wall time; `false` if it lies behind the last one.
    fn set_time(&mut self, now: Instant, time: UnixTime) -> bool;

    /// Ends all sessions.
    fn close(&mut self, now: Instant);

    /// The revocations of a party that it knows.
    fn revocations_of(&self, subject: PartyId) -> Vec<Revocation> {
        let all = self.party().trust().revocations();
        all.filter(|revocation| revocation.subject() == subject).cloned().collect()
    }
}

impl Member for HostDevice {
    fn party(&self) -> &Party<RoleProvider, Box<Store>> {
        self.party()
    }

    fn change_trust(&mut self, now: Instant, store: Box<Store>) {
        self.change_trust(now, |trust, _| *trust = store);
    }

    fn add_network_key(&mut self, _: Instant, key: NetworkKey) {
        self.add_network_key(key);
    }

    fn retire_network_key(&mut self, id: NetworkKeyId) {
        self.retire_network_key(id);
    }

    fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
        self.set_time(now, time)
    }

    fn close(&mut self, now: Instant) {
        self.close(now);
    }
}

/// The gateway and the cloud have the same methods by other types.
macro_rules! member_with_parties_below {
    ($role:ty) => {
        impl Member for $role {
            fn party(&self) -> &Party<RoleProvider, Box<Store>> {
                self.party()
            }

            fn change_trust(&mut self, now: Instant, store: Box<Store>) {
                self.change_trust(now, |trust, _| *trust = store);
            }

            fn add_network_key(&mut self, now: Instant, key: NetworkKey) {
                self.add_network_key(now, key);
            }

            fn retire_network_key(&mut self, id: NetworkKeyId) {
                self.retire_network_key(id);
            }

            fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
                self.set_time(now, time)
            }

            fn close(&mut self, now: Instant) {
                self.close(now);
            }
        }
    };
}

member_with_parties_below!(HostGateway);
member_with_parties_below!(HostCloud);
