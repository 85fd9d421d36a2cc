//! Places by address, and the address and place of the last use.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::config::HttpConfig;
use sojourn::geoip::GeoIp;
use sojourn::sessions::{IpStorage, Policy};

use crate::support::database::TestDatabase;
use crate::support::mmdb::{Mmdb, replace};
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server, answer};

/// Addresses in Berlin, in Lisbon, and of a network without a place.
const BERLIN: &str = "203.0.113.7";
const LISBON: &str = "2001:db8:7::1";
const NETWORK_ONLY: &str = "198.51.100.7";

fn cities(berlin: &str) -> Mmdb {
    let named = |name: &str| json!({ "names": { "en": name, "de": "nicht gefragt" }, "geoname_id": 7 });
    let country = |code: &str, name: &str| json!({ "iso_code": code, "names": { "en": name } });
    Mmdb::new("GeoLite2-City")
        .with(
            "203.0.113.0/24",
            &json!({
                "city": named(berlin), "subdivisions": [named("Land Berlin"), named("Mitte")],
                "country": country("DE", "Germany"), "registered_country": country("US", "United States"),
            }),
        )
        .with("2001:db8:7::/48", &json!({ "city": named("Lisbon"), "country": country("PT", "Portugal") }))
}

fn networks() -> Mmdb {
    let network =
        |asn: u32, name: &str| json!({ "autonomous_system_number": asn, "autonomous_system_organization": name });
    Mmdb::new("DBIP-ASN-Lite (compat=GeoLite2-ASN)")
        .with("203.0.113.0/24", &network(64_500, "Example Net"))
        .with("198.51.100.0/24", &network(64_501, "Nowhere Net"))
}

/// The files of a test, removed at its end.
struct Files {
    paths: Vec<PathBuf>,
    geoip: Arc<GeoIp>,
}

impl Files {
    fn new() -> Self {
        let paths = vec![cities("Berlin").write_new(), networks().write_new()];
        let geoip = Arc::new(GeoIp::open(&paths).unwrap());
        Self { paths, geoip }
    }

    /// A server behind a proxy, which the test is.
    async fn serve(&self, ip_storage: IpStorage, database: TestDatabase) -> Server {
        let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let http = HttpConfig { trusted_proxies, ..HttpConfig::default() };
        let policy = Policy { ip_storage, ..Policy::default() };
        let places = Arc::<GeoIp>::clone(&self.geoip);
        Server::builder().policy(policy).http(http).places(places).start(database).await
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.paths {
            drop(std::fs::remove_file(path));
        }
    }
}

async fn opened_at(server: &Server, address: &str) -> Opened {
    server.open_with(&json!({ "user_id": "1001", "ip_address": address, "tokens": "session" })).await
}

async fn shown(server: &Server, id: &str) -> Value {
    server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(200).json()
}

/// Sends a request with a user's token from an address, through the trusted proxy.
async fn use_at(server: &Server, path: &str, token: &str, address: &str) {
    answer(server.request("GET", path).bearer_auth(token).header("x-forwarded-for", address)).await.expect(200);
}

/// Writes what was noted, and returns the session's last address, location and country.
async fn last(server: &Server, id: &str) -> Value {
    server.sessions.write_all_activity().await.unwrap();
    let session = shown(server, id).await;
    json!([session["last_ip_address"], session["last_location"], session["last_place"]["country"]])
}

fn berlin() -> Value {
    json!([BERLIN, "Berlin, Germany", "DE"])
}

fn lisbon() -> Value {
    json!([LISBON, "Lisbon, Portugal", "PT"])
}

