//! Every fuzz target, briefly and on stable: good texts, damaged.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use signalbox_testkit::mutate;

const MUTANTS: usize = 3_000;

/// Pieces that the grammars care about.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "`",
    "'",
    "\\",
    "=",
    "!",
    "~",
    "|",
    "||",
    "&&",
    ".",
    ",",
    "-",
    "@",
    "1e",
    "0x",
    "9999999999999999999",
    "5m",
    ":",
    " or ",
    " by (",
    " offset ",
    "#",
    "\n",
    "\u{e9}",
    "vector(",
    "sum",
    "nil",
];

/// The same for TraceQL.
const TRACEQL_PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "\"",
    "`",
    "\\",
    "=",
    "!=",
    "!",
    "~",
    "=~",
    "|",
    "||",
    "&&",
    ">",
    ">>",
    "!<",
    "&<<",
    "&~",
    ".",
    ",",
    "-",
    "^",
    "%",
    "*",
    "1e",
    "9e99",
    "maxInt",
    "9223372036854775807",
    "1d2h",
    ".5s",
    "µs",
    "span.",
    "event:",
    "link:traceID",
    "parent.",
    "nil",
    "true",
    "error",
    "count()",
    "by(",
    "rate()",
    "//",
    "/*",
    "*/",
    "\n",
    "\u{e9}",
    " with(",
    "duration",
    "topk(1)",
    "avg(",
];

#[test]
fn promql() {
    let seeds = [
        "sum by (job, \"a b\") (rate(http_requests_total{code=~\"5..\", job!=\"x\"}[5m] offset -1h)) / on (job) group_left (le) up @ end() > bool 0.5",
        "histogram_quantile(0.9, sum without (pod) (rate({\"a.b\"}[1h:30s] @ 1609746000))) and -topk(3, a) ^ 2 ^ atan2(b)",
        "label_replace(up, \"a\", '$1', `b`, \"(.*)\") unless ignoring () absent_over_time(x[2w3d])",
    ];
    mutate::texts(&seeds, PIECES, MUTANTS, bodies::promql);
}

#[test]
fn matchers() {
    mutate::texts(&["up{a=\"b\",c!~\"d|e\"}", "{__name__=~'a.*', \"x y\"!=`z`, le=\"\",}"], PIECES, MUTANTS, bodies::matchers);
}

#[test]
fn matcher_regex() {
    const PIECES: &[&str] =
        &["(", ")", "[", "]", "{", "}", "*", "+", "?", "|", "^", "$", ".", "\\", "(?i)", "(?P<a>", "\\p{L}", "{1000}", "[[:alpha:]]", "\\Q", "\\E", "\u{e9}"];
    let seeds = ["(?i:GET|POST) /api/v[0-9]+/.*", "[^\\pL\\d_-]{2,5}\\b(a|b+?)*\\x{10FFFF}\\z", "\\Qa.b\\E(?P<n>(?s).)$", "((a{1,20}){1,20}){1,20}"];
    // Compiling one may take as long as its size limit allows.
    mutate::texts(&seeds, PIECES, MUTANTS / 10, bodies::matcher_regex);
}

#[test]
fn logql() {
    let seeds = [
        "{a=\"b\", c=~\"d|e\"} |= \"x\" or `y` !~ \"z\\u00e9\" # c",
        "(vector(1) + vector(-2.5e3)) / vector(7)",
        "sum(rate({a=\"b\"} | json [5m]))",
        "vector(1e999)",
        "{a=\"b\"} |> \"<_>x\" |= ip(\"10.0.0.0/8\") | logfmt --strict c, d=\"e\" | (f > 5 or g<=1.5h) h!=2KiB, i=ip(\"::1\") | drop j,k=~\"l\"",
        "{a=\"b\"} | regexp \"(?P<m>\\\\w)\" | pattern `<m> <_>` | line_format `{{.c}}` | label_format d=e,f=\"{{.g}}\" | keep h | decolorize",
        "topk by (c) (5, quantile_over_time(.9, {a=\"b\"} | unwrap bytes(c) | d=\"\" [1w]) without (e)) / on(c) group_left(d) (2 ^ 3 ^ -2)",
        "label_replace(count_over_time(({a=\"b\"})[5m] offset -1h), \"a\", \"$1\", \"c\", \"(.*)\") == bool vector(0)",
    ];
    mutate::texts(&seeds, PIECES, MUTANTS, bodies::logql);
}

#[test]
fn traceql() {
    let seeds = [
        "{ resource.service.name = \"shop\" && (name =~ `GET .*` || .\"a b\" != nil) }",
        "{ duration > 1.5ms && status = error } | count() > 1e-3",
        "{ .a > 1e999 }",
        "({ event:name = `x` } >> { !span:childCount ^ -2 % 3 = 1s } | by(.a - resource.\"b c\".d) | avg(duration) >= 2d | coalesce() | select(.a, name)) &~ {}",
        "({} | quantile_over_time(duration, 0, .5, 1) by (name, .x) | topk(3) > 10s) * -2.5 / (1 + {nil != .a} | compare({ kind = server }, 5, 1, 2)) with(most_recent=true)",
    ];
    mutate::texts(&seeds, TRACEQL_PIECES, MUTANTS, bodies::traceql);
}

#[test]
fn search() {
    const PIECES: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\",
        "/",
        ":",
        "*",
        "?",
        "-",
        "!",
        "+",
        "|",
        "||",
        "&&",
        "<",
        ">",
        "=",
        "^",
        "~",
        " TO ",
        " AND ",
        " OR ",
        "NOT ",
        " ",
        "\n",
        "\u{e9}",
        "_exists_:",
        "a",
    ];
    let seeds = [
        "service:checkout level:error \"timed out\" -path:/health status:>=500 (a OR b*)",
        "duration:[10 TO \"20\"} field:(a OR -b) message:/a\\/b.c/ _exists_:x http\\://x",
        "+a -b | c~2 \"d e\"^3 my\\ field:x?y*",
    ];
    mutate::texts(&seeds, PIECES, MUTANTS, bodies::search);
}

#[test]
fn durations() {
    const PIECES: &[&str] = &["ms", "s", "m", "h", "d", "w", "y", "us", "ns", "\u{b5}s", ".", "-", "+", "0", "9", "106751d", "292y", "e"];
    mutate::texts(&["1y2w3d4h5m6s7ms", "-1.5h3m0.25s", "0", "106751d23h47m16s854ms"], PIECES, MUTANTS, bodies::durations);
}
