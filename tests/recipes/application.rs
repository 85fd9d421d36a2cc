//! An application behind a gateway, which records what reaches it.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::http::{Connection, Message};

/// A handshake of RFC 6455 section 1.3, and the answer to it.
pub const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A running application.
pub struct Application {
    pub port: u16,
    received: Arc<Mutex<Vec<Message>>>,
}

impl Application {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::default();
        let record = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Connection::new(stream), Arc::clone(&record)));
            }
        });
        Self { port, received }
    }

    /// The requests since the last call.
    pub fn received(&self) -> Vec<Message> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

/// Answers each request of a connection. After a handshake it sends back every byte.
async fn serve(mut connection: Connection, record: Arc<Mutex<Vec<Message>>>) {
    while let Some(request) = connection.message().await {
        let is_handshake = request.header("upgrade") == "websocket";
        record.lock().unwrap().push(request);
        let answer = if is_handshake {
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {WEBSOCKET_ACCEPT}\r\n\r\n"
            )
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\napplication".to_owned()
        };
        if connection.stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if is_handshake {
            send_back(connection).await;
            return;
        }
    }
}

async fn send_back(mut connection: Connection) {
    while let Some(bytes) = connection.bytes().await {
        if connection.stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
