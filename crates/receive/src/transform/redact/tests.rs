use std::borrow::Cow;

use signalbox_model::attributes::AttributeValue;

use super::Redactor;
use crate::logs::Record;
use crate::transform::{Redact, RedactAction, RedactPattern};

fn redacted(settings: &Redact, text: &str) -> String {
    let mut record = Record { body: Some(Cow::Borrowed(text)), ..Record::default() };
    Redactor::new(settings, "here").unwrap().run(&mut record);
    record.body.unwrap().into_owned()
}

fn detect(names: &[&str]) -> Redact {
    Redact { detect: names.iter().map(|name| (*name).to_owned()).collect(), ..Redact::default() }
}

#[test]
fn detectors_find_what_they_are_named_for() {
    for (name, text, want) in [
        ("credit_card", "paid with 4111 1111 1111 1111.", "paid with [credit_card]."),
        ("credit_card", "visa=4111111111111111, amex 378282246310005", "visa=[credit_card], amex [credit_card]"),
        ("credit_card", "5555-5555-5555-4444 2223003122003222", "[credit_card] [credit_card]"),
        ("credit_card", "30569309025904 6011111111111117 3530111333300000", "[credit_card] [credit_card] [credit_card]"),
        ("email", "from Anna <anna.b+x@mail.example.co.uk>!", "from Anna <[email]>!"),
        ("ipv4", "client 10.0.0.1:8080, 192.168.1.254.", "client [ipv4]:8080, [ipv4]."),
        ("ipv6", "from 2001:db8::8a2e:370:7334 and [::1]:80 fe80::1", "from [ipv6] and [[ipv6]]:80 [ipv6]"),
        ("ipv6", "1:2:3:4:5:6:7:8 ::ffff:10.1.2.3", "[ipv6] [ipv6]"),
        ("bearer_token", "Authorization: Bearer abc.def-123456", "Authorization: Bearer [bearer_token]"),
        ("bearer_token", "authorization: basic dXNlcjpwYXNz", "authorization: basic [bearer_token]"),
        ("jwt", "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P;", "t=[jwt];"),
        ("aws_key", "key AKIAIOSFODNN7EXAMPLE used", "key [aws_key] used"),
        ("aws_key", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [aws_key]"),
        ("private_key", "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nxx\n-----END RSA PRIVATE KEY----- b", "a [private_key] b"),
        ("private_key", "-----BEGIN PRIVATE KEY-----\nMIIE cut off", "[private_key]"),
        ("password", r#"{"user":"a","password":"hun\"ter2","x":1}"#, r#"{"user":"a","password":"[password]","x":1}"#),
        ("password", "password=hunter2&api_key: abc, pwd='x y'", "password=[password]&api_key: [password], pwd='[password]'"),
    ] {
        assert_eq!(redacted(&detect(&[name]), text), want, "{name}: {text}");
    }
}

#[test]
fn what_only_resembles_a_secret_stays() {
    for (name, text) in [
        ("credit_card", "4111111111111112"),
        ("credit_card", "1700000000000000000 1234567890123456 id4111111111111111"),
        ("credit_card", "0.4111111111111111"),
        ("email", "user@host @example.com a@b.c"),
        ("ipv4", "version 1.2.3.4.5, 256.1.1.1, 1.2.3"),
        ("ipv6", "at 12:34:56, std::fmt::Display, a::b, 00:1B:44:11:3A:B7, ::"),
        ("bearer_token", "the bearer of news"),
        ("jwt", "eyJ.x.y"),
        ("aws_key", "AKIA123 XAKIAIOSFODNN7EXAMPLE"),
        ("private_key", "-----BEGIN CERTIFICATE-----"),
        ("password", "password reset, the secret of life"),
    ] {
        assert_eq!(redacted(&detect(&[name]), text), text, "{name}");
    }
}

#[test]
fn attributes_are_looked_through_with_what_they_hold() {
    let settings = Redact { names: vec!["*token*".into()], ..detect(&["email", "credit_card"]) };
    let map = AttributeValue::Map(vec![("to".into(), AttributeValue::Array(vec![AttributeValue::String("a@b.example".into())]))]);
    let mut record = Record {
        attributes: vec![("mail".into(), map), ("card".into(), AttributeValue::Int(4_111_111_111_111_111)), ("my_token_1".into(), AttributeValue::Int(7))],
        ..Record::default()
    };
    Redactor::new(&settings, "here").unwrap().run(&mut record);
    let shown: Vec<String> = record.attributes.iter().map(|(name, value)| format!("{name}={}", value.to_text())).collect();
    assert_eq!(shown, [r#"mail={"to":["[email]"]}"#, "card=[credit_card]", "my_token_1=[secret]"]);
}

#[test]
fn actions_replace_hash_and_cut_out() {
    let all = detect(&["email"]);
    assert_eq!(redacted(&Redact { replacement: "***".into(), ..all.clone() }, "x a@b.example y"), "x *** y");
    assert_eq!(redacted(&Redact { action: RedactAction::Drop, ..all.clone() }, "x a@b.example y"), "x  y");
    let hash = Redact { action: RedactAction::Hash, hash_key: "k".into(), ..all.clone() };
    let found = redacted(&hash, "a@b.example a@b.example c@d.example");
    let parts: Vec<&str> = found.split(' ').collect();
    assert!(parts[0] == parts[1] && parts[0] != parts[2] && parts[0].starts_with("[email:") && parts[0].len() == 32, "{found}");
    assert_ne!(redacted(&Redact { hash_key: "other".into(), ..hash }, "a@b.example"), parts[0]);
    let own = Redact { patterns: vec![RedactPattern { name: "order".into(), pattern: "order-([0-9]+)".into() }], ..Redact::default() };
    assert_eq!(redacted(&own, "order-17 is order-18"), "order-[order] is order-[order]");
    let fields = Redact { fields: vec!["a".into()], ..all };
    let mut record =
        Record { body: Some("a@b.example".into()), attributes: vec![("a".into(), AttributeValue::String("a@b.example".into()))], ..Record::default() };
    Redactor::new(&fields, "here").unwrap().run(&mut record);
    assert_eq!((record.body.as_deref(), record.attributes[0].1.to_text()), (Some("a@b.example"), "[email]".into()));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let pattern = |name: &str, pattern: &str| Redact { patterns: vec![RedactPattern { name: name.into(), pattern: pattern.into() }], ..Redact::default() };
    for (settings, want) in [
        (Redact::default(), "here: want detect, patterns or names"),
        (detect(&["emails"]), "here.detect[0]: no detector \"emails\": want one of credit_card"),
        (pattern("x", "("), "here.patterns[0].pattern: cannot read pattern"),
        (pattern("", "x"), "here.patterns[0].name"),
        (pattern("x", "a*"), "matches the empty text"),
        (Redact { action: RedactAction::Hash, ..detect(&["email"]) }, "here.hash_key"),
        (Redact { names: vec!["[".into()], ..Redact::default() }, "here.names[0]"),
    ] {
        let error = Redactor::new(&settings, "here").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
