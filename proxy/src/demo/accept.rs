//! The accept loop of the demo's own servers.

use std::future::Future;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::shutdown::raised;

/// Connections served at once; more are closed on arrival.
const CONNECTIONS_MAX: usize = 1024;

/// Serves each connection in a task of its own until `shutdown`; the tasks end with it.
pub(super) async fn serve<F>(
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
    connection: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = raised(&mut shutdown) => return,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else { continue };
        if connections.len() < CONNECTIONS_MAX {
            connections.spawn(connection(stream));
        }
    }
}
