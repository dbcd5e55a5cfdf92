//! GELF: the vectors of the specification over every transport, and what is no message.

use std::io::Write as _;

use axum::Router;
use bytes::BytesMut;
use serde_json::{Value, json};
use signalbox_model::{ErrorKind, TimeRange};
use signalbox_receive::door::Decoded;
use signalbox_receive::gelf::chunks::{Chunks, Piece};
use signalbox_receive::gelf::{self, Packets, Settings, Texts};
use signalbox_receive::logs::Assembler;
use signalbox_receive::socket::{Conversation as _, Datagrams as _};
use signalbox_receive::{Budget, Context};
use signalbox_testkit::conformance;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UdpSocket;

use crate::rows::lines;
use crate::socket::Open;
use crate::support::{Memory, NOW_NS, context, entry, post};

const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const BYTES_MAX: usize = 10_000;

/// What arrives as datagrams.
fn datagrams(datagrams: &[Vec<u8>], context: &Context<'_>) -> Decoded {
    let (mut packets, mut assembler) = (Packets::new(BYTES_MAX, Budget::new(1 << 20)), Assembler::new(context));
    for datagram in datagrams {
        packets.take(datagram, PEER, context, &mut assembler);
    }
    assembler.finish()
}

/// What arrives on one connection, byte by byte.
fn connection(bytes: &[u8]) -> Decoded {
    let (mut texts, mut input, mut all) = (Texts::new(BYTES_MAX), BytesMut::new(), Decoded::default());
    for byte in bytes {
        input.extend_from_slice(&[*byte]);
        let turn = texts.read(&mut input, false, &context());
        all.batches.extend(turn.decoded.batches);
        all.rejected.extend(turn.decoded.rejected);
    }
    let turn = texts.read(&mut input, true, &context());
    all.batches.extend(turn.decoded.batches);
    all.rejected.extend(turn.decoded.rejected);
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pieces of a message, as many as asked for.
fn pieces(name: [u8; 8], message: &[u8], count: usize) -> Vec<Vec<u8>> {
    let length = message.len().div_ceil(count).max(1);
    let piece = |number: usize| {
        let payload = message.get(number * length..((number + 1) * length).min(message.len())).unwrap_or_default();
        [&[0x1e, 0x0f], name.as_slice(), &[number as u8, count as u8], payload].concat()
    };
    (0..count).map(piece).collect()
}

/// The datagrams of a case, as its directive says.
fn encoded(payload: &[u8], directive: &str) -> Vec<Vec<u8>> {
    let (message, directive) = match directive.strip_prefix("gzip+") {
        Some(rest) => (gzip(payload), rest),
        None => (payload.to_vec(), directive),
    };
    let parts: Vec<&str> = directive.split(':').collect();
    match parts.as_slice() {
        ["gzip"] => vec![gzip(&message)],
        ["zlib"] => vec![zlib(&message)],
        ["chunk", count, rest @ ..] => {
            let mut datagrams = pieces(*b"messages", &message, count.parse().unwrap());
            match rest {
                ["reverse"] => datagrams.reverse(),
                ["drop1"] => drop(datagrams.remove(1)),
                ["dup"] => datagrams.insert(1, datagrams[0].clone()),
                ["badseq"] => datagrams[1][10] = 2,
                _ => assert!(rest.is_empty(), "{directive}"),
            }
            datagrams
        }
        _ => vec![message],
    }
}

fn says(row: &str, expected: &Value) -> bool {
    let has = |part: String| row.contains(&part);
    let text = |name: &str| expected[name].as_str();
    let attribute = |name: &str, value: &Value| match value {
        Value::String(text) => format!("{name}={text:?}"),
        number => format!("{name}=\"{number}\""),
    };
    text("host").is_none_or(|host| has(format!("\\\"host.name\\\":\\\"{host}\\\"")))
        && text("message").is_none_or(|body| has(format!("body={body:?}")))
        && text("full_message").is_none_or(|full| has(format!("full_message={full:?}")))
        && expected["timestamp_ns"].as_i64().is_none_or(|time| row.starts_with(&format!("timestamp={time} ")))
        && (expected["timestamp"] != json!("now") || row.starts_with(&format!("timestamp={NOW_NS} ")))
        && expected["severity"].as_u64().is_none_or(|level| has(format!("severity_number={} ", [21, 19, 18, 17, 13, 10, 9, 5][level as usize])))
        && expected["fields"].as_object().is_none_or(|fields| fields.iter().all(|(name, value)| has(attribute(name, value))))
        && !has("_id=".to_owned()) | has("user_id=".to_owned())
}

#[tokio::test]
async fn the_vectors_are_taken_over_every_transport() {
    let Some(facts) = conformance::facts("logs/gelf/gelf.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let directive = fact["encode"].as_str().unwrap_or_default();
        let payloads: Vec<Vec<u8>> = match &fact["payload"] {
            Value::Array(messages) if directive != "raw-json" => messages.iter().map(|message| message.to_string().into_bytes()).collect(),
            Value::String(text) if directive == "raw" => vec![text.clone().into_bytes()],
            message => vec![message.to_string().into_bytes()],
        };
        let decoded = match fact["transport"].as_str().unwrap() {
            "udp" => datagrams(&payloads.iter().flat_map(|payload| encoded(payload, directive)).collect::<Vec<_>>(), &context()),
            "tcp" => connection(&payloads.iter().flat_map(|payload| [payload.as_slice(), b"\0"].concat()).collect::<Vec<_>>()),
            _ => gelf::decode(&payloads.concat(), &context()).unwrap(),
        };
        let rows = lines(&decoded.batches);
        let expected = match &fact["expect"] {
            Value::Null => Vec::new(),
            Value::Array(messages) => messages.clone(),
            message => vec![message.clone()],
        };
        let is_right = rows.len() == expected.len() && rows.iter().zip(&expected).all(|(row, message)| says(row, message));
        if !is_right {
            failures.push(format!("{}: {rows:#?} {:?}", fact["name"], decoded.rejected));
        }
    }
    conformance::report("GELF", facts.len(), &failures);
}

fn row(message: &Value) -> String {
    lines(&datagrams(&[message.to_string().into_bytes()], &context()).batches).join("\n")
}

#[test]
fn a_whole_message_becomes_columns() {
    let message = json!({
        "version": "1.1", "host": "web", "short_message": "boom", "full_message": "boom\n at x", "timestamp": "1700000000.25", "level": 3, "facility": "shop",
        "_service_name": "shop", "_trace_id": "0af7651916cd43dd8448eb211c80319c", "_span_id": "b7ad6b7169203331", "_n": 1.5, "_ok": true, "_none": null,
        "_deep": {"a": [1, "b"]}, "plain": "x", "_id": "never",
    });
    let row = row(&message);
    for part in [
        "timestamp=1700000000250000000 ",
        "service=\"shop\"",
        "severity_number=17 severity_text=\"err\"",
        "body=\"boom\"",
        "trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331",
        "full_message=\"boom\\n at x\"",
        "facility=\"shop\"",
        "n=\"1.5\"",
        "ok=\"true\"",
        "deep=\"{\\\"a\\\":[1,\\\"b\\\"]}\"",
        "plain=\"x\"",
    ] {
        assert!(row.contains(part), "{part} in {row}");
    }
    assert!(!row.contains("never") && !row.contains("trace_id=\""), "{row}");
}

#[test]
fn levels_and_times_are_read_as_senders_write_them() {
    let with = |field: &str, value: Value| row(&json!({"host": "h", "short_message": "m", field: value}));
    for (level, expected) in [
        (json!(0), "severity_number=21 severity_text=\"emerg\""),
        (json!("6"), "severity_number=9 severity_text=\"info\""),
        (json!(4.0), "severity_number=13 severity_text=\"warning\""),
        (json!("WARN"), "severity_number=13 severity_text=\"WARN\""),
        (Value::Null, "severity_number=19 severity_text=\"alert\""),
        (json!(9), "level=\"9\""),
    ] {
        let row = with("level", level);
        assert!(row.contains(expected), "{expected}: {row}");
    }
    for (time, expected) in [
        (json!(1_700_000_000), "timestamp=1700000000000000000 "),
        (json!(1_700_000_000_250_i64), "timestamp=1700000000250000000 "),
        (json!("2023-11-14T22:13:20.5Z"), "timestamp=1700000000500000000 "),
        (json!("soon"), "gelf.timestamp=\"soon\""),
        (Value::Null, "timestamp=1700000000000000000 "),
    ] {
        let row = with("timestamp", time);
        assert!(row.contains(expected), "{expected}: {row}");
    }
    let narrow = Context { accepted_time: TimeRange::from_ns(NOW_NS - 10, NOW_NS + 10), ..context() };
    let old = json!({"host": "h", "short_message": "m", "timestamp": 5}).to_string().into_bytes();
    assert!(lines(&datagrams(&[old], &narrow).batches)[0].contains("gelf.timestamp=\"5\""));
}

#[test]
fn what_is_no_message_is_rejected_and_the_next_one_taken() {
    let good = br#"{"host":"h","short_message":"m"}"#;
    let large = [b"{\"host\":\"".as_slice(), &vec![b'x'; BYTES_MAX], b"\"}"].concat();
    let bomb = gzip(&vec![b' '; 100_000]);
    let truncated = gzip(good)[..15].to_vec();
    let decoded = datagrams(&[b"".to_vec(), b"{".to_vec(), b"\x1e\x0f123".to_vec(), bomb, truncated, b"\x78\x9c".to_vec(), good.to_vec()], &context());
    assert_eq!((lines(&decoded.batches).len(), decoded.rejected[0].rows), (1, 6), "{decoded:?}");
    let stream = [good.as_slice(), b"\0\0\n\0{]\0", &large, b"\0", good, b"\0", &large].concat();
    let decoded = connection(&stream);
    let rejected: u64 = decoded.rejected.iter().map(|rejected| rejected.rows).sum();
    assert_eq!((lines(&decoded.batches).len(), rejected), (2, 3), "{:?}", decoded.rejected);
}

#[test]
fn pieces_are_forgotten_by_age_and_by_number() {
    let mut chunks = Chunks::default();
    let take = |chunks: &mut Chunks, name: u64, number: usize, now_ns: i64| {
        let piece = chunks.take(&pieces(name.to_be_bytes(), b"abcd", 2)[number], PEER, now_ns);
        (piece, chunks.forget(now_ns))
    };
    assert_eq!(take(&mut chunks, 1, 0, 0), (Piece::Kept, 0));
    assert_eq!(take(&mut chunks, 1, 1, 5_000_000_000), (Piece::Last(b"abcd".to_vec()), 0));
    assert_eq!(take(&mut chunks, 2, 1, 0), (Piece::Kept, 0));
    assert_eq!(take(&mut chunks, 3, 1, 5_000_000_001), (Piece::Kept, 1));
    // The last piece of what was forgotten begins a message of its own.
    assert_eq!(take(&mut chunks, 2, 0, 5_000_000_002), (Piece::Kept, 0));
    let forgotten: u64 = (10..3_010).map(|name| take(&mut chunks, name, 0, 5_000_000_003).1).sum();
    assert_eq!(forgotten, 3_002 - 1024);
    // Two senders may make up the same name.
    let other = std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    assert_eq!(chunks.take(&pieces(3_009_u64.to_be_bytes(), b"abcd", 2)[1], other, 5_000_000_003), Piece::Kept);
    assert_eq!(
        chunks.take(&pieces(3_009_u64.to_be_bytes(), b"abcd", 3)[1], PEER, 5_000_000_003),
        Piece::Bad("chunks of one message disagree about their count")
    );
}

#[tokio::test]
async fn over_http_messages_are_answered() {
    let sink = std::sync::Arc::new(Memory::default());
    let router: Router = gelf::routes(entry(&sink), Settings::default());
    let good = r#"{"host":"h","short_message":"m"}"#;
    let answer = post(&router, "/gelf", &[], good).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (202, b"".as_slice()));
    assert_eq!(post(&router, "/gelf", &[("content-encoding", "gzip")], gzip(format!("{good}\n{good}").as_bytes())).await.status, 202);
    assert_eq!(post(&router, "/gelf", &[("content-encoding", "gzip,deflate")], zlib(good.as_bytes())).await.status, 202);
    assert_eq!(sink.rows(), 4);
    for (body, complaint) in [
        ("", ""),
        ("[1]", "cannot read message of GELF: invalid type: sequence, expected a JSON object at line 1 column 0"),
        ("{\"host\":\"h\"}", "1 rejected (invalid): a message of GELF lacks host or short_message"),
    ] {
        let answer = post(&router, "/gelf", &[], body).await;
        assert_eq!((answer.status.as_u16(), String::from_utf8(answer.body).unwrap().as_str()), (if body.is_empty() { 202 } else { 400 }, complaint));
    }
    assert_eq!(post(&router, "/gelf", &[("content-encoding", "br")], good).await.status, 415);
    *sink.refuse.lock() = Some((ErrorKind::Limit, None));
    let refused = post(&router, "/gelf", &[], good).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
}

#[tokio::test]
async fn datagrams_and_connections_are_served() {
    let settings = Settings { listen: "127.0.0.1:0".to_owned(), ..Settings::default() };
    let open = Open::new(gelf::listen(&settings).await.unwrap());
    let message = json!({"host": "h", "short_message": "m".repeat(3000)}).to_string();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for piece in pieces(*b"12345678", message.as_bytes(), 3) {
        sender.send_to(&piece, open.address("gelf-udp")).await.unwrap();
    }
    open.rows(1).await;
    let mut stream = open.connect("gelf").await;
    stream.write_all(format!("{message}\0{message}\0").as_bytes()).await.unwrap();
    open.rows(3).await;
    open.stop().await;
}
