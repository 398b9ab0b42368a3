//! What a role has dropped without any other effect.

use crate::dtls::Drops;

/// How much of what came in had no effect but this count. Counters stop at their
/// maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// DTLS records, by reason. On the way to the party above, those of the
    /// present session.
    pub records: Drops,
    /// Advertisements that are forged, replayed, or of another network or version.
    pub advertisements: u32,
    /// Messages in a session that nobody can make anything of, or even answer.
    pub messages: u32,
}

impl Dropped {
    /// What was dropped here and there together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.records.add_all(&other.records);
        self.advertisements = self.advertisements.saturating_add(other.advertisements);
        self.messages = self.messages.saturating_add(other.messages);
        self
    }
}
