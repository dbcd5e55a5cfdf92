//! What of spans a query looks at: its attributes as numbered slots, and the columns that these are in.

use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Scope};
use signalbox_model::schema::{self, traces};
use signalbox_store::ScanRequest;

const SERVICE_NAME: &str = "service.name";

/// Attributes of a query, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    attributes: Vec<Attribute>,
    /// Slots of those that are asked for not being there.
    missing: Vec<usize>,
}

impl Fields {
    /// The number of an attribute.
    pub(super) fn slot(&mut self, attribute: &Attribute) -> usize {
        match self.attributes.iter().position(|own| own == attribute) {
            Some(slot) => slot,
            None => {
                self.attributes.push(attribute.clone());
                self.attributes.len() - 1
            }
        }
    }

    /// Notes that the query looks for spans without the attribute.
    pub(super) fn note_missing(&mut self, slot: usize) {
        self.missing.push(slot);
    }

    /// Whether the query looks for spans without the attribute: of these it is told that they have none.
    pub(super) fn is_told_missing(&self, slot: usize) -> bool {
        self.missing.contains(&slot)
    }

    pub(super) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// A scan of the columns of some slots, and of others by name.
    pub(super) fn scan(&self, slots: &[usize], others: &[&'static str], scan: ScanRequest) -> ScanRequest {
        let (mut names, mut keys) = (others.to_vec(), Vec::new());
        for attribute in slots.iter().filter_map(|slot| self.attributes.get(*slot)) {
            names.extend(columns_of(attribute));
            if let Attribute::Named(Scope::Any | Scope::Span, key) = attribute
                && !keys.contains(key)
            {
                keys.push(key.clone());
            }
        }
        let spans = schema::spans();
        let mut projection: Vec<usize> = names.into_iter().map(|name| schema::index(&spans, name)).collect();
        projection.sort_unstable();
        projection.dedup();
        ScanRequest { projection: Some(projection), attributes: keys, typed: true, ..scan }
    }
}

/// Whether only the whole trace knows the value.
pub(super) fn is_of_trace(attribute: &Attribute) -> bool {
    use Intrinsic::{ChildCount, NestedSetLeft, NestedSetParent, NestedSetRight, RootName, RootService, TraceDuration};
    matches!(attribute, Attribute::Intrinsic(ChildCount | NestedSetLeft | NestedSetParent | NestedSetRight | RootName | RootService | TraceDuration))
}

/// Whether this is the service of the resource, which has a column of its own.
pub(super) fn is_service(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Named(Scope::Resource, name) if name == SERVICE_NAME)
}

/// Whether this is the service, of whichever scope.
pub(super) fn is_any_service(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Named(Scope::Any, name) if name == SERVICE_NAME)
}

/// Columns that an attribute is in, besides those of attributes of spans.
fn columns_of(attribute: &Attribute) -> Vec<&'static str> {
    match attribute {
        _ if is_service(attribute) || is_any_service(attribute) => vec![schema::SERVICE],
        Attribute::Named(Scope::Span, _) => Vec::new(),
        Attribute::Named(Scope::Any | Scope::Resource, _) => vec![schema::RESOURCE],
        Attribute::Named(Scope::Event, _) => vec![traces::EVENTS],
        Attribute::Named(Scope::Link, _) => vec![traces::LINKS],
        Attribute::Named(Scope::Instrumentation, _) => vec![schema::SCOPE],
        Attribute::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Name => vec![traces::NAME],
            Intrinsic::Duration => vec![traces::DURATION_NS],
            Intrinsic::Status => vec![traces::STATUS_CODE],
            Intrinsic::StatusMessage => vec![traces::STATUS_MESSAGE],
            Intrinsic::Kind => vec![traces::KIND],
            Intrinsic::SpanId => vec![schema::SPAN_ID],
            Intrinsic::ParentId => vec![traces::PARENT_SPAN_ID],
            Intrinsic::TraceId => vec![schema::TRACE_ID],
            Intrinsic::EventName => vec![traces::EVENTS],
            Intrinsic::EventTimeSinceStart => vec![traces::EVENTS, schema::TIMESTAMP],
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => vec![traces::LINKS],
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => vec![schema::SCOPE],
            Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
            | Intrinsic::TraceDuration
            | Intrinsic::RootName
            | Intrinsic::RootService => Vec::new(),
        },
    }
}
