//! Periodic work.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Runs `work` at every `interval`, until `stop` turns true. A stop cancels running work, so each of its steps must be
/// done wholly or not at all.
pub fn every<F>(
    interval: Duration,
    stop: &watch::Receiver<bool>,
    work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    spawn(interval, interval, std::future::pending, stop, work)
}

/// Same as [`every`], but starts with a run at once.
pub fn now_and_every<F>(
    interval: Duration,
    stop: &watch::Receiver<bool>,
    work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    spawn(Duration::ZERO, interval, std::future::pending, stop, work)
}

/// Same as [`every`], with a run also each time that `signal` resolves.
pub fn whenever<S, F>(
    signal: impl FnMut() -> S + Send + 'static,
    interval: Duration,
    stop: &watch::Receiver<bool>,
    work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    S: Future<Output = ()> + Send,
    F: Future<Output = ()> + Send,
{
    spawn(interval, interval, signal, stop, work)
}

fn spawn<S, F>(
    first: Duration,
    interval: Duration,
    mut signal: impl FnMut() -> S + Send + 'static,
    stop: &watch::Receiver<bool>,
    mut work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    S: Future<Output = ()> + Send,
    F: Future<Output = ()> + Send,
{
    tokio::spawn(until_stopped(stop.clone(), async move {
        let mut pause = first;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = signal() => {}
            }
            work().await;
            pause = interval;
        }
    }))
}

/// Runs `work` until it is done or `stop` turns true.
pub(super) async fn until_stopped(mut stop: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stopped| *stopped) => {}
        () = work => {}
    }
}
