//! Fields of a record, by the names that people and Elasticsearch give them.
//!
//! | name | field |
//! |---|---|
//! | `timestamp`, `@timestamp`, `observed_timestamp` | times, nanoseconds |
//! | `message`, `body` | the body |
//! | `pattern` | the pattern of the body: its text with `<_>` for what varies |
//! | `level`, `log.level`, `severity`, `detected_level` | the level as one word |
//! | `severity_text`, `severity_number`, `event_name`, `event.name`, `flags` | the field of that name |
//! | `service`, `service.name`, `service_name` | the service |
//! | `trace_id`, `trace.id`, `span_id`, `span.id` | identifiers, in hexadecimal digits |
//! | `scope.name`, `scope_name`, `scope.version`, `scope_version` | the instrumentation |
//! | `resource.x`, `resource.attributes.x` | the resource's attribute `x` |
//! | `scope.attributes.x` | the scope's attribute `x` |
//! | `attributes.x` | the record's own attribute `x` |
//! | anything else | the resource's attribute of that name, else the record's own |
//!
//! `.keyword` at the end of a name, as Elasticsearch's clients write it, means nothing. An attribute may be named as labels
//! are, with `_` for what labels cannot have. `a.b` is also what `a`, a map, holds as `b`.

use signalbox_model::schema::{self, logs};

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// Where words are looked for: the body, the name of the event, the values of the record's own attributes.
    Any,
    /// When it happened.
    Timestamp,
    /// When it was observed.
    ObservedTimestamp,
    /// Order of arrival.
    Sequence,
    /// The body.
    Body,
    /// The pattern of the body, see [`signalbox_model::pattern`].
    Pattern,
    /// The level as one word.
    Level,
    /// The number of the severity.
    SeverityNumber,
    /// The severity as the source spells it.
    SeverityText,
    /// The name of the event.
    EventName,
    /// The service.
    Service,
    /// The trace.
    TraceId,
    /// The span.
    SpanId,
    /// W3C trace flags.
    Flags,
    /// The name of the instrumentation.
    ScopeName,
    /// The version of the instrumentation.
    ScopeVersion,
    /// An attribute of the instrumentation.
    Scope(String),
    /// An attribute of the resource.
    Resource(String),
    /// An attribute of the record itself.
    Own(String),
    /// An attribute of the resource, else of the record.
    Attribute(String),
}

/// Last parts of names of attributes that hold prose: words are looked for in it.
const PROSE: [&str; 7] = ["message", "msg", "body", "stacktrace", "stack_trace", "description", "text"];

impl Field {
    /// The field of a name.
    pub fn named(name: &str) -> Self {
        let name = name.strip_suffix(".keyword").unwrap_or(name);
        match name {
            "timestamp" | "@timestamp" => Self::Timestamp,
            "observed_timestamp" => Self::ObservedTimestamp,
            "message" | "body" => Self::Body,
            "pattern" => Self::Pattern,
            "level" | "log.level" | "severity" | "detected_level" => Self::Level,
            "severity_number" => Self::SeverityNumber,
            "severity_text" => Self::SeverityText,
            "event_name" | "event.name" => Self::EventName,
            "service" | "service.name" | "service_name" => Self::Service,
            "trace_id" | "trace.id" => Self::TraceId,
            "span_id" | "span.id" => Self::SpanId,
            "flags" => Self::Flags,
            "scope.name" | "scope_name" => Self::ScopeName,
            "scope.version" | "scope_version" => Self::ScopeVersion,
            _ => Self::attribute(name),
        }
    }

    fn attribute(name: &str) -> Self {
        let below = |prefix: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(str::to_owned);
        if let Some(rest) = below("resource.attributes.").or_else(|| below("resource.")) {
            return if rest == "service.name" { Self::Service } else { Self::Resource(rest) };
        }
        if let Some(rest) = below("scope.attributes.") {
            return Self::Scope(rest);
        }
        below("attributes.").map_or_else(|| Self::Attribute(name.to_owned()), Self::Own)
    }

    /// Whether its values are prose: words of it are looked for, not the whole.
    pub fn is_prose(&self) -> bool {
        match self {
            Self::Any | Self::Body => true,
            Self::Scope(name) | Self::Resource(name) | Self::Own(name) | Self::Attribute(name) => PROSE.contains(&name.rsplit('.').next().unwrap_or_default()),
            _ => false,
        }
    }

    /// Whether its values are instants.
    pub fn is_time(&self) -> bool {
        matches!(self, Self::Timestamp | Self::ObservedTimestamp)
    }

    /// Columns that hold it.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Any => &[logs::BODY, logs::EVENT_NAME, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES],
            Self::Timestamp => &[schema::TIMESTAMP],
            Self::ObservedTimestamp => &[logs::OBSERVED_TIMESTAMP],
            Self::Sequence => &[schema::SEQUENCE],
            Self::Body | Self::Pattern => &[logs::BODY],
            Self::Level => &[logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT],
            Self::SeverityNumber => &[logs::SEVERITY_NUMBER],
            Self::SeverityText => &[logs::SEVERITY_TEXT],
            Self::EventName => &[logs::EVENT_NAME],
            Self::Service => &[schema::SERVICE],
            Self::TraceId => &[schema::TRACE_ID],
            Self::SpanId => &[schema::SPAN_ID],
            Self::Flags => &[logs::FLAGS],
            Self::ScopeName | Self::ScopeVersion | Self::Scope(_) => &[schema::SCOPE],
            Self::Resource(_) => &[schema::RESOURCE],
            Self::Own(_) => &[schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES],
            Self::Attribute(_) => &[schema::RESOURCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES],
        }
    }

    /// What a test of it costs, for the order of tests: lower is cheaper.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Self::Timestamp | Self::ObservedTimestamp | Self::Sequence | Self::SeverityNumber | Self::Flags => 0,
            Self::Service | Self::Level | Self::SeverityText | Self::EventName | Self::ScopeName | Self::ScopeVersion | Self::Scope(_) => 1,
            Self::TraceId | Self::SpanId | Self::Resource(_) => 2,
            Self::Own(_) | Self::Attribute(_) => 10,
            Self::Body => 20,
            Self::Pattern => 30,
            Self::Any => 50,
        }
    }
}

/// Whether an attribute has this name, as it is or as labels are named.
pub(crate) fn is_named(attribute: &str, name: &str) -> bool {
    if attribute == name {
        return true;
    }
    // The same but for what labels cannot have.
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut names = name.chars();
    attribute.chars().all(|character| names.next().is_some_and(|wanted| wanted == if is_allowed(character) { character } else { '_' }))
        && names.next().is_none()
}
