//! Look-ups against a small server of the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simple_dns::rdata::{A, AAAA, MX, NS, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::super::DnsRecord;
use super::*;

/// A name server that knows `known.test` and, while it fails, nothing. Answers about A are too long for UDP.
async fn serve(fails: Arc<AtomicBool>) -> Servers {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
            let answer = answer(&buffer[..length], fails.load(Ordering::SeqCst), true);
            udp.send_to(&answer, peer).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let answer = answer(&question, false, false);
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    Servers { addresses: vec![address], search: vec!["test".to_owned()], ndots: 1 }
}

fn answer(question: &[u8], fails: bool, is_udp: bool) -> Vec<u8> {
    let question = Packet::parse(question).unwrap();
    let asked = question.questions[0].clone();
    let name = asked.qname.clone();
    let mut answer = Packet::new_reply(question.id());
    answer.questions.push(asked.clone());
    let data = match asked.qtype {
        _ if fails => {
            *answer.rcode_mut() = RCODE::ServerFailure;
            Vec::new()
        }
        _ if name.to_string() != "known.test" => {
            *answer.rcode_mut() = RCODE::NameError;
            Vec::new()
        }
        QTYPE::TYPE(TYPE::SRV) => [(9100, "one.test"), (9200, "two.test")]
            .map(|(port, target)| RData::SRV(SRV { priority: 0, weight: 0, port, target: Name::new_unchecked(target) }))
            .into(),
        QTYPE::TYPE(TYPE::A) if is_udp => {
            answer.set_flags(PacketFlag::TRUNCATION);
            Vec::new()
        }
        QTYPE::TYPE(TYPE::A) => (1..=300).map(|host: u32| RData::A(A { address: 0x0a00_0000 + host })).collect(),
        QTYPE::TYPE(TYPE::AAAA) => vec![RData::AAAA(AAAA { address: (0xfd00 << 112) + 1 })],
        QTYPE::TYPE(TYPE::MX) => vec![RData::MX(MX { preference: 1, exchange: Name::new_unchecked("mail.test") })],
        _ => vec![RData::NS(NS(Name::new_unchecked("ns.test")))],
    };
    answer.answers.extend(data.into_iter().map(|data| ResourceRecord::new(name.clone(), CLASS::IN, 60, data)));
    answer.build_bytes_vec_compressed().unwrap()
}

fn finder(names: &[&str], record: DnsRecord, servers: Servers) -> Finder {
    let config = DnsConfig { names: names.iter().map(ToString::to_string).collect(), record, port: 80, ..DnsConfig::default() };
    Finder { config, servers: Some(servers) }
}

#[tokio::test]
async fn every_type_of_record_becomes_targets() {
    let servers = serve(Arc::default()).await;
    for (record, count, wanted) in [
        (DnsRecord::Srv, 2, vec![("__address__", "one.test:9100"), ("__meta_dns_srv_record_target", "one.test."), ("__meta_dns_srv_record_port", "9100")]),
        (DnsRecord::A, 300, vec![("__address__", "10.0.0.1:80")]),
        (DnsRecord::Aaaa, 1, vec![("__address__", "[fd00::1]:80")]),
        (DnsRecord::Mx, 1, vec![("__address__", "mail.test:80"), ("__meta_dns_mx_record_target", "mail.test.")]),
        (DnsRecord::Ns, 1, vec![("__address__", "ns.test:80"), ("__meta_dns_ns_record_target", "ns.test.")]),
    ] {
        // Completed by the search list.
        let groups = finder(&["known"], record, servers.clone()).look_up().await;
        assert_eq!((groups.len(), groups[0].targets.len()), (1, count), "{record:?}");
        assert_eq!(groups[0].targets[0], Labels::from_pairs(wanted.into_iter().chain([("__meta_dns_name", "known")])), "{record:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_there_is_an_answer_and_a_failure_is_none() {
    let fails = Arc::new(AtomicBool::new(false));
    let servers = serve(fails.clone()).await;
    let finder = finder(&["known.test.", "unknown.test"], DnsRecord::Mx, servers);
    let counts: Vec<(String, usize)> = finder.look_up().await.into_iter().map(|group| (group.source, group.targets.len())).collect();
    assert_eq!(counts, [("known.test.".to_owned(), 1), ("unknown.test".to_owned(), 0)]);
    fails.store(true, Ordering::SeqCst);
    assert_eq!(finder.look_up().await, [], "what was found stays");
}

#[test]
fn the_system_is_read_as_resolvers_read_it() {
    let servers = Servers::parse("# x\nnameserver 10.0.0.1\nnameserver fd00::1\nnameserver nonsense\nsearch a.test b.test.\noptions timeout:1 ndots:2\n");
    assert_eq!(servers.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1:53", "[fd00::1]:53"]);
    assert_eq!(servers.names("x.y"), ["x.y.a.test.", "x.y.b.test.", "x.y."]);
    assert_eq!(servers.names("x.y.z"), ["x.y.z.", "x.y.z.a.test.", "x.y.z.b.test."]);
    assert_eq!(servers.names("x."), ["x."]);
    assert_eq!(Servers::parse("").addresses, ["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn hostile_answers_are_refused() {
    let good = answer(&query(7), false, true);
    assert_eq!(resolve::read(&good, 7, DnsRecord::Srv).unwrap().unwrap().len(), 2);
    assert!(resolve::read(&good, 8, DnsRecord::Srv).is_err(), "another question");
    for length in 0..good.len() {
        // Cut anywhere it is an error or fewer records, and never a panic.
        let cut = resolve::read(&good[..length], 7, DnsRecord::Srv);
        assert!(cut.is_err() || cut.unwrap().is_none_or(|answers| answers.len() < 2), "{length}");
    }
    // A name that points to itself.
    let mut looped = good.clone();
    let last = looped.len() - 2;
    looped[last..].copy_from_slice(&[0xc0 | (last >> 8) as u8, last as u8]);
    let _read = resolve::read(&looped, 7, DnsRecord::Srv);
}

fn query(id: u16) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    let name = Name::new_unchecked("known.test");
    packet.questions.push(simple_dns::Question::new(name, QTYPE::TYPE(TYPE::SRV), simple_dns::QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().unwrap()
}
