//! The guides, as pages of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::server::{Server, answer};

#[tokio::test]
async fn every_guide_is_a_page_whose_links_lead_somewhere() {
    let server = Server::builder().start_on_sqlite().await;
    let moved = answer(server.request("GET", "/docs/guide")).await;
    assert_eq!(moved.expect(200).header("content-type"), "text/html; charset=utf-8", "the redirect leads to a page");
    let (mut pages, mut open) = (BTreeMap::new(), vec!["README.md".to_owned()]);
    while let Some(name) = open.pop() {
        if pages.contains_key(&name) {
            continue;
        }
        let page = answer(server.request("GET", &format!("/docs/guide/{name}"))).await.expect(200);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.text.contains("style=") && !page.text.contains("<style"), "{name}: the policy forbids it");
        for link in ["href=\"../docs.css\"", "href=\".././\"", "href=\"../guide/README.md\"", "href=\"../../admin\""] {
            assert!(page.text.contains(link), "{name} has no {link}");
        }
        assert!(page.text.contains(&format!("href=\"{name}\" aria-current=\"page\"")), "{name} is in its list");
        open.extend(links(&page.text).into_iter().map(|link| link.split('#').next().unwrap().to_owned()));
        pages.insert(name, page.text);
    }
    assert!(pages.len() > 12, "{:?}", pages.keys());
    for text in pages.values() {
        for link in links(text) {
            if let Some((page, anchor)) = link.split_once('#') {
                assert!(pages[page].contains(&format!("id=\"{anchor}\"")), "{link}");
            }
        }
    }
    let alerts = server.send("GET", "/docs/guide/alerts.yml", "").await.expect(200);
    assert!(pages["OPERATING.md"].contains("href=\"alerts.yml\"") && alerts.text.contains("alert: SojournDown"));
    assert_eq!(alerts.header("content-type"), "application/yaml");
    server.send("GET", "/docs/guide/Cargo.toml", "").await.expect_problem(404, "not_found");
}

/// The links of a page to other guides.
fn links(page: &str) -> BTreeSet<String> {
    let targets = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let targets = targets.map(|target| target.trim_start_matches("../guide/"));
    targets.filter(|target| !target.contains("://") && target.contains(".md")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn every_recipe_is_served_as_it_is_and_linked_from_its_guide() {
    let server = Server::builder().start_on_sqlite().await;
    let guide = answer(server.request("GET", "/docs/guide/gateways.md")).await.expect(200).text;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let folders = fs::read_dir(root.join("gateways")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).collect();
    assert!(files.len() > 6, "{files:?}");
    for entry in files {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let file = answer(server.request("GET", &format!("/docs/guide/{name}"))).await.expect(200);
        assert_eq!(file.text, fs::read_to_string(&path).unwrap());
        assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert!(guide.contains(&format!("href=\"{name}\"")), "no link leads to {name}");
    }
    for path in ["gateways", "gateways/", "gateways/none", "gateways/gateways/caddy/Caddyfile"] {
        server.send("GET", &format!("/docs/guide/{path}"), "").await.expect(404);
    }
}
