//! Names of fields and attributes, and signs of operators, as they are written and as Tempo's API answers them.

use std::fmt;

use super::{
    lex::is_name_character,
    tree::{Aggregate, Answer, ArithmeticOp, Attribute, Intrinsic, Relation, Scope, SpansetOp},
};

impl Intrinsic {
    /// Every field of the data model.
    pub const ALL: [Self; 21] = [
        Self::Name,
        Self::Duration,
        Self::Status,
        Self::StatusMessage,
        Self::Kind,
        Self::SpanId,
        Self::ParentId,
        Self::ChildCount,
        Self::NestedSetLeft,
        Self::NestedSetRight,
        Self::NestedSetParent,
        Self::TraceId,
        Self::TraceDuration,
        Self::RootName,
        Self::RootService,
        Self::EventName,
        Self::EventTimeSinceStart,
        Self::LinkTraceId,
        Self::LinkSpanId,
        Self::InstrumentationName,
        Self::InstrumentationVersion,
    ];

    /// The name that Tempo answers: `name`, `span:childCount`, `rootServiceName`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Duration => "duration",
            Self::Status => "status",
            Self::StatusMessage => "statusMessage",
            Self::Kind => "kind",
            Self::SpanId => "span:id",
            Self::ParentId => "span:parentID",
            Self::ChildCount => "span:childCount",
            Self::NestedSetLeft => "nestedSetLeft",
            Self::NestedSetRight => "nestedSetRight",
            Self::NestedSetParent => "nestedSetParent",
            Self::TraceId => "trace:id",
            Self::TraceDuration => "traceDuration",
            Self::RootName => "rootName",
            Self::RootService => "rootServiceName",
            Self::EventName => "event:name",
            Self::EventTimeSinceStart => "event:timeSinceStart",
            Self::LinkTraceId => "link:traceID",
            Self::LinkSpanId => "link:spanID",
            Self::InstrumentationName => "instrumentation:name",
            Self::InstrumentationVersion => "instrumentation:version",
        }
    }

    /// The field of a name without a scope.
    pub(super) fn plain(name: &str) -> Option<Self> {
        // A name with a colon is never one word.
        Self::ALL.into_iter().find(|intrinsic| intrinsic.as_str() == name)
    }

    /// The field of a scope and a name.
    pub(super) fn scoped(scope: &str, name: &str) -> Option<Self> {
        Some(match (scope, name) {
            ("span", "name") => Self::Name,
            ("span", "duration") => Self::Duration,
            ("span", "status") => Self::Status,
            ("span", "statusMessage") => Self::StatusMessage,
            ("span", "kind") => Self::Kind,
            ("span", "id") => Self::SpanId,
            ("span", "parentID") => Self::ParentId,
            ("span", "childCount") => Self::ChildCount,
            ("trace", "id") => Self::TraceId,
            ("trace", "duration") => Self::TraceDuration,
            ("trace", "rootName") => Self::RootName,
            ("trace", "rootService") => Self::RootService,
            ("event", "name") => Self::EventName,
            ("event", "timeSinceStart") => Self::EventTimeSinceStart,
            ("link", "traceID") => Self::LinkTraceId,
            ("link", "spanID") => Self::LinkSpanId,
            ("instrumentation", "name") => Self::InstrumentationName,
            ("instrumentation", "version") => Self::InstrumentationVersion,
            _ => return None,
        })
    }
}

impl Scope {
    /// The word before the dot; the empty text for any.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Span => "span",
            Self::Resource => "resource",
            Self::Event => "event",
            Self::Link => "link",
            Self::Instrumentation => "instrumentation",
        }
    }
}

impl Attribute {
    /// The name that Tempo answers, which is also how it is written: `resource.service.name`, `.foo`, `span:childCount`.
    pub fn attribute_name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, name) = match self {
            Self::Intrinsic(intrinsic) => return f.write_str(intrinsic.as_str()),
            Self::Named(scope, name) => (*scope, name),
        };
        f.write_str(scope.as_str())?;
        f.write_str(".")?;
        let reads_as_number = scope == Scope::Any && name.starts_with(|first: char| first.is_ascii_digit());
        if name.is_empty() || reads_as_number || name.contains('"') || !name.chars().all(is_name_character) {
            write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            f.write_str(name)
        }
    }
}

impl ArithmeticOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
        }
    }
}

impl Aggregate {
    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Avg => "avg",
        }
    }
}

impl SpansetOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Structural(relation, answer) => match (relation, answer) {
                (Relation::Child, Answer::Right) => ">",
                (Relation::Child, Answer::NotRight) => "!>",
                (Relation::Child, Answer::Both) => "&>",
                (Relation::Parent, Answer::Right) => "<",
                (Relation::Parent, Answer::NotRight) => "!<",
                (Relation::Parent, Answer::Both) => "&<",
                (Relation::Descendant, Answer::Right) => ">>",
                (Relation::Descendant, Answer::NotRight) => "!>>",
                (Relation::Descendant, Answer::Both) => "&>>",
                (Relation::Ancestor, Answer::Right) => "<<",
                (Relation::Ancestor, Answer::NotRight) => "!<<",
                (Relation::Ancestor, Answer::Both) => "&<<",
                (Relation::Sibling, Answer::Right) => "~",
                (Relation::Sibling, Answer::NotRight) => "!~",
                (Relation::Sibling, Answer::Both) => "&~",
            },
        }
    }
}
