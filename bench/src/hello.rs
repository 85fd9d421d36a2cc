//! A bare axum server with one JSON answer: what HTTP and JSON alone cost.

use std::net::SocketAddr;

use anyhow::Result;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::output;

/// An answer as large as that of verification.
#[derive(Serialize)]
struct Hello {
    user_id: &'static str,
    session_id: &'static str,
    scope: &'static str,
    expires_at: &'static str,
}

/// Serves until the process is killed. The first line of output is the address.
pub async fn serve() -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    output::tell(&listener.local_addr()?.to_string());
    Ok(axum::serve(listener, Router::new().route("/hello", get(hello))).await?)
}

async fn hello() -> Json<Hello> {
    Json(Hello {
        user_id: "user-123456",
        session_id: "019a0000-0000-7000-8000-000000000001",
        scope: "profile",
        expires_at: "2030-01-01T00:00:00Z",
    })
}
