//! Users, and the effect of a ban or deletion on their sessions.

use sojourn::model::{BulkEnding, Device, EndReason, Ended, Filter, Metadata, Owner, Session};
use sojourn::model::{NameMatch, User, UserSearch};
use sojourn::store::{EndedAtOnce, NewSession, Opening};

use super::fixture::{Fixture, Raw, all, at, details, full_session, keyed, new, session_at, session_of, sorted, user};

on_both_stores!(
    an_unknown_user_is_not_there,
    a_user_is_created_and_changed_by_what_is_told,
    repeated_details_are_no_change,
    a_ban_ends_the_users_sessions_and_no_other,
    a_ban_may_come_before_the_user,
    a_second_ban_keeps_the_first_ones_time,
    a_ban_has_the_reason_that_was_given_last_until_it_is_lifted,
    a_lifted_ban_brings_no_session_back,
    a_deleted_user_is_gone_with_ban_and_sessions,
    an_unknown_user_with_sessions_can_be_deleted,
    users_put_at_once_are_one,
    personal_data_is_removed_from_every_row,
    a_user_with_very_many_sessions_is_erased_a_batch_at_a_time,
    of_an_erased_user_s_idempotency_keys_hashes_remain_that_open_nothing,
    a_key_that_was_erased_is_free_again_after_its_time,
    a_user_with_very_many_idempotency_keys_is_erased_in_one_call,
    users_are_found_by_what_their_details_begin_with,
    pages_of_users_follow_each_other_in_the_order_of_ids,
);

async fn an_unknown_user_is_not_there(fixture: &Fixture) {
    fixture.open(session_of("ann")).await;
    let bob = user("bob");
    assert_eq!(fixture.store.user(&bob).await.unwrap(), None);
    assert_eq!(fixture.store.unban_user(&bob, at(1), None).await.unwrap(), None);
    assert_eq!(fixture.store.delete_user(&bob, at(1), None).await.unwrap(), None);
    assert_eq!(fixture.store.user(&bob).await.unwrap(), None);
}

async fn a_user_is_created_and_changed_by_what_is_told(fixture: &Fixture) {
    let ann = user("ann");
    let created = fixture.store.put_user(&ann, &details(None, Some("ann@example.org")), at(1), None).await.unwrap();
    let expected = User {
        id: ann.clone(),
        name: None,
        email: Some("ann@example.org".to_owned()),
        banned_at: None,
        ban_reason: None,
        created_at: at(1),
        updated_at: at(1),
    };
    assert_eq!(created, expected);
    let named = fixture.store.put_user(&ann, &details(Some("Änn 安"), None), at(2), None).await.unwrap();
    assert_eq!(named, User { name: Some("Änn 安".to_owned()), updated_at: at(2), ..expected });
    assert_eq!(fixture.store.user(&ann).await.unwrap(), Some(named));
}

async fn repeated_details_are_no_change(fixture: &Fixture) {
    let ann = user("ann");
    let created = fixture.store.put_user(&ann, &details(Some("Ann"), None), at(1), None).await.unwrap();
    for told in [details(Some("Ann"), None), details(None, None)] {
        assert_eq!(fixture.store.put_user(&ann, &told, at(2), None).await.unwrap(), created);
    }
}

async fn a_ban_ends_the_users_sessions_and_no_other(fixture: &Fixture) {
    let one = fixture.open(session_at("eve", 1)).await;
    let two = fixture.open(session_at("eve", 0)).await;
    let other = fixture.open(session_of("ann")).await;
    let (banned, ended) = fixture.store.ban_user(&one.user_id, None, at(5), None).await.unwrap();
    assert_eq!((banned.banned_at, banned.updated_at, banned.created_at), (Some(at(5)), at(5), at(1)));
    assert_eq!(ended, EndedAtOnce::Ended(sorted(vec![one.id, two.id])));
    assert_eq!(fixture.stored(one.id).await.ended, Some(Ended { at: at(5), reason: EndReason::UserBanned }));
    assert_eq!(fixture.stored(other.id).await.ended, None);
    assert_eq!(fixture.store.user(&one.user_id).await.unwrap(), Some(banned));
}

