//! The parties that the targets put on: honest ones, and insiders.

use std::cell::OnceCell;

use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::identity::{
    Authority, Endorsement, Grant, Name, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::time::UnixTime;

use crate::toy::Toy;

/// The wall time at the instant 0.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const YEAR: u64 = 365 * 24 * 3600;

/// Whom the parties trust.
pub(crate) type Trust = TrustStore<4, 4, 8>;

/// A party, and what the company says of it.
pub(crate) struct Member {
    pub(crate) identity: PrivateIdentity,
    pub(crate) endorsement: Endorsement,
}

/// Everyone, made once.
pub(crate) struct Cast {
    pub(crate) company: PrivateIdentity,
    pub(crate) partner: PrivateIdentity,
    pub(crate) cloud: Member,
    pub(crate) gateway: Member,
    pub(crate) device: Member,
    /// A second device.
    pub(crate) other: Member,
    pub(crate) network_key: NetworkKey,
}

impl Cast {
    /// The cast. It is leaked once for each thread.
    pub(crate) fn get() -> &'static Self {
        thread_local! {
            static CAST: OnceCell<&'static Cast> = const { OnceCell::new() };
        }
        CAST.with(|cast| *cast.get_or_init(|| Box::leak(Box::new(Self::new()))))
    }

    fn new() -> Self {
        let mut toy = Toy::new(1);
        let company = identity(&mut toy, "company");
        let partner = identity(&mut toy, "partner");
        let mut member = |name, role: Role| {
            let identity = identity(&mut toy, name);
            let endorsement = endorse(&company, &identity, role, Rights::ALL, YEAR);
            Member { identity, endorsement }
        };
        Self {
            cloud: member("cloud", Role::Cloud),
            gateway: member("gateway", Role::Gateway),
            device: member("device", Role::Device),
            other: member("other device", Role::Device),
            partner,
            network_key: NetworkKey::from_secret(&Toy::new(0), SymmetricKey::new([9; 32])),
            company,
        }
    }

    /// A store that trusts the company, and lets the partner endorse.
    pub(crate) fn trust(&self) -> Trust {
        let toy = Toy::new(0);
        let mut trust = Trust::new();
        trust.add_party(&toy, self.company.certificate(), Authority::Full).unwrap();
        trust.add_party(&toy, self.partner.certificate(), Authority::Endorse).unwrap();
        trust
    }

    /// The network's keys.
    pub(crate) fn network(&self) -> NetworkKeys {
        let mut keys = NetworkKeys::new();
        keys.add(self.network_key.clone()).unwrap();
        keys
    }
}

/// A new identity, valid from a year ago for ten years.
pub(crate) fn identity(toy: &mut Toy, name: &str) -> PrivateIdentity {
    let (from, to) = (NOW.as_secs() - YEAR, NOW.as_secs() + 10 * YEAR);
    let name = Name::new(name).unwrap();
    PrivateIdentity::create(toy, name, UnixTime::from_secs(from), UnixTime::from_secs(to)).unwrap()
}

/// `issuer`'s word for `subject`, from a year ago for `seconds` from now.
pub(crate) fn endorse(
    issuer: &PrivateIdentity,
    subject: &PrivateIdentity,
    role: Role,
    rights: Rights,
    seconds: u64,
) -> Endorsement {
    let (from, to) = (NOW.as_secs() - YEAR, NOW.as_secs() + seconds);
    let (from, to) = (UnixTime::from_secs(from), UnixTime::from_secs(to));
    let grant = Grant { roles: role.into(), rights };
    issuer.endorse(&Toy::new(0), subject.certificate(), from, to, grant).unwrap()
}
