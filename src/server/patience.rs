//! How long a client is waited for: a connection that closes by itself when nothing comes, or nothing is taken.
//!
//! Hyper's own limit for a request's head counts from the end of the answer before, so it would close a connection that is
//! kept for the next request as soon as one whose head comes a byte at a time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take to send a request's head, from its first byte or, for the first request, from the
/// connection's beginning.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request: longer than load balancers keep theirs, mostly 60 seconds, so that it
/// is they who close, and no request meets a connection that is just being closed.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// How long a client may take none of an answer that waits for it.
const WRITE_TIME: Duration = Duration::from_secs(15);

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of a request's head.
    Head,
    /// The rest of a request's body.
    Body,
    /// An answer of ours: as long as it takes, because requests have a time limit of their own.
    Answering,
    /// The client's taking of the answer.
    Sending,
    /// The next request.
    Idle,
    /// Nothing more: it is closed for another connection.
    GivenUp,
}

/// For what, and since when, the server waits for a client; the least is the one to give up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// The rest of a request, whose first byte came then.
    Request(Instant),
    /// A next request, since the end of the answer before.
    NextRequest(Instant),
}

/// Where a connection stands: known by who serves its requests and by who moves its bytes.
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

    /// A handler wants more of the body than has come; the time goes on from the request's beginning.
    pub(super) fn body_is_awaited(&self) {
        self.turn(Phase::Answering, Phase::Body);
    }

    /// More of the body has come.
    pub(super) fn body_came(&self) {
        self.turn(Phase::Body, Phase::Answering);
    }

    /// An answer is there, and goes to the client.
    pub(super) fn request_is_answered(&self) {
        self.enter(Phase::Sending);
    }

    /// Nothing more will be added to the answer. What remains of it may still be on its way, so whatever is written starts
    /// the idle time anew.
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

    /// Has the connection closed, unless it is being answered by now. Whether it is.
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

    /// Until when bytes must come.
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

/// A connection that is an error as soon as its client has been waited for long enough.
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
        self.writing.poll(context, deadline).map(|()| Err(late("the client takes nothing")))
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