async fn a_ban_may_come_before_the_user(fixture: &Fixture) {
    let eve = user("eve");
    let (banned, ended) = fixture.store.ban_user(&eve, None, at(5), None).await.unwrap();
    assert_eq!(ended, EndedAtOnce::Ended(vec![]));
    assert_eq!((banned.banned_at, banned.created_at), (Some(at(5)), at(5)));
    let told = fixture.store.put_user(&eve, &details(Some("Eve"), None), at(6), None).await.unwrap();
    assert_eq!(told.banned_at, Some(at(5)));
    assert_eq!(fixture.store.open_session(&new(&session_at("eve", 7))).await.unwrap(), Opening::UserBanned);
}

async fn a_second_ban_keeps_the_first_ones_time(fixture: &Fixture) {
    let eve = user("eve");
    let first = fixture.store.ban_user(&eve, None, at(5), None).await.unwrap();
    assert_eq!(fixture.store.ban_user(&eve, None, at(6), None).await.unwrap(), first);
}

async fn a_ban_has_the_reason_that_was_given_last_until_it_is_lifted(fixture: &Fixture) {
    let eve = user("eve");
    let ban = async |reason, seconds| fixture.store.ban_user(&eve, reason, at(seconds), None).await.unwrap().0;
    let banned = ban(Some("Chargeback"), 5).await;
    assert_eq!((banned.banned_at, banned.ban_reason.as_deref()), (Some(at(5)), Some("Chargeback")));
    assert_eq!(ban(None, 6).await, banned, "no reason leaves the reason as it is");
    let again = ban(Some("Fraud"), 7).await;
    assert_eq!((again.banned_at, again.ban_reason.as_deref(), again.updated_at), (Some(at(5)), Some("Fraud"), at(7)));
    let free = fixture.store.unban_user(&eve, at(8), None).await.unwrap().unwrap();
    assert_eq!((free.banned_at, free.ban_reason), (None, None));
    assert_eq!(ban(None, 9).await.ban_reason, None, "nothing is left of an earlier ban");
    // A server of the previous version lifts a ban and leaves the reason.
    ban(Some("Fraud"), 10).await;
    fixture.raw.run("UPDATE users SET banned_at = NULL").await.unwrap();
    assert_eq!(fixture.store.user(&eve).await.unwrap().unwrap().ban_reason, None);
    assert_eq!(ban(None, 11).await.ban_reason, None);
}

async fn a_lifted_ban_brings_no_session_back(fixture: &Fixture) {
    let session = fixture.open(session_of("eve")).await;
    let eve = &session.user_id;
    fixture.store.ban_user(eve, None, at(5), None).await.unwrap();
    let free = fixture.store.unban_user(eve, at(6), None).await.unwrap().unwrap();
    assert_eq!((free.banned_at, free.updated_at), (None, at(6)));
    assert_eq!(fixture.active_ids(eve, at(7)).await, []);
    assert_eq!(fixture.store.unban_user(eve, at(8), None).await.unwrap(), Some(free));
    let again = fixture.open(session_at("eve", 9)).await;
    assert_eq!(fixture.active_ids(eve, at(9)).await, [again.id]);
}

async fn a_deleted_user_is_gone_with_ban_and_sessions(fixture: &Fixture) {
    let one = fixture.open(session_of("ann")).await;
    let two = fixture.open(session_of("ann")).await;
    let other = fixture.open(session_of("bob")).await;
    let ann = &one.user_id;
    assert_eq!(
        fixture.store.delete_user(ann, at(5), None).await.unwrap(),
        Some(EndedAtOnce::Ended(vec![one.id, two.id]))
    );
    assert_eq!(fixture.stored(two.id).await.ended, Some(Ended { at: at(5), reason: EndReason::UserDeleted }));
    assert_eq!(fixture.store.user(ann).await.unwrap(), None);
    assert_eq!(fixture.store.delete_user(ann, at(6), None).await.unwrap(), None);
    assert_eq!(fixture.stored(other.id).await.ended, None);

    fixture.store.ban_user(ann, None, at(7), None).await.unwrap();
    assert_eq!(fixture.store.delete_user(ann, at(8), None).await.unwrap(), Some(EndedAtOnce::Ended(vec![])));
    fixture.open(session_at("ann", 9)).await;
}

async fn an_unknown_user_with_sessions_can_be_deleted(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.raw.run("DELETE FROM users").await.unwrap();
    assert_eq!(
        fixture.store.delete_user(&session.user_id, at(5), None).await.unwrap().map(all),
        Some(vec![session.id])
    );
}

