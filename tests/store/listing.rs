//! Lists of anybody's sessions by condition, and a user's sessions by their second and by their ids.

use sojourn::model::{
    Condition, EndReason, Listing, ListingOrder, Owner, Range, Session, SessionId, TextField, TimeField,
};

use super::fixture::{Fixture, MICROSECOND, at, full_session, ids, new_id, session_at, session_of, sorted, user};

on_both_stores!(
    a_condition_is_compiled_to_what_it_says,
    a_page_is_in_order_and_the_total_stops_at_its_limit,
    sessions_are_found_by_the_second_they_were_opened_in,
    only_named_sessions_of_the_user_are_ended,
);

async fn list(fixture: &Fixture, condition: &Condition) -> Vec<SessionId> {
    let listing =
        Listing { condition, order: ListingOrder::Id, descending: false, offset: 0, limit: 100, count_to: Some(100) };
    let (sessions, total) = fixture.store.list_sessions(listing).await.unwrap();
    assert_eq!(total.map(usize::try_from), Some(Ok(sessions.len())));
    ids(&sessions)
}

async fn a_condition_is_compiled_to_what_it_says(fixture: &Fixture) {
    let full = fixture.open(full_session("ann")).await;
    let plain = fixture.open(session_at("bob%_\\", 5)).await;
    let ended = fixture.open(session_of("cid")).await;
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let contains = |field, text: &str| Condition::Contains(field, text.to_owned());
    let around = |text: &str| Condition::ContainsAround {
        field: TextField::UserId,
        around: ("inum=".to_owned(), ",o=x".to_owned()),
        text: text.to_owned(),
    };
    let created = |from, to| Condition::In(TimeField::CreatedAt, Range { from, to });
    let no_one = Vec::new();
    let rows = [
        (Condition::All(Vec::new()), vec![full.id, plain.id, ended.id]),
        (Condition::Any(Vec::new()), no_one.clone()),
        (Condition::NotEnded, vec![full.id, plain.id]),
        (Condition::IsSession(plain.id), vec![plain.id]),
        (Condition::Is(TextField::UserId, "ann".to_owned()), vec![full.id]),
        (Condition::Is(TextField::UserId, "Ann".to_owned()), no_one.clone()),
        (Condition::Is(TextField::UserId, "a\0".to_owned()), no_one.clone()),
        (Condition::Is(TextField::Id, plain.id.to_string()), vec![plain.id]),
        (contains(TextField::Id, &plain.id.to_string()[9..]), vec![plain.id]),
        (contains(TextField::UserId, "%"), vec![plain.id]),
        (contains(TextField::UserId, "_\\"), vec![plain.id]),
        (contains(TextField::ClientId, "'app' \"1\" %_\\"), vec![full.id]),
        (contains(TextField::ClientId, "WÉB"), no_one.clone()),
        (contains(TextField::IpAddress, "db8::7"), vec![full.id]),
        (contains(TextField::Acr, "aal"), vec![full.id]),
        (contains(TextField::Scope, "sessions:"), vec![full.id]),
        (around("m=ann,o"), vec![full.id]),
        (around("=cid"), vec![ended.id]),
        (created(Some(at(5)), Some(at(5) + MICROSECOND)), vec![plain.id]),
        (created(None, Some(at(0) + MICROSECOND)), vec![ended.id]),
        (created(None, None), vec![full.id, plain.id, ended.id]),
        (Condition::Any(vec![around("=ann"), around("=cid")]), vec![full.id, ended.id]),
        (
            Condition::All(vec![Condition::NotEnded, Condition::Any(vec![around("=ann"), around("=cid")])]),
            vec![full.id],
        ),
    ];
    for (condition, expected) in rows {
        assert_eq!(list(fixture, &condition).await, sorted(expected), "{condition:?}");
    }
}

async fn a_page_is_in_order_and_the_total_stops_at_its_limit(fixture: &Fixture) {
    let one = fixture.open(Session { last_seen_at: at(9), expires_at: at(10), ..session_at("c", 2) }).await.id;
    let two = fixture.open(Session { last_seen_at: at(3), expires_at: at(30), ..session_at("a", 1) }).await.id;
    let three = fixture.open(Session { last_seen_at: at(4), expires_at: at(20), ..session_at("b", 3) }).await.id;
    let rows = [
        (ListingOrder::Id, [one, two, three]),
        (ListingOrder::UserId, [two, three, one]),
        (ListingOrder::CreatedAt, [two, one, three]),
        (ListingOrder::LastSeenAt, [two, three, one]),
        (ListingOrder::ExpiresAt, [one, three, two]),
    ];
    for (order, ascending) in rows {
        for descending in [false, true] {
            let mut expected = ascending;
            if descending {
                expected.reverse();
            }
            for (offset, place) in (0..3).zip(expected) {
                let condition = &Condition::NotEnded;
                let listing = Listing { condition, order, descending, offset, limit: 1, count_to: Some(2) };
                let (sessions, total) = fixture.store.list_sessions(listing).await.unwrap();
                assert_eq!((ids(&sessions), total), (vec![place], Some(2)), "{order:?} {descending}");
            }
        }
    }
    let listing = Listing {
        condition: &Condition::NotEnded,
        order: ListingOrder::Id,
        descending: false,
        offset: 0,
        limit: 9,
        count_to: None,
    };
    let (sessions, total) = fixture.store.list_sessions(listing).await.unwrap();
    assert_eq!((sessions.len(), total), (3, None));
}

async fn sessions_are_found_by_the_second_they_were_opened_in(fixture: &Fixture) {
    let first = fixture.open(session_at("ann", 5)).await.id;
    let last = Session { created_at: at(6) - MICROSECOND, ..session_at("ann", 5) };
    let last = fixture.open(last).await.id;
    fixture.open(session_at("ann", 6)).await;
    fixture.open(session_at("bob", 5)).await;
    let ended = fixture.open(session_at("ann", 5)).await.id;
    fixture.store.end_session(ended, Owner::Anyone, EndReason::Logout, at(7), None).await.unwrap();
    let ann = user("ann");
    let found = fixture.store.active_sessions_opened(&ann, at(5), at(6), at(8)).await.unwrap();
    assert_eq!(ids(&found), [last, first]);
    let idle = fixture.store.active_sessions_opened(&ann, at(5), at(6), at(3605)).await.unwrap();
    assert_eq!(ids(&idle), []);
}

async fn only_named_sessions_of_the_user_are_ended(fixture: &Fixture) {
    let one = fixture.open(session_of("ann")).await.id;
    let two = fixture.open(session_of("ann")).await.id;
    let kept = fixture.open(session_of("ann")).await.id;
    let foreign = fixture.open(session_of("bob")).await.id;
    let (ann, named) = (user("ann"), sorted(vec![two, one, foreign, new_id()]));
    let end = || fixture.store.end_named_sessions(&named, Owner::User(&ann), EndReason::RevokedByUser, at(1), None);
    assert_eq!(end().await.unwrap(), [(one, ann.clone()), (two, ann.clone())]);
    assert_eq!(end().await.unwrap(), []);
    assert_eq!(fixture.active_ids(&ann, at(1)).await, [kept]);
    assert_eq!(fixture.active_ids(&user("bob"), at(1)).await, [foreign]);
}
