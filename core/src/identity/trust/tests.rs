//! Every refusal, what revocations reach, and what ends a standing.

mod model;

use std::vec::Vec;

use super::*;
use crate::identity::{Endorsements, Grant, PrivateIdentity, Rights, Roles};
use crate::testing::{TestProvider, provider};

type Store = TrustStore<4, 4, 4>;

const DEVICE: Grant = Grant { roles: Roles::DEVICE, rights: Rights::DATA };

fn at(day: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + day * 86_400)
}

fn new_identity(provider: &mut TestProvider, name: &str, from: u64, to: u64) -> PrivateIdentity {
    PrivateIdentity::create(provider, Name::new(name).unwrap(), at(from), at(to)).unwrap()
}

/// A verifier's company (full authority), a partner, a stranger, and a device.
struct World {
    provider: TestProvider,
    company: PrivateIdentity,
    partner: PrivateIdentity,
    stranger: PrivateIdentity,
    device: PrivateIdentity,
    store: Store,
}

impl World {
    fn new() -> Self {
        let mut provider = provider(3);
        let company = new_identity(&mut provider, "company", 0, 1);
        let partner = new_identity(&mut provider, "partner", 0, 1);
        let stranger = new_identity(&mut provider, "stranger", 0, 100);
        let device = new_identity(&mut provider, "device", 10, 50);
        let mut store = Store::new();
        store.add_party(&provider, company.certificate(), Authority::Full).unwrap();
        store.add_party(&provider, partner.certificate(), Authority::Endorse).unwrap();
        Self { provider, company, partner, stranger, device, store }
    }

    fn endorsement(
        &self,
        issuer: &PrivateIdentity,
        from: u64,
        to: u64,
        grant: Grant,
    ) -> Endorsement {
        issuer.endorse(&self.provider, self.device.certificate(), at(from), at(to), grant).unwrap()
    }

    fn credential(&self, endorsements: &[Endorsement]) -> Credential {
        Credential {
            certificate: self.device.certificate().clone(),
            endorsements: Endorsements::new(endorsements).unwrap(),
        }
    }

    fn verify(
        &self,
        endorsements: &[Endorsement],
        day: u64,
    ) -> Result<VerifiedCertificate, Refusal> {
        self.store.verify(&self.provider, &self.credential(endorsements), Role::Device, at(day))
    }

    fn revoke(
        &mut self,
        issuer: &PrivateIdentity,
        subject: PartyId,
    ) -> Result<Recorded, TrustError> {
        let revocation = issuer.revoke(&self.provider, subject, at(20)).unwrap();
        self.store.revoke(&self.provider, &revocation)
    }
}

fn refusal(verified: Result<VerifiedCertificate, Refusal>) -> Refusal {
    verified.unwrap_err()
}

#[test]
fn a_good_endorsement_is_relied_on() {
    let world = World::new();
    let verified = world.verify(&[world.endorsement(&world.company, 20, 40, DEVICE)], 20).unwrap();
    let standing = verified.standing();
    assert_eq!(verified.certificate(), world.device.certificate());
    assert_eq!((verified.id(), verified.role()), (world.device.id(), Role::Device));
    assert_eq!(verified.rights(), Rights::DATA);
    assert_eq!(standing.rests_on(), world.company.id());
    assert_eq!(standing.valid_until(), at(40));
    assert_eq!(standing.fingerprint(), world.device.certificate().fingerprint(&world.provider));
    // An endorsement that outlives the certificate doesn't prolong it.
    let verified = world.verify(&[world.endorsement(&world.company, 20, 90, DEVICE)], 20).unwrap();
    assert_eq!(verified.standing().valid_until(), at(50));
}

#[test]
fn a_certificate_out_of_date_is_refused() {
    let world = World::new();
    let endorsements = [world.endorsement(&world.company, 0, 100, DEVICE)];
    assert_eq!(refusal(world.verify(&endorsements, 9)), Refusal::NotYetValid);
    assert!(world.verify(&endorsements, 10).is_ok());
    assert!(world.verify(&endorsements, 49).is_ok());
    assert_eq!(refusal(world.verify(&endorsements, 50)), Refusal::Expired);
}

