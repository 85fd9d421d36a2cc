//! The identity that the application is told, whatever the client says of itself.

use serde_json::json;

use super::gateway::Program;
use super::http::{Message, Request};
use super::{COOKIE, Opened, Setup, on_every_gateway};

/// The name of a header as the most careless application reads it.
fn read_carelessly(name: &str) -> String {
    name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

/// The headers of an identity in a message, in any spelling, without empty ones: some gateways leave those out.
fn identity_in(message: &Message) -> Vec<(String, Vec<u8>)> {
    let named = message.headers.iter().map(|(name, value)| (read_carelessly(name), value.clone()));
    let mut identity: Vec<_> = named
        .filter(|(name, value)| !value.is_empty() && (name.starts_with("x-user-") || name.starts_with("x-session-")))
        .collect();
    identity.sort();
    identity
}

impl Setup {
    /// The identity of a session: what the server itself tells.
    async fn identity_of(&self, session: &Opened) -> Vec<(String, Vec<u8>)> {
        let request = self.client.get(format!("{}/v1/verify", self.sojourn.base)).bearer_auth(&session.token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        identity_in(&Message { headers, ..Message::default() })
    }
}

/// Another user's identity in a request: every header in every spelling.
fn forged(program: Program, mut request: Request) -> Request {
    // nginx removes no names that it is not told, so a recipe for it must have them all.
    let unknown = (program != Program::Nginx).then_some("X-Session-New");
    let names = [
        "X-User-Id",
        "X-Session-Id",
        "X-Session-Scope",
        "X-Session-Client",
        "X-Session-Acr",
        "X-Session-Amr",
        "X-Session-Auth-Time",
        "X-User-Name",
        "X-User-Name-Encoded",
        "X-User-Email",
    ];
    for name in names.into_iter().chain(unknown) {
        let (first, rest) = name.rsplit_once('-').unwrap();
        for spelling in [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            format!("{first}_{rest}"),
        ] {
            request = request.header(format!("{spelling}: forged"));
        }
    }
    request
}

on_every_gateway! {
    async fn a_user_s_whole_identity_arrives_and_nothing_that_the_client_made_up(program) {
        let setup = Setup::start(program).await;
        let body = json!({
            "user_id": "Renée", "tokens": "session", "scope": "profile reports:read", "client_id": "web",
            "acr": "aal2", "amr": ["pwd", "otp"], "user": { "name": "名前 Ünal", "email": "renée@example.org" },
        });
        let session = setup.open(&body).await;
        let identity = setup.identity_of(&session).await;
        assert_eq!(identity.len(), 10, "{identity:?}");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            for target in ["/", "/reports/1?x-user-id=root"] {
                for credential in
                    [format!("Authorization: Bearer {}", session.token), format!("Cookie: {COOKIE}={}", session.token)]
                {
                    let request = Request::new(method, target).header(credential);
                    for request in [request.clone(), forged(program, request)] {
                        // An answer to HEAD has the length of a body and no body, so the connection is not read on.
                        let mut connection = setup.connect().await;
                        if method == "HEAD" {
                            connection.send(&request).await;
                            assert!(connection.exactly(12).await.unwrap().ends_with(b" 200"));
                        } else {
                            connection.ask(&request).await.expect(200);
                        }
                        let arrived = setup.arrived();
                        assert_eq!(identity_in(&arrived), identity, "{arrived:?}");
                        assert_eq!((arrived.method(), arrived.target()), (method, target));
                    }
                }
            }
        }
        let name = identity.iter().find(|(name, _)| name == "x-user-name").unwrap();
        assert_eq!(name.1, "名前 Ünal".as_bytes());
        let encoded = identity.iter().find(|(name, _)| name == "x-user-name-encoded").unwrap();
        assert_eq!(encoded.1, b"%E5%90%8D%E5%89%8D%20%C3%9Cnal");
    }

    async fn what_is_not_known_of_a_user_is_not_what_the_client_says(program) {
        let setup = Setup::start(program).await;
        let session = setup.open_bare().await;
        let identity = setup.identity_of(&session).await;
        let names: Vec<_> = identity.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-session-auth-time", "x-session-id", "x-user-id"]);
        setup.ask(&forged(program, Request::get("/").bearer(&session.token))).await.expect(200);
        assert_eq!(identity_in(&setup.arrived()), identity);
    }

    async fn a_client_cannot_make_the_gateway_drop_a_part_of_its_identity(program) {
        let setup = Setup::start(program).await;
        let body = json!({ "user_id": "alice", "tokens": "session", "scope": "guest", "user": { "name": "A" } });
        let session = setup.open(&body).await;
        let identity = setup.identity_of(&session).await;
        for named in ["X-User-Id", "keep-alive, x-session-scope", "x_user_id", "close,X-Session-Scope ,x-user-name"] {
            let request = Request::get("/").bearer(&session.token).header(format!("Connection: {named}"));
            let answer = setup.ask(&forged(program, request)).await;
            if answer.status() == 400 {
                setup.nothing_arrived();
                continue;
            }
            answer.expect(200);
            let arrived = setup.arrived();
            assert_eq!(identity_in(&arrived), identity, "{named}");
            // The next proxy would drop what is named here.
            let passed_on = read_carelessly(&arrived.header("connection"));
            assert!(!passed_on.contains("x-user") && !passed_on.contains("x-session"), "{passed_on}");
        }
    }

    async fn the_largest_identity_arrives(program) {
        let setup = Setup::start(program).await;
        let wide = |count: usize| "\u{1f511}".repeat(count);
        let decisive = json!({
            "user_id": wide(255), "scope": "s".repeat(1024), "client_id": wide(255), "acr": wide(2),
            "amr": vec!["%".repeat(64); 16], "user": { "name": "A" },
        });
        let descriptive = json!({ "user_id": "a", "user": { "name": "\u{e9}".repeat(250), "email": wide(255) } });
        for (body, least) in [(decisive, 6000), (descriptive, 3000)] {
            let session = setup.open(&body).await;
            let identity = setup.identity_of(&session).await;
            let bytes: usize = identity.iter().map(|(_, value)| value.len()).sum();
            assert!(bytes > least, "{bytes}");
            let cookies = format!("Cookie: other={}", "c".repeat(4000));
            setup.ask(&Request::get("/").bearer(&session.token).header(cookies)).await.expect(200);
            assert_eq!(identity_in(&setup.arrived()), identity);
        }
    }

    async fn a_head_of_any_size_is_refused_or_arrives_with_the_whole_identity(program) {
        let setup = Setup::start(program).await;
        let body = json!({
            "user_id": "\u{1f511}".repeat(255), "tokens": "session", "scope": "s".repeat(1024),
            "amr": vec!["%".repeat(64); 16],
        });
        let session = setup.open(&body).await;
        let identity = setup.identity_of(&session).await;
        let mut passed = 0;
        for size in (0..24).map(|size| size * 1024) {
            let mut request = Request::get("/").bearer(&session.token);
            for part in 0..size / 1024 {
                request = request.header(format!("X-Part-{part}: {}", "c".repeat(1010)));
            }
            let answer = setup.ask(&forged(program, request)).await;
            let arrived = setup.application.received();
            assert_eq!(arrived.len(), usize::from(answer.status() == 200), "{size}: {}", answer.line);
            for arrived in arrived {
                assert_eq!(identity_in(&arrived), identity, "{size}");
                passed += 1;
            }
        }
        assert!(passed > 8, "heads of 8 KiB pass, which applications often accept");
    }
}
