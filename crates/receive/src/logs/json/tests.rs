use super::*;

/// Reads a whole text with the cursor and writes it again through `serde_json`.
fn tree(cursor: &mut Cursor<'_>, arena: &mut String) -> Result<serde_json::Value, Fault> {
    use serde_json::Value as Json;
    Ok(match cursor.value(arena)? {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(text) => serde_json::from_str(text).unwrap(),
        Value::Text(piece) => Json::String(piece.get(arena).to_owned()),
        Value::Object => {
            let mut object = serde_json::Map::new();
            while let Some(key) = cursor.key(object.is_empty(), arena)? {
                let value = tree(cursor, arena)?;
                object.insert(key.get(arena).to_owned(), value);
            }
            Json::Object(object)
        }
        Value::Array => {
            let mut items = Vec::new();
            while cursor.item(items.is_empty())? {
                items.push(tree(cursor, arena)?);
            }
            Json::Array(items)
        }
    })
}

fn read(text: &str) -> Result<serde_json::Value, Fault> {
    let mut cursor = Cursor::new(text);
    let value = tree(&mut cursor, &mut String::new())?;
    if cursor.is_at_end() { Ok(value) } else { Err(cursor.fault("more")) }
}

const GOOD: &[&str] = &[
    "{}",
    "[]",
    " [ 1 , -2.5e3, 0, 0.1, 1E+2, true ,false, null ] ",
    r#"{"a":{"b":[{"c":"d"}]},"e":"f g h i j k l m n o p q"}"#,
    r#""plain text that is longer than eight bytes: é ü 漢字""#,
    r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
    r#"{"a\nb":"c\u0000d"}"#,
    r#""1234567\\""#,
    r#""12345678""#,
];

#[test]
fn reads_what_serde_json_reads() {
    for text in GOOD {
        assert_eq!(read(text), Ok(serde_json::from_str(text).unwrap()), "{text}");
    }
}

#[test]
fn refuses_what_is_cut_short_or_wrong() {
    for text in GOOD {
        let text = text.trim();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(read(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
    for text in
        ["01", "-", "1.", ".5", "1e", "+1", "tru", "nul", "{a:1}", "{\"a\" 1}", "[1 2]", "[1,]", "{\"a\":1,}", "{,}", "\"\\x\"", "\"\\u12g4\"", "1 2", "'a'"]
    {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn a_half_of_a_pair_becomes_a_replacement_character() {
    assert_eq!(read(r#""\ud83d""#).unwrap(), "\u{fffd}");
    assert_eq!(read(r#""\ud83dx\ude00""#).unwrap(), "\u{fffd}x\u{fffd}");
    assert_eq!(read(r#""\ud83d\ud83d\ude00""#).unwrap(), "\u{fffd}\u{1f600}");
}

#[test]
fn the_rest_of_a_value_is_its_text_and_its_depth() {
    let text = r#"[1,{"a":[2]},"b]"] ,3"#;
    let mut cursor = Cursor::new(text);
    let value = cursor.value(&mut String::new()).unwrap();
    assert_eq!(cursor.rest_of(&value, 0), Ok((r#"[1,{"a":[2]},"b]"]"#, 3)));
    assert!(cursor.passes(b','));
}

#[test]
fn nesting_is_bounded() {
    for bracket in ["[", "{\"a\":"] {
        let text = bracket.repeat(100_000);
        let mut cursor = Cursor::new(&text);
        let value = cursor.value(&mut String::new()).unwrap();
        assert_eq!(cursor.rest_of(&value, 0).unwrap_err().what, "the JSON is nested too deep");
    }
}