#[test]
fn an_endorsement_out_of_date_is_refused() {
    let world = World::new();
    let endorsements = [world.endorsement(&world.company, 20, 30, DEVICE)];
    assert_eq!(refusal(world.verify(&endorsements, 19)), Refusal::EndorsementNotYetValid);
    assert_eq!(refusal(world.verify(&endorsements, 30)), Refusal::EndorsementExpired);
}

#[test]
fn a_certificate_that_its_subject_did_not_sign_is_refused() {
    let world = World::new();
    // Made by the company's keys from the device's content.
    let mut bytes = [0; Certificate::MAX_LEN];
    let length = crate::wire::cbor::encode(world.device.certificate(), &mut bytes).unwrap();
    let signed = bytes[..length].len() - 1;
    bytes[signed] ^= 1;
    let certificate = Certificate::decode(&bytes[..length]).unwrap();
    let endorsement =
        world.company.endorse(&world.provider, &certificate, at(0), at(100), DEVICE).unwrap();
    let credential =
        Credential { certificate, endorsements: Endorsements::new(&[endorsement]).unwrap() };
    let verified = world.store.verify(&world.provider, &credential, Role::Device, at(20));
    assert_eq!(refusal(verified), Refusal::SelfSignature);
}

#[test]
fn only_parties_on_the_list_count() {
    let mut world = World::new();
    assert_eq!(refusal(world.verify(&[], 20)), Refusal::NoTrustedEndorsement);
    let endorsements = [world.endorsement(&world.stranger, 0, 100, DEVICE)];
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::NoTrustedEndorsement);
    world
        .store
        .add_party(&world.provider, world.stranger.certificate(), Authority::Endorse)
        .unwrap();
    assert!(world.verify(&endorsements, 20).is_ok());
    assert!(world.store.remove_party(&world.stranger.id()));
    assert!(!world.store.remove_party(&world.stranger.id()));
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::NoTrustedEndorsement);
}

#[test]
fn trust_is_not_transitive() {
    let mut world = World::new();
    // The company endorses the stranger for everything; that makes nobody whom
    // the stranger endorses trusted.
    let everything = Grant { roles: Roles::ALL, rights: Rights::ALL };
    let subject = world.stranger.certificate();
    let of_stranger =
        world.company.endorse(&world.provider, subject, at(0), at(100), everything).unwrap();
    let fingerprint = subject.fingerprint(&world.provider);
    world.store.hold_endorsement(fingerprint, of_stranger.clone()).unwrap();
    let of_device = world.endorsement(&world.stranger, 0, 100, DEVICE);
    let verified = world.verify(&[of_stranger, of_device], 20);
    assert_eq!(refusal(verified), Refusal::NoTrustedEndorsement);
}

#[test]
fn a_forged_endorsement_is_none() {
    let world = World::new();
    // The partner's signature under the company's id.
    let forged = Endorsement::sign(
        &world.provider,
        &world.device.certificate().fingerprint(&world.provider),
        crate::identity::endorsement::Content {
            issuer: world.company.id(),
            validity: crate::identity::validity::Validity::new(at(0), at(100)).unwrap(),
            grant: DEVICE,
        },
        &crate::crypto::Secret::new([9; 32]),
    )
    .unwrap();
    let verified = world.verify(core::slice::from_ref(&forged), 20);
    assert_eq!(refusal(verified), Refusal::NoTrustedEndorsement);
    // Nor does it keep a good one, that ends sooner, from counting.
    let good = world.endorsement(&world.partner, 0, 30, DEVICE);
    let verified = world.verify(&[forged.clone(), good.clone(), forged.clone()], 20).unwrap();
    assert_eq!(verified.standing().rests_on(), world.partner.id());
    // Nor does it hide a more telling reason.
    assert_eq!(refusal(world.verify(&[forged, good], 30)), Refusal::EndorsementExpired);
}

