//! A wire between a server and its database that can be cut or blocked.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// Everything goes through.
    Whole,
    /// Connections stay, and nothing goes through: as behind a firewall that drops.
    Blocked,
    /// Connections stay, and nothing comes back: what is asked is done, and nobody learns of it.
    Mute,
    /// Connections break, and none is taken.
    Cut,
}

/// Hands connections on, as long as it is let.
pub struct Proxy {
    wire: watch::Sender<Wire>,
}

impl Proxy {
    /// Starts one in front of the server of a database URL, and answers the URL through it.
    pub async fn start(url: &str) -> (Self, String) {
        let (before, rest) = url.split_once('@').unwrap();
        let (target, path) = rest.split_once('/').unwrap();
        let target = target.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(hand_on(client, target.clone(), state.clone()));
            }
        });
        (Self { wire }, format!("{before}@{address}/{path}"))
    }

    /// Breaks all connections, and every new one.
    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Lets nothing through, and breaks nothing.
    pub fn block(&self) {
        self.wire.send_replace(Wire::Blocked);
    }

    /// Lets no answer through, and breaks nothing.
    pub fn mute(&self) {
        self.wire.send_replace(Wire::Mute);
    }

    /// Makes it whole again.
    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

async fn hand_on(mut client: TcpStream, target: String, mut state: watch::Receiver<Wire>) {
    if *state.borrow() == Wire::Cut {
        return;
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let asking = tokio::io::copy(&mut from_client, &mut to_server);
    let answering = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::pin!(asking, answering);
    loop {
        let wire = *state.borrow_and_update();
        tokio::select! {
            _ = &mut asking, if matches!(wire, Wire::Whole | Wire::Mute) => return,
            _ = &mut answering, if wire == Wire::Whole => return,
            changed = state.changed() => if changed.is_err() || *state.borrow() == Wire::Cut { return },
        }
    }
}
