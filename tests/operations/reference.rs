//! The page at `/`, the documents in every form, and the reference that shows them.

use std::collections::BTreeSet;

use reqwest::Url;
use serde_json::Value;
use sojourn::api::{self, DocumentForm, FAMILIES};

use crate::support::server::{Server, answer};

async fn get(server: &Server, path: &str) -> crate::support::server::Answer {
    answer(server.request("GET", path)).await
}

#[tokio::test]
async fn whoever_opens_the_address_itself_is_led_to_the_reference_and_the_health_checks() {
    let server = Server::start_on_sqlite().await;
    let page = get(&server, "/").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let links: Vec<&str> = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for wanted in ["docs/", "healthz", "readyz", "openapi.yaml", "openapi.json", "openapi-3.0.json"] {
        assert!(links.contains(&wanted), "{links:?}");
    }
    for link in links {
        assert!(!link.starts_with('/') && !link.contains(':'), "{link}: below a path of a proxy it leads elsewhere");
        get(&server, &format!("/{link}")).await.expect(200);
    }
    answer(server.request("POST", "/")).await.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn the_reference_wears_the_clothes_of_the_console_and_all_of_them_are_here() {
    let server = Server::start_on_sqlite().await;
    for path in ["/docs/", "/docs/index.html"] {
        let page = get(&server, path).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").contains("script-src 'self'; style-src 'self'"));
        let targets = |attribute: &str| -> Vec<String> {
            let rests = page.text.split(attribute).skip(1);
            rests.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let (links, scripts) = (targets("href=\""), targets("src=\""));
        assert_eq!(scripts.len(), 3, "{scripts:?}");
        for wanted in ["docs.css", "./swagger-ui.css", "./", "guide/README.md", "../admin"] {
            assert!(links.iter().any(|link| link == wanted), "{links:?}");
        }
        let here = Url::parse(&format!("{}/docs/", server.base)).unwrap();
        for link in links.iter().chain(&scripts).filter(|link| *link != "../admin" && !link.starts_with('#')) {
            get(&server, here.join(link).unwrap().path()).await.expect(200);
        }
    }
    let style = get(&server, "/docs/docs.css").await.expect(200);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(!style.text.contains("url(") && !style.text.contains("@import"), "nothing is loaded from elsewhere");
    assert_eq!(get(&server, "/docs/swagger-ui.css").await.expect(200).header("content-type"), "text/css");
    get(&server, "/docs/nothing.js").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn the_documents_are_served_in_every_form() {
    let server = Server::start_on_sqlite().await;
    for (suffix, content_type, version, form) in [
        (".json", "application/json", "3.1.0", DocumentForm::Json),
        ("-3.0.json", "application/json", "3.0.3", DocumentForm::Json30),
    ] {
        let all = get(&server, &format!("/openapi{suffix}")).await.expect(200);
        assert_eq!(all.text, api::document_as(None, form).unwrap().unwrap());
        assert_eq!((all.header("content-type"), &all.json()["openapi"]), (content_type, &Value::from(version)));
        for family in FAMILIES {
            let one = get(&server, &format!("/openapi/{}{suffix}", family.name)).await.expect(200).json();
            let printed = api::document_as(Some(family.name), form).unwrap().unwrap();
            let printed: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!((&one["openapi"], &one["paths"]), (&Value::from(version), &printed["paths"]), "{}", family.name);
        }
    }
    for unknown in ["/openapi/nobody.json", "/openapi/native", "/openapi/native.txt", "/openapi/.yaml", "/openapi"] {
        get(&server, unknown).await.expect_problem(404, "not_found");
    }
}

/// The documents that the reference offers, in its order: name and address.
async fn offered(server: &Server) -> Vec<(String, String)> {
    let script = get(server, "/docs/swagger-initializer.js").await.expect(200).text;
    let (_, urls) = script.split_once("\"urls\":").unwrap();
    let urls: Vec<Value> = serde_json::Deserializer::from_str(urls).into_iter().next().unwrap().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    urls.iter().map(|offered| (text(&offered["name"]), text(&offered["url"]))).collect()
}

#[tokio::test]
async fn the_reference_opens_on_the_native_api_and_has_the_families_below() {
    let server = Server::start_on_sqlite().await;
    let names: Vec<String> = offered(&server).await.into_iter().map(|(name, _)| name).collect();
    let expected: Vec<&str> = FAMILIES.iter().map(|family| family.name).chain(["all"]).collect();
    assert_eq!((names, expected[0]), (expected.iter().map(ToString::to_string).collect(), "native"));
    let script = get(&server, "/docs/swagger-initializer.js").await.text;
    assert!(script.contains("\"urls.primaryName\": \"native\""), "{script}");
}

/// The addresses that a page at `reference` sends a document's requests to: that of its first server, with each path.
async fn targets(server: &Server, reference: &Url, document: &str) -> Vec<Url> {
    let (address, here) = (reference.join(document).unwrap(), Url::parse("http://here/docs/").unwrap());
    let path = here.join(document).unwrap().path().replace(".yaml", ".json");
    let document = get(server, &path).await.expect(200).json();
    let base = address.join(document["servers"][0]["url"].as_str().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().keys();
    paths.map(|path| format!("{}{path}", base.as_str().trim_end_matches('/')).parse().unwrap()).collect()
}

#[tokio::test]
async fn a_request_from_the_reference_goes_to_where_the_page_came_from_and_finds_its_operation() {
    let server = Server::start_on_sqlite().await;
    let page = format!("{}/docs/", server.base).parse().unwrap();
    let below_a_path = "https://id.example/sessions/docs/".parse().unwrap();
    let mut found = BTreeSet::new();
    for (name, document) in offered(&server).await {
        for target in targets(&server, &page, &document).await {
            assert!(target.as_str().starts_with(&server.base), "{name}: {target}");
            // No operation has this method, so none is asked for anything; only a path that is not there is 404.
            assert_ne!(answer(server.request("TRACE", target.path())).await.status, 404, "{name}: {target}");
            found.insert(target.path().to_owned());
        }
        for target in targets(&server, &below_a_path, &document).await {
            assert!(target.as_str().starts_with("https://id.example/sessions/"), "{name}: {target}");
        }
    }
    assert!(found.len() > 30, "{found:?}");
}
