//! Requests that come while others are under way wait for them and go together: many in one statement cost little more than
//! one does. Nobody waits when nothing runs.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::contract::{Error, Result};

/// Who has waited for so long waits for something that got stuck, perhaps with its connection, and goes on without it.
const STALLED_AFTER: Duration = Duration::from_millis(50);

/// What can be done for many at a time.
pub(crate) trait BatchJob: Send + Sync + 'static {
    /// What one of them asks for.
    type Request: Send;
    /// What it is told.
    type Answer: Send;
    /// The most that go together.
    const MAX_BATCH: usize;
    /// So many statements run at once, unless some got stuck.
    const MAX_IN_FLIGHT: usize;
    /// So many when some got stuck: fewer than there are connections.
    const MAX_IN_FLIGHT_WHEN_STALLED: usize;
    /// How many wait before another statement is worth it: half as many statements for as many answers is less work for all.
    const EXTRA_BATCH_AT: usize;

    /// Tells each what came of it; those that this returns have to wait for the next time. There is at least one, and at
    /// least one is not put off.
    fn run(self: &Arc<Self>, requests: Vec<Pending<Self>>) -> impl Future<Output = Vec<Pending<Self>>> + Send;
}

/// Somebody who waits.
pub(crate) struct Pending<T: BatchJob + ?Sized> {
    /// For what.
    pub(crate) request: T::Request,
    answer: oneshot::Sender<Result<T::Answer>>,
}

impl<T: BatchJob + ?Sized> Pending<T> {
    /// Whether anybody still wants to know.
    pub(crate) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    /// Ends the wait; who is gone by now does not matter.
    pub(crate) fn reply(self, answer: Result<T::Answer>) {
        drop(self.answer.send(answer));
    }
}

/// Who waits for the same kind of work.
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

    /// What comes of the request, begun after this was called.
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
            // On its own, because whoever asked first may be gone before the others have their answers.
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

/// Counts work as done, even should it panic; and lets nobody wait who came between the last look and now.
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

    /// Tells how many went together; who asks for nothing gets stuck, and who asks for too much is put off once.
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
                // It is under way when the others come.
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