async fn users_put_at_once_are_one(fixture: &Fixture) {
    fixture
        .race(20, |task, store| async move {
            let name = format!("Ann {task}");
            store.put_user(&user("ann"), &details(Some(&name), None), at(1), None).await.unwrap();
        })
        .await;
    assert_eq!(fixture.raw.number("SELECT count(*) FROM users").await, 1);
}

async fn personal_data_is_removed_from_every_row(fixture: &Fixture) {
    let full = |name| Session { expires_at: at(90), absolute_expires_at: at(90), ..full_session(name) };
    let (standing, ended, other) = (full("ann"), full("ann"), full("bob"));
    fixture.open(standing.clone()).await;
    fixture.store.open_session(&keyed(&ended, "k", b"hash")).await.unwrap();
    fixture.store.open_session(&keyed(&other, "other", b"hash")).await.unwrap();
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let filter = |name, address: &str| Filter {
        user_id: Some(user(name)),
        ip_address: Some(address.parse().unwrap()),
        ..Filter::default()
    };
    for name in ["ann", "bob"] {
        let filter = filter(name, "192.0.2.1");
        let ended = Ended { at: at(2), reason: EndReason::RevokedByAdmin };
        fixture.store.end_in_bulk(&BulkEnding { filter, except: None, ended }, None).await.unwrap();
    }
    let ann = &standing.user_id;
    fixture.store.delete_user(ann, at(3), None).await.unwrap();

    let mut erased = 0;
    while let count @ 1.. = fixture.store.erase_user(ann, "user:ann", "erased:x", None).await.unwrap() {
        erased += count;
    }
    assert_eq!(erased, 2);
    assert_eq!(fixture.store.erase_user(ann, "user:ann", "erased:x", None).await.unwrap(), 0);
    for session in [&standing, &ended] {
        let stored = fixture.stored(session.id).await;
        let nobody = Session {
            ip_address: None,
            location: None,
            place: None,
            last_seen_from: None,
            user_agent: None,
            device: Device { kind: session.device.kind, ..Device::default() },
            metadata: Metadata::default(),
            claims: None,
            ended: stored.ended,
            ..session.clone()
        };
        assert!(stored.ended.is_some());
        assert_eq!(stored, nobody);
    }
    assert_eq!(fixture.stored(other.id).await, other);
    let repeat = fixture.store.open_session(&keyed(&full("ann"), "k", b"hash")).await.unwrap();
    assert_eq!(repeat, Opening::KeyReused, "a repeat opens nothing");
    assert!(matches!(
        fixture.store.open_session(&keyed(&full("bob"), "other", b"hash")).await.unwrap(),
        Opening::Repeated(_)
    ));
    let endings = fixture.store.bulk_endings(at(0)).await.unwrap();
    let addresses: Vec<bool> = endings.iter().map(|ending| ending.filter.ip_address.is_some()).collect();
    assert_eq!(addresses, [false, true]);
}

async fn a_user_with_very_many_sessions_is_erased_a_batch_at_a_time(fixture: &Fixture) {
    let one = fixture.open(session_of("ann")).await;
    fixture.database.copy_session(one.id.as_uuid(), 5005).await;
    fixture.raw.run("UPDATE sessions SET location = 'Lisbon'").await.unwrap();
    let counts = [
        fixture.store.erase_user(&one.user_id, "user:ann", "erased:x", None).await.unwrap(),
        fixture.store.erase_user(&one.user_id, "user:ann", "erased:x", None).await.unwrap(),
        fixture.store.erase_user(&one.user_id, "user:ann", "erased:x", None).await.unwrap(),
    ];
    assert_eq!(counts, [5000, 6, 0]);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions WHERE location IS NOT NULL").await, 0);
}

/// As [`keyed`], of another service.
fn keyed_of(service: &str, session: &Session, key: &str) -> NewSession {
    let mut new = keyed(session, key, b"hash");
    service.clone_into(&mut new.idempotency.as_mut().unwrap().service);
    new
}

async fn erase(fixture: &Fixture, name: &str) {
    while fixture.store.erase_user(&user(name), &format!("user:{name}"), "erased:x", None).await.unwrap() > 0 {}
}

