//! Asks name servers for records, the way Prometheus does: every server in turn, every name of the search list in turn.
//!
//! The servers are those of `/etc/resolv.conf`, which is read for every look-up, so that a change of it is noticed. Nothing is
//! kept: how fresh targets are is what `refresh_interval` says. `/etc/hosts` is not asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use signalbox_model::{Error, Result};
use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::super::DnsRecord;

/// Bytes of an answer by UDP that we announce and read.
const UDP_BYTES: u16 = 4096;
const PORT: u16 = 53;
/// How long one server may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of `/etc/resolv.conf`.
const CONF_BYTES_MAX: u64 = 1 << 20;
/// Records of one name.
const RECORDS_MAX: usize = 50_000;

/// Which servers are asked, and for which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) addresses: Vec<SocketAddr>,
    /// What is put behind a name that is not complete.
    pub(super) search: Vec<String>,
    /// Dots from which on a name is asked for as it is first.
    pub(super) ndots: usize,
}

/// One record of an answer. Names end in a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Srv { target: String, port: u16 },
    Address(IpAddr),
    Mx(String),
    Ns(String),
}

impl Servers {
    /// The servers of the system.
    pub(super) fn of_system() -> Result<Self> {
        let file = "/etc/resolv.conf";
        let cannot = |why: &dyn std::fmt::Display| Error::unavailable(format!("could not load resolv.conf: {why}"));
        let bytes = std::fs::metadata(file).map_err(|error| cannot(&error))?.len();
        if bytes > CONF_BYTES_MAX {
            return Err(cannot(&format!("found {bytes} bytes: want at most {CONF_BYTES_MAX}")));
        }
        Ok(Self::parse(&std::fs::read_to_string(file).map_err(|error| cannot(&error))?))
    }

    /// From the text of a `resolv.conf`; what is not understood is passed over, as resolvers do.
    pub(super) fn parse(text: &str) -> Self {
        let mut servers = Self { addresses: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse().ok());
                    servers.addresses.extend(address.map(|address: IpAddr| SocketAddr::new(address, PORT)));
                }
                // The last of both counts.
                Some("search" | "domain") => servers.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let ndots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse::<usize>().ok()).next_back();
                    servers.ndots = ndots.map_or(servers.ndots, |ndots| ndots.min(15));
                }
                _ => {}
            }
        }
        if servers.addresses.is_empty() {
            servers.addresses.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT));
        }
        servers
    }

    /// The complete names that a name may mean, in order.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let as_it_is = format!("{name}.");
        let mut names: Vec<String> = self.search.iter().map(|domain| format!("{name}.{}.", domain.trim_matches('.'))).collect();
        let is_first = name.matches('.').count() >= self.ndots;
        names.insert(if is_first { 0 } else { names.len() }, as_it_is);
        names
    }

    /// The records of a name; none if every server that answers says that it does not exist.
    ///
    /// # Errors
    /// `Unavailable` if some name of the search list got no answer and the others do not exist: then nothing is known.
    pub(super) async fn look_up(&self, name: &str, record: DnsRecord) -> Result<Vec<Answer>> {
        let mut failure = None;
        for candidate in self.names(name) {
            match self.ask_any(&candidate, record).await {
                Ok(Some(answers)) => return Ok(answers),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(Vec::new()), Err)
    }

    /// The records of a complete name from the first server that answers; `None` if there is no such name.
    async fn ask_any(&self, name: &str, record: DnsRecord) -> Result<Option<Vec<Answer>>> {
        let mut failure = None;
        for server in &self.addresses {
            match ask(*server, name, record).await {
                Ok(answer) => return Ok(answer),
                Err(why) => failure = Some(why),
            }
        }
        let why = failure.unwrap_or_else(|| "there is no server".to_owned());
        Err(Error::unavailable(format!("could not resolve {name}: no servers returned a viable answer: {why}")))
    }
}

async fn ask(server: SocketAddr, name: &str, record: DnsRecord) -> Result<Option<Vec<Answer>>, String> {
    let id = rand::random();
    let question = question(id, name, record)?;
    let timed_out = |_| format!("{server} did not answer within {TIMEOUT:?}");
    let mut bytes = tokio::time::timeout(TIMEOUT, by_udp(server, &question, id)).await.map_err(timed_out)?.map_err(|error| error.to_string())?;
    let is_cut = Packet::parse(&bytes).is_ok_and(|packet| packet.has_flags(PacketFlag::TRUNCATION));
    if is_cut {
        bytes = tokio::time::timeout(TIMEOUT, by_tcp(server, &question)).await.map_err(timed_out)?.map_err(|error| error.to_string())?;
    }
    read(&bytes, id, record)
}

fn question(id: u16, name: &str, record: DnsRecord) -> Result<Vec<u8>, String> {
    let kind = match record {
        DnsRecord::Srv => TYPE::SRV,
        DnsRecord::A => TYPE::A,
        DnsRecord::Aaaa => TYPE::AAAA,
        DnsRecord::Mx => TYPE::MX,
        DnsRecord::Ns => TYPE::NS,
    };
    let name = Name::new(name.trim_end_matches('.')).map_err(|error| error.to_string())?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: UDP_BYTES, version: 0 });
    packet.build_bytes_vec().map_err(|error| error.to_string())
}

async fn by_udp(server: SocketAddr, question: &[u8], id: u16) -> std::io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // Connected: what others send is not received.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(UDP_BYTES)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if buffer.get(..2) == Some(&id.to_be_bytes()[..]) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

/// A message by TCP has its length in front (RFC 1035, section 4.2.2).
async fn by_tcp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The records of the wanted type in an answer; `None` if it says that there is no such name.
pub(super) fn read(bytes: &[u8], id: u16, record: DnsRecord) -> Result<Option<Vec<Answer>>, String> {
    let packet = Packet::parse(bytes).map_err(|error| error.to_string())?;
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return Err("found an answer to another question".to_owned());
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(None),
        other => return Err(format!("found {other:?}")),
    }
    // On the way to the answer there may be others, such as CNAME.
    let answers = packet.answers.iter().filter_map(|one| match (&one.rdata, record) {
        (RData::SRV(srv), DnsRecord::Srv) => Some(Answer::Srv { target: complete(&srv.target), port: srv.port }),
        (RData::A(a), DnsRecord::A) => Some(Answer::Address(Ipv4Addr::from(a.address).into())),
        (RData::AAAA(aaaa), DnsRecord::Aaaa) => Some(Answer::Address(Ipv6Addr::from(aaaa.address).into())),
        (RData::MX(mx), DnsRecord::Mx) => Some(Answer::Mx(complete(&mx.exchange))),
        (RData::NS(ns), DnsRecord::Ns) => Some(Answer::Ns(complete(&ns.0))),
        _ => None,
    });
    Ok(Some(answers.take(RECORDS_MAX).collect()))
}

fn complete(name: &Name<'_>) -> String {
    format!("{name}.")
}
