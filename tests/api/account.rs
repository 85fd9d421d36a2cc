//! The account page, `/account/sessions`, as browsers without scripts use it.

use chrono::TimeDelta;
use reqwest::redirect::Policy as Redirects;
use serde_json::json;
use sojourn::config::{AccountConfig, ConsoleAddress, HttpConfig};
use sojourn::sessions::Policy;

use crate::support::builder::Builder;
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

const COOKIE: &str = "__Host-session";
const PAGE: &str = "/account/sessions";

fn with_cookie() -> Builder {
    Server::builder().http(HttpConfig { cookie: Some(COOKIE.to_owned()), ..HttpConfig::default() })
}

async fn open(server: &Server, user: &str, device: &str) -> Opened {
    server.open_with(&json!({ "user_id": user, "tokens": "session", "device_name": device })).await
}

fn cookie(session: &Opened) -> String {
    format!("{COOKIE}={}", session.access)
}

/// A browser that follows no redirection by itself, with these cookies.
async fn send(server: &Server, method: &str, path: &str, cookies: &str, form: Option<&[(&str, &str)]>) -> Answer {
    let client = reqwest::Client::builder().no_proxy().redirect(Redirects::none()).build().unwrap();
    let request = client.request(method.parse().unwrap(), format!("{}{path}", server.base)).header("cookie", cookies);
    let request = if method == "POST" { request.header("sec-fetch-site", "same-origin") } else { request };
    answer(match form {
        Some(form) => request.form(form),
        None => request,
    })
    .await
}

async fn page(server: &Server, cookies: &str) -> Answer {
    send(server, "GET", PAGE, cookies, None).await
}

async fn post(server: &Server, path: &str, cookies: &str) -> Answer {
    send(server, "POST", path, cookies, Some(&[])).await
}

/// Where a form leads to, from its own path.
fn target(answer: &Answer, path: &str) -> String {
    let base = url(path);
    let target = base.join(answer.header("location")).unwrap();
    target.as_str().strip_prefix("http://host").unwrap().to_owned()
}

fn url(path: &str) -> url::Url {
    format!("http://host{path}").parse().unwrap()
}

