//! Ports for the demo: the asked ones when free on every region's address, else free ones.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

/// How many ports are tried before giving up.
const TRIES: u64 = 64;
/// Where other ports are looked for: below those that systems give to outgoing connections, so that none of these takes
/// a port between the moment it is found free and the moment it is bound.
const OTHERS: std::ops::Range<u16> = 20_000..32_000;

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
    let mut result = if wanted == 0 { Err(io::ErrorKind::AddrInUse.into()) } else { try_port(wanted) };
    let chance = RandomState::new();
    for attempt in 0..TRIES {
        if result.is_ok() {
            break;
        }
        let step = chance.hash_one(attempt) % u64::from(OTHERS.end - OTHERS.start);
        result = try_port(OTHERS.start.saturating_add(u16::try_from(step).unwrap_or(0)));
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
