//! `signalbox test rules`, with the words and exit codes of `promtool test rules`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use regex::Regex;
use signalbox_alert::rule_file::{self, Group};
use signalbox_alert::unit_test::{self, Comparison, Options, Suite, TestFile};
use signalbox_model::{Error, Labels, Result, Tenant};

use super::laboratory;
use crate::cli::say;

/// A test failed, or could not run.
const FAILED: u8 = 1;

/// What the command line says.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files with tests.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Runs only tests whose names match the regular expression; may be given more than once.
    #[arg(long, value_name = "REGEX")]
    run: Vec<String>,
    /// Shows what is missing and what is too much, line by line.
    #[arg(long)]
    diff: bool,
    /// Writes the outcome as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Shows all data at the end of each test.
    #[arg(long)]
    debug: bool,
    /// Passes over keys that no rule file has; the server refuses them.
    #[arg(long)]
    ignore_unknown_fields: bool,
    /// An external label of tests that name none, as `name=value`; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    external_label: Vec<(String, String)>,
    /// The external URL of tests that name none.
    #[arg(long, value_name = "URL", default_value = "")]
    external_url: String,
    /// In tests in the words of vmalert-tool, alerts do not get the label `alertgroup`.
    #[arg(long)]
    disable_alertgroup_label: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "want name=value".to_owned())
}

/// Runs the tests of files.
///
/// # Errors
/// If a regular expression is none, or nobody can be told.
pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let filter = match arguments.run.as_slice() {
        [] => None,
        patterns => Some(Regex::new(&patterns.join("|")).map_err(|error| Error::invalid(format!("cannot use --run: {error}")))?),
    };
    let mut suites = Vec::new();
    for file in &arguments.files {
        say(&format!("Unit Testing:  {}", file.display()))?;
        let suite = arguments.run_file(file, filter.as_ref()).await?;
        if suite.is_failed() {
            let mut failures: Vec<&str> = suite.abort.iter().map(String::as_str).collect();
            failures.extend(suite.outcomes.iter().flat_map(|outcome| &outcome.failures).map(String::as_str));
            warn(&format!("  FAILED:\n{}\n", failures.join("\n\n")))?;
        } else {
            say("  SUCCESS")?;
        }
        say("")?;
        suites.push(suite);
    }
    if let Some(path) = &arguments.junit {
        let cannot = |source| Error::unavailable(format!("cannot write {}", path.display())).with_source(source);
        std::fs::write(path, unit_test::junit(&suites)).map_err(cannot)?;
    }
    Ok(if suites.iter().any(Suite::is_failed) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

impl Arguments {
    fn options(&self) -> Options {
        Options {
            comparison: if self.diff { Comparison::Difference } else { Comparison::Whole },
            with_dump: self.debug,
            external_labels: Labels::from_pairs(self.external_label.iter().map(|(name, value)| (name, value))),
            external_url: self.external_url.trim_end_matches('/').to_owned(),
            without_group_label: self.disable_alertgroup_label,
        }
    }

    async fn run_file(&self, path: &Path, filter: Option<&Regex>) -> Result<Suite> {
        let mut suite = Suite { file: path.display().to_string(), ..Suite::default() };
        let read = rule_file::read(path).and_then(|text| unit_test::read(&text)).and_then(|file| Ok((self.rule_paths(path, &file)?, file)));
        let (paths, mut file) = match read {
            Ok(read) => read,
            Err(error) => {
                suite.abort = Some(error.message().to_owned());
                return Ok(suite);
            }
        };
        let groups = self.groups(&paths);
        let (laboratory, store) = laboratory::open(file.subquery_step_ms()).await?;
        for (index, test) in std::mem::take(&mut file.tests).into_iter().enumerate() {
            // A test without a name matches what the empty text matches.
            if filter.is_some_and(|filter| !filter.is_match(test.given_name())) {
                continue;
            }
            let outcome = match &groups {
                Ok(groups) => {
                    let tenant = Tenant::new(&format!("test-{index}"))?;
                    unit_test::run(&file, groups, test, &laboratory, &tenant, &self.options()).await
                }
                Err(error) => unit_test::Outcome { name: test.name, failures: vec![error.message().to_owned()], dump: None },
            };
            if let Some(dump) = &outcome.dump {
                warn(&format!("DEBUG: test {}: {dump}", outcome.name))?;
            }
            suite.outcomes.push(outcome);
        }
        store.close().await?;
        Ok(suite)
    }

    /// The rule files of a file with tests, relative ones beside it.
    fn rule_paths(&self, path: &Path, file: &TestFile) -> Result<Vec<PathBuf>> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut paths = Vec::new();
        for pattern in &file.rule_files {
            let pattern = folder.join(pattern).display().to_string();
            let found = rule_file::find(std::slice::from_ref(&pattern))?;
            if found.is_empty() {
                warn(&format!("  WARNING: no file match pattern {pattern}"))?;
            }
            paths.extend(found);
        }
        Ok(paths)
    }

    fn groups(&self, paths: &[PathBuf]) -> Result<Vec<Group>> {
        let (mut groups, mut problems) = (Vec::new(), Vec::new());
        for path in paths {
            let name = path.display().to_string();
            let parse = if self.ignore_unknown_fields { rule_file::parse_leniently } else { rule_file::parse };
            match rule_file::read(path).and_then(|text| parse(&name, &text)) {
                Ok(more) => groups.extend(more),
                Err(error) => problems.push(error.message().to_owned()),
            }
        }
        if problems.is_empty() { Ok(groups) } else { Err(Error::invalid(problems.join("\n"))) }
    }
}

fn warn(text: &str) -> Result<()> {
    writeln!(std::io::stderr(), "{text}").map_err(|source| Error::unavailable("cannot write to standard error").with_source(source))
}