/// The ids of the active sessions that a page lists, in order.
fn listed(page: &Answer) -> Vec<&str> {
    page.text.split("data-session=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

async fn link_for(server: &Server, key: &str, user: &str) -> String {
    let path = format!("/v1/users/{user}/account-link");
    let link = server.send("POST", &path, key).await.expect(201).json();
    let url = link["url"].as_str().unwrap();
    url.strip_prefix("http://localhost:8080").unwrap().to_owned()
}

/// Opens a link in a browser, and answers the cookie of the visit.
async fn visit(server: &Server, link: &str) -> String {
    let text = link.rsplit('/').next().unwrap();
    let opened = send(server, "POST", "/account/links", "", Some(&[("link", text)])).await.expect(303);
    assert_eq!(target(&opened, "/account/links"), PAGE);
    let set = opened.header("set-cookie");
    assert!(set.starts_with("__Host-sojourn-account=") && set.contains("SameSite=Strict; Max-Age=1800"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

on_both_databases! {
    async fn the_page_lists_this_device_first_and_the_others_by_their_last_use(database) {
        let server = with_cookie().start(database).await;
        let old = open(&server, "alice", "Old").await;
        server.wait(TimeDelta::minutes(5));
        let mine = open(&server, "alice", "Mine").await;
        server.wait(TimeDelta::hours(3));
        let new = open(&server, "alice", "New").await;
        open(&server, "bob", "Foreign").await;
        server.wait(TimeDelta::minutes(2));
        server.send("GET", "/v1/me", &old.access).await.expect(200);
        let page = page(&server, &cookie(&mine)).await.expect(200);
        assert_eq!(listed(&page), [&mine.id, &old.id, &new.id]);
        let current = page.text.split("data-current").nth(1).unwrap().split("</ul>").next().unwrap();
        assert!(current.contains(&mine.id) && current.contains("class=\"now\"") && !current.contains(&old.id));
        assert!(page.text.contains("This device") && page.text.contains("Last used 2 minutes ago"), "{}", page.text);
        assert!(!page.text.contains("Foreign"));
        assert_eq!(target(&send(&server, "GET", "/account", "", None).await.expect(303), "/account"), PAGE);
    }

    async fn a_form_ends_one_session_and_only_the_user_s_own(database) {
        let server = with_cookie().start(database).await;
        let (mine, other) = (open(&server, "alice", "Mine").await, open(&server, "alice", "Phone").await);
        let admin = json!({ "user_id": "alice", "tokens": "session", "scope": "sessions:admin" });
        let admin = server.open_with(&admin).await;
        let foreign = open(&server, "bob", "Foreign").await;
        for by in [&mine, &admin] {
            let path = format!("{PAGE}/{}/end", foreign.id);
            post(&server, &path, &cookie(by)).await.expect(404);
            let path = format!("{PAGE}/{}/rename", foreign.id);
            send(&server, "POST", &path, &cookie(by), Some(&[("name", "x")])).await.expect(404);
        }
        assert!(server.stands(&foreign.access).await);
        let path = format!("{PAGE}/{}/end", other.id);
        for _ in 0..2 {
            let done = post(&server, &path, &cookie(&mine)).await.expect(303);
            assert_eq!(target(&done, &path), format!("{PAGE}?done=ended"));
        }
        assert!(!server.stands(&other.access).await && server.stands(&mine.access).await);
        let page = send(&server, "GET", &format!("{PAGE}?done=ended"), &cookie(&mine), None).await.expect(200);
        assert!(page.text.contains("The session was ended."));
        assert!(!listed(&page).contains(&other.id.as_str()));
        let over = page.text.split("id=\"over\"").nth(1).unwrap();
        assert!(over.contains("Phone") && over.contains("Ended by you"), "{over}");
    }

    async fn a_form_ends_all_others(database) {
        let server = with_cookie().start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        let others = [open(&server, "alice", "A").await, open(&server, "alice", "B").await];
        let path = format!("{PAGE}/end-others");
        let done = post(&server, &path, &cookie(&mine)).await.expect(303);
        assert_eq!(target(&done, &path), format!("{PAGE}?done=others-2"));
        assert!(server.stands(&mine.access).await);
        for other in &others {
            assert!(!server.stands(&other.access).await);
        }
        let page = send(&server, "GET", &format!("{PAGE}?done=others-2"), &cookie(&mine), None).await.expect(200);
        assert!(page.text.contains("You were signed out on 2 other devices.") && listed(&page) == [&mine.id]);
    }

    async fn the_current_session_can_be_ended_and_its_cookie_goes(database) {
        let server = with_cookie().start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        let path = format!("{PAGE}/{}/end", mine.id);
        let done = post(&server, &path, &cookie(&mine)).await.expect(303);
        assert_eq!(target(&done, &path), format!("{PAGE}?done=signed-out"));
        assert!(done.header("set-cookie").starts_with("__Host-session=; Path=/;"), "{done:?}");
        assert!(!server.stands(&mine.access).await);
        let after = send(&server, "GET", &format!("{PAGE}?done=signed-out"), &cookie(&mine), None).await.expect(401);
        assert!(after.text.contains("You are signed out"), "{}", after.text);
    }

    async fn another_site_changes_nothing(database) {
        let server = with_cookie().start(database).await;
        let (mine, other) = (open(&server, "alice", "Mine").await, open(&server, "alice", "Phone").await);
        let visit = visit(&server, &link_for(&server, BOOTSTRAP_KEY, "alice").await).await;
        let forms = [format!("{PAGE}/{}/end", other.id), format!("{PAGE}/end-others"), format!("{PAGE}/{}/rename", other.id)];
        for path in forms {
            for cookies in [&cookie(&mine), &visit] {
                for site in [Some(("sec-fetch-site", "cross-site")), Some(("origin", "https://evil.example")), None] {
                    let request = server.request("POST", &path).header("cookie", cookies).form(&[("name", "x")]);
                    let request = site.into_iter().fold(request, |request, (name, value)| request.header(name, value));
                    let refused = answer(request).await.expect(403);
                    assert!(refused.text.contains("Nothing was changed"), "{}", refused.text);
                }
            }
        }
        assert!(server.stands(&other.access).await && server.stands(&mine.access).await);
        let link = link_for(&server, BOOTSTRAP_KEY, "alice").await;
        let form = [("link", link.rsplit('/').next().unwrap())];
        let refused = answer(server.request("POST", "/account/links").header("sec-fetch-site", "cross-site").form(&form)).await;
        assert!(!refused.expect(403).headers.contains_key("set-cookie"));
        self::visit(&server, &link).await;
    }

    async fn whoever_is_not_signed_in_is_shown_the_way(database) {
        let account = AccountConfig { way_back: "https://shop.example/login?a=1&b=2".to_owned(), ..AccountConfig::default() };
        let http = HttpConfig { cookie: Some(COOKIE.to_owned()), account, ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let ended = open(&server, "alice", "Mine").await;
        server.end(&ended.id).await;
        for cookies in ["", &cookie(&ended), "__Host-session=none", "__Host-sojourn-account=none"] {
            let refused = page(&server, cookies).await.expect(401);
            assert!(refused.text.contains("You are not signed in"), "{}", refused.text);
            assert!(refused.text.contains("href=\"https://shop.example/login?a=1&#38;b=2\""), "{}", refused.text);
            assert!(refused.header("content-type").starts_with("text/html"));
        }
        post(&server, &format!("{PAGE}/{}/end", ended.id), "").await.expect(401);
    }

    async fn a_name_is_text_whatever_is_in_it(database) {
        let server = with_cookie().start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        let path = format!("{PAGE}/{}/rename", mine.id);
        let name = "\"><img src=x onerror=alert(1)> \u{202e}gnp";
        let done = send(&server, "POST", &path, &cookie(&mine), Some(&[("name", name)])).await.expect(303);
        assert_eq!(target(&done, &path), format!("{PAGE}?done=renamed"));
        let shown = page(&server, &cookie(&mine)).await.expect(200);
        assert!(!shown.text.contains("<img"), "{}", shown.text);
        assert!(shown.text.contains("<bdi>&#34;&#62;&#60;img src=x onerror=alert(1)&#62;"), "{}", shown.text);
        let api = server.send("GET", &format!("/v1/sessions/{}", mine.id), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(api["device"]["name"], name);
        let long = "x".repeat(256);
        send(&server, "POST", &path, &cookie(&mine), Some(&[("name", &long)])).await.expect(422);
        send(&server, "POST", &path, &cookie(&mine), Some(&[("name", "")])).await.expect(303);
        let shown = page(&server, &cookie(&mine)).await.expect(200);
        assert!(shown.text.contains("Unknown device"), "{}", shown.text);
    }

    async fn a_link_opens_the_page_once_for_half_an_hour_and_nothing_else(database) {
        let server = with_cookie().start(database).await;
        let session = open(&server, "alice", "Phone").await;
        let link = link_for(&server, BOOTSTRAP_KEY, "alice").await;
        for _ in 0..2 {
            // Looking at the link does not use it up.
            let shown = send(&server, "GET", &link, "", None).await.expect(200);
            assert!(shown.text.contains("Continue") && !shown.text.contains("Phone"));
            assert_eq!(shown.header("referrer-policy"), "no-referrer");
        }
        let visit = visit(&server, &link).await;
        let again = [("link", link.rsplit('/').next().unwrap())];
        send(&server, "POST", "/account/links", "", Some(&again)).await.expect(401);
        let shown = page(&server, &visit).await.expect(200);
        assert!(listed(&shown) == [&session.id] && !shown.text.contains("data-current") && !shown.text.contains("/rename"));
        // Its text is a credential nowhere else.
        let text = visit.split('=').nth(1).unwrap();
        server.send("GET", "/v1/me", text).await.expect(401);
        let api = server.request("GET", "/v1/me").header("cookie", format!("{visit}; {COOKIE}={text}"));
        answer(api).await.expect(401);
        let rename = format!("{PAGE}/{}/rename", session.id);
        send(&server, "POST", &rename, &visit, Some(&[("name", "x")])).await.expect(401);
        let foreign = open(&server, "bob", "Foreign").await;
        post(&server, &format!("{PAGE}/{}/end", foreign.id), &visit).await.expect(404);
        post(&server, &format!("{PAGE}/{}/end", session.id), &visit).await.expect(303);
        assert!(!server.stands(&session.access).await && server.stands(&foreign.access).await);
        server.wait(TimeDelta::minutes(30));
        page(&server, &visit).await.expect(401);
    }

    async fn a_link_ends_with_its_time_its_maker_and_its_user(database) {
        let server = with_cookie().start(database).await;
        open(&server, "alice", "Phone").await;
        let used = |link: &str| vec![("link", link.rsplit('/').next().unwrap().to_owned())];
        let try_link = async |link: &str| {
            let form = used(link);
            let form: Vec<(&str, &str)> = form.iter().map(|(name, text)| (*name, text.as_str())).collect();
            send(&server, "POST", "/account/links", "", Some(&form)).await.status.as_u16()
        };
        let late = link_for(&server, BOOTSTRAP_KEY, "alice").await;
        server.wait(TimeDelta::minutes(15));
        assert_eq!(try_link(&late).await, 401);

        let made = json!({ "name": "web", "scope": "sessions:write" });
        let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &made).await.expect(201).json();
        let key = made["secret"].as_str().unwrap();
        let (unopened, opened) = (link_for(&server, key, "alice").await, link_for(&server, key, "alice").await);
        let opened = visit(&server, &opened).await;
        page(&server, &opened).await.expect(200);
        server.send("DELETE", &format!("/v1/keys/{}", made["key"]["id"].as_str().unwrap()), BOOTSTRAP_KEY).await.expect(200);
        assert_eq!(try_link(&unopened).await, 401);
        page(&server, &opened).await.expect(401);

        let (unopened, opened) = (link_for(&server, BOOTSTRAP_KEY, "alice").await, link_for(&server, BOOTSTRAP_KEY, "alice").await);
        let opened = visit(&server, &opened).await;
        server.send("POST", "/v1/users/alice/ban", BOOTSTRAP_KEY).await.expect(200);
        page(&server, &opened).await.expect(401);
        server.send("POST", "/v1/users/alice/account-link", BOOTSTRAP_KEY).await.expect_problem(403, "user_banned");
        server.send("DELETE", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(200);
        assert_eq!(try_link(&unopened).await, 401);
        server.send("POST", "/v1/users/alice/account-link", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
    }

    async fn a_bound_key_s_link_shows_and_ends_sessions_of_its_application(database) {
        let server = with_cookie().start(database).await;
        let of = |client: &str| json!({ "user_id": "alice", "client_id": client });
        let (shop, bank) = (server.open_with(&of("shop")).await, server.open_with(&of("bank")).await);
        let key = json!({ "name": "shop", "scope": "sessions:write", "client_id": "shop" });
        let key = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &key).await.expect(201).json();
        let visit = visit(&server, &link_for(&server, key["secret"].as_str().unwrap(), "alice").await).await;
        assert_eq!(listed(&page(&server, &visit).await.expect(200)), [&shop.id]);
        post(&server, &format!("{PAGE}/{}/end", bank.id), &visit).await.expect(404);
        let done = post(&server, &format!("{PAGE}/end-others"), &visit).await.expect(303);
        assert!(done.header("location").ends_with("others-1"));
        assert!(server.stands(&bank.access).await && !server.stands(&shop.access).await);
    }

    async fn a_visit_can_be_closed(database) {
        let server = with_cookie().start(database).await;
        open(&server, "alice", "Phone").await;
        let visit = visit(&server, &link_for(&server, BOOTSTRAP_KEY, "alice").await).await;
        let closed = post(&server, "/account/close", &visit).await.expect(303);
        assert!(closed.header("set-cookie").starts_with("__Host-sojourn-account=; Path=/;"));
        page(&server, &visit).await.expect(401);
    }

    async fn a_user_who_signed_in_long_ago_ends_no_others_where_that_is_set(database) {
        let policy = Policy { reauth_within: Some(TimeDelta::minutes(5)), ..Policy::default() };
        let server = with_cookie().policy(policy).start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        server.wait(TimeDelta::minutes(6));
        let other = open(&server, "alice", "Phone").await;
        for path in [format!("{PAGE}/{}/end", other.id), format!("{PAGE}/end-others")] {
            let refused = post(&server, &path, &cookie(&mine)).await.expect(403);
            assert!(refused.text.contains("Sign in once more first"), "{}", refused.text);
        }
        assert!(server.stands(&other.access).await);
        post(&server, &format!("{PAGE}/{}/end", mine.id), &cookie(&mine)).await.expect(303);
    }

    async fn nothing_of_anybody_else_gets_into_a_page(database) {
        let account = AccountConfig { frame_ancestors: vec!["https://app.example".parse().unwrap()], ..AccountConfig::default() };
        let http = HttpConfig { cookie: Some(COOKIE.to_owned()), account, ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        let link = link_for(&server, BOOTSTRAP_KEY, "alice").await;
        for (path, cookies) in [(PAGE, cookie(&mine)), (PAGE, String::new()), (link.as_str(), String::new())] {
            let page = send(&server, "GET", path, &cookies, None).await;
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
            assert!(policy.ends_with("trusted-types 'none'; frame-ancestors https://app.example"), "{policy}");
            assert_eq!(page.header("cache-control"), "no-store");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
            assert!(!page.text.contains("<style") && !page.text.contains(" style="), "{}", page.text);
            assert!(!page.text.contains("http:") && !page.text.contains("https:"), "{}", page.text);
        }
        let alone = with_cookie().start_on_sqlite().await;
        assert!(page(&alone, "").await.header("content-security-policy").ends_with("frame-ancestors 'none'"));
    }

    async fn files_are_kept_for_good_and_change_their_address(database) {
        let server = with_cookie().start(database).await;
        let refused = page(&server, "").await.expect(401);
        let files: Vec<&str> = refused.text.split("href=\"assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            let kept = send(&server, "GET", &format!("/account/assets/{file}"), "", None).await.expect(200);
            assert_eq!(kept.header("cache-control"), "public, max-age=31536000, immutable");
            let name = file.split('/').nth(1).unwrap();
            send(&server, "GET", &format!("/account/assets/other/{name}"), "", None).await.expect(404);
        }
    }

    async fn the_page_speaks_the_reader_s_language(database) {
        let server = with_cookie().start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        for (language, opening, title) in [
            ("de-DE,en;q=0.5", "<html lang=\"de\" dir=\"ltr\">", "Wo du angemeldet bist"),
            ("ar", "<html lang=\"ar\" dir=\"rtl\">", "أماكن تسجيل دخولك"),
            ("fr", "<html lang=\"en\" dir=\"ltr\">", "Where you are signed in"),
        ] {
            let request = server.request("GET", PAGE).header("cookie", cookie(&mine)).header("accept-language", language);
            let page = answer(request).await.expect(200);
            assert!(page.text.contains(opening) && page.text.contains(title), "{}", page.text);
            assert!(page.header("vary").contains("accept-language"));
        }
    }

    async fn the_switch_takes_the_page_away(database) {
        let http = HttpConfig { cookie: Some(COOKIE.to_owned()), console: ConsoleAddress::None, ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mine = open(&server, "alice", "Mine").await;
        for path in ["/account", PAGE, "/account/events"] {
            send(&server, "GET", path, &cookie(&mine), None).await.expect_problem(404, "not_found");
        }
        post(&server, &format!("{PAGE}/{}/end", mine.id), &cookie(&mine)).await.expect_problem(404, "not_found");
        server.send("POST", "/v1/users/alice/account-link", BOOTSTRAP_KEY).await.expect_problem(404, "not_found");
    }
}
