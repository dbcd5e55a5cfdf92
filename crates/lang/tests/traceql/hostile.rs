//! Queries that mean harm: refused or read, quickly, on a small stack.

use std::time::{Duration, Instant};

use signalbox_lang::traceql::{Class, NESTING_MAX, NODES_MAX, parse_classified};

/// Half of what a worker thread has, so that there is room for whoever calls the parser.
const STACK_BYTES: usize = 1 << 20;
/// Far more than any of these takes, even unoptimised on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parses, copies, compares and prints on a small stack.
fn class_of(query: &str) -> Option<Class> {
    let query = query.to_owned();
    let run = move || {
        let start = Instant::now();
        let parsed = parse_classified(&query).map(|parsed| {
            assert!(parsed.clone() == parsed);
            parsed.to_string().len()
        });
        assert!(start.elapsed() < PATIENCE, "{} bytes take {:?}", query.len(), start.elapsed());
        parsed.err().map(|failure| failure.class)
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap()
}

#[test]
fn bounds_the_depth() {
    let nests: [(&str, &str, &str); 7] = [
        ("{", "(", ".a"),
        ("{", "!", ".a"),
        ("{", "-", "1 = 1"),
        ("{", ".a ^ ", "1 = 1"),
        ("", "(", "{}"),
        ("", "({} && ", "{}"),
        ("{} | rate() > ", "-", "1"),
    ];
    for (start, open, rest) in nests {
        let nested = |levels: usize| {
            let close = ")".repeat(if open.contains('(') { levels } else { 0 });
            let after = if start == "{" { "}" } else { "" };
            format!("{start}{}{rest}{close}{after}", open.repeat(levels)).replace(".a)", ".a )").replace(".a}", ".a }")
        };
        assert_eq!(class_of(&nested(20)), None, "{}", nested(20));
        assert_eq!(class_of(&nested(NESTING_MAX + 1)), Some(Class::TooLarge), "{open:?}");
        assert_eq!(class_of(&nested(9_000)), Some(Class::TooLarge), "{open:?}");
    }
}

#[test]
fn bounds_the_height_of_chains() {
    let chains = [
        ("{ .a", " && .a", " }"),
        ("{ .a", " + .a", " = 1 }"),
        ("{ .a = 1", " || .b = 1", " }"),
        ("{}", " >> {}", ""),
        ("{}", " | {}", ""),
        ("1", " + 1", " + ({} | rate())"),
        ("({} | rate())", " + ({} | rate())", ""),
        ("{} | rate()", " > 1", ""),
        ("{} | select(.a", ", .a", ")"),
        ("{} with(a=1", ", a=1", ")"),
        ("{} | quantile_over_time(.a, 1", ", 1", ")"),
    ];
    for (start, link, end) in chains {
        let chained = |links: usize| format!("{start}{}{end}", link.repeat(links));
        assert_eq!(class_of(&chained(NODES_MAX / 2 - 2)), None, "{link:?}");
        assert_eq!(class_of(&chained(NODES_MAX + 1)), Some(Class::TooLarge), "{link:?}");
    }
}

#[test]
fn refuses_junk_fast() {
    let texts = [
        format!("{{.{}", "a".repeat(60_000)),
        "{\"".repeat(20_000),
        "/*".repeat(30_000),
        "1".repeat(60_000),
        "1.".repeat(30_000),
        "{ 1s1s1s1s".repeat(6_000),
        ".a".repeat(30_000),
        "\"\\".repeat(30_000),
        "1 && ".repeat(12_000),
        format!("{{ `{}` {} }}", "x".repeat(50_000), "&& 1".repeat(1_900)),
    ];
    for text in texts {
        assert!(class_of(&text).is_some(), "{}", &text[..20]);
    }
}
