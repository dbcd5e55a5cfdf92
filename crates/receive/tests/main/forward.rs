//! Fluent forward: the vectors, what is answered and when, who may send, and what is no message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use ring::digest::{SHA512, digest};
use serde_json::{Value, json};
use signalbox_model::{ErrorKind, TimeRange};
use signalbox_receive::forward::handshake::Guard;
use signalbox_receive::forward::msgpack::{Fault, Scan};
use signalbox_receive::forward::{self, Mapping, Messages, Secret, Settings, User};
use signalbox_receive::socket::{Conversation as _, Next, Turn};
use signalbox_receive::{Budget, Context};
use signalbox_testkit::conformance;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;

use crate::rows::lines;
use crate::socket::{Open, farewell};
use crate::support::{NOW_NS, context};

/// JSON as MessagePack; an object `{"bin": base64}` is bytes, `{"time": [s, ns]}` an `EventTime`.
pub(crate) fn packed(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => rmp::encode::write_nil(out).unwrap(),
        Value::Bool(value) => rmp::encode::write_bool(out, *value).unwrap(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => drop(rmp::encode::write_sint(out, number).unwrap()),
            None => rmp::encode::write_f64(out, number.as_f64().unwrap()).unwrap(),
        },
        Value::String(text) => rmp::encode::write_str(out, text).unwrap(),
        Value::Array(items) => {
            rmp::encode::write_array_len(out, items.len() as u32).unwrap();
            items.iter().for_each(|item| write(out, item));
        }
        Value::Object(entries) => {
            if let Some(bytes) = entries.get("bin") {
                return rmp::encode::write_bin(out, &BASE64.decode(bytes.as_str().unwrap()).unwrap()).unwrap();
            }
            if let Some(time) = entries.get("time") {
                out.extend_from_slice(&[0xd7, 0]);
                out.extend_from_slice(&(time[0].as_u64().unwrap() as u32).to_be_bytes());
                return out.extend_from_slice(&(time[1].as_u64().unwrap() as u32).to_be_bytes());
            }
            rmp::encode::write_map_len(out, entries.len() as u32).unwrap();
            for (name, value) in entries {
                write(out, &json!(name));
                write(out, value);
            }
        }
    }
}

fn bin(bytes: &[u8]) -> Value {
    json!({"bin": BASE64.encode(bytes)})
}

/// Packed events.
fn stream(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(packed).collect()
}

fn messages() -> Messages {
    Messages::new(&Settings { message_bytes_max: 100_000, ..Settings::default() }, Budget::new(4 << 20))
}

fn turn(bytes: &[u8]) -> Turn {
    turn_of(&mut messages(), bytes, &context())
}

fn turn_of(messages: &mut Messages, bytes: &[u8], context: &Context<'_>) -> Turn {
    messages.read(&mut BytesMut::from(bytes), true, context)
}

fn rows_of(turn: &Turn) -> Vec<String> {
    lines(&turn.decoded.batches)
}

fn ack(chunk: &str) -> Vec<u8> {
    packed(&json!({"ack": chunk}))
}

/// Whether a row is an event of the data.
fn says(row: &str, event: &Value, tag: &str) -> bool {
    let time = event["time_s"].as_i64().unwrap() * 1_000_000_000 + event["time_ns"].as_i64().unwrap();
    let tag = event["tag"].as_str().unwrap_or(tag);
    row.starts_with(&format!("timestamp={time} "))
        && row.contains(&format!("fluent.tag={tag:?}"))
        && event["record"].as_object().unwrap().iter().all(|(name, value)| match value {
            Value::String(text) if name == "message" => row.contains(&format!("body={text:?}")),
            Value::Object(_) | Value::Array(_) => row.contains(&format!("{name}={:?}", value.to_string())),
            other => row.contains(&format!("{name}=\"{other}\"")),
        })
}

