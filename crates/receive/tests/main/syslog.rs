//! Syslog: the vectors of other implementations, and what becomes of messages that are not as they should be.

use std::fs;

use base64::Engine as _;
use bytes::BytesMut;
use serde_json::{Map, Value, json};
use signalbox_model::TimeRange;
use signalbox_receive::Context;
use signalbox_receive::door::Decoded;
use signalbox_receive::logs::Assembler;
use signalbox_receive::socket::{Conversation as _, Datagrams as _};
use signalbox_receive::syslog::{FACILITIES, Lines, Message, Messages, Settings, When, parse_3164, parse_5424};
use signalbox_testkit::conformance;

use crate::rows::lines;
use crate::support::{NOW_NS, context};

const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// What arrives as one datagram.
fn datagram(bytes: &[u8], settings: &Settings, context: &Context<'_>) -> Decoded {
    let mut assembler = Assembler::new(context);
    Messages::new(settings).unwrap().take(bytes, PEER, context, &mut assembler);
    assembler.finish()
}

/// What arrives on one connection, in pieces of so many bytes.
fn connection(bytes: &[u8], piece_bytes: usize, settings: &Settings) -> Vec<String> {
    let mut conversation = Lines::new(settings, PEER);
    let (mut input, mut rows) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece_bytes) {
        input.extend_from_slice(piece);
        rows.extend(lines(&conversation.read(&mut input, false, &context()).decoded.batches));
    }
    rows.extend(lines(&conversation.read(&mut input, true, &context()).decoded.batches));
    assert!(input.is_empty(), "everything is read at the end");
    rows
}

fn row(text: &str) -> String {
    lines(&datagram(text.as_bytes(), &Settings::default(), &context()).batches).join("\n")
}

/// A message as the conformance data writes it; the body without what is nothing.
fn facts_of(message: &Message<'_>) -> Value {
    let mut found = Map::new();
    let mut tell = |name: &str, value: Value| found.insert(name.to_owned(), value);
    tell("priority", json!(message.facility * 8 + message.severity));
    tell("facility", json!(message.facility));
    tell("severity", json!(message.severity));
    if message.version > 0 {
        tell("version", json!(message.version));
    }
    for (name, value) in [
        ("hostname", message.hostname),
        ("appname", message.appname),
        ("procid", message.procid),
        ("msgid", message.msgid),
        ("message", message.text),
        ("elementid", message.elements.iter().find(|element| element.params.is_empty()).map(|element| element.id)),
    ] {
        if let Some(value) = value {
            tell(name, json!(value));
        }
    }
    let elements = message.elements.iter().filter(|element| !element.params.is_empty());
    let structured: Map<String, Value> = elements
        .map(|element| (element.id.to_owned(), element.params.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>().into()))
        .collect();
    if !structured.is_empty() {
        tell("structured_data", structured.into());
    }
    found.into()
}

/// What the data expects, with the escapes of RFC 5424 resolved: it keeps them as they are on the wire.
fn unescaped(mut expected: Value) -> Value {
    expected.as_object_mut().unwrap().remove("timestamp");
    if let Some(structured) = expected.get_mut("structured_data").and_then(Value::as_object_mut) {
        for value in structured.values_mut().flat_map(|element| element.as_object_mut().unwrap().values_mut()) {
            let text = value.as_str().unwrap().replace("\\\\", "\u{1}").replace("\\\"", "\"").replace("\\]", "]").replace('\u{1}', "\\");
            *value = text.into();
        }
    }
    expected
}

#[test]
fn rfc_5424_is_read_as_others_read_it() {
    let Some(facts) = conformance::facts("logs/syslog/rfc5424.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let input = fact["input"].as_str().unwrap();
        let message = parse_5424(input);
        if fact["valid"] == json!(false) {
            if message.fault.is_none() {
                failures.push(format!("{input:?} was taken"));
            }
            continue;
        }
        let (found, expected) = (facts_of(&message), unescaped(fact["expected"].clone()));
        let time = fact["expected"]["timestamp"].as_str().map(|text| When::Instant(signalbox_receive::logs::timestamp::rfc3339(text).unwrap()));
        if message.fault.is_some() || found != expected || message.when != time {
            failures.push(format!("{input:?}: {:?}\n  found    {found}\n  expected {expected}\n  time {:?} {time:?}", message.fault, message.when));
        }
    }
    conformance::report("syslog of RFC 5424", facts.len(), &failures);
}

