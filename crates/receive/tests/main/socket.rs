//! The harness of doors that are no HTTP, over real sockets: order, patience, bounds, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use signalbox_model::ErrorKind;
use signalbox_receive::jaeger::Wire;
use signalbox_receive::socket::{Limits, Listening, Tls};
use signalbox_receive::syslog::{self, Settings};
use signalbox_receive::{forward, gelf, jaeger};
use signalbox_telemetry::names;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::jaeger::{as_thrift, full};
use crate::rows::lines;
use crate::support::{Memory, entry};
use crate::thrift::{Value, call};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Doors that are open, over a sink that remembers.
pub(crate) struct Open {
    pub(crate) sink: Arc<Memory>,
    addresses: Vec<(&'static str, SocketAddr)>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Open {
    pub(crate) fn new(listening: Vec<Listening>) -> Self {
        let (sink, stop, mut serving) = (Arc::new(Memory::default()), CancellationToken::new(), JoinSet::new());
        let addresses = listening.iter().map(|listening| (listening.door(), listening.address())).collect();
        for door in listening {
            serving.spawn(door.serve(entry(&sink), stop.clone()));
        }
        Self { sink, addresses, stop, serving }
    }

    pub(crate) fn address(&self, door: &str) -> SocketAddr {
        self.addresses.iter().find(|(name, _)| *name == door).unwrap().1
    }

    pub(crate) async fn connect(&self, door: &str) -> TcpStream {
        TcpStream::connect(self.address(door)).await.unwrap()
    }

    /// Waits for so many rows.
    pub(crate) async fn rows(&self, count: usize) -> Vec<String> {
        let there = async {
            while self.sink.rows() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.expect("rows arrive");
        lines(&self.sink.batches())
    }

    /// Stops and waits for the end; what was written.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        self.stop.cancel();
        let end = async { while self.serving.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end).await.expect("the doors end");
        lines(&self.sink.batches())
    }
}

/// Waits until the other end has closed; what it said.
pub(crate) async fn farewell(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("the connection ends").unwrap();
    said
}

async fn syslog_with(limits: Limits) -> Open {
    let settings = Settings { listen: "127.0.0.1:0".to_owned(), limits, ..Settings::default() };
    Open::new(syslog::listen(&settings).await.unwrap())
}

#[tokio::test]
async fn what_arrives_in_one_go_is_one_write_and_lines_may_come_in_pieces() {
    let open = syslog_with(Limits::default()).await;
    let mut stream = open.connect("syslog").await;
    stream.write_all(b"<13>one\n<13>two\n<13>th").await.unwrap();
    open.rows(2).await;
    assert_eq!(open.sink.written.lock().len(), 1);
    stream.write_all(b"ree\n").await.unwrap();
    let rows = open.rows(3).await;
    assert!(rows[2].contains("body=\"three\"") && rows[2].contains("127.0.0.1"), "{rows:?}");
    stream.write_all(b"<13>unfinished").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(farewell(&mut stream).await, b"");
    assert!(open.rows(4).await[3].contains("body=\"unfinished\""));
    open.stop().await;
}

#[tokio::test]
async fn a_sink_that_refuses_is_asked_again_until_it_takes() {
    let open = syslog_with(Limits::default()).await;
    *open.sink.refuse.lock() = Some((ErrorKind::Limit, Some(Duration::from_millis(5))));
    let mut stream = open.connect("syslog").await;
    stream.write_all(b"<13>patient\n").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.send_to(b"<13>datagram", open.address("syslog-udp")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(open.sink.rows(), 0);
    *open.sink.refuse.lock() = None;
    let mut rows = open.rows(2).await;
    rows.sort();
    assert!(rows[0].contains("body=\"datagram\"") && rows[1].contains("body=\"patient\""), "{rows:?}");
    // What can never be written is given up, and what follows is not held up by it.
    *open.sink.refuse.lock() = Some((ErrorKind::Invalid, None));
    stream.write_all(b"<13>hopeless\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    *open.sink.refuse.lock() = None;
    stream.write_all(b"<13>next\n").await.unwrap();
    assert!(open.rows(3).await[2].contains("body=\"next\""));
    open.stop().await;
}

#[tokio::test]
async fn a_stop_writes_what_has_arrived() {
    let open = syslog_with(Limits::default()).await;
    let mut stream = open.connect("syslog").await;
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..100 {
        sender.send_to(format!("<13>datagram {number}").as_bytes(), open.address("syslog-udp")).await.unwrap();
    }
    let text: String = (0..10_000).map(|number| format!("<13>line {number}\n")).collect();
    stream.write_all(text.as_bytes()).await.unwrap();
    open.rows(1).await;
    let rows = open.stop().await;
    assert_eq!(rows.len(), 10_100, "the last: {:?}", rows.last());
    assert_eq!(farewell(&mut stream).await, b"");
}

#[tokio::test]
async fn datagrams_are_batched_and_their_sender_is_known() {
    let open = syslog_with(Limits::default()).await;
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..500 {
        sender.send_to(format!("<13>n {number}").as_bytes(), open.address("syslog-udp")).await.unwrap();
    }
    let rows = open.rows(500).await;
    assert!(rows.iter().all(|row| row.contains("host.name\\\":\\\"127.0.0.1")), "{}", rows[0]);
    assert!(rows[0].contains("body=\"n 0\"") && rows[499].contains("body=\"n 499\""), "order is kept");
    assert!(open.sink.written.lock().len() < 250, "{} writes", open.sink.written.lock().len());
    open.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_silent_ones_end() {
    let limits = Limits { connections_max: 1, idle_timeout_seconds: 1, ..Limits::default() };
    let open = syslog_with(limits).await;
    let mut first = open.connect("syslog").await;
    first.write_all(b"<13>first\n").await.unwrap();
    open.rows(1).await;
    let mut second = open.connect("syslog").await;
    second.write_all(b"<13>second\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(open.sink.rows(), 1);
    assert_eq!(farewell(&mut first).await, b"");
    assert!(open.rows(2).await[1].contains("body=\"second\""));
    open.stop().await;
}

#[tokio::test]
async fn datagrams_beyond_the_queue_are_counted() {
    let open = syslog_with(Limits { datagram_queue_bytes: 0, ..Limits::default() }).await;
    *open.sink.refuse.lock() = Some((ErrorKind::Unavailable, Some(Duration::from_millis(5))));
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // The least that a queue has is one datagram of the largest size.
    let large = [b"<13>".as_slice(), &[b'x'; 30 << 10]].concat();
    for _ in 0..20 {
        sender.send_to(&large, open.address("syslog-udp")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let dropped = signalbox_telemetry::registry().counter(names::RECEIVE_DROPPED_DATAGRAMS_TOTAL, &[("protocol", "syslog")]);
    let is_counted = async {
        while dropped.get() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_counted).await.expect("lost datagrams are counted");
    *open.sink.refuse.lock() = None;
    open.rows(1).await;
    open.stop().await;
}

/// A certificate for `localhost`, its key, and who signed it.
pub(crate) fn tls_file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../notify/testdata/tls").join(name)
}

#[tokio::test]
async fn tls_is_spoken_and_what_is_no_tls_is_closed() {
    let tls = Tls { cert_file: tls_file("server.pem"), key_file: tls_file("server.key"), ..Tls::default() };
    let settings = Settings { listen: String::new(), tls_listen: "127.0.0.1:0".to_owned(), tls, ..Settings::default() };
    let open = Open::new(syslog::listen(&settings).await.unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(tls_file("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    let tcp = open.connect("syslog-tls").await;
    let mut stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    stream.write_all(b"20 <13>1 - h a - - - ab").await.unwrap();
    stream.flush().await.unwrap();
    assert!(open.rows(1).await[0].contains("body=\"ab\""));
    let mut plain = open.connect("syslog-tls").await;
    plain.write_all(b"<13>in the clear\n<13>in the clear\n").await.unwrap();
    let mut said = Vec::new();
    // An alert of TLS, or a reset.
    let _ended = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut said)).await.expect("the connection ends");
    assert_eq!(open.stop().await.len(), 1);
}

#[tokio::test]
async fn each_door_writes_for_the_tenant_of_its_setting() {
    let (nowhere, any, blue) = (String::new(), "127.0.0.1:0".to_owned(), "blue".to_owned());
    let mut listening = syslog::listen(&Settings { listen: any.clone(), tenant: "red".to_owned(), ..Settings::default() }).await.unwrap();
    listening.extend(gelf::listen(&gelf::Settings { listen: any.clone(), tenant: blue.clone(), ..gelf::Settings::default() }).await.unwrap());
    listening.extend(forward::listen(&forward::Settings { listen: any.clone(), tenant: blue.clone(), ..forward::Settings::default() }).await.unwrap());
    let agent = jaeger::Settings { compact_listen: any, binary_listen: nowhere, datagram_tenant: "green".to_owned(), ..jaeger::Settings::default() };
    listening.extend(jaeger::listen(&agent).await.unwrap());
    let open = Open::new(listening);
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let gelf = br#"{"version":"1.1","host":"h","short_message":"gelf"}"#;
    let spans = call(Wire::Compact, "emitBatch", &Value::Struct(vec![(1, as_thrift(&full()))]));
    let event = b"\x93\xa3tag\x00\x81\xa3log\xa5fluent".as_slice();
    let mut rows = 0;
    for (door, bytes, tenant) in [
        ("syslog", b"<13>tcp\n".as_slice(), "red"),
        ("syslog-udp", b"<13>udp", "red"),
        ("gelf", &[gelf.as_slice(), b"\0"].concat(), "blue"),
        ("gelf-udp", gelf, "blue"),
        ("forward", event, "blue"),
        ("jaeger-compact", &spans, "green"),
    ] {
        if door.contains('-') {
            sender.send_to(bytes, open.address(door)).await.unwrap();
        } else {
            open.connect(door).await.write_all(bytes).await.unwrap();
        }
        rows += 1;
        open.rows(rows).await;
        let owner = open.sink.written.lock().last().map(|(owner, _)| owner.to_string());
        assert_eq!(owner.as_deref(), Some(tenant), "{door}");
    }
    open.stop().await;
}

#[tokio::test]
async fn what_is_no_tenant_is_told_with_its_setting() {
    let bad = || "A|B".to_owned();
    let told = [
        syslog::listen(&Settings { tenant: bad(), ..Settings::default() }).await,
        gelf::listen(&gelf::Settings { tenant: bad(), ..gelf::Settings::default() }).await,
        forward::listen(&forward::Settings { tenant: bad(), ..forward::Settings::default() }).await,
        jaeger::listen(&jaeger::Settings { datagram_tenant: bad(), ..jaeger::Settings::default() }).await,
    ];
    for (result, setting) in told.into_iter().zip(["syslog.tenant", "gelf.tenant", "forward.tenant", "jaeger.datagram_tenant"]) {
        let want = format!("receive.{setting}: cannot use \"A|B\" as tenant: want 1 to 64 of A-Z a-z 0-9 _ -");
        assert_eq!(result.map(|_| ()).unwrap_err().to_string(), want);
    }
}
