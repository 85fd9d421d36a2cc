//! Clients that open, check and end sessions while something is broken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinHandle;

use super::history::{History, Outcome, Seen};
use super::replicas::{LIMIT, Replica, Subject, time_until, until};

/// The pause of a client after a failed request.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for work between two faults, so that a slow machine tests less instead of longer.
const MAX_WORK: Duration = Duration::from_secs(6);

/// Concurrent writers.
pub struct Load {
    pub history: Arc<History>,
    replicas: Vec<Arc<Replica>>,
    subjects: Arc<Mutex<Vec<Arc<Subject>>>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts writers. Each opens a session on one replica, ends it on another, and checks this and earlier sessions.
    pub fn start(replicas: &[Arc<Replica>], writers: u64, seed: u64) -> Self {
        let (history, subjects) = (Arc::new(History::new()), Arc::new(Mutex::new(Vec::new())));
        let stop = Arc::new(AtomicBool::new(false));
        let write = |writer| {
            let writer = Writer {
                replicas: replicas.to_vec(),
                history: Arc::clone(&history),
                subjects: Arc::clone(&subjects),
                random: SmallRng::seed_from_u64(seed.wrapping_add(writer)),
            };
            tokio::spawn(writer.run(Arc::clone(&stop)))
        };
        let writers = (0..writers).map(write).collect();
        Self { history, replicas: replicas.to_vec(), subjects, stop, writers }
    }

    /// Waits until the writers have opened `sessions` more, but for a few seconds only, and for one session in any
    /// case.
    pub async fn work(&self, sessions: usize) {
        let (some, enough) = (self.opened() + 1, self.opened() + sessions);
        until("work", async || self.opened() >= some).await;
        time_until(MAX_WORK, async || self.opened() >= enough).await;
    }

    /// The number of sessions opened so far.
    fn opened(&self) -> usize {
        self.subjects.lock().unwrap().len()
    }

    /// Stops the writers, and checks every session on every replica one last time.
    pub async fn stop(self) -> Arc<History> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        let subjects = self.subjects.lock().unwrap().clone();
        read_all(&self.replicas, &self.history, &subjects).await;
        self.history
    }
}

/// Checks every session on every replica until there is a verdict.
pub async fn read_all(replicas: &[Arc<Replica>], history: &History, subjects: &[Arc<Subject>]) {
    for replica in replicas {
        let check = async |subject: &Arc<Subject>| {
            let began = history.now();
            while replica.check(history, subject).await == Seen::Nothing {
                assert!(history.since(began) < LIMIT, "replica {} does not answer", replica.number());
                tokio::time::sleep(PAUSE).await;
            }
        };
        stream::iter(subjects).for_each_concurrent(8, check).await;
    }
}

struct Writer {
    replicas: Vec<Arc<Replica>>,
    history: Arc<History>,
    subjects: Arc<Mutex<Vec<Arc<Subject>>>>,
    random: SmallRng,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        // Each writer has a user of its own, because sessions of one user are opened one after the other.
        let user = format!("user-{}", self.random.random::<u32>());
        while !stop.load(Ordering::Relaxed) {
            let Some(subject) = self.replica().open(&user).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            self.subjects.lock().unwrap().push(Arc::clone(&subject));
            if self.random.random_ratio(1, 4) {
                self.replica().check(&self.history, &subject).await;
            }
            while !stop.load(Ordering::Relaxed) {
                match self.replica().revoke(&self.history, &subject).await {
                    Outcome::NotDone => tokio::time::sleep(PAUSE).await,
                    Outcome::Unknown => {
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    Outcome::Done => break,
                }
            }
            self.replica().check(&self.history, &subject).await;
            let earlier = self.earlier();
            self.replica().check(&self.history, &earlier).await;
        }
    }

    fn replica(&mut self) -> Arc<Replica> {
        let number = self.random.random_range(0..self.replicas.len());
        Arc::clone(&self.replicas[number])
    }

    fn earlier(&mut self) -> Arc<Subject> {
        let subjects = self.subjects.lock().unwrap();
        let number = self.random.random_range(0..subjects.len());
        Arc::clone(&subjects[number])
    }
}

/// A random seed for everything that is left to chance; a verdict reports it, so that a run can be repeated.
pub fn seed() -> u64 {
    u64::from(rand::rng().random::<u32>())
}
