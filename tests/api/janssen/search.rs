//! `GET …/session/search`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::sessions::Policy;

use super::{PATH, ids, sorted};
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

async fn ask(server: &Server, query: &[(&str, &str)]) -> Answer {
    answer(server.request("GET", &format!("{PATH}/search")).query(query).bearer_auth(BOOTSTRAP_KEY)).await
}

async fn find(server: &Server, query: &[(&str, &str)]) -> Value {
    ask(server, query).await.expect(200).json()
}

on_both_databases! {
    async fn a_pattern_is_found_literally_anywhere_in_a_session(database) {
        let server = Server::start(database).await;
        let one = server.open_with(&json!({ "user_id": "100%_1\\", "client_id": "Web" })).await;
        let two = server
            .open_with(&json!({ "user_id": "2002", "ip_address": "203.0.113.7", "acr": "o'ne\"", "scope": "openid" }))
            .await;
        let rows = [
            ("", sorted([&one, &two])),
            (" , ", sorted([&one, &two])),
            ("ou=people", sorted([&one, &two])),
            ("inum=2002", vec![two.id.as_str()]),
            ("100%_1\\", vec![&one.id]),
            ("%", vec![&one.id]),
            ("_1", vec![&one.id]),
            ("\\", vec![&one.id]),
            ("Web", vec![&one.id]),
            ("web", Vec::new()),
            ("203.0.113", vec![&two.id]),
            ("o'ne\"", vec![&two.id]),
            ("' OR '1'='1", Vec::new()),
            (two.id.as_str(), vec![&two.id]),
            ("nothing,openid", vec![&two.id]),
            ("Web,openid", sorted([&one, &two])),
        ];
        for (pattern, expected) in rows {
            let found = find(&server, &[("pattern", pattern)]).await;
            assert_eq!(ids(&found), expected, "{pattern}");
            assert_eq!(found["totalEntriesCount"], expected.len());
        }
    }

    async fn pairs_must_all_hold_and_a_pattern_with_them(database) {
        let server = Server::start(database).await;
        let short = server.open_with(&json!({ "user_id": "1001", "client_id": "web", "expires_in": 3600 })).await;
        server.wait(TimeDelta::days(2));
        let long = server.open_with(&json!({ "user_id": "1001", "client_id": "app", "acr": "basic" })).await;
        let other = server.open_with(&json!({ "user_id": "1002", "client_id": "web" })).await;
        let today = server.now().format("%Y-%m-%d").to_string();
        let (created, until) = (long.body["session"]["created_at"].as_str().unwrap(), format!("exp<{today}"));
        let mine = sorted([&short, &long]);
        let rows = [
            ("userDn=1001".to_owned(), mine.clone()),
            ("userDn=inum=1001,ou=people,o=jans".to_owned(), mine.clone()),
            ("jansUsrDN>inum=1001,ou=people,o=jans,client_id=web".to_owned(), vec![short.id.as_str()]),
            (until, vec![short.id.as_str()]),
            (format!("userDn=1001,expirationDate>{today}"), vec![long.id.as_str()]),
            (format!("creationDate={created},acr=basic"), vec![long.id.as_str()]),
            (format!("authenticationTime>={created},userDn=1001"), vec![long.id.as_str()]),
            (format!("sid={}", other.id), vec![other.id.as_str()]),
            (format!("outsideSid={}", other.id.to_uppercase()), vec![other.id.as_str()]),
            ("jansId=nothing".to_owned(), Vec::new()),
            ("state=authenticated,auth_user=1002".to_owned(), vec![other.id.as_str()]),
            ("state=unauthenticated".to_owned(), Vec::new()),
            ("redirect_uri=x".to_owned(), Vec::new()),
            ("client_id=%".to_owned(), Vec::new()),
        ];
        for (pairs, expected) in rows {
            let found = find(&server, &[("fieldValuePair", &pairs)]).await;
            assert_eq!(ids(&found), expected, "{pairs}");
        }
        let both = find(&server, &[("fieldValuePair", "client_id=web"), ("pattern", "1002")]).await;
        assert_eq!(ids(&both), [&other.id]);
    }

    async fn a_list_is_sorted_by_any_field_both_ways_and_paged(database) {
        let server = Server::start(database).await;
        let first = server.open("b").await;
        server.wait(TimeDelta::seconds(5));
        let second = server.open_with(&json!({ "user_id": "c", "expires_in": 3600 })).await;
        server.wait(TimeDelta::seconds(5));
        let third = server.open("a").await;
        let in_order = [&first.id, &second.id, &third.id];
        let rows = [
            (["jansId", "sid"], in_order),
            (["id", "outsideSid"], in_order),
            (["state", "jansState"], in_order),
            (["creationDate", "creationDate"], in_order),
            (["authenticationTime", "authnTime"], in_order),
            (["lastUsedAt", "jansLastAccessTime"], in_order),
            (["userDn", "jansUsrDN"], [&third.id, &first.id, &second.id]),
            (["expirationDate", "exp"], [&second.id, &first.id, &third.id]),
        ];
        for (names, expected) in rows {
            for name in names {
                assert_eq!(ids(&find(&server, &[("sortBy", name)]).await), expected, "{name}");
                let mut reverse = expected;
                reverse.reverse();
                let descending = find(&server, &[("sortBy", name), ("sortOrder", "descending")]).await;
                assert_eq!(ids(&descending), reverse, "{name}");
            }
        }
        let other = find(&server, &[("sortOrder", "desc nulls last--")]).await;
        assert_eq!(ids(&other), in_order);
        let page = find(&server, &[("limit", "1"), ("startIndex", "1")]).await;
        assert_eq!((&page["start"], &page["totalEntriesCount"]), (&json!(1), &json!(3)));
        assert_eq!(ids(&page), [&second.id]);
        assert!(ids(&find(&server, &[("limit", "-1")]).await).is_empty());
        assert_eq!(find(&server, &[("startIndex", "-5")]).await["start"], json!(0));
        for start in [3, 1_000_000, 1_000_001, i32::MAX] {
            for query in [vec![], vec![("sortBy", "userDn")], vec![("fieldValuePair", "userDn=b")]] {
                let number = start.to_string();
                let past = find(&server, &[&query[..], &[("startIndex", number.as_str())]].concat()).await;
                assert!(ids(&past).is_empty(), "{start}");
                let total = if query == [("fieldValuePair", "userDn=b")] { 1 } else { 3 };
                assert_eq!((&past["start"], &past["totalEntriesCount"]), (&json!(start), &json!(total)));
            }
        }
    }

    async fn the_total_is_counted_up_to_its_limit(database) {
        let policy = Policy { search_total_limit: 2, search_page_limit: 3, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        for _ in 0..4 {
            server.open("1001").await;
        }
        let found = find(&server, &[]).await;
        assert_eq!((&found["totalEntriesCount"], &found["entriesCount"]), (&json!(2), &json!(3)));
        let refused = ask(&server, &[("limit", "4")]).await.expect(400).json();
        assert_eq!(refused["message"], "Maximum number of results per page is 3");
    }

    async fn a_total_beyond_the_limit_of_counting_is_cached_for_five_seconds(database) {
        let policy = Policy { search_total_limit: 2, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let opened = [server.open("1001").await, server.open("1001").await, server.open("1001").await];
        let total = async |query: &[(&str, &str)]| find(&server, query).await["totalEntriesCount"].clone();
        assert_eq!(total(&[]).await, 2);
        for session in &opened[..2] {
            server.end(&session.id).await;
        }
        let page = find(&server, &[("limit", "1")]).await;
        assert_eq!((&page["totalEntriesCount"], ids(&page)), (&json!(2), vec![opened[2].id.as_str()]));
        assert_eq!(total(&[("fieldValuePair", "userDn=1001")]).await, 1, "another list is not taken for that one");
        server.wait(TimeDelta::seconds(5));
        assert_eq!(total(&[]).await, 1);
    }

    async fn what_cannot_be_taken_is_refused_as_an_error_of_the_client(database) {
        let server = Server::start(database).await;
        let refused = ask(&server, &[("limit", "201")]).await.expect(400).json();
        assert_eq!(refused, json!({ "code": "400", "message": "Maximum number of results per page is 200" }));
        let long = "x".repeat(201);
        let many_tokens = "x,".repeat(21);
        let many_pairs = "sid=1,".repeat(10_000 / 8);
        let rows = [
            ("limit", "abc"), ("limit", "2147483648"), ("startIndex", "2147483648"),
            ("sortBy", "jansId;drop table x"), ("sortBy", "(select 1)"), ("sortBy", "password"),
            ("pattern", long.as_str()), ("pattern", many_tokens.as_str()), ("pattern", "a\0b"),
            ("fieldValuePair", "exp>=2025-01-01' or '1'='1"), ("fieldValuePair", "password=x"),
            ("fieldValuePair", "userDn"), ("fieldValuePair", many_pairs.as_str()), ("fieldValuePair", "userDn=\0"),
            ("fieldValuePair", "exp>2025-02-30"), ("fieldValuePair", "exp>+275760-09-13"),
        ];
        for (name, value) in rows {
            let refused = ask(&server, &[(name, value)]).await.expect(400).json();
            assert_eq!(refused["code"], "400", "{name}={value}");
            assert!(refused["message"].is_string());
        }
        let twice = ask(&server, &[("limit", "1"), ("limit", "2")]).await.expect(400);
        assert_eq!(twice.json()["code"], "400");
        let broken = server.request("GET", &format!("{PATH}/search?pattern=%C0%AF")).bearer_auth(BOOTSTRAP_KEY);
        answer(broken).await.expect(400);
        for date in ["0001-01-01", "9999-12-31"] {
            ask(&server, &[("fieldValuePair", &format!("exp>{date}"))]).await.expect(200);
        }
    }
}
