//! Ports for the demo: the asked ones when free on every region's address, else free ones.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
};

/// How many ports are tried before giving up.
const TRIES: u64 = 64;
/// Where other ports are looked for: below those that systems give to outgoing connections, so that none of these takes
/// a port between the moment it is found free and the moment it is bound.
const OTHERS: std::ops::Range<u16> = 20_000..32_000;

/// Where a demo holds the ports that it has chosen, so that neither another of its roles nor another demo chooses them
/// before they are bound.
const RESERVED_AT: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// The ports that were chosen, for as long as this lives.
#[derive(Default)]
pub(super) struct Reserved {
    held: Vec<TcpListener>,
}

impl Reserved {
    /// A port for TCP that is free on all `addresses`: `wanted` when it is, else another.
    ///
    /// # Errors
    /// When no common port is found.
    pub(super) fn common_tcp(&mut self, addresses: &[Ipv4Addr], wanted: u16) -> io::Result<u16> {
        self.pick(wanted, |port| {
            let free = addresses.iter().map(|address| TcpListener::bind((*address, port)));
            free.collect::<io::Result<Vec<_>>>().map(drop)
        })
    }

    /// A port that is free for UDP and TCP on loopback.
    ///
    /// # Errors
    /// When none is found.
    pub(super) fn dns(&mut self, wanted: u16) -> io::Result<u16> {
        self.pick(wanted, |port| {
            let _udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
        })
    }

    fn pick(&mut self, wanted: u16, is_free: impl Fn(u16) -> io::Result<()>) -> io::Result<u16> {
        let chance = RandomState::new();
        let others = (0..TRIES).map(|attempt| {
            let step = chance.hash_one(attempt) % u64::from(OTHERS.end - OTHERS.start);
            OTHERS.start.saturating_add(u16::try_from(step).unwrap_or(0))
        });
        let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
        for port in std::iter::once(wanted).filter(|port| *port > 0).chain(others) {
            let reserved = TcpListener::bind((RESERVED_AT, port));
            match reserved.and_then(|reserved| is_free(port).map(|()| reserved)) {
                Ok(reserved) => {
                    self.held.push(reserved);
                    return Ok(port);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced() {
        let taken = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        let wanted = taken.local_addr().unwrap().port();
        let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
        assert_ne!(Reserved::default().common_tcp(&addresses, wanted).unwrap(), wanted);
    }

    #[test]
    fn no_port_is_chosen_twice_while_nobody_has_bound_it() {
        let (mut one, mut other) = (Reserved::default(), Reserved::default());
        let wanted = one.common_tcp(&[Ipv4Addr::LOCALHOST], 0).unwrap();
        assert_ne!(one.common_tcp(&[Ipv4Addr::LOCALHOST], wanted).unwrap(), wanted, "by another role");
        assert_ne!(other.dns(wanted).unwrap(), wanted, "by another demo");
        drop(one);
        assert_eq!(other.common_tcp(&[Ipv4Addr::LOCALHOST], wanted).unwrap(), wanted, "given back");
    }
}
