//! Says who asks, so that it can be counted by metric.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use signalbox_query::usage;

/// Notes the user agent of a request, and the dashboard if Grafana names it.
pub(crate) async fn note(request: Request, next: Next) -> Response {
    let asker = of(request.headers());
    usage::asked_by(&asker, next.run(request)).await
}

fn of(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let agent = match text("user-agent") {
        browser if browser.starts_with("Mozilla/") => "browser",
        other => other,
    };
    match text("x-dashboard-uid") {
        "" => agent.to_owned(),
        dashboard => format!("{agent} dashboard {dashboard}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn grafana_is_named_with_its_dashboard_and_browsers_are_one() {
        let headers = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(of(&headers(&[("user-agent", "Grafana/11.2.0"), ("x-dashboard-uid", "abc")])), "Grafana/11.2.0 dashboard abc");
        assert_eq!(of(&headers(&[("user-agent", "Mozilla/5.0 (X11; Linux x86_64) ...")])), "browser");
        assert_eq!(of(&headers(&[])), "");
    }
}
