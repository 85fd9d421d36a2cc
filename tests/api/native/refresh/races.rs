//! Concurrent requests, with more clients than database connections. No request is retried.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use sojourn::model::SessionId;

use super::{assert_refused, is_active, text};
use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server};

/// Starts a server with far fewer database connections than clients.
async fn start(database: TestDatabase) -> Arc<Server> {
    Arc::new(Server::builder().connections(5).start(database).await)
}

/// Ends a session in one of six ways and returns once that is acknowledged.
async fn revoke(server: &Server, session: &Opened, user: &str, way: usize) {
    let path = format!("/v1/sessions/{}", session.id);
    match way % 6 {
        0 => server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(204),
        1 => server.send("DELETE", &path, &session.access).await.expect(204),
        2 => server.send_form("/oauth2/revoke", None, &[("token", &session.refresh)]).await.expect(200),
        3 => server.send("DELETE", "/v1/me/sessions", &session.access).await.expect(200),
        4 => server.send("POST", &format!("/v1/users/{user}/ban"), BOOTSTRAP_KEY).await.expect(200),
        _ => server.send("DELETE", &format!("/v1/users/{user}/sessions"), BOOTSTRAP_KEY).await.expect(200),
    };
}

/// Fails when one of two tokens of an ended session works anywhere.
async fn assert_dead(server: &Server, access: &str, refresh: &str) {
    assert!(!server.stands(access).await);
    assert!(!is_active(server, access).await);
    assert!(!is_active(server, refresh).await);
    assert_refused(&server.refresh(refresh).await);
}

/// The refresh token of a new pair, or `None` for 503 with `Retry-After`. Any other answer would log the user out, and
/// fails.
fn pair(answer: &Answer) -> Option<String> {
    if answer.status == 503 {
        assert_eq!(answer.header("retry-after"), "1");
        return None;
    }
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    Some(text(answer, "refresh_token"))
}

on_both_databases! {
    /// T-21, FT-23: 40 of the 200 rounds; the others race in the store itself.
    async fn fifty_at_once_get_one_successor_and_nobody_is_logged_out(database) {
        let server = start(database).await;
        let opened = server.open("alice").await;
        let id = SessionId::from_uuid(opened.id.parse().unwrap());
        let mut current = opened.refresh;
        for round in 1..=20 {
            let requests: Vec<_> = (0..50).map(|_| {
                let (server, token) = (Arc::clone(&server), current.clone());
                tokio::spawn(async move { pair(&server.refresh(&token).await) })
            }).collect();
            let mut successors = HashSet::new();
            for request in requests {
                successors.extend(request.await.unwrap());
            }
            assert_eq!(successors.len(), 1, "round {round}");
            let stored = server.store.sessions_of_tokens(&[id]).await.unwrap().pop().unwrap().session;
            assert_eq!((stored.refresh_counter, stored.ended), (round, None), "exactly one new generation");
            current = successors.into_iter().next().unwrap();
        }
        server.refresh(&current).await.expect(200);
    }

    /// T-28, FT-24: 200 of the 500 rounds; the others race in the store itself. Refresh and ending begin up to two
    /// milliseconds apart.
    async fn no_token_of_a_session_works_after_its_end_was_acknowledged(database) {
        let server = start(database).await;
        let tasks: Vec<_> = (0..10).map(|task| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                for round in 0..10 {
                    let user = format!("user-{task}-{round}");
                    let opened = server.open(&user).await;
                    let (refreshing, token) = (Arc::clone(&server), opened.refresh.clone());
                    let apart = Duration::from_micros(500 * (round % 5));
                    let refresh_waits = round % 2 == 0;
                    let refresh = tokio::spawn(async move {
                        if refresh_waits {
                            tokio::time::sleep(apart).await;
                        }
                        refreshing.refresh(&token).await
                    });
                    if !refresh_waits {
                        tokio::time::sleep(apart).await;
                    }
                    revoke(&server, &opened, &user, usize::try_from(round).unwrap() + task).await;
                    assert_dead(&server, &opened.access, &opened.refresh).await;
                    let refreshed = refresh.await.unwrap();
                    if refreshed.status == 200 {
                        assert_dead(&server, &text(&refreshed, "access_token"), &text(&refreshed, "refresh_token")).await;
                    } else {
                        assert_refused(&refreshed);
                    }
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    /// T-28: one session of a user ends the others while one of those refreshes.
    async fn ending_the_others_outruns_their_refreshes(database) {
        let server = start(database).await;
        for round in 0..10 {
            let user = format!("user-{round}");
            let (mine, other) = (server.open(&user).await, server.open(&user).await);
            let (refreshed, ended) = tokio::join!(
                server.refresh(&other.refresh),
                server.send("DELETE", "/v1/me/sessions?keep_current=true", &mine.access),
            );
            ended.expect(200);
            if let Some(refresh) = (refreshed.status == 200).then(|| text(&refreshed, "refresh_token")) {
                assert_dead(&server, &text(&refreshed, "access_token"), &refresh).await;
            }
            assert_dead(&server, &other.access, &other.refresh).await;
            assert!(server.stands(&mine.access).await);
            server.refresh(&mine.refresh).await.expect(200);
        }
    }

    /// T-34: a check that begins after an acknowledged logout is refused, and last-seen times that are written
    /// meanwhile do not make the session active again.
    async fn a_storm_of_checks_does_not_bring_a_session_back(database) {
        let server = start(database).await;
        for round in 0..3 {
            let user = format!("user-{round}");
            let opened = server.open(&user).await;
            let logged_out = Arc::new(AtomicBool::new(false));
            let storm: Vec<_> = (0..12).map(|client| {
                let (server, opened, logged_out) = (Arc::clone(&server), opened.clone(), Arc::clone(&logged_out));
                tokio::spawn(async move {
                    let mut afterwards = 0;
                    while afterwards < 5 {
                        let over = logged_out.load(Ordering::SeqCst);
                        let stands = match client % 4 {
                            0 => server.stands(&opened.access).await,
                            1 => is_active(&server, &opened.access).await,
                            2 => is_active(&server, &opened.refresh).await,
                            _ => {
                                server.sessions.write_all_activity().await.unwrap();
                                server.stands(&opened.access).await
                            }
                        };
                        assert!(!(over && stands), "it stands after the logout was acknowledged");
                        afterwards += i32::from(over);
                    }
                })
            }).collect();
            for _ in 0..5 {
                assert!(server.stands(&opened.access).await, "the storm is on, and the session stands");
            }
            revoke(&server, &opened, &user, round).await;
            logged_out.store(true, Ordering::SeqCst);
            for client in storm {
                client.await.unwrap();
            }
            server.sessions.write_all_activity().await.unwrap();
            assert_dead(&server, &opened.access, &opened.refresh).await;
            let list = server.send("GET", &format!("/v1/users/{user}/sessions"), BOOTSTRAP_KEY).await.expect(200).json();
            assert_eq!(list["sessions"], json!([]), "{list}");
        }
    }
}
