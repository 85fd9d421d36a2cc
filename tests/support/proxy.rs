//! A wire between a server and its database that can be cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Hands connections on while it is whole. Cut, it breaks those that are there and takes no new ones.
pub struct Proxy {
    pub address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Proxy {
    /// Starts one in front of `target`, a host and a port.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let (target, mut state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    if *state.borrow() {
                        let mut client = client;
                        let mut server = TcpStream::connect(target).await.unwrap();
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => (),
                            _ = state.wait_for(|whole| !whole) => (),
                        }
                    }
                });
            }
        });
        Self { address, whole }
    }

    /// Breaks all connections, and every new one.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Makes it whole again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}
