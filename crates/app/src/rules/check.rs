//! `signalbox check rules`, with the words and exit codes of `promtool check rules`.

use std::io::Read as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use signalbox_alert::limits::FILE_BYTES_MAX;
use signalbox_alert::rule_file::{self, Checked, DuplicateRule, UnknownFields};
use signalbox_model::{Error, Result};

use crate::cli::say;

/// Something is wrong with a file.
const FAILED: u8 = 1;
/// Something is allowed and seldom meant.
const LINT: u8 = 3;

/// What the command line says.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files or patterns; standard input if there is none.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// What is looked for beside errors.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "duplicate-rules")]
    lint: Vec<Lint>,
    /// Ends with 3 if there is something to say about a file without errors.
    #[arg(long)]
    lint_fatal: bool,
    /// Passes over keys that no rule file has; the server refuses them.
    #[arg(long)]
    ignore_unknown_fields: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lint {
    /// Everything.
    All,
    /// Rules with equal names and labels.
    DuplicateRules,
    /// Nothing in rule files: it is about `check config`.
    TooLongScrapeInterval,
    /// Nothing.
    None,
}

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Good,
    Odd,
    Bad,
}

/// Checks files.
///
/// # Errors
/// If nobody can be told.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.lint.contains(&Lint::None) && arguments.lint.len() > 1 {
        return Err(Error::invalid("cannot use --lint: \"none\" with others: want one or the other"));
    }
    let mut worst = Outcome::Good;
    if arguments.files.is_empty() {
        say("Checking standard input")?;
        worst = arguments.check("standard input", read_input())?;
    }
    for pattern in &arguments.files {
        let paths = match rule_file::find(std::slice::from_ref(pattern)) {
            Ok(paths) => paths,
            Err(error) => {
                say(&format!("Checking {pattern}"))?;
                worst = worst.max(arguments.check(pattern, Err(error))?);
                continue;
            }
        };
        for path in paths {
            let name = path.display().to_string();
            say(&format!("Checking {name}"))?;
            worst = worst.max(arguments.check(&name, rule_file::read(&path))?);
        }
    }
    Ok(match worst {
        Outcome::Bad => ExitCode::from(FAILED),
        Outcome::Odd if arguments.lint_fatal => ExitCode::from(LINT),
        Outcome::Odd | Outcome::Good => ExitCode::SUCCESS,
    })
}

impl Arguments {
    fn check(&self, name: &str, text: Result<String>) -> Result<Outcome> {
        let text = match text {
            Ok(text) => text,
            Err(error) => return fail(&[error.message().to_owned()], Outcome::Bad),
        };
        let unknown = if self.ignore_unknown_fields { UnknownFields::Ignored } else { UnknownFields::Refused };
        let Checked { groups, problems } = rule_file::check(name, &text, unknown);
        if !problems.is_empty() {
            let lines: Vec<String> = problems.iter().map(|problem| format!("{name}: {problem}")).collect();
            return fail(&lines, Outcome::Bad);
        }
        let looks_for_duplicates = self.lint.iter().any(|lint| matches!(lint, Lint::All | Lint::DuplicateRules));
        let duplicates = if looks_for_duplicates { rule_file::duplicates(&groups) } else { Vec::new() };
        if !duplicates.is_empty() {
            return fail(&[describe(&duplicates)], Outcome::Odd);
        }
        let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
        say(&format!("  SUCCESS: {rules} rules found\n"))?;
        Ok(Outcome::Good)
    }
}

fn read_input() -> Result<String> {
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("standard input: {why}"));
    let (mut text, limit) = (String::new(), FILE_BYTES_MAX);
    std::io::stdin().lock().take(limit + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > limit { Err(cannot(&format!("want at most {limit} bytes"))) } else { Ok(text) }
}

fn fail(lines: &[String], outcome: Outcome) -> Result<Outcome> {
    let told = writeln!(std::io::stderr(), "  FAILED:\n{}", lines.join("\n"));
    told.map_err(|source| Error::unavailable("cannot write to standard error").with_source(source))?;
    say("")?;
    Ok(outcome)
}

fn describe(duplicates: &[DuplicateRule]) -> String {
    let mut text = format!("lint error {} duplicate rule(s) found.\n", duplicates.len());
    for duplicate in duplicates {
        text.push_str(&format!("Metric: {}\nLabel(s):\n", duplicate.name));
        for (name, value) in &duplicate.labels {
            text.push_str(&format!("\t{name}: {value}\n"));
        }
    }
    text + "Might cause inconsistency while recording expressions"
}
