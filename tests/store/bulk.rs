//! Ending many sessions by one row.

use chrono::TimeDelta;
use sojourn::model::{
    BulkEnding, Device, DeviceType, EndReason, Ended, Filter, Opener, Owner, Range, Search, Session, Sort, Stale, State,
};
use sojourn::model::{Change, LogPosition, LogSnapshot};
use sojourn::store::{BatchProgress, EndedAtOnce, Opening, Refreshing};

use super::fixture::{Fixture, MICROSECOND, Raw, at, attempt, ids, new, search_for, session_at, session_of, user};

on_both_stores! {
    one_row_ends_all_sessions_for_every_query,
    each_condition_means_what_it_says_before_and_after_it_is_applied,
    nothing_revives_a_session_that_it_ended,
    a_session_opened_afterwards_is_younger_whatever_its_clock_says,
    it_is_applied_a_batch_at_a_time_and_logged_once,
    a_network_means_its_addresses_and_no_other,
    each_of_several_users_is_meant_and_nobody_else,
    where_nothing_is_meant_nothing_happens,
    of_too_many_sessions_for_one_statement_none_is_ended_by_it,
    it_is_forgotten_after_it_was_applied,
    those_made_lately_are_listed_with_what_they_mean,
    a_version_without_openers_ends_no_other_session_and_applies_nothing,
    a_version_without_networks_ends_no_other_session_and_applies_nothing,
}

const REASON: EndReason = EndReason::RevokedByAdmin;

fn everything(seconds: i64) -> BulkEnding {
    BulkEnding { filter: Filter::default(), except: None, ended: Ended { at: at(seconds), reason: REASON } }
}

fn of(name: &str) -> BulkEnding {
    BulkEnding { filter: Filter { user_id: Some(user(name)), ..Filter::default() }, ..everything(10) }
}

async fn active(fixture: &Fixture, seconds: i64) -> Vec<Session> {
    let filter = Filter { state: Some(State::Active), ..Filter::default() };
    let sort = Sort { descending: false, ..Sort::default() };
    let search = Search { sort, ..search_for(&filter, 200, at(seconds)) };
    let found = fixture.store.search_sessions(search).await.unwrap();
    assert_eq!(fixture.store.count_sessions(search).await.unwrap() as usize, found.len());
    found
}

async fn carry_out(fixture: &Fixture) {
    while fixture.store.apply_bulk_ending(at(20)).await.unwrap() != BatchProgress::Idle {}
}

async fn one_row_ends_all_sessions_for_every_query(fixture: &Fixture) {
    let ann = fixture.open(session_at("ann", 0)).await;
    let bob = fixture.open(session_at("bob", 9)).await;
    fixture.store.end_in_bulk(&everything(10), None).await.unwrap();
    let new = fixture.open(session_at("ann", 11)).await;
    for carried_out in [false, true] {
        let ended = Some(Ended { at: at(10), reason: REASON });
        for id in [ann.id, bob.id] {
            assert_eq!(fixture.stored(id).await.ended, ended, "{carried_out}");
            let of_token = fixture.store.sessions_of_tokens(&[id]).await.unwrap().pop().unwrap();
            assert_eq!(of_token.session.ended, ended);
            assert_eq!(fixture.store.session_statuses(&[id]).await.unwrap().pop().unwrap().ended, ended);
        }
        assert_eq!(fixture.active_ids(&user("ann"), at(12)).await, [new.id]);
        assert_eq!(fixture.store.count_active_sessions_of(&user("bob"), at(12)).await.unwrap(), 0);
        let stats = fixture.store.session_stats(&user("ann"), at(12)).await.unwrap();
        assert_eq!((stats.active, stats.expired), (1, 0));
        assert_eq!(ids(&active(fixture, 12).await), [new.id]);
        carry_out(fixture).await;
    }
}

