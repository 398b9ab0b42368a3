//! Each reason for which a negotiation gives no key.

use super::*;

#[test]
fn parties_that_are_not_trusted_are_refused() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (_, response) = world.respond(&request).unwrap();

    let company = world.company.clone();
    for party in [&mut world.device, &mut world.gateway] {
        assert!(party.trust.remove_party(&company.id()));
    }
    let refusal = NegotiationRefusal::Trust(Refusal::NoTrustedEndorsement);
    assert_eq!(world.refused(&request), refusal);
    let error = NegotiationError::Untrusted(Refusal::NoTrustedEndorsement);
    assert_eq!(world.finish(&initiator, &response), Err(error));
}

#[test]
fn parties_in_another_role_are_refused() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    world.serving.peer_role = Role::Gateway;
    assert_eq!(world.refused(&request), NegotiationRefusal::WrongRole);
    world.serving.peer_role = Role::Device;

    // A device can't pass for a gateway, neither by saying so nor as responder.
    let (company, provider) = (world.company.clone(), &mut world.provider);
    world.gateway = Party::new(provider, &company, Roles::DEVICE);
    let (_, response) = world.respond(&request).unwrap();
    let error = NegotiationError::Untrusted(Refusal::RoleNotGranted);
    assert_eq!(world.finish(&initiator, &response), Err(error));

    world.device = Party::new(&mut world.provider, &company, Roles::GATEWAY);
    let request = world.request(&initiator);
    let refusal = NegotiationRefusal::Trust(Refusal::RoleNotGranted);
    assert_eq!(world.refused(&request), refusal);
}

#[test]
fn requests_that_are_malformed_or_of_another_version_are_refused() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let mut next_version = request.clone();
    next_version[2] = 2;
    assert_eq!(world.refused(&next_version), NegotiationRefusal::UnknownVersion);
    assert_eq!(world.refused(&request[1..]), NegotiationRefusal::Malformed);
    assert_eq!(world.refused(&[]), NegotiationRefusal::Malformed);
    // Two roles at once.
    let mut two_roles = request.clone();
    two_roles[3] = 3;
    assert_eq!(world.refused(&two_roles), NegotiationRefusal::Malformed);
}

#[test]
fn ephemeral_keys_of_small_order_are_refused() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let mut decoded = Request::decode(&request).unwrap();
    decoded.freshness = Freshness::Ephemeral(X25519PublicKey([0; 32]));
    let mut buffer = [0; 400];
    let length = crate::wire::cbor::encode(&decoded, &mut buffer).unwrap();
    assert_eq!(world.refused(&buffer[..length]), NegotiationRefusal::Malformed);

    let response = message::Response {
        incarnation: 1,
        time: Some(day(20)),
        transmission_port: 1,
        ephemeral: X25519PublicKey([0; 32]),
        credential: world.gateway.local(),
    };
    let signed = key_schedule::transcript(&world.provider, &message::Raw(&request), &response);
    let message = [key_schedule::SIGNATURE_LABEL, &signed];
    let signature = world.gateway.identity.sign(&world.provider, &message).unwrap();
    let response = message::SignedResponse { response, signature };
    let length = crate::wire::cbor::encode(&response, &mut buffer).unwrap();
    let buffer = buffer[..length].to_vec();
    assert_eq!(world.finish(&initiator, &buffer), Err(NegotiationError::Key));
}

#[test]
fn a_refusal_counts_for_its_request_only() {
    let mut world = world();
    let (one, other) = (world.initiator(ForwardSecrecy::On), world.initiator(ForwardSecrecy::On));
    let mut buffer = [0; REFUSAL_MAX_LEN];
    for refusal in [
        NegotiationRefusal::Busy,
        NegotiationRefusal::Trust(Refusal::EndorsementExpired),
        NegotiationRefusal::Other(200),
    ] {
        let request = world.request(&one);
        let length = refuse(&world.provider, &request, refusal, &mut buffer).unwrap();
        let answer = &buffer[..length];
        assert_eq!(world.finish(&one, answer), Err(NegotiationError::Refused(refusal)));
        assert_eq!(world.finish(&other, answer), Err(NegotiationError::OtherRequest));
    }
    let refusal = NegotiationRefusal::Other(255);
    assert_eq!(refuse(&world.provider, &[], refusal, &mut buffer), Ok(REFUSAL_MAX_LEN));
}
