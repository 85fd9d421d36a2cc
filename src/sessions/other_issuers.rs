//! The issuers of other replicas, as far as they differ from that of this one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::model::TokenIssuer;
use crate::tokens::AccessTokens;

/// The most issuers that are warned of, so that a flood of them does not fill the log.
const MAX_WARNINGS: usize = 20;

/// The issuers of other replicas that were warned of.
#[derive(Debug, Default)]
pub(super) struct OtherIssuers(Mutex<BTreeSet<TokenIssuer>>);

impl OtherIssuers {
    /// Warns of an issuer that differs from that of this process, once.
    pub(super) fn warn_of(&self, other: TokenIssuer, own: &AccessTokens) {
        if other.issuer == own.issuer() && other.audience == own.audience() {
            return;
        }
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < MAX_WARNINGS && !warned.contains(&other) {
            let TokenIssuer { issuer, audience } = &other;
            let (own_issuer, own_audience) = (own.issuer(), own.audience());
            tracing::warn!(
                issuer,
                audience,
                own_issuer,
                own_audience,
                "another server on this database has another SOJOURN_ISSUER or SOJOURN_AUDIENCE: each refuses the access \
                 tokens of the other"
            );
            warned.insert(other);
        }
    }
}
