use std::collections::BTreeMap;

use super::{Grok, Library, library};

fn fields(pattern: &str, text: &str) -> Vec<(String, String)> {
    let own = BTreeMap::new();
    let grok = Grok::new(pattern, &Library::with(&own), "here").unwrap();
    grok.fields(text)
        .map(|fields| fields.into_iter().map(|(name, value)| (name, format!("{}:{}", value.letter(), value.to_text()))).collect())
        .unwrap_or_default()
}

fn value(pattern: &str, text: &str, field: &str) -> String {
    fields(pattern, text).into_iter().find(|(name, _)| name == field).map(|(_, value)| value).unwrap_or_default()
}

fn error(pattern: &str, own: &[(&str, &str)]) -> String {
    let own: BTreeMap<String, String> = own.iter().map(|(name, pattern)| ((*name).to_owned(), (*pattern).to_owned())).collect();
    Grok::new(pattern, &Library::with(&own), "here").unwrap_err().to_string()
}

#[test]
fn every_pattern_of_the_library_compiles() {
    let own = BTreeMap::new();
    for (name, _) in library::PATTERNS {
        Grok::new(&format!("^%{{{name}:all}}$"), &Library::with(&own), name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn patterns_match_what_their_names_say_and_nothing_else() {
    for (name, matches, misses) in [
        ("IP", &["10.0.0.1", "255.255.255.255", "::1", "2001:db8::8a2e:370:7334", "fe80::1%eth0", "::ffff:10.0.0.1"][..], &["256.0.0.1", "10.0.0", "x"][..]),
        ("IPORHOST", &["example.com", "db-1", "10.0.0.1"], &["a b", ""]),
        ("NUMBER", &["1", "-1.5", ".5", "+3."], &["x", "-", "1e"]),
        ("INT", &["0", "-12"], &["1.5", ""]),
        ("UUID", &["550e8400-e29b-41d4-a716-446655440000"], &["550e8400-e29b-41d4-a716"]),
        ("MAC", &["00:1B:44:11:3A:B7", "00-1B-44-11-3A-B7", "001B.4411.3AB7"], &["00:1B:44:11:3A"]),
        (
            "TIMESTAMP_ISO8601",
            &["2024-05-06T07:08:09.123Z", "2024-05-06 07:08:09,123", "2024-05-06T07:08:09+02:00", "2024-05-06 07:08"],
            &["2024-13-06T07:08:09Z", "06.05.2024"],
        ),
        ("HTTPDATE", &["06/May/2024:07:08:09 +0200"], &["06/05/2024:07:08:09 +0200"]),
        ("SYSLOGTIMESTAMP", &["May  6 07:08:09", "Oct 11 22:14:15"], &["2024 May 6"]),
        ("LOGLEVEL", &["INFO", "warn", "Warning", "ERROR", "error", "DEBUG", "crit", "FATAL"], &["hello"]),
        ("QS", &[r#""a \" b""#, "'x'"], &[r#""a"#]),
        ("URI", &["https://user:pw@example.com:8080/a/b?c=d&e=f", "http://10.0.0.1"], &["/a/b"]),
        ("PATH", &["/var/log/syslog", r"C:\Windows\system32"], &["var/log"]),
        ("EMAILADDRESS", &["a.b+c@example.com"], &["a.b", "@x"]),
        ("WORD", &["hello", "a_1"], &["a-b", ""]),
        ("MONTH", &["Jan", "December", "oct"], &["Foo"]),
        ("TIME", &["07:08:09.123", "23:59"], &["24:00:00", "7:8"]),
    ] {
        let pattern = format!("^%{{{name}:all}}$");
        for text in matches {
            assert_eq!(value(&pattern, text, "all"), format!("s:{text}"), "{name} {text:?}");
        }
        for text in misses {
            assert_eq!(value(&pattern, text, "all"), "", "{name} {text:?}");
        }
    }
}

#[test]
fn fields_have_the_names_and_types_they_are_given() {
    let text = "55.3.244.1 GET /index.html 15824 0.043 true";
    let found = fields("%{IP:client} %{WORD:[http][method]} %{URIPATHPARAM:request} %{NUMBER:bytes:int} %{NUMBER:duration:float} %{WORD:ok:bool}", text);
    let want =
        [("client", "s:55.3.244.1"), ("http.method", "s:GET"), ("request", "s:/index.html"), ("bytes", "i:15824"), ("duration", "d:0.043"), ("ok", "b:true")];
    assert_eq!(found, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(value("(?<queue_id>[0-9A-F]{10,11})", "BEF25A72965: message", "queue_id"), "s:BEF25A72965");
    assert_eq!(value("(?>%{WORD:a}) b", "x b", "a"), "s:x");
    // What does not fit its type stays text, and the first of two parts with one name counts.
    assert_eq!(value("%{WORD:n:int}", "abc", "n"), "s:abc");
    assert_eq!(value("(?:%{INT:n}|%{WORD:n})", "abc", "n"), "s:abc");
}

#[test]
fn compound_patterns_read_the_lines_of_their_documentation() {
    let line = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#;
    for (field, want) in [
        ("clientip", "s:127.0.0.1"),
        ("auth", "s:frank"),
        ("timestamp", "s:10/Oct/2000:13:55:36 -0700"),
        ("verb", "s:GET"),
        ("response", "i:200"),
        ("bytes", "i:2326"),
        ("agent", "s:\"Mozilla/4.08 [en] (Win98; I ;Nav)\""),
    ] {
        assert_eq!(value("%{COMBINEDAPACHELOG}", line, field), want);
    }
    let line = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\"] An application event";
    assert_eq!(value("%{SYSLOG5424LINE}", line, "syslog5424_msg"), "s:An application event");
    assert_eq!(value("%{SYSLOG5424LINE}", line, "syslog5424_app"), "s:evntslog");
    let line = "Mar 16 00:01:25 evita postfix/smtpd[1713]: connect from camomile.cloud9.net[168.100.1.3]";
    assert_eq!(value("%{SYSLOGLINE}", line, "program"), "s:postfix/smtpd");
    assert_eq!(value("%{SYSLOGLINE}", line, "pid"), "i:1713");
    let line = r#"Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1""#;
    assert_eq!(value("%{HAPROXYHTTP}", line, "http_status_code"), "i:200");
    assert_eq!(value("%{HAPROXYHTTP}", line, "http_request"), "s:/index.html");
    let line = "2014-11-03T18:28:32.450-0500 I NETWORK [initandlisten] waiting for connections on port 27017";
    assert_eq!(value("%{MONGO3_LOG}", line, "component"), "s:NETWORK");
    let line = "\tat org.apache.catalina.core.StandardWrapper.load(StandardWrapper.java:1234)";
    assert_eq!(value("%{JAVASTACKTRACEPART}", line, "line"), "i:1234");
    let line = "I1025 00:15:15.525108       1 httplog.go:79] GET /api/v1: (1.512ms) 404";
    assert_eq!(value("%{KLOG}", line, "file"), "s:httplog.go");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (pattern, own, want) in [
        ("%{NOPE:x}", &[][..], "here: no pattern \"NOPE\""),
        ("%{WORD:x:date}", &[], "no type \"date\""),
        ("%{WORD:x", &[], "no `}` after `%{`"),
        ("%{WORD}", &[], "no named field"),
        ("(?<!a)%{WORD:x}", &[], "looks around"),
        ("%{WORD:x}(", &[], "here: cannot read pattern"),
        ("%{A:x}", &[("A", "%{B}"), ("B", "%{A}")], "nested deeper"),
        (
            "%{A:x}",
            &[("A", "%{B}%{B}%{B}%{B}"), ("B", "%{C}%{C}%{C}%{C}%{C}%{C}%{C}%{C}"), ("C", "%{D}%{D}%{D}%{D}%{D}%{D}%{D}%{D}"), ("D", "%{IPV6}%{IPV6}%{IPV6}")],
            "bytes when its parts",
        ),
    ] {
        let found = error(pattern, own);
        assert!(found.contains(want), "{pattern}: {found}");
    }
    let own: BTreeMap<String, String> = [("QUEUE".to_owned(), "[0-9A-F]{10}".to_owned())].into();
    assert!(Grok::new("%{QUEUE:id}", &Library::with(&own), "here").unwrap().fields("ABCDEF0123").is_some());
}
