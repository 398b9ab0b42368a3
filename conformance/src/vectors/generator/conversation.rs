//! Two sides of the core that talk to each other, and are written down.

use std::collections::VecDeque;

use serde_json::json;

use super::key_schedule::word;
use super::observer::observe;
use super::primitives::secret;
use crate::hex::Hex;
use crate::subject::{Action, Endpoint, Extension, Happened, Settings, Side, Step};
use crate::vectors::{InnerValue, Vector};

/// A side, and what it was given and did.
struct Recorded {
    settings: Settings,
    endpoint: Endpoint,
    steps: Vec<Step>,
    happened: Vec<Happened>,
}

impl Recorded {
    fn new(settings: Settings) -> Self {
        let endpoint = Endpoint::new(settings.clone()).expect("good settings");
        Self { settings, endpoint, steps: vec![], happened: vec![] }
    }

    fn vector(self, name: &str, steps: &[InnerValue]) -> Vector {
        let request = json!({ "op": "dtls", "settings": self.settings, "steps": self.steps });
        let name = format!("{name}: {}", word(self.settings.side));
        Vector::accepted(name, request, json!({ "steps": self.happened })).steps(steps.to_vec())
    }
}

/// A conversation of a client with a server.
pub(super) struct Conversation {
    client: Recorded,
    server: Recorded,
    now: u64,
    in_flight: VecDeque<(Side, Vec<u8>)>,
    /// All that was sent.
    datagrams: Vec<(Side, Vec<u8>)>,
}

/// The settings of one side for a conversation that is called `name`.
pub(super) fn settings(name: &str, side: Side, psk: &[u8], identity: &[u8]) -> Settings {
    let drawn = |what: &str| secret(&format!("{name}: {what}"));
    let random = match side {
        Side::Client => drawn("client random").to_vec(),
        Side::Server => {
            // The order in which the core draws: the secret of its cookies, the
            // key for those who are not known, then what it says in its hello.
            [drawn("cookie secret"), drawn("nobody's key"), drawn("server random")].concat()
        }
    };
    Settings {
        side,
        psk: Hex(psk.to_vec()),
        identity: Hex(identity.to_vec()),
        random: Hex(random),
        datagram_limit: 1200,
        extended_master_secret: Extension::Required,
        cookies: false,
    }
}

impl Conversation {
    /// Of two sides with the same key, without cookies.
    pub(super) fn new(name: &str, psk: &[u8], identity: &[u8]) -> Self {
        Self::of([Side::Client, Side::Server].map(|side| settings(name, side, psk, identity)))
    }

    pub(super) fn of([client, server]: [Settings; 2]) -> Self {
        Self {
            client: Recorded::new(client),
            server: Recorded::new(server),
            now: 0,
            in_flight: VecDeque::new(),
            datagrams: vec![],
        }
    }

    /// Gives `side` something to do.
    pub(super) fn act(&mut self, side: Side, action: Action) -> Happened {
        let (actor, other) = match side {
            Side::Client => (&mut self.client, Side::Server),
            Side::Server => (&mut self.server, Side::Client),
        };
        let step = Step { at: self.now, action };
        let happened = actor.endpoint.step(&step).expect("a good step");
        actor.steps.push(step);
        actor.happened.push(happened.clone());
        for Hex(datagram) in &happened.sent {
            self.in_flight.push_back((other, datagram.clone()));
            self.datagrams.push((side, datagram.clone()));
        }
        happened
    }

    /// Lets `milliseconds` pass on both sides.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.act(Side::Client, Action::Wait);
        self.act(Side::Server, Action::Wait);
    }

    /// Delivers what is in flight, and what comes of it, ten milliseconds a
    /// datagram.
    pub(super) fn deliver(&mut self) {
        while let Some((to, datagram)) = self.in_flight.pop_front() {
            self.now += 10;
            self.act(to, Action::Receive { datagram: Hex(datagram) });
        }
    }

    /// Loses what is in flight; gives it back.
    pub(super) fn lose(&mut self) -> Vec<Vec<u8>> {
        self.in_flight.drain(..).map(|(_, datagram)| datagram).collect()
    }

    /// The handshake, undisturbed.
    pub(super) fn handshake(&mut self) {
        self.act(Side::Client, Action::Wait);
        self.deliver();
    }

    /// `payload` from `side` to the other one.
    pub(super) fn send(&mut self, side: Side, payload: &[u8]) {
        self.act(side, Action::Send { payload: Hex(payload.to_vec()) });
        self.deliver();
    }

    /// What both sides were given and did, with the way to every record.
    pub(super) fn vectors(self, name: &str) -> Vec<Vector> {
        let steps = observe(&self.client.settings.psk.0, &self.datagrams);
        vec![self.client.vector(name, &steps), self.server.vector(name, &steps)]
    }

    /// The same for a handshake that does not end.
    pub(super) fn vectors_without_keys(self, name: &str) -> Vec<Vector> {
        vec![self.client.vector(name, &[]), self.server.vector(name, &[])]
    }
}
