//! Answers that never arrive: the client hangs up, the server restarts, the database hangs.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sqlx::{Connection as _, SqliteConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{assert_refused, end_reason, is_active, successor, text};
use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::proxy::Proxy;
use crate::support::server::Server;

/// Presents a refresh token and never reads the answer.
async fn refresh_without_reading(server: &Server, token: &str) -> TcpStream {
    let address = server.base.strip_prefix("http://").unwrap();
    let body = format!("grant_type=refresh_token&refresh_token={token}");
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Waits until a refresh token has been rotated.
async fn until_spent(server: &Server, token: &str) {
    let started = Instant::now();
    while is_active(server, token).await {
        assert!(started.elapsed() < Duration::from_secs(10), "it is never rotated");
    }
}

/// Presents a token while the database hangs: both requests must be answered 503 with `Retry-After`, within a bound.
async fn assert_told_to_come_back(server: &Server, token: &str) {
    let started = Instant::now();
    let (one, two) = tokio::join!(server.refresh(token), server.refresh(token));
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    for answer in [one, two] {
        let answer = answer.expect(503);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.json()["error"], "temporarily_unavailable", "a client must not take this for a logout");
    }
}

/// Repeats the same token, as `Retry-After` asks, until there is an answer.
async fn come_back(server: &Server, token: &str) -> String {
    let started = Instant::now();
    loop {
        let answer = server.refresh(token).await;
        if answer.status != 503 {
            return text(&answer.expect(200), "refresh_token");
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it does not recover");
    }
}

on_both_databases! {
    /// T-22: the rotation is committed, and nobody reads its answer.
    async fn a_client_that_never_read_the_answer_gets_the_same_successor_later(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let stream = refresh_without_reading(&server, &opened.refresh).await;
        until_spent(&server, &opened.refresh).await;
        drop(stream);
        let within_the_grace = successor(&server, &opened.refresh).await;
        server.wait(TimeDelta::seconds(31));
        assert_eq!(successor(&server, &opened.refresh).await, within_the_grace);
        successor(&server, &within_the_grace).await;
        assert!(end_reason(&server, &opened.id).await.is_null());
    }

    /// T-22: the rotation may be committed or not. Cancelled requests must not keep their database connections either.
    async fn a_client_that_hangs_up_at_once_is_not_logged_out(database) {
        let server = Server::builder().connections(3).start(database).await;
        for _ in 0..15 {
            let opened = server.open("alice").await;
            for _ in 0..3 {
                drop(refresh_without_reading(&server, &opened.refresh).await);
            }
            let at_once = successor(&server, &opened.refresh).await;
            server.wait(TimeDelta::seconds(31));
            assert_eq!(successor(&server, &opened.refresh).await, at_once);
            successor(&server, &at_once).await;
            assert!(end_reason(&server, &opened.id).await.is_null());
        }
    }

    /// T-26: the predecessor, whose successor nobody has used.
    async fn an_answer_lost_in_a_restart_logs_nobody_out(database) {
        let before = Server::start(database).await;
        let opened = before.open("alice").await;
        let lost = successor(&before, &opened.refresh).await;
        let after = before.replica().await;
        drop(before);
        assert_eq!(successor(&after, &opened.refresh).await, lost, "within the grace");
        after.wait(TimeDelta::seconds(31));
        let again = after.replica().await;
        drop(after);
        assert_eq!(successor(&again, &opened.refresh).await, lost, "after the grace");
        successor(&again, &lost).await;
    }

    /// T-26: the predecessor, whose successor was in use before the restart.
    async fn a_restart_does_not_forget_that_the_successor_was_in_use(database) {
        let before = Server::start(database).await;
        let opened = before.open("alice").await;
        let refreshed = before.refresh(&opened.refresh).await.expect(200);
        assert!(before.stands(&text(&refreshed, "access_token")).await);
        before.sessions.write_all_activity().await.unwrap();
        let after = before.replica().await;
        drop(before);
        after.wait(TimeDelta::seconds(31));
        assert_refused(&after.refresh(&opened.refresh).await);
        assert!(!after.stands(&text(&refreshed, "access_token")).await);
        assert_eq!(end_reason(&after, &opened.id).await, "reuse_detected");
    }

    /// T-26: older tokens, and sessions that were ended because of them.
    async fn what_was_spent_before_a_restart_is_spent_after_it(database) {
        let before = Server::start(database).await;
        let (alice, bob) = (before.open("alice").await, before.open("bob").await);
        let mut newest = Vec::new();
        for opened in [&alice, &bob] {
            let second = successor(&before, &opened.refresh).await;
            newest.push(before.refresh(&second).await.expect(200));
        }
        assert_refused(&before.refresh(&bob.refresh).await);
        let after = before.replica().await;
        drop(before);
        assert!(after.stands(&text(&newest[0], "access_token")).await);
        assert_refused(&after.refresh(&alice.refresh).await);
        for newest in &newest {
            assert!(!after.stands(&text(newest, "access_token")).await);
            assert_refused(&after.refresh(&text(newest, "refresh_token")).await);
        }
    }
}

/// A server behind a proxy to its database, with the statement of a refresh prepared.
async fn behind_a_proxy() -> (Server, Proxy) {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    successor(&server, &server.open("warm").await.refresh).await;
    (server, proxy)
}

/// T-22: the fate of the refresh is unknown until the client repeats it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_does_not_reach_the_database_is_done_when_it_is_asked_again() {
    let (server, proxy) = behind_a_proxy().await;
    let opened = server.open("alice").await;
    proxy.block();
    assert_told_to_come_back(&server, &opened.refresh).await;
    proxy.mend();
    let next = come_back(&server, &opened.refresh).await;
    assert_eq!(successor(&server, &opened.refresh).await, next);
    successor(&server, &next).await;
    assert!(end_reason(&server, &opened.id).await.is_null());
}

/// T-22: the refresh is committed, and the database's answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_outcome_was_lost_gives_the_same_pair_when_it_is_asked_again() {
    let (server, proxy) = behind_a_proxy().await;
    let elsewhere = server.replica().await;
    // Opened last, so that the pool has a connection that was not idle for too long.
    let opened = server.open("alice").await;
    proxy.mute();
    assert_told_to_come_back(&server, &opened.refresh).await;
    until_spent(&elsewhere, &opened.refresh).await;
    let next = successor(&elsewhere, &opened.refresh).await;
    proxy.mend();
    assert_eq!(come_back(&server, &opened.refresh).await, next);
    successor(&server, &next).await;
    assert!(end_reason(&server, &opened.id).await.is_null());
}

/// T-22 on SQLite: a database that hangs is a file that another process has locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_cannot_be_written_is_done_when_it_is_asked_again() {
    let database = TestDatabase::sqlite().await;
    let url = database.url().to_owned();
    let server = Server::start(database).await;
    let opened = server.open("alice").await;
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_told_to_come_back(&server, &opened.refresh).await;
    assert!(is_active(&server, &opened.refresh).await, "nothing was done");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let next = come_back(&server, &opened.refresh).await;
    successor(&server, &next).await;
    assert!(end_reason(&server, &opened.id).await.is_null());
}
