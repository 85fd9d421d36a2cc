//! The guides of `docs/` as pages below `/docs/guide`, rendered once from the Markdown in this binary, and the files that
//! they lead to.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::announcements::{announce_redirection, with_page};
use super::app::App;
use super::docs_page::{DocsPage, Part};
use super::extract::PathText;
use super::failure::Rejection;
use super::family::Refused;
use super::native::Native;

type Refusal = Refused<Native>;

macro_rules! texts {
    ($($file:literal),* $(,)?) => {
        &[$((file_name($file), include_str!(concat!("../../", $file)))),*]
    };
}

/// The guides, by the last part of their path.
const GUIDES: &[(&str, &str)] = texts![
    "README.md",
    "docs/API.md",
    "docs/console.md",
    "docs/gateways.md",
    "docs/OPERATING.md",
    "docs/high-availability.md",
    "docs/backup-and-restore.md",
    "docs/secrets.md",
    "docs/limits.md",
    "docs/privacy.md",
    "docs/PERFORMANCE.md",
    "docs/PROMISES.md",
    "docs/asvs.md",
    "docs/ARCHITECTURE.md",
    "docs/migrations.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
];

/// The recipes for gateways, by their path in the folder of the guides.
const RECIPES: &[(&str, &str)] = texts![
    "docs/gateways/nginx/sojourn.conf",
    "docs/gateways/haproxy/haproxy.cfg",
    "docs/gateways/haproxy/sojourn.lua",
    "docs/gateways/apache/sojourn.conf",
    "docs/gateways/apache/sojourn.lua",
    "docs/gateways/caddy/Caddyfile",
    "docs/gateways/traefik/traefik.yml",
    "docs/gateways/traefik/routes.yml",
    "docs/gateways/envoy/envoy.yaml",
];

/// The path in the folder of the guides.
const fn file_name(path: &str) -> &str {
    match path.as_bytes() {
        [b'd', b'o', b'c', b's', b'/', name @ ..] => match str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => path,
        },
        _ => path,
    }
}

/// The rules for Prometheus, which a guide links to.
const ALERTS: (&str, &str) = ("alerts.yml", include_str!("../../docs/alerts.yml"));

/// The routes.
pub(super) fn router() -> Router<Arc<App>> {
    announce_redirection("/docs/guide");
    // Links are relative, so that they work below any path prefix of a reverse proxy.
    let router = Router::new().route("/docs/guide", get(async || Redirect::permanent("guide/README.md")));
    let router = with_page(router, "/docs/guide/{file}", get(async |file: PathText<Native>| page(&file)));
    with_page(router, "/docs/guide/gateways/{*file}", get(async |file: PathText<Native>| recipe(&file)))
}

static PAGES: LazyLock<HashMap<&str, Bytes>> =
    LazyLock::new(|| GUIDES.iter().map(|(name, text)| (*name, Bytes::from(render(name, text)))).collect());

fn page(name: &str) -> Result<Response, Refusal> {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    if name == ALERTS.0 {
        return Ok(([(header::CONTENT_TYPE, "application/yaml")], ALERTS.1).into_response());
    }
    let page = PAGES.get(name).ok_or(Rejection::UnknownPath)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, page.clone()).into_response())
}

/// A file as it is, to be saved.
fn recipe(file: &str) -> Result<Response, Refusal> {
    let is_asked_for = |name: &str| name.strip_prefix("gateways/") == Some(file);
    let (_, text) = RECIPES.iter().find(|(name, _)| is_asked_for(name)).ok_or(Rejection::UnknownPath)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, *text).into_response())
}

/// A page of a Markdown text: its headings get the anchors that its links name, and links lead to the other pages.
fn render(name: &str, text: &str) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let mut anchors = anchors(&events).into_iter();
    for event in &mut events {
        match event {
            Event::Start(Tag::Heading { id, .. }) => *id = anchors.next().map(CowStr::from),
            Event::Start(Tag::Link { dest_url, .. }) => *dest_url = target(dest_url).into(),
            _ => {}
        }
    }
    let mut body = format!(
        "<div class=\"columns\"><nav class=\"contents\" aria-label=\"Guides\">{}</nav><main class=\"prose\" id=\"main\">",
        contents(name)
    );
    html::push_html(&mut body, events.into_iter());
    body += "</main></div>";
    DocsPage { title: title_of(text), part: Part::Guides, head: "", body: &body }.html()
}

/// The list of all guides, of which `here` is the page that it is on.
fn contents(here: &str) -> String {
    let entry = |(name, text): &(&str, &str)| {
        let current = if *name == here { " aria-current=\"page\"" } else { "" };
        format!("<li><a href=\"{name}\"{current}>{}</a></li>", title_of(text))
    };
    format!("<ul>{}</ul>", GUIDES.iter().map(entry).collect::<String>())
}

fn title_of(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches("# ")
}

/// The anchor of each heading: its words in small letters, with hyphens between.
fn anchors(events: &[Event<'_>]) -> Vec<String> {
    let (mut anchors, mut heading) = (Vec::new(), None);
    for event in events {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(text)) => {
                let words = text.to_lowercase();
                let kept = words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
                anchors.push(kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect());
                heading = None;
            }
            (Event::Text(part) | Event::Code(part), Some(text)) => text.push_str(part),
            _ => {}
        }
    }
    anchors
}

/// The address of a link: another guide's page where there is one.
fn target(link: &str) -> String {
    let (path, anchor) = link.split_once('#').map_or((link, ""), |(path, anchor)| (path, anchor));
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_ours = !link.contains("://") && GUIDES.iter().any(|(guide, _)| *guide == name);
    match (is_ours, anchor) {
        (true, "") => name.to_owned(),
        (true, anchor) => format!("{name}#{anchor}"),
        (false, _) if path.ends_with("openapi.yaml") => "../../openapi.yaml".to_owned(),
        (false, _) => link.to_owned(),
    }
}
