//! `POST /oauth2/token`: nobody is logged out by accident, and a stolen token is caught.
//!
//! | room | cases |
//! |---|---|
//! | `pairs` | new pairs and their owner: T-29 to T-33 |
//! | `spent` | a token presented again: T-20, T-22 to T-25, T-27 |
//! | `races` | many at once: T-21, T-28, T-34, FT-23, FT-24 |
//! | `lost` | answers that never arrive, restarts, a database that hangs: T-22, T-26 |
//! | `outcomes` | details that the operator can read and the client cannot |

mod lost;
mod outcomes;
mod pairs;
mod races;
mod spent;

use crate::support::server::{Answer, BOOTSTRAP_KEY, Server};

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap().to_owned()
}

/// The refresh token of the pair that this token is exchanged for.
async fn successor(server: &Server, token: &str) -> String {
    text(&server.refresh(token).await.expect(200), "refresh_token")
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["error"], "invalid_grant");
    assert_eq!(body.as_object().unwrap().len(), 2, "nothing but the error and its description: {body}");
}

/// Whether a token of any kind is active by introspection.
async fn is_active(server: &Server, token: &str) -> bool {
    let answer = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", token)]).await.expect(200);
    answer.json()["active"].as_bool().unwrap()
}

/// The end reason of a session, as JSON; null while it is active.
async fn end_reason(server: &Server, id: &str) -> serde_json::Value {
    server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(200).json()["end_reason"].clone()
}