async fn each_condition_means_what_it_says_before_and_after_it_is_applied(fixture: &Fixture) {
    let address = |text: &str| Some(text.parse().unwrap());
    let meant = || {
        let mut session = session_at("ann", 5);
        session.client_id = Some("web".to_owned());
        session.device.kind = DeviceType::Mobile;
        session.device.browser = Some("Firefox".to_owned());
        session.device.os = Some("Android".to_owned());
        session.ip_address = address("192.0.2.1");
        session.opened_by = Some(Opener::BootstrapKey);
        session
    };
    let filter = Filter {
        user_id: Some(user("ann")),
        client_id: Some("web".to_owned()),
        device_type: Some(DeviceType::Mobile),
        ip_address: Some("192.0.2.1".parse().unwrap()),
        browser: Some("Firefox".to_owned()),
        os: Some("Android".to_owned()),
        opened_by: Some(Opener::BootstrapKey),
        created: Range { from: Some(at(5)), to: Some(at(5) + MICROSECOND) },
        ..Filter::default()
    };
    let exact = fixture.open(meant()).await;
    let kept = fixture.open(meant()).await;
    let mut others = vec![
        Session { user_id: user("bob"), ..meant() },
        Session { client_id: None, ..meant() },
        Session { client_id: Some("Web".to_owned()), ..meant() },
        Session { device: Device { kind: DeviceType::Tablet, ..meant().device }, ..meant() },
        Session { device: Device { browser: Some("firefox".to_owned()), ..meant().device }, ..meant() },
        Session { device: Device { os: None, ..meant().device }, ..meant() },
        Session { ip_address: address("192.0.2.2"), ..meant() },
        Session { ip_address: None, ..meant() },
        Session { opened_by: Some(Opener::CommandLine), ..meant() },
        Session { opened_by: None, ..meant() },
        Session { created_at: at(5) - MICROSECOND, ..meant() },
        Session { created_at: at(5) + MICROSECOND, ..meant() },
    ];
    for other in &mut others {
        fixture.open(other.clone()).await;
    }
    fixture.store.end_in_bulk(&BulkEnding { filter, except: Some(kept.id), ..everything(10) }, None).await.unwrap();
    for _ in 0..2 {
        let active = active(fixture, 11).await;
        assert!(!ids(&active).contains(&exact.id));
        assert_eq!(active.len(), others.len() + 1, "the one that is kept, and each that differs in one thing");
        carry_out(fixture).await;
    }
}

async fn nothing_revives_a_session_that_it_ended(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.store.end_in_bulk(&of("ann"), None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(fixture.store.refresh_session(attempt(session.id, 0, at(11))).await.unwrap(), Refreshing::NotActive);
        let extended = fixture.store.extend_session(session.id, Owner::Anyone, TimeDelta::hours(1), at(11), None).await;
        assert_eq!(extended.unwrap(), None);
        carry_out(fixture).await;
    }
    assert_eq!(fixture.stored(session.id).await.ended, Some(Ended { at: at(10), reason: REASON }));
}

async fn a_session_opened_afterwards_is_younger_whatever_its_clock_says(fixture: &Fixture) {
    fixture.open(session_at("ann", 100)).await;
    fixture.store.end_in_bulk(&everything(95), None).await.unwrap();
    for seconds in [50, 99, 100] {
        let opened = fixture.store.open_session(&new(&session_at("bob", seconds))).await.unwrap();
        assert_eq!(opened, Opening::Outrun(at(100)));
    }
    let young = Session { created_at: at(100) + MICROSECOND, ..session_at("bob", 100) };
    fixture.open(young.clone()).await;
    carry_out(fixture).await;
    assert_eq!(ids(&active(fixture, 101).await), [young.id]);
}

