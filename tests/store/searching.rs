//! Searches over all sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::{
    Device, DeviceType, EndReason, Filter, Network, Opener, Owner, Position, Range, Search, Session, SessionId, Sort,
    SortField, State,
};

use super::fixture::{Fixture, MICROSECOND, at, full_session, ids, search_for, session_at, session_of, user};

on_both_stores!(
    an_empty_filter_finds_everything_newest_first,
    a_user_finds_their_own_only,
    each_filter_finds_what_it_says,
    the_reason_of_an_ending_is_found,
    sessions_are_counted_by_application_the_largest_first_up_to_the_limit,
    filters_are_met_together,
    quotes_and_wildcards_are_nothing_but_characters,
    a_range_includes_its_start_and_excludes_its_end,
    every_state_is_found_as_the_core_tells_it,
    each_order_sorts_both_ways,
    pages_over_equal_times_neither_skip_nor_repeat,
    a_limit_smaller_than_the_matches_cuts_off,
    what_is_opened_between_two_pages_does_not_shift_them,
);

/// All sessions that a search finds.
async fn find(fixture: &Fixture, filter: &Filter) -> Vec<SessionId> {
    ids(&fixture.store.search_sessions(search_for(filter, 200, at(100))).await.unwrap())
}

async fn an_empty_filter_finds_everything_newest_first(fixture: &Fixture) {
    assert_eq!(find(fixture, &Filter::default()).await, []);
    let first = fixture.open(session_at("ann", 0)).await;
    let second = fixture.open(session_at("bob", 1)).await;
    let filter = Filter::default();
    let search = search_for(&filter, 9, at(2));
    assert_eq!(fixture.store.search_sessions(search).await.unwrap(), [second, first]);
}

async fn a_user_finds_their_own_only(fixture: &Fixture) {
    let own = fixture.open(session_of("ann")).await;
    let other = fixture.open(session_of("bob")).await;
    let ann = user("ann");
    for (filter, expected) in [
        (Filter::default(), vec![own.id]),
        (Filter { user_id: Some(ann.clone()), ..Filter::default() }, vec![own.id]),
        (Filter { user_id: Some(other.user_id), ..Filter::default() }, vec![]),
    ] {
        let owner = Owner::User(&ann);
        let search = Search { owner, ..search_for(&filter, 9, at(0)) };
        assert_eq!(ids(&fixture.store.search_sessions(search).await.unwrap()), expected);
    }
}

async fn each_filter_finds_what_it_says(fixture: &Fixture) {
    let one = fixture.open(full_session("ann")).await;
    let two = fixture.open(session_at("bob", 50)).await;
    let filter = Filter::default;
    let from = |from| Range { from: Some(from), to: None };
    let cases = [
        (Filter { user_id: Some(user("ann")), ..filter() }, vec![one.id]),
        (Filter { user_id: Some(user("ANN")), ..filter() }, vec![]),
        (Filter { client_id: one.client_id.clone(), ..filter() }, vec![one.id]),
        (Filter { client_id: Some("web".to_owned()), ..filter() }, vec![]),
        (Filter { opened_by: one.opened_by, ..filter() }, vec![one.id]),
        (Filter { opened_by: Some(Opener::CommandLine), ..filter() }, vec![]),
        (Filter { client_id: Some("nul\0".to_owned()), ..filter() }, vec![]),
        (Filter { device_type: Some(DeviceType::Tablet), ..filter() }, vec![one.id]),
        (Filter { device_type: Some(DeviceType::Unknown), ..filter() }, vec![two.id]),
        (Filter { ip_address: one.ip_address.map(Network::from), ..filter() }, vec![one.id]),
        (Filter { ip_address: Some("2001:db8::/120".parse().unwrap()), ..filter() }, vec![one.id]),
        (Filter { ip_address: Some("2001:db8::8/125".parse().unwrap()), ..filter() }, vec![]),
        (Filter { ip_address: Some("0.0.0.0/0".parse().unwrap()), ..filter() }, vec![]),
        (Filter { browser: one.device.browser.clone(), ..filter() }, vec![one.id]),
        (Filter { browser: Some("Lynx".to_owned()), ..filter() }, vec![]),
        (Filter { os: one.device.os.clone(), ..filter() }, vec![one.id]),
        (Filter { os: Some("Plan 9".to_owned()), ..filter() }, vec![]),
        (Filter { users: Some(vec![user("bob"), user("eve")]), ..filter() }, vec![two.id]),
        (Filter { ip_address: Some("2001:db8::8".parse().unwrap()), ..filter() }, vec![]),
        (Filter { state: Some(State::Active), ..filter() }, vec![two.id]),
        (Filter { state: Some(State::Expired), ..filter() }, vec![one.id]),
        (Filter { created: from(at(1)), ..filter() }, vec![two.id]),
        (Filter { last_seen: from(at(1)), ..filter() }, vec![two.id]),
    ];
    for (filter, expected) in cases {
        assert_eq!(find(fixture, &filter).await, expected, "{filter:?}");
    }
}

