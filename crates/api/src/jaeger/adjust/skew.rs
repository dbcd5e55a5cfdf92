//! Clocks brought together: a span of another host than its parent must lie within its parent; where it does not, the clocks
//! differ.

use std::collections::HashMap;

use signalbox_model::SpanId;
use signalbox_query::rows::Span;
use signalbox_query::traceql::skew::host;

use super::ShownSpan;

/// Shifts spans by at most `max_ns` and says so; 0 only says by how much it would be.
pub(super) fn correct(spans: &mut [ShownSpan], max_ns: i64) {
    let mut index_of: HashMap<SpanId, usize> = HashMap::new();
    for (index, shown) in spans.iter_mut().enumerate() {
        let Some(id) = shown.span.span_id else { continue };
        if *index_of.entry(id).or_insert(index) != index {
            shown.warnings.push("duplicate span IDs; skipping clock skew adjustment".to_owned());
        }
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut waiting: Vec<(usize, Option<usize>, i64)> = Vec::new();
    for index in index_of.values().copied() {
        let Some(parent) = spans[index].span.parent_span_id else {
            waiting.push((index, None, 0));
            continue;
        };
        match index_of.get(&parent) {
            Some(parent) => children[*parent].push(index),
            None => {
                spans[index].warnings.push(format!("parent span ID={parent} is not in the trace; skipping clock skew adjustment"));
                waiting.push((index, None, 0));
            }
        }
    }
    let hosts: Vec<Option<String>> = spans.iter().map(|shown| host(&shown.span.resource)).collect();
    // Parents before children. Spans in a circle have no root and are left alone.
    while let Some((index, parent, inherited_ns)) = waiting.pop() {
        let delta_ns = match parent {
            Some(parent) if hosts[index].is_none() || hosts[index] != hosts[parent] => skew_ns(&spans[index].span, &spans[parent].span),
            _ => inherited_ns,
        };
        shift(&mut spans[index], delta_ns, max_ns);
        waiting.extend(children[index].iter().map(|child| (*child, Some(index), delta_ns)));
    }
}

/// By how much a span must be shifted to lie within its parent, half of the time on the way before it and half behind.
fn skew_ns(child: &Span, parent: &Span) -> i64 {
    let starts_early_ns = parent.start_ns.saturating_sub(child.start_ns);
    if child.duration_ns > parent.duration_ns {
        // It ran on after its parent; all that can be said is that it did not start earlier.
        return starts_early_ns.max(0);
    }
    if starts_early_ns <= 0 && child.end_ns() <= parent.end_ns() {
        return 0;
    }
    starts_early_ns.saturating_add(parent.duration_ns.saturating_sub(child.duration_ns) / 2)
}

fn shift(shown: &mut ShownSpan, delta_ns: i64, max_ns: i64) {
    if delta_ns == 0 {
        return;
    }
    let delta = go_text(delta_ns);
    if max_ns == 0 {
        shown.warnings.push(format!("clock skew adjustment disabled; not applying calculated delta of {delta}"));
    } else if delta_ns.unsigned_abs() > max_ns.unsigned_abs() {
        shown.warnings.push(format!("max clock skew adjustment delta of {} exceeded; not applying calculated delta of {delta}", go_text(max_ns)));
    } else {
        shown.span.start_ns = shown.span.start_ns.saturating_add(delta_ns);
        for event in &mut shown.span.events {
            event.timestamp_ns = event.timestamp_ns.saturating_add(delta_ns);
        }
        shown.warnings.push(format!("This span's timestamps were adjusted by {delta}"));
    }
}

/// A length of time as Go prints it: `1h0m3.5s`, `-250µs`.
fn go_text(ns: i64) -> String {
    let (sign, rest) = (if ns < 0 { "-" } else { "" }, ns.unsigned_abs());
    let decimal = |unit: u64, word: &str| {
        let text = format!("{}.{:0width$}", rest / unit, rest % unit, width = unit.ilog10() as usize);
        format!("{sign}{}{word}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match rest {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{rest}ns"),
        1_000..1_000_000 => decimal(1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(1_000_000, "ms"),
        _ => {
            let (minutes, below_ns) = (rest / 60_000_000_000, rest % 60_000_000_000);
            let text = format!("{}.{:09}", below_ns / 1_000_000_000, below_ns % 1_000_000_000);
            let seconds = text.trim_end_matches('0').trim_end_matches('.');
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::go_text;

    #[test]
    fn prints_lengths_of_time_as_go_does() {
        let cases = [
            (0, "0s"),
            (7, "7ns"),
            (-1_500, "-1.5µs"),
            (250_000_000, "250ms"),
            (1_000_000_000, "1s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (ns, want) in cases {
            assert_eq!(go_text(ns), want);
        }
    }
}
