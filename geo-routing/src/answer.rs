//! From a packet to the packet that answers it: parsing, EDNS, and the records of each kind of answer.
//!
//! It decides nothing about regions and waits for nothing. What it can't read it answers with FORMERR when there is an
//! identifier to answer to, and drops otherwise; responses that arrive as questions are dropped, so that two servers
//! never talk in circles.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{
            A, AAAA, HINFO, NS, SOA,
            opt::{ClientSubnet, EdnsCode, EdnsOption},
        },
    },
};

use crate::{
    health::{Board, Snapshot},
    locate::Locator,
    metrics::{Metrics, count},
    server::ServerError,
    steering,
    zone::{Family, Lookup, Wanted, Zone},
};

mod wire;

/// UDP payload offered and used at most: fits every path without fragments (the value of DNS flag day 2020).
const PAYLOAD_BYTES_MAX: u16 = 1232;
/// UDP payload without EDNS (RFC 1035 section 4.2.1).
const PLAIN_PAYLOAD_BYTES: u16 = 512;
/// Answer to ANY (RFC 8482 section 4.2).
const MINIMAL: &str = "RFC8482";
/// SOA timers in seconds: nobody transfers this zone, so they only have to be sane.
const SOA_REFRESH_S: i32 = 3600;
/// See [`SOA_REFRESH_S`].
const SOA_RETRY_S: i32 = 600;
/// See [`SOA_REFRESH_S`].
const SOA_EXPIRE_S: i32 = 86_400;

/// How a query came, which bounds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram; what does not fit is truncated.
    Udp,
    /// Up to 65 535 bytes.
    Tcp,
}

/// Answers packets. Shared by all sockets.
pub struct Responder {
    zone: Zone,
    apex: Name,
    name_servers: Vec<Name>,
    mailbox: Name,
    board: Arc<Board>,
    locator: Arc<dyn Locator>,
    ttl: Duration,
    metrics: Arc<Metrics>,
}

/// The client's network, as far as the question tells it (RFC 7871).
enum Subnet {
    /// Nothing is said: the resolver's own address stands for the client.
    Unsaid,
    /// The client's network.
    Said(ClientSubnet),
    /// Said wrongly.
    Malformed,
}

impl Responder {
    /// A responder for one zone.
    ///
    /// # Errors
    /// [`ServerError::Name`] when a configured name does not fit into DNS messages.
    pub fn new(
        zone: Zone,
        board: Arc<Board>,
        locator: Arc<dyn Locator>,
        ttl: Duration,
    ) -> Result<Self, ServerError> {
        let name =
            |text: &str| Name::from_ascii(text).map_err(|_| ServerError::Name { name: text.to_owned() });
        let apex = name(zone.apex())?;
        let name_servers = zone.name_servers().iter().map(|text| name(text)).collect::<Result<_, _>>()?;
        let mailbox = name(&format!("hostmaster.{}", zone.apex()))?;
        Ok(Self { zone, apex, name_servers, mailbox, board, locator, ttl, metrics: Arc::default() })
    }