#[test]
fn the_vectors_are_taken() {
    let Some(facts) = conformance::facts("logs/fluent-forward/forward.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let bytes = BASE64.decode(fact["wire_base64"].as_str().unwrap()).unwrap();
        let expected = fact["events"].as_array().unwrap();
        let answer = fact["ack"].as_str().map(ack).unwrap_or_default();
        for piece_bytes in [1, bytes.len()] {
            let (mut messages, mut input, mut rows, mut reply, mut end) = (messages(), BytesMut::new(), Vec::new(), Vec::new(), None);
            for piece in bytes.chunks(piece_bytes) {
                input.extend_from_slice(piece);
                let turn = messages.read(&mut input, false, &context());
                rows.extend(rows_of(&turn));
                reply.extend(turn.reply);
                end = end.or(turn.end);
            }
            let is_right =
                rows.len() == expected.len() && rows.iter().zip(expected).all(|(row, event)| says(row, event, fact["tag"].as_str().unwrap_or_default()));
            if !is_right || reply != answer || end.is_some() || !input.is_empty() {
                failures.push(format!("{} in pieces of {piece_bytes}: {rows:#?} {reply:?} {end:?}", fact["name"]));
                break;
            }
        }
    }
    conformance::report("Fluent forward", facts.len(), &failures);
}

#[test]
fn records_become_columns() {
    let record = |record: Value| {
        let turn = turn(&packed(&json!(["app.web", 1_700_000_000, record])));
        assert!(turn.decoded.rejected.is_empty() && turn.end.is_none(), "{turn:?}");
        rows_of(&turn).join("\n")
    };
    let row = record(json!({"log": "boom\r\n", "level": "error", "service_name": "shop", "n": -1.5, "none": null, "k": {"pod": "p"}, "message": "kept"}));
    for part in [
        "service=\"shop\"",
        "severity_number=17 severity_text=\"error\"",
        "body=\"boom\"",
        "n=\"-1.5\"",
        "k=\"{\\\"pod\\\":\\\"p\\\"}\"",
        "message=\"kept\"",
        "fluent.tag=\"app.web\"",
    ] {
        assert!(row.contains(part), "{part} in {row}");
    }
    assert!(!row.contains("level=") && !row.contains("log="), "{row}");
    assert!(record(json!({"cpu": 1})).contains("body=\"{\\\"cpu\\\":1}\""));
    assert!(record(json!({"level": 30, "cpu": 1})).contains("severity_number=9 severity_text=\"30\""));
    assert!(record(json!({"level": "unheard of", "msg": 7})).contains("level=\"unheard of\""));
    assert!(record(json!({"msg": bin(&[0xff, 0xfe])})).contains("body=\"//4=\""));
    assert!(record(json!({"msg": bin("bär".as_bytes())})).contains("body=\"bär\""));
    let mapping = Mapping { message_keys: vec!["text".to_owned()], service_from_tag: true };
    let mut messages = Messages::new(&Settings { mapping, ..Settings::default() }, Budget::new(1 << 20));
    let row = rows_of(&turn_of(&mut messages, &packed(&json!(["app", null, {"text": "t", "log": "l"}])), &context())).join("\n");
    assert!(
        row.contains("service=\"app\"") && row.contains("body=\"t\"") && row.contains("log=\"l\"") && row.starts_with(&format!("timestamp={NOW_NS} ")),
        "{row}"
    );
    let narrow = Context { accepted_time: TimeRange::from_ns(NOW_NS - 10, NOW_NS + 10), ..context() };
    let row = rows_of(&turn_of(&mut messages, &packed(&json!(["app", 5, {"text": "t"}])), &narrow)).join("\n");
    assert!(row.contains("fluent.timestamp=\"5.0\"") || row.contains("fluent.timestamp=\"5\""), "{row}");
}

#[test]
fn fluent_bits_metadata_and_signals_are_understood() {
    let events = json!([[[{"time": [1_700_000_000, 5]}, {"k": "v"}], {"log": "a"}], [1_700_000_000, {"log": "b"}]]);
    let rows = rows_of(&turn(&packed(&json!(["t", events]))));
    assert!(rows.len() == 2 && rows[0].contains("k=\"v\"") && rows[0].starts_with("timestamp=1700000000000000005 "), "{rows:?}");
    let turn = turn(&packed(&json!(["t", bin(b"\x80"), {"fluent_signal": 1, "chunk": "c"}])));
    assert_eq!((rows_of(&turn).len(), turn.decoded.rejected[0].reason, turn.reply), (0, "unsupported", ack("c")));
}

