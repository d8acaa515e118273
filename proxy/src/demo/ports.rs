//! Ports for the demo: the asked ones when free on every region's address, else free ones.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

/// How many free ports are tried before giving up.
const TRIES: usize = 32;

/// A port for TCP that is free on all `addresses`: `wanted` when it is, else another.
///
/// # Errors
/// When no common port is found.
pub(super) fn common_tcp(addresses: &[Ipv4Addr], wanted: u16) -> io::Result<u16> {
    pick(wanted, |port| {
        let mut held = Vec::new();
        let mut port = port;
        for address in addresses {
            let listener = TcpListener::bind(SocketAddr::from((*address, port)))?;
            port = listener.local_addr()?.port();
            held.push(listener);
        }
        Ok(port)
    })
}

/// A port that is free for UDP and TCP on loopback.
///
/// # Errors
/// When none is found.
pub(super) fn dns(wanted: u16) -> io::Result<u16> {
    pick(wanted, |port| {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = udp.local_addr()?.port();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        Ok(port)
    })
}

fn pick(wanted: u16, try_port: impl Fn(u16) -> io::Result<u16>) -> io::Result<u16> {
    let mut result = try_port(wanted);
    for _ in 0..TRIES {
        if result.is_ok() {
            break;
        }
        result = try_port(0);
    }
    result
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::common_tcp;

    #[test]
    fn a_taken_port_is_replaced() {
        let taken = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        let wanted = taken.local_addr().unwrap().port();
        let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
        assert_ne!(common_tcp(&addresses, wanted).unwrap(), wanted);
    }
}
