//! Members of the network who mean harm: who they are, and what they may do.

use std::cell::OnceCell;

use iot_crypto::identity::{Endorsements, PartyId, PrivateIdentity, Rights, Role};

use crate::cast::{Cast, endorse, identity};
use crate::toy::Toy;

const YEAR: u64 = 365 * 24 * 3600;

/// An insider.
pub(super) struct Insider {
    pub(super) identity: PrivateIdentity,
    pub(super) endorsements: Endorsements,
    /// What it may do; `None` if it is not to be let in.
    pub(super) rights: Option<Rights>,
}

/// Everybody who claims a role.
pub(super) struct Insiders(Vec<Insider>);

impl Insiders {
    /// Those of `role`, made once.
    pub(super) fn of(role: Role) -> &'static Self {
        thread_local! {
            static ALL: [OnceCell<&'static Insiders>; 3] =
                const { [OnceCell::new(), OnceCell::new(), OnceCell::new()] };
        }
        ALL.with(|all| *all[role as usize].get_or_init(|| Box::leak(Box::new(Self::new(role)))))
    }

    fn new(role: Role) -> Self {
        let cast = Cast::get();
        let (company, partner) = (&cast.company, &cast.partner);
        let other = if role == Role::Device { Role::Gateway } else { Role::Device };
        let mut toy = Toy::new(100 + role as u64);
        let mut insider = |name, rights: Option<Rights>, by: &[(&PrivateIdentity, Role, u64)]| {
            let identity = identity(&mut toy, name);
            let granted = rights.unwrap_or(Rights::ALL);
            let endorsements: Vec<_> = by
                .iter()
                .map(|(issuer, role, seconds)| endorse(issuer, &identity, *role, granted, *seconds))
                .collect();
            let endorsements = Endorsements::new(&endorsements).unwrap();
            Insider { identity, endorsements, rights }
        };
        let stranger = identity_of_stranger();
        Self(vec![
            insider("member", Some(Rights::ALL), &[(company, role, YEAR)]),
            insider("partner's", Some(Rights::ALL), &[(partner, role, YEAR)]),
            insider("limited", Some(Rights::NONE), &[(company, role, YEAR)]),
            insider("reader", Some(Rights::DATA), &[(company, role, YEAR)]),
            insider("short", Some(Rights::ALL), &[(company, role, 100)]),
            insider("self-made", None, &[]),
            insider("in another role", None, &[(company, other, YEAR)]),
            insider("stranger's", None, &[(&stranger, role, YEAR)]),
        ])
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> &Insider {
        &self.0[index]
    }

    /// What a party may do, if it is one that is to be let in.
    pub(super) fn rights(&self, id: PartyId) -> Option<Rights> {
        self.0.iter().find(|insider| insider.identity.id() == id)?.rights
    }
}

fn identity_of_stranger() -> PrivateIdentity {
    identity(&mut Toy::new(99), "stranger")
}