async fn the_reason_of_an_ending_is_found(fixture: &Fixture) {
    let (logout, banned) = (fixture.open(session_at("ann", 1)).await, fixture.open(session_at("bob", 2)).await);
    fixture.open(session_at("eve", 3)).await;
    for (session, reason) in [(&logout, EndReason::Logout), (&banned, EndReason::UserBanned)] {
        fixture.store.end_session(session.id, Owner::Anyone, reason, at(9), None).await.unwrap().unwrap();
    }
    for (reason, expected) in
        [(EndReason::Logout, vec![logout.id]), (EndReason::UserBanned, vec![banned.id]), (EndReason::Replaced, vec![])]
    {
        let filter = Filter { ended_reason: Some(reason), ..Filter::default() };
        assert_eq!(find(fixture, &filter).await, expected, "{reason:?}");
        let active = Filter { state: Some(State::Active), ..filter };
        assert_eq!(find(fixture, &active).await, []);
    }
}

async fn sessions_are_counted_by_application_the_largest_first_up_to_the_limit(fixture: &Fixture) {
    let clients = [Some("web"), None, Some("app"), Some("web"), None, Some("web")];
    for (client, seconds) in clients.into_iter().zip(0..) {
        fixture.open(Session { client_id: client.map(ToOwned::to_owned), ..session_at("ann", seconds) }).await;
    }
    let filter = Filter::default();
    let counted = async |limit| {
        let counts = fixture.store.count_sessions_by_client(search_for(&filter, limit, at(100))).await.unwrap();
        counts.into_iter().map(|count| (count.client_id, count.sessions)).collect::<Vec<_>>()
    };
    let (web, app) = (Some("web".to_owned()), Some("app".to_owned()));
    assert_eq!(counted(100).await, [(web, 3), (None, 2), (app, 1)]);
    assert_eq!(counted(3).await.into_iter().map(|(_, sessions)| sessions).sum::<u32>(), 3);
    assert_eq!(counted(0).await, []);
}

async fn filters_are_met_together(fixture: &Fixture) {
    let tablet = |name, seconds| {
        let device = Device { kind: DeviceType::Tablet, ..Device::default() };
        Session { device, ..session_at(name, seconds) }
    };
    let wanted = fixture.open(tablet("ann", 10)).await;
    fixture.open(session_at("ann", 10)).await;
    fixture.open(tablet("bob", 10)).await;
    fixture.open(tablet("ann", 30)).await;
    let ended = fixture.open(tablet("ann", 11)).await;
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(12), None).await.unwrap();
    let filter = Filter {
        user_id: Some(user("ann")),
        device_type: Some(DeviceType::Tablet),
        state: Some(State::Active),
        created: Range { from: Some(at(5)), to: Some(at(20)) },
        last_seen: Range { from: Some(at(10)), to: Some(at(11)) },
        ..Filter::default()
    };
    assert_eq!(find(fixture, &filter).await, [wanted.id]);
}

async fn quotes_and_wildcards_are_nothing_but_characters(fixture: &Fixture) {
    let values =
        ["100%", "a_b", "axb", "it's", "\"quoted\"", "back\\slash", "$1", "?", "--", "'; DROP TABLE users; --"];
    let mut opened = Vec::new();
    for value in values {
        let client_id = Some(value.to_owned());
        opened.push((value, fixture.open(Session { client_id, ..session_of(value) }).await.id));
    }
    for (value, id) in opened {
        assert_eq!(find(fixture, &Filter { client_id: Some(value.to_owned()), ..Filter::default() }).await, [id]);
        assert_eq!(find(fixture, &Filter { user_id: Some(user(value)), ..Filter::default() }).await, [id]);
    }
}

async fn a_range_includes_its_start_and_excludes_its_end(fixture: &Fixture) {
    let session = fixture.open(session_at("ann", 10)).await;
    for (from, to, found) in [
        (at(10), at(10) + MICROSECOND, true),
        (at(10) + MICROSECOND, at(11), false),
        (at(9), at(10), false),
        (at(11), at(9), false),
    ] {
        let range = Range { from: Some(from), to: Some(to) };
        let expected = if found { vec![session.id] } else { vec![] };
        for filter in [Filter { created: range, ..Filter::default() }, Filter { last_seen: range, ..Filter::default() }]
        {
            assert_eq!(find(fixture, &filter).await, expected, "{filter:?}");
        }
    }
}

