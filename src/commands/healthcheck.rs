//! `sojourn healthcheck`: for containers, which have no curl.

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::CommandError;
use crate::config::{Source, listen_address};

/// The time within which the server must answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/readyz` of the server that the same settings would start.
pub(super) async fn healthcheck(source: &Source) -> Result<(), CommandError> {
    let address = listen_address(source)?;
    // A server that listens on every address is asked on the loopback.
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let failed = |error: String| CommandError::Other(format!("http://{address}/readyz: {error}"));
    match tokio::time::timeout(TIMEOUT, ask(&address)).await {
        Ok(Ok(status)) if status.is_success() => super::print("ready"),
        Ok(Ok(status)) => Err(failed(format!("answers {status}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("does not answer".to_owned())),
    }
}

async fn ask(address: &str) -> Result<hyper::StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("/readyz").header(hyper::header::HOST, address).body(Empty::<Bytes>::new())?;
    let status = sender.send_request(request).await?.status();
    connection.abort();
    Ok(status)
}
