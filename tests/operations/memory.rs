//! The bounds on what the server holds in memory.

use futures_util::future::join_all;
use serde_json::json;
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{Server, answer};

on_both_databases! {
    /// D-15.
    async fn sessions_in_any_number_take_no_more_room_than_they_may(database) {
        let policy = Policy { cache_bytes: 64 << 10, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        server.follows().await;
        let open_and_check = async |number: usize| {
            let body = json!({
                "user_id": format!("user {number}"), "tokens": "session", "ip_address": format!("2001:db8::{number:x}"),
                "user_agent": format!("Agent/{number} {}", "x".repeat(number % 400)),
            });
            let opened = server.open_with(&body).await;
            assert!(server.stands(&opened.access).await);
            opened.access
        };
        let mut tokens = Vec::new();
        for first in (0..1000).step_by(20) {
            tokens.extend(join_all((first..first + 20).map(open_and_check)).await);
        }
        let kept = async || {
            let metrics = answer(server.request("GET", "/metrics")).await.expect(200).text;
            let kept = metrics.lines().find_map(|line| line.strip_prefix("sojourn_copies ")).unwrap();
            kept.parse::<usize>().unwrap()
        };
        // A cache entry takes about half a kilobyte.
        let most = kept().await;
        assert!((1..=400).contains(&most), "{most}");
        for token in &tokens[..200] {
            assert!(server.stands(token).await);
        }
        assert!(kept().await <= 400, "{}", kept().await);
    }
}
