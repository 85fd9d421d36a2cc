//! One answer for all who ask at once.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The latest answer to a question that anybody may ask: however often it is asked, few answers are looked for.
pub(super) struct Shared<T> {
    ttl: Duration,
    pause: Duration,
    latest: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Shared<T> {
    /// For answers that were looked for `ttl` before the question at most, and no sooner than `pause` after the one before.
    pub(super) fn new(ttl: Duration, pause: Duration) -> Self {
        Self { ttl, pause, latest: Mutex::new(None) }
    }

    /// The latest answer; where it is too old, `look` finds one for all who wait by then.
    pub(super) async fn get(&self, look: impl AsyncFnOnce() -> T) -> T {
        let asked = Instant::now();
        let mut latest = self.latest.lock().await;
        if let Some((began, answer)) = &*latest {
            if *began + self.ttl >= asked {
                return answer.clone();
            }
            tokio::time::sleep_until(*began + self.pause).await;
        }
        let began = Instant::now();
        let answer = look().await;
        *latest = Some((began, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_at_once_share_an_answer_and_nobody_gets_one_that_is_too_old() {
        let (shared, looks) = (Shared::new(Duration::from_millis(200), Duration::ZERO), AtomicU32::new(0));
        let get = || {
            shared.get(async || {
                tokio::time::sleep(Duration::from_millis(500)).await;
                looks.fetch_add(1, Ordering::Relaxed) + 1
            })
        };
        assert_eq!(tokio::join!(get(), get(), get()), (1, 1, 1));
        assert_eq!(get().await, 2, "the first was looked for half a second ago");
        let late = async {
            tokio::time::sleep(Duration::from_millis(199)).await;
            get().await
        };
        assert_eq!(tokio::join!(get(), late), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn between_two_looks_there_is_a_pause() {
        let shared = Shared::new(Duration::ZERO, Duration::from_millis(50));
        let start = Instant::now();
        for _ in 0..5 {
            shared.get(async || ()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(start.elapsed(), Duration::from_millis(201));
    }
}
