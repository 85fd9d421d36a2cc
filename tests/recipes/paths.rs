//! Routes that require more than a session, in every spelling of their paths.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::gateway::Program;
use super::http::Request;
use super::{Setup, on_every_gateway};

/// A path as an application may read it: decoded, without dots and doubled slashes, in small letters.
fn read_carelessly(target: &str) -> String {
    let path = target.split('?').next().unwrap();
    let decoded = percent_decode_str(path).decode_utf8().unwrap().to_lowercase();
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Targets that some application takes for `/reports` or something below it.
const SPELLINGS: [&str; 22] = [
    "/reports",
    "/reports/",
    "/reports/x",
    "/reports.json",
    "/reports?x=/public",
    "/reports;x",
    "/reports%2fx",
    "/reports%3fx",
    "/reports%00",
    "/REPORTS",
    "/Reports/x",
    "/%72eports",
    "/%2freports",
    "//reports",
    "///reports",
    "/./reports",
    "/x/../reports",
    "/x/%2e%2e/reports",
    "/x%2f..%2freports",
    "//x/../../reports",
    "http://app.example/reports",
    "http://app.example//reports",
];

on_every_gateway! {
    async fn a_guarded_route_is_guarded_in_every_spelling(program) {
        let setup = Setup::start(program).await;
        let bare = setup.open_bare().await;
        for target in SPELLINGS {
            for method in ["GET", "POST"] {
                let answer = setup.ask(&Request::new(method, target).bearer(&bare.token)).await;
                // The application is reached at most by a path that nobody takes for the guarded one.
                for arrived in setup.application.received() {
                    let read = read_carelessly(arrived.target());
                    assert!(!read.starts_with("/reports"), "{method} {target} arrived as {:?}", arrived.target());
                }
                if answer.status() == 403 {
                    let challenge = answer.header("www-authenticate");
                    assert!(challenge.contains("insufficient_scope"), "{challenge}");
                    assert!(challenge.contains("scope=\"reports:read\""), "{challenge}");
                }
            }
        }
        for target in ["/reports", "/reports/", "/reports/x", "/reports.json", "/reports?x"] {
            setup.ask(&Request::get(target).bearer(&bare.token)).await.expect(403);
            setup.ask(&Request::get(target)).await.expect(401);
            setup.nothing_arrived();
        }
    }

    async fn a_session_with_the_scope_passes(program) {
        let setup = Setup::start(program).await;
        let session = setup.open(&json!({ "user_id": "alice", "tokens": "session", "scope": "reports:read" })).await;
        let guarded = ["/reports", "/reports/", "/reports/x", "/reports.json", "/reports?a=b&c=%2F"];
        for target in guarded.into_iter().chain(["/", "/report", "/x/reports"]) {
            setup.ask(&Request::get(target).bearer(&session.token)).await.expect(200);
            assert_eq!(setup.arrived().target(), target);
        }
    }

    async fn no_path_arrives_in_which_a_host_can_be_read(program) {
        let setup = Setup::start(program).await;
        let bare = setup.open_bare().await;
        for target in ["//x/reports", "///x/reports", "http://app.example//x/reports", "//reports/x"] {
            setup.ask(&Request::get(target).bearer(&bare.token)).await;
            for arrived in setup.application.received() {
                assert!(!arrived.target().starts_with("//"), "{target} arrived as {:?}", arrived.target());
                assert!(!arrived.target().contains("://"), "{target} arrived as {:?}", arrived.target());
            }
        }
    }
}
