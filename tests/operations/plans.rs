//! Plans of the statements behind requests, as PostgreSQL really ran them, each with the number of rows read. The
//! tables are large enough for an unnecessary scan to show.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sojourn::sessions::ChangeLogReader;
use sqlx::{Connection as _, PgConnection};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::database::TestDatabase;
use crate::support::server::{BOOTSTRAP_KEY, Server};

/// Makes PostgreSQL send each plan as a notice, which the client logs.
const TELL_PLANS: &str = "
    DO $$
    DECLARE setting text;
    BEGIN
        FOREACH setting IN ARRAY ARRAY['session_preload_libraries = auto_explain', 'client_min_messages = log',
            'auto_explain.log_min_duration = 0', 'auto_explain.log_format = json', 'auto_explain.log_analyze = on',
            'auto_explain.log_timing = off']
        LOOP
            EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
        END LOOP;
    END $$";

/// Twenty thousand sessions, ten a user, a few of them ended.
const SEED: &str = "
    INSERT INTO users (id, name, email, created_at, updated_at)
    SELECT 'user ' || n, CASE n WHEN 7 THEN 'Seven' ELSE 'Name ' || n END,
        CASE WHEN n % 200 = 7 THEN 'Seven' ELSE 'user-' || n END || '@example.org', now(), now()
    FROM generate_series(0, 1999) AS n;
    INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at,
        end_reason, client_id, ip_address, device_type, scope, acr, amr, metadata)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
        'user ' || n % 2000, at, at, at + interval '30 days', at + interval '60 days', 604800,
        CASE WHEN n % 10 = 3 THEN at + interval '1 minute' END, CASE WHEN n % 2000 = 3 THEN 'reuse_detected' WHEN n % 10 = 3 THEN 'logout' END,
        'web', '203.0.113.' || n % 200, CASE WHEN n % 2 = 0 THEN 'desktop' ELSE 'mobile' END, 'profile', 'basic', '[]', '{}'
    FROM (
        SELECT n, date_trunc('milliseconds', now()) - (20001 - n) * interval '20 seconds' AS at
        FROM generate_series(1, 20000) AS n
    ) AS seed;
    ANALYZE";

/// Tables that grow. The others have a page or two, which is as much as an index.
const GROWING: [&str; 5] = ["sessions", "users", "changes", "idempotency_keys", "audit"];
/// Most rows that a statement may read for one page, one user or one session.
const A_PAGE: f64 = 700.0;
/// Most rows that a statement may read for a total, which is counted up to 10 000. Reading from one end is the fastest
/// plan here, because it stops there.
const A_TOTAL: f64 = 12_000.0;

static PLANS: Mutex<Vec<Value>> = Mutex::new(Vec::new());

fn plans() -> MutexGuard<'static, Vec<Value>> {
    PLANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the plans that are logged.
struct KeepPlans;

impl<S: Subscriber> Layer<S> for KeepPlans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Message);
        }
    }
}

struct Message;

impl Visit for Message {
    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() == "message"
            && let Some((_, plan)) = text.split_once("plan:\n")
        {
            plans().push(serde_json::from_str(plan).unwrap());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// A server whose statements' plans are recorded, with rows in all its tables.
async fn seeded() -> Server {
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(KeepPlans)));
    let database = TestDatabase::postgres().await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    for sql in [TELL_PLANS, SEED] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    // Without background tasks, whose plans would be among the others.
    Server::builder().without_change_log().start(database).await
}