#[test]
fn compressed_events_are_unpacked_within_the_limit() {
    let events = stream(&[json!([1, {"log": "a"}]), json!([2, {"log": "b"}])]);
    let bomb = zstd::encode_all(vec![0xc0; 200_000].as_slice(), 1).unwrap();
    let cut = &events[..events.len() - 3];
    // What is kept in part is acknowledged, what is not kept at all is not.
    for (payload, options, rows, is_acknowledged, rejected) in [
        (zstd::encode_all(events.as_slice(), 1).unwrap(), json!({"compressed": "zstd", "chunk": "c", "size": 2}), 2, true, 0),
        (events.clone(), json!({"compressed": "text", "chunk": "c"}), 2, true, 0),
        (events.clone(), json!({"compressed": "lzma", "chunk": "c"}), 0, false, 1),
        (bomb, json!({"compressed": "zstd", "chunk": "c"}), 0, false, 1),
        (cut.to_vec(), json!({"chunk": "c"}), 1, true, 1),
        (cut[..5].to_vec(), json!({"chunk": "c"}), 0, false, 1),
        (Vec::new(), json!({"chunk": "c"}), 0, true, 0),
    ] {
        let turn = turn(&packed(&json!(["t", bin(&payload), options])));
        assert_eq!((rows_of(&turn).len(), turn.reply == ack("c"), turn.end.is_none()), (rows, is_acknowledged, true), "{options}");
        assert_eq!(turn.decoded.rejected.len(), rejected, "{options}");
    }
    // No memory now is no reason to drop anything.
    let mut starved = Messages::new(&Settings::default(), Budget::new(10));
    let message = packed(&json!(["t", bin(&zstd::encode_all(events.as_slice(), 1).unwrap()), {"compressed": "zstd", "chunk": "c"}]));
    let mut input = BytesMut::from(message.as_slice());
    let turn = starved.read(&mut input, false, &context());
    assert_eq!((turn.next, input.len(), turn.reply.len()), (Next::Memory, message.len(), 0));
}

#[test]
fn only_what_is_no_message_at_all_ends_the_connection() {
    let good = packed(&json!(["t", 1, {"log": "x"}]));
    for odd in [json!(["t"]), json!([]), json!([1, 2, {}]), json!(["t", 1, {}, 3]), json!(["t", [1]]), json!(["t", true, {}]), json!(["t", [[1, {"a": 1}, 3]]])]
    {
        let turn = turn(&[packed(&odd), good.clone()].concat());
        assert_eq!((rows_of(&turn).len(), turn.decoded.rejected.len(), turn.end.is_none()), (1, 1, true), "{odd}");
    }
    let deep = [vec![0x91; 70], vec![0xc0]].concat();
    let claims = [0x92, 0xa1, b't', 0xdd, 0xff, 0xff, 0xff, 0xff];
    let large = packed(&json!(["t", 1, {"log": "x".repeat(100_000)}]));
    for (bytes, complaint) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), "cannot read message of Fluent forward: want an array"),
        (vec![0xc1], "cannot read message of Fluent forward: byte c1 means nothing"),
        (deep, "cannot read message of Fluent forward: it is nested deeper than 64"),
        (large, "a message is larger than the limit of 100000 bytes"),
    ] {
        assert_eq!(turn(&bytes).end.unwrap().to_string(), complaint);
    }
    assert!(turn(&claims).end.is_none(), "a claim of four billion events costs nothing until they come");
    assert_eq!(Scan::default().advance(&[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc1]), Err(Fault::Reserved));
}

fn hex_digest(parts: &[&[u8]]) -> String {
    hex::encode(digest(&SHA512, &parts.concat()))
}

