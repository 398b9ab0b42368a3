use super::*;
use crate::connection::{
    ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, ResponderParameters, respond,
};
use crate::identity::{
    Authority, Endorsements, Grant, Name, PrivateIdentity, Rights, Role, TrustStore,
};
use crate::testing::provider;
use crate::time::UnixTime;

/// A key that a party, which endorses itself, has negotiated with itself.
fn negotiated(seed: u8) -> Negotiated {
    let mut provider = provider(seed);
    let (from, to) = (UnixTime::from_secs(0), UnixTime::from_secs(100));
    let name = Name::new("party").unwrap();
    let identity = PrivateIdentity::create(&mut provider, name, from, to).unwrap();
    let certificate = identity.certificate();
    let grant = Grant { roles: Role::Device.into(), rights: Rights::ALL };
    let endorsement = identity.endorse(&provider, certificate, from, to, grant).unwrap();
    let endorsements = Endorsements::new(&[endorsement]).unwrap();
    let mut trust = TrustStore::<1, 0, 0>::new();
    trust.add_party(&provider, certificate, Authority::Endorse).unwrap();
    let local = LocalParty { identity: &identity, endorsements: &endorsements };
    let parameters = InitiatorParameters {
        role: Role::Device,
        peer_role: Role::Gateway,
        sleepy: false,
        incarnation: 1,
        forward_secrecy: ForwardSecrecy::Off,
    };
    let mut request = [0; 1024];
    let initiator = Initiator::new(&mut provider, parameters).unwrap();
    let length = initiator.request(local, &mut request).unwrap();
    let parameters = ResponderParameters {
        peer_role: Role::Device,
        incarnation: 2,
        transmission_port: 3,
        now: Some(UnixTime::from_secs(50)),
    };
    let request = &request[..length];
    respond(&mut provider, local, &trust, &parameters, request, &mut [0; 1024]).unwrap().0
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

#[test]
fn a_key_is_there_until_it_is_used_or_expires() {
    let mut keys = PendingKeys::default();
    let (one, other) = (negotiated(1), negotiated(2));
    let (one_id, other_id) = (one.key.id(), other.key.id());
    keys.add(one, at(60), 10);
    keys.add(other, at(61), 10);
    assert_eq!(keys.poll_timeout().map(|deadline| deadline.at), Some(at(60)));
    assert!(keys.get(one_id).is_some());
    assert!(keys.take(one_id).is_some() && keys.take(one_id).is_none());
    keys.handle_timeout(at(60));
    assert!(keys.get(other_id).is_some());
    keys.handle_timeout(at(61));
    assert!(keys.get(other_id).is_none());
    assert_eq!(keys.poll_timeout(), None);
}

#[test]
fn the_oldest_gives_way_and_what_is_not_wanted_is_forgotten() {
    let mut keys = PendingKeys::default();
    let all: alloc::vec::Vec<Negotiated> = (1..=4).map(negotiated).collect();
    for (seconds, key) in (60..).zip(&all) {
        keys.add(key.clone(), at(seconds), 3);
    }
    let held = |keys: &PendingKeys| -> alloc::vec::Vec<bool> {
        all.iter().map(|negotiated| keys.get(negotiated.key.id()).is_some()).collect()
    };
    assert_eq!(held(&keys), [false, true, true, true]);
    keys.retain(|key| key.key.id() != all[2].key.id());
    assert_eq!(held(&keys), [false, true, false, true]);
    keys.clear();
    assert_eq!(held(&keys), [false; 4]);
}

#[test]
fn a_peer_of_which_many_keys_are_negotiated_pushes_out_only_its_own() {
    let mut keys = PendingKeys::default();
    let other = negotiated(9);
    let other_id = other.key.id();
    keys.add(other, at(60), 100);
    let template = negotiated(1);
    let mut ids = std::vec::Vec::new();
    for number in 0..10 {
        // The same peer, with a key of its own each time.
        let negotiated = Negotiated { key: negotiated(20 + number).key, ..template.clone() };
        ids.push(negotiated.key.id());
        keys.add(negotiated, at(60), 100);
    }
    assert!(keys.get(other_id).is_some());
    let kept: std::vec::Vec<bool> = ids.iter().map(|id| keys.get(*id).is_some()).collect();
    assert_eq!(kept, [false, false, false, false, false, false, true, true, true, true]);
    keys.handle_timeout(at(60));
    assert!(keys.by_peer.is_empty());
}