    /// Shared counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The same by reference.
    pub fn counters(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers one packet from `client`; `None` drops it.
    pub fn respond(&self, packet: &[u8], client: IpAddr, transport: Transport) -> Option<Vec<u8>> {
        count(&self.metrics.queries);
        let Some(header) = wire::Header::read(packet).filter(|header| !header.response) else {
            count(&self.metrics.dropped);
            return None;
        };
        // what stands in another operation's sections is not ours to understand
        if header.op_code != u8::from(OpCode::Query) {
            return Some(header.error(wire::NOT_IMPLEMENTED));
        }
        let mut response = match Message::from_vec(packet) {
            Ok(question) if wire::options_are_strict(packet) => self.answer(&question, client),
            _ => {
                count(&self.metrics.formerr);
                return Some(header.error(wire::FORMAT_ERROR));
            }
        };
        self.tally(&response);
        let limit = match transport {
            Transport::Tcp => usize::from(u16::MAX),
            Transport::Udp => usize::from(payload(&response)),
        };
        if let Some(edns) = &mut response.edns {
            edns.set_max_payload(PAYLOAD_BYTES_MAX);
        }
        let Ok(bytes) = response.to_vec() else { return Some(header.error(wire::SERVER_FAILURE)) };
        if bytes.len() <= limit {
            return Some(bytes);
        }
        // half a set is worse than none (RFC 2181 section 9): the client asks again over TCP
        count(&self.metrics.truncated);
        response.metadata.truncation = true;
        response.answers.clear();
        response.authorities.clear();
        response.to_vec().ok().filter(|bytes| bytes.len() <= limit)
    }

    fn answer(&self, question: &Message, client: IpAddr) -> Message {
        let mut response = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        response.metadata.recursion_desired = question.metadata.recursion_desired;
        response.metadata.checking_disabled = question.metadata.checking_disabled;
        response.queries.clone_from(&question.queries);
        if let Some(asked) = &question.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(asked.max_payload().clamp(PLAIN_PAYLOAD_BYTES, PAYLOAD_BYTES_MAX));
            edns.set_version(0);
            // RFC 3225 section 3: repeated, though nothing here is signed
            edns.set_dnssec_ok(asked.flags().dnssec_ok);
            response.set_edns(edns);
            if asked.version() != 0 {
                // RFC 6891 section 6.1.3
                response.metadata.response_code = ResponseCode::BADVERS;
                return response;
            }
        }
        let subnet = subnet(question);
        let ([query], false) = (question.queries.as_slice(), matches!(subnet, Subnet::Malformed)) else {
            // more than one question means nothing (RFC 9619); a wrong ECS option is refused (RFC 7871 section 7.1.2)
            response.metadata.response_code = ResponseCode::FormErr;
            return response;
        };
        if query.query_class != DNSClass::IN {
            response.metadata.response_code = ResponseCode::Refused;
            return response;
        }
        self.look_up(query, client, &subnet, &mut response);
        response
    }

    fn look_up(&self, query: &Query, client: IpAddr, subnet: &Subnet, response: &mut Message) {
        let name = query.name.to_ascii().to_ascii_lowercase();
        let lookup = self.zone.lookup(&name, wanted(query.query_type));
        response.metadata.authoritative = lookup != Lookup::Refused;
        match lookup {
            Lookup::Refused => response.metadata.response_code = ResponseCode::Refused,
            Lookup::Steered(family) => {
                self.steer(query, family, client, subnet, response);
                return;
            }
            Lookup::Soa => response.answers.push(self.soa()),
            Lookup::Ns => {
                let ttl = seconds(self.zone.negative_ttl());
                for server in &self.name_servers {
                    response.add_answer(Record::from_rdata(
                        self.apex.clone(),
                        ttl,
                        RData::NS(NS(server.clone())),
                    ));
                }
            }
            Lookup::Any => {
                let minimal = HINFO::new(MINIMAL.to_owned(), String::new());
                let ttl = seconds(self.zone.negative_ttl());
                response.add_answer(Record::from_rdata(query.name.clone(), ttl, RData::HINFO(minimal)));
            }
            Lookup::NoData => self.negative(response),
            Lookup::NxDomain => {
                response.metadata.response_code = ResponseCode::NXDomain;
                self.negative(response);
            }
        }
        // an answer that is the same for everybody has scope 0 (RFC 7871 section 7.2.1)
        echo_subnet(subnet, 0, response);
    }

