//! Addresses that are bound before the store is open, and served afterwards.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use signalbox_model::{Error, Result};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::door::Entry;

/// How often another free port is tried until it is free for TCP and UDP alike.
const PORT_TRIES: usize = 32;

type Serve = Box<dyn FnOnce(Entry, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// An address that is bound and not yet served: connections and datagrams wait with the system.
pub struct Listening {
    door: &'static str,
    address: SocketAddr,
    serve: Serve,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("door", &self.door).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listening {
    pub(super) fn new(door: &'static str, address: SocketAddr, serve: Serve) -> Self {
        Self { door, address, serve }
    }

    /// What it is called in output: `syslog`, `syslog-udp`, `syslog-tls`, …
    pub fn door(&self) -> &'static str {
        self.door
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then writes what has arrived.
    pub async fn serve(self, entry: Entry, stop: CancellationToken) {
        (self.serve)(entry, stop).await;
    }
}

/// Binds TCP; `setting` is the one that changes the address.
pub(crate) async fn bind(listen: &str, setting: &str) -> Result<(TcpListener, SocketAddr)> {
    let bound = match TcpListener::bind(listen).await {
        Ok(tcp) => tcp.local_addr().map(|address| (tcp, address)),
        Err(error) => Err(error),
    };
    bound.map_err(|error| refused("", listen, setting, error))
}

/// Binds UDP; `setting` is the one that changes the address.
pub(crate) async fn bind_datagrams(listen: &str, setting: &str) -> Result<(UdpSocket, SocketAddr)> {
    let bound = match UdpSocket::bind(listen).await {
        Ok(udp) => udp.local_addr().map(|address| (udp, address)),
        Err(error) => Err(error),
    };
    bound.map_err(|error| refused(" (UDP)", listen, setting, error))
}

/// Binds TCP and UDP with one port; `setting` is the one that changes the address.
pub(crate) async fn bind_both(listen: &str, setting: &str) -> Result<(TcpListener, UdpSocket, SocketAddr)> {
    let mut tries = 0;
    loop {
        let (tcp, address) = bind(listen, setting).await?;
        match UdpSocket::bind(address).await {
            Ok(udp) => return Ok((tcp, udp, address)),
            Err(error) => {
                // A port that the system chose is free for TCP; that says nothing of UDP.
                let was_chosen = listen.ends_with(":0");
                tries += 1;
                if !was_chosen || tries >= PORT_TRIES || error.kind() != io::ErrorKind::AddrInUse {
                    return Err(refused(" (UDP)", listen, setting, error));
                }
            }
        }
    }
}

fn refused(what: &str, listen: &str, setting: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Error::unavailable(format!("cannot listen on {listen}{what}: another process does; stop it or choose another address with {setting}"))
        }
        io::ErrorKind::InvalidInput => Error::invalid(format!("cannot listen on {listen:?}: want ADDRESS:PORT in {setting}")).with_source(error),
        _ => Error::unavailable(format!("cannot listen on {listen}{what}; {setting} chooses another address")).with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_free_for_both_or_the_setting_is_named() {
        let (tcp, udp, address) = bind_both("127.0.0.1:0", "receive.gelf.listen").await.unwrap();
        assert_eq!(udp.local_addr().unwrap(), address);
        let again = address.to_string();
        let error = bind_both(&again, "receive.gelf.listen").await.unwrap_err();
        let (expected, advice) = (format!("cannot listen on {again}"), "another process does; stop it or choose another address with receive.gelf.listen");
        assert_eq!(error.to_string(), format!("{expected}: {advice}"));
        drop(tcp);
        let error = bind_both(&again, "receive.gelf.listen").await.unwrap_err();
        assert_eq!(error.to_string(), format!("{expected} (UDP): {advice}"));
        assert_eq!(bind("nonsense", "x.listen").await.unwrap_err().to_string(), "cannot listen on \"nonsense\": want ADDRESS:PORT in x.listen");
    }
}
