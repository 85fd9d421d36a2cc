//! The words that labels have as values.

/// Defines labels' values, and the list of the words of each.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$value),+];
            /// Every word.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    )+};
}

words! {
    /// The reason why a connection is closed without an answer.
    ClosedFor {
        /// All places were taken, and the client kept the server waiting.
        Newcomer = "newcomer",
        /// All places of the address were taken, and the client kept the server waiting.
        SameAddress = "same_address",
        /// The address has as many connections as it may have.
        AddressLimit = "address_limit",
    }

    /// The source of the answer to a check.
    AnsweredFrom {
        /// A cache entry in this process.
        Copy = "copy",
        /// The store.
        Store = "store",
    }

    /// A server that answers a search.
    AnsweringServer {
        /// The read replica.
        Replica = "replica",
        /// The primary, because the replica was unavailable or too far behind.
        Primary = "primary",
    }

    /// The outcome of a refresh, for the operator, who learns more than the client.
    RefreshOutcome {
        /// The token was current: a new pair.
        Rotated = "rotated",
        /// The successor again, within the grace: two tabs, or a retry.
        Concurrent = "concurrent",
        /// The successor again, after the grace: nothing that came with it was ever used here, so the answer was lost, or
        /// two holders of one token present it in turn. Frequent ones deserve an alarm.
        NotSaved = "not_saved",
        /// Refused: the token was spent before. Its session has been ended.
        Reuse = "reuse",
        /// Refused: its session does not exist or is not active.
        NotActive = "not_active",
        /// Refused: no refresh token of ours.
        InvalidToken = "invalid_token",
        /// Refused: the session was opened for another client.
        OtherClient = "other_client",
        /// Refused: a wider scope than the session's was asked for.
        WiderScope = "wider_scope",
        /// The store did not answer, so nobody knows whether the token was rotated.
        Failed = "failed",
    }

    /// The kind of a refused credential.
    RefusedFor {
        /// The request carried none.
        Missing = "missing",
        /// The request had more than one.
        Several = "several",
        /// A cookie came with a state-changing request from another site.
        CrossSite = "cross_site",
        /// A cookie came with a state-changing request that does not tell its origin.
        NoOrigin = "no_origin",
        /// No token of ours, or not one for this use.
        InvalidToken = "invalid_token",
        /// The token's session does not exist, or is not its subject's.
        UnknownSession = "unknown_session",
        /// The token's session was unused for too long.
        IdleExpired = "idle_expired",
        /// The token's session is past its expiry.
        Expired = "expired",
        /// The token's session has ended.
        Ended = "ended",
        /// The token's user is banned.
        Banned = "banned",
        /// The service key is unknown, revoked or expired.
        ServiceKey = "service_key",
        /// The one-time link is unknown, used or expired.
        Link = "link",
        /// A service key where only a user's session will do.
        NotAUser = "not_a_user",
    }

    /// The kind of a database failure.
    DatabaseFailure {
        /// All connections were in use for too long.
        AcquireTimeout = "acquire_timeout",
        /// A connection could not be opened, or broke.
        Connection = "connection",
        /// No answer came in time.
        Deadline = "deadline",
        /// A lock was not available in time.
        LockTimeout = "lock_timeout",
        /// A statement took too long, and the database stopped it.
        StatementTimeout = "statement_timeout",
        /// Two transactions conflicted.
        Conflict = "conflict",
        /// The database is out of space, memory or connections.
        Resources = "resources",
        /// Every other error.
        Other = "other",
    }

    /// The state of a connection to the database.
    ConnectionState {
        /// A statement runs on it.
        InUse = "in_use",
        /// It waits for the next statement.
        Idle = "idle",
    }

    /// The method of a request, as it is counted. A client can make up any method.
    Method {
        /// GET, and HEAD, which the same handlers answer.
        Get = "GET",
        /// POST.
        Post = "POST",
        /// PUT.
        Put = "PUT",
        /// PATCH.
        Patch = "PATCH",
        /// DELETE.
        Delete = "DELETE",
        /// OPTIONS.
        Options = "OPTIONS",
        /// Every other one.
        Other = "other",
    }

    /// The class of an answer's status.
    StatusClass {
        /// Success.
        Success = "2xx",
        /// Redirection.
        Redirection = "3xx",
        /// A refusal.
        ClientError = "4xx",
        /// A failure of the server.
        ServerError = "5xx",
    }
}

impl Method {
    /// The method of that name.
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

impl StatusClass {
    /// The class of a status. The server answers none below 200.
    pub fn of(status: u16) -> Self {
        match status {
            ..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}
