//! The audit trail: an entry is added with its change or not at all.

use chrono::TimeDelta;
use sojourn::model::{
    ActorKind, Algorithm, Application, ApplicationSettings, AuditAction, AuditActor, AuditDetail, AuditEntry,
    AuditFilter, AuditPosition, AuditSearch, AuditTarget, BulkEnding, DetailValue, EndReason, Ended, Filter, Origin,
    Owner, Range, SessionId, Stale, StoredAuditEntry, TargetKind,
};
use sojourn::store::SessionChange;
use sojourn::tokens::SealedSigningKey;
use uuid::Uuid;

use super::fixture::{Fixture, MICROSECOND, at, details, session_at, session_of, user};
use super::keys::service_key;

on_both_stores!(
    an_entry_comes_back_as_it_was,
    a_page_is_the_newest_entries_that_meet_every_condition,
    an_entry_is_added_once,
    each_change_adds_its_entry,
    a_change_of_nothing_adds_no_entry,
    an_entry_that_cannot_be_added_takes_its_change_back,
    an_erased_user_is_in_no_entry,
    old_entries_are_deleted_and_no_others,
);

/// An entry about the user or session of that id, which no other entry of these tests has.
fn entry(number: u128, target: &str) -> AuditEntry {
    AuditEntry {
        id: Uuid::from_u128(number),
        at: at(i64::try_from(number).unwrap()),
        actor: AuditActor { kind: ActorKind::Key, id: Some("key 1".to_owned()), name: Some("support ü".to_owned()) },
        action: AuditAction::SessionEnded,
        target: Some(AuditTarget::new(TargetKind::User, target)),
        detail: AuditDetail::default(),
        origin: Origin { request_id: Some("request".to_owned()), address: Some("2001:db8::7".parse().unwrap()) },
    }
}

/// An ending by staff at that second.
fn by_staff(seconds: i64) -> Ended {
    Ended { at: at(seconds), reason: EndReason::RevokedByAdmin }
}

async fn entries(fixture: &Fixture, filter: &AuditFilter) -> Vec<StoredAuditEntry> {
    fixture.store.search_audit(AuditSearch { filter, after: None, limit: 100 }).await.unwrap()
}

async fn all(fixture: &Fixture) -> Vec<AuditEntry> {
    entries(fixture, &AuditFilter::default()).await.into_iter().map(|stored| stored.entry).collect()
}

async fn an_entry_comes_back_as_it_was(fixture: &Fixture) {
    let detail = AuditDetail::default()
        .with_text("a", Some("ü \"quoted\" \\"))
        .with("b", Some(DetailValue::Number(7)))
        .with("c", Some(DetailValue::Flag(true)))
        .with("d", Some(DetailValue::Texts(vec!["one".to_owned(), "two".to_owned()])))
        .with_text("e", None::<&str>);
    let full = AuditEntry { detail, at: at(2) + MICROSECOND, ..entry(2, "ann") };
    let bare = AuditEntry {
        actor: AuditActor::UNKNOWN,
        action: AuditAction::ConsoleSignInFailed,
        target: None,
        origin: Origin::default(),
        ..entry(1, "")
    };
    for entry in [&bare, &full] {
        fixture.store.add_audit_entry(entry).await.unwrap();
    }
    assert_eq!(all(fixture).await, [full, bare]);
    fixture
        .raw
        .run("UPDATE audit SET action = 'later.word', target_type = 'thing', detail = '{\"x\":null}'")
        .await
        .unwrap();
    let unknown = &all(fixture).await[0];
    assert_eq!((unknown.action, unknown.detail.clone()), (AuditAction::Unknown, AuditDetail::default()));
    assert_eq!(unknown.target.as_ref().unwrap().kind, TargetKind::Unknown);
}

