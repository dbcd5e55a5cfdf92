use std::borrow::Cow;
use std::sync::Arc;

use signalbox_testkit::mutate::Random;

use super::{ERROR_ATTRIBUTE, Rule, Transform, Verdict};
use crate::logs::{Origin, Record};

const NOW_NS: i64 = 1_700_000_000_000_000_000;

fn record(body: &str) -> Record<'_> {
    let mut origin = Origin::default();
    origin.set("service.name", "shop");
    Record { origin: Arc::new(origin), body: Some(Cow::Borrowed(body)), ..Record::default() }
}

fn transform(steps: &str) -> Transform {
    let rule: Rule = serde_norway::from_str(&format!("steps:\n{steps}")).unwrap();
    Transform::new(&[rule], "receive.transform").unwrap()
}

/// A record in one line.
fn shown(record: &Record<'_>) -> String {
    let mut parts = vec![format!("{:?}", record.body.as_deref().unwrap_or("-"))];
    if record.severity_number != 0 {
        parts.push(format!("severity={}/{}", record.severity_number, record.severity_text));
    }
    parts.extend(record.timestamp_ns.map(|ns| format!("time={ns}")));
    parts.extend(record.attributes.iter().map(|(name, value)| format!("{name}={}:{}", value.letter(), value.to_text())));
    let resource = record.origin.attributes.iter().filter(|(name, _)| name != "service.name");
    parts.extend(resource.map(|(name, value)| format!("resource.{name}={}", value.to_text())));
    parts.join(" ")
}

fn run(steps: &str, body: &str) -> String {
    let mut record = record(body);
    match transform(steps).pipeline("loki").unwrap().apply(&mut record, NOW_NS) {
        Verdict::Keep => shown(&record),
        Verdict::Drop => "dropped".to_owned(),
    }
}