#[test]
fn a_role_that_is_not_granted_is_refused() {
    let world = World::new();
    let gateway = Grant { roles: Roles::GATEWAY | Roles::CLOUD, rights: Rights::ALL };
    let endorsements = [world.endorsement(&world.company, 0, 100, gateway)];
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::RoleNotGranted);
    let credential = world.credential(&endorsements);
    assert!(world.store.verify(&world.provider, &credential, Role::Cloud, at(20)).is_ok());
}

#[test]
fn one_good_endorsement_suffices_and_the_longest_is_relied_on() {
    let world = World::new();
    let gateway = Grant { roles: Roles::GATEWAY, rights: Rights::ALL };
    let endorsements = [
        world.endorsement(&world.company, 0, 90, gateway),
        world.endorsement(&world.company, 0, 30, DEVICE),
        world.endorsement(&world.partner, 0, 40, DEVICE),
        world.endorsement(&world.stranger, 0, 95, DEVICE),
    ];
    let verified = world.verify(&endorsements, 20).unwrap();
    assert_eq!(verified.standing().rests_on(), world.partner.id());
    assert_eq!(verified.standing().valid_until(), at(40));
    // When none is good, the one that came furthest gives the reason.
    assert_eq!(refusal(world.verify(&endorsements, 45)), Refusal::RoleNotGranted);
    assert_eq!(refusal(world.verify(&endorsements[1..], 45)), Refusal::EndorsementExpired);
}

#[test]
fn full_authority_revokes_anyone() {
    let mut world = World::new();
    let endorsements = [world.endorsement(&world.partner, 0, 100, DEVICE)];
    let verified = world.verify(&endorsements, 20).unwrap();
    let (company, device) = (world.company.clone(), world.device.id());
    assert_eq!(world.revoke(&company, device), Ok(Recorded::New));
    assert_eq!(world.revoke(&company, device), Ok(Recorded::Known));
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::Revoked);
    assert_eq!(world.store.check(verified.standing(), at(20)), Err(Refusal::Revoked));
    assert_eq!(world.store.revocations().count(), 1);
}

#[test]
fn a_revoked_issuer_no_longer_counts() {
    let mut world = World::new();
    let endorsements = [world.endorsement(&world.partner, 0, 100, DEVICE)];
    let verified = world.verify(&endorsements, 20).unwrap();
    let (company, partner) = (world.company.clone(), world.partner.id());
    world.revoke(&company, partner).unwrap();
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::IssuerRevoked);
    assert_eq!(world.store.check(verified.standing(), at(20)), Err(Refusal::IssuerRevoked));
}

#[test]
fn a_party_revokes_itself_whatever_its_authority() {
    let mut world = World::new();
    let endorsements = [world.endorsement(&world.partner, 0, 100, DEVICE)];
    let partner = world.partner.clone();
    world.revoke(&partner, partner.id()).unwrap();
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::IssuerRevoked);
}

#[test]
fn a_partner_voids_its_own_endorsements_and_no_others() {
    let mut world = World::new();
    let by_partner = world.endorsement(&world.partner, 0, 100, DEVICE);
    let by_company = world.endorsement(&world.company, 0, 100, DEVICE);
    let rests_on_partner = world.verify(core::slice::from_ref(&by_partner), 20).unwrap();
    let rests_on_company = world.verify(core::slice::from_ref(&by_company), 20).unwrap();
    let (partner, device) = (world.partner.clone(), world.device.id());
    world.revoke(&partner, device).unwrap();
    // Nor does it cut off the company.
    world.revoke(&partner, world.company.id()).unwrap();
    assert_eq!(refusal(world.verify(core::slice::from_ref(&by_partner), 20)), Refusal::Revoked);
    assert!(world.verify(&[by_partner, by_company], 20).is_ok());
    assert_eq!(world.store.check(rests_on_partner.standing(), at(20)), Err(Refusal::Revoked));
    assert_eq!(world.store.check(rests_on_company.standing(), at(20)), Ok(()));
}