async fn a_page_is_the_newest_entries_that_meet_every_condition(fixture: &Fixture) {
    let mut made = vec![entry(1, "ann"), entry(2, "bob"), entry(3, "ann"), entry(4, "ann")];
    made[1].actor.id = Some("key 2".to_owned());
    made[2].action = AuditAction::UserBanned;
    // Two of one instant, in the order of their numbers.
    made[3].at = at(3);
    for entry in &made {
        fixture.store.add_audit_entry(entry).await.unwrap();
    }
    let of = async |filter: AuditFilter| {
        let found = entries(fixture, &filter).await;
        found.into_iter().map(|stored| stored.entry.id.as_u128()).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of(AuditFilter::default()).await, [4, 3, 2, 1]);
    assert_eq!(of(AuditFilter { actor: text("key 1"), ..AuditFilter::default() }).await, [4, 3, 1]);
    assert_eq!(of(AuditFilter { action: Some(AuditAction::UserBanned), ..AuditFilter::default() }).await, [3]);
    assert_eq!(of(AuditFilter { target: text("ann"), actor: text("key 2"), ..AuditFilter::default() }).await, []);
    assert_eq!(of(AuditFilter { target: text("a\0b"), ..AuditFilter::default() }).await, []);
    let at = Range { from: Some(at(2)), to: Some(at(3)) };
    assert_eq!(of(AuditFilter { at, ..AuditFilter::default() }).await, [2]);

    let filter = AuditFilter { target: text("ann"), ..AuditFilter::default() };
    let (mut after, mut pages): (Option<AuditPosition>, _) = (None, Vec::new());
    loop {
        let search = AuditSearch { filter: &filter, after, limit: 1 };
        let Some(last) = fixture.store.search_audit(search).await.unwrap().pop() else { break };
        after = Some(last.position());
        pages.push(last.entry.id.as_u128());
    }
    assert_eq!(pages, [4, 3, 1]);
}

async fn an_entry_is_added_once(fixture: &Fixture) {
    let first = entry(1, "ann");
    for _ in 0..2 {
        fixture.store.put_user(&user("ann"), &details(Some("Ann"), None), at(1), Some(&first)).await.unwrap();
    }
    fixture.store.add_audit_entry(&AuditEntry { at: at(9), ..first.clone() }).await.unwrap();
    assert_eq!(all(fixture).await, [first]);
}

fn application(id: &str) -> Application {
    let settings = ApplicationSettings { name: id.to_owned(), ..ApplicationSettings::default() };
    Application { id: id.to_owned(), settings, created_at: at(0), updated_at: at(0) }
}

fn signing_key(sequence: i64) -> SealedSigningKey {
    SealedSigningKey {
        sequence,
        kid: format!("key {sequence}"),
        algorithm: Algorithm::EdDsa,
        sealed: vec![1],
        created_at: at(0),
        active_from: at(0),
        wanted_at: None,
    }
}

/// Every change of the contract that takes an entry, with one: whether it changes anything depends on what is stored.
async fn change_everything(fixture: &Fixture, sessions: &[SessionId]) -> u128 {
    let (store, ann, eve, reason) = (&fixture.store, user("ann"), user("eve"), EndReason::RevokedByAdmin);
    let rename = SessionChange { device_name: Some(Some("x".to_owned())), ..SessionChange::default() };
    let bulk = BulkEnding { filter: Filter::default(), except: None, ended: Ended { at: at(50), reason } };
    let hour = TimeDelta::hours(1);
    let e = |number: u128| entry(number, "-");
    store.change_session(sessions[0], Owner::Anyone, &rename, at(10), Some(&e(1))).await.unwrap();
    store.extend_session(sessions[0], Owner::Anyone, hour, at(10), Some(&e(2))).await.unwrap();
    store.end_session(sessions[0], Owner::Anyone, reason, at(10), Some(&e(3))).await.unwrap();
    store.end_active_session(sessions[1], &ann, reason, at(10), Some(&e(4))).await.unwrap();
    store.end_named_sessions(&sessions[2..3], Owner::Anyone, reason, at(10), Some(&e(5))).await.unwrap();
    store.end_sessions_of(&ann, None, reason, at(10), Some(&e(6))).await.unwrap();
    store.put_user(&eve, &details(Some("Eve"), None), at(11), Some(&e(7))).await.unwrap();
    store.ban_user(&eve, Some("Fraud"), at(12), Some(&e(8))).await.unwrap();
    store.unban_user(&eve, at(13), Some(&e(9))).await.unwrap();
    store.delete_user(&eve, at(14), Some(&e(10))).await.unwrap();
    drop(store.add_service_key(&service_key(1, 0), Some(&e(11))).await);
    store.revoke_service_key(service_key(1, 0).id, &user("staff"), by_staff(15), Some(&e(12))).await.unwrap();
    store.add_signing_key(&signing_key(1), Some(&e(13))).await.unwrap();
    store.add_application(&application("web"), Some(&e(14))).await.unwrap();
    let changed = Application { updated_at: at(1), ..application("web") };
    store.change_application(&changed, at(0), Some(&e(15))).await.unwrap();
    store.delete_application("web", Some(&e(16))).await.unwrap();
    store.delete_stale(Stale::Ended(at(20)), false, Some(&e(17))).await.unwrap();
    store.end_in_bulk(&bulk, Some(&e(18))).await.unwrap();
    18
}

