//! `POST /v1/sessions/revoke`.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::model::{EndReason, Owner, SessionId};
use sojourn::sessions::{IpStorage, Policy};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

const PATH: &str = "/v1/sessions/revoke";

async fn revoke(server: &Server, body: Value) -> Value {
    server.send_json("POST", PATH, BOOTSTRAP_KEY, &body).await.expect(200).json()
}

on_both_databases! {
    async fn named_sessions_end_and_others_stay(database) {
        let server = Server::start(database).await;
        let (one, two, kept) = (server.open("alice").await, server.open("bob").await, server.open("alice").await);
        let body = json!({ "ids": [one.id, two.id, one.id, "no-id", "01a20114-3d06-7355-88c5-d5965a7f8762"] });
        let mut dry = body.clone();
        dry["dry_run"] = json!(true);
        let shown = revoke(&server, dry).await;
        assert_eq!((&shown["revoked"], &shown["dry_run"]), (&json!(2), &json!(true)));
        assert_eq!(shown["sample"].as_array().unwrap().len(), 2);
        assert!(server.stands(&one.access).await);
        assert_eq!(revoke(&server, body.clone()).await, json!({ "revoked": 2, "dry_run": false }));
        assert!(!server.stands(&one.access).await && !server.stands(&two.access).await);
        assert!(server.stands(&kept.access).await);
        assert_eq!(revoke(&server, body).await["revoked"], 0);
        let ended = server.send("GET", &format!("/v1/sessions/{}", one.id), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(ended["end_reason"], "revoked_by_admin");
    }

    async fn a_filter_ends_what_it_means_on_every_replica_and_in_every_list(database) {
        let server = Server::start(database).await;
        let two = server.replica().await;
        let open = async |user: &str, client: &str| server.open_with(&json!({ "user_id": user, "client_id": client })).await;
        let (web, app) = (open("alice", "web").await, open("alice", "app").await);
        assert!(two.stands(&web.access).await && two.stands(&app.access).await);
        let filter = json!({ "client_id": "web" });
        let shown = revoke(&server, json!({ "filter": filter, "dry_run": true })).await;
        assert_eq!(shown["sample"][0]["id"], web.id);
        assert_eq!(revoke(&server, json!({ "filter": filter })).await["revoked"], 1);
        assert!(!server.stands(&web.access).await, "at once where it was asked");
        two.catch_up().await;
        assert!(!two.stands(&web.access).await);
        server.refresh(&web.refresh).await.expect(400);
        assert!(two.stands(&app.access).await);
        let listed = two.send("GET", "/auth/sessions", &app.access).await.expect(200).json();
        assert_eq!(listed.as_array().map_or(1, Vec::len), 1, "{listed}");
        let again = open("alice", "web").await;
        assert!(server.stands(&again.access).await && two.stands(&again.access).await, "who signs in afterwards stays");
        server.sessions.apply_bulk_endings().await.unwrap();
        assert!(server.stands(&again.access).await && server.stands(&app.access).await);
        let ended = server.send("GET", "/v1/sessions?state=ended", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(ended["sessions"][0]["id"], web.id);
    }

    async fn a_network_or_a_device_ends_sessions_that_another_replica_has_in_its_cache(database) {
        let server = Server::start(database).await;
        let two = server.replica().await;
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        let open = async |address: &str, agent: &str| {
            server.open_with(&json!({ "user_id": "alice", "ip_address": address, "user_agent": agent })).await
        };
        for (filter, meant) in [
            (json!({ "ip_address": "198.51.100.0/24" }), ("::ffff:198.51.100.255", "curl/8")),
            (json!({ "ip_address": "2001:db8::/32" }), ("2001:db8:ffff::1", "curl/8")),
            (json!({ "browser": "Firefox" }), ("203.0.113.7", firefox)),
            (json!({ "os": "Linux", "ip_address": "203.0.113.0/24" }), ("203.0.113.7", firefox)),
        ] {
            let (meant, other) = (open(meant.0, meant.1).await, open("198.51.101.0", "curl/8").await);
            assert!(two.stands(&meant.access).await && two.stands(&other.access).await, "both are in the cache");
            let shown = revoke(&server, json!({ "filter": filter, "dry_run": true })).await;
            assert_eq!((&shown["revoked"], &shown["sample"][0]["id"]), (&json!(1), &json!(meant.id)), "{filter}");
            assert!(two.stands(&meant.access).await);
            assert_eq!(revoke(&server, json!({ "filter": filter })).await["revoked"], 1, "{filter}");
            assert!(!server.stands(&meant.access).await && server.stands(&other.access).await, "{filter}");
            two.catch_up().await;
            let list = two.send("GET", "/v1/revocations", BOOTSTRAP_KEY).await.expect(200).json();
            assert_eq!(list["bulk"].as_array().unwrap().last().unwrap()["ask"], true, "{filter}");
            for _ in 0..2 {
                assert!(!two.stands(&meant.access).await && two.stands(&other.access).await, "{filter}");
                server.sessions.apply_bulk_endings().await.unwrap();
            }
            let ended = server.send("GET", &format!("/v1/sessions/{}", meant.id), BOOTSTRAP_KEY).await.expect(200).json();
            assert_eq!(ended["end_reason"], "revoked_by_admin");
        }
    }

    async fn a_dry_run_tells_the_applications_and_an_instant_that_keeps_who_comes_later(database) {
        let server = Server::start(database).await;
        let open = async |client: Option<&str>| {
            server.open_with(&json!({ "user_id": "alice", "client_id": client, "ip_address": "203.0.113.7" })).await
        };
        let (mut web, mut apps) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            web.push(open(Some("web")).await);
        }
        for number in 0..25 {
            apps.push(open(Some(&format!("app {number:02}"))).await);
        }
        let none = [open(None).await, open(None).await];
        server.end(&web.pop().unwrap().id).await;
        let filter = json!({ "ip_address": "203.0.113.7" });
        let shown = revoke(&server, json!({ "filter": filter, "dry_run": true })).await;
        assert_eq!((&shown["revoked"], shown["sample"].as_array().unwrap().len()), (&json!(29), 10));
        let shares = shown["by_client_id"].as_array().unwrap();
        assert_eq!(shares.len(), 20);
        let two = [json!({ "client_id": null, "sessions": 2 }), json!({ "client_id": "web", "sessions": 2 })];
        assert!(two.iter().all(|share| shares[..2].contains(share)), "{shown}");
        assert!(shares[2..].iter().all(|share| share["sessions"] == 1));
        assert!(server.stands(&web[0].access).await, "nothing has changed");
        let counted_at = shown["counted_at"].as_str().unwrap();
        assert!(counted_at.parse::<chrono::DateTime<chrono::Utc>>().unwrap() <= server.now());
        server.wait(TimeDelta::seconds(1));
        let late = open(Some("web")).await;
        let mut body = json!({ "filter": filter });
        body["filter"]["created_to"] = json!(counted_at);
        assert_eq!(revoke(&server, body).await, json!({ "revoked": 29, "dry_run": false }));
        assert!(server.stands(&late.access).await);
        assert!(!server.stands(&none[0].access).await && !server.stands(&apps[0].access).await);

        let named = revoke(&server, json!({ "ids": [late.id, none[0].id], "dry_run": true })).await;
        assert_eq!(named["by_client_id"], json!([{ "client_id": "web", "sessions": 1 }]));
        let nobody = revoke(&server, json!({ "filter": { "user_name": "nobody" }, "dry_run": true })).await;
        assert_eq!((&nobody["revoked"], &nobody["by_client_id"]), (&json!(0), &json!([])));
        assert!(nobody["counted_at"].is_string());
    }

    async fn a_name_or_an_address_ends_the_sessions_of_whoever_has_it_now(database) {
        let server = Server::start(database).await;
        let open = async |user: &str, name: &str, email: &str| {
            server.open_with(&json!({ "user_id": user, "user": { "name": name, "email": email } })).await.access
        };
        let (ann, annette) = (open("1", "Ann", "ann@example.org").await, open("2", "Annette", "ann@example.org").await);
        let by_name = json!({ "filter": { "user_name": "ANN" } });
        assert_eq!(revoke(&server, by_name).await["revoked"], 1);
        assert!(!server.stands(&ann).await && server.stands(&annette).await, "the whole name counts");
        let bob = open("3", "Bob", "bob@example.org").await;
        let by_email = json!({ "filter": { "email": "ANN@example.org" } });
        assert_eq!(revoke(&server, by_email.clone()).await["revoked"], 1);
        assert!(!server.stands(&annette).await && server.stands(&bob).await);
        server.send_json("PUT", "/v1/users/3", BOOTSTRAP_KEY, &json!({ "email": "ann@example.org" })).await.expect(200);
        server.sessions.apply_bulk_endings().await.unwrap();
        assert!(server.stands(&bob).await, "a later change of address ends nothing");
        let both = [open("1", "Ann", "ann@example.org").await, open("2", "Annette", "ann@example.org").await];
        let mut of_app = by_email;
        of_app["filter"]["client_id"] = json!("app");
        assert_eq!(revoke(&server, of_app.clone()).await["revoked"], 0);
        assert!(server.stands(&both[0]).await);
        of_app["filter"].as_object_mut().unwrap().remove("client_id");
        of_app["filter"]["user_name"] = json!("nobody");
        assert_eq!(revoke(&server, of_app.clone()).await["revoked"], 0, "nobody is not everybody");
        of_app["filter"].as_object_mut().unwrap().remove("user_name");
        assert_eq!(revoke(&server, of_app).await["revoked"], 3);
        assert!(!server.stands(&both[0]).await && !server.stands(&both[1]).await && !server.stands(&bob).await);
    }

    async fn everybody_can_be_signed_out_at_once(database) {
        let server = Server::start(database).await;
        let mut tokens = Vec::new();
        for user in 0..20 {
            tokens.push(server.open(&format!("user {user}")).await.access);
        }
        assert_eq!(revoke(&server, json!({ "all": true })).await["revoked"], 20);
        for token in &tokens {
            assert!(!server.stands(token).await);
        }
        assert!(server.stands(&server.open("user 1").await.access).await);
    }

    async fn a_user_with_very_many_sessions_is_signed_out_by_one_request(database) {
        let server = Server::start(database).await;
        let first = server.open("robot").await;
        let mut last = first.clone();
        // The user has more sessions than one statement ends.
        for _ in 0..5 {
            last = server.open("robot").await;
        }
        server.copy_session(&first.id, 6000).await;
        let ended = server.send("DELETE", "/v1/users/robot/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(ended["ended"], 6006, "{ended}");
        assert!(!server.stands(&first.access).await && !server.stands(&last.access).await);
        assert!(server.stands(&server.open("robot").await.access).await);
    }

    /// All other sessions are idle, and the caller's own was ended a moment ago by another process.
    async fn where_none_is_left_to_be_counted_none_is_said_to_be_ended(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "robot", "idle_timeout": 600, "tokens": "session" });
        let own = server.open_with(&body).await;
        server.copy_session(&own.id, 5001).await;
        server.wait(TimeDelta::seconds(500));
        assert!(server.stands(&own.access).await);
        server.sessions.write_all_activity().await.unwrap();
        server.wait(TimeDelta::seconds(200));
        assert!(server.stands(&own.access).await);
        let id = SessionId::parse(&own.id).unwrap();
        server.store.end_session(id, Owner::Anyone, EndReason::Logout, server.now(), None).await.unwrap().unwrap();
        let answer = server.send("DELETE", "/v1/me/sessions?keep_current=true", &own.access).await;
        match answer.status.as_u16() {
            200 => assert_eq!(answer.json()["ended"], 0),
            // A 401 says that the server already knows of the ending.
            status => assert_eq!(status, 401, "{}", answer.text),
        }
    }

    async fn what_cannot_be_meant_is_refused(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let bad = [
            json!({}),
            json!({ "all": false }),
            json!({ "ids": [opened.id], "all": true }),
            json!({ "filter": {} }),
            json!({ "filter": { "user_id": "" } }),
            json!({ "filter": { "ip_address": "nowhere" } }),
            json!({ "filter": { "ip_address": "198.51.100.7/24" } }),
            json!({ "filter": { "user_name": "" } }),
            json!({ "filter": { "email": null } }),
            json!({ "ids": vec![opened.id.as_str(); 501] }),
        ];
        for body in bad {
            server.send_json("POST", PATH, BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
        }
        for body in [json!({ "filter": { "state": "active" } }), json!({ "ids": "all" }), json!([true])] {
            server.send_json("POST", PATH, BOOTSTRAP_KEY, &body).await.expect_problem(400, "malformed_request");
        }
        assert!(server.stands(&opened.access).await);
        let key = server.key("sessions:read sessions:write").await;
        server.send_json("POST", PATH, &key, &json!({ "all": true })).await.expect_problem(403, "insufficient_scope");
    }

    async fn an_address_of_which_less_is_kept_ends_nobody(database) {
        let full = Server::start(database).await;
        for (number, (ip_storage, address, expected)) in [
            (IpStorage::Truncated, "203.0.113.7", None),
            (IpStorage::Truncated, "2001:db8:1:2::7", None),
            (IpStorage::Truncated, "203.0.113.0", Some(1)),
            (IpStorage::Off, "203.0.113.0", None),
            (IpStorage::Truncated, "203.0.113.0/25", None),
            (IpStorage::Truncated, "203.0.113.0/24", Some(1)),
            (IpStorage::Truncated, "203.0.0.0/16", Some(1)),
            (IpStorage::Truncated, "2001:db8:1:2::/64", None),
            (IpStorage::Off, "203.0.113.0/24", None),
            (IpStorage::Full, "203.0.113.0/29", Some(1)),
            (IpStorage::Full, "203.0.113.8/29", Some(0)),
            (IpStorage::Full, "203.0.113.7", Some(1)),
            (IpStorage::Full, "::ffff:203.0.113.7", Some(1)),
        ].into_iter().enumerate() {
            let policy = Policy { ip_storage, ..Policy::default() };
            let server = full.replica_with(|with| with.policy(policy)).await;
            let user = format!("user-{number}");
            server.open_with(&json!({ "user_id": user, "ip_address": "203.0.113.7" })).await;
            let body = json!({ "filter": { "user_id": user, "ip_address": address } });
            let answer = server.send_json("POST", PATH, BOOTSTRAP_KEY, &body).await;
            match expected {
                Some(ended) => assert_eq!(answer.expect(200).json()["revoked"], ended, "{ip_storage:?} {address}"),
                None => {
                    let problem = answer.expect_problem(422, "invalid_request").json();
                    assert_eq!(problem["errors"][0]["field"], "ip_address");
                }
            }
        }
    }

    async fn sessions_opened_meanwhile_are_either_ended_or_fully_active(database) {
        let server = Server::start(database).await;
        let opening = async {
            let mut opened = Vec::new();
            for user in 0..60 {
                opened.push(server.open(&format!("user {}", user % 5)).await);
            }
            opened
        };
        let ending = async {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                revoke(&server, json!({ "all": true })).await;
            }
        };
        let (opened, ()) = tokio::join!(opening, ending);
        let mut before = Vec::new();
        for session in &opened {
            before.push(server.stands(&session.access).await);
        }
        server.sessions.apply_bulk_endings().await.unwrap();
        for (session, before) in opened.iter().zip(before) {
            assert_eq!(server.stands(&session.access).await, before, "carrying it out changes nothing");
        }
    }
}