on_both_databases! {
    async fn a_session_has_the_place_of_its_address(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        for address in [BERLIN, "::ffff:203.0.113.7"] {
            let session = &opened_at(&server, address).await.body["session"];
            let place = json!({
                "city": "Berlin", "region": "Land Berlin", "country": "DE", "country_name": "Germany",
                "network": { "asn": 64_500, "organization": "Example Net" },
            });
            assert_eq!((&session["location"], &session["place"]), (&json!("Berlin, Germany"), &place));
            assert_eq!((&session["last_location"], &session["last_place"]), (&session["location"], &place));
            assert_eq!((&session["ip_address"], &session["last_ip_address"]), (&json!(BERLIN), &json!(BERLIN)));
        }
        let session = &opened_at(&server, LISBON).await.body["session"];
        let place = json!({ "city": "Lisbon", "country": "PT", "country_name": "Portugal" });
        assert_eq!((&session["location"], &session["place"]), (&json!("Lisbon, Portugal"), &place));
        let session = &opened_at(&server, NETWORK_ONLY).await.body["session"];
        let place = json!({ "network": { "asn": 64_501, "organization": "Nowhere Net" } });
        assert_eq!((&session["location"], &session["place"]), (&Value::Null, &place));
        for unknown in ["10.0.0.7", "::1", "2001:db9::1"] {
            let session = &opened_at(&server, unknown).await.body["session"];
            assert_eq!((&session["location"], &session["place"]), (&Value::Null, &Value::Null), "{unknown}");
        }
    }

    async fn the_opener_knows_the_place_better_than_the_file(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let body = json!({ "user_id": "1001", "ip_address": BERLIN, "location": "Potsdam" });
        let session = server.open_with(&body).await.body["session"].clone();
        let network = json!({ "network": { "asn": 64_500, "organization": "Example Net" } });
        assert_eq!((&session["location"], &session["place"]), (&json!("Potsdam"), &network));
        assert_eq!((&session["last_location"], &session["last_place"]), (&json!("Potsdam"), &network));
    }

    async fn a_truncated_address_has_the_place_of_the_whole_one_and_no_address_has_none(database) {
        let files = Files::new();
        let faro = json!({ "city": { "names": { "en": "Faro" } } });
        cities("Berlin").with("192.0.2.7/32", &faro).replace(&files.paths[0]);
        files.geoip.reload();
        let one = files.serve(IpStorage::Truncated, database).await;
        let opened = opened_at(&one, "192.0.2.7").await;
        assert_eq!(opened.body["session"]["ip_address"], "192.0.2.0");
        assert_eq!(opened.body["session"]["location"], "Faro");
        use_at(&one, "/v1/me", &opened.access, "192.0.2.99").await;
        assert_eq!(last(&one, &opened.id).await, json!(["192.0.2.0", "Faro", null]), "the same network is no other address");
        use_at(&one, "/v1/me", &opened.access, LISBON).await;
        assert_eq!(last(&one, &opened.id).await, json!(["2001:db8:7::", "Lisbon, Portugal", "PT"]));
        let none = one.replica_with(|with| {
            with.policy(Policy { ip_storage: IpStorage::Off, ..Policy::default() }).places(Arc::<GeoIp>::clone(&files.geoip))
        }).await;
        let opened = opened_at(&none, BERLIN).await;
        use_at(&none, "/v1/me", &opened.access, LISBON).await;
        assert_eq!(last(&none, &opened.id).await, json!([null, null, null]));
        assert_eq!(opened.body["session"]["place"], Value::Null);
    }

    async fn the_last_address_is_that_of_the_latest_use_by_the_user(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let opened = opened_at(&server, BERLIN).await;
        use_at(&server, "/v1/me", &opened.access, LISBON).await;
        assert_eq!(last(&server, &opened.id).await, lisbon());
        let session = shown(&server, &opened.id).await;
        assert_eq!((&session["ip_address"], &session["location"]), (&json!(BERLIN), &json!("Berlin, Germany")));
        let own = answer(server.request("GET", "/v1/me/sessions").bearer_auth(&opened.access).header("x-forwarded-for", LISBON)).await;
        assert_eq!(own.expect(200).json()["sessions"][0]["last_location"], "Lisbon, Portugal");
        // Unwritten uses: only the last counts, here the address that is stored already.
        use_at(&server, "/v1/me", &opened.access, BERLIN).await;
        use_at(&server, "/v1/me", &opened.access, LISBON).await;
        assert_eq!(last(&server, &opened.id).await, lisbon());
        use_at(&server, "/v1/me", &opened.access, BERLIN).await;
        assert_eq!(last(&server, &opened.id).await, berlin());
        use_at(&server, "/v1/me", &opened.access, "10.1.1.1").await;
        assert_eq!(last(&server, &opened.id).await, json!(["10.1.1.1", null, null]), "a place is never that of another address");
    }

    async fn a_gateway_s_or_a_service_s_own_address_is_never_noted(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let opened = opened_at(&server, BERLIN).await;
        // The proxy names nobody, or the test is no proxy.
        server.send("GET", "/v1/verify", &opened.access).await.expect(200);
        server.send("GET", "/v1/me", &opened.access).await.expect(200);
        let untrusting = server.replica_with(|with| with.places(Arc::<GeoIp>::clone(&files.geoip))).await;
        use_at(&untrusting, "/v1/verify", &opened.access, LISBON).await;
        use_at(&untrusting, "/v1/me", &opened.access, LISBON).await;
        untrusting.sessions.write_all_activity().await.unwrap();
        // A service introspects, from an address that the proxy names.
        let form = [("token", opened.access.as_str())];
        let introspect = server.request("POST", "/oauth2/introspect").bearer_auth(BOOTSTRAP_KEY).form(&form);
        answer(introspect.header("x-forwarded-for", LISBON)).await.expect(200);
        assert_eq!(last(&server, &opened.id).await, berlin());
        use_at(&server, "/v1/verify", &opened.access, LISBON).await;
        assert_eq!(last(&server, &opened.id).await, lisbon());
    }

    async fn a_refresh_counts_where_the_user_s_own_client_sends_it(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let opened = server.open_with(&json!({ "user_id": "1001", "ip_address": BERLIN })).await;
        let refresh = async |token: &str, secret: Option<&str>| {
            let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
            form.extend(secret.map(|secret| ("client_secret", secret)));
            let request = server.request("POST", "/oauth2/token").form(&form).header("x-forwarded-for", LISBON);
            answer(request).await.expect(200).json()["refresh_token"].as_str().unwrap().to_owned()
        };
        let next = refresh(&opened.refresh, Some(BOOTSTRAP_KEY)).await;
        assert_eq!(last(&server, &opened.id).await, berlin(), "a client with a secret is a service");
        refresh(&next, None).await;
        assert_eq!(last(&server, &opened.id).await, lisbon());
    }

    async fn a_new_address_is_written_once_an_interval(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let opened = opened_at(&server, BERLIN).await;
        let due = async || {
            server.sessions.write_due_activity().await.unwrap();
            shown(&server, &opened.id).await["last_ip_address"].clone()
        };
        use_at(&server, "/v1/me", &opened.access, LISBON).await;
        assert_eq!(due().await, BERLIN);
        server.wait(TimeDelta::seconds(61));
        assert_eq!(due().await, LISBON);
        use_at(&server, "/v1/me", &opened.access, NETWORK_ONLY).await;
        server.wait(TimeDelta::seconds(61));
        assert_eq!(due().await, NETWORK_ONLY);
    }

    async fn an_export_has_the_places_and_an_erasure_removes_them(database) {
        let files = Files::new();
        let server = files.serve(IpStorage::Full, database).await;
        let active = opened_at(&server, BERLIN).await;
        let expired = server.open_with(&json!({ "user_id": "1001", "ip_address": BERLIN, "expires_in": 120, "tokens": "session" })).await;
        use_at(&server, "/v1/me", &active.access, LISBON).await;
        server.sessions.write_all_activity().await.unwrap();
        let export = server.send("GET", "/v1/users/1001/export", BOOTSTRAP_KEY).await.expect(200).text;
        for text in ["Land Berlin", "Example Net", "Lisbon, Portugal", LISBON] {
            assert!(export.contains(text), "{text}: {export}");
        }
        // Noted before the erasure, and due to be written after it.
        server.wait(TimeDelta::seconds(100));
        for session in [&active, &expired] {
            use_at(&server, "/v1/me", &session.access, NETWORK_ONLY).await;
        }
        server.wait(TimeDelta::seconds(200));
        let erased = server.send("DELETE", "/v1/users/1001?erase=true", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(erased, json!({ "ended": 1, "erased": 2 }));
        for session in [&active, &expired] {
            assert_eq!(last(&server, &session.id).await, json!([null, null, null]));
            assert_eq!(shown(&server, &session.id).await["place"], Value::Null);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_and_a_broken_one_leaves_the_former_in_use() {
    let files = Files::new();
    let server = files.serve(IpStorage::Full, TestDatabase::sqlite().await).await;
    let location = async || opened_at(&server, BERLIN).await.body["session"]["location"].clone();
    let path = &files.paths[0];
    let whole = cities("Spandau").bytes();
    for (bytes, expected) in [
        (whole.clone(), "Spandau, Germany"),
        (whole[..whole.len() / 2].to_vec(), "Spandau, Germany"),
        (Vec::new(), "Spandau, Germany"),
        (Mmdb::new("GeoIP2-Anonymous-IP").with("203.0.113.0/24", &json!({})).bytes(), "Spandau, Germany"),
        (cities("Köpenick").bytes(), "Köpenick, Germany"),
    ] {
        replace(path, &bytes);
        files.geoip.reload();
        assert_eq!(location().await, expected);
    }
    std::fs::remove_file(path).unwrap();
    files.geoip.reload();
    assert_eq!(location().await, "Köpenick, Germany");
}

#[test]
fn a_file_that_is_missing_or_has_no_places_is_refused_by_name() {
    let path = cities("Berlin").write_new();
    let other = Mmdb::new("GeoIP2-Anonymous-IP").write_new();
    assert!(GeoIp::open(std::slice::from_ref(&path)).is_ok());
    let error = |path: PathBuf| GeoIp::open(&[path]).err().unwrap().to_string();
    assert!(error(other.clone()).contains("is of the type \"GeoIP2-Anonymous-IP\""));
    assert!(
        error(PathBuf::from("/nowhere.mmdb")).starts_with("SOJOURN_GEOIP_DATABASE: /nowhere.mmdb cannot be used: ")
    );
    for path in [path, other] {
        std::fs::remove_file(path).unwrap();
    }
}
