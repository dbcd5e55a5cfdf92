//! The level of a line that says nothing else about it, found as Loki's distributor does: a field of JSON or logfmt, else
//! the first word of the line that is a level.

use super::json::{Cursor, Fault, Piece, Value};

/// Fields that tell a level, the best first.
pub(crate) const FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

/// Objects in objects that are searched for the field: as many as in Loki.
const DEPTH_MAX: usize = 2;

/// The level of a line as it is spelled there. `arena` is scratch.
pub(crate) fn of_line<'l, F: AsRef<str>>(line: &'l str, fields: &[F], arena: &mut String) -> Option<&'l str> {
    let field = if is_json(line) {
        json_field(line, fields, arena)
    } else if memchr::memchr(b'=', line.as_bytes()).is_some() {
        logfmt_field(line, fields)
    } else {
        None
    };
    field.filter(|value| is_level(value)).or_else(|| first_level(line))
}

/// Whether Loki knows a word as a level.
fn is_level(word: &str) -> bool {
    const WORDS: [&str; 13] = ["trace", "trc", "debug", "dbg", "info", "inf", "information", "warn", "wrn", "warning", "error", "err", "critical"];
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) || word.eq_ignore_ascii_case("fatal")
}

fn is_field<F: AsRef<str>>(fields: &[F], name: &str) -> bool {
    fields.iter().any(|field| field.as_ref() == name)
}

fn is_json(line: &str) -> bool {
    let line = line.as_bytes().trim_ascii();
    line.first() == Some(&b'{') && line.last() == Some(&b'}')
}

fn json_field<'l, F: AsRef<str>>(line: &'l str, fields: &[F], arena: &mut String) -> Option<&'l str> {
    arena.clear();
    let mut cursor = Cursor::new(line);
    match cursor.value(arena) {
        // A line that is no JSON after all has no fields behind the fault.
        Ok(Value::Object) => in_object(&mut cursor, fields, arena, 1).unwrap_or_default(),
        _ => None,
    }
}

fn in_object<'l, F: AsRef<str>>(cursor: &mut Cursor<'l>, fields: &[F], arena: &mut String, depth: usize) -> Result<Option<&'l str>, Fault> {
    let mut is_first = true;
    while let Some(key) = cursor.key(is_first, arena)? {
        is_first = false;
        let start = cursor.at();
        match cursor.value(arena)? {
            Value::Text(Piece::Wire(text)) if is_field(fields, key.get(arena)) => return Ok(Some(text)),
            Value::Object if depth < DEPTH_MAX => {
                if let Some(found) = in_object(cursor, fields, arena, depth + 1)? {
                    return Ok(Some(found));
                }
            }
            value => drop(cursor.rest_of(&value, start)?),
        }
    }
    Ok(None)
}

/// The value of the best of the fields that may hold a level, by the order of their names.
fn logfmt_field<'l, F: AsRef<str>>(line: &'l str, fields: &[F]) -> Option<&'l str> {
    let bytes = line.as_bytes();
    let mut best: Option<(usize, &str)> = None;
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let key_length = rest.iter().position(|byte| matches!(byte, b'=' | b'"' | 0..=b' ')).unwrap_or(rest.len());
        if rest.get(key_length) != Some(&b'=') || key_length == 0 {
            at += key_length + 1;
            continue;
        }
        let key = line.get(at..at + key_length).unwrap_or_default();
        at += key_length + 1;
        let (from, to, next) = value_at(bytes, at);
        if let Some(rank) = fields.iter().position(|field| field.as_ref().eq_ignore_ascii_case(key))
            && best.is_none_or(|(known, _)| rank < known)
        {
            best = Some((rank, line.get(from..to).unwrap_or_default()));
            if rank == 0 {
                break;
            }
        }
        at = next;
    }
    best.map(|(_, value)| value)
}

/// Where the value that begins at `at` stands, and what follows it.
fn value_at(bytes: &[u8], at: usize) -> (usize, usize, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.first() != Some(&b'"') {
        let length = rest.iter().position(|byte| *byte <= b' ').unwrap_or(rest.len());
        return (at, at + length, at + length + 1);
    }
    let mut end = at + 1;
    while let Some(step) = memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default()) {
        end += step;
        if bytes.get(end) == Some(&b'"') {
            return (at + 1, end, end + 1);
        }
        end += 2;
    }
    (at + 1, bytes.len(), bytes.len())
}

/// The first word of a line that is a level and stands alone.
fn first_level(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let length = level_length(rest);
        if length > 0 {
            return line.get(at..at + length);
        }
        at += rest.iter().position(|byte| BEFORE_WORD[usize::from(*byte)])? + 1;
    }
}

/// What a word may stand behind.
static BEFORE_WORD: [bool; 256] = {
    let mut is_before = [false; 256];
    let (bytes, mut at) = (b" \t\n[({\"'=|", 0);
    while at < bytes.len() {
        is_before[bytes[at] as usize] = true;
        at += 1;
    }
    is_before
};

/// Length of the level that some bytes begin with, 0 if they begin with none.
fn level_length(bytes: &[u8]) -> usize {
    let words: &[&[u8]] = match bytes.first().map(|byte| byte | 0x20) {
        Some(b't') => &[b"trace"],
        Some(b'd') => &[b"debug"],
        Some(b'f') => &[b"fatal"],
        Some(b'c') => &[b"critical"],
        Some(b'e') => &[b"error", b"err"],
        Some(b'w') => &[b"warning", b"warn"],
        Some(b'i') => &[b"info"],
        _ => return 0,
    };
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b':' | b',' | b'!' | b'"' | b'\'' | b'=' | b'|');
    let begins = |word: &&&[u8]| bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) && bytes.get(word.len()).is_none_or(is_end);
    words.iter().find(begins).map_or(0, |word| word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_found_where_loki_finds_it() {
        let mut arena = String::new();
        for (line, level) in [
            (r#"{"level":"warn","msg":"an error"}"#, Some("warn")),
            (r#"{"msg":"x","log":{"Severity":"ERROR"}}"#, Some("ERROR")),
            (r#"{"a":{"b":{"level":"error"}},"n":[1,{"level":"debug"}]}"#, Some("error")),
            (r#"{"level":"banana","msg":"info: fine"}"#, Some("info")),
            (r#"{"level":30,"msg":"nothing"}"#, None),
            (r#"{"msg":"error" and no json}"#, Some("error")),
            ("ts=1 lvl=dbg msg=\"level=error\"", Some("dbg")),
            ("msg=\"a \\\" level=error\" LEVEL=Warning severity=info", Some("Warning")),
            ("severity=info level=error", Some("error")),
            ("a=b error here", Some("error")),
            ("[ERROR] failed", Some("ERROR")),
            ("2024-01-01 INFO started", Some("INFO")),
            ("debug: message and an error", Some("debug")),
            ("misc:error", None),
            ("errors happen, warnings too", None),
            ("terror of the seas", None),
            ("Warning!", Some("Warning")),
            ("(fatal)", Some("fatal")),
            ("err", Some("err")),
            ("", None),
            ("= = \" ==", None),
            ("é error", Some("error")),
            ("error_count=3|WARN|", Some("WARN")),
            ("x [info", Some("info")),
            ("criticality critical", Some("critical")),
            ("e w i info_", None),
        ] {
            assert_eq!(of_line(line, &FIELDS, &mut arena), level, "{line}");
        }
    }
}
