//! Time limits for clients: a connection closes by itself when the client sends nothing, or reads nothing.
//!
//! Hyper's own limit for a request's head counts from the end of the previous answer. A limit short enough for a head
//! that comes a byte at a time would thus close idle connections, too.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

/// The time limit for a request's head, from its first byte or, for the first request, from the start of the
/// connection.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The time limit for an idle connection: longer than load balancers keep theirs, mostly 60 seconds. They then close
/// first, and no request meets a connection that is just being closed.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// The time limit for a client that reads nothing of its answer.
const WRITE_TIME: Duration = Duration::from_secs(15);

/// The phase of a connection, named after the awaited part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of a request's head.
    Head,
    /// The rest of a request's body.
    Body,
    /// An answer of ours, without a limit, because requests have a time limit of their own.
    Answering,
    /// The client's reading of the answer.
    Sending,
    /// The next request.
    Idle,
    /// Nothing more: the connection is closed in favour of another.
    GivenUp,
}

/// The part of a request that the server waits for, and since when; the least is the first to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// The rest of a request, since its beginning.
    Request(Instant),
    /// The next request, since the end of the previous answer.
    NextRequest(Instant),
}

/// The progress of a connection, shared by the service for its requests and the stream of its bytes.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<State>);

#[derive(Debug)]
struct State {
    phase: Mutex<(Phase, Instant)>,
    given_up: Notify,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(State { phase: Mutex::new((Phase::Head, Instant::now())), given_up: Notify::new() }))
    }

    /// A request's head is complete.
    pub(super) fn request_begins(&self) {
        self.enter(Phase::Answering);
    }

    /// A handler waits for more of the body. The time is still counted from the request's beginning.
    pub(super) fn body_is_awaited(&self) {
        self.turn(Phase::Answering, Phase::Body);
    }

    /// More of the body has come.
    pub(super) fn body_came(&self) {
        self.turn(Phase::Body, Phase::Answering);
    }

    /// An answer is ready and goes to the client.
    pub(super) fn request_is_answered(&self) {
        self.enter(Phase::Sending);
    }

    /// Nothing more will be added to the answer. Its rest may still be on its way, so every write restarts the idle
    /// time.
    pub(super) fn answer_is_complete(&self) {
        self.enter(Phase::Idle);
    }

    /// The part of a request that the server waits for; `None`: the client waits for the server.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let (phase, since) = *self.lock();
        match phase {
            Phase::Head | Phase::Body => Some(Waiting::Request(since)),
            Phase::Idle => Some(Waiting::NextRequest(since)),
            Phase::Answering | Phase::Sending | Phase::GivenUp => None,
        }
    }

    /// Closes the connection, unless it is answering by now. Returns whether it closes.
    pub(super) fn give_up(&self) -> bool {
        let mut phase = self.lock();
        let may = matches!(phase.0, Phase::Head | Phase::Body | Phase::Idle);
        if may {
            phase.0 = Phase::GivenUp;
            self.0.given_up.notify_one();
        }
        may
    }

    /// Returns when the connection is to be closed.
    pub(super) async fn given_up(&self) {
        self.0.given_up.notified().await;
    }

    #[cfg(test)]
    pub(super) fn is_given_up(&self) -> bool {
        self.lock().0 == Phase::GivenUp
    }

    fn bytes_came(&self) {
        if self.lock().0 == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    fn bytes_went(&self) {
        let mut phase = self.lock();
        if matches!(phase.0, Phase::Idle | Phase::Sending) {
            phase.1 = Instant::now();
        }
    }

    /// The instant by which bytes must arrive.
    fn deadline(&self) -> Option<Instant> {
        let (phase, since) = *self.lock();
        match phase {
            Phase::Head => Some(since + HEAD_TIME),
            Phase::Body | Phase::Answering | Phase::GivenUp => None,
            Phase::Sending | Phase::Idle => Some(since + IDLE_TIME),
        }
    }

    fn enter(&self, next: Phase) {
        let mut phase = self.lock();
        if phase.0 != Phase::GivenUp {
            *phase = (next, Instant::now());
        }
    }

    fn turn(&self, from: Phase, to: Phase) {
        let mut phase = self.lock();
        if phase.0 == from {
            phase.0 = to;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that fails as soon as its client has exceeded a time limit.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    progress: Progress,
    reading: Timer,
    writing: Timer,
    write_deadline: Option<Instant>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, progress: Progress) -> Self {
        Self { stream, progress, reading: Timer::default(), writing: Timer::default(), write_deadline: None }
    }

    fn written(&mut self, context: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.write_deadline = None;
            self.progress.bytes_went();
            return result;
        }
        let deadline = *self.write_deadline.get_or_insert_with(|| Instant::now() + WRITE_TIME);
        self.writing.poll(context, deadline).map(|()| Err(late("the client reads nothing")))
    }
}

/// A timer that is made when it is first needed.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context)
    }
}

fn late(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before {
                self.progress.bytes_came();
            }
            return Poll::Ready(result);
        }
        let Some(deadline) = self.progress.deadline() else { return Poll::Pending };
        ready!(self.reading.poll(context, deadline));
        Poll::Ready(Err(late("the client sends nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
