//! The kinds of message.

registry! {
    /// The kind of a message.
    pub enum Kind {
        /// Request for readings.
        DataRequest = 1, "data request";
        /// The readings asked for.
        DataResponse = 2, "data response";
        /// Request to act, once.
        Command = 3, "command";
        /// How a command ended.
        CommandStatus = 4, "command status";
        /// Request to take note of something.
        Alert = 5, "alert";
        /// A request is not carried out.
        Error = 6, "error";
        /// A request was received.
        Acknowledgement = 7, "acknowledgement";
        /// Request of a device that woke: what is waiting?
        Awake = 8, "awake";
        /// Request to use a network key.
        NetworkKey = 9, "network key";
        /// Request to heed a revocation.
        Revocation = 10, "revocation";
        /// Request to take note of a device that came or went.
        Presence = 11, "presence";
        /// Request to take note of readings.
        Report = 12, "report";
        /// Request to negotiate a new key.
        Renegotiation = 13, "renegotiation";
    }
}

impl Kind {
    /// Whether it asks for an answer, and is repeated until there is one.
    #[must_use]
    pub const fn is_request(self) -> bool {
        match self {
            Self::DataRequest
            | Self::Command
            | Self::Alert
            | Self::Awake
            | Self::NetworkKey
            | Self::Revocation
            | Self::Presence
            | Self::Report
            | Self::Renegotiation => true,
            Self::DataResponse | Self::CommandStatus | Self::Error | Self::Acknowledgement => false,
        }
    }

    /// Whether a request of this kind may be carried out again when it comes
    /// again, since nothing changes by it.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::DataRequest | Self::Awake)
    }

    /// Whether a kind of this number is an answer, as far as the number alone
    /// tells: 16 to 23 are set aside for answers to come.
    pub(super) const fn number_is_of_an_answer(number: u8) -> bool {
        match Self::from_number(number) {
            Some(kind) => !kind.is_request(),
            None => matches!(number, 16..=23),
        }
    }
}
