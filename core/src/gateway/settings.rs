//! What a gateway is configured with.

use alloc::vec::Vec;
use core::time::Duration;

use crate::transmission::OwnedLabel;
use crate::{downlink, uplink};

/// What a gateway is configured with.
#[derive(Clone, Debug)]
pub struct Settings<A> {
    /// The services for the devices.
    pub downlink: downlink::Settings,
    /// The port of the negotiation service, as advertisements tell it.
    pub negotiation_port: u16,
    /// The time between advertisements; none if the gateway doesn't advertise.
    pub advertise: Option<Duration>,
    /// The way to the cloud, if there is one.
    pub cloud: Option<uplink::Settings<A>>,
    /// What devices are asked for, without anyone's command.
    pub polling: Option<Polling>,
}

impl<A> Settings<A> {
    /// The usual settings of a gateway with these ports: an advertisement every
    /// 5 s, no cloud, and no polling.
    #[must_use]
    pub fn new(negotiation_port: u16, transmission_port: u16) -> Self {
        Self {
            downlink: downlink::Settings::new(transmission_port),
            negotiation_port,
            advertise: Some(Duration::from_secs(5)),
            cloud: None,
            polling: None,
        }
    }
}

/// A schedule: what every device is asked for, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polling {
    /// The time between requests to the same device.
    pub every: Duration,
    /// What is asked for, at most [`crate::transmission::MAX_ITEMS`] labels;
    /// none asks for everything that a device has.
    pub labels: Vec<OwnedLabel>,
}
