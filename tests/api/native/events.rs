//! `GET /v1/events`.

use serde_json::json;
use sojourn::model::{Caller, Service};
use sojourn::tokens::ServiceKey;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};
use crate::support::stream::{Message, Stream};

/// Opens a stream. Its first message gives the position to resume from, or says that something may have been missed.
async fn listen(server: &Server, query: &str, credential: &str, after: Option<&str>) -> Stream {
    server.follows().await;
    let request = server.request("GET", &format!("/v1/events{query}")).bearer_auth(credential);
    Stream::open(match after {
        Some(id) => request.header("last-event-id", id),
        None => request,
    })
    .await
}

/// All messages up to the ending of that session, inclusive.
async fn until(stream: &mut Stream, id: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let message = stream.next_event("session.ended").await;
        let found = message.json()["session_id"] == id;
        messages.push(message);
        if found {
            return messages;
        }
    }
}

on_both_databases! {
    async fn every_ending_is_told_and_a_filter_leaves_out_others(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let (alice, bob) = (one.open("alice").await, one.open("bob").await);
        let mut all = listen(&one, "", BOOTSTRAP_KEY, None).await;
        let mut bobs = listen(&one, "?user_id=bob", &one.key("sessions:read").await, None).await;
        two.end(&alice.id).await;
        two.end(&bob.id).await;
        let shown = one.send("GET", &format!("/v1/sessions/{}", alice.id), BOOTSTRAP_KEY).await.json();
        let told = all.next_event("session.ended").await;
        let expected = json!({ "session_id": alice.id, "user_id": "alice", "reason": "revoked_by_admin", "ended_at": shown["ended_at"] });
        assert_eq!(told.json(), expected);
        assert_eq!(all.next_event("session.ended").await.json()["session_id"], bob.id);
        assert_eq!(bobs.next_event("session.ended").await.json()["session_id"], bob.id);
    }

    async fn a_bulk_ending_is_one_event_for_every_listener_it_may_concern(database) {
        let server = Server::start(database).await;
        let (alice, _bob) = (server.open("alice").await, server.open("bob").await);
        let mut all = listen(&server, "", BOOTSTRAP_KEY, None).await;
        let mut bobs = listen(&server, "?user_id=bob", BOOTSTRAP_KEY, None).await;
        let revoke = async |body| server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200);
        revoke(json!({ "filter": { "user_id": "alice" } })).await;
        let told = all.next_event("sessions.ended").await.json();
        assert_eq!((&told["user_id"], &told["reason"], &told["session_id"]), (&json!("alice"), &json!("revoked_by_admin"), &json!(null)));
        revoke(json!({ "all": true })).await;
        assert_eq!(all.next_event("sessions.ended").await.json()["user_id"], json!(null));
        assert_eq!(bobs.next_event("sessions.ended").await.json()["user_id"], json!(null), "not that of alice alone");
        drop(alice);
    }

    async fn a_listener_goes_on_where_it_broke_off(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(one.open("alice").await.id);
        }
        let mut stream = listen(&one, "", BOOTSTRAP_KEY, None).await;
        let start = stream.next().await.unwrap();
        assert!(!start.id.is_empty() && start.event.is_empty(), "where to go on from, before anything is told: {start:?}");
        one.end(&sessions[0]).await;
        let first = until(&mut stream, &sessions[0]).await.pop().unwrap();
        drop(stream);
        one.end(&sessions[1]).await;
        two.end(&sessions[2]).await;
        for (server, id, missed) in [(&two, &first.id, &sessions[1..3]), (&one, &start.id, &sessions[..3])] {
            let mut stream = listen(server, "", BOOTSTRAP_KEY, Some(id)).await;
            let told: Vec<_> = until(&mut stream, &sessions[2]).await.iter().map(|message| message.json()["session_id"].clone()).collect();
            for id in missed {
                assert!(told.contains(&json!(id)), "{id} in {told:?}");
            }
        }
        let mut stream = listen(&one, "", BOOTSTRAP_KEY, Some(&first.id)).await;
        until(&mut stream, &sessions[2]).await;
        two.end(&sessions[3]).await;
        let rest = until(&mut stream, &sessions[3]).await;
        assert_eq!(rest.len(), 1, "and then live, once: {rest:?}");
    }

    async fn a_listener_that_cannot_resume_is_told_so(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let mut stream = listen(&server, "", BOOTSTRAP_KEY, None).await;
        let start = stream.next().await.unwrap().id;
        server.wait(chrono::TimeDelta::hours(3));
        for id in ["17", "", "AAAA", &start] {
            let mut stream = listen(&server, "", BOOTSTRAP_KEY, Some(id)).await;
            let missed = stream.next_event("missed").await;
            assert!(!missed.id.is_empty(), "{id}");
        }
        server.end(&opened.id).await;
        assert_eq!(stream.next_event("session.ended").await.json()["session_id"], opened.id);
    }

    async fn the_stream_closes_when_its_credential_dies(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:read").await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:read" })).await;
        let (by_key, by_session) = (listen(&server, "?user_id=x", &key, None).await, listen(&server, "?user_id=x", &staff.access, None).await);
        let id = ServiceKey::parse(&key).unwrap().id;
        server.sessions.revoke_service_key(&Caller::Service(Service::command_line()).into(), id).await.unwrap();
        server.end(&staff.id).await;
        by_key.expect_end().await;
        by_session.expect_end().await;
    }
}

/// Ends a session past the server, in a transaction that the test commits at a time of its choice.
async fn end_slowly(connection: &mut PgConnection, id: &str) {
    sqlx::query("BEGIN").execute(&mut *connection).await.unwrap();
    sqlx::query("UPDATE sessions SET ended_at = created_at, end_reason = 'logout' WHERE id = $1")
        .bind(Uuid::parse_str(id).unwrap())
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_is_sent_to_a_listener_that_resumes_after_it() {
    let server = Server::start_on_postgres().await;
    let (slow, quick) = (server.open("alice").await, server.open("alice").await);
    let mut stream = listen(&server, "", BOOTSTRAP_KEY, None).await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    end_slowly(&mut connection, &slow.id).await;
    server.end(&quick.id).await;
    let last = until(&mut stream, &quick.id).await.pop().unwrap();
    drop(stream);
    sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
    let mut stream = listen(&server, "", BOOTSTRAP_KEY, Some(&last.id)).await;
    until(&mut stream, &slow.id).await;
}