async fn each_change_adds_its_entry(fixture: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(fixture.open(session_of("ann")).await.id);
    }
    let made = change_everything(fixture, &sessions).await;
    let mut found = all(fixture).await;
    found.sort_by_key(|entry| entry.id);
    let ids: Vec<u128> = found.iter().map(|entry| entry.id.as_u128()).collect();
    assert_eq!(ids, (1..=made).collect::<Vec<_>>());
    let number = |index: usize| found[index].detail.0.clone();
    let sessions = |count| vec![(AuditEntry::SESSIONS.to_owned(), DetailValue::Number(count))];
    assert_eq!((number(4), number(5), number(7)), (sessions(1), sessions(2), sessions(0)), "how many were ended");
}

async fn a_change_of_nothing_adds_no_entry(fixture: &Fixture) {
    let gone: Vec<SessionId> = (0..3).map(|_| session_of("ann").id).collect();
    let (store, eve, reason) = (&fixture.store, user("eve"), EndReason::RevokedByAdmin);
    store.ban_user(&eve, Some("Fraud"), at(1), None).await.unwrap();
    store.put_user(&user("bob"), &details(Some("Bob"), None), at(1), None).await.unwrap();
    store.add_service_key(&service_key(1, 0), None).await.unwrap();
    store.revoke_service_key(service_key(1, 0).id, &user("staff"), by_staff(1), None).await.unwrap();
    store.add_signing_key(&signing_key(1), None).await.unwrap();
    store.add_application(&application("web"), None).await.unwrap();
    let ended = fixture.open(session_of("cid")).await;
    store.end_session(ended.id, Owner::Anyone, reason, at(1), None).await.unwrap();

    let e = entry(1, "-");
    let rename = SessionChange { device_name: Some(None), ..SessionChange::default() };
    for id in [gone[0], ended.id] {
        store.change_session(id, Owner::Anyone, &rename, at(9), Some(&e)).await.unwrap();
        store.extend_session(id, Owner::Anyone, TimeDelta::hours(1), at(9), Some(&e)).await.unwrap();
        store.end_session(id, Owner::Anyone, reason, at(9), Some(&e)).await.unwrap();
        store.end_active_session(id, &user("cid"), reason, at(9), Some(&e)).await.unwrap();
        store.end_named_sessions(&[id], Owner::Anyone, reason, at(9), Some(&e)).await.unwrap();
    }
    store.end_sessions_of(&user("ann"), None, reason, at(9), Some(&e)).await.unwrap();
    store.put_user(&user("bob"), &details(Some("Bob"), None), at(9), Some(&e)).await.unwrap();
    store.ban_user(&eve, Some("Fraud"), at(9), Some(&e)).await.unwrap();
    store.unban_user(&user("nobody"), at(9), Some(&e)).await.unwrap();
    store.unban_user(&user("bob"), at(9), Some(&e)).await.unwrap();
    store.delete_user(&user("nobody"), at(9), Some(&e)).await.unwrap();
    assert!(store.add_service_key(&service_key(1, 0), Some(&e)).await.is_err());
    store.revoke_service_key(service_key(1, 0).id, &user("staff"), by_staff(9), Some(&e)).await.unwrap();
    store.revoke_service_key(service_key(2, 0).id, &user("staff"), by_staff(9), Some(&e)).await.unwrap();
    store.add_signing_key(&signing_key(1), Some(&e)).await.unwrap();
    store.add_application(&application("web"), Some(&e)).await.unwrap();
    store.change_application(&application("web"), at(7), Some(&e)).await.unwrap();
    store.delete_application("app", Some(&e)).await.unwrap();
    store.delete_stale(Stale::Ended(at(0)), false, Some(&e)).await.unwrap();
    assert_eq!(all(fixture).await, []);
}

