//! What a partner endorsed ends in mid-session: by its date, by the partner's
//! removal from the list, or by a revocation.

use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::{Authority, Refusal, Role};
use iot_crypto::time::Instant;
use iot_crypto::uplink::Disconnection;

use super::{Outcome, serves};
use crate::cast::{
    Cast, DEVICE, EPOCH, FOREIGN, GATEWAY, YEAR, device_connected, endorsed, no_cloud, trusting,
    wall,
};
use crate::link::Link;
use crate::node::Event;
use crate::random::{Dice, provider};
use crate::world::World;

/// Until when everyone is connected.
const BEGIN: u64 = 300;
/// How long it is looked whether what ended stays so.
const AFTER: u64 = 2 * 3600;

/// How the partner's word ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Expiry,
    Removal,
    RevocationByPartner,
    RevocationByCompany,
}

/// Lets the endorsement of one device end.
#[must_use]
pub fn play(seed: u64, cast: &Cast) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x12, seed);
    let end =
        dice.any(&[End::Expiry, End::Removal, End::RevocationByPartner, End::RevocationByCompany]);
    let ends = BEGIN + dice.below(3600);
    let mut world = World::new(seed);
    world.link = dice.any(&[Link::GOOD, Link::LOSSY]);
    let mut trust = trusting(&[&cast.company]);
    trust.add_party(&provider(0), cast.partner.certificate(), Authority::Endorse).unwrap();
    let of_gateway = endorsed(&cast.company, &cast.gateway, Role::Gateway, EPOCH + YEAR);
    let settings = no_cloud(cast);
    cast.add_any_gateway(&mut world, GATEWAY, &cast.gateway, of_gateway, trust, settings, 51, &[1]);
    let until = if end == End::Expiry { EPOCH + ends } else { EPOCH + YEAR };
    let of_foreign = endorsed(&cast.partner, &cast.foreign, Role::Device, until);
    let settings = cast.device_settings();
    cast.add_any_device(&mut world, FOREIGN, &cast.foreign, of_foreign, settings, &[1]);
    cast.add_device(&mut world, cast.device_settings());

    let (home, foreign) = (cast.device.id(), cast.foreign.id());
    world.run(BEGIN - 1);
    let both = serves(&mut world, GATEWAY, home) && serves(&mut world, GATEWAY, foreign);
    outcome.demand(both, || "not everyone is connected in the beginning".to_owned());

    let at = Instant::from_millis(ends * 1000);
    world.run_until(Instant::from_millis(ends * 1000 - 1), |_| false);
    let alive = serves(&mut world, GATEWAY, foreign);
    outcome.demand(alive, || format!("{end:?}: the session is gone before {ends} s"));
    world.run_until(at, |_| false);
    let now = world.now;
    match end {
        End::Expiry => {}
        End::Removal => {
            let id = cast.partner.id();
            world.gateway(GATEWAY).change_trust(now, |trust, _| trust.remove_party(&id));
        }
        End::RevocationByPartner | End::RevocationByCompany => {
            let issuer =
                if end == End::RevocationByCompany { &cast.company } else { &cast.partner };
            let revocation = issuer.revoke(&provider(0), foreign, wall(now)).unwrap();
            world.gateway(GATEWAY).revoke(now, &revocation).unwrap();
        }
    }
    let gone = !serves(&mut world, GATEWAY, foreign);
    outcome.demand(gone, || format!("{end:?}: the session outlives the endorsement"));

    let seen = world.events.len();
    world.run(AFTER);
    let again = world.events[seen..].iter().any(|(_, _, event)| device_connected(foreign)(event));
    outcome.demand(!again, || format!("{end:?}: the device is connected again"));
    let reason = world.events.iter().find_map(|(_, _, event)| match event {
        Event::Gateway(GatewayEvent::DeviceDisconnected { device, reason, .. })
            if *device == foreign =>
        {
            Some(*reason)
        }
        _ => None,
    });
    let expected = match end {
        End::Expiry => Refusal::Expired,
        End::Removal => Refusal::NoTrustedEndorsement,
        End::RevocationByPartner | End::RevocationByCompany => Refusal::Revoked,
    };
    outcome.demand(reason == Some(Disconnection::Untrusted(expected)), || {
        format!("{end:?}: the session ended because of {reason:?}")
    });
    let lost = world.device(FOREIGN).gateway().is_some();
    outcome.demand(!lost, || format!("{end:?}: the device believes that it is connected"));
    let disturbed = world.events.iter().any(|(_, _, event)| {
        matches!(event, Event::Gateway(GatewayEvent::DeviceDisconnected { device, .. }) if *device == home)
    });
    outcome.demand(!disturbed, || format!("{end:?}: the company's own device was disconnected"));
    let stays = serves(&mut world, GATEWAY, home) && world.device(DEVICE).gateway().is_some();
    outcome.demand(stays, || format!("{end:?}: the company's own device is not connected"));
    outcome.count(&format!("ended by {end:?}"), 1);
    outcome.end(&world)
}
