//! One key negotiation, of which somebody changes the messages.

use iot_crypto::connection::{
    ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, NegotiationError, REFUSAL_MAX_LEN,
    RespondError, ResponderParameters, refuse, respond,
};
use iot_crypto::identity::{Endorsements, PrivateIdentity, Role};
use iot_crypto::time::{Instant, UnixTime, WallClock};

use crate::cast::{Cast, NOW};
use crate::input::Input;
use crate::mutation::mutate;
use crate::toy::Toy;

const DEVICE: Role = Role::Device;
const GATEWAY: Role = Role::Gateway;

/// The two parties hold the same key, and know each other, if each got what the
/// other sent; if not, the initiator holds none, and its clock stays as it was.
pub(super) fn negotiate(input: &mut Input<'_>) {
    let cast = Cast::get();
    let flags = input.u8();
    let is = |bit: u8| flags >> bit & 1 == 1;
    let mut toy = Toy::new(u64::from(input.u8()));
    let parameters = InitiatorParameters {
        role: if is(0) { GATEWAY } else { DEVICE },
        peer_role: GATEWAY,
        sleepy: is(1),
        incarnation: 1,
        forward_secrecy: if is(2) { ForwardSecrecy::Off } else { ForwardSecrecy::On },
    };
    let (device, gateway) = (&cast.device, &cast.gateway);
    let own = Endorsements::new(std::slice::from_ref(&device.endorsement)).unwrap();
    let local = LocalParty { identity: &device.identity, endorsements: &own };
    let initiator = Initiator::new(&mut toy, parameters).unwrap();
    let mut request = [0; 768];
    let length = initiator.request(local, &mut request).unwrap();
    let request = &request[..length];

    let mut clock = if is(3) { WallClock::unknown() } else { WallClock::with_floor(NOW) };
    if is(4) {
        clock.set(Instant::ZERO, NOW);
    }
    let before = clock;
    let heard_request = mutate(input, request);
    let response =
        answer(&mut toy, &gateway.identity, &gateway.endorsement, !is(5), &heard_request);
    let heard_response = mutate(input, &response.bytes);
    let is_genuine = heard_request == request && heard_response == response.bytes;
    let trust = cast.trust();
    let finished =
        initiator.finish(&toy, local, &trust, &mut clock, Instant::ZERO, &heard_response);
    match finished {
        Ok(negotiated) => {
            assert!(is_genuine, "a negotiation that was tampered with gives a key");
            let (peer, key) = response.negotiated.unwrap();
            assert_eq!(negotiated.key, key, "both sides have a key, and not the same");
            assert_eq!(negotiated.peer.id(), gateway.identity.id());
            assert_eq!(peer, device.identity.id());
        }
        Err(error) => {
            assert!(clock == before, "a negotiation that failed moved the clock");
            assert!(!is_genuine || response.negotiated.is_none(), "a good answer fails: {error}");
            if matches!(error, NegotiationError::Refused(_)) {
                assert!(heard_request == request, "a refusal of another request is heeded");
            }
        }
    }
}

struct Answer {
    bytes: Vec<u8>,
    negotiated: Option<(iot_crypto::identity::PartyId, iot_crypto::connection::SessionKey)>,
}

/// What the gateway answers.
fn answer(
    toy: &mut Toy,
    identity: &PrivateIdentity,
    endorsement: &iot_crypto::identity::Endorsement,
    knows_time: bool,
    request: &[u8],
) -> Answer {
    let endorsements = Endorsements::new(std::slice::from_ref(endorsement)).unwrap();
    let local = LocalParty { identity, endorsements: &endorsements };
    let parameters = ResponderParameters {
        peer_role: DEVICE,
        incarnation: 2,
        transmission_port: 3,
        now: knows_time.then_some(UnixTime::from_secs(NOW.as_secs())),
    };
    let mut bytes = vec![0; 768];
    let trust = Cast::get().trust();
    match respond(toy, local, &trust, &parameters, request, &mut bytes) {
        Ok((negotiated, length)) => {
            bytes.truncate(length);
            Answer { bytes, negotiated: Some((negotiated.peer.id(), negotiated.key)) }
        }
        Err(RespondError::Refused(refusal)) => {
            let length = refuse(toy, request, refusal, &mut bytes).unwrap();
            assert!(length <= REFUSAL_MAX_LEN);
            bytes.truncate(length);
            Answer { bytes, negotiated: None }
        }
        Err(error) => panic!("the request is not even refused: {error}"),
    }
}