/// The nodes of a plan.
fn nodes(plan: &Value) -> Vec<&Value> {
    let below = plan["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(plan).chain(below.iter().flat_map(nodes)).collect()
}

/// The number of rows that a node of a plan looked at.
fn rows_read(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
    let each = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
    each * number("Actual Loops")
}

/// Fails when a statement reads a growing table without an index, or more rows than it may.
fn check(asked: &str, statement: &Value, most: f64) {
    let text = serde_json::to_string_pretty(statement).unwrap();
    for node in nodes(&statement["Plan"]) {
        let (kind, table) = (node["Node Type"].as_str().unwrap(), node["Relation Name"].as_str().unwrap_or_default());
        let grows = GROWING.contains(&table);
        assert!(!(grows && kind == "Seq Scan" && most < A_TOTAL), "{asked} reads {table} without an index\n{text}");
        assert!(!grows || rows_read(node) <= most, "{asked} reads {} {table}\n{text}", rows_read(node));
        let sorted = if kind.ends_with("Sort") { rows_read(&node["Plans"][0]) } else { 0.0 };
        assert!(sorted <= most, "{asked} sorts {sorted} rows\n{text}");
    }
}

/// Sends a request, checks the plans of its statements, and returns their number.
async fn ask(server: &Server, who: &str, request: &str, body: Option<&Value>, most: f64) -> usize {
    let (method, path) = request.split_once(' ').unwrap();
    plans().clear();
    let answer = match body {
        Some(body) => server.send_json(method, path, who, body).await,
        None => server.send(method, path, who).await,
    };
    assert!(answer.status.is_success(), "{request}: {} {}", answer.status, answer.text);
    let plans = mem::take(&mut *plans());
    for statement in &plans {
        check(request, statement, most);
    }
    plans.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_that_is_documented_reads_more_than_its_page_and_its_total_postgres() {
    let server = seeded().await;
    let time = |hours: i64| (server.now() - chrono::TimeDelta::hours(hours)).format("%FT%TZ").to_string();
    let page = server.send("GET", "/v1/sessions?limit=50&state=active", BOOTSTRAP_KEY).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let native = "GET /v1/sessions?limit=50";
    let mut searches: Vec<(String, f64)> = vec![
        (native.to_owned(), A_PAGE),
        (format!("{native}&state=active&cursor={cursor}"), A_PAGE),
        (format!("{native}&user_id=user%207"), A_PAGE),
        (format!("{native}&user_id=user%207&state=active&sort=-last_seen_at"), A_PAGE),
        (format!("{native}&user_id=user%207&client_id=web&device_type=mobile&ip_address=203.0.113.7"), A_PAGE),
        (format!("{native}&state=ended"), A_PAGE),
        (format!("{native}&state=active&client_id=web&device_type=mobile"), A_PAGE),
        (format!("{native}&created_from={}&created_to={}", time(20), time(10)), A_PAGE),
        (format!("{native}&sort=created_at"), A_PAGE),
        (format!("{native}&sort=expires_at&state=active"), A_PAGE),
        (format!("{native}&sort=-expires_at"), A_PAGE),
        (format!("{native}&ip_address=203.0.113.0/24"), A_PAGE),
        (format!("{native}&ended_reason=logout"), A_PAGE),
        (format!("{native}&ended_reason=user_banned"), A_PAGE),
        (format!("{native}&ended_reason=reuse_detected&state=ended&client_id=web"), A_PAGE),
        (format!("{native}&email=seven%40example.org"), A_PAGE),
        (format!("{native}&user_name=seven"), A_PAGE),
        ("GET /v1/users/user%207/sessions".to_owned(), A_PAGE),
        ("GET /v1/stats".to_owned(), A_PAGE),
        ("GET /v1/stats?by=day&group_by=device_type".to_owned(), A_PAGE),
    ];
    let janssen = "GET /api/v1/jans-auth-server/session";
    let (from, to) = (server.now() - chrono::TimeDelta::days(1), server.now() + chrono::TimeDelta::days(90));
    let pairs = |pairs: &str| format!("{janssen}/search?fieldValuePair={pairs}");
    searches.extend([
        (janssen.to_owned(), A_TOTAL),
        (
            pairs(&format!(
                "userDn=user%207,expirationDate%3E{},expirationDate%3C{}",
                from.format("%F"),
                to.format("%F")
            )),
            A_PAGE,
        ),
        (pairs("userDn=user%207"), A_PAGE),
        (pairs(&format!("creationDate%3E{}", from.format("%F"))), A_TOTAL),
        (format!("{janssen}/search?limit=50&startIndex=500&sortBy=creationDate&sortOrder=descending"), A_TOTAL),
        (format!("{janssen}/search?limit=50&sortBy=expirationDate&sortOrder=ascending"), A_TOTAL),
    ]);
    for filter in
        [json!({ "client_id": "web" }), json!({ "ip_address": "203.0.113.0/24" }), json!({ "user_id": "user 7" })]
    {
        let body = json!({ "filter": filter, "dry_run": true });
        for _ in 0..7 {
            assert_ne!(
                ask(&server, BOOTSTRAP_KEY, "POST /v1/sessions/revoke", Some(&body), A_TOTAL).await,
                0,
                "{filter}"
            );
        }
    }
    for (search, most) in searches {
        // More executions than PostgreSQL plans individually before it chooses a generic plan.
        for _ in 0..7 {
            assert_ne!(ask(&server, BOOTSTRAP_KEY, &search, None, most).await, 0, "{search} asked nothing");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_of_the_audit_trail_reads_many_more_than_its_page_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    let many = "INSERT INTO audit (id, at, actor_type, actor_id, action, target_type, target_id, detail)
        SELECT gen_random_uuid(), now() - n * interval '1 minute', 'key', 'key ' || n % 20,
            CASE WHEN n % 100000 = 7 THEN 'key.revoked' ELSE 'session.ended' END, 'session', 'target ' || n % 100000, '{}'
        FROM generate_series(1, 300000) AS n;
        ANALYZE";
    sqlx::raw_sql(many).execute(&mut connection).await.unwrap();
    let time = |days: i64| (server.now() - chrono::TimeDelta::days(days)).format("%FT%TZ").to_string();
    let page = server.send("GET", "/v1/audit?limit=50", BOOTSTRAP_KEY).await.expect(200).json();
    for query in [
        String::new(),
        "&actor=key%207".to_owned(),
        "&target=target%207".to_owned(),
        "&action=key.revoked".to_owned(),
        "&action=session.ended".to_owned(),
        "&target=nothing".to_owned(),
        format!("&from={}&to={}", time(200), time(199)),
        format!("&to={}", time(205)),
        format!("&cursor={}", page["next_cursor"].as_str().unwrap()),
    ] {
        let asked = ask(&server, BOOTSTRAP_KEY, &format!("GET /v1/audit?limit=50{query}"), None, A_PAGE).await;
        assert_ne!(asked, 0, "{query} asked nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_for_users_reads_many_more_than_its_page_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    let many = "INSERT INTO users (id, name, email, banned_at, created_at, updated_at)
        SELECT 'u' || n, CASE WHEN n % 10 = 0 THEN 'Tenth ' ELSE 'Name ' END || n,
            CASE WHEN n % 2 = 0 THEN 'even-' ELSE 'odd-' END || n || '@example.org',
            CASE WHEN n % 5000 = 0 THEN now() END, now(), now()
        FROM generate_series(1, 100000) AS n;
        UPDATE users SET email = 'shared@example.org' WHERE id LIKE 'u9%';
        ANALYZE";
    sqlx::raw_sql(many).execute(&mut connection).await.unwrap();
    for query in [
        "",
        "search=u7",
        "search=name",
        "search=tenth",
        "search=EVEN",
        "search=odd-7777",
        "search=nobody",
        "search=u&banned=true",
        "search=name&banned=false",
        "email=shared@example.org",
        "email=SHARED@example.org&search=u97",
        "banned=true",
        "banned=false",
    ] {
        let mut cursor = String::new();
        for _ in 0..3 {
            let search = format!("GET /v1/users?limit=50&{query}{cursor}");
            assert_ne!(ask(&server, BOOTSTRAP_KEY, &search, None, 2_000.0).await, 0, "{search} asked nothing");
            let page = server.send("GET", search.trim_start_matches("GET "), BOOTSTRAP_KEY).await.json();
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_planned_once_unless_its_best_way_depends_on_what_is_asked_for_postgres() {
    let server = seeded().await;
    let page = server.send("GET", "/v1/sessions?limit=50&state=active", BOOTSTRAP_KEY).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let janssen = "/api/v1/jans-auth-server/session/search?fieldValuePair";
    for (search, condition) in [
        (format!("/v1/sessions?limit=50&state=active&cursor={cursor}"), "ROW(created_at, id) < ROW($2, $3)"),
        ("/v1/sessions?user_id=user%207".to_owned(), "(user_id = $2)"),
        (format!("{janssen}=userDn=user%207"), "(user_id = $1)"),
        ("/v1/sessions?client_id=web".to_owned(), "(client_id = 'web'::text)"),
        (format!("{janssen}=creationDate%3E2026-01-01"), "(created_at >= '2026-01-0"),
    ] {
        // PostgreSQL makes five custom plans on each connection before it chooses a generic one, and the pool may open
        // a connection at any time.
        let mut plan = Value::Null;
        for time in 0..400 {
            plans().clear();
            server.send("GET", &search, BOOTSTRAP_KEY).await.expect(200);
            plan = mem::take(&mut *plans()).pop().unwrap();
            if time >= 40 && plan.to_string().contains(condition) {
                break;
            }
        }
        assert!(plan.to_string().contains(condition), "{search}\n{plan:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_sessions_are_found_without_reading_the_many_inactive_ones_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    let age = "ALTER TABLE sessions DISABLE TRIGGER USER;
        UPDATE sessions SET expires_at = created_at + interval '1 minute'
        WHERE id IN (SELECT id FROM sessions ORDER BY id LIMIT 19000);
        ALTER TABLE sessions ENABLE TRIGGER USER; ANALYZE";
    sqlx::raw_sql(age).execute(&mut connection).await.unwrap();
    let everybody = json!({ "all": true, "dry_run": true });
    for _ in 0..40 {
        for search in
            ["GET /v1/sessions?state=active&sort=expires_at", "GET /v1/sessions?state=active&sort=-created_at"]
        {
            assert_ne!(ask(&server, BOOTSTRAP_KEY, search, None, A_PAGE).await, 0);
        }
        assert_ne!(ask(&server, BOOTSTRAP_KEY, "POST /v1/sessions/revoke", Some(&everybody), 1_100.0).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_reads_more_than_the_newest_thousands_of_sessions_of_one_user_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    let gather = "ALTER TABLE sessions DISABLE TRIGGER USER;
        UPDATE sessions SET user_id = 'user 7' WHERE id IN (SELECT id FROM sessions ORDER BY id DESC LIMIT 3000);
        ALTER TABLE sessions ENABLE TRIGGER USER; ANALYZE";
    sqlx::raw_sql(gather).execute(&mut connection).await.unwrap();
    let janssen = "GET /api/v1/jans-auth-server/session/search?fieldValuePair=userDn=user%207";
    for _ in 0..7 {
        for search in [janssen, "GET /v1/sessions?user_id=user%207", "GET /v1/users/user%207/sessions"] {
            assert_ne!(ask(&server, BOOTSTRAP_KEY, search, None, 3_100.0).await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_user_asks_for_or_does_reads_more_than_its_own_sessions_postgres() {
    let server = seeded().await;
    let mut statements = BTreeMap::new();
    for round in 0..7 {
        let user = format!("user {round}");
        let own = server.open(&user).await;
        let other = server.open(&user).await;
        let (id, path) = (&other.id, format!("user%20{round}"));
        let rename = json!({ "device_name": "phone" });
        let requests = [
            ("GET /v1/verify".to_owned(), None),
            ("GET /v1/me".to_owned(), None),
            ("GET /v1/me/sessions".to_owned(), None),
            (format!("GET /v1/sessions/{id}"), None),
            (format!("PATCH /v1/sessions/{id}"), Some(rename)),
            (format!("POST /v1/sessions/{id}/extend"), Some(json!({ "extend_by": 60 }))),
            ("GET /auth/sessions".to_owned(), None),
            ("GET /auth/sessions/active".to_owned(), None),
            ("GET /auth/sessions/count".to_owned(), None),
            (format!("GET /api/user/{path}/sessions"), None),
            ("GET /api/v1/users/me/sessions".to_owned(), None),
            ("GET /api/v0/sessions".to_owned(), None),
            ("GET /api/v0/sessions/stats".to_owned(), None),
            (format!("DELETE /v1/sessions/{id}"), None),
            ("POST /api/v0/sessions/cleanup".to_owned(), None),
            ("DELETE /auth/sessions".to_owned(), None),
            ("DELETE /v1/me/sessions?keep_current=false".to_owned(), None),
        ];
        for (request, body) in requests {
            let number = ask(&server, &own.access, &request, body.as_ref(), A_PAGE).await;
            let name = request.replace(id, "ID").replace(&path, "USER");
            *statements.entry(name).or_insert(0) += number;
        }
        let open = json!({ "user_id": user, "user_agent": "curl/8", "client_id": "web" });
        for _ in 0..2 {
            ask(&server, BOOTSTRAP_KEY, "POST /v1/sessions", Some(&open), A_PAGE).await;
        }
        for request in ["ban", "unban"] {
            ask(&server, BOOTSTRAP_KEY, &format!("POST /v1/users/{path}/{request}"), None, A_PAGE).await;
        }
        ask(&server, BOOTSTRAP_KEY, &format!("DELETE /v1/users/{path}"), None, A_PAGE).await;
    }
    for (request, number) in statements {
        assert_ne!(number, 0, "{request} asked nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_and_cleaning_up_read_what_is_new_and_what_is_old_postgres() {
    let server = seeded().await;
    plans().clear();
    let mut rounds = 0;
    while server.sessions.roll_up().await.unwrap() {
        rounds += 1;
    }
    let counting = mem::take(&mut *plans());
    assert!(rounds >= 3 && counting.len() > 3 * rounds, "{rounds} rounds, {} statements", counting.len());
    for statement in &counting {
        check("counting", statement, A_TOTAL);
    }
    server.wait(chrono::TimeDelta::days(90));
    assert_ne!(ask(&server, BOOTSTRAP_KEY, "POST /v1/cleanup", None, A_TOTAL).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_read_from_where_it_was_left_however_much_it_has_grown_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    // A generic plan is chosen while the log is empty, and kept.
    let mut follower = ChangeLogReader::default();
    server.sessions.read_changes(&mut follower).await.unwrap();
    let fill =
        "INSERT INTO changes (kind, user_id) SELECT 'user_changed', 'user ' || n FROM generate_series(1, 20000) AS n";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    server.sessions.read_changes(&mut follower).await.unwrap();
    sqlx::raw_sql("INSERT INTO changes (kind, user_id) VALUES ('user_changed', 'user 7')")
        .execute(&mut connection)
        .await
        .unwrap();
    plans().clear();
    server.sessions.read_changes(&mut follower).await.unwrap();
    let reading = mem::take(&mut *plans());
    assert!(!reading.is_empty());
    for statement in &reading {
        check("reading the log", statement, 100.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_index_is_noticed_postgres() {
    let server = seeded().await;
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    sqlx::raw_sql("DROP INDEX sessions_by_user").execute(&mut connection).await.unwrap();
    plans().clear();
    server.send("GET", "/v1/users/user%207/sessions", BOOTSTRAP_KEY).await.expect(200);
    // On a slow machine a proof that the database is the primary is among them.
    let told = mem::take(&mut *plans());
    let noticed = std::panic::catch_unwind(|| told.iter().for_each(|plan| check("a list", plan, A_PAGE)));
    assert!(noticed.is_err(), "{told:#?}");
}
