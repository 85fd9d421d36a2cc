//! The change log.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::{Change, EndReason, Ended, LogPosition, LogSnapshot, Owner, Session, TokenIssuer};
use sojourn::store::{
    self, Announcement, Changes, EndedAtOnce, Heard, MAX_CHANGES, MAX_REPLAYED, SessionChange, Store,
};

use super::fixture::{Fixture, Raw, at, attempt, details, session_of, user};
use super::keys::{service_key, signing_key};

on_both_stores! {
    every_ending_is_in_the_log_whatever_ended_it,
    what_is_shown_of_a_session_or_user_is_in_the_log_when_it_changes,
    what_does_not_change_is_not_in_the_log,
    an_end_that_is_moved_is_in_the_log_unless_a_rotation_moves_it_later,
    a_revoked_service_key_and_changed_signing_keys_are_in_the_log,
    the_log_is_read_from_any_place_and_in_parts,
    what_is_forgotten_is_gone_and_the_rest_is_not,
    an_ending_that_is_rolled_back_is_not_in_the_log,
    a_change_of_a_newer_version_is_not_lost,
}

/// A reading of the log from its beginning.
async fn look(store: &Arc<dyn Store>) -> Changes {
    store.changes(&LogSnapshot::default(), LogPosition::default()).await.unwrap()
}

async fn all(store: &Arc<dyn Store>) -> Vec<Change> {
    let changes = look(store).await;
    changes.changes.into_iter().map(|logged| logged.change).collect()
}

async fn every_ending_is_in_the_log_whatever_ended_it(fixture: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(fixture.open(session_of("ann")).await);
    }
    let by_hand = format!(
        "UPDATE sessions SET ended_at = {}, end_reason = 'logout' WHERE id = {}",
        fixture.raw.time(at(1)),
        fixture.raw.id(sessions[0].id)
    );
    fixture.raw.run(&by_hand).await.unwrap();
    fixture.store.end_session(sessions[1].id, Owner::Anyone, EndReason::RevokedByAdmin, at(2), None).await.unwrap();
    fixture
        .store
        .end_sessions_of(&user("ann"), Some(sessions[3].id), EndReason::RevokedByUser, at(3), None)
        .await
        .unwrap();
    fixture.store.ban_user(&user("ann"), None, at(4), None).await.unwrap();
    let reasons = [EndReason::Logout, EndReason::RevokedByAdmin, EndReason::RevokedByUser, EndReason::UserBanned];
    let mut logged = all(&fixture.store).await;
    assert!(logged.contains(&Change::UserChanged(user("ann"))), "the ban itself");
    logged.retain(|change| matches!(change, Change::SessionEnded { .. }));
    let expected: Vec<Change> = sessions
        .iter()
        .zip(reasons)
        .zip(1..)
        .map(|((session, reason), seconds)| Change::SessionEnded {
            id: session.id,
            user: user("ann"),
            ended: Ended { at: at(seconds), reason },
        })
        .collect();
    assert_eq!(logged, expected);
}

async fn what_is_shown_of_a_session_or_user_is_in_the_log_when_it_changes(fixture: &Fixture) {
    let (id, ann) = (fixture.open(session_of("ann")).await.id, user("ann"));
    let change = SessionChange { device_name: Some(Some("Desk".to_owned())), ..SessionChange::default() };
    fixture.store.change_session(id, Owner::Anyone, &change, at(1), None).await.unwrap().unwrap();
    let claims = Some(Some(sojourn::model::ExtraClaims::from_json("{\"a\":1}".to_owned())));
    let change = SessionChange { claims, ..SessionChange::default() };
    fixture.store.change_session(id, Owner::Anyone, &change, at(1), None).await.unwrap().unwrap();
    fixture.store.extend_session(id, Owner::Anyone, TimeDelta::hours(1), at(1), None).await.unwrap().unwrap();
    fixture.store.put_user(&ann, &details(Some("Ann"), None), at(2), None).await.unwrap();
    fixture.store.ban_user(&user("bob"), None, at(2), None).await.unwrap();
    fixture.store.unban_user(&user("bob"), at(3), None).await.unwrap();
    fixture.store.delete_user(&user("bob"), at(4), None).await.unwrap();
    let changed = |name| Change::UserChanged(user(name));
    let session_changed = || Change::SessionChanged { id, user: ann.clone() };
    assert_eq!(
        all(&fixture.store).await,
        [session_changed(), session_changed(), session_changed(), changed("ann"), changed("bob"), changed("bob")]
    );
}