async fn a_network_means_its_addresses_and_no_other(fixture: &Fixture) {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("198.51.100.0/23", &["198.51.100.0", "198.51.101.255", "198.51.100.9"], &["198.51.99.255", "198.51.102.0"]),
        ("9.0.0.0/8", &["9.255.0.10"], &["90.0.0.1", "10.0.0.1", "8.255.255.255", "900::1"]),
        ("192.0.2.9", &["192.0.2.9"], &["192.0.2.90", "192.0.2.8"]),
        ("0.0.0.0/0", &["203.0.113.7"], &["::203.0.113.7", "2001:db8::7"]),
        (
            "2001:db8:a::/47",
            &["2001:db8:b:ffff::1", "2001:db8:a::"],
            &["2001:db8:c::", "2001:db8:9:ffff::", "32.1.13.184"],
        ),
        ("::/0", &["2001:db8::1", "::1"], &["192.0.2.1"]),
    ];
    let mut opened = Vec::new();
    for (number, (network, meant, others)) in cases.into_iter().enumerate() {
        let name = format!("user {number}");
        let open = async |address: Option<&&str>| {
            let ip_address = address.map(|address| address.parse().unwrap());
            fixture.open(Session { ip_address, ..session_at(&name, 0) }).await.id
        };
        for address in meant {
            open(Some(address)).await;
        }
        let mut kept = vec![open(None).await];
        for address in others {
            kept.push(open(Some(address)).await);
        }
        kept.sort();
        let ip_address = Some(network.parse().unwrap());
        opened.push((Filter { user_id: Some(user(&name)), ip_address, ..Filter::default() }, meant.len(), kept));
    }
    for (filter, meant, kept) in &opened {
        let found = fixture.store.search_sessions(search_for(filter, 9, at(1))).await.unwrap();
        assert_eq!(found.len(), *meant, "{filter:?}");
        fixture.store.end_in_bulk(&BulkEnding { filter: filter.clone(), ..everything(10) }, None).await.unwrap();
        for _ in 0..2 {
            let mut left = fixture.active_ids(filter.user_id.as_ref().unwrap(), at(11)).await;
            left.sort();
            assert_eq!(left, *kept, "{filter:?}");
            carry_out(fixture).await;
        }
    }
}

async fn each_of_several_users_is_meant_and_nobody_else(fixture: &Fixture) {
    for name in ["ann", "bob", "eve"] {
        fixture.open(session_at(name, 0)).await;
    }
    let users = vec![user("ann"), user("bob"), user("without a session")];
    let filter = Filter { users: Some(users.clone()), ..Filter::default() };
    assert_eq!(fixture.store.search_sessions(search_for(&filter, 9, at(1))).await.unwrap().len(), 2);
    let of_none = Filter { user_id: Some(user("eve")), ..filter.clone() };
    for filter in [of_none, Filter { users: Some(Vec::new()), ..Filter::default() }] {
        assert_eq!(fixture.store.search_sessions(search_for(&filter, 9, at(1))).await.unwrap(), []);
        fixture.store.end_in_bulk(&BulkEnding { filter, ..everything(9) }, None).await.unwrap();
        assert_eq!(active(fixture, 11).await.len(), 3);
    }
    fixture.store.end_in_bulk(&BulkEnding { filter, ..everything(10) }, None).await.unwrap();
    let listed = fixture.store.bulk_endings(at(0)).await.unwrap();
    let named: Vec<_> = listed.iter().filter_map(|ending| ending.filter.user_id.clone()).collect();
    assert_eq!(named, users[..2]);
    for _ in 0..2 {
        let left = active(fixture, 11).await;
        assert_eq!((left.len(), &left[0].user_id), (1, &user("eve")));
        carry_out(fixture).await;
    }
}

async fn it_is_applied_a_batch_at_a_time_and_logged_once(fixture: &Fixture) {
    let many = 12_000;
    let one = fixture.open(session_at("ann", 0)).await;
    fixture.database.copy_session(one.id.as_uuid(), many).await;
    fixture.store.end_in_bulk(&everything(10), None).await.unwrap();
    let mut batches = 0;
    loop {
        let progress = fixture.store.apply_bulk_ending(at(20)).await.unwrap();
        if progress == BatchProgress::Idle {
            break;
        }
        batches += 1;
        assert!(
            progress == BatchProgress::More
                || fixture.raw.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL").await == 0
        );
    }
    assert!(batches > 2, "{batches}");
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").await, many + 1);
    let log = fixture.store.changes(&LogSnapshot::default(), LogPosition::default()).await.unwrap();
    assert!(
        matches!(log.changes.as_slice(), [only] if only.change == Change::BulkEnding { user: None, ended: Ended { at: at(10), reason: REASON } }),
        "{}",
        log.changes.len()
    );
}

