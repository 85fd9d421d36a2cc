//! `GET /v1/sessions/{id}/watch`.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;
use sojourn::model::LogPosition;
use sojourn::sessions::{Policy, StreamLimits};
use sqlx::{Connection as _, PgConnection};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server};
use crate::support::stream::Stream;

async fn watch(server: &Server, id: &str, credential: &str) -> Stream {
    Stream::open(server.request("GET", &format!("/v1/sessions/{id}/watch")).bearer_auth(credential)).await
}

on_both_databases! {
    async fn a_watcher_sees_the_session_and_then_its_end(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let mut own = watch(&server, &opened.id, &opened.access).await;
        let mut others = watch(&server, &opened.id, BOOTSTRAP_KEY).await;
        let session = own.next_event("session").await.json();
        assert_eq!((&session["id"], &session["state"], &session["current"]), (&json!(opened.id), &json!("active"), &json!(true)));
        assert_eq!(others.next_event("session").await.json()["current"], false);
        server.end(&opened.id).await;
        let shown = server.send("GET", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.json();
        let expected = json!({ "session_id": opened.id, "reason": "revoked_by_admin", "ended_at": shown["ended_at"] });
        assert_eq!(own.next_event("ended").await.json(), expected);
        assert_eq!(others.next_event("ended").await.json(), expected);
        own.expect_end().await;
        others.expect_end().await;
    }

    async fn a_session_that_another_replica_ends_has_ended_here_too(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open("alice").await;
        let mut stream = watch(&one, &opened.id, &opened.access).await;
        stream.next_event("session").await;
        two.send("DELETE", "/v1/me/sessions", &opened.access).await.expect(200);
        assert_eq!(stream.next_event("ended").await.json()["reason"], "revoked_by_user");
        stream.expect_end().await;
    }

    async fn a_step_up_closes_what_was_opened_by_an_earlier_token_on_every_replica(database) {
        let server = Server::start(database).await;
        let two = server.replica().await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "sessions:read" })).await;
        let staff = server.open_with(&json!({ "user_id": "bob", "scope": "sessions:read" })).await;
        let mut closed = Vec::new();
        let mut open = Vec::new();
        for replica in [&server, &two] {
            replica.follows().await;
            closed.push(watch(replica, &opened.id, &opened.access).await);
            closed.push(watch(replica, &staff.id, &opened.access).await);
            open.push(watch(replica, &opened.id, &staff.access).await);
            open.push(watch(replica, &opened.id, BOOTSTRAP_KEY).await);
            for stream in closed.iter_mut().rev().take(2).chain(open.iter_mut().rev().take(2)) {
                stream.next_event("session").await;
            }
            closed.push(Stream::open(replica.request("GET", "/v1/events").bearer_auth(&opened.access)).await);
        }
        let path = format!("/v1/sessions/{}", opened.id);
        server.send_json("PATCH", &path, BOOTSTRAP_KEY, &json!({ "device_name": "phone" })).await.expect(200);
        let stepped = server.send_json("POST", &format!("{path}/authenticate"), BOOTSTRAP_KEY, &json!({})).await.expect(200);
        for stream in closed {
            stream.expect_end().await;
        }
        let stepped = Opened::of(stepped.json());
        let mut own = watch(&two, &stepped.id, &stepped.access).await;
        own.next_event("session").await;
        open.push(own);
        server.end(&opened.id).await;
        for mut stream in open {
            assert_eq!(stream.next_event("ended").await.json()["session_id"], opened.id);
        }
    }

    async fn a_step_up_that_was_missed_closes_streams_when_the_log_is_read_again(database) {
        let server = Server::builder().without_change_log().start(database).await;
        let two = server.replica().await;
        let opened = two.open("alice").await;
        let mut stream = watch(&server, &opened.id, &opened.access).await;
        stream.next_event("session").await;
        two.send_json("POST", &format!("/v1/sessions/{}/authenticate", opened.id), BOOTSTRAP_KEY, &json!({})).await.expect(200);
        // The first read of a log follows no earlier one, so everything is in doubt.
        server.catch_up().await;
        server.sessions.look_again().await.unwrap();
        stream.expect_end().await;
    }

    async fn a_watch_of_a_session_that_a_bulk_ending_ends_reports_it(database) {
        let server = Server::start(database).await;
        let (meant, other) = (server.open("alice").await, server.open("bob").await);
        let mut told = watch(&server, &meant.id, &meant.access).await;
        let mut spared = watch(&server, &other.id, &other.access).await;
        told.next_event("session").await;
        spared.next_event("session").await;
        let body = json!({ "filter": { "user_id": "alice" } });
        server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200);
        assert_eq!(told.next_event("ended").await.json()["reason"], "revoked_by_admin");
        told.expect_end().await;
        server.end(&other.id).await;
        assert_eq!(spared.next_event("ended").await.json()["session_id"], other.id);
    }

    async fn an_inactive_session_has_one_event(database) {
        let server = Server::start(database).await;
        let (ended, idle) = (server.open("alice").await, server.open_with(&json!({ "user_id": "alice", "idle_timeout": 60 })).await);
        server.end(&ended.id).await;
        server.wait(TimeDelta::seconds(61));
        for (id, reason) in [(&ended.id, "revoked_by_admin"), (&idle.id, "idle_expired")] {
            let mut stream = watch(&server, id, BOOTSTRAP_KEY).await;
            let first = stream.next().await.unwrap();
            assert_eq!((first.event.as_str(), &first.json()["reason"]), ("ended", &json!(reason)));
            stream.expect_end().await;
        }
    }

    async fn a_session_that_nobody_uses_goes_idle_before_its_watchers_eyes(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "idle_timeout": 60, "tokens": "session" })).await;
        server.wait(TimeDelta::seconds(57));
        let mut stream = watch(&server, &opened.id, &opened.access).await;
        let session = stream.next_event("session").await.json();
        assert_eq!(session["last_seen_at"], opened.body["session"]["last_seen_at"], "watching is no use");
        let over = stream.next_event("ended").await.json();
        assert_eq!(over["reason"], "idle_expired");
        assert!(!server.stands(&opened.access).await);
        stream.expect_end().await;
    }

    async fn a_session_that_is_used_meanwhile_does_not_go_idle(database) {
        let server = Server::start(database).await;
        let two = server.replica().await;
        let opened = server.open_with(&json!({ "user_id": "alice", "idle_timeout": 60, "tokens": "session" })).await;
        server.wait(TimeDelta::seconds(58));
        let mut stream = watch(&server, &opened.id, &opened.access).await;
        stream.next_event("session").await;
        assert!(two.stands(&opened.access).await, "used elsewhere");
        // The wait goes past the expiry that the watch knew at its start.
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.end(&opened.id).await;
        assert_eq!(stream.next_event("ended").await.json()["reason"], "revoked_by_admin");
    }

    async fn a_watcher_whose_own_session_ends_sees_no_more(database) {
        let server = Server::start(database).await;
        let (own, other) = (server.open("alice").await, server.open("alice").await);
        let mut stream = watch(&server, &other.id, &own.access).await;
        stream.next_event("session").await;
        server.end(&own.id).await;
        stream.expect_end().await;
        let again = server.request("GET", &format!("/v1/sessions/{}/watch", other.id)).bearer_auth(&own.access);
        crate::support::server::answer(again).await.expect_problem(401, "unauthenticated");
    }

    async fn an_access_token_that_expires_closes_no_stream(database) {
        let server = Server::start(database).await;
        let (own, other) = (server.open("alice").await, server.open("alice").await);
        server.wait(TimeDelta::seconds(298));
        let mut stream = watch(&server, &other.id, &own.access).await;
        stream.next_event("session").await;
        // The wait goes past the token's `exp`, 300 seconds after its issue.
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.wait(TimeDelta::minutes(1));
        assert!(!server.stands(&own.access).await);
        server.end(&other.id).await;
        assert_eq!(stream.next_event("ended").await.json()["session_id"], other.id);
    }

    async fn one_user_and_one_service_have_so_many_streams_and_others_have_theirs(database) {
        let policy = Policy { streams: StreamLimits { most: 100, of_user: 2, of_service: 3 }, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let mut streams = vec![watch(&server, &one.id, &one.access).await, watch(&server, &two.id, &two.access).await];
        let path = |opened: &crate::support::server::Opened| format!("/v1/sessions/{}/watch", opened.id);
        server.send("GET", &path(&one), &one.access).await.expect_problem(503, "too_many_streams");
        streams.push(watch(&server, &bob.id, &bob.access).await);
        for _ in 0..3 {
            streams.push(watch(&server, &one.id, BOOTSTRAP_KEY).await);
        }
        server.send("GET", &path(&one), BOOTSTRAP_KEY).await.expect_problem(503, "too_many_streams");
        let other = server.key("sessions:read").await;
        streams.push(watch(&server, &one.id, &other).await);
        drop(streams.remove(0));
        let started = Instant::now();
        while server.send("GET", &path(&two), &two.access).await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(10), "the place of a stream that was closed stays taken");
        }
    }

    async fn streams_are_limited_and_end_when_the_server_stops(database) {
        let policy = Policy { streams: StreamLimits { most: 2, ..StreamLimits::default() }, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        server.follows().await;
        let opened = server.open("alice").await;
        let path = format!("/v1/sessions/{}/watch", opened.id);
        let mut first = watch(&server, &opened.id, BOOTSTRAP_KEY).await;
        first.next_event("session").await;
        let second = Stream::open(server.request("GET", "/v1/events").bearer_auth(BOOTSTRAP_KEY)).await;
        for path in [&path, "/v1/events"] {
            let full = server.send("GET", path, BOOTSTRAP_KEY).await.expect_problem(503, "too_many_streams");
            assert_eq!(full.header("retry-after"), "10");
        }
        drop(second);
        let started = Instant::now();
        while server.send("GET", &path, BOOTSTRAP_KEY).await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(10), "the place does not become free");
        }
        let stopped = Instant::now();
        server.stop();
        first.expect_end().await;
        assert!(stopped.elapsed() < Duration::from_secs(5), "it held up the stop");
    }
}

