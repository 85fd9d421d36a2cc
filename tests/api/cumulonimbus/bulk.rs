//! `DELETE /api/user/:id/sessions` and `DELETE /api/user/:id/sessions/all`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{iat, staff, twins};
use crate::support::on_both_databases;
use crate::support::server::{Answer, Opened, Server, answer};

const PATH: &str = "/api/user/1001/sessions";

async fn delete(server: &Server, by: &Opened, sessions: Value) -> Answer {
    server.send_json("DELETE", PATH, &by.access, &json!({ "sessions": sessions })).await
}

on_both_databases! {
    async fn the_named_sessions_are_ended_and_the_rest_is_passed_over(database) {
        let server = Server::start(database).await;
        let staff = staff(&server).await;
        let by_second = server.open("1001").await;
        server.wait(TimeDelta::seconds(5));
        let foreign = server.open("1002").await;
        let twins = twins(&server, "1001").await;
        server.wait(TimeDelta::seconds(5));
        let by_id = server.open("1001").await;
        let named = json!([
            by_id.id, by_id.id, iat(&by_id), iat(&by_second), foreign.id, iat(&twins[0]), "nothing", "", "\u{0}",
            "01890000-0000-7000-8000-000000000000",
        ]);
        let answer = delete(&server, &staff, named.clone()).await.expect(200);
        assert_eq!(answer.json(), json!({ "count": 2, "type": "session" }));
        assert!(!server.stands(&by_id.access).await && !server.stands(&by_second.access).await);
        for kept in [&foreign, &twins[0], &twins[1]] {
            assert!(server.stands(&kept.access).await);
        }
        assert_eq!(delete(&server, &staff, named).await.expect(200).json()["count"], json!(0));
        assert_eq!(delete(&server, &staff, json!([])).await.expect(200).json()["count"], json!(0));
    }

    async fn a_form_names_them_too(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let [one, two, three] = [server.open("1001").await, server.open("1001").await, server.open("1001").await];
        let send = |form: Vec<(&'static str, String)>| {
            answer(server.request("DELETE", PATH).header("authorization", &mine.access).form(&form))
        };
        let repeated = vec![("sessions", one.id.clone()), ("sessions", two.id.clone())];
        assert_eq!(send(repeated).await.expect(200).json(), json!({ "count": 2, "type": "session" }));
        assert_eq!(send(vec![("sessions[]", three.id.clone())]).await.expect(200).json()["count"], json!(1));
        let beside = send(vec![("sessions", mine.id.clone()), ("all", "true".to_owned())]).await.expect(400);
        assert_ne!(beside.json()["fields"], json!(["sessions"]));
        assert!(server.stands(&mine.access).await);
        let refused = send(vec![("session", three.id)]).await.expect(400).json();
        assert_eq!(refused["fields"], json!(["sessions"]));
    }

    async fn a_body_without_an_array_of_strings_names_the_field_that_is_missing(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let words = json!({ "code": "MISSING_FIELDS_ERROR", "message": "Missing Fields", "fields": ["sessions"] });
        for body in [json!({}), json!({ "sessions": null }), json!({ "sessions": "x" }), json!({ "sessions": [1] })] {
            let refused = server.send_json("DELETE", PATH, &mine.access, &body).await.expect(400);
            assert_eq!(refused.json(), words, "{body}");
        }
        assert_eq!(server.send("DELETE", PATH, &mine.access).await.expect(400).json(), words);
        let raw = |content_type: &'static str, body: &'static str| {
            let request = server.request("DELETE", PATH).header("authorization", &mine.access);
            answer(request.header("content-type", content_type).body(body))
        };
        assert_eq!(raw("application/json", "").await.expect(400).json(), words);
        for body in ["{", "[]", r#"{"sessions":[]}x"#, r#"{"sessions":[],"sessions":[]}"#, r#"{"sessions":["\ud800"]}"#] {
            assert_eq!(raw("application/json", body).await.expect(400).json()["code"], "BAD_REQUEST_ERROR", "{body}");
        }
        let xml = raw("application/xml", "<sessions/>").await.expect(415).json();
        assert_eq!(xml["code"], "UNSUPPORTED_MEDIA_TYPE_ERROR");
        assert!(server.stands(&mine.access).await);
    }

    async fn more_than_fifty_are_too_many_and_unknown_ones_count(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let most = Value::from(vec!["1"; 50]);
        assert_eq!(delete(&server, &mine, most).await.expect(200).json()["count"], json!(0));
        let refused = delete(&server, &mine, Value::from(vec!["1"; 51])).await.expect(400).json();
        assert_eq!(refused, json!({ "code": "BODY_TOO_LARGE_ERROR", "message": "Body Too Large" }));
    }

    async fn all_are_ended_the_callers_own_too(database) {
        let server = Server::start(database).await;
        let staff = staff(&server).await;
        let [one, two] = [server.open("1001").await, server.open("1001").await];
        let foreign = server.open("1002").await;
        let ended = server.send("DELETE", &format!("{PATH}/all"), &one.access).await.expect(200);
        assert_eq!(ended.json(), json!({ "count": 2, "type": "session" }));
        assert!(!server.stands(&one.access).await && !server.stands(&two.access).await);
        assert!(server.stands(&foreign.access).await);
        let again = server.send("DELETE", &format!("{PATH}/all"), &staff.access).await.expect(200);
        assert_eq!(again.json(), json!({ "count": 0, "type": "session" }));
    }
}
