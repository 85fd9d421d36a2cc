//! `/api/v1/jans-auth-server/session*`.

mod end;
mod read;
mod refusals;
mod search;

use crate::support::server::Opened;

const PATH: &str = "/api/v1/jans-auth-server/session";
const READER: &str = "https://jans.io/oauth/jans-auth-server/session.readonly";
const REMOVER: &str = "https://jans.io/oauth/jans-auth-server/session.delete revoke_session";

/// The ids of the sessions in an answer, in order.
fn ids(answer: &serde_json::Value) -> Vec<&str> {
    let entries = answer["entries"].as_array().unwrap();
    assert_eq!(answer["entriesCount"], entries.len());
    entries.iter().map(|entry| entry["outsideSid"].as_str().unwrap()).collect()
}

/// The ids of sessions, in the order of the ids.
fn sorted<const N: usize>(sessions: [&Opened; N]) -> Vec<&str> {
    let mut ids: Vec<&str> = sessions.iter().map(|session| session.id.as_str()).collect();
    ids.sort_unstable();
    ids
}
