//! Calls of browsers from pages at other origins.

use reqwest::header::HeaderValue;
use sojourn::config::HttpConfig;

use crate::support::server::{Answer, Server, answer};

const APP: &str = "https://app.example";

async fn with_origins(rate_limit: u32) -> Server {
    let cors_origins = vec![APP.parse().unwrap(), "https://admin.example".parse().unwrap()];
    let http = HttpConfig { cors_origins, rate_limit, ..HttpConfig::default() };
    Server::builder().http(http).start_on_sqlite().await
}

async fn preflight(server: &Server, origin: &str, headers: &[&[u8]]) -> Answer {
    let request = server.request("OPTIONS", "/v1/me").header("origin", origin);
    let request = headers.iter().fold(request.header("access-control-request-method", "DELETE"), |request, names| {
        request.header("access-control-request-headers", HeaderValue::from_bytes(names).unwrap())
    });
    answer(request).await.expect(200)
}

#[tokio::test]
async fn listed_origins_may_send_whatever_headers_tracing_libraries_add() {
    let server = with_origins(0).await;
    let asked = "authorization,baggage,content-type,idempotency-key,last-event-id,sentry-trace,traceparent,tracestate,\
                 x-b3-traceid,x-datadog-trace-id,x-request-id";
    for origin in [APP, "https://admin.example"] {
        let allowed = preflight(&server, origin, &[asked.as_bytes()]).await;
        assert_eq!(allowed.header("access-control-allow-origin"), origin);
        assert_eq!(allowed.header("access-control-allow-credentials"), "true");
        assert_eq!(allowed.header("access-control-allow-headers"), asked);
        assert!(allowed.header("access-control-allow-methods").contains("DELETE"));
    }
    for stranger in ["https://evil.example", "http://app.example", "https://app.example:8443", "null"] {
        let refused = preflight(&server, stranger, &[asked.as_bytes()]).await;
        assert_eq!(refused.header("access-control-allow-origin"), "", "{stranger}");
    }
}

#[tokio::test]
async fn a_preflight_that_no_browser_sends_gets_its_headers_not_repeated() {
    let server = with_origins(0).await;
    let (longest, too_long) = ("a".repeat(1024), "a".repeat(1025));
    for names in ["x-a", "x-a, x-b", "X-A,\tx-b", &longest] {
        let allowed = preflight(&server, APP, &[names.as_bytes()]).await;
        assert_eq!(allowed.header("access-control-allow-headers"), names);
    }
    let odd: [&[&[u8]]; 7] =
        [&[b""], &[b"x a"], &[b"x-a,"], &[b"x-a;q=1"], &[b"x-\xe9"], &[b"x-a", b"x-b"], &[too_long.as_bytes()]];
    for names in odd {
        let allowed = preflight(&server, APP, names).await;
        assert_eq!(allowed.header("access-control-allow-headers"), "", "{names:?}");
    }
}

#[tokio::test]
async fn pages_see_every_header_that_the_server_tells_clients_something_by() {
    let server = with_origins(100).await;
    let open = server.open("alice").await;
    for path in ["/v1/me", "/auth/sessions", "/oauth2/introspect"] {
        for token in [open.access.as_str(), "nonsense"] {
            let request = server.request("GET", path).header("origin", APP).bearer_auth(token);
            let answer = answer(request).await;
            assert_eq!(answer.header("access-control-allow-origin"), APP);
            let exposed: Vec<&str> = answer.header("access-control-expose-headers").split(',').collect();
            let telling = answer.headers.keys().map(reqwest::header::HeaderName::as_str).filter(|name| {
                name.contains("ratelimit")
                    || ["x-request-id", "www-authenticate", "retry-after", "location"].contains(name)
            });
            let hidden: Vec<&str> = telling.filter(|name| !exposed.contains(name)).collect();
            assert!(hidden.is_empty(), "{path} hides {hidden:?}");
            assert!(exposed.contains(&"retry-after") && exposed.contains(&"x-request-id"), "{exposed:?}");
        }
    }
    let limited = server.request("GET", "/auth/sessions").header("origin", APP).bearer_auth(&open.access);
    assert!(!answer(limited).await.expect(200).header("x-ratelimit-remaining").is_empty());
}

#[tokio::test]
async fn no_cache_gives_one_origin_s_answer_to_another() {
    let server = with_origins(0).await;
    let varies = |answer: &Answer| {
        let vary = answer.headers.get_all("vary").iter().flat_map(|value| value.to_str().unwrap().split(','));
        vary.map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    };
    for origin in [Some(APP), Some("https://evil.example"), None] {
        for path in ["/.well-known/jwks.json", "/v1/me", "/nowhere"] {
            let request = server.request("GET", path);
            let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
            let answered = answer(request).await;
            assert!(varies(&answered).contains(&"origin".to_owned()), "{path} {origin:?}");
        }
    }
    let asked = varies(&preflight(&server, APP, &[b"x-a"]).await);
    assert_eq!(asked, ["origin", "access-control-request-headers"], "the methods are the same for everybody");
}