#[test]
fn revocations_of_strangers_and_forged_ones_are_refused() {
    let mut world = World::new();
    let (stranger, device) = (world.stranger.clone(), world.device.id());
    assert_eq!(world.revoke(&stranger, device), Err(TrustError::UnknownIssuer));
    let genuine = world.company.revoke(&world.provider, device, at(20)).unwrap();
    let mut bytes = [0; Revocation::MAX_LEN];
    let length = crate::wire::cbor::encode(&genuine, &mut bytes).unwrap();
    bytes[length - 1] ^= 1;
    let forged = Revocation::decode(&bytes[..length]).unwrap();
    assert_eq!(world.store.revoke(&world.provider, &forged), Err(TrustError::Signature));
    assert_eq!(world.store.revocations().count(), 0);
}

#[test]
fn a_renewed_certificate_stays_revoked() {
    let mut world = World::new();
    let (company, device) = (world.company.clone(), world.device.id());
    world.revoke(&company, device).unwrap();
    world.device = world.device.renew(&world.provider, at(20), at(90)).unwrap();
    let endorsements = [world.endorsement(&world.company, 0, 100, DEVICE)];
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::Revoked);
}

#[test]
fn revocations_reach_as_far_as_their_issuer_does_now() {
    let mut world = World::new();
    let endorsements = [world.endorsement(&world.partner, 0, 100, DEVICE)];
    let (company, device) = (world.company.clone(), world.device.id());
    world.revoke(&company, device).unwrap();
    world.store.remove_party(&company.id());
    assert!(world.verify(&endorsements, 20).is_ok());
    world.store.add_party(&world.provider, company.certificate(), Authority::Endorse).unwrap();
    assert!(world.verify(&endorsements, 20).is_ok());
    world.store.add_party(&world.provider, company.certificate(), Authority::Full).unwrap();
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::Revoked);
}

#[test]
fn taking_a_party_off_the_list_ends_what_rested_on_it() {
    let mut world = World::new();
    let endorsements = [world.endorsement(&world.partner, 0, 100, DEVICE)];
    let verified = world.verify(&endorsements, 20).unwrap();
    assert_eq!(world.store.check(verified.standing(), at(20)), Ok(()));
    world.store.remove_party(&world.partner.id());
    assert_eq!(world.store.check(verified.standing(), at(20)), Err(Refusal::NoTrustedEndorsement));
}

#[test]
fn a_standing_ends_with_what_it_rests_on() {
    let world = World::new();
    let endorsements = [world.endorsement(&world.company, 0, 30, DEVICE)];
    let standing = world.verify(&endorsements, 20).unwrap().standing().clone();
    let last = UnixTime::from_secs(at(30).as_secs() - 1);
    assert_eq!(world.store.check(&standing, last), Ok(()));
    assert_eq!(world.store.check(&standing, at(30)), Err(Refusal::Expired));
}

#[test]
fn an_endorsement_that_is_held_counts_as_long_as_it_is_held() {
    let mut world = World::new();
    let fingerprint = world.device.certificate().fingerprint(&world.provider);
    let held = world.endorsement(&world.company, 0, 40, DEVICE);
    world.store.hold_endorsement(fingerprint, held.clone()).unwrap();
    let standing = world.verify(&[], 20).unwrap().standing().clone();
    assert_eq!(world.store.check(&standing, at(20)), Ok(()));

    let nothing = Grant { roles: Roles::DEVICE, rights: Rights::NONE };
    let narrower = world.endorsement(&world.company, 0, 40, nothing);
    world.store.hold_endorsement(fingerprint, narrower).unwrap();
    assert_eq!(world.store.check(&standing, at(20)), Err(Refusal::RoleNotGranted));

    world.store.hold_endorsement(fingerprint, held).unwrap();
    world.store.purge(at(39));
    assert_eq!(world.store.check(&standing, at(20)), Ok(()));
    world.store.purge(at(40));
    assert_eq!(world.store.check(&standing, at(20)), Err(Refusal::NoTrustedEndorsement));
    assert!(!world.store.drop_endorsement(&fingerprint, &world.company.id()));
    assert_eq!(refusal(world.verify(&[], 20)), Refusal::NoTrustedEndorsement);

    // What is held for another certificate says nothing about this one.
    let of_another = world.endorsement(&world.company, 0, 15, DEVICE);
    world.store.hold_endorsement(Fingerprint([1; 32]), of_another).unwrap();
    assert_eq!(refusal(world.verify(&[], 20)), Refusal::NoTrustedEndorsement);
}

