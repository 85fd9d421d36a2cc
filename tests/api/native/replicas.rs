//! Two servers on one database, and one after the other.

use std::sync::Arc;

use chrono::TimeDelta;
use sojourn::clock::ShiftedClock;

use crate::support::builder::Builder;
use crate::support::on_both_databases;
use crate::support::server::Server;

on_both_databases! {
    async fn what_one_replica_opens_the_other_knows_and_ends_for_both(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open("alice").await;
        assert!(two.stands(&opened.access).await, "signed by the one, verified by the other");
        two.end(&opened.id).await;
        assert!(!one.stands(&opened.access).await && !two.stands(&opened.access).await);
    }

    async fn a_restart_logs_nobody_out(database) {
        let before = Server::start(database).await;
        let (alice, bob) = (before.open("alice").await, before.open("bob").await);
        let refreshed = before.refresh(&alice.refresh).await.expect(200).json();
        let after = before.replica().await;
        drop(before);
        assert!(after.stands(&bob.access).await);
        after.refresh(&bob.refresh).await.expect(200);
        assert!(after.stands(refreshed["access_token"].as_str().unwrap()).await);
        after.refresh(refreshed["refresh_token"].as_str().unwrap()).await.expect(200);
    }

    async fn a_rotated_signing_key_breaks_no_token(database) {
        let server = Server::start(database).await;
        let before = server.open("alice").await;
        let keys = server.signing_keys();
        keys.rotate(None, false, None).await.unwrap();
        server.sessions.access_tokens().replace_keys(keys.load().await.unwrap());
        let soon = server.open("alice").await;
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        assert_eq!(kid(&before.access), kid(&soon.access), "published, not yet used");
        server.wait(chrono::TimeDelta::minutes(11));
        let later = server.open("alice").await;
        assert_ne!(kid(&soon.access), kid(&later.access));
        assert!(server.stands(&later.access).await);
        let key_set = crate::support::server::answer(server.request("GET", "/.well-known/jwks.json")).await.json();
        assert_eq!(key_set["keys"].as_array().unwrap().len(), 2);
        server.wait(chrono::TimeDelta::hours(2));
        server.sessions.access_tokens().replace_keys(keys.load().await.unwrap());
        assert_eq!(server.store.signing_keys().await.unwrap().len(), 1, "a key that no token needs is forgotten");
    }

    async fn a_compromised_signing_key_counts_no_more(database) {
        let server = Server::start(database).await;
        let before = server.open("alice").await;
        let keys = server.signing_keys();
        keys.rotate(None, true, None).await.unwrap();
        server.sessions.access_tokens().replace_keys(keys.load().await.unwrap());
        assert!(!server.stands(&before.access).await);
        let refreshed = server.refresh(&before.refresh).await.expect(200).json();
        assert!(server.stands(refreshed["access_token"].as_str().unwrap()).await, "nobody has to sign in again");
    }

    async fn two_rotations_at_once_both_happen(database) {
        let server = Server::start(database).await;
        let keys = server.signing_keys();
        for _ in 0..5 {
            let (plain, compromised) = tokio::join!(keys.rotate(None, false, None), keys.rotate(None, true, None));
            let (plain, compromised) = (plain.unwrap().remove(0), compromised.unwrap().remove(0));
            assert_ne!(plain.sequence, compromised.sequence);
            let stored = server.store.signing_keys().await.unwrap();
            assert!(stored.contains(&compromised), "what was answered is stored");
            server.sessions.access_tokens().replace_keys(keys.load().await.unwrap());
            assert!(server.stands(&server.open("alice").await.access).await);
        }
    }

    async fn a_clock_that_steps_back_keeps_nobody_from_a_session(database) {
        let server = Server::start(database).await;
        server.wait(chrono::TimeDelta::seconds(-60));
        let opened = server.open("alice").await;
        assert!(server.stands(&opened.access).await);
    }

    async fn a_key_gets_a_successor_when_it_is_old(database) {
        let server = Server::start(database).await;
        let keys = server.signing_keys();
        keys.load().await.unwrap();
        assert_eq!(server.store.signing_keys().await.unwrap().len(), 1);
        server.wait(chrono::TimeDelta::days(90));
        for _ in 0..3 {
            keys.load().await.unwrap();
        }
        let stored = server.store.signing_keys().await.unwrap();
        assert_eq!(stored.len(), 2, "one, however often it is looked");
        assert_eq!(stored[1].active_from, stored[1].created_at + sojourn::tokens::PUBLICATION_LEAD);
    }
}

/// Three replicas: one is five seconds ahead, one five behind, and one two hours behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_whose_clocks_differ_agree_on_what_time_it_is_postgres() {
    let off = |seconds: i64| {
        move |with: Builder| {
            let clock = Arc::new(ShiftedClock::default());
            clock.shift(TimeDelta::seconds(seconds));
            with.clock(clock).with_shared_clock()
        }
    };
    let server = Server::start_on_postgres().await;
    let mut replicas = Vec::new();
    for seconds in [5, -5, -7200] {
        let replica = server.replica_with(off(seconds)).await;
        replica.catch_up().await;
        replicas.push(replica);
    }
    for replica in &replicas {
        let differ = (replica.sessions.now() - server.sessions.now()).abs();
        assert!(differ < TimeDelta::milliseconds(1500), "{differ}");
    }
    // A session opened by one replica is valid on the other at once: its times are neither in the future nor in the
    // past.
    let opened = replicas[0].open("alice").await;
    for replica in &replicas {
        assert!(replica.stands(&opened.access).await);
    }
}

/// FT-17: a clock that jumps neither deletes rows that are too young nor makes an ended session active.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_deletes_nothing_and_revives_nothing_postgres() {
    let server = Server::builder().with_shared_clock().without_change_log().start_on_postgres().await;
    let (kept, ended) = (server.open("alice").await, server.open("bob").await);
    server.end(&ended.id).await;
    for jump in [TimeDelta::days(400), TimeDelta::days(-800)] {
        server.wait(jump);
        assert_eq!(server.sessions.delete_expired_rows().await.unwrap(), 0);
        assert!(server.stands(&kept.access).await && !server.stands(&ended.access).await, "after {jump}");
    }
}
