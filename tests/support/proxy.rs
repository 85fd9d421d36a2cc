//! A wire between a server and its database that can be cut, blocked, slowed down, switched to another one, or made
//! to lose an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::postgres_wire::{Answers, Requests};

/// What is wrong with a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: everything goes through.
    None,
    /// Connections stay, and nothing goes through: as behind a firewall that drops.
    Blocked,
    /// Questions go through, answers do not.
    Mute,
    /// Connections break, and none is taken.
    Cut,
    /// Each answer comes this much later.
    Slow(Duration),
    /// A connection breaks when this many more bytes have come back through it.
    CutAfter(usize),
    /// What is executed takes effect; then the connection breaks in place of the answer.
    LosesAnswers,
}

/// Where wires lead, what is wrong, and with which of them: all, or those whose client calls itself so.
#[derive(Debug, Clone)]
struct State {
    target: String,
    /// Connections made before stay with the target that they have.
    keeps_connected: bool,
    fault: Fault,
    application: Option<&'static str>,
}

impl State {
    fn of(&self, application: Option<&str>) -> Fault {
        if self.application.is_none_or(|meant| application == Some(meant)) { self.fault } else { Fault::None }
    }
}

/// Hands connections on, as long as it is let.
pub struct Proxy {
    state: watch::Sender<State>,
    lost_answers: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one in front of the server of a database URL, and answers the URL through it.
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

    /// Breaks all connections, and every new one.
    pub fn cut(&self) {
        self.set(Fault::Cut);
    }

    /// Lets nothing through, and breaks nothing.
    pub fn block(&self) {
        self.set(Fault::Blocked);
    }

    /// Lets no answer through, and breaks nothing.
    pub fn mute(&self) {
        self.set(Fault::Mute);
    }

    /// Makes it whole again.
    pub fn mend(&self) {
        self.set(Fault::None);
    }

    /// Does this to every wire.
    pub fn set(&self, fault: Fault) {
        self.update(|state| (state.fault, state.application) = (fault, None));
    }

    /// Does this to the wires of clients that call themselves so (`application_name`); mends the others.
    pub fn set_for(&self, application: &'static str, fault: Fault) {
        self.update(|state| (state.fault, state.application) = (fault, Some(application)));
    }

    /// Leads to the server of another database URL from now on, and breaks the connections to the one before.
    pub fn switch_to(&self, url: &str) {
        self.update(|state| {
            split(url).1.clone_into(&mut state.target);
            state.keeps_connected = false;
        });
    }

    /// Leads new connections to the server of another database URL, and leaves those to the one before.
    pub fn lead_new_to(&self, url: &str) {
        self.update(|state| {
            split(url).1.clone_into(&mut state.target);
            state.keeps_connected = true;
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// How many answers [`Fault::LosesAnswers`] has lost.
    pub fn lost_answers(&self) -> usize {
        self.lost_answers.load(Ordering::Relaxed)
    }
}

/// A database URL in three: up to the address, the address, and from the database's name on.
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
    // A database that is down takes no connection: then neither does the wire.
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (mut requests, mut answers) = (Requests::default(), Answers::default());
    let (mut sent, mut received) = (Vec::with_capacity(8192), Vec::with_capacity(8192));
    let mut passed = 0;
    loop {
        let fault = {
            let state = state.borrow_and_update();
            if state.target != target && !state.keeps_connected {
                return;
            }
            state.of(requests.application())
        };
        if fault == Fault::Cut {
            return;
        }
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
                // Unless answers are held back, the buffer was empty before.
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