#[test]
fn who_does_not_know_the_key_or_a_password_is_sent_away() {
    let users = [User { name: "ann".to_owned(), password: Secret::new("secret") }];
    let (nonce, salt) = ([1; 16], [2; 16]);
    let guard = |users: &[User]| Guard::new(&Secret::new("key"), "server", users, nonce, salt);
    let ping = |key: &str, user: &str, password: &str| {
        let (own, word) = (hex_digest(&[b"salt", b"client", &nonce, key.as_bytes()]), hex_digest(&[&salt, user.as_bytes(), password.as_bytes()]));
        packed(&json!(["PING", "client", "salt", own, user, word]))
    };
    let helo = |users: &[User]| messages().guarded(guard(users)).greeting();
    assert_eq!(
        helo(&[]),
        [&[0x92, 0xa4], b"HELO".as_slice(), &[0x83, 0xa5], b"nonce", &[0xc4, 16], &nonce, &[0xa4], b"auth", &[0xc4, 0, 0xa9], b"keepalive", &[0xc3]].concat()
    );
    let event = packed(&json!(["t", 1, {"log": "x"}]));
    let proof = hex_digest(&[b"salt", b"server", &nonce, b"key"]);
    for (users, first, rows, pong) in [
        (&[][..], ping("key", "", ""), 1, json!(["PONG", true, "", "server", proof])),
        (&users[..], ping("key", "ann", "secret"), 1, json!(["PONG", true, "", "server", proof])),
        (&users[..], ping("other", "ann", "secret"), 0, json!(["PONG", false, "shared key mismatch", "server", ""])),
        (&users[..], ping("key", "ann", "wrong"), 0, json!(["PONG", false, "username/password mismatch", "server", ""])),
        (&users[..], ping("key", "bob", "secret"), 0, json!(["PONG", false, "username/password mismatch", "server", ""])),
    ] {
        let turn = turn_of(&mut messages().guarded(guard(users)), &[first, event.clone()].concat(), &context());
        assert_eq!((rows_of(&turn).len(), turn.reply, turn.end.is_none()), (rows, packed(&pong), rows == 1));
    }
    let turn = turn_of(&mut messages().guarded(guard(&[])), &event, &context());
    assert!(rows_of(&turn).is_empty() && turn.end.unwrap().to_string().contains("PING"));
    assert_eq!(format!("{:?}", users[0]), "User { name: \"ann\", password: <secret> }");
}

async fn open(settings: Settings) -> Open {
    Open::new(forward::listen(&Settings { listen: "127.0.0.1:0".to_owned(), ..settings }).await.unwrap())
}

#[tokio::test]
async fn an_acknowledgement_follows_the_write_and_only_that() {
    let open = open(Settings::default()).await;
    let message = |chunk: &str| packed(&json!(["t", [[1, {"log": chunk}]], {"chunk": chunk}]));
    let mut stream = open.connect("forward").await;
    stream.write_all(&message("one")).await.unwrap();
    let mut answer = vec![0; ack("one").len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!((answer, open.sink.rows()), (ack("one"), 1));
    // A refusal is no answer: the client sends again, elsewhere or later.
    *open.sink.refuse.lock() = Some((ErrorKind::Limit, Some(std::time::Duration::from_millis(1))));
    stream.write_all(&message("two")).await.unwrap();
    assert_eq!(farewell(&mut stream).await, b"");
    // What asks for no answer waits.
    let mut stream = open.connect("forward").await;
    stream.write_all(&packed(&json!(["t", 1, {"log": "patient"}]))).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    assert_eq!(open.sink.rows(), 1);
    *open.sink.refuse.lock() = None;
    open.rows(2).await;
    let heart = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    heart.send_to(b"\0", open.address("forward-udp")).await.unwrap();
    let mut beat = [9; 4];
    let (length, _) = tokio::time::timeout(std::time::Duration::from_secs(20), heart.recv_from(&mut beat)).await.unwrap().unwrap();
    assert_eq!(&beat[..length], b"\0");
    assert_eq!(open.stop().await.len(), 2);
}

#[tokio::test]
async fn users_without_a_key_make_no_sense() {
    let settings = Settings { users: vec![User::default()], ..Settings::default() };
    assert!(forward::listen(&settings).await.unwrap_err().to_string().contains("want receive.forward.shared_key"));
    // Each connection is greeted with another nonce.
    let open = open(Settings { shared_key: Secret::new("key"), ..Settings::default() }).await;
    let mut greetings = Vec::new();
    for _ in 0..2 {
        let mut greeting = vec![0; 42];
        open.connect("forward").await.read_exact(&mut greeting).await.unwrap();
        greetings.push(greeting);
    }
    assert!(greetings[0] != greetings[1] && greetings[0][..14] == greetings[1][..14]);
    open.stop().await;
}