#[test]
fn steps_do_what_they_are_named_for() {
    for (steps, body, want) in [
        ("- json:", r#"{"a":1,"b":{"c":"x","d":[1,2]},"e":1.5,"f":true,"g":null,"h":{}}"#, "a=i:1 b.c=s:x b.d=a:[1,2] e=d:1.5 f=b:true g=n: h=m:{}"),
        ("- json: {prefix: 'app.', separator: '_'}", r#"{"b":{"c":"x"}}"#, "app.b_c=s:x"),
        ("- logfmt:", r#"level=info msg="a \"b\" c" empty= flag n=1 x="cut"#, r#"level=s:info msg=s:a "b" c empty=s: n=s:1 x=s:cut"#),
        ("- regex: {pattern: '(?P<verb>\\w+) (?P<http.path>/\\S*)(?P<q>\\?\\S*)?'}", "GET /a", "verb=s:GET http.path=s:/a"),
        ("- grok: {patterns: ['%{IP:c}', '%{WORD:w} %{INT:n:int}'], definitions: {X: y}}", "abc 12", "w=s:abc n=i:12"),
        ("- add: {a: x, resource.b: y}\n- rename: {a: c}\n- resource: {c: d}", "", "resource.b=y resource.d=x"),
        ("- add: {a.b: '1', a.c: '2', d: '3'}\n- remove: ['a.*']", "", "d=s:3"),
        ("- add: {a.b: '1', a.c: '2', d: '3'}\n- keep: ['a.?']", "", "a.b=s:1 a.c=s:2"),
        ("- add: {a: äöü}\n- truncate: {attribute_bytes_max: 3}", "", "a=s:ä"),
        ("- json:\n- severity: {from: l}", r#"{"l":"WARN"}"#, "severity=13/WARN l=s:WARN"),
        ("- json:\n- severity: {remove: true, words: {Kaputt: error}}", r#"{"level":"kaputt"}"#, "severity=17/kaputt"),
        ("- json:\n- timestamp: {remove: true}", r#"{"ts":"2023-11-14T22:13:20.5Z"}"#, "time=1700000000500000000"),
        ("- json:\n- timestamp: {from: t, formats: [unix_ms], remove: true}", r#"{"t":1700000000123}"#, "time=1700000000123000000"),
        ("- json:\n- timestamp: {from: t, formats: [unix], remove: true}", r#"{"t":"1700000000.25"}"#, "time=1700000000250000000"),
        (
            "- json:\n- timestamp: {from: t, formats: ['%d.%m.%Y %H:%M:%S'], timezone: Europe/Zurich, remove: true}",
            r#"{"t":"14.11.2023 23:13:20"}"#,
            "time=1700000000000000000",
        ),
        (
            "- json:\n- timestamp: {from: t, formats: ['%d/%b/%Y:%H:%M:%S %z'], remove: true}",
            r#"{"t":"14/Nov/2023:23:13:20 +0100"}"#,
            "time=1700000000000000000",
        ),
        ("- json:\n- timestamp: {from: t, formats: ['%b %d %H:%M:%S'], remove: true}", r#"{"t":"Nov 14 22:13:20"}"#, "time=1700000000000000000"),
        (
            "- json:\n- timestamp: {from: t, formats: [rfc3339], timezone: Europe/Zurich, remove: true}",
            r#"{"t":"2023-11-14 23:13:20"}"#,
            "time=1700000000000000000",
        ),
        ("- add: {x: y}\n  when: {services: ['sh*'], fields: {body: '^a'}, not_fields: {body: 'b'}}", "a", "x=s:y"),
    ] {
        assert_eq!(run(steps, body), if want.is_empty() { format!("{body:?}") } else { format!("{body:?} {want}") }, "{steps}");
    }
    assert_eq!(run("- json:\n- body: message", r#"{"message":"hello","n":1}"#), r#""hello" n=i:1"#);
    assert_eq!(run("- truncate: {body_bytes_max: 3}", "abcdef"), r#""abc""#);
    assert_eq!(run("- redact: {detect: [email]}", "a@b.example"), r#""[email]""#);
}

#[test]
fn records_are_dropped_only_by_a_drop() {
    let steps = "- json:\n- severity:\n- drop:\n  when: {severity_below: info}";
    assert_eq!(run(steps, r#"{"level":"debug"}"#), "dropped");
    assert!(run(steps, r#"{"level":"info"}"#).contains("severity=9"));
    assert!(run("- drop:\n  when: {severity_at_least: error}", "unknown").contains("unknown"));
    assert_eq!(run("- drop:\n  when: {fields: {body: health}}", "GET /health"), "dropped");
}

#[test]
fn a_step_that_cannot_flags_the_record_and_the_others_go_on() {
    let found = run("- json:\n- regex: {pattern: '(?P<n>[0-9]+)'}\n- timestamp:\n- severity: {from: n}\n- body: nope\n- add: {x: y}", "no json 99");
    for want in [
        "\"no json 99\" ",
        "n=s:99",
        "x=s:y",
        "receive.transform[0].steps[0] json: the text is no JSON object",
        "steps[2] timestamp: the field is missing",
        "steps[3] severity: \"99\" is no severity",
        "steps[4] body: the field is missing",
    ] {
        assert!(found.contains(want), "{want} in {found}");
    }
    assert_eq!(run("- json:\n  flag_errors: false", "no json"), "\"no json\"");
    let many: String = format!("{{{}}}", (0..300).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(","));
    assert!(run("- json:", &many).contains("more than 255"));
    let wide = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(run("- json:", &wide).contains("a=s:[[["));
}

#[test]
fn a_door_that_does_not_exist_is_refused() {
    let rule: Rule = serde_norway::from_str("match: {doors: [loki, lokki]}\nsteps: [{add: {a: b}}]").unwrap();
    let error = Transform::new(&[rule], "receive.transform").unwrap_err().to_string();
    assert!(error.starts_with("receive.transform[0].match.doors[1]: no door \"lokki\": want one of elastic, files, "), "{error}");
}

#[test]
fn rules_are_for_the_doors_and_records_they_name() {
    let rules: Vec<Rule> = serde_norway::from_str(
        "- match: {doors: [loki]}\n  steps: [{add: {a: '1'}}]\n- match: {services: [other]}\n  steps: [{add: {b: '2'}}]\n- match: {fields: {resource.service.name: '^shop$'}}\n  steps: [{add: {c: '3'}}]\n",
    )
    .unwrap();
    let transform = Transform::new(&rules, "x").unwrap();
    for (door, want) in [("loki", "\"-\" a=s:1 c=s:3"), ("syslog", "\"-\" c=s:3")] {
        let mut record = Record { body: None, ..record("") };
        transform.pipeline(door).unwrap().apply(&mut record, NOW_NS);
        assert_eq!(shown(&record), want);
    }
    assert!(Transform::new(&rules[..1], "x").unwrap().pipeline("syslog").is_none());
    assert!(Transform::default().pipeline("loki").is_none());
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_place() {
    for (rule, want) in [
        ("steps: []", "receive.transform[0].steps: want at least one step"),
        ("steps: [{}]", "receive.transform[0].steps[0]: the step does nothing: want one of json"),
        ("steps: [{json: {}, logfmt: {}}]", "steps[0]: logfmt and 1 more in one step: want one"),
        ("steps: [{regex: {pattern: '('}}]", "steps[0].regex.pattern: cannot read pattern \"(\""),
        ("steps: [{regex: {pattern: 'a'}}]", "no named group"),
        ("steps: [{grok: {patterns: []}}]", "steps[0].grok.patterns: want at least one"),
        ("steps: [{grok: {patterns: ['%{NOPE:x}']}}]", "steps[0].grok.patterns[0]: no pattern \"NOPE\""),
        ("steps: [{timestamp: {formats: [iso]}}]", "steps[0].timestamp.formats[0]: no format \"iso\""),
        ("steps: [{timestamp: {formats: ['%Y-%!']}}]", "steps[0].timestamp.formats[0]: cannot read format"),
        ("steps: [{timestamp: {timezone: Moon/Base}}]", "steps[0].timestamp.timezone: no time zone \"Moon/Base\""),
        ("steps: [{severity: {words: {a: b}}}]", "steps[0].severity.words.a: \"b\" is no severity"),
        ("steps: [{drop: {}, when: {severity_below: x}}]", "steps[0].when.severity_below: \"x\" is no severity"),
        ("steps: [{drop: {}, when: {doors: [loki]}}]", "steps[0].when.doors: want it in `match`"),
        ("match: {fields: {body: '('}}\nsteps: [{drop: {}}]", "receive.transform[0].match.fields.body: cannot read pattern"),
        ("match: {services: ['[']}\nsteps: [{drop: {}}]", "receive.transform[0].match.services[0]: cannot read pattern"),
        ("steps: [{keep: ['[']}]", "steps[0].keep[0]: cannot read pattern"),
    ] {
        let parsed: Rule = serde_norway::from_str(rule).unwrap();
        let error = Transform::new(&[parsed], "receive.transform").unwrap_err().to_string();
        assert!(error.contains(want), "{rule}: {error}");
    }
    let long = format!("steps: [{{regex: {{pattern: '(?P<a>{})'}}}}]", "a".repeat(9000));
    assert!(Transform::new(&[serde_norway::from_str(&long).unwrap()], "x").unwrap_err().to_string().contains("want at most 8192"));
    assert!(serde_norway::from_str::<Rule>("steps: [{jsn: {}}]").unwrap_err().to_string().contains("unknown field `jsn`"));
}

#[test]
fn rules_survive_being_written_and_read() {
    let text = "steps: [{json: {}}, {grok: {patterns: ['%{WORD:a}']}, when: {severity_below: info}, flag_errors: false}, {redact: {detect: [email], action: hash, hash_key: k}}]";
    let rule: Rule = serde_norway::from_str(text).unwrap();
    let again: Rule = serde_norway::from_str(&serde_norway::to_string(&rule).unwrap()).unwrap();
    assert_eq!(rule, again);
}

/// Steps of any kind, most of which fit.
const PIECES: [&str; 22] = [
    "{json: {}}",
    "{json: {source: a}}",
    "{logfmt: {}}",
    "{logfmt: {source: resource.a, prefix: p}}",
    "{regex: {pattern: '(?P<a>\\w+)[ =](?P<b>.*)'}}",
    "{grok: {patterns: ['%{COMBINEDAPACHELOG}', '%{SYSLOGLINE}', '%{GREEDYDATA:a}']}}",
    "{grok: {patterns: ['%{IPORHOST:a} %{NUMBER:b:float}']}}",
    "{severity: {}}",
    "{severity: {from: a, remove: true}}",
    "{timestamp: {}}",
    "{timestamp: {from: a, formats: [unix_ns, unix, auto], timezone: Europe/Zurich}}",
    "{timestamp: {from: b, formats: ['%Y-%m-%d', '%H:%M'], remove: true}}",
    "{body: a}",
    "{rename: {a: b, b: body, body: c}}",
    "{resource: {a: a, b: service.name}}",
    "{remove: ['a*']}",
    "{keep: ['?']}",
    "{add: {a: x, resource.b: y, body: z}}",
    "{redact: {detect: [credit_card, email, ipv4, ipv6, bearer_token, jwt, aws_key, private_key, password], names: [c]}}",
    "{redact: {detect: [ipv6], action: drop, fields: [body, resource.a]}}",
    "{redact: {detect: [email, password], action: hash, hash_key: k}}",
    "{truncate: {body_bytes_max: 5, attribute_bytes_max: 1}}",
];

const BODIES: [&str; 9] = [
    "",
    r#"{"a":"b","level":"info","ts":1e300,"b":{"a":[{"x":9223372036854775808}]}}"#,
    "a=1 b=\"x\\\"y\" level=warn ts=2023-01-01 password=\"x",
    r#"127.0.0.1 - x [10/Oct/2000:13:55:36 -0700] "GET /ä HTTP/1.0" 200 2326 "-" "-""#,
    "Mar 16 00:01:25 evita postfix/smtpd[1713]: a@b.example 4111 1111 1111 1111 ::1 10.0.0.1",
    "é\u{0}\u{feff}💥 = = =\"\" {[",
    "-9223372036854775808 9223372036854775807.999999999999",
    "2023-99-99T99:99:99Z",
    "{\"\":{\"\":\"\"}}",
];

#[test]
fn no_configuration_of_steps_loses_a_record_or_panics() {
    let mut random = Random::new(7);
    for _ in 0..400 {
        let steps: Vec<&str> = (0..1 + random.below(6)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let rule: Rule = serde_norway::from_str(&format!("steps: [{}]", steps.join(", "))).unwrap();
        let pipeline = Transform::new(&[rule], "x").unwrap().pipeline("loki").unwrap();
        for body in BODIES {
            let cut: String = body.chars().take(1 + random.below(body.len() + 1)).collect();
            for body in [body, &cut] {
                let mut record = record(body);
                assert_eq!(pipeline.apply(&mut record, NOW_NS), Verdict::Keep, "{steps:?} {body:?}");
                let flags = record.attributes.iter().filter(|(name, _)| name == ERROR_ATTRIBUTE).count();
                assert!(flags <= 1 && record.attributes.len() <= 256, "{steps:?} {body:?}");
            }
        }
    }
}
