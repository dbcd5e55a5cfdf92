//! Go's `fmt`: `Sprintf`, `Sprint` and `Sprintln` for the types that templates have.

use crate::text::{quote, quote_char};

use super::limits::WIDTH_MAX;
use super::number;
use super::value::Value;

/// Flags, width and precision of one verb.
#[derive(Default)]
struct Format {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `Sprintf`.
pub fn sprintf(format: &str, args: &[Value]) -> String {
    let (mut out, mut rest, mut next) = (String::new(), format, 0);
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let mut spec = Format::default();
        loop {
            match rest.as_bytes().first() {
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b'#') => spec.sharp = true,
                Some(b' ') => spec.space = true,
                Some(b'0') => spec.zero = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        spec.width = size(&mut rest, args, &mut next, &mut out, "WIDTH").map(|width| {
            spec.minus |= width < 0;
            width.unsigned_abs()
        });
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            spec.precision = Some(size(&mut rest, args, &mut next, &mut out, "PREC").and_then(|size| usize::try_from(size).ok()).unwrap_or(0));
        }
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        match args.get(next) {
            Some(value) => out.push_str(&spec.format(verb, value)),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
        next += 1;
    }
    out.push_str(rest);
    if next < args.len() {
        let extra: Vec<String> = args[next..]
            .iter()
            .map(|value| if matches!(value, Value::Nil) { "<nil>".into() } else { format!("{}={}", value.type_name(), value.print()) })
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

/// A width or precision: digits, or `*` for the next argument. What is too large is left out, with Go's words for it.
fn size(rest: &mut &str, args: &[Value], next: &mut usize, out: &mut String, what: &str) -> Option<isize> {
    let is_fit = |size: &isize| size.unsigned_abs() <= WIDTH_MAX;
    let size = if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        *next += 1;
        match args.get(*next - 1) {
            Some(Value::Int(size)) => isize::try_from(*size).ok().filter(is_fit),
            _ => None,
        }
    } else {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        *rest = after;
        if digits == 0 {
            return None;
        }
        number.parse().ok().filter(is_fit)
    };
    if size.is_none() {
        out.push_str(&format!("%!(BAD{what})"));
    }
    size
}

impl Format {
    fn format(&self, verb: char, value: &Value) -> String {
        match (verb, value) {
            ('T', _) => return self.pad(value.type_name()),
            ('v', Value::Float(float)) => return self.float('g', *float),
            ('v', Value::Int(int)) => return self.integer('d', *int),
            ('v', Value::Text(text)) if self.sharp => return self.pad(&quote(text)),
            ('v', _) => return self.pad(&value.print()),
            (_, Value::Nil) => return format!("%!{verb}(<nil>)"),
            ('t', Value::Bool(bool)) => return self.pad(&bool.to_string()),
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Float(float)) => return self.float(verb, *float),
            ('b' | 'd' | 'o' | 'O' | 'x' | 'X' | 'c' | 'q' | 'U', Value::Int(int)) => return self.integer(verb, *int),
            ('d', Value::Duration(nanoseconds)) => return self.integer('d', *nanoseconds),
            ('s' | 'q' | 'x' | 'X', Value::Text(_) | Value::Time(_) | Value::Duration(_)) => return self.text(verb, &value.print()),
            ('s' | 'q' | 'x' | 'X', Value::Object(object)) if object.prints_as_text() => return self.text(verb, &value.print()),
            _ => {}
        }
        // Maps and lists apply the verb to their elements.
        let each = |value: &Value| self.format(verb, value);
        match value {
            Value::Texts(map) => {
                let pairs: Vec<String> = map.iter().map(|(name, text)| format!("{}:{}", each(&Value::text(name)), each(&Value::text(text)))).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Value::Map(map) => {
                let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{}:{}", each(&Value::text(name)), each(value))).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Value::List(list) => format!("[{}]", list.iter().map(each).collect::<Vec<_>>().join(" ")),
            Value::Object(_) if verb == 's' => self.pad(&value.print()),
            _ => format!("%!{verb}({}={})", value.type_name(), value.print()),
        }
    }

    /// To the width, with spaces.
    fn pad(&self, text: &str) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        match (missing, self.minus) {
            (0, _) => text.to_owned(),
            (_, true) => format!("{text}{}", " ".repeat(missing)),
            (_, false) => format!("{}{text}", " ".repeat(missing)),
        }
    }

    /// To the width, with zeros after the sign if asked for.
    fn pad_number(&self, text: &str) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if !self.zero || self.minus || missing == 0 {
            return self.pad(text);
        }
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-', ' '])));
        format!("{sign}{}{digits}", "0".repeat(missing))
    }

    fn with_sign(&self, text: String) -> String {
        match text.as_bytes().first() {
            Some(b'-') => text,
            Some(b'+') if self.plus => text,
            Some(b'+') => text[1..].to_owned(),
            _ if self.plus => format!("+{text}"),
            _ if self.space => format!(" {text}"),
            _ => text,
        }
    }

    fn float(&self, verb: char, value: f64) -> String {
        let precision = self.precision.or((!matches!(verb, 'g' | 'G')).then_some(6));
        let text = match verb.to_ascii_lowercase() {
            'e' => number::exponential(value, precision),
            'f' => number::plain(value, precision),
            _ => number::general(value, precision),
        };
        let text = if verb.is_ascii_uppercase() && value.is_finite() { text.to_uppercase() } else { text };
        // Infinity keeps the sign that everything else has only on request.
        let text = if value.is_infinite() { text } else { self.with_sign(text) };
        if value.is_finite() { self.pad_number(&text) } else { self.pad(&text) }
    }

    fn integer(&self, verb: char, value: i64) -> String {
        let magnitude = value.unsigned_abs();
        let prefix = |prefix: &'static str| if self.sharp { prefix } else { "" };
        let digits = match verb {
            'b' => format!("{}{magnitude:b}", prefix("0b")),
            'o' => format!("{}{magnitude:o}", prefix("0")),
            'O' => format!("0o{magnitude:o}"),
            'x' => format!("{}{magnitude:x}", prefix("0x")),
            'X' => format!("{}{magnitude:X}", prefix("0X")),
            'c' | 'q' | 'U' => {
                let character = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                let text = match verb {
                    'c' => character.to_string(),
                    'q' => quote_char(character),
                    _ => format!("U+{value:04X}"),
                };
                return self.pad(&text);
            }
            _ => magnitude.to_string(),
        };
        let digits = self.precision.map_or(digits.clone(), |precision| format!("{digits:0>precision$}"));
        self.pad_number(&self.with_sign(if value < 0 { format!("-{digits}") } else { digits }))
    }

    fn text(&self, verb: char, text: &str) -> String {
        let cut: String = match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        let text = match verb {
            'q' if self.sharp && !cut.contains('`') && !cut.contains(|character: char| character.is_control() && character != '\t') => format!("`{cut}`"),
            'q' => quote(&cut),
            'x' | 'X' => {
                let hexadecimal: String = cut.bytes().map(|byte| format!("{byte:02x}")).collect();
                if verb == 'X' { hexadecimal.to_uppercase() } else { hexadecimal }
            }
            _ => cut,
        };
        self.pad(&text)
    }
}

/// `Sprint`: a space between operands if neither is a text.
pub fn sprint(args: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in args.iter().enumerate() {
        if index > 0 && !matches!(value, Value::Text(_)) && !matches!(args[index - 1], Value::Text(_)) {
            out.push(' ');
        }
        out.push_str(&value.print());
    }
    out
}

/// `Sprintln`: always a space, and a newline at the end.
pub fn sprintln(args: &[Value]) -> String {
    args.iter().map(Value::print).collect::<Vec<_>>().join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_go_does() {
        let (float, int, text) = (Value::Float(3.2109), Value::Int(-42), Value::text("hi"));
        let cases: [(&str, &[Value], &str); 24] = [
            ("%v %v %v", &[float.clone(), int.clone(), text.clone()], "3.2109 -42 hi"),
            ("%.2f|%8.3f|%-8.1f|%08.2f", &[float.clone(), float.clone(), float.clone(), float.clone()], "3.21|   3.211|3.2     |00003.21"),
            ("%e %E %g", &[Value::Float(1234.5), Value::Float(1234.5), Value::Float(1e7)], "1.234500e+03 1.234500E+03 1e+07"),
            ("%d %5d %-5d| %05d %+d", &[int.clone(), int.clone(), int.clone(), int.clone(), Value::Int(7)], "-42   -42 -42  | -0042 +7"),
            (
                "%x %X %#x %o %b %c %U %q",
                &[Value::Int(255), Value::Int(255), Value::Int(255), Value::Int(8), Value::Int(5), Value::Int(65), Value::Int(65), Value::Int(65)],
                "ff FF 0xff 10 101 A U+0041 'A'",
            ),
            ("%s %q %5s|%-5s|%.1s %x", &[text.clone(), text.clone(), text.clone(), text.clone(), text.clone(), text.clone()], "hi \"hi\"    hi|hi   |h 6869"),
            ("%t %T %T", &[Value::Bool(true), float.clone(), text.clone()], "true float64 string"),
            ("100%%", &[], "100%"),
            ("%d", std::slice::from_ref(&text), "%!d(string=hi)"),
            ("%d", std::slice::from_ref(&float), "%!d(float64=3.2109)"),
            ("%s", std::slice::from_ref(&int), "%!s(int=-42)"),
            ("%d", &[], "%!d(MISSING)"),
            ("x", &[int.clone(), text.clone()], "x%!(EXTRA int=-42, string=hi)"),
            ("x%", &[], "x%!(NOVERB)"),
            ("%z", std::slice::from_ref(&int), "%!z(int=-42)"),
            ("%*d", &[Value::Int(5), Value::Int(3)], "    3"),
            ("%999999999d", &[Value::Int(3)], "%!(BADWIDTH)3"),
            ("%.0f", &[Value::Float(2.5)], "2"),
            ("%.f", &[Value::Float(3.5)], "4"),
            ("%v %s", &[Value::Nil, Value::Nil], "<nil> %!s(<nil>)"),
            ("%6.2f%%", &[Value::Float(99.5)], " 99.50%"),
            ("%f %+f % f", &[Value::Float(f64::INFINITY), Value::Float(f64::NAN), Value::Float(1.0)], "+Inf +NaN  1.000000"),
            ("%#v", std::slice::from_ref(&text), "\"hi\""),
            ("%v", &[Value::Map(std::sync::Arc::new([("a".to_owned(), Value::Int(1))].into()))], "map[a:1]"),
        ];
        for (format, args, want) in cases {
            assert_eq!(sprintf(format, args), want, "{format}");
        }
    }

    #[test]
    fn prints_with_spaces_between_what_is_no_text() {
        let args = [Value::Int(1), Value::Int(2), Value::text("a"), Value::text("b"), Value::Float(3.0)];
        assert_eq!((sprint(&args).as_str(), sprintln(&args).as_str()), ("1 2ab3", "1 2 a b 3\n"));
    }
}