async fn what_does_not_change_is_not_in_the_log(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let touch = sojourn::model::Touch { id: session.id, seen_at: at(1), counter: 1, seen_from: None };
    fixture.store.touch_sessions(&[touch]).await.unwrap();
    fixture.store.put_user(&session.user_id, &details(None, None), at(2), None).await.unwrap();
    fixture.open(session_of("ann")).await;
    fixture.store.refresh_session(attempt(session.id, 0, at(3))).await.unwrap();
    assert_eq!(all(&fixture.store).await, []);
}

async fn an_end_that_is_moved_is_in_the_log_unless_a_rotation_moves_it_later(fixture: &Fixture) {
    let id = fixture.raw.id(fixture.open(session_of("ann")).await.id);
    let later = |days| fixture.raw.time(at(0) + TimeDelta::days(days));
    let moves = [
        (format!("expires_at = {}, refresh_counter = 1", later(20)), false),
        (format!("expires_at = {}", later(21)), true),
        (format!("expires_at = {}, refresh_counter = 2", later(19)), true),
        (format!("expires_at = {}", later(18)), true),
        (format!("expires_at = {}, refresh_counter = 3, metadata = '{{\"a\":1}}'", later(20)), true),
    ];
    let mut expected = 0;
    for (change, logged) in moves {
        fixture.raw.run(&format!("UPDATE sessions SET {change} WHERE id = {id}")).await.unwrap();
        expected += usize::from(logged);
        assert_eq!(all(&fixture.store).await.len(), expected, "{change}");
    }
}

async fn a_revoked_service_key_and_changed_signing_keys_are_in_the_log(fixture: &Fixture) {
    let key = service_key(7, 0);
    fixture.store.add_service_key(&key, None).await.unwrap();
    let ended = Ended { at: at(1), reason: EndReason::RevokedByAdmin };
    let revoked = fixture.store.revoke_service_key(key.id, &user("staff"), ended, None).await.unwrap();
    assert_eq!(revoked, Some(EndedAtOnce::Ended(Vec::new())));
    fixture.store.add_signing_key(&signing_key(1, "one", sojourn::model::Algorithm::EdDsa), None).await.unwrap();
    assert_eq!(all(&fixture.store).await, [Change::ServiceKeyRevoked(key.id), Change::SigningKeysChanged]);
}

async fn the_log_is_read_from_any_place_and_in_parts(fixture: &Fixture) {
    let many = i64::from(MAX_CHANGES) + 10;
    let insert = match fixture.raw {
        Raw::Postgres(_) => {
            format!("INSERT INTO changes (kind) SELECT 'signing_keys_changed' FROM generate_series(1, {many})")
        }
        Raw::Sqlite(_) => format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})
             INSERT INTO changes (kind) SELECT 'signing_keys_changed' FROM n"
        ),
    };
    fixture.raw.run(&insert).await.unwrap();
    let first = look(&fixture.store).await;
    assert_eq!(first.changes.len(), MAX_CHANGES as usize);
    let next = first.next.unwrap();
    assert_eq!(next, first.changes.last().unwrap().position);
    let rest = fixture.store.changes(&LogSnapshot::default(), next).await.unwrap();
    assert_eq!(rest.next, None);
    assert_eq!(rest.changes.len(), 10);
    let places: BTreeSet<LogPosition> =
        first.changes.iter().chain(&rest.changes).map(|logged| logged.position).collect();
    assert_eq!(i64::try_from(places.len()).unwrap(), many, "each once");
    let end = fixture.store.changes(&LogSnapshot::default(), *places.last().unwrap()).await.unwrap();
    assert_eq!(end.changes, []);
    assert!(end.settled >= first.settled);
    let again = fixture.store.changes(&rest.snapshot, LogPosition::default()).await.unwrap();
    assert_eq!(again.changes, [], "a look has seen it all");
    let (mut replayed, mut next) = (Vec::new(), Some(LogPosition::default()));
    while let Some(after) = next {
        let page = fixture.store.replay_changes(after).await.unwrap();
        assert!(page.changes.len() <= MAX_REPLAYED as usize);
        replayed.extend(page.changes);
        next = page.next;
    }
    assert_eq!(replayed, [first.changes, rest.changes].concat());
}

