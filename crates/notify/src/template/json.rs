//! `toJson`: what Go's `encoding/json` makes of the values of templates.

use signalbox_lang::template::Value;

use super::data::{AlertData, Alerts, Data, Kv, Strings, ZeroTime};

/// Names of the fields of `.` in JSON, in Go's order.
const ROOT: [(&str, &str); 9] = [
    ("Receiver", "receiver"),
    ("Status", "status"),
    ("Alerts", "alerts"),
    ("NotificationReason", "notification_reason"),
    ("GroupLabels", "groupLabels"),
    ("CommonLabels", "commonLabels"),
    ("CommonAnnotations", "commonAnnotations"),
    ("RouteLabels", "routeLabels"),
    ("ExternalURL", "externalURL"),
];

/// The JSON of a value.
pub(super) fn print(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Nil => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) | Value::Duration(value) => value.to_string(),
        Value::Float(value) if !value.is_finite() => return Err(format!("json: unsupported value: {}", Value::Float(*value).print())),
        Value::Float(value) => serde_json::Number::from_f64(*value).map(|number| number.to_string().trim_end_matches(".0").to_owned()).unwrap_or_default(),
        Value::Text(value) => text(value),
        Value::Time(instant_ns) => text(&crate::instant::rfc3339(*instant_ns)),
        Value::Texts(map) => object(map.iter().map(|(name, value)| (name.as_str(), Ok(text(value)))))?,
        Value::Map(map) => object(map.iter().map(|(name, value)| (name.as_str(), print(value))))?,
        Value::List(list) => array(list)?,
        Value::Object(_) => of_type(value)?,
    })
}

fn of_type(value: &Value) -> Result<String, String> {
    if let Some(Kv(map)) = value.downcast() {
        return object(map.iter().map(|(name, value)| (name.as_str(), Ok(text(value)))));
    }
    if let Some(alert) = value.downcast::<AlertData>() {
        let fields = [
            ("status", Ok(text(&alert.status))),
            ("labels", print(&alert.labels)),
            ("annotations", print(&alert.annotations)),
            ("startsAt", print(&alert.starts_at)),
            ("endsAt", print(&alert.ends_at)),
            ("generatorURL", Ok(text(&alert.generator_url))),
            ("fingerprint", Ok(text(&alert.fingerprint))),
        ];
        return object(fields);
    }
    if let Some(Alerts(alerts)) = value.downcast() {
        return array(&alerts.iter().map(|alert| Value::Object(alert.clone())).collect::<Vec<_>>());
    }
    if let Some(Data(fields)) = value.downcast() {
        return object(ROOT.iter().map(|(name, key)| (*key, fields.get(name).map_or_else(|| Ok("null".to_owned()), print))));
    }
    if let Some(Strings(texts)) = value.downcast() {
        return Ok(format!("[{}]", texts.iter().map(|value| text(value)).collect::<Vec<_>>().join(",")));
    }
    if value.downcast::<ZeroTime>().is_some() {
        return Ok(text("0001-01-01T00:00:00Z"));
    }
    Err(format!("json: unsupported type: {}", value.type_name()))
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Result<String, String>)>) -> Result<String, String> {
    let fields: Result<Vec<String>, String> = fields.into_iter().map(|(name, value)| Ok(format!("{}:{}", text(name), value?))).collect();
    Ok(format!("{{{}}}", fields?.join(",")))
}

fn array(list: &[Value]) -> Result<String, String> {
    let elements: Result<Vec<String>, String> = list.iter().map(print).collect();
    Ok(format!("[{}]", elements?.join(",")))
}

/// In quotes; what could end a script in HTML is escaped, as Go does.
fn text(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let mut escaped = String::with_capacity(quoted.len());
    for character in quoted.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}