async fn an_entry_that_cannot_be_added_takes_its_change_back(fixture: &Fixture) {
    let session = fixture.open(session_at("ann", 0)).await;
    fixture.raw.run("DROP TABLE audit").await.unwrap();
    let (store, e, reason) = (&fixture.store, entry(1, "ann"), EndReason::RevokedByAdmin);
    let rename = SessionChange { device_name: Some(Some("x".to_owned())), ..SessionChange::default() };
    let bulk = BulkEnding { filter: Filter::default(), except: None, ended: Ended { at: at(10), reason } };
    let (id, ann, now) = (session.id, &session.user_id, at(10));
    let failures = [
        store.change_session(id, Owner::Anyone, &rename, now, Some(&e)).await.is_err(),
        store.extend_session(id, Owner::Anyone, TimeDelta::hours(1), now, Some(&e)).await.is_err(),
        store.end_session(id, Owner::Anyone, reason, now, Some(&e)).await.is_err(),
        store.end_active_session(id, ann, reason, now, Some(&e)).await.is_err(),
        store.end_named_sessions(&[id], Owner::Anyone, reason, now, Some(&e)).await.is_err(),
        store.end_sessions_of(ann, None, reason, now, Some(&e)).await.is_err(),
        store.end_in_bulk(&bulk, Some(&e)).await.is_err(),
        store.put_user(ann, &details(Some("Ann"), None), now, Some(&e)).await.is_err(),
        store.ban_user(ann, None, now, Some(&e)).await.is_err(),
        store.delete_user(ann, now, Some(&e)).await.is_err(),
        store.add_service_key(&service_key(1, 0), Some(&e)).await.is_err(),
        store.add_signing_key(&signing_key(1), Some(&e)).await.is_err(),
        store.add_application(&application("web"), Some(&e)).await.is_err(),
    ];
    assert_eq!(failures, [true; 13]);
    assert_eq!(fixture.stored(id).await, session);
    let ann = store.user(ann).await.unwrap().unwrap();
    assert_eq!((ann.name, ann.banned_at), (None, None));
    assert!(store.service_keys().await.unwrap().is_empty() && store.signing_keys().await.unwrap().is_empty());
    assert!(store.applications().await.unwrap().is_empty());
}

async fn an_erased_user_is_in_no_entry(fixture: &Fixture) {
    let detail = AuditDetail::default().with_text("reason", Some("Ann's chargeback"));
    let by_ann = AuditActor { kind: ActorKind::Session, id: Some("1".to_owned()), name: Some("ann".to_owned()) };
    let of_ann = AuditEntry { detail: detail.clone(), ..entry(1, "ann") };
    let of_application = AuditEntry {
        target: Some(AuditTarget::new(TargetKind::Application, "ann")),
        detail: detail.clone(),
        ..entry(2, "")
    };
    let of_bob = AuditEntry { actor: by_ann.clone(), ..entry(3, "bob") };
    let of_key =
        AuditEntry { actor: AuditActor { name: Some("ann".to_owned()), ..entry(4, "").actor }, ..entry(4, "bob") };
    for entry in [&of_ann, &of_application, &of_bob, &of_key] {
        fixture.store.add_audit_entry(entry).await.unwrap();
    }
    let own = AuditEntry { actor: by_ann, action: AuditAction::UserErased, ..entry(5, "ann") };
    while fixture.store.erase_user(&user("ann"), "service", "erased:x", Some(&own)).await.unwrap() > 0 {}

    let found = all(fixture).await;
    let erased = Some(AuditTarget::new(TargetKind::User, "erased:x"));
    assert_eq!(
        (&found[0].target, found[0].actor.name.as_deref(), found[0].origin.address),
        (&erased, Some("erased:x"), None)
    );
    assert_eq!(found[1], of_key, "the name of a key is no user's");
    assert_eq!((found[2].actor.name.as_deref(), found[2].actor.id.as_deref()), (Some("erased:x"), Some("1")));
    assert_eq!((&found[2].target, found[2].origin.address), (&of_bob.target, None));
    assert_eq!(found[3], of_application, "the id of an application is no user's");
    assert_eq!(found[4], AuditEntry { target: erased, detail: AuditDetail::default(), ..of_ann });
}

async fn old_entries_are_deleted_and_no_others(fixture: &Fixture) {
    for number in 1..=3 {
        fixture.store.add_audit_entry(&entry(number, "ann")).await.unwrap();
    }
    assert_eq!(fixture.store.delete_stale(Stale::AuditEntries(at(2)), true, None).await.unwrap(), Some(2));
    assert_eq!(all(fixture).await, [entry(3, "ann")]);
    assert_eq!(fixture.store.delete_stale(Stale::AuditEntries(at(2)), true, None).await.unwrap(), Some(0));
}
