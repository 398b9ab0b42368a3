//! What a device keeps apart from any session.

use super::*;
use crate::connection::NetworkKeys;
use crate::identity::{Endorsements, PrivateIdentity};
use crate::testing::{TestProvider, provider};
use crate::time::WallClock;
use crate::transmission::{Label, WINDOW};
use crate::uplink::Search;

fn device() -> Device<TestProvider, core::net::SocketAddr> {
    let mut random = provider(1);
    let (from, to) = (UnixTime::from_secs(0), UnixTime::from_secs(1));
    let name = Name::new("device").unwrap();
    let identity = PrivateIdentity::create(&mut random, name, from, to).unwrap();
    let (endorsements, clock) = (Endorsements::none(), WallClock::unknown());
    let network = NetworkKeys::new();
    let party =
        Party::new(random, identity, endorsements, TrustStore::new(), network, clock).unwrap();
    Device::new(party, Settings::new(Search::Advertisement), Instant::ZERO)
}

#[test]
fn a_device_that_wakes_while_it_asks_for_a_sign_of_life_needs_no_room_for_another_question() {
    let (mut device, now) = (device(), Instant::ZERO);
    let reading = Reading::new(Label::Number(1), Value::Integer(1));
    // As many ids as may lie between an alert that is put off and what comes after it.
    device.alert(now, Severity::Warning, reading, "").unwrap();
    for _ in 2..WINDOW {
        let id = device.requests.send(now, Body::Awake, None, None).unwrap();
        assert!(device.requests.cancel(id));
    }
    device.ask(now);
    let asked = device.question;
    assert_eq!(asked, Some((MessageId(WINDOW), Question::Liveness)));
    let late = now + ANSWER_TIME;
    assert_eq!(device.requests.poll_timeout().map(|deadline| deadline.at), Some(late));
    assert_eq!(device.wake(now), Ok(MessageId(WINDOW)));
    assert_eq!(device.question, Some((MessageId(WINDOW), Question::Waiting)));
    // It is no longer given up.
    device.handle_timeout(late);
    assert_eq!(device.wake(late), Ok(MessageId(WINDOW)));
    assert_eq!(device.alert(now, Severity::Warning, reading, ""), Err(Refused::Full));
}