#[test]
fn rfc_3164_is_read_as_others_read_it() {
    let Some(facts) = conformance::facts("logs/syslog/rfc3164.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let input = fact["input"].as_str().unwrap();
        let message = parse_3164(input);
        let (found, expected) = (facts_of(&message), unescaped(fact["expected"].clone()));
        let is_timed = matches!(message.when, Some(When::Local(local)) if local.year.is_none());
        if found != expected || !is_timed {
            failures.push(format!("{input:?}\n  found    {found}\n  expected {expected}"));
        }
    }
    conformance::report("syslog of RFC 3164", facts.len(), &failures);
}

#[test]
fn messages_are_framed_as_others_frame_them() {
    let Some(facts) = conformance::facts("logs/syslog/framing.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let bytes = base64::engine::general_purpose::STANDARD.decode(fact["wire_base64"].as_str().unwrap()).unwrap();
        let settings = Settings::default();
        let ways = match fact["transport"].as_str().unwrap() {
            "udp" => vec![lines(&datagram(&bytes, &settings, &context()).batches)],
            _ => [1, 7, usize::MAX].map(|piece_bytes| connection(&bytes, piece_bytes, &settings)).to_vec(),
        };
        let expected = fact["expect"].as_array().unwrap();
        let is_right = |rows: &Vec<String>| rows.len() == expected.len() && rows.iter().zip(expected).all(|(row, message)| says(row, message));
        if let Some(rows) = ways.iter().find(|rows| !is_right(rows)) {
            failures.push(format!("{}: {rows:#?}", fact["name"]));
        }
    }
    conformance::report("framing of syslog", facts.len(), &failures);
}

/// Whether a row is what a message of the data says.
fn says(row: &str, message: &Value) -> bool {
    let text = |name: &str| message[name].as_str();
    let has = |part: String| row.contains(&part);
    let number = |name: &str| message[name].as_u64().map(|number| usize::try_from(number).unwrap());
    number("facility").is_none_or(|facility| has(format!("syslog.facility=\"{}\"", FACILITIES[facility])))
        && number("severity").is_none_or(|severity| has(format!("severity_number={} ", [21, 19, 18, 17, 13, 10, 9, 5][severity])))
        && text("hostname").is_none_or(|host| has(format!("\\\"host.name\\\":\\\"{host}\\\"")))
        && text("appname").is_none_or(|app| has(format!("service=\"{app}\"")))
        && text("procid").is_none_or(|pid| has(format!("process.pid=\"{pid}\"")))
        && text("msgid").is_none_or(|msgid| has(format!("syslog.msgid=\"{msgid}\"")))
        && text("msg").is_none_or(|body| has(format!("body={body:?}")))
        && !(message.get("msg").is_some_and(Value::is_null) && row.contains(" body="))
        && text("time").is_none_or(|time| row.starts_with(&format!("timestamp={} ", signalbox_receive::logs::timestamp::rfc3339(time).unwrap())))
        && message["sd"].as_object().is_none_or(|elements| {
            elements.iter().all(|(id, params)| params.as_object().unwrap().iter().all(|(name, value)| has(format!("{id}.{name}={value}"))))
        })
}

#[test]
fn the_cases_of_telegraf_are_read() {
    let Some(root) = conformance::root() else { return };
    let folder = root.join("logs/syslog/telegraf-testcases");
    let (mut cases, mut failures) = (0, Vec::new());
    for case in fs::read_dir(folder).into_iter().flatten().flatten() {
        cases += 1;
        let name = case.file_name().into_string().unwrap();
        let read = |file: &str| fs::read(case.path().join(file)).unwrap_or_default();
        let (input, expected, config) =
            (read("input.txt"), String::from_utf8(read("expected.out")).unwrap(), String::from_utf8(read("telegraf.conf")).unwrap());
        let is_udp = config.contains("udp://");
        let rows = if is_udp { lines(&datagram(&input, &Settings::default(), &context()).batches) } else { connection(&input, 3, &Settings::default()) };
        let metrics: Vec<&str> =
            expected.split_inclusive("\nsyslog,").flat_map(|part| part.split("\nsyslog,")).filter(|part| !part.trim().is_empty()).collect();
        // What telegraf refuses in part or as a whole is kept here, and says that something is wrong with it: a count of octets
        // that is too large, one that is too small, an app name that is too long.
        let is_faulty = !read("expected.err").is_empty();
        let is_right =
            if is_faulty { !rows.is_empty() } else { rows.len() == metrics.len() && rows.iter().zip(&metrics).all(|(row, metric)| is_metric(row, metric)) };
        if !is_right {
            failures.push(format!("{name}: {rows:#?}\n{metrics:#?}"));
        }
    }
    conformance::report("telegraf's cases of syslog", cases, &failures);
}

