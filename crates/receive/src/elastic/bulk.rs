//! Documents to rows, and what became of each.

use std::collections::BTreeSet;

use base64::Engine as _;
use signalbox_model::attributes::write_json_string;

use super::NAME_BYTES_MAX;
use super::action::{self, Action, Body, Fault, Line};
use crate::door::{Context, Decoded, Rejections};
use crate::logs::document::{Document, DocumentFault};
use crate::logs::json::{Cursor, Piece, Value};
use crate::logs::leaf::Leaf;
use crate::logs::{Names, Rows, mended};

/// Which indices there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indices {
    /// Patterns of names that need not be made.
    pub patterns: Vec<String>,
    /// Names that were made.
    pub made: BTreeSet<String>,
}

impl Indices {
    fn has(&self, index: &str) -> bool {
        self.made.contains(index) || self.patterns.iter().any(|pattern| fits(pattern, index))
    }
}

/// Whether a name fits a pattern in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it wanted.
    pub action: Action,
    /// Where it belongs.
    pub index: String,
    /// What it is called.
    pub id: String,
    /// Bytes of the document.
    pub bytes: usize,
    /// Why it was refused.
    pub fault: Option<ItemFault>,
}

/// Why an item was refused, in Elasticsearch's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFault {
    /// HTTP status of the item.
    pub status: u16,
    /// Type of the exception.
    pub kind: &'static str,
    /// The reason.
    pub reason: String,
}

/// What became of the items of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// All of them, in order.
    pub items: Vec<Item>,
    /// Why the request is refused as a whole.
    pub fault: Option<Fault>,
    /// How many reasons the decoder gave; they stand before those of admission.
    pub reasons: usize,
}

/// Decodes a body. `seed` makes the ids of documents without one differ from those of other requests.
pub fn decode(bytes: &[u8], context: &Context<'_>, sent: &Body, indices: &Indices, seed: u64) -> (Decoded, Report) {
    let text = mended(bytes);
    let lines = match sent {
        Body::Bulk { index } => action::lines(&text, index.as_deref()),
        Body::One { index, id, action } => Ok(vec![Line { action: *action, index: index.clone(), id: id.clone(), document: &text }]),
    };
    let lines = match lines {
        Ok(lines) => lines,
        Err(fault) => return (Decoded::default(), Report { fault: Some(fault), ..Report::default() }),
    };
    let names = Names::default();
    let mut documents =
        Documents { context, indices, document: Document::new(&names), rows: Rows::new(context), scope: String::new(), last_scope: String::new() };
    let mut rejections = Rejections::default();
    let mut items = Vec::with_capacity(lines.len());
    for (position, line) in lines.iter().enumerate() {
        let fault = documents.take(line).err();
        if let Some((reason, fault)) = &fault {
            rejections.add(1, reason, || format!("item {position}: {}", fault.reason));
        }
        let id = line.id.clone().unwrap_or_else(|| new_id(context.now_ns, seed, position));
        items.push(Item { action: line.action, index: line.index.clone(), id, bytes: line.document.len(), fault: fault.map(|(_, fault)| fault) });
    }
    let decoded = documents.rows.finish(rejections);
    let reasons = decoded.rejected.len();
    (decoded, Report { items, fault: None, reasons })
}

/// Twenty characters, as Elasticsearch makes them.
fn new_id(now_ns: i64, seed: u64, position: usize) -> String {
    let mut bytes = [0; 24];
    for (chunk, part) in bytes.chunks_exact_mut(8).zip([now_ns as u64, seed, position as u64]) {
        chunk.copy_from_slice(&part.to_le_bytes());
    }
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes).to_le_bytes();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash[..15])
}

struct Documents<'c, 'a> {
    context: &'c Context<'c>,
    indices: &'c Indices,
    document: Document<'a>,
    rows: Rows<'c>,
    scope: String,
    last_scope: String,
}

type Refused = (&'static str, ItemFault);

fn refused(reason: &'static str, status: u16, kind: &'static str, text: String) -> Refused {
    (reason, ItemFault { status, kind, reason: text })
}

impl<'a> Documents<'_, 'a> {
    fn take(&mut self, line: &'a Line<'_>) -> Result<(), Refused> {
        let Line { action, index, id, document } = line;
        if matches!(action, Action::Update | Action::Delete) {
            let (verb, id) = (action.name(), id.as_deref().unwrap_or_default());
            let text = format!("cannot {verb} document [{id}] of [{index}]: records are kept as they came, only [index] and [create] are taken");
            return Err(refused("unsupported_action", 400, "illegal_argument_exception", text));
        }
        if index.len() > NAME_BYTES_MAX || id.as_ref().is_some_and(|id| id.len() > NAME_BYTES_MAX) {
            let text = format!("the name of an index or document is longer than {NAME_BYTES_MAX} bytes");
            return Err(refused("name_too_long", 400, "illegal_argument_exception", text));
        }
        if !self.indices.has(index) {
            let patterns = self.indices.patterns.join(",");
            let text = format!("no such index [{index}] and [receive.elastic.auto_create_index] ([{patterns}]) doesn't match");
            return Err(refused("index_not_found", 404, "index_not_found_exception", text));
        }
        self.document.clear();
        let read = self.read(document);
        read.and_then(|()| {
            self.document.add_attribute("_index", Leaf::Text(Piece::Wire(index)));
            if let Some(id) = id {
                self.document.add_attribute("_id", Leaf::Text(Piece::Wire(id)));
            }
            self.enter_scope();
            let accepted = self.context.accepted_time;
            self.document.close_within(&mut self.rows, self.context, accepted)
        })
        .map_err(|fault| refused(fault.reason(), 400, "document_parsing_exception", format!("failed to parse: {fault}")))
    }

    fn read(&mut self, document: &'a str) -> Result<(), DocumentFault> {
        let mut cursor = Cursor::new(document);
        if cursor.value(self.document.arena())? != Value::Object {
            return Err(cursor.fault("want a JSON object").into());
        }
        self.document.read(&mut cursor, self.context.attribute_depth_max)?;
        if cursor.is_at_end() { Ok(()) } else { Err(cursor.fault("want the end of the document").into()) }
    }

    /// Says what the document called the fields that became columns.
    fn enter_scope(&mut self) {
        let columns = self.document.columns();
        self.scope.clear();
        self.scope.push('{');
        for (name, found) in [
            ("@timestamp", columns.timestamp),
            ("message", columns.body),
            ("log.level", columns.severity),
            ("trace.id", columns.trace_id),
            ("span.id", columns.span_id),
            ("service.name", columns.service),
        ] {
            if let Some(found) = found.filter(|found| *found != name) {
                self.scope.push_str(if self.scope.len() > 1 { ",\"elastic." } else { "\"elastic." });
                self.scope.push_str(name);
                self.scope.push_str("\":");
                write_json_string(&mut self.scope, found);
            }
        }
        self.scope.push('}');
        // The scope of the row before is the one that is announced already.
        if self.scope != self.last_scope {
            self.rows.set_scope(&self.scope);
            self.last_scope.clone_from(&self.scope);
        }
    }
}