async fn where_nothing_is_meant_nothing_happens(fixture: &Fixture) {
    fixture.store.end_in_bulk(&everything(1), None).await.unwrap();
    fixture.store.end_in_bulk(&of("ann"), None).await.unwrap();
    assert_eq!(fixture.store.apply_bulk_ending(at(2)).await.unwrap(), BatchProgress::Idle);
    fixture.open(session_at("ann", 0)).await;
    assert_eq!(active(fixture, 2).await.len(), 1);
}

async fn of_too_many_sessions_for_one_statement_none_is_ended_by_it(fixture: &Fixture) {
    let one = fixture.open(session_of("ann")).await;
    fixture.database.copy_session(one.id.as_uuid(), 5005).await;
    let first = fixture.store.end_sessions_of(&user("ann"), Some(one.id), REASON, at(1), None).await.unwrap();
    assert_eq!(first, EndedAtOnce::TooMany);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").await, 0, "all or none");
    let delete = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY created_at DESC LIMIT 5)";
    fixture.raw.run(delete).await.unwrap();
    let EndedAtOnce::Ended(ids) =
        fixture.store.end_sessions_of(&user("ann"), Some(one.id), REASON, at(2), None).await.unwrap()
    else {
        panic!("they are not too many any more")
    };
    assert_eq!(ids.len(), 5000);
}

async fn it_is_forgotten_after_it_was_applied(fixture: &Fixture) {
    fixture.open(session_of("ann")).await;
    fixture.store.end_in_bulk(&of("ann"), None).await.unwrap();
    assert_eq!(
        fixture.store.delete_stale(Stale::BulkEndings(at(30)), false, None).await.unwrap(),
        Some(0),
        "it is open"
    );
    carry_out(fixture).await;
    assert_eq!(fixture.store.delete_stale(Stale::BulkEndings(at(19)), false, None).await.unwrap(), Some(0));
    assert_eq!(fixture.store.delete_stale(Stale::BulkEndings(at(20)), false, None).await.unwrap(), Some(1));
}

async fn those_made_lately_are_listed_with_what_they_mean(fixture: &Fixture) {
    let kept = fixture.open(session_at("ann", 7)).await;
    let filter = Filter {
        user_id: Some(user("ann")),
        client_id: Some("web".to_owned()),
        device_type: Some(DeviceType::Mobile),
        ip_address: Some("192.0.2.0/23".parse().unwrap()),
        browser: Some("Firefox".to_owned()),
        os: Some("Linux".to_owned()),
        opened_by: Some(Opener::Session(kept.id)),
        created: Range { from: Some(at(1)), to: None },
        ..Filter::default()
    };
    let made = BulkEnding { filter: filter.clone(), except: Some(kept.id), ..everything(10) };
    fixture.store.end_in_bulk(&made, None).await.unwrap();
    fixture.store.end_in_bulk(&everything(9), None).await.unwrap();
    let until = Range { from: Some(at(1)), to: Some(at(7) + MICROSECOND) };
    let expected = BulkEnding { filter: Filter { created: until, ..filter }, ..made };
    for _ in 0..2 {
        assert_eq!(fixture.store.bulk_endings(at(10)).await.unwrap(), std::slice::from_ref(&expected));
        assert_eq!(fixture.store.bulk_endings(at(9)).await.unwrap().len(), 2);
        carry_out(fixture).await;
    }
}

