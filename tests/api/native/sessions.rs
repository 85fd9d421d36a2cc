//! `POST /v1/sessions`, and one session's life through the native API.

use crate::support::on_both_databases;
use crate::support::server::Server;

on_both_databases! {
    async fn a_session_is_opened_used_and_ended(database) {
        let server = Server::start(database).await;
        let opened = server.open("1001").await;
        assert!(server.stands(&opened.access).await);
        server.send("DELETE", &format!("/v1/sessions/{}", opened.id), &opened.access).await.expect(204);
        assert!(!server.stands(&opened.access).await);
    }
}
