//! The negotiation of a key by a device and a gateway who meet for the first time; of
//! that, the device's part is counted.

use iot_crypto::connection::{
    ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, ResponderParameters, SessionKey,
    respond,
};
use iot_crypto::crypto::Provider;
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PrivateIdentity, Rights, Role, SignatureMemory,
    TrustStore, Verifier,
};
use iot_crypto::time::{Instant, UnixTime, WallClock};

use crate::{Device, Gateway, Step, marks};

/// When they meet, and how long everything is valid before and after that, in seconds.
const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 86_400;

/// Room for a message, in bytes.
const ROOM: usize = 1024;

struct Party {
    identity: PrivateIdentity,
    endorsements: Endorsements,
}

impl Party {
    fn new(provider: &mut impl Provider, name: &str) -> Result<Self, Step> {
        let name = Name::new(name).map_err(|_| Step("name"))?;
        let [from, to] = validity();
        let identity = PrivateIdentity::create(provider, name, from, to);
        let identity = identity.map_err(|_| Step("identity"))?;
        let endorsements = Endorsements::new(&[]).map_err(|_| Step("endorsements"))?;
        Ok(Self { identity, endorsements })
    }

    /// Endorses `subject`.
    fn endorse(
        &self,
        provider: &mut impl Provider,
        subject: &mut Self,
        role: Role,
    ) -> Result<(), Step> {
        let [from, to] = validity();
        let grant = Grant { roles: role.into(), rights: Rights::ALL };
        let certificate = subject.identity.certificate();
        let endorsement = self.identity.endorse(provider, certificate, from, to, grant);
        let list = [endorsement.map_err(|_| Step("endorsement"))?];
        subject.endorsements = Endorsements::new(&list).map_err(|_| Step("endorsements"))?;
        Ok(())
    }

    fn local(&self) -> LocalParty<'_> {
        LocalParty { identity: &self.identity, endorsements: &self.endorsements }
    }
}

fn validity() -> [UnixTime; 2] {
    [NOW - YEAR, NOW + YEAR].map(UnixTime::from_secs)
}

/// Has them meet; gives their key.
pub(crate) fn measure(device: &mut Device, gateway: &mut Gateway) -> Result<SessionKey, Step> {
    let company = Party::new(gateway, "company")?;
    let mut thermometer = Party::new(gateway, "thermometer")?;
    let mut hall = Party::new(gateway, "hall")?;
    company.endorse(gateway, &mut thermometer, Role::Device)?;
    company.endorse(gateway, &mut hall, Role::Gateway)?;
    // Of the size that a device on this board has.
    let mut trust = TrustStore::<3, 1, 8>::new();
    let trusted = trust.add_party(gateway, company.identity.certificate(), Authority::Full);
    trusted.map_err(|_| Step("trust"))?;

    let parameters = InitiatorParameters {
        role: Role::Device,
        peer_role: Role::Gateway,
        sleepy: false,
        incarnation: 1,
        forward_secrecy: ForwardSecrecy::On,
    };
    let serving = ResponderParameters {
        peer_role: Role::Device,
        incarnation: 2,
        transmission_port: 4434,
        now: Some(UnixTime::from_secs(NOW)),
    };
    let (mut request, mut answer) = ([0; ROOM], [0; ROOM]);
    let (mut clock, mut memory) = (WallClock::unknown(), SignatureMemory::new());

    let (initiator, length) = marks::count(marks::negotiation, || {
        let initiator = Initiator::new(device, parameters).map_err(|_| Step("initiator"))?;
        let length = initiator.request(thermometer.local(), &mut request);
        Ok((initiator, length.map_err(|_| Step("request"))?))
    })?;
    let request = request.get(..length).unwrap_or_default();
    let responded = respond(gateway, hall.local(), &trust, &serving, request, &mut answer);
    let (of_gateway, length) = responded.map_err(|_| Step("response"))?;
    let answer = answer.get(..length).unwrap_or_default();
    let of_device = marks::count(marks::negotiation, || {
        let verifier = Verifier::with_memory(&trust, &mut memory);
        let local = thermometer.local();
        initiator.finish(device, local, verifier, &mut clock, Instant::ZERO, answer)
    });
    let of_device = of_device.map_err(|_| Step("finish"))?;
    if of_device.key != of_gateway.key {
        return Err(Step("same key"));
    }
    Ok(of_device.key)
}
