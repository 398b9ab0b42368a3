//! What a role must never tell its application.

use std::collections::BTreeSet;

use iot_crypto::identity::{PartyId, Rights, Role};
use iot_crypto::transmission::{Body, ErrorCode, Message, MessageId};

use crate::roles::above::Above;
use crate::roles::insider::Insiders;
use crate::roles::subject::{Happening, Subject};

pub(super) struct Oracle {
    above: Option<&'static Insiders>,
    below: Option<&'static Insiders>,
    trusts_company: bool,
    trusts_partner: bool,
    connected: BTreeSet<PartyId>,
    /// The commands that ran, by whose they are.
    commands: BTreeSet<MessageId>,
    /// The party above that was connected last, and its incarnation then.
    last_above: Option<(PartyId, u32)>,
    /// The alerts that the party above has answered.
    answered: BTreeSet<MessageId>,
}

impl Oracle {
    pub(super) fn new(above: Option<Role>, below: Option<Role>) -> Self {
        Self {
            above: above.map(Insiders::of),
            below: below.map(Insiders::of),
            trusts_company: true,
            trusts_partner: true,
            connected: BTreeSet::new(),
            commands: BTreeSet::new(),
            last_above: None,
            answered: BTreeSet::new(),
        }
    }

    pub(super) fn note_trust(&mut self, is_partner: bool, is_trusted: bool) {
        if is_partner {
            self.trusts_partner = is_trusted;
        } else {
            self.trusts_company = is_trusted;
        }
    }

    /// Notes what an insider above says, should it be an answer.
    pub(super) fn note_said_above(&mut self, payload: &[u8]) {
        if let Ok(Message { id, body, .. }) = Message::decode(payload)
            && matches!(
                body,
                Body::Acknowledgement { .. } | Body::Error { code: ErrorCode::AlreadyDone, .. }
            )
        {
            self.answered.insert(id);
        }
    }

    /// When nobody is trusted, nobody is connected, at once.
    pub(super) fn check_trust(&self, subject: &impl Subject) {
        if !self.trusts_company && !self.trusts_partner {
            assert_eq!(subject.above(), None, "a session outlives the trust");
            assert!(subject.below().is_empty(), "a session outlives the trust");
        }
    }

    pub(super) fn follow(
        &mut self,
        happened: &[Happening],
        above: Option<&Above>,
        subject: &impl Subject,
    ) {
        for happening in happened {
            match happening {
                Happening::Connected(party) => {
                    let rights = self.rights(*party);
                    assert!(rights.is_some(), "{party} is let in, and must not be");
                    self.connected.insert(*party);
                    if subject.above() == Some(*party)
                        && let Some(above) = above
                    {
                        self.connect_above(*party, above.incarnation);
                    }
                }
                Happening::Disconnected(party) => {
                    self.connected.remove(party);
                }
                Happening::Command(id) => {
                    let (party, _) = self.last_above.expect("a command without a session");
                    assert!(self.may(party, Rights::COMMAND), "{party} may not command");
                    assert!(self.commands.insert(*id), "command {id} runs twice");
                }
                Happening::AlertDelivered(id) => {
                    assert!(self.answered.contains(id), "nobody has acknowledged alert {id}");
                }
                Happening::Alert(party) => {
                    assert!(self.may(*party, Rights::ALERT), "{party} may not raise alerts");
                }
                Happening::Readings(party) => {
                    assert!(self.may(*party, Rights::DATA), "{party} may not deliver readings");
                }
                Happening::Other(_) => {}
            }
        }
    }

    fn connect_above(&mut self, party: PartyId, incarnation: u32) {
        // It may have changed its incarnation after the negotiation, so that only
        // what has surely stayed the same is held against the role.
        if self.last_above != Some((party, incarnation)) {
            self.commands.clear();
            self.last_above = Some((party, incarnation));
        }
    }

    fn may(&self, party: PartyId, right: Rights) -> bool {
        self.rights(party).is_some_and(|rights| rights.contains(right))
    }

    /// What a party may do, if it is to be let in.
    fn rights(&self, party: PartyId) -> Option<Rights> {
        let known = |insiders: Option<&Insiders>| insiders.and_then(|all| all.rights(party));
        known(self.above).or_else(|| known(self.below))
    }
}