/// The statements of an older version, which ignored `opened_by`.
async fn a_version_without_openers_ends_no_other_session_and_applies_nothing(fixture: &Fixture) {
    let meant = fixture.open(Session { opened_by: Some(Opener::BootstrapKey), ..session_at("ann", 0) }).await;
    let other = fixture.open(Session { opened_by: Some(Opener::CommandLine), ..session_at("ann", 1) }).await;
    let begin = match &fixture.raw {
        Raw::Postgres(_) => "UPDATE bulk_endings SET reached_at = NULL, done_at = at",
        Raw::Sqlite(_) => "UPDATE bulk_endings SET carrying_out = TRUE",
    };
    let filter = Filter { opened_by: Some(Opener::BootstrapKey), ..Filter::default() };
    fixture.store.end_in_bulk(&BulkEnding { filter, ..everything(10) }, None).await.unwrap();
    assert!(fixture.raw.run(begin).await.is_err());
    if let Raw::Postgres(_) = &fixture.raw {
        let ended = "SELECT count(*) FROM sessions
            WHERE (bulk_ending_of(id, user_id, created_at, client_id, device_type, ip_address)).at IS NOT NULL AND id = ";
        for (session, count) in [(&meant, 1), (&other, 0)] {
            assert_eq!(fixture.raw.number(&format!("{ended}{}", fixture.raw.id(session.id))).await, count);
        }
    }
    carry_out(fixture).await;
    assert_eq!(ids(&active(fixture, 11).await), [other.id]);

    fixture.store.end_in_bulk(&of("ann"), None).await.unwrap();
    assert_eq!(
        fixture.raw.run(&format!("{begin} WHERE done_at IS NULL")).await.unwrap(),
        1,
        "others are carried out by both"
    );
}

/// The statements of an older version, which ignored networks, browsers and systems.
async fn a_version_without_networks_ends_no_other_session_and_applies_nothing(fixture: &Fixture) {
    let with = |address: &str, browser: &str, os: &str| {
        let mut session = Session { ip_address: Some(address.parse().unwrap()), ..session_at("ann", 0) };
        (session.device.browser, session.device.os) = (Some(browser.to_owned()), Some(os.to_owned()));
        session
    };
    let meant = fixture.open(with("192.0.2.1", "Firefox", "Linux")).await;
    let other = fixture.open(with("203.0.113.1", "Chrome", "macOS")).await;
    let begin = match &fixture.raw {
        Raw::Postgres(_) => {
            "UPDATE bulk_endings SET reached_at = NULL, done_at = at
             WHERE set_config('sojourn.knows_openers', 'on', TRUE) = 'on'"
        }
        Raw::Sqlite(_) => "UPDATE bulk_endings SET carrying_out = 2",
    };
    for filter in [
        Filter { ip_address: Some("192.0.2.0/24".parse().unwrap()), ..Filter::default() },
        Filter { browser: Some("Firefox".to_owned()), ..Filter::default() },
        Filter { os: Some("Linux".to_owned()), ..Filter::default() },
    ] {
        fixture.store.end_in_bulk(&BulkEnding { filter: filter.clone(), ..everything(10) }, None).await.unwrap();
        let refused = fixture.raw.run(begin).await.unwrap_err().to_string();
        assert!(refused.contains("needs a newer version"), "{filter:?}: {refused}");
        if let Raw::Postgres(_) = &fixture.raw {
            let ended = "SELECT count(*) FROM sessions
                WHERE (bulk_ending_of(id, user_id, created_at, client_id, device_type, ip_address, opened_by)).at IS NOT NULL
                    AND id = ";
            for (session, count) in [(&meant, 1), (&other, 0)] {
                let count_ended = format!("{ended}{}", fixture.raw.id(session.id));
                assert_eq!(fixture.raw.number(&count_ended).await, count, "{filter:?}");
            }
        }
        carry_out(fixture).await;
        assert_eq!(ids(&active(fixture, 11).await), [other.id]);
        fixture.store.delete_stale(Stale::BulkEndings(at(20)), false, None).await.unwrap();
    }
}