/// Whether a row says what telegraf makes of a message, as far as both have it.
fn is_metric(row: &str, metric: &str) -> bool {
    let value = |key: &str, end: &[char]| {
        let at = metric.find(key)? + key.len();
        let rest = &metric[at..];
        Some(rest[..rest.find(end).unwrap_or(rest.len())].to_owned())
    };
    let is_there = |part: Option<String>| part.is_none_or(|part| row.contains(&part));
    let body = metric.find("message=\"").map(|at| &metric[at + 9..]).map(|rest| {
        let end = rest.match_indices('"').map(|(at, _)| at).find(|at| !rest[..*at].ends_with('\\')).unwrap();
        rest[..end].replace("\\\"", "\"").replace("\\n", "\n")
    });
    let severity = value("severity_code=", &['i']).and_then(|code| code.parse::<usize>().ok()).map(|code| [21, 19, 18, 17, 13, 10, 9, 5][code]);
    let time = value("timestamp=", &['i']).filter(|time| !time.starts_with("1796229063"));
    is_there(value("facility=", &[',']).map(|facility| format!("syslog.facility=\"{facility}\"")))
        && is_there(severity.map(|number| format!("severity_number={number} ")))
        && is_there(value("hostname=", &[',']).map(|host| format!("\\\"host.name\\\":\\\"{host}\\\"")))
        && is_there(value("appname=", &[',']).map(|app| format!("service=\"{app}\"")))
        && is_there(value("procid=\"", &['"']).map(|pid| format!("process.pid=\"{pid}\"")).filter(|_| !metric.contains("procid=\"a")))
        && is_there(value("msgid=\"", &['"']).map(|msgid| format!("syslog.msgid=\"{msgid}\"")))
        && is_there(value("meta_sequence=\"", &['"']).map(|sequence| format!("meta.sequence=\"{sequence}\"")))
        && is_there(time.map(|time| format!("timestamp={time} ")))
        && is_there(body.map(|body| format!("body={body:?}")))
}

#[test]
fn a_whole_message_becomes_columns() {
    assert_eq!(
        row("<165>1 2023-11-14T22:13:19.000003Z web-1 shop 8710 ID47 [ex@1 iut=\"3\" s=\"a\\\"b\\]\\\\c\\d\"][empty] \u{feff}It's time"),
        "timestamp=1699999999000003000 service=\"shop\" severity_number=10 severity_text=\"notice\" body=\"It's time\" \
         resource=\"{\\\"host.name\\\":\\\"web-1\\\",\\\"service.name\\\":\\\"shop\\\"}\" scope=\"{}\" attributes={syslog.facility=\"local4\", process.pid=\"8710\", syslog.msgid=\"ID47\", ex@1.iut=\"3\", ex@1.s=\"a\\\"b]\\\\c\\\\d\", empty=\"true\"} \
         attribute_types=\"sisssb\""
    );
}

#[test]
fn times_without_year_or_zone_are_the_latest_that_fit() {
    // It is 2023-11-14T22:13:20Z.
    let time = |text: &str, zone: &str| {
        let settings = Settings { time_zone: zone.to_owned(), ..Settings::default() };
        let rows = lines(&datagram(text.as_bytes(), &settings, &context()).batches);
        rows[0].split(' ').next().unwrap().trim_start_matches("timestamp=").parse::<i64>().unwrap() / 1_000_000_000 - NOW_NS / 1_000_000_000
    };
    let day = 86_400;
    for (text, zone, seconds) in [
        ("<13>Nov 14 22:13:19 h a: x", "UTC", -1),
        ("<13>Nov 15 22:13:19 h a: x", "UTC", day - 1),
        ("<13>Nov 15 22:13:21 h a: x", "UTC", day + 1 - 365 * day),
        ("<13>Nov 14 23:13:19 h a: x", "+01:00", -1),
        ("<13>Nov 14 23:13:19 h a: x", "Europe/Berlin", -1),
        ("<13>Jul 14 00:13:20 h a: x", "Europe/Berlin", -124 * day),
        ("<13>Nov 14 2022 22:13:20 h a: x", "UTC", -365 * day),
        ("<13>Nov 14 22:13:20.5 2022 h a: x", "UTC", -365 * day),
        ("<13>Nov 14 22:13:20 CET 2022 h a: x", "UTC", -365 * day),
        ("<13>*Nov 14 22:13:20 UTC: x", "+05:00", 0),
        ("<13>2023-11-14T23:13:20+01:00 h a: x", "+05:00", 0),
        ("<13>Feb 29 00:00:00 h a: x", "UTC", 0),
        ("<13>Feb 30 00:00:00 h a: x", "UTC", 0),
    ] {
        assert_eq!(time(text, zone), seconds, "{text} {zone}");
    }
    let nowhere = Settings { time_zone: "Europe/Nowhere".to_owned(), ..Settings::default() };
    assert!(Messages::new(&nowhere).unwrap_err().to_string().starts_with("cannot use \"Europe/Nowhere\" as time zone"));
}

