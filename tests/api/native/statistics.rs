//! `GET /v1/stats`.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server};

async fn stats(server: &Server, query: &str) -> Value {
    server.send("GET", &format!("/v1/stats?{query}"), BOOTSTRAP_KEY).await.expect(200).json()
}

/// Counts all events so far, as the background task does every few seconds.
async fn count(server: &Server) {
    while server.sessions.roll_up().await.unwrap() {}
}

async fn open(server: &Server, client: &str, user_agent: &str) -> Opened {
    server.open_with(&json!({ "user_id": "1001", "client_id": client, "user_agent": user_agent })).await
}

/// Moves the clock to the beginning of an hour that is not the first of its day.
fn begin_an_hour(server: &Server) {
    let now = server.now();
    let hour = if now.hour() == 23 { 2 } else { 1 };
    server.wait(TimeDelta::hours(hour) - TimeDelta::seconds(now.timestamp() % 3600) + TimeDelta::seconds(1));
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                     Version/18.5 Mobile/15E148 Safari/604.1";
const TELEVISION: &str = "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.270 Safari/537.36 WebAppManager";
const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

on_both_databases! {
    async fn what_happened_is_told_hour_by_hour(database) {
        let server = Server::start(database).await;
        let nothing = stats(&server, "").await;
        assert_eq!((&nothing["open"], &nothing["series"][23]["opened"]), (&json!(0), &json!(0)));
        begin_an_hour(&server);
        let first = open(&server, "web", COMPUTER).await;
        open(&server, "web", COMPUTER).await;
        server.open_with(&json!({ "user_id": "1001", "expires_in": 60 })).await;
        server.send("DELETE", "/v1/me/sessions?keep_current=true", &open(&server, "app", PHONE).await.access).await.expect(200);
        server.wait(TimeDelta::hours(1));
        open(&server, "web", PHONE).await;
        server.wait(TimeDelta::minutes(1));
        count(&server).await;

        let stats = stats(&server, "").await;
        let series = stats["series"].as_array().unwrap();
        assert_eq!(series.len(), 24);
        let told = |point: &Value| json!([point["open"], point["opened"], point["expired"], point["ended"]]);
        assert_eq!(told(&series[21]), json!([0, 0, 0, {}]));
        assert_eq!(told(&series[22]), json!([1, 4, 0, { "revoked_by_user": 3 }]), "{first:?}");
        assert_eq!(told(&series[23]), json!([2, 1, 0, {}]));
        assert_eq!(stats["open"], 2);
        assert_eq!(time(&series[23]["from"]) + TimeDelta::hours(1), time(&stats["to"]));
        assert_eq!(time(&series[0]["from"]), time(&stats["from"]));
        assert!(time(&stats["as_of"]) <= server.now() - TimeDelta::seconds(15), "what is younger may still be written");
        assert!(stats.get("groups").is_none());
    }

    async fn one_request_compares_a_day_with_the_one_before_and_tells_thefts_by_application(database) {
        let server = Server::start(database).await;
        begin_an_hour(&server);
        let stolen = open(&server, "web", COMPUTER).await;
        let next = server.refresh(&stolen.refresh).await.expect(200).json();
        server.refresh(next["refresh_token"].as_str().unwrap()).await.expect(200);
        server.wait(TimeDelta::minutes(2));
        server.refresh(&stolen.refresh).await.expect(400);
        server.wait(TimeDelta::hours(25));
        open(&server, "web", PHONE).await;
        open(&server, "app", PHONE).await;
        server.wait(TimeDelta::minutes(1));
        count(&server).await;

        let from = (server.now() - TimeDelta::hours(48)).format("%FT%TZ");
        let stats = stats(&server, &format!("by=hour&group_by=client_id&from={from}")).await;
        let day_before = server.now() - TimeDelta::hours(24);
        let sums = |series: &Value| {
            let mut sums = [[0, 0], [0, 0]];
            for point in series.as_array().unwrap() {
                let sum = &mut sums[usize::from(time(&point["from"]) > day_before)];
                sum[0] += point["opened"].as_u64().unwrap();
                sum[1] += point["ended"]["reuse_detected"].as_u64().unwrap_or(0);
            }
            sums
        };
        assert_eq!(sums(&stats["series"]), [[1, 1], [2, 0]], "{stats}");
        assert_eq!((&stats["groups"][1]["client_id"], sums(&stats["groups"][1]["series"])), (&json!("web"), [[1, 1], [1, 0]]));
    }

    async fn sessions_leave_once_whether_they_expire_are_ended_or_are_deleted(database) {
        let server = Server::start(database).await;
        begin_an_hour(&server);
        let short = server.open_with(&json!({ "user_id": "1001", "expires_in": 60 })).await;
        server.open_with(&json!({ "user_id": "1001", "idle_timeout": 60 })).await;
        server.wait(TimeDelta::minutes(3));
        // The session has expired already, so that ending it changes nothing.
        server.end(&short.id).await;
        let mine = server.open("1001").await;
        server.send("POST", "/api/v0/sessions/cleanup", &mine.access).await.expect(200);
        server.wait(TimeDelta::minutes(1));
        count(&server).await;
        let stats = stats(&server, "by=day&group_by=device_type").await;
        assert_eq!(stats["open"], 1);
        let last = stats["series"].as_array().unwrap().last().unwrap();
        assert_eq!(json!([last["opened"], last["expired"], last["ended"]]), json!([3, 2, {}]));
        assert_eq!(stats["series"].as_array().unwrap().len(), 30);
        assert_eq!(time(&last["from"]).timestamp() % 86400, 0);
    }

    async fn numbers_are_told_of_one_client_and_one_kind_of_device_and_by_them(database) {
        let server = Server::start(database).await;
        begin_an_hour(&server);
        open(&server, "web", COMPUTER).await;
        open(&server, "web", PHONE).await;
        open(&server, "app", PHONE).await;
        open(&server, "lounge", TELEVISION).await;
        server.open("1002").await;
        server.wait(TimeDelta::minutes(1));
        count(&server).await;
        let opened = |series: &Value| series.as_array().unwrap().iter().map(|point| point["opened"].as_u64().unwrap()).sum::<u64>();
        for (query, open) in [
            ("", 5), ("device_type=tv", 1), ("client_id=web", 2), ("device_type=mobile", 2), ("client_id=web&device_type=mobile", 1),
            ("client_id=nobody", 0), ("device_type=unknown", 1),
        ] {
            let stats = stats(&server, query).await;
            assert_eq!((stats["open"].as_u64().unwrap(), opened(&stats["series"])), (open, open), "{query}");
        }
        let groups = async |query: &str, name: &str| -> Vec<(String, u64, u64)> {
            let stats = stats(&server, query).await;
            let groups = stats["groups"].as_array().unwrap().iter();
            groups.map(|group| {
                (group[name].as_str().unwrap().to_owned(), group["open"].as_u64().unwrap(), opened(&group["series"]))
            }).collect()
        };
        assert_eq!(
            groups("group_by=client_id", "client_id").await,
            [(String::new(), 1, 1), ("app".to_owned(), 1, 1), ("lounge".to_owned(), 1, 1), ("web".to_owned(), 2, 2)]
        );
        assert_eq!(
            groups("group_by=device_type&by=day&client_id=web", "device_type").await,
            [("desktop".to_owned(), 1, 1), ("mobile".to_owned(), 1, 1)]
        );
        assert_eq!(groups("group_by=device_type&client_id=lounge", "device_type").await, [("tv".to_owned(), 1, 1)]);
    }

    async fn the_past_is_told_as_it_was(database) {
        let server = Server::start(database).await;
        begin_an_hour(&server);
        let first = server.now();
        let old = server.open("1001").await;
        server.wait(TimeDelta::hours(50));
        server.end(&old.id).await;
        open(&server, "web", COMPUTER).await;
        server.wait(TimeDelta::minutes(1));
        count(&server).await;
        let to = (first + TimeDelta::minutes(1)).to_rfc3339().replace('+', "%2B");
        let stats = stats(&server, &format!("to={to}")).await;
        assert_eq!(stats["open"], 1, "now");
        assert_eq!(stats["series"].as_array().unwrap().len(), 24);
        assert_eq!(stats["series"][23]["open"], 1, "then");
        assert_eq!((&stats["series"][22]["open"], &stats["series"][23]["opened"]), (&json!(0), &json!(1)));
    }

    async fn what_cannot_be_answered_is_refused(database) {
        let server = Server::start(database).await;
        let get = async |query: &str| server.send("GET", &format!("/v1/stats?{query}"), BOOTSTRAP_KEY).await;
        for query in ["by=week", "group_by=user_id", "from=yesterday", "user_id=1001", "device_type=watch"] {
            get(query).await.expect_problem(400, "malformed_request");
        }
        let tomorrow = (server.now() + TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%SZ");
        for query in [
            "from=1969-12-31T23:59:59Z", "to=1960-01-01T00:00:00Z", "from=1970-01-01T00:00:00Z", &format!("from={tomorrow}"),
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "client_id=a%00b",
        ] {
            get(query).await.expect_problem(422, "invalid_request");
        }
        open(&server, "web", COMPUTER).await;
        open(&server, "app", COMPUTER).await;
        server.wait(TimeDelta::minutes(1));
        count(&server).await;
        let long_ago = (server.now() - TimeDelta::hours(3000)).format("%Y-%m-%dT%H:%M:%SZ");
        get(&format!("from={long_ago}")).await.expect(200);
        get(&format!("from={long_ago}&group_by=client_id")).await.expect_problem(422, "invalid_request");
    }
}