async fn every_state_is_found_as_the_core_tells_it(fixture: &Fixture) {
    let now = at(100);
    let ends = [now - MICROSECOND, now, now + MICROSECOND, now + TimeDelta::days(1)];
    let idles = [None, Some(49), Some(50), Some(51)];
    let mut sessions = Vec::new();
    for expires_at in ends {
        for idle in idles {
            for ended in [false, true] {
                let session = fixture
                    .open(Session {
                        expires_at,
                        idle_timeout: idle.map(TimeDelta::seconds),
                        last_seen_at: at(50),
                        ..session_of("ann")
                    })
                    .await;
                if ended {
                    fixture
                        .store
                        .end_session(session.id, Owner::Anyone, EndReason::Logout, at(60), None)
                        .await
                        .unwrap();
                }
                sessions.push(fixture.stored(session.id).await);
            }
        }
    }
    let mut total = 0;
    for state in State::ALL {
        let mut expected: Vec<SessionId> =
            sessions.iter().filter(|session| session.state(now) == state).map(|session| session.id).collect();
        expected.reverse();
        assert!(!expected.is_empty(), "{state:?}");
        total += expected.len();
        assert_eq!(find(fixture, &Filter { state: Some(state), ..Filter::default() }).await, expected, "{state:?}");
    }
    assert_eq!(total, sessions.len());
    let active = find(fixture, &Filter { state: Some(State::Active), ..Filter::default() }).await;
    assert_eq!(fixture.active_ids(&user("ann"), now).await, active);
}

fn sorted_by(field: SortField) -> fn(&Session) -> DateTime<Utc> {
    match field {
        SortField::CreatedAt => |session| session.created_at,
        SortField::LastSeenAt => |session| session.last_seen_at,
        SortField::ExpiresAt => |session| session.expires_at,
    }
}

/// Sessions whose three times are in three different orders, with many equal ones.
async fn tangled(fixture: &Fixture) -> Vec<Session> {
    let mut sessions = Vec::new();
    for number in 0..25 {
        let session = Session {
            created_at: at(number % 5),
            last_seen_at: at(50 - number % 7),
            expires_at: at(1000 + (number * 7) % 3),
            ..session_of("ann")
        };
        sessions.push(fixture.open(session).await);
    }
    sessions
}

const ORDERS: [(SortField, bool); 6] = [
    (SortField::CreatedAt, true),
    (SortField::CreatedAt, false),
    (SortField::LastSeenAt, true),
    (SortField::LastSeenAt, false),
    (SortField::ExpiresAt, true),
    (SortField::ExpiresAt, false),
];

fn in_order(sessions: &[Session], (field, descending): (SortField, bool)) -> Vec<SessionId> {
    let mut sessions: Vec<&Session> = sessions.iter().collect();
    sessions.sort_by_key(|session| (sorted_by(field)(session), session.id));
    if descending {
        sessions.reverse();
    }
    sessions.into_iter().map(|session| session.id).collect()
}

async fn page(
    fixture: &Fixture,
    (field, descending): (SortField, bool),
    after: Option<Position>,
    limit: u32,
) -> Vec<Session> {
    let (ann, filter) = (user("ann"), Filter::default());
    let sort = Sort { field, descending };
    let search = Search { owner: Owner::User(&ann), sort, after, ..search_for(&filter, limit, at(100)) };
    fixture.store.search_sessions(search).await.unwrap()
}

async fn each_order_sorts_both_ways(fixture: &Fixture) {
    let sessions = tangled(fixture).await;
    for order in ORDERS {
        assert_eq!(ids(&page(fixture, order, None, 100).await), in_order(&sessions, order), "{order:?}");
    }
}

async fn pages_over_equal_times_neither_skip_nor_repeat(fixture: &Fixture) {
    let sessions = tangled(fixture).await;
    for order in ORDERS {
        for limit in [1, 4, 25] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = page(fixture, order, after, limit).await;
                assert!(page.len() <= usize::try_from(limit).unwrap());
                let Some(last) = page.last() else { break };
                after = Some(Position { at: sorted_by(order.0)(last), id: last.id });
                found.extend(ids(&page));
            }
            assert_eq!(found, in_order(&sessions, order), "{order:?} by {limit}");
        }
    }
}

async fn a_limit_smaller_than_the_matches_cuts_off(fixture: &Fixture) {
    let sessions = tangled(fixture).await;
    let order = (SortField::CreatedAt, true);
    assert_eq!(ids(&page(fixture, order, None, 3).await), in_order(&sessions, order)[..3]);
}

async fn what_is_opened_between_two_pages_does_not_shift_them(fixture: &Fixture) {
    let sessions = tangled(fixture).await;
    let order = (SortField::CreatedAt, true);
    let first = page(fixture, order, None, 10).await;
    fixture.open(session_at("ann", 90)).await;
    let last = first.last().unwrap();
    let second = page(fixture, order, Some(Position { at: last.created_at, id: last.id }), 100).await;
    assert_eq!([ids(&first), ids(&second)].concat(), in_order(&sessions, order));
}
