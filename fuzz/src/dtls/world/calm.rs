//! What must hold when the attacker is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Answer, Host, Server, World};

/// An address at which nobody has been before.
const NEWCOMER: Host = Host(100);
/// The size of a buffer that always suffices.
const ROOM: usize = 2048;

impl World {
    /// The network is good, and the server answers: every handshake ends, nothing is
    /// left to do, and a newcomer gets in.
    pub(super) fn calm_down(&mut self) {
        self.server.set_dry(false);
        self.answer = Answer::Right;
        for (session, identity) in std::mem::take(&mut self.questions) {
            self.provide_psk(session, &identity);
        }
        self.settle();
        self.talk();
        if self.kind == Server::Table
            && self.sessions.len() < self.config.max_sessions
            && self.config.dtls.handshake_timeout >= Duration::from_secs(5)
            && self.config.psk_timeout > Duration::ZERO
        {
            self.connect(NEWCOMER, true);
            self.settle();
            assert!(self.clients[&NEWCOMER].is_connected, "a newcomer is kept out");
            assert!(self.sessions.values().any(|host| *host == NEWCOMER));
            self.talk();
        }
    }

    /// Nobody interferes, until nobody has anything to do.
    fn settle(&mut self) {
        let end = self.now + Duration::from_secs(400);
        loop {
            self.drive(usize::MAX);
            while !self.network.is_empty() {
                self.deliver_first();
                self.drive(usize::MAX);
            }
            match self.next() {
                Some(next) => {
                    assert!(next > self.now, "nothing is done that is due");
                    assert!(next <= end, "a handshake never ends");
                    self.now = next;
                }
                None => return,
            }
        }
    }

    /// Where both sides have a session that only they have been in, what the one says
    /// arrives at the other.
    fn talk(&mut self) {
        if self.has_insider {
            return;
        }
        let is_alone = |host: &Host| self.sessions.values().filter(|it| *it == host).count() == 1;
        let served: BTreeSet<Host> = self.sessions.values().copied().filter(is_alone).collect();
        for host in served {
            let client = &self.clients[&host];
            // Its server may have closed the session that this client takes for live,
            // or the session may be that of a client before this one.
            if !client.is_connected || client.is_closed || self.restarts(host) {
                continue;
            }
            let before = self.payloads.values().filter(|has_come| **has_come).count();
            let index = self.sessions.values().position(|it| *it == host).unwrap();
            self.client_sends(host, 10, ROOM);
            self.server_sends(index, 10, ROOM);
            self.settle();
            let after = self.payloads.values().filter(|has_come| **has_come).count();
            assert_eq!(after - before, 2, "two sides with a session don't understand each other");
        }
    }

    /// Whether more than one client has been at this address.
    fn restarts(&self, host: Host) -> bool {
        self.begun.get(&host).is_some_and(|times| *times > 1)
    }
}
