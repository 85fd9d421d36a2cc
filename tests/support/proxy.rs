//! A proxy between a server and its database that can be cut, blocked, slowed down, pointed to another database, or
//! made to lose answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::postgres_wire::{Answers, Requests};

/// A fault of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// Connections stay open and no bytes pass, as behind a firewall that drops packets.
    Blocked,
    /// Requests pass, answers do not.
    Mute,
    /// Connections break, and none is accepted.
    Cut,
    /// Each answer is delayed.
    Slow(Duration),
    /// A connection breaks after this many more bytes of answers.
    CutAfter(usize),
    /// Statements are executed, then the connection breaks instead of the answer.
    LosesAnswers,
}

/// The target and the fault of a proxy, and the clients that the fault applies to: all, or those of one
/// `application_name`.
#[derive(Debug, Clone)]
struct State {
    target: String,
    /// Whether existing connections stay with their target.
    keeps_connected: bool,
    fault: Fault,
    application: Option<&'static str>,
}

impl State {
    fn of(&self, application: Option<&str>) -> Fault {
        if self.application.is_none_or(|meant| application == Some(meant)) { self.fault } else { Fault::None }
    }

    /// The fault of a connection to `target`; `None` when the connection must break.
    fn of_connection(&self, target: &str, application: Option<&str>) -> Option<Fault> {
        let stays = self.target == target || self.keeps_connected;
        Some(self.of(application)).filter(|fault| stays && *fault != Fault::Cut)
    }
}

/// A proxy for connections to a database.
pub struct Proxy {
    state: watch::Sender<State>,
    lost_answers: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy in front of the server of a database URL, and returns the URL through it.
    pub async fn start(url: &str) -> (Self, String) {
        let (before, target, path) = split(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, faults) = watch::channel(State {
            target: target.to_owned(),
            keeps_connected: false,
            fault: Fault::None,
            application: None,
        });
        let lost_answers = Arc::new(AtomicUsize::new(0));
        let lost = Arc::clone(&lost_answers);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(hand_on(client, faults.clone(), Arc::clone(&lost)));
            }
        });
        (Self { state, lost_answers }, format!("{before}@{address}/{path}"))
    }

    /// Breaks all connections, existing and new.
    pub fn cut(&self) {
        self.set(Fault::Cut);
    }

    /// Blocks all bytes, without breaking a connection.
    pub fn block(&self) {
        self.set(Fault::Blocked);
    }

    /// Blocks all answers, without breaking a connection.
    pub fn mute(&self) {
        self.set(Fault::Mute);
    }

    /// Ends any fault.
    pub fn mend(&self) {
        self.set(Fault::None);
    }

    /// Sets the fault for all connections.
    pub fn set(&self, fault: Fault) {
        self.update(|state| (state.fault, state.application) = (fault, None));
    }

    /// Sets the fault for connections of this `application_name`, and ends it for all others.
    pub fn set_for(&self, application: &'static str, fault: Fault) {
        self.update(|state| (state.fault, state.application) = (fault, Some(application)));
    }

    /// Points the proxy to the server of another database URL, and breaks the existing connections.
    pub fn switch_to(&self, url: &str) {
        self.update(|state| {
            split(url).1.clone_into(&mut state.target);
            state.keeps_connected = false;
        });
    }

    /// Points new connections to the server of another database URL, and keeps the existing ones.
    pub fn lead_new_to(&self, url: &str) {
        self.update(|state| {
            split(url).1.clone_into(&mut state.target);
            state.keeps_connected = true;
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// The number of answers that [`Fault::LosesAnswers`] has lost.
    pub fn lost_answers(&self) -> usize {
        self.lost_answers.load(Ordering::Relaxed)
    }
}

/// Splits a database URL into the part before the address, the address, and the part from the database's name on.
fn split(url: &str) -> (&str, &str, &str) {
    let (before, rest) = url.split_once('@').unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    (before, address, path)
}

async fn hand_on(mut client: TcpStream, mut state: watch::Receiver<State>, lost: Arc<AtomicUsize>) {
    if state.borrow().of(None) == Fault::Cut {
        return;
    }
    let target = state.borrow().target.clone();
    // A target that is down accepts no connection, so the client's is closed too.
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (mut requests, mut answers) = (Requests::default(), Answers::default());
    let (mut sent, mut received) = (Vec::with_capacity(8192), Vec::with_capacity(8192));
    let mut passed = 0;
    loop {
        let Some(fault) = state.borrow_and_update().of_connection(&target, requests.application()) else { return };
        if fault == Fault::None {
            passed = 0;
        }
        let open = fault != Fault::Blocked;
        tokio::select! {
            biased;
            changed = state.changed() => if changed.is_err() { return },
            read = client.read_buf(&mut sent), if open => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
                requests.follow(&sent);
                if requests.take_raw_answer() {
                    answers.expect_raw_byte();
                }
                if server.write_all(&sent).await.is_err() {
                    return;
                }
                sent.clear();
            }
            read = server.read_buf(&mut received), if open && fault != Fault::Mute => {
                let Ok(count @ 1..) = read else { return };
                // The buffer was empty before, unless answers are held back.
                let done = answers.follow(&received[received.len() - count..]);
                match fault {
                    Fault::Slow(by) => tokio::time::sleep(by).await,
                    Fault::LosesAnswers if requests.has_executed() => match done {
                        None => continue,
                        Some(done) if done.committed => {
                            lost.fetch_add(1, Ordering::Relaxed);
                            return;
                        }
                        Some(_) => {}
                    },
                    Fault::CutAfter(most) if passed + received.len() > most => {
                        drop(client.write_all(&received[..most - passed]).await);
                        return;
                    }
                    _ => {}
                }
                passed += received.len();
                if done.is_some() {
                    requests.forget_executed();
                }
                if client.write_all(&received).await.is_err() {
                    return;
                }
                received.clear();
            }
        }
    }
}