#[test]
fn a_time_that_the_store_would_refuse_costs_no_message() {
    let narrow = Context { accepted_time: TimeRange::from_ns(NOW_NS - 10, NOW_NS + 10), ..context() };
    let decoded = datagram(b"<13>1 2003-10-11T22:14:15.003Z h a - - - x", &Settings::default(), &narrow);
    let rows = lines(&decoded.batches);
    assert!(rows[0].starts_with("timestamp=1700000000000000000 ") && rows[0].contains("syslog.timestamp=\"2003-10-11T22:14:15.003Z\""), "{rows:?}");
}

#[test]
fn nothing_is_refused() {
    for (text, parts) in [
        // Local senders leave out the host; the sender's address stands in.
        ("<13>Nov 14 22:13:20 app[7]: hi", &["host.name\\\":\\\"192.0.2.7", "service=\"app\"", "process.pid=\"7\"", "body=\"hi\""][..]),
        ("<13>app[x]: hi", &["service=\"app\"", "syslog.procid=\"x\"", "body=\"hi\""]),
        ("<13>note: hi", &["body=\"note: hi\""]),
        ("<192>x", &["severity_number=10", "body=\"<192>x\""]),
        ("<14>1 2023-11-14T22:13:20Z h a - - - ", &["severity_number=9", "service=\"a\""]),
        ("<14>1 yesterday h a - - - x", &["syslog.malformed=\"want a timestamp", "body=\"yesterday h a - - - x\""]),
        ("<14>1 - h a - - [x y=\"1] x", &["syslog.malformed", "service=\"a\"", "body=\"[x y=\\\"1] x\""]),
        // Seven digits behind the point, as .NET writes them, harm nobody.
        ("<14>1 2023-11-14T22:13:20.1234567Z h a - - - x", &["timestamp=1700000000123456700 ", "body=\"x\""]),
        ("<14>1 - h a - - -  one space", &["body=\"one space\""]),
        ("<14>1 - h a - - -   an indent", &["body=\"  an indent\""]),
        ("plain text", &["severity_text=\"notice\"", "syslog.facility=\"user\"", "body=\"plain text\""]),
    ] {
        let row = row(text);
        for part in parts {
            assert!(row.contains(part), "{text}: {part} in {row}");
        }
        assert_eq!(row.contains("syslog.malformed"), parts.iter().any(|part| part.contains("malformed")), "{row}");
    }
    for nothing in ["", "\n", " \r\n\0"] {
        assert_eq!(row(nothing), "", "{nothing:?}");
    }
    let broken = lines(&datagram(b"<13>1 - h a - - - x\xff\xfey", &Settings::default(), &context()).batches);
    assert!(broken[0].contains("body=\"x\u{fffd}\u{fffd}y\"") && broken[0].contains("log.repaired=\"true\""), "{broken:?}");
}

#[test]
fn long_messages_lose_their_end_and_say_so() {
    let settings = Settings { message_bytes_max: 40, ..Settings::default() };
    let long = format!("<13>1 - h a - - - {}", "x".repeat(100));
    let cut = format!("body=\"{}\"", "x".repeat(22));
    let stream = format!("{} {long}<13>1 - h a - - - one\n{long}\n{long}\0<13>1 - h a - - - two\n15 <13>1 - h a - - ", long.len());
    for piece_bytes in [1, 16, 1000] {
        let rows = connection(stream.as_bytes(), piece_bytes, &settings);
        let bodies: Vec<bool> = rows.iter().map(|row| row.contains(&cut) && row.contains("log.truncated=\"true\"")).collect();
        assert_eq!(bodies, [true, false, true, true, false, false], "{rows:#?}");
        assert!(rows[1].contains("body=\"one\"") && rows[4].contains("body=\"two\""));
    }
    assert!(lines(&datagram(long.as_bytes(), &settings, &context()).batches)[0].contains("log.truncated"));
}

#[test]
fn what_ends_too_early_is_kept() {
    let rows = connection(b"100 <13>1 - h a - - - cut", 9, &Settings::default());
    assert!(rows.len() == 1 && rows[0].contains("body=\"cut\"") && rows[0].contains("log.truncated"), "{rows:?}");
    // A line that begins with a number is no count of octets.
    let rows = connection(b"12 monkeys\n99999999999 <13>x\n0 <a\n7", 4, &Settings::default());
    let bodies = ["body=\"12 monkeys\"", "body=\"99999999999 <13>x\"", "body=\"0 <a\"", "body=\"7\""];
    assert!(rows.len() == 4 && rows.iter().zip(bodies).all(|(row, body)| row.contains(body)), "{rows:?}");
}
