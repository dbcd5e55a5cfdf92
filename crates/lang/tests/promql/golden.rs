//! Our own queries: what they print as, and what is said about wrong ones. `BLESS=1` rewrites the files: read the diff.
//!
//! A case is two lines, the query and the answer; `⏎` stands for a line break in the query.

use std::fmt::Write as _;

use signalbox_lang::promql;

fn check(name: &str, answer: impl Fn(&str) -> Result<String, String>) {
    let path = format!("{}/testdata/promql/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines().peekable();
    let (mut blessed, mut cases, mut failures) = (String::new(), 0, Vec::new());
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with("## ") {
            writeln!(blessed, "{line}").unwrap();
            continue;
        }
        let want = lines.next_if(|next| next.starts_with("    ")).map(str::trim_start);
        let found = answer(&line.replace('⏎', "\n")).unwrap_or_else(|problem| {
            failures.push(problem);
            String::new()
        });
        if want != Some(found.as_str()) && std::env::var("BLESS").is_err() {
            failures.push(format!("{line}\n    {found}\nwant\n    {want:?}"));
        }
        writeln!(blessed, "{line}\n    {found}").unwrap();
        cases += 1;
    }
    signalbox_testkit::conformance::report(&path, cases, &failures);
    if std::env::var("BLESS").is_ok() {
        std::fs::write(&path, &blessed).unwrap();
    }
}

#[test]
fn valid_queries_print_canonically() {
    check("valid.txt", |query| {
        let expr = promql::parse(query).map_err(|error| format!("{query:?}: {error}"))?;
        super::conformance::round_trip(query, &expr).map_or(Ok(expr.to_string()), Err)
    });
}

#[test]
fn invalid_queries_say_where_and_why() {
    check("invalid.txt", |query| match promql::parse(query) {
        Ok(expr) => Err(format!("{query:?} is accepted as {expr}")),
        Err(error) => Ok(error.to_string()),
    });
}