async fn of_an_erased_user_s_idempotency_keys_hashes_remain_that_open_nothing(fixture: &Fixture) {
    let open = async |new: NewSession| fixture.store.open_session(&new).await.unwrap();
    let key = "ann@example.org";
    // Of the user's session, and of one that the user opened for somebody else.
    let others = [("web", "ann"), ("user:ann", "bob")];
    for (service, name) in others {
        assert!(matches!(open(keyed_of(service, &session_of(name), key)).await, Opening::Opened { .. }));
    }
    assert!(matches!(open(keyed_of("web", &session_of("bob"), "bob@example.org")).await, Opening::Opened { .. }));
    erase(fixture, "ann").await;
    let texts = "SELECT count(*) FROM idempotency_keys WHERE key LIKE";
    assert_eq!(fixture.raw.number(&format!("{texts} '%ann%'")).await, 0);
    assert_eq!(fixture.raw.number(&format!("{texts} 'erased_%'")).await, 2);
    for (service, name) in others {
        assert_eq!(open(keyed_of(service, &session_of(name), key)).await, Opening::KeyReused, "{service}");
    }
    assert!(matches!(open(keyed_of("web", &session_of("bob"), "bob@example.org")).await, Opening::Repeated(_)));
    assert!(matches!(open(keyed_of("app", &session_of("ann"), key)).await, Opening::Opened { .. }), "another service");
    erase(fixture, "ann").await;
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys").await, 4);
}

async fn a_key_that_was_erased_is_free_again_after_its_time(fixture: &Fixture) {
    const DAY: i64 = 24 * 60 * 60;
    let at_time = |seconds| keyed(&session_at("ann", seconds), "ann@example.org", b"hash");
    fixture.store.open_session(&at_time(0)).await.unwrap();
    erase(fixture, "ann").await;
    assert_eq!(fixture.store.open_session(&at_time(DAY - 1)).await.unwrap(), Opening::KeyReused);
    assert!(matches!(fixture.store.open_session(&at_time(DAY)).await.unwrap(), Opening::Opened { .. }));
    // The first is not cleaned up yet: the second takes its place.
    erase(fixture, "ann").await;
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys WHERE key NOT LIKE '%ann%'").await, 1);
    assert_eq!(fixture.store.open_session(&at_time(DAY + 1)).await.unwrap(), Opening::KeyReused);
}

async fn a_user_with_very_many_idempotency_keys_is_erased_in_one_call(fixture: &Fixture) {
    let one = fixture.open(session_of("ann")).await;
    fixture.database.copy_session(one.id.as_uuid(), 1500).await;
    for service in ["web", "user:ann"] {
        let (text, fingerprint) = match fixture.raw {
            Raw::Postgres(_) => ("id::text", "'f'"),
            Raw::Sqlite(_) => ("hex(id)", "x'66'"),
        };
        let insert = format!(
            "INSERT INTO idempotency_keys (service, key, fingerprint, session_id, created_at)
             SELECT '{service}', {text}, {fingerprint}, id, created_at FROM sessions"
        );
        assert_eq!(fixture.raw.run(&insert).await.unwrap(), 1501);
    }
    assert_eq!(fixture.store.erase_user(&one.user_id, "user:ann", "erased:x", None).await.unwrap(), 0);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys WHERE key LIKE 'erased_%'").await, 3002);
}

/// The claim of the key begins before the erasure is committed and waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_waits_for_an_erasure_opens_nothing_postgres() {
    const ERASE: &str = "UPDATE idempotency_keys SET fingerprint = '',
        key = E'erased\\n' || encode(sha256(convert_to(service || E'\\n' || key, 'UTF8')), 'hex')";
    const WAITING: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let fixture = Fixture::postgres().await;
    let Raw::Postgres(pool) = &fixture.raw else { unreachable!() };
    fixture.store.open_session(&keyed(&session_of("ann"), "k", b"hash")).await.unwrap();
    let mut erasure = pool.begin().await.unwrap();
    assert_eq!(sqlx::query(ERASE).execute(&mut *erasure).await.unwrap().rows_affected(), 1);
    let store = fixture.store.clone();
    let repeat = tokio::spawn(async move { store.open_session(&keyed(&session_of("ann"), "k", b"hash")).await });
    while fixture.raw.number(WAITING).await == 0 {
        tokio::task::yield_now().await;
    }
    erasure.commit().await.unwrap();
    assert_eq!(repeat.await.unwrap().unwrap(), Opening::KeyReused);
}

const ALL_USERS: UserSearch<'_> =
    UserSearch { text: None, id: None, name: None, email: None, banned: None, after: None, limit: 9, may_lag: false };