async fn what_is_forgotten_is_gone_and_the_rest_is_not(fixture: &Fixture) {
    let old = fixture.open(session_of("ann")).await;
    fixture.store.end_session(old.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let settled = look(&fixture.store).await;
    let place = LogPosition { sequence: settled.changes[0].position.sequence + 1, ..settled.changes[0].position };
    let new = fixture.open(session_of("ann")).await;
    fixture.store.end_session(new.id, Owner::Anyone, EndReason::Logout, at(2), None).await.unwrap();
    assert_eq!(fixture.store.forget_changes(place, at(0)).await.unwrap(), 1);
    assert_eq!(fixture.store.forget_changes(place, at(0)).await.unwrap(), 0);
    let left = all(&fixture.store).await;
    assert!(matches!(left.as_slice(), [Change::SessionEnded { id, .. }] if *id == new.id), "{left:?}");
}

async fn an_ending_that_is_rolled_back_is_not_in_the_log(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (id, now) = (fixture.raw.id(session.id), fixture.raw.time(at(1)));
    let end = format!("UPDATE sessions SET ended_at = {now}, end_reason = 'logout' WHERE id = {id}");
    fixture.raw.run_all(&format!("BEGIN; {end}; ROLLBACK")).await;
    assert_eq!(all(&fixture.store).await, []);
}

async fn a_change_of_a_newer_version_is_not_lost(fixture: &Fixture) {
    fixture.raw.run("INSERT INTO changes (kind) VALUES ('something_new')").await.unwrap();
    assert_eq!(all(&fixture.store).await, [Change::Unknown]);
}

/// C-12: a transaction that draws its number first and commits last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_is_read_although_later_numbers_were_read_before() {
    let fixture = Fixture::postgres().await;
    let (slow, fast) = (fixture.open(session_of("ann")).await, fixture.open(session_of("bob")).await);
    let Raw::Postgres(pool) = &fixture.raw else { panic!("this is PostgreSQL") };
    let mut late = pool.begin().await.unwrap();
    sqlx::query("UPDATE sessions SET ended_at = $1, end_reason = 'logout' WHERE id = $2")
        .bind(at(1))
        .bind(slow.id.as_uuid())
        .execute(&mut *late)
        .await
        .unwrap();
    fixture.store.end_session(fast.id, Owner::Anyone, EndReason::Logout, at(2), None).await.unwrap();
    let before = look(&fixture.store).await;
    assert_eq!(before.changes.len(), 1, "the fast one");
    assert!(before.settled < before.changes[0].position, "the slow one may still come before it");
    let meanwhile = fixture.store.changes(&before.snapshot, LogPosition::default()).await.unwrap();
    assert_eq!(meanwhile.changes, [], "nothing is read twice, however long the slow one takes");
    late.commit().await.unwrap();
    let after = fixture.store.changes(&meanwhile.snapshot, LogPosition::default()).await.unwrap();
    let ended: Vec<_> = after
        .changes
        .iter()
        .map(|logged| match &logged.change {
            Change::SessionEnded { id, .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ended, [slow.id], "the slow one is there now");
    // A position settles only when older transactions of the whole cluster have ended.
    while look(&fixture.store).await.settled <= before.changes[0].position {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Inserts rows as a dump brings them along from a cluster whose transaction numbers are higher.
async fn insert_foreign(fixture: &Fixture, session: &Session, ended: DateTime<Utc>) {
    let insert = format!(
        "INSERT INTO changes (transaction_id, kind, subject_id, user_id, reason, at)
         SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8, 'session_ended', {}, \
         'ann', 'logout', {}",
        fixture.raw.id(session.id),
        fixture.raw.time(ended)
    );
    fixture.raw.run(&insert).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_from_the_future_are_told_apart_and_forgotten_when_their_endings_count_no_more() {
    let fixture = Fixture::postgres().await;
    let session = fixture.open(session_of("ann")).await;
    insert_foreign(&fixture, &session, at(10)).await;
    insert_foreign(&fixture, &session, at(20)).await;
    assert_eq!(all(&fixture.store).await, [], "no look reads them");
    assert_eq!(fixture.store.replay_changes(LogPosition::default()).await.unwrap().changes, []);
    let told = fixture.store.foreign_endings(at(15)).await.unwrap();
    let ended = Ended { at: at(20), reason: EndReason::Logout };
    assert!(
        matches!(told.as_slice(), [logged] if logged.position.transaction == 0
            && logged.change == Change::SessionEnded { id: session.id, user: user("ann"), ended }),
        "{told:?}"
    );
    assert_eq!(fixture.store.forget_changes(LogPosition::default(), at(15)).await.unwrap(), 1);
    assert_eq!(fixture.store.foreign_endings(at(0)).await.unwrap(), told);
    assert_eq!(fixture.store.forget_changes(LogPosition::default(), at(30)).await.unwrap(), 1);
    assert_eq!(fixture.store.foreign_endings(at(0)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_connection_says_so_and_reads_the_same_log() {
    let fixture = Fixture::postgres().await;
    let before = look(&fixture.store).await;
    fixture.raw.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await.unwrap();
    let after = loop {
        if let Ok(after) = fixture.store.changes(&LogSnapshot::default(), LogPosition::default()).await {
            break after;
        }
    };
    assert_eq!(after.log, before.log);
    assert_ne!(after.connection, before.connection);
    assert!(after.settled >= before.settled, "what is on the disk stays read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_file_gives_no_position_again() {
    let fixture = Fixture::sqlite().await;
    let sessions = [fixture.open(session_of("ann")).await, fixture.open(session_of("ann")).await];
    let path = fixture.database.url().strip_prefix("sqlite:").unwrap();
    fixture.raw.run(&format!("VACUUM INTO '{path}.backup'")).await.unwrap();
    for session in &sessions {
        fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    }
    let lost = look(&fixture.store).await;
    let restored = store::open(&format!("sqlite:{path}.backup"), 2).await.unwrap();
    restored.end_session(sessions[0].id, Owner::Anyone, EndReason::Logout, at(2), None).await.unwrap();
    let new = restored.changes(&lost.snapshot, LogPosition::default()).await.unwrap();
    assert_eq!(new.changes.len(), 1, "it stands behind all that were told before");
    assert!(new.changes[0].position > lost.settled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_is_heard_by_every_listener() {
    let fixture = Fixture::postgres().await;
    let mut one = fixture.store.listen().await.unwrap().unwrap();
    let mut two = fixture.store.listen().await.unwrap().unwrap();
    let issuer = |issuer: &str| TokenIssuer { issuer: issuer.to_owned(), audience: "apps".to_owned() };
    let too_long = issuer(&format!("https://id.example/{}", "x".repeat(8000)));
    let own = issuer("https://id.example");
    fixture.store.announce(Announcement::Heartbeat, None).await.unwrap();
    fixture.store.announce(Announcement::Changes, None).await.unwrap();
    fixture.store.announce(Announcement::Heartbeat, Some(&own)).await.unwrap();
    fixture.store.announce(Announcement::Changes, Some(&own)).await.unwrap();
    fixture.store.announce(Announcement::Heartbeat, Some(&too_long)).await.unwrap();
    for word in ["changes", "a word of a later version"] {
        fixture.raw.run(&format!("SELECT pg_notify('sojourn', '{word}')")).await.unwrap();
    }
    for listener in [&mut one, &mut two] {
        let mut next = async || {
            let Heard { log_grown, issuer } = listener.hear().await.unwrap();
            (log_grown, issuer)
        };
        assert_eq!(next().await, (false, None), "a heartbeat");
        assert_eq!(next().await, (true, None), "the log has grown");
        assert_eq!(next().await, (false, Some(own.clone())));
        assert_eq!(next().await, (true, Some(own.clone())));
        assert_eq!(next().await, (false, None), "what is too long for a notification is left out");
        assert_eq!(next().await, (true, None), "as an earlier version says it");
        assert_eq!(next().await, (true, None), "what is not known may be news");
    }
    fixture.raw.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sojourn-notices' AND datname = current_database()").await.unwrap();
    assert!(one.hear().await.is_err(), "a broken line is no silence");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listens_at_a_file() {
    let fixture = Fixture::sqlite().await;
    assert!(fixture.store.listen().await.unwrap().is_none());
    fixture.store.announce(Announcement::Changes, None).await.unwrap();
}