#[test]
fn full_tables_say_so_and_change_nothing() {
    let mut world = World::new();
    let provider = &mut provider(5);
    let others: Vec<_> = (0..5).map(|_| new_identity(provider, "other", 0, 100)).collect();
    for party in &others[..2] {
        world.store.add_party(provider, party.certificate(), Authority::Endorse).unwrap();
    }
    let one_more = others[2].certificate();
    assert_eq!(world.store.add_party(provider, one_more, Authority::Full), Err(TrustError::Full));
    let again = others[1].certificate();
    assert_eq!(world.store.add_party(provider, again, Authority::Full), Ok(()));
    assert_eq!(world.store.parties().count(), 4);

    let company = world.company.clone();
    for party in &others[..3] {
        world.revoke(&company, party.id()).unwrap();
    }
    let partner = world.partner.clone();
    world.revoke(&partner, others[0].id()).unwrap();
    assert_eq!(world.revoke(&partner, others[4].id()), Err(TrustError::Full));
    // A revocation that has lost its effect gives way.
    world.store.remove_party(&partner.id());
    assert_eq!(world.revoke(&company, others[4].id()), Ok(Recorded::New));
    assert!(world.store.revocations().all(|known| known.issuer() == company.id()));

    // And so does one that is dropped.
    assert_eq!(world.revoke(&company, partner.id()), Err(TrustError::Full));
    assert!(!world.store.drop_revocation(&partner.id(), &others[4].id()));
    assert!(world.store.drop_revocation(&company.id(), &others[4].id()));
    // But not that of a party on the list.
    assert!(!world.store.drop_revocation(&company.id(), &others[0].id()));
    assert_eq!(world.revoke(&company, partner.id()), Ok(Recorded::New));

    let endorsement = world.endorsement(&company, 0, 100, DEVICE);
    for number in 0..4 {
        world.store.hold_endorsement(Fingerprint([number; 32]), endorsement.clone()).unwrap();
    }
    let held = world.store.hold_endorsement(Fingerprint([4; 32]), endorsement.clone());
    assert_eq!(held, Err(TrustError::Full));
    assert_eq!(world.store.hold_endorsement(Fingerprint([3; 32]), endorsement), Ok(()));
}

#[test]
fn a_partner_does_not_fill_the_table_against_the_company() {
    let mut world = World::new();
    let provider = &mut provider(5);
    let (company, partner, device) =
        (world.company.clone(), world.partner.clone(), world.device.id());
    let others: Vec<_> = (0..5).map(|_| new_identity(provider, "other", 0, 100).id()).collect();
    for other in &others[..4] {
        assert_eq!(world.revoke(&partner, *other), Ok(Recorded::New));
    }
    assert_eq!(world.revoke(&partner, others[4]), Err(TrustError::Full));
    // What cuts off goes before what only voids a partner's endorsements.
    assert_eq!(world.revoke(&company, device), Ok(Recorded::New));
    let endorsements = [world.endorsement(&world.company, 0, 100, DEVICE)];
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::Revoked);
    let kept: Vec<_> = world.store.revocations().map(Revocation::subject).collect();
    assert_eq!(kept, [others[0], others[1], others[2], device]);
    assert_eq!(world.revoke(&partner, others[3]), Err(TrustError::Full));
    assert_eq!(world.revoke(&partner, partner.id()), Ok(Recorded::New));
    // Nothing that cuts off gives way.
    for other in &others[..2] {
        assert_eq!(world.revoke(&company, *other), Ok(Recorded::New));
    }
    assert_eq!(world.revoke(&company, others[2]), Err(TrustError::Full));
    assert_eq!(refusal(world.verify(&endorsements, 20)), Refusal::Revoked);
}
