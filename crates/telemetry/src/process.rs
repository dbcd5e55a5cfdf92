//! What the operating system knows about this process, under the names that Prometheus' client libraries use.
//!
//! Read from `/proc`; where there is none, there are no readings.

use std::fs;

use crate::metrics::Reading;
use crate::names::{self, Name};

/// Ticks of `/proc/self/stat` in a second: a constant of Linux' interface to programs on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Readings of this process, sorted by family. `start_ns` is when it started, in nanoseconds since the Unix epoch.
pub fn readings(start_ns: i64) -> Vec<Reading> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |key: &str| number_after(&status, key).map(|kilobytes| kilobytes * 1024.0);
    let values = [
        ("counter", names::PROCESS_CPU_SECONDS_TOTAL, cpu_seconds()),
        ("gauge", names::PROCESS_MAX_FDS, fs::read_to_string("/proc/self/limits").ok().and_then(|limits| number_after(&limits, "Max open files"))),
        ("gauge", names::PROCESS_OPEN_FDS, fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64)),
        ("gauge", names::PROCESS_RESIDENT_MEMORY_BYTES, kilobytes("VmRSS:")),
        ("gauge", names::PROCESS_START_TIME_SECONDS, Some(start_ns as f64 / 1e9)),
        ("gauge", names::PROCESS_THREADS, number_after(&status, "Threads:")),
        ("gauge", names::PROCESS_VIRTUAL_MEMORY_BYTES, kilobytes("VmSize:")),
    ];
    values.into_iter().filter_map(|(kind, name, value)| value.map(|value| reading(kind, name, value))).collect()
}

fn reading(kind: &'static str, name: Name, value: f64) -> Reading {
    Reading { family: name.name, help: name.help, kind, name: name.name.to_owned(), labels: Vec::new(), value }
}

/// The first number behind a key at the start of a line.
fn number_after(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    cpu_ticks(&stat).map(|ticks| ticks / TICKS_PER_SECOND)
}

/// User and system time: the 14th and 15th field. The second is the program's name, which may hold spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_strange_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1234 5678 90";
        assert_eq!(cpu_ticks(stat), Some(300.0));
    }

    #[test]
    fn this_process_has_memory_files_and_threads() {
        let found = readings(1_500_000_000);
        let value = |name: Name| found.iter().find(|reading| reading.family == name.name).map(|reading| reading.value);
        assert!(value(names::PROCESS_RESIDENT_MEMORY_BYTES).is_some_and(|bytes| bytes > 100_000.0));
        assert!(value(names::PROCESS_OPEN_FDS).is_some_and(|files| files >= 3.0));
        assert!(value(names::PROCESS_THREADS).is_some_and(|threads| threads >= 1.0));
        assert_eq!(value(names::PROCESS_START_TIME_SECONDS), Some(1.5));
        assert!(found.is_sorted_by_key(|reading| reading.family));
    }
}
