//! The listener, and the orderly stop.

mod leftover;
mod outgoing;
mod patience;
mod places;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::api::Reserved;
use crate::config::ServerConfig;
use crate::failpoints::{self, Failpoint};
use crate::metrics::{self, ClosedFor};
use leftover::ReadToTheEnd;
use outgoing::Outgoing;
use patience::{Patient, Progress};
use places::{Admission, Place, Places};

/// The maximum length of a request's head, in bytes, give or take one read.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The time that a connection accepted just before the port closed has for its request to arrive.
const LAST_CALL: Duration = Duration::from_millis(250);
/// The pause between two searches for a connection to close, while all places are taken.
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// The time limit for running requests at the end. Together with the usual drain delay and the last writes it stays
/// below the 15 seconds that an orchestrator is told to wait.
const FINISHING_TIME: Duration = Duration::from_secs(8);

/// Serves `router` on `listener` until `stop` turns true.
///
/// After that, requests are served for the drain delay, so that clients can find another server; every answer then
/// closes its connection. At its end no more connections are accepted, and the function returns when running requests
/// are finished.
pub async fn serve(listener: TcpListener, router: Router, config: ServerConfig, stop: watch::Receiver<bool>) {
    let door = Door::new(router, &config, stop.clone());
    let graceful = GracefulShutdown::new();
    let mut closing = stop;
    let closing = async move {
        // A dropped sender counts as a stop.
        drop(closing.wait_for(|stopped| *stopped).await);
        tokio::time::sleep(config.drain_delay).await;
    };
    tokio::pin!(closing);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut closing => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Later clients wait in the system's accept queue.
                let taken = tokio::select! {
                    taken = door.place(peer) => taken,
                    () = &mut closing => break,
                };
                if let Some((place, progress)) = taken {
                    take(&door, place, progress, stream, peer, graceful.watcher());
                }
            }
            Err(error) => after_failed_accept(&error).await,
        }
    }
    take_waiting(listener, &door, &graceful);
    tokio::time::sleep(LAST_CALL.min(config.drain_delay)).await;
    if tokio::time::timeout(FINISHING_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running at the end");
    }
}

/// Takes the connections in the system's accept queue, which would be reset when the port closes.
fn take_waiting(listener: TcpListener, door: &Door, graceful: &GracefulShutdown) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        let progress = Progress::new();
        if let Admission::Place(place) = door.places.admit(peer, &progress)
            && stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            take(door, place, progress, stream, peer, graceful.watcher());
        }
    }
}

fn take(door: &Door, place: Place, progress: Progress, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
    if failpoints::enabled(Failpoint::Leak) {
        std::mem::forget(vec![1_u8; 16 * 1024]);
    }
    // Answers are short: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let connection = watcher.watch(door.connection(stream, peer, &progress, place.is_reserved));
    tokio::spawn(async move {
        metrics::connected();
        tokio::select! {
            closed = connection => if let Err(error) = closed {
                tracing::debug!(%error, "connection broken off");
            },
            () = progress.given_up() => {}
        }
        metrics::disconnected();
        drop(place);
    });
}

/// The state that all connections share.
#[derive(Clone)]
struct Door {
    router: Router,
    stop: watch::Receiver<bool>,
    places: Arc<Places>,
}

impl Door {
    fn new(router: Router, config: &ServerConfig, stop: watch::Receiver<bool>) -> Self {
        Self { router, stop, places: Places::new(config) }
    }

    /// A place for a connection, as soon as one is free; `None` when its address may have no more.
    async fn place(&self, peer: SocketAddr) -> Option<(Place, Progress)> {
        loop {
            let progress = Progress::new();
            match self.places.admit(peer, &progress) {
                Admission::Place(place) => return Some((place, progress)),
                Admission::Refused => {
                    metrics::connections_closed(1, ClosedFor::AddressLimit);
                    return None;
                }
                Admission::Full => drop(tokio::time::timeout(FULL_PAUSE, self.places.left()).await),
            }
        }
    }

    fn connection<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        progress: &Progress,
        is_reserved: bool,
    ) -> impl GracefulConnection<Error = hyper::Error> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(Patient::new(stream, progress.clone()));
        let (door, progress) = (self.clone(), progress.clone());
        let answer = service_fn(move |request| {
            progress.request_begins();
            let (door, progress) = (door.clone(), progress.clone());
            async move {
                let request = ReadToTheEnd::of(request, progress.clone());
                let response = door.answer(request, peer, is_reserved).await?;
                progress.request_is_answered();
                Ok::<_, Infallible>(Outgoing::of(response, progress))
            }
        });
        // `Patient` enforces the time limit for a head.
        http1::Builder::new().header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES).serve_connection(stream, answer)
    }

    async fn answer(
        self,
        request: Request<ReadToTheEnd>,
        peer: SocketAddr,
        is_reserved: bool,
    ) -> Result<Response, Infallible> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if is_reserved {
            request.extensions_mut().insert(Reserved);
        }
        let mut response = self.router.clone().oneshot(request).await?;
        // A reserved place must be free again for the next request that needs one.
        if is_reserved || *self.stop.borrow() || self.places.are_few() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// A client that left before it was served needs no pause. Exhausted file descriptors do, because only time frees them.
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
        if failpoints::enabled(Failpoint::NoDrain) {
            std::process::exit(0);
        }
        tracing::info!("stopping");
        sender.send_replace(true);
        next().await;
        std::process::exit(130);
    });
    Ok(receiver)
}
