//! The device of a session, as people see it.

use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

/// Headers that browsers, apps, tools and bots sent, and the devices that they describe.
const DEVICES: &str = include_str!("devices.json");

const TELEVISION: &str =
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 9.0) AppleWebKit/537.36 (KHTML, like Gecko) 120.0.6099.5/9.0 TV Safari/537.36";
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

on_both_databases! {
    async fn each_header_shows_the_device_that_sent_it(database) {
        let server = Server::start(database).await;
        let rows: Vec<Value> = serde_json::from_str(DEVICES).unwrap();
        let mut wrong = Vec::new();
        for row in &rows {
            let mut body = json!({ "user_id": "alice", "user_agent": row["user_agent"] });
            if let Some(hints) = row.get("client_hints") {
                body["client_hints"] = hints.clone();
            }
            let opened = server.open_with(&body).await;
            let device = &opened.body["session"]["device"];
            if *device != row["device"] {
                wrong.push(format!("{}\n    {}\n    {device}", row["user_agent"], row["device"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(rows.len() >= 100);
    }

    async fn a_given_name_wins_and_another_is_made_once_it_is_taken_away(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "alice", "user_agent": LINUX, "device_name": "Alice's laptop" });
        let alice = server.open_with(&body).await;
        let path = format!("/v1/sessions/{}", alice.id);
        let name = async || server.send("GET", &path, &alice.access).await.json()["device"]["name"].clone();
        assert_eq!(name().await, "Alice's laptop");
        server.send_json("PATCH", &path, &alice.access, &json!({ "device_name": null })).await.expect(200);
        assert_eq!(name().await, "Firefox 145 on Linux");
    }

    async fn every_family_that_names_devices_uses_the_same_name(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "alice", "user_agent": TELEVISION });
        let alice = server.open_with(&body).await;
        assert_eq!(alice.body["session"]["device"]["name"], "Samsung TV");
        let quiika = server.send("GET", "/auth/sessions", &alice.access).await.expect(200).json();
        assert_eq!((&quiika[0]["deviceName"], &quiika[0]["deviceType"]), (&json!("Samsung TV"), &json!("DESKTOP")));
        let cumulonimbus = server.send("GET", "/user/alice/sessions", &alice.access).await.expect(200).json();
        assert_eq!(cumulonimbus["items"][0]["name"], "Samsung TV");
        let reader = server.key("https://jans.io/oauth/jans-auth-server/session.readonly").await;
        let janssen = server.send("GET", "/api/v1/jans-auth-server/session", &reader).await.expect(200).json();
        assert_eq!(janssen["entries"][0]["sessionAttributes"]["device_name"], "Samsung TV");
        let vault = server.send("GET", "/api/v1/users/me/sessions", &alice.access).await.expect(200).json();
        let expected = json!({ "deviceType": "desktop", "os": "Tizen", "browser": "Samsung TV", "isMobile": false });
        assert_eq!(vault[0]["deviceInfo"], expected);
    }

    async fn sessions_are_found_and_counted_by_the_new_kinds(database) {
        let server = Server::start(database).await;
        let television = server.open_with(&json!({ "user_id": "alice", "user_agent": TELEVISION })).await;
        server.open_with(&json!({ "user_id": "alice", "user_agent": LINUX })).await;
        let found = server.send("GET", "/v1/sessions?device_type=tv", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(found["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(found["sessions"][0]["id"], television.id);
        let body = json!({ "filter": { "device_type": "tv" } });
        let ended = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200).json();
        assert_eq!(ended["revoked"], 1);
        assert!(!server.stands(&television.access).await);
        for kind in ["desktop", "mobile", "tablet", "tv", "console", "headset", "app", "bot", "unknown"] {
            server.send("GET", &format!("/v1/sessions?device_type={kind}"), BOOTSTRAP_KEY).await.expect(200);
        }
        let problem = server.send("GET", "/v1/sessions?device_type=toaster", BOOTSTRAP_KEY).await;
        problem.expect_problem(400, "malformed_request");
    }

    async fn a_hint_that_is_not_known_is_refused(database) {
        let server = Server::start(database).await;
        for hints in [json!({ "sec_ch_ua_wow64": "?0" }), json!({ "sec_ch_ua": 7 }), json!("Brave"), json!(["Brave"])] {
            let body = json!({ "user_id": "alice", "client_hints": hints });
            let refused = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await;
            refused.expect_problem(400, "malformed_request");
        }
    }

    async fn whatever_a_client_says_of_itself_opens_a_session_and_stays_short(database) {
        let server = Server::start(database).await;
        for piece in ["(", "[(", "a/", "a ", "(Android 1;", "\\\"", "\"a\";v=", "\"a\",", "\u{1f600}", "Bot/1 ", "1.", "x"] {
            for prefix in ["", "Mozilla/5.0 (Linux; Android 14; ", "\""] {
                let of_length = |length| prefix.chars().chain(piece.chars().cycle()).take(length).collect::<String>();
                let (long, short) = (of_length(600), of_length(100));
                let hints = json!({
                    "sec_ch_ua": long, "sec_ch_ua_full_version_list": short, "sec_ch_ua_mobile": short,
                    "sec_ch_ua_platform": short, "sec_ch_ua_platform_version": short, "sec_ch_ua_model": short,
                    "sec_ch_ua_form_factors": short,
                });
                let body = json!({ "user_id": "alice", "user_agent": of_length(5000), "client_hints": hints });
                let opened = server.open_with(&body).await;
                let device = opened.body["session"]["device"].as_object().unwrap();
                for (member, value) in device {
                    assert!(value.as_str().is_none_or(|shown| shown.chars().count() <= 140), "{member}: {value}");
                }
            }
        }
    }
}