async fn found(fixture: &Fixture, search: UserSearch<'_>) -> Vec<String> {
    let users = fixture.store.search_users(search).await.unwrap();
    users.into_iter().map(|user| user.id.to_string()).collect()
}

async fn users_are_found_by_what_their_details_begin_with(fixture: &Fixture) {
    for (id, name, email) in [
        ("1", Some("Ann Lee"), Some("Ann@Example.org")),
        ("2", Some("ANNETTE"), Some("a%@example.org")),
        ("ann", None, None),
        ("Ann", Some("Zo\u{eb}"), Some("ann@example.org")),
        ("z", Some("Bo_b"), Some("zoe@example.org")),
    ] {
        fixture.store.put_user(&user(id), &details(name, email), at(0), None).await.unwrap();
    }
    fixture.store.ban_user(&user("2"), None, at(1), None).await.unwrap();
    let all = ALL_USERS;
    let (ann, whole, begin) = (user("Ann"), NameMatch::Whole, NameMatch::Prefix);
    let cases: Vec<(UserSearch<'_>, &[&str])> = vec![
        (all, &["1", "2", "Ann", "ann", "z"]),
        (UserSearch { text: Some("ann"), ..all }, &["1", "2", "Ann", "ann"]),
        (UserSearch { text: Some("Ann"), ..all }, &["1", "2", "Ann"]),
        (UserSearch { text: Some("z"), ..all }, &["Ann", "z"]),
        (UserSearch { text: Some("ANN "), ..all }, &["1"]),
        (UserSearch { text: Some("a%"), ..all }, &["2"]),
        (UserSearch { text: Some("bo_"), ..all }, &["z"]),
        (UserSearch { text: Some("_"), ..all }, &[]),
        (UserSearch { text: Some("nul\0"), ..all }, &[]),
        (UserSearch { text: Some("ann"), banned: Some(true), ..all }, &["2"]),
        (UserSearch { text: Some("ann"), email: Some("ANN@example.ORG"), ..all }, &["1", "Ann"]),
        (UserSearch { name: Some(whole("ann lee")), ..all }, &["1"]),
        (UserSearch { name: Some(whole("ann")), ..all }, &[]),
        (UserSearch { name: Some(begin("Ann")), ..all }, &["1", "2"]),
        (UserSearch { name: Some(begin("zo\u{eb}")), ..all }, &["Ann"]),
        (UserSearch { name: Some(begin("zo\u{cb}")), ..all }, &[]),
        (UserSearch { email: Some("ann@EXAMPLE.org"), ..all }, &["1", "Ann"]),
        (UserSearch { email: Some("ann@example"), ..all }, &[]),
        (UserSearch { email: Some("ann@example.org"), id: Some(&ann), ..all }, &["Ann"]),
        (UserSearch { email: Some("zoe@example.org"), id: Some(&ann), ..all }, &[]),
        (UserSearch { banned: Some(true), ..all }, &["2"]),
        (UserSearch { banned: Some(false), ..all }, &["1", "Ann", "ann", "z"]),
    ];
    for (search, expected) in cases {
        assert_eq!(found(fixture, search).await, expected, "{search:?}");
    }
}

async fn pages_of_users_follow_each_other_in_the_order_of_ids(fixture: &Fixture) {
    let mut expected = Vec::new();
    for number in 0..12 {
        let name = if number % 3 == 0 { "Ann" } else { "Bob" };
        let id = format!("{number:02}");
        fixture.store.put_user(&user(&id), &details(Some(name), Some("all@example.org")), at(0), None).await.unwrap();
        expected.push(id);
    }
    let of_ann = vec!["00", "03", "06", "09"];
    for (search, expected) in [
        (ALL_USERS, expected.iter().map(String::as_str).collect()),
        (UserSearch { email: Some("all@example.org"), ..ALL_USERS }, expected.iter().map(String::as_str).collect()),
        (UserSearch { text: Some("a"), ..ALL_USERS }, expected.iter().map(String::as_str).collect()),
        (UserSearch { text: Some("ann"), ..ALL_USERS }, of_ann.clone()),
        (UserSearch { name: Some(NameMatch::Prefix("An")), ..ALL_USERS }, of_ann),
    ] {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = found(fixture, UserSearch { after: after.as_ref(), limit: 3, ..search }).await;
            assert!(page.len() <= 3);
            let Some(last) = page.last() else { break };
            after = Some(user(last));
            pages.extend(page);
        }
        assert_eq!(pages, expected, "{search:?}");
    }
}
