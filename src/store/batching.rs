//! Batches of requests. A statement for many requests costs little more than a statement for one, so requests that
//! arrive while a batch runs wait for the next batch. A request that arrives while nothing runs starts at once.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::contract::{Error, Result};

/// A request that has waited this long assumes that the running batch is stalled, perhaps on a dead connection, and
/// starts another.
const STALLED_AFTER: Duration = Duration::from_millis(50);

/// Work that can be done for a batch of requests.
pub(crate) trait BatchJob: Send + Sync + 'static {
    /// Type of a request.
    type Request: Send;
    /// Type of the reply to a request.
    type Answer: Send;
    /// Upper limit of requests in one batch.
    const MAX_BATCH: usize;
    /// Upper limit of batches that run at once while none is stalled.
    const MAX_IN_FLIGHT: usize;
    /// Upper limit of batches that run at once when some are stalled: fewer than there are connections.
    const MAX_IN_FLIGHT_WHEN_STALLED: usize;
    /// Number of pending requests from which an extra batch is worth its statement: fewer and larger batches are less
    /// work for all.
    const EXTRA_BATCH_AT: usize;

    /// Runs one batch and replies to each request. `requests` is never empty. Returns those that must wait for the next
    /// batch, never all of them.
    fn run(self: &Arc<Self>, requests: Vec<Pending<Self>>) -> impl Future<Output = Vec<Pending<Self>>> + Send;
}

/// A request that waits for its reply.
pub(crate) struct Pending<T: BatchJob + ?Sized> {
    /// The request itself.
    pub(crate) request: T::Request,
    answer: oneshot::Sender<Result<T::Answer>>,
}

impl<T: BatchJob + ?Sized> Pending<T> {
    /// Whether the caller no longer waits for the reply.
    pub(crate) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    /// Sends the reply. A caller that no longer waits for it does not matter.
    pub(crate) fn reply(self, answer: Result<T::Answer>) {
        drop(self.answer.send(answer));
    }
}

/// The queue of one kind of work, and the batches that run.
pub(crate) struct Batcher<T: BatchJob> {
    work: Arc<T>,
    queue: Mutex<Queue<T>>,
}

struct Queue<T: BatchJob> {
    pending: Vec<Pending<T>>,
    in_flight: usize,
}

impl<T: BatchJob> Batcher<T> {
    pub(crate) fn new(work: T) -> Arc<Self> {
        Arc::new(Self { work: Arc::new(work), queue: Mutex::new(Queue { pending: Vec::new(), in_flight: 0 }) })
    }

    /// Waits for the reply to a request, from a batch that begins after this call.
    pub(crate) async fn submit(self: &Arc<Self>, request: T::Request) -> Result<T::Answer> {
        let (answer, mut receiver) = oneshot::channel();
        let start = {
            let mut queue = self.lock();
            queue.pending.push(Pending { request, answer });
            let worth_it = queue.in_flight == 0 || queue.pending.len() >= T::EXTRA_BATCH_AT;
            let start = worth_it && queue.in_flight < T::MAX_IN_FLIGHT;
            queue.in_flight += usize::from(start);
            start
        };
        if start {
            // The batch has a task of its own, because the first caller may give up before the others have their replies.
            tokio::spawn(Arc::clone(self).work());
        }
        let answer = match tokio::time::timeout(STALLED_AFTER, &mut receiver).await {
            Ok(answer) => answer,
            Err(_) => {
                self.start_another();
                receiver.await
            }
        };
        answer.unwrap_or_else(|_| Err(Error::unavailable("the request was given up")))
    }

    fn start_another(self: &Arc<Self>) {
        let mut queue = self.lock();
        if !queue.pending.is_empty() && queue.in_flight < T::MAX_IN_FLIGHT_WHEN_STALLED {
            queue.in_flight += 1;
            drop(queue);
            tokio::spawn(Arc::clone(self).work());
        }
    }

    async fn work(self: Arc<Self>) {
        let _in_flight = InFlight(Arc::clone(&self));
        loop {
            let mut requests = {
                let mut queue = self.lock();
                let together = queue.pending.len().min(T::MAX_BATCH);
                let rest = queue.pending.split_off(together);
                mem::replace(&mut queue.pending, rest)
            };
            if requests.is_empty() {
                return;
            }
            requests.retain(|pending| !pending.is_given_up());
            if !requests.is_empty() {
                let put_off = self.work.run(requests).await;
                self.lock().pending.extend(put_off);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a batch as finished, even if it panics, and starts another for requests that arrived after its last look at
/// the queue.
struct InFlight<T: BatchJob>(Arc<Batcher<T>>);

impl<T: BatchJob> Drop for InFlight<T> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
        self.0.start_another();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies with the size of the batch. A request of `None` stalls, and `Some(n)` is put off `n` times.
    struct Counting(Mutex<Vec<usize>>);

    impl BatchJob for Counting {
        type Request = Option<usize>;
        type Answer = usize;
        const MAX_BATCH: usize = 4;
        const MAX_IN_FLIGHT: usize = 1;
        const MAX_IN_FLIGHT_WHEN_STALLED: usize = 2;
        const EXTRA_BATCH_AT: usize = 1;

        async fn run(self: &Arc<Self>, requests: Vec<Pending<Self>>) -> Vec<Pending<Self>> {
            let together = requests.len();
            self.0.lock().unwrap().push(together);
            tokio::time::sleep(ROUND).await;
            let mut put_off = Vec::new();
            for mut pending in requests {
                match pending.request {
                    None => std::future::pending().await,
                    Some(0) => pending.reply(Ok(together)),
                    Some(times) => {
                        pending.request = Some(times - 1);
                        put_off.push(pending);
                    }
                }
            }
            put_off
        }
    }

    const ROUND: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_others_are_under_way_goes_with_the_next() {
        let batcher = Batcher::new(Counting(Mutex::default()));
        let mut all = Vec::new();
        for number in 0..8 {
            let batcher = Arc::clone(&batcher);
            all.push(tokio::spawn(async move { batcher.submit(Some(0)).await.unwrap() }));
            if number == 0 {
                // The first batch is running when the others arrive.
                tokio::time::sleep(ROUND / 2).await;
            }
        }
        let mut told = Vec::new();
        for one in all {
            told.push(one.await.unwrap());
        }
        assert_eq!(told, [1, 4, 4, 4, 4, 3, 3, 3]);
        assert_eq!(batcher.submit(Some(0)).await.unwrap(), 1, "alone again");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_got_stuck() {
        let batcher = Batcher::new(Counting(Mutex::default()));
        let stuck = Arc::clone(&batcher);
        let stuck = tokio::spawn(async move { stuck.submit(None).await });
        tokio::time::sleep(ROUND * 5).await;
        let asked = tokio::time::Instant::now();
        assert_eq!(batcher.submit(Some(0)).await.unwrap(), 1);
        assert!(asked.elapsed() <= STALLED_AFTER + ROUND);
        stuck.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_put_off_is_not_forgotten_and_who_is_gone_is() {
        let batcher = Batcher::new(Counting(Mutex::default()));
        assert_eq!(batcher.submit(Some(3)).await.unwrap(), 1);
        let going = Arc::clone(&batcher);
        let going = tokio::spawn(async move { going.submit(Some(1000)).await });
        tokio::time::sleep(ROUND * 5).await;
        going.abort();
        tokio::time::sleep(ROUND * 5).await;
        let before = batcher.work.0.lock().unwrap().len();
        tokio::time::sleep(ROUND * 5).await;
        assert_eq!(batcher.work.0.lock().unwrap().len(), before, "nothing is done for who does not wait any more");
    }
}
