//! The bodies of a mail: what is on, what is over, with labels, annotations and links.
//!
//! The text is laid out as Alertmanager's. The HTML works without style sheets, scripts and images, because mail programs
//! drop them; everything that came from outside is escaped, and only `http`, `https` and `mailto` become links.

use crate::instant::rfc3339;
use crate::message::{Alert, Message, Pairs, Status, alert_name_first};

/// Alerts of each kind that a mail lists; it says how many more there are.
const ALERTS_MAX: usize = 100;

const COLOR_FIRING: &str = "#c62828";
const COLOR_RESOLVED: &str = "#2e7d32";
const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// The plain text.
pub(super) fn text(message: &Message) -> String {
    let mut out = format!("{}\n\n", headline(message));
    if !message.external_url.is_empty() {
        line(&mut out, &format!("View in Signalbox: {}\n", alerts_url(message)));
    }
    for (title, alerts) in sections(message) {
        line(&mut out, &format!("{title}\n{}", "=".repeat(title.chars().count())));
        for alert in alerts.iter().take(ALERTS_MAX) {
            line(&mut out, "Labels:");
            list_text(&mut out, &alert.labels);
            if !alert.annotations.is_empty() {
                line(&mut out, "Annotations:");
                list_text(&mut out, &alert.annotations);
            }
            line(&mut out, &times(alert));
            if !alert.generator_url.is_empty() {
                line(&mut out, &format!("Source: {}", alert.generator_url));
            }
            line(&mut out, "");
        }
        if alerts.len() > ALERTS_MAX {
            line(&mut out, &format!("... and {} more\n", alerts.len() - ALERTS_MAX));
        }
    }
    out
}

/// The HTML.
pub(super) fn html(message: &Message) -> String {
    let color = if message.status() == Status::Firing { COLOR_FIRING } else { COLOR_RESOLVED };
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    line(&mut out, "<meta name=\"viewport\" content=\"width=device-width\">");
    line(&mut out, &format!("<title>{}</title></head>", escaped(&message.subject())));
    line(&mut out, &format!("<body style=\"margin:0;padding:24px 8px;background:#f4f4f5;color:#1f2328;{FONT};font-size:14px;line-height:1.5\">"));
    line(&mut out, "<div style=\"max-width:640px;margin:0 auto;background:#fff;border:1px solid #d9d9de;border-radius:6px\">");
    line(
        &mut out,
        &format!(
            "<div style=\"padding:16px 24px;background:{color};color:#fff;font-size:16px;font-weight:600;border-radius:6px 6px 0 0\">{}</div>",
            escaped(&headline(message))
        ),
    );
    line(&mut out, "<div style=\"padding:16px 24px\">");
    if let Some(link) = link(&alerts_url(message), "View in Signalbox").filter(|_| !message.external_url.is_empty()) {
        line(&mut out, &format!("<p style=\"margin:0 0 16px\">{link}</p>"));
    }
    for (title, alerts) in sections(message) {
        line(&mut out, &format!("<h2 style=\"margin:0 0 8px;font-size:16px\">{}</h2>", escaped(&title)));
        for alert in alerts.iter().take(ALERTS_MAX) {
            alert_html(&mut out, alert);
        }
        if alerts.len() > ALERTS_MAX {
            line(&mut out, &format!("<p>&hellip; and {} more</p>", alerts.len() - ALERTS_MAX));
        }
    }
    line(&mut out, "</div></div></body></html>");
    out
}

fn alert_html(out: &mut String, alert: &Alert) {
    let color = if alert.status == Status::Firing { COLOR_FIRING } else { COLOR_RESOLVED };
    line(out, &format!("<div style=\"margin:0 0 16px;padding:8px 12px;border-left:4px solid {color};background:#fafafa\">"));
    for (title, pairs) in [("Labels", &alert.labels), ("Annotations", &alert.annotations)] {
        if pairs.is_empty() {
            continue;
        }
        line(out, &format!("<strong>{title}</strong><br>"));
        for (name, value) in alert_name_first(pairs) {
            let shown = link(value, value).unwrap_or_else(|| escaped(value).replace('\n', "<br>"));
            line(out, &format!("{} = {shown}<br>", escaped(name)));
        }
    }
    line(out, &format!("<span style=\"color:#59636e\">{}</span>", escaped(&times(alert))));
    if let Some(source) = link(&alert.generator_url, "Source") {
        line(out, &format!("<br>{source}"));
    }
    line(out, "</div>");
}

fn headline(message: &Message) -> String {
    let count = message.alerts.len();
    let group: Vec<String> = alert_name_first(&message.group_labels).map(|(name, value)| format!("{name}={value}")).collect();
    let group = if group.is_empty() { String::new() } else { format!(" for {}", group.join(" ")) };
    format!("{count} alert{}{group}", if count == 1 { "" } else { "s" })
}

fn sections(message: &Message) -> Vec<(String, Vec<&Alert>)> {
    let all = [("Firing", message.firing().collect::<Vec<_>>()), ("Resolved", message.resolved().collect())];
    all.into_iter().filter(|(_, alerts)| !alerts.is_empty()).map(|(title, alerts)| (format!("[{}] {title}", alerts.len()), alerts)).collect()
}

fn times(alert: &Alert) -> String {
    match alert.ends_at_ns {
        Some(ends_at_ns) => format!("Firing from {} to {}", rfc3339(alert.starts_at_ns), rfc3339(ends_at_ns)),
        None => format!("Firing since {}", rfc3339(alert.starts_at_ns)),
    }
}

fn list_text(out: &mut String, pairs: &Pairs) {
    for (name, value) in alert_name_first(pairs) {
        // A further line of a value is indented, so that it cannot pass for a label of its own.
        line(out, &format!(" - {name} = {}", value.replace('\n', "\n     ")));
    }
}

fn alerts_url(message: &Message) -> String {
    format!("{}/alerts", message.external_url.trim_end_matches('/'))
}

/// A link, if the target is one that a reader can safely follow.
fn link(target: &str, shown: &str) -> Option<String> {
    const SCHEMES: &[&str] = &["http://", "https://", "mailto:"];
    let lower = target.get(..8.min(target.len())).map(str::to_ascii_lowercase)?;
    let is_link = SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) && !target.chars().any(|character| character.is_control() || character == ' ');
    is_link.then(|| format!("<a href=\"{}\" style=\"color:#0b57d0\">{}</a>", escaped(target), escaped(shown)))
}

/// Nothing in the result is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
