//! The subject of a request, for the one line that the log has of it.
//!
//! Openings and refreshes are too frequent for a line of their own. The span of the request has these fields.

use tracing::Span;
use tracing::field::display;

use crate::model::{SessionId, UserId};

/// Notes the session that a request opened or refreshed.
pub(super) fn note_subject(session: SessionId, user: Option<&UserId>) {
    let span = Span::current();
    span.record("session", display(session));
    if let Some(user) = user {
        span.record("user", user.as_str());
    }
}

/// Notes the outcome in one word.
pub(super) fn note_outcome(outcome: &'static str) {
    Span::current().record("outcome", outcome);
}
