//! Requests that come while others are under way wait for them and go together: many in one statement cost little more than
//! one does. Nobody waits when nothing runs.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::contract::{Error, Result};

/// Who has waited for so long waits for something that got stuck, perhaps with its connection, and goes on without it.
const LATE: Duration = Duration::from_millis(50);

/// What can be done for many at a time.
pub(crate) trait Together: Send + Sync + 'static {
    /// What one of them asks for.
    type Request: Send;
    /// What it is told.
    type Answer: Send;
    /// The most that go together.
    const MOST_TOGETHER: usize;
    /// So many statements run at once, unless some got stuck.
    const MOST_AT_ONCE: usize;
    /// So many when some got stuck: fewer than there are connections.
    const MOST_WITH_STUCK: usize;
    /// How many wait before another statement is worth it: half as many statements for as many answers is less work for all.
    const WORTH_ANOTHER: usize;

    /// Tells each what came of it; those that this returns have to wait for the next time. There is at least one, and at
    /// least one is not put off.
    fn carry_out(self: &Arc<Self>, requests: Vec<Waiting<Self>>) -> impl Future<Output = Vec<Waiting<Self>>> + Send;
}

/// Somebody who waits.
pub(crate) struct Waiting<T: Together + ?Sized> {
    /// For what.
    pub(crate) request: T::Request,
    answer: oneshot::Sender<Result<T::Answer>>,
}

impl<T: Together + ?Sized> Waiting<T> {
    /// Whether anybody still wants to know.
    pub(crate) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    /// Ends the wait; who is gone by now does not matter.
    pub(crate) fn tell(self, answer: Result<T::Answer>) {
        drop(self.answer.send(answer));
    }
}

/// Who waits for the same kind of work.
pub(crate) struct Gathering<T: Together> {
    work: Arc<T>,
    queue: Mutex<Queue<T>>,
}

struct Queue<T: Together> {
    waiting: Vec<Waiting<T>>,
    under_way: usize,
}

impl<T: Together> Gathering<T> {
    pub(crate) fn new(work: T) -> Arc<Self> {
        Arc::new(Self { work: Arc::new(work), queue: Mutex::new(Queue { waiting: Vec::new(), under_way: 0 }) })
    }

    /// What comes of the request, begun after this was called.
    pub(crate) async fn ask(self: &Arc<Self>, request: T::Request) -> Result<T::Answer> {
        let (answer, mut receiver) = oneshot::channel();
        let start = {
            let mut queue = self.lock();
            queue.waiting.push(Waiting { request, answer });
            let worth_it = queue.under_way == 0 || queue.waiting.len() >= T::WORTH_ANOTHER;
            let start = worth_it && queue.under_way < T::MOST_AT_ONCE;
            queue.under_way += usize::from(start);
            start
        };
        if start {
            // On its own, because whoever asked first may be gone before the others have their answers.
            tokio::spawn(Arc::clone(self).work());
        }
        let answer = match tokio::time::timeout(LATE, &mut receiver).await {
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
        if !queue.waiting.is_empty() && queue.under_way < T::MOST_WITH_STUCK {
            queue.under_way += 1;
            drop(queue);
            tokio::spawn(Arc::clone(self).work());
        }
    }

    async fn work(self: Arc<Self>) {
        let _under_way = UnderWay(Arc::clone(&self));
        loop {
            let mut requests = {
                let mut queue = self.lock();
                let together = queue.waiting.len().min(T::MOST_TOGETHER);
                let rest = queue.waiting.split_off(together);
                mem::replace(&mut queue.waiting, rest)
            };
            if requests.is_empty() {
                return;
            }
            requests.retain(|waiting| !waiting.is_given_up());
            if !requests.is_empty() {
                let put_off = self.work.carry_out(requests).await;
                self.lock().waiting.extend(put_off);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts work as done, even should it panic; and lets nobody wait who came between the last look and now.
struct UnderWay<T: Together>(Arc<Gathering<T>>);

impl<T: Together> Drop for UnderWay<T> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.start_another();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells how many went together; who asks for nothing gets stuck, and who asks for too much is put off once.
    struct Counting(Mutex<Vec<usize>>);

    impl Together for Counting {
        type Request = Option<usize>;
        type Answer = usize;
        const MOST_TOGETHER: usize = 4;
        const MOST_AT_ONCE: usize = 1;
        const MOST_WITH_STUCK: usize = 2;
        const WORTH_ANOTHER: usize = 1;

        async fn carry_out(self: &Arc<Self>, requests: Vec<Waiting<Self>>) -> Vec<Waiting<Self>> {
            let together = requests.len();
            self.0.lock().unwrap().push(together);
            tokio::time::sleep(ROUND).await;
            let mut put_off = Vec::new();
            for mut waiting in requests {
                match waiting.request {
                    None => std::future::pending().await,
                    Some(0) => waiting.tell(Ok(together)),
                    Some(times) => {
                        waiting.request = Some(times - 1);
                        put_off.push(waiting);
                    }
                }
            }
            put_off
        }
    }

    const ROUND: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_others_are_under_way_goes_with_the_next() {
        let gathering = Gathering::new(Counting(Mutex::default()));
        let mut all = Vec::new();
        for number in 0..8 {
            let gathering = Arc::clone(&gathering);
            all.push(tokio::spawn(async move { gathering.ask(Some(0)).await.unwrap() }));
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
        assert_eq!(gathering.ask(Some(0)).await.unwrap(), 1, "alone again");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_got_stuck() {
        let gathering = Gathering::new(Counting(Mutex::default()));
        let stuck = Arc::clone(&gathering);
        let stuck = tokio::spawn(async move { stuck.ask(None).await });
        tokio::time::sleep(ROUND * 5).await;
        let asked = tokio::time::Instant::now();
        assert_eq!(gathering.ask(Some(0)).await.unwrap(), 1);
        assert!(asked.elapsed() <= LATE + ROUND);
        stuck.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_put_off_is_not_forgotten_and_who_is_gone_is() {
        let gathering = Gathering::new(Counting(Mutex::default()));
        assert_eq!(gathering.ask(Some(3)).await.unwrap(), 1);
        let going = Arc::clone(&gathering);
        let going = tokio::spawn(async move { going.ask(Some(1000)).await });
        tokio::time::sleep(ROUND * 5).await;
        going.abort();
        tokio::time::sleep(ROUND * 5).await;
        let before = gathering.work.0.lock().unwrap().len();
        tokio::time::sleep(ROUND * 5).await;
        assert_eq!(gathering.work.0.lock().unwrap().len(), before, "nothing is done for who does not wait any more");
    }
}