/// Transactions of this database so far, by its own statistics.
async fn statements(connection: &mut PgConnection) -> i64 {
    let count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(count).fetch_one(connection).await.unwrap()
}

/// A wait longer than an idle backend keeps its counts to itself.
const COUNTED: Duration = Duration::from_secs(11);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_cost_no_statements() {
    const WATCHERS: usize = 300;
    let server = Server::start_on_postgres().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    let before = statements(&mut connection).await;
    // Few requests at once, because sessions of one user are opened one after the other.
    let opened: Vec<_> = stream::iter(0..WATCHERS).map(|_| server.open("alice")).buffered(4).collect().await;
    let mut streams = join_all(opened.iter().map(|opened| watch(&server, &opened.id, BOOTSTRAP_KEY))).await;
    join_all(streams.iter_mut().map(|stream| stream.next_event("session"))).await;
    tokio::time::sleep(COUNTED).await;
    let watching = statements(&mut connection).await;
    assert!(watching - before >= 300, "what happens is counted: {}", watching - before);

    server.send("DELETE", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200);
    let ended = join_all(streams.iter_mut().map(|stream| stream.next_event("ended"))).await;
    tokio::time::sleep(COUNTED).await;
    let after = statements(&mut connection).await;
    assert!(after - watching < 150, "{} statements to tell {WATCHERS} watchers", after - watching);
    for (message, opened) in ended.iter().zip(&opened) {
        assert_eq!(message.json()["session_id"], opened.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endings_while_the_log_could_not_be_read_are_reported_afterwards() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let elsewhere = server.replica().await;
    let (alice, bob) = (server.open("alice").await, server.open("bob").await);
    let mut streams = [watch(&server, &alice.id, BOOTSTRAP_KEY).await, watch(&server, &bob.id, BOOTSTRAP_KEY).await];
    for stream in &mut streams {
        stream.next_event("session").await;
    }
    proxy.cut();
    elsewhere.end(&alice.id).await;
    let everything = LogPosition { transaction: i64::MAX, sequence: 0 };
    while elsewhere.store.forget_changes(everything, elsewhere.sessions.now()).await.unwrap() > 0 {}
    tokio::time::sleep(Duration::from_secs(6)).await;
    proxy.mend();
    let [mut first, mut second] = streams;
    assert_eq!(first.next_event("ended").await.json()["session_id"], alice.id);
    elsewhere.end(&bob.id).await;
    assert_eq!(second.next_event("ended").await.json()["session_id"], bob.id);
}
