//! Where the page is that shows what a rule asks.

use signalbox_model::Labels;

use crate::rule_file::{Language, Rule};
use crate::template::query_escape;

/// The attribute of spans whose value the Traces page is told, besides the query.
const SERVICE: &str = "resource.service.name";

/// The page of the web UI with the query of a rule; the traces are those of the service of the alert, if it has one.
pub(crate) fn generator_url(rule: &Rule, labels: &Labels, external_url: &str) -> String {
    let query = query_escape(&rule.query);
    match rule.expr.language() {
        Language::Promql => format!("{external_url}/ui/metrics?q={query}"),
        Language::Logql => format!("{external_url}/ui/logs?q={query}"),
        Language::Traceql => {
            let service = labels.get(SERVICE).map(|service| format!("&service={}", query_escape(service))).unwrap_or_default();
            format!("{external_url}/ui/traces?q={query}{service}")
        }
        // No page shows SQL; the rule with its query is on this one.
        Language::Sql => format!("{external_url}/ui/alerts?find={}", query_escape(&rule.name)),
    }
}
