//! How a value is written into HTML, by where it stands: as text, as an attribute, as an address or a part of one. The rules are those
//! of Go's `html/template` (<https://pkg.go.dev/html/template#hdr-Contexts>), so that a template makes the same mail here.
//!
//! What a template says itself is read as it is written, and values are left out of that: none can move what comes after
//! it to another place. Scripts and styles are no places of their own here: values in them are escaped as text, which no mail needs.

/// What stands in place of an address that would run a program, as `javascript:`.
const FORBIDDEN: &str = "#ZgotmplZ";
/// What stands in place of nothing where something must stand.
const MISSING: &str = "ZgotmplZ";
/// Attributes that hold an address; so do those whose name has one of [`ADDRESS_WORDS`] in it.
const ADDRESSES: [&str; 17] = [
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "profile",
    "src",
    "usemap",
    "xmlns",
];
const ADDRESS_WORDS: [&str; 3] = ["src", "uri", "url"];

/// What a value is, before it is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// Markup, which is not escaped where markup may stand.
    Markup,
    /// An address that is safe, and encoded already.
    Address,
}

/// How far an address has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Nothing of it is written: a value says where it leads.
    Start,
    Path,
    /// After `?` or `#`.
    Query,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Comment,
    /// In the name of a tag.
    TagName,
    /// Between attributes, or in the name of one.
    Tag,
    /// After `=`.
    BeforeValue,
    /// In the value of an attribute, which ends with this character, or without one with a blank.
    Value(Option<char>, Option<Part>),
}

/// Where in the markup a template writes.
#[derive(Debug)]
pub(super) struct Markup {
    state: State,
    /// Bytes that were read.
    read: usize,
    /// The name of the latest attribute, in lower case.
    name: String,
    /// The name is over: what follows is `=` or another name.
    is_name_over: bool,
}

impl Default for Markup {
    fn default() -> Self {
        Self { state: State::Text, read: 0, name: String::new(), is_name_over: false }
    }
}

impl Markup {
    /// The value as it is written after a text.
    pub(super) fn show(&mut self, value: &str, kind: Kind, written: &str) -> String {
        // A template may be run aside, with a text of its own.
        if self.read > written.len() {
            *self = Self::default();
        }
        self.read_on(written.get(self.read..).unwrap_or_default());
        if self.state == State::BeforeValue {
            self.state = self.value(None);
        }
        let shown = match self.state {
            State::Value(quote, part) => attribute(value, kind, quote, part),
            _ if kind == Kind::Markup => value.to_owned(),
            _ => escaped(value, false),
        };
        self.read = written.len() + shown.len();
        shown
    }

    fn read_on(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let after = &rest[character.len_utf8()..];
            rest = match self.state {
                State::Text if rest.starts_with("<!--") => self.go(State::Comment, after),
                State::Text if character == '<' && after.starts_with(|next: char| next.is_ascii_alphabetic() || next == '/') => self.go(State::TagName, after),
                State::Text => after,
                State::Comment if rest.starts_with("-->") => self.go(State::Text, &rest[3..]),
                State::Comment => after,
                State::TagName | State::Tag if character == '>' => self.go(State::Text, after),
                State::TagName if character.is_whitespace() => self.go(State::Tag, after),
                State::TagName => after,
                State::Tag => self.name(character, after),
                State::BeforeValue if character.is_whitespace() => after,
                State::BeforeValue if character == '>' => self.go(State::Text, after),
                State::BeforeValue if matches!(character, '"' | '\'') => self.go(self.value(Some(character)), after),
                // The character is the first of the value.
                State::BeforeValue => self.go(self.value(None), rest),
                State::Value(Some(quote), _) if character == quote => self.go(State::Tag, after),
                State::Value(None, _) if character == '>' => self.go(State::Text, after),
                State::Value(None, _) if character.is_whitespace() => self.go(State::Tag, after),
                State::Value(quote, Some(part)) => {
                    let part = match (part, character) {
                        (Part::Query, _) | (_, '?' | '#') => Part::Query,
                        (Part::Start, blank) if blank.is_whitespace() => Part::Start,
                        _ => Part::Path,
                    };
                    self.go(State::Value(quote, Some(part)), after)
                }
                State::Value(_, None) => after,
            };
        }
    }

    fn go<'a>(&mut self, state: State, rest: &'a str) -> &'a str {
        if state == State::Tag {
            (self.name, self.is_name_over) = (String::new(), false);
        }
        self.state = state;
        rest
    }

    fn name<'a>(&mut self, character: char, after: &'a str) -> &'a str {
        match character {
            '=' => return self.go(State::BeforeValue, after),
            '/' => self.name.clear(),
            blank if blank.is_whitespace() => self.is_name_over = true,
            letter => {
                if std::mem::take(&mut self.is_name_over) {
                    self.name.clear();
                }
                self.name.extend(letter.to_lowercase());
            }
        }
        after
    }

    /// In the value of the latest attribute.
    fn value(&self, quote: Option<char>) -> State {
        let name = self.name.strip_prefix("data-").unwrap_or(&self.name);
        let is_address = ADDRESSES.contains(&name) || name.starts_with("xmlns:") || ADDRESS_WORDS.iter().any(|word| name.contains(word));
        State::Value(quote, is_address.then_some(Part::Start))
    }
}

