//! A refresh token presented again.

use chrono::TimeDelta;

use super::{assert_refused, end_reason, is_active, successor, text};
use crate::support::on_both_databases;
use crate::support::server::Server;

on_both_databases! {
    /// T-20 and T-24: the grace is for the predecessor alone.
    async fn a_token_older_than_the_predecessor_is_theft_at_any_time(database) {
        let server = Server::start(database).await;
        for wait in [TimeDelta::zero(), TimeDelta::hours(1)] {
            let opened = server.open("alice").await;
            let second = successor(&server, &opened.refresh).await;
            let third = server.refresh(&second).await.expect(200);
            server.wait(wait);
            assert_refused(&server.refresh(&opened.refresh).await);
            assert_eq!(end_reason(&server, &opened.id).await, "reuse_detected", "committed although the answer is an error");
            for token in [&second, &text(&third, "refresh_token")] {
                assert_refused(&server.refresh(token).await);
                assert!(!is_active(&server, token).await);
            }
            assert!(!server.stands(&text(&third, "access_token")).await);
        }
    }

    /// T-22: the answer was lost.
    async fn the_answer_lost_the_same_token_gets_the_same_successor_however_late(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let lost = successor(&server, &opened.refresh).await;
        for wait in [2, 60, 86_400] {
            server.wait(TimeDelta::seconds(wait));
            assert_eq!(successor(&server, &opened.refresh).await, lost);
        }
        let next = server.refresh(&lost).await.expect(200);
        assert!(server.stands(&text(&next, "access_token")).await);
        assert!(end_reason(&server, &opened.id).await.is_null());
    }

    /// T-23.
    async fn a_token_spent_by_somebody_who_used_the_new_one_is_theft_after_the_grace(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let refreshed = server.refresh(&opened.refresh).await.expect(200);
        assert!(server.stands(&text(&refreshed, "access_token")).await, "the answer arrived: its token is in use");
        server.wait(TimeDelta::seconds(15));
        assert_eq!(successor(&server, &opened.refresh).await, text(&refreshed, "refresh_token"), "within the grace: a second tab");
        server.wait(TimeDelta::seconds(16));
        assert_refused(&server.refresh(&opened.refresh).await);
        assert_refused(&server.refresh(&text(&refreshed, "refresh_token")).await);
        assert!(!server.stands(&text(&refreshed, "access_token")).await, "the session is ended although the answer was an error");
        assert_eq!(end_reason(&server, &opened.id).await, "reuse_detected");
    }

    /// T-23, after the process has written the use to the database and forgotten it.
    async fn the_use_of_the_new_token_is_known_after_it_was_written_too(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let refreshed = server.refresh(&opened.refresh).await.expect(200);
        assert!(server.stands(&text(&refreshed, "access_token")).await);
        server.sessions.write_all_activity().await.unwrap();
        server.wait(TimeDelta::seconds(31));
        assert_refused(&server.refresh(&opened.refresh).await);
    }

    /// T-25: the order of tokens is a counter, so a clock that steps back does no harm.
    async fn rotations_within_one_second_keep_their_order(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let mut chain = vec![opened.refresh];
        for _ in 0..5 {
            server.wait(TimeDelta::milliseconds(-50));
            chain.push(successor(&server, chain.last().unwrap()).await);
        }
        assert_eq!(successor(&server, &chain[4]).await, chain[5], "the predecessor");
        for (index, token) in chain.iter().enumerate() {
            assert_eq!(is_active(&server, token).await, index == 5, "{index}");
        }
        assert_refused(&server.refresh(&chain[3]).await);
        assert_eq!(end_reason(&server, &opened.id).await, "reuse_detected");
    }

    /// T-27: a repeat makes no second successor, so there is no second branch. A token that its holder has already
    /// rotated is theft like any other.
    async fn a_repeat_makes_no_second_branch_and_an_abandoned_token_is_theft(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let child = successor(&server, &opened.refresh).await;
        for _ in 0..3 {
            assert_eq!(successor(&server, &opened.refresh).await, child);
        }
        let (one, two) = (successor(&server, &child).await, successor(&server, &child).await);
        assert_eq!(one, two, "two holders of the child come to one grandchild");
        let last = successor(&server, &one).await;
        assert_refused(&server.refresh(&child).await);
        assert_refused(&server.refresh(&last).await);
        assert_eq!(end_reason(&server, &opened.id).await, "reuse_detected");
    }
}