    fn steer(&self, query: &Query, family: Family, client: IpAddr, subnet: &Subnet, response: &mut Message) {
        let asker = match subnet {
            // a network of no bits asks not to be located: the resolver's address stands for it
            Subnet::Said(said) if said.source_prefix() > 0 => said.addr(),
            Subnet::Said(_) | Subnet::Unsaid | Subnet::Malformed => client,
        };
        let snapshot = self.board.snapshot();
        let pick = steering::pick(&snapshot, self.locator.as_ref(), asker, Some(family));
        let region = pick.region.and_then(|index| snapshot.regions.get(index));
        let ttl = self.steered_ttl(&snapshot);
        for address in region.iter().flat_map(|region| &region.addresses) {
            let data = match (family, address) {
                (Family::V4, IpAddr::V4(address)) => RData::A(A(*address)),
                (Family::V6, IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
                _ => continue,
            };
            response.add_answer(Record::from_rdata(query.name.clone(), ttl, data));
        }
        if response.answers.is_empty() {
            self.negative(response);
        }
        let scope = match subnet {
            // that no region has this family holds for everybody, and resolvers keep such a "no" for all (RFC 7871
            // section 7.4)
            Subnet::Said(said) if pick.region.is_some() => pick.scope_prefix.min(said.source_prefix()),
            Subnet::Said(_) | Subnet::Unsaid | Subnet::Malformed => 0,
        };
        echo_subnet(subnet, scope, response);
    }

    /// As long as nothing can change, at most as configured, at least a second.
    fn steered_ttl(&self, snapshot: &Snapshot) -> u32 {
        let ttl = snapshot.flip_after().map_or(self.ttl, |flip| flip.min(self.ttl));
        seconds(ttl).max(1)
    }

    /// The SOA of "no such thing" (RFC 2308 section 3).
    fn negative(&self, response: &mut Message) {
        response.add_authority(self.soa());
    }

    fn soa(&self) -> Record {
        let ttl = seconds(self.zone.negative_ttl());
        let primary = self.name_servers.first().unwrap_or(&self.apex).clone();
        let soa = SOA::new(primary, self.mailbox.clone(), 1, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S, ttl);
        Record::from_rdata(self.apex.clone(), ttl, RData::SOA(soa))
    }

    fn tally(&self, response: &Message) {
        count(match response.metadata.response_code {
            ResponseCode::NXDomain => &self.metrics.nxdomain,
            ResponseCode::Refused => &self.metrics.refused,
            ResponseCode::FormErr => &self.metrics.formerr,
            ResponseCode::NoError if response.answers.is_empty() => &self.metrics.nodata,
            ResponseCode::NoError => &self.metrics.answered,
            _ => return,
        });
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Bytes that the asker takes over UDP; the answer's EDNS holds the agreed value.
fn payload(response: &Message) -> u16 {
    response.edns.as_ref().map_or(PLAIN_PAYLOAD_BYTES, Edns::max_payload)
}

const fn wanted(kind: RecordType) -> Wanted {
    match kind {
        RecordType::A => Wanted::A,
        RecordType::AAAA => Wanted::Aaaa,
        RecordType::SOA => Wanted::Soa,
        RecordType::NS => Wanted::Ns,
        RecordType::ANY => Wanted::Any,
        RecordType::AXFR | RecordType::IXFR => Wanted::Transfer,
        _ => Wanted::Other,
    }
}

/// Reads the client's network (RFC 7871 section 6): scope 0 in questions, and no bits beyond the prefix.
fn subnet(question: &Message) -> Subnet {
    let options = question.edns.as_ref().map(|edns| edns.options().get_all(EdnsCode::Subnet));
    let said = match options.as_deref().unwrap_or_default() {
        [] => return Subnet::Unsaid,
        [EdnsOption::Subnet(said)] => said,
        _ => return Subnet::Malformed,
    };
    let (bits, is_clean) = match said.addr() {
        IpAddr::V4(address) => (32, is_clean(u128::from(address.to_bits()) << 96, said.source_prefix())),
        IpAddr::V6(address) => (128, is_clean(address.to_bits(), said.source_prefix())),
    };
    if said.scope_prefix() != 0 || said.source_prefix() > bits || !is_clean {
        return Subnet::Malformed;
    }
    Subnet::Said(*said)
}

/// Whether no bit is set after the first `prefix` of 128.
const fn is_clean(address: u128, prefix: u8) -> bool {
    match address.checked_shl(prefix as u32) {
        Some(rest) => rest == 0,
        None => true,
    }
}

/// Repeats the client's network with the scope for which the answer holds (RFC 7871 section 7.2.1).
fn echo_subnet(subnet: &Subnet, scope: u8, response: &mut Message) {
    if let (Subnet::Said(said), Some(edns)) = (subnet, &mut response.edns) {
        let echoed = ClientSubnet::new(said.addr(), said.source_prefix(), scope);
        edns.options_mut().insert(EdnsOption::Subnet(echoed));
    }
}

#[cfg(test)]
mod tests;