fn attribute(value: &str, kind: Kind, quote: Option<char>, part: Option<Part>) -> String {
    let value = match part {
        Some(Part::Start) if kind != Kind::Address && !is_safe(value) => FORBIDDEN.to_owned(),
        Some(Part::Start | Part::Path) => encoded(value, true),
        Some(Part::Query) => encoded(value, kind == Kind::Address),
        None => value.to_owned(),
    };
    match quote {
        None if value.is_empty() => MISSING.to_owned(),
        None => escaped(&value, true),
        // Markup is escaped already; what would end the attribute is not.
        Some(_) if kind == Kind::Markup && part.is_none() => value.replace('"', "&#34;").replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;"),
        Some(_) => escaped(&value, false),
    }
}

/// Whether an address leads to a page or a mail: it has no scheme, or one of these.
fn is_safe(address: &str) -> bool {
    match address.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => ["http", "https", "mailto"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe)),
        _ => true,
    }
}

/// In percent what may not stand in an address; if it is one, not what has a meaning there.
fn encoded(text: &str, is_address: bool) -> String {
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut out = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_kept = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'#' | b'$' | b'&' | b'*' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'[' | b']' => is_address,
            b'%' => is_address && is_hex(at + 1) && is_hex(at + 2),
            _ => false,
        };
        if is_kept {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// As text or within quotes; without quotes blanks and some signs would end the value.
fn escaped(text: &str, is_bare: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => out.push(char::REPLACEMENT_CHARACTER),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '+' => out.push_str("&#43;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '=' | '`' if is_bare => out.push_str(&format!("&#{};", u32::from(character))),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of a template with one value between each two.
    fn shown(texts: &str, value: &str, kind: Kind) -> String {
        let (mut markup, mut written) = (Markup::default(), String::new());
        let mut texts = texts.split('$').peekable();
        while let Some(text) = texts.next() {
            written.push_str(text);
            if texts.peek().is_some() {
                let shown = markup.show(value, kind, &written);
                written.push_str(&shown);
            }
        }
        written
    }

    #[test]
    fn a_value_is_escaped_by_where_it_stands() {
        let value = "a b&c='?\"<+:/é%41%";
        for (texts, expected) in [
            ("<b>$</b>", "<b>a b&amp;c=&#39;?&#34;&lt;&#43;:/é%41%</b>"),
            ("<b title=\"$\">", "<b title=\"a b&amp;c=&#39;?&#34;&lt;&#43;:/é%41%\">"),
            ("<b title=$ x>", "<b title=a&#32;b&amp;c&#61;&#39;?&#34;&lt;&#43;:/é%41% x>"),
            ("<a href=\"/x/$\">", "<a href=\"/x/a%20b&amp;c=%27?%22%3c&#43;:/%c3%a9%41%25\">"),
            (
                "<a HREF = '?q=$#$'>$",
                "<a HREF = '?q=a%20b%26c%3d%27%3f%22%3c%2b%3a%2f%c3%a9%2541%25#a%20b%26c%3d%27%3f%22%3c%2b%3a%2f%c3%a9%2541%25'>a b&amp;c=&#39;?&#34;&lt;&#43;:/é%41%",
            ),
            ("<!-- <a href=\" --><a class=\"k\" data-url=\"$", "<!-- <a href=\" --><a class=\"k\" data-url=\"#ZgotmplZ"),
            ("1 < 2 href=\"?$", "1 < 2 href=\"?a b&amp;c=&#39;?&#34;&lt;&#43;:/é%41%"),
        ] {
            assert_eq!(shown(texts, value, Kind::Text), expected, "{texts}");
        }
    }

    #[test]
    fn an_address_leads_to_a_page_or_a_mail() {
        for (value, expected) in [
            ("https://h:1/p?q=a b&r=%20", "https://h:1/p?q=a%20b&amp;r=%20"),
            ("MAILTO:a@b", "MAILTO:a@b"),
            ("/p:1", "/p:1"),
            ("javascript:alert(1)", "#ZgotmplZ"),
        ] {
            assert_eq!(shown("<a class=x href=\"$\">", value, Kind::Text), format!("<a class=x href=\"{expected}\">"), "{value}");
        }
        assert_eq!(shown("<a href=\"$\">", "tg://x?a=b", Kind::Address), "<a href=\"tg://x?a=b\">");
        assert_eq!(shown("<a href=\"?$\">", "a=b&c", Kind::Address), "<a href=\"?a=b&amp;c\">");
        assert_eq!(shown("<a href=$>", "", Kind::Text), "<a href=ZgotmplZ>");
    }

    #[test]
    fn markup_stands_where_markup_may_and_moves_nothing() {
        assert_eq!(shown("<b>$</b>", "<i>&amp;</i>", Kind::Markup), "<b><i>&amp;</i></b>");
        assert_eq!(shown("<b title=\"$\">", "<i>&amp;\"", Kind::Markup), "<b title=\"&lt;i&gt;&amp;&#34;\">");
        assert_eq!(shown("$$", "<a href=\"?", Kind::Markup), "<a href=\"?<a href=\"?", "what a value holds is no place");
    }
}
