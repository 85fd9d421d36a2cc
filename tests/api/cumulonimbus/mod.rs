//! `/api/user/:id/session*` and `/api/user/session*`, and the same below `/user`.

mod bulk;
mod list;
mod one;
mod own;
mod refusals;

use crate::support::server::{Opened, Server};

/// A member of staff.
async fn staff(server: &Server) -> Opened {
    server.open_with(&serde_json::json!({ "user_id": "staff", "scope": "sessions:admin" })).await
}

/// A session as the family shows it.
fn shown(session: &Opened, name: &str) -> serde_json::Value {
    let seconds = |member: &str| {
        let text = session.body["session"][member].as_str().unwrap();
        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp()
    };
    serde_json::json!({
        "iat": seconds("created_at"), "exp": seconds("expires_at"), "name": name,
        "sub": session.body["session"]["user_id"], "id": session.id,
    })
}

/// The second that a session was opened in, as the family shows it.
fn iat(session: &Opened) -> String {
    shown(session, "")["iat"].to_string()
}

/// Two sessions of one user, opened in one second.
async fn twins(server: &Server, user: &str) -> [Opened; 2] {
    let mut first = server.open(user).await;
    loop {
        let second = server.open(user).await;
        if iat(&first) == iat(&second) {
            return [first, second];
        }
        server.send("DELETE", &format!("/v1/sessions/{}", first.id), &first.access).await.expect(204);
        first = second;
    }
}
