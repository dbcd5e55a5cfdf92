//! Quoted text, durations and the table of functions.

use signalbox_lang::promql::{AggregateOp, Function};
use signalbox_lang::text::{is_plain_label, quote, quote_char, read_quoted};
use signalbox_lang::{Span, duration};

#[test]
fn every_character_survives_quoting() {
    for character in (0..=0x10_ffff).filter_map(char::from_u32) {
        let text = format!("a{character}b");
        let quoted = quote(&text);
        let read = read_quoted(&quoted, 0).unwrap_or_else(|message| panic!("{quoted}: {message}"));
        assert_eq!((read.value, read.end), (text, quoted.len()));
        assert!(!quoted.contains('\n'));
    }
}

#[test]
fn quotes_as_go_does() {
    for (text, want) in [
        ("a\"b'c", r#""a\"b'c""#),
        ("\u{7}\u{1}\u{7f}", r#""\a\x01\x7f""#),
        ("\u{200b}", r#""\u200b""#),
        ("\u{e0001}", r#""\U000e0001""#),
        ("ä☺日", "\"ä☺日\""),
    ] {
        assert_eq!(quote(text), want);
    }
    assert_eq!(quote_char('\''), r"'\''");
}

#[test]
fn reads_a_literal_in_the_middle_of_a_text() {
    let read = read_quoted("{a=\"b\\\"c\"} 'd'", 3).unwrap();
    assert_eq!((read.value.as_str(), read.end), ("b\"c", 9));
    assert!(read_quoted("abc", 1).is_err());
    assert!(read_quoted("", 0).is_err());
    assert!(read_quoted("é", 1).is_err(), "an offset inside of a character is not a start");
}

#[test]
fn knows_names_that_need_no_quotes() {
    for (name, is_plain) in [("a", true), ("_1", true), ("A_z9", true), ("1a", false), ("", false), ("a:b", false), ("a.b", false), ("ä", false)] {
        assert_eq!(is_plain_label(name), is_plain, "{name:?}");
    }
}

#[test]
fn durations_round_trip() {
    for milliseconds in [0, 1, 999, 1000, 90_000, 3_600_000, 86_400_000, 604_800_000, 777_600_000, 31_536_000_000, 31_536_000_001, i64::MAX / 1_000_000] {
        let text = duration::format_ms(milliseconds);
        assert_eq!(duration::parse_ms(&text).unwrap(), milliseconds, "{text}");
        assert_eq!(duration::parse_signed_ns(&duration::format_ms(-milliseconds)).unwrap(), -milliseconds * 1_000_000);
    }
    assert_eq!(duration::format_ms(i64::MIN), "-106751991167d7h12m55s808ms");
}

#[test]
fn wrong_durations_say_why() {
    for (text, message) in [
        ("", "empty duration string"),
        ("5", "not a valid duration string: \"5\""),
        ("m", "not a valid duration string: \"m\""),
        ("5é", "unknown unit \"é\" in duration \"5é\""),
        ("1s1m", "not a valid duration string: \"1s1m\""),
        ("1m1m", "not a valid duration string: \"1m1m\""),
        ("99999999999999999999s", "not a valid duration string: \"99999999999999999999s\""),
        ("18446744073709551615y", "duration out of range"),
        ("292y300d", "duration out of range"),
    ] {
        assert_eq!(duration::parse_ns(text).unwrap_err().to_string(), message, "{text:?}");
    }
}

#[test]
fn positions_count_lines_and_bytes_from_one() {
    for (offset, want) in [(0, "1:1"), (3, "1:4"), (4, "2:1"), (7, "2:4"), (99, "2:5")] {
        assert_eq!(Span::new(offset, offset).position("ä1\nä45").to_string(), want, "{offset}");
    }
}

#[test]
fn the_table_of_functions_is_complete_and_in_order() {
    assert_eq!(Function::ALL.len(), 90, "Prometheus 3.14 has so many");
    assert!(Function::ALL.is_sorted_by_key(|function| function.as_str()));
    for function in Function::ALL {
        let signature = function.signature();
        assert_eq!(Function::from_name(signature.name), Some(*function));
        assert!(signature.args_max().is_none_or(|most| most >= signature.args_min()));
    }
    assert_eq!(Function::from_name("RATE"), None);
    assert!(AggregateOp::ALL.is_sorted_by_key(|op| op.as_str()));
}
