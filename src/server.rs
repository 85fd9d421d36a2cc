//! The listener, and the orderly stop.

mod leftover;
mod patience;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::config::ServerConfig;
use crate::metrics;
use crate::mutants::{self, Mutant};
use leftover::ReadToTheEnd;
use patience::{Patient, Progress};

/// The longest head of a request, in bytes, give or take what one read brings.
const LONGEST_HEAD: usize = 32 * 1024;
/// How long a connection that was taken just before the port closed has for its request to arrive.
const LAST_CALL: Duration = Duration::from_millis(250);
/// How long running requests are waited for at the end. With the usual drain delay and the last writes it stays below the 15
/// seconds that an orchestrator is told to wait.
const FINISHING_TIME: Duration = Duration::from_secs(8);

/// Serves `router` on `listener` until `stop` turns true.
///
/// Then it goes on for the drain delay, so that whoever sends the requests can find out and go elsewhere; every answer now
/// closes its connection. After that it takes no more connections, finishes the requests that run, and returns.
pub async fn serve(listener: TcpListener, router: Router, config: ServerConfig, stop: watch::Receiver<bool>) {
    let door = Door::new(router, &config, stop.clone());
    let graceful = GracefulShutdown::new();
    let mut closing = stop;
    let closing = async move {
        // Who drops the sender wants an end as well.
        drop(closing.wait_for(|stopped| *stopped).await);
        tokio::time::sleep(config.drain_delay).await;
    };
    tokio::pin!(closing);
    loop {
        // Above the most that are served at once, new connections wait in the system's queue: nobody is thrown out for
        // somebody who may be worse, and places come free by the time limits, or at the next answer (see `Door::is_full`).
        let accepted = tokio::select! {
            accepted = async { (door.place().await, listener.accept().await) } => accepted,
            () = &mut closing => break,
        };
        match accepted {
            (Some(place), Ok((stream, peer))) => take(&door, place, stream, peer, graceful.watcher()),
            (_, Err(error)) => after_failed_accept(&error).await,
            (None, _) => break,
        }
    }
    take_waiting(listener, &door, &graceful);
    tokio::time::sleep(LAST_CALL.min(config.drain_delay)).await;
    if tokio::time::timeout(FINISHING_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running at the end");
    }
}

/// Connections that the system has accepted, and we have not, would be reset with the port.
fn take_waiting(listener: TcpListener, door: &Door, graceful: &GracefulShutdown) {
    let Ok(listener) = listener.into_std() else { return };
    while let Some(place) = door.place_at_once()
        && let Ok((stream, peer)) = listener.accept()
        && stream.set_nonblocking(true).is_ok()
        && let Ok(stream) = TcpStream::from_std(stream)
    {
        take(door, place, stream, peer, graceful.watcher());
    }
}

fn take(door: &Door, place: OwnedSemaphorePermit, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
    if mutants::enabled(Mutant::Leak) {
        std::mem::forget(vec![1_u8; 16 * 1024]);
    }
    // Answers are short: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let connection = watcher.watch(door.connection(stream, peer));
    tokio::spawn(async move {
        metrics::connected();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection broken off");
        }
        metrics::disconnected();
        drop(place);
    });
}

/// What all connections share.
#[derive(Clone)]
struct Door {
    router: Router,
    stop: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    most: usize,
}

impl Door {
    fn new(router: Router, config: &ServerConfig, stop: watch::Receiver<bool>) -> Self {
        let most = config.most_connections;
        Self { router, stop, places: Arc::new(Semaphore::new(most)), most }
    }

    /// A place for one connection, as soon as there is one.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn place_at_once(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Whether places are so few that none is kept for a next request that may come.
    fn is_full(&self) -> bool {
        self.places.available_permits() < self.most / 4
    }

    fn connection<S>(
        &self,
        stream: S,
        peer: SocketAddr,
    ) -> impl GracefulConnection<Error = hyper::Error> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Progress::new();
        let stream = TokioIo::new(Patient::new(stream, progress.clone()));
        let door = self.clone();
        let answer = service_fn(move |request| {
            progress.request_begins();
            let (door, progress) = (door.clone(), progress.clone());
            async move {
                let response = door.answer(request, peer).await;
                progress.request_is_answered();
                response
            }
        });
        // The time for a head is kept by `Patient`.
        http1::Builder::new().header_read_timeout(None).max_buf_size(LONGEST_HEAD).serve_connection(stream, answer)
    }

    async fn answer(
        self,
        request: hyper::Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response, std::convert::Infallible> {
        let mut request = ReadToTheEnd::of(request).map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut response = self.router.clone().oneshot(request).await?;
        if *self.stop.borrow() || self.is_full() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// A client that is gone before it is served is no matter; being out of file descriptors is, and passes only with time.
async fn after_failed_accept(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Turns true at SIGTERM or SIGINT. A second signal ends the process at once.
pub fn stop_signal() -> io::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () };
        next().await;
        if mutants::enabled(Mutant::NoDrain) {
            std::process::exit(0);
        }
        tracing::info!("stopping");
        sender.send_replace(true);
        next().await;
        std::process::exit(130);
    });
    Ok(receiver)
}
