//! Patterns of lines, and what holds of all of them.

use super::*;

#[test]
fn what_varies_becomes_a_variable() {
    let cases = [
        ("", ""),
        ("  \n ", ""),
        ("health check passed", "health check passed"),
        ("user 42 logged in from 10.0.3.4 using session 9f86d081884c7d65", "user <_> logged in from <_> using session <_>"),
        ("order ORD-00120034 created for user 7, 3 items, total 89.90 EUR", "order ORD-<_> created for user <_>, <_> items, total <_> EUR"),
        ("payment 0190b6c4-abcd-7cde-bbbb-aaaaaaaaaaaa authorized in 12ms", "payment <_> authorized in <_>"),
        ("payment deadbeef-abcd-4cde-bbbb-aaaaaaaaaaaa authorized", "payment <_> authorized"),
        ("2026-11-26T16:02:03.123456Z INFO started", "<_> INFO started"),
        ("2026-11-26T16:02:03.123456+01:00 INFO started", "<_> INFO started"),
        (
            "GET http://cart.shop.svc:8080/api/v1/users/4711/profile returned 200 in 3ms",
            "GET http://cart.shop.svc:<_>/api/v1/users/<_>/profile returned <_> in <_>",
        ),
        (r#"10.1.2.3 "GET /api/v1/items/17 HTTP/1.1" 200 5123 17ms"#, r#"<_> "GET /api/v1/items/<_> HTTP/<_>" <_> <_> <_>"#),
        ("opened connection #17 to postgres at 10.1.2.3:5432", "opened connection #<_> to postgres at <_>"),
        ("offset -17 and +4, range 3-5, list [1,2,3]", "offset <_> and <_>, range <_>, list [<_>]"),
        ("request id=17 user=alice took 5ms", "request id=<_> user=<_> took <_>"),
        (r#"level=info msg="user 17 is \"in\"" path=/a/b?c=d caller=x.go:12 ok=true"#, r#"level=info msg="user <_> is \"in\"" path=<_> caller=<_> ok=<_>"#),
        ("SELECT * FROM orders WHERE user_id = 17 AND status = 'open' LIMIT 3", "SELECT * FROM orders WHERE user_id = <_> AND status = '<_>' LIMIT <_>"),
        ("can't open the users' file \"a b\" for \"alice\"", "can't open the users' file \"a b\" for \"<_>\""),
        (
            r#"{"level":"info","msg":"took 5 ms","n":17,"ok":true,"who":"alice","tags":["a",["b"]],"in":{"x":null}}"#,
            r#"{"level":"info","msg":"took <_> ms","n":<_>,"ok":<_>,"who":"<_>","tags":<_>,"in":{"x":<_>}}"#,
        ),
        (r#"{"level": "warn", "n": -1.5e-7, "tags": [1, 2]}"#, r#"{"level": "warn", "n": <_>, "tags": [<_>, <_>]}"#),
        (r#"sent {"id":17,"name":"bob"} away"#, r#"sent {"id":<_>,"name":"<_>"} away"#),
        ("failed: boom 17\n\tat com.shop.A.b(A.java:3)\n\tat x", "failed: boom <_>"),
        ("failed: boom\n\tat com.shop.A.b(A.java:3)", "failed: boom<_>"),
        ("größe 17 überschritten", "größe <_> überschritten"),
        ("column      5 of    17", "column <_> of <_>"),
        ("abcdefghijklmnopqrstuvwxyzabcdefghij is long", "<_> is long"),
        ("\"unclosed 17", "\"unclosed <_>"),
        ("a='b c' x=\"", "a='b c' x=\""),
    ];
    for (line, want) in cases {
        let got = of(line);
        assert!(finds(&got, line.trim_ascii()), "{got:?} does not find {line:?}");
        assert_eq!(got, want, "{line:?}");
    }
}

/// Whether the text between the variables is in the line, in its order, from its start to its end.
fn finds(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split(VARIABLE);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let Some(at) = rest.get(first..).filter(|_| first > 0).and_then(|behind| behind.find(part)) else { return false };
        rest = &rest[first + at + part.len()..];
    }
    rest.ends_with(last) && (rest.len() > last.len())
}

#[test]
fn patterns_are_short_and_whole_characters() {
    for line in [
        "größe über alles ".repeat(200),
        "x".repeat(10_000),
        "{\"ключ\":".repeat(900),
        "a=1 ".repeat(3000),
        "[".repeat(5000),
        "\"\\".repeat(3000),
        "ä\n".repeat(40),
    ] {
        let pattern = of(&line);
        assert!(pattern.len() <= PATTERN_BYTES_MAX, "{} bytes", pattern.len());
    }
}

#[test]
fn random_lines_are_found_by_their_patterns() {
    let pieces =
        [" ", "17", "user", "\"", "'", "=", ":", "{", "}", "[", "]", "\\", "-", "+", ".", ",", "level", "msg", "ab12", "ü", "true", "\n", "/v1", "<_>", "  "];
    let mut state = 7u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for _ in 0..30_000 {
        let line: String = (0..below(14)).map(|_| pieces[below(pieces.len())]).collect();
        let pattern = of(&line);
        if !line.contains(VARIABLE) {
            assert!(finds(&pattern, line.trim_ascii()), "{pattern:?} does not find {line:?}");
        }
        assert!(pattern.len() <= PATTERN_BYTES_MAX);
    }
}
