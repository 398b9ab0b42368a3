//! Records that were dropped, counted by reason.

/// Why a record was dropped. Nothing but a counter changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// A header or message is truncated, contradicts itself, or has a version
    /// that is not known; or a fragment does not fit the others of its message.
    Malformed,
    /// A well-formed record or message that has no place in the present state.
    Unexpected,
    /// A handshake message that was already handled: a retransmission.
    Repeated,
    /// Its authentication tag does not fit: a forgery, damage, or another key.
    Undecryptable,
    /// A record that was already received, or is older than the replay window
    /// (RFC 6347 section 4.1.2.6).
    Replayed,
    /// A record of the coming epoch that could not be kept until its keys were
    /// there, or application data that overtook the end of the handshake.
    Early,
    /// A handshake message that is longer than the buffer for it, or that comes
    /// in more separate pieces than are kept track of.
    TooLong,
    /// A new handshake for which the server has no room.
    NoRoom,
    /// The source of randomness failed, so that a handshake could not begin.
    NoEntropy,
}

impl core::fmt::Display for DropReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Unexpected => "unexpected",
            Self::Repeated => "repeated",
            Self::Undecryptable => "undecryptable",
            Self::Replayed => "replayed",
            Self::Early => "early",
            Self::TooLong => "too long",
            Self::NoRoom => "no room",
            Self::NoEntropy => "no entropy",
        })
    }
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Unexpected,
        Self::Repeated,
        Self::Undecryptable,
        Self::Replayed,
        Self::Early,
        Self::TooLong,
        Self::NoRoom,
        Self::NoEntropy,
    ];
}

/// How many records were dropped, by reason. The counters stop at their
/// maximum instead of starting over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    counts: [u32; DropReason::ALL.len()],
}

impl Drops {
    /// The number of records dropped for `reason`.
    #[must_use]
    pub fn count(&self, reason: DropReason) -> u32 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }

    /// The number of records dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Adds the counts of `other`.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    pub(crate) fn add(&mut self, reason: DropReason) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let mut drops = Drops::default();
        for (times, reason) in DropReason::ALL.into_iter().enumerate() {
            for _ in 0..times {
                drops.add(reason);
            }
        }
        for (times, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(drops.count(reason) as usize, times);
        }
        assert_eq!(drops.total(), 36);
    }
}
