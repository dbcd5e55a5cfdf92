//! The outcome of tests as JUnit's XML, for the machines that build.

use std::fmt::Write as _;

use super::run::Outcome;

/// The outcome of one file.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// Path of the file.
    pub file: String,
    /// Why none of its tests ran.
    pub abort: Option<String>,
    /// The tests that ran.
    pub outcomes: Vec<Outcome>,
}

impl Suite {
    /// Whether something went wrong.
    pub fn is_failed(&self) -> bool {
        self.abort.is_some() || self.outcomes.iter().any(|outcome| !outcome.failures.is_empty())
    }
}

/// The XML of all files.
pub fn junit(suites: &[Suite]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for suite in suites {
        let failures = suite.outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count();
        let errors = usize::from(suite.abort.is_some());
        write_line(
            &mut xml,
            format_args!("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\">", escaped(&suite.file), suite.outcomes.len()),
        );
        if let Some(abort) = &suite.abort {
            write_line(&mut xml, format_args!("    <system-err>{}</system-err>", escaped(abort)));
        }
        for outcome in &suite.outcomes {
            write_line(&mut xml, format_args!("    <testcase name=\"{}\">", escaped(&outcome.name)));
            for failure in &outcome.failures {
                write_line(&mut xml, format_args!("      <failure message=\"{0}\">{0}</failure>", escaped(failure)));
            }
            xml.push_str("    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn write_line(xml: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _written = writeln!(xml, "{line}");
}

/// Text and attribute values; characters that XML cannot have are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#xA;"),
            '\t' => escaped.push_str("&#x9;"),
            '\r' => escaped.push_str("&#xD;"),
            control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_escaped() {
        let failed = Outcome { name: "a<b".into(), failures: vec!["got \"x\"\n\u{1}&".into()], dump: None };
        let suites = [
            Suite { file: "t.yml".into(), abort: None, outcomes: vec![failed, Outcome { name: "good".into(), failures: Vec::new(), dump: None }] },
            Suite { file: "u.yml".into(), abort: Some("no such file".into()), outcomes: Vec::new() },
        ];
        let want = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="t.yml" tests="2" failures="1" errors="0">
    <testcase name="a&lt;b">
      <failure message="got &quot;x&quot;&#xA;�&amp;">got &quot;x&quot;&#xA;�&amp;</failure>
    </testcase>
    <testcase name="good">
    </testcase>
  </testsuite>
  <testsuite name="u.yml" tests="0" failures="0" errors="1">
    <system-err>no such file</system-err>
  </testsuite>
</testsuites>
"#;
        assert_eq!(junit(&suites), want);
    }
}
