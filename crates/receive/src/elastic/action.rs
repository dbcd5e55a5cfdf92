//! The lines of a bulk request: actions, and the documents that follow some of them.

use crate::logs::json::{Cursor, Fault as JsonFault, Piece, Value};

/// What an item wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A document, new or instead of another.
    Index,
    /// A new document.
    Create,
    /// A change of a document.
    Update,
    /// A document less.
    Delete,
}

impl Action {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "index" => Some(Self::Index),
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    /// As it is spelled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Actions and documents, with the index of those that name none.
    Bulk {
        /// Of the address.
        index: Option<String>,
    },
    /// One document.
    One {
        /// Where it belongs.
        index: String,
        /// What it is called.
        id: Option<String>,
        /// Index or create.
        action: Action,
    },
}

/// Why a whole request is refused, in Elasticsearch's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Type of the exception.
    pub kind: &'static str,
    /// The reason.
    pub reason: String,
}

/// An action and its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) action: Action,
    pub(super) index: String,
    pub(super) id: Option<String>,
    /// Of index and create.
    pub(super) document: &'a str,
}

/// Splits a bulk request.
pub(super) fn lines<'a>(text: &'a str, default_index: Option<&str>) -> Result<Vec<Line<'a>>, Fault> {
    let mut found = Vec::new();
    let mut missing = String::new();
    let mut arena = String::new();
    let mut rest = text.split('\n').enumerate();
    while let Some((number, line)) = rest.next() {
        // Lines between actions may be empty.
        if line.trim().is_empty() {
            continue;
        }
        arena.clear();
        let (action, index, id) = head(line, number + 1, &mut arena)?;
        let document = if action == Action::Delete { "" } else { rest.next().map_or("", |(_, document)| document) };
        let index = match index.or_else(|| default_index.map(str::to_owned)).filter(|index| !index.is_empty()) {
            Some(index) => index,
            None => {
                missing.push_str(&format!("{}: index is missing;", found.len() + 1));
                String::new()
            }
        };
        found.push(Line { action, index, id, document });
    }
    if !missing.is_empty() {
        return Err(Fault { kind: "action_request_validation_exception", reason: format!("Validation Failed: {missing}") });
    }
    if found.is_empty() {
        return Err(Fault { kind: "parse_exception", reason: "request body is required".to_owned() });
    }
    Ok(found)
}

type Head = (Action, Option<String>, Option<String>);

/// `{"index": {"_index": "shop", "_id": "7"}}`.
fn head(line: &str, number: usize, arena: &mut String) -> Result<Head, Fault> {
    let malformed = |what: &str| Fault { kind: "illegal_argument_exception", reason: format!("Malformed action/metadata line [{number}], {what}") };
    let broken = |fault: JsonFault| malformed(&format!("expected an action but {fault}"));
    let mut cursor = Cursor::new(line);
    if cursor.value(arena).map_err(broken)? != Value::Object {
        return Err(malformed("expected START_OBJECT"));
    }
    let Some(name) = cursor.key(true, arena).map_err(broken)? else { return Err(malformed("expected FIELD_NAME but found [END_OBJECT]")) };
    let name = name.get(arena).to_owned();
    let Some(action) = Action::from_name(&name) else {
        return Err(malformed(&format!("expected field [create], [delete], [index] or [update] but found [{name}]")));
    };
    if cursor.value(arena).map_err(broken)? != Value::Object {
        return Err(malformed("expected START_OBJECT"));
    }
    let (mut index, mut id, mut is_first) = (None, None, true);
    while let Some(key) = cursor.key(is_first, arena).map_err(broken)? {
        is_first = false;
        let start = cursor.at();
        let value = cursor.value(arena).map_err(broken)?;
        let text = |piece: &Piece<'_>| piece.get(arena).to_owned();
        match (key.get(arena), &value) {
            ("_index", Value::Text(piece)) => index = Some(text(piece)),
            ("_id", Value::Text(piece)) => id = Some(text(piece)),
            ("_id", Value::Number(number)) => id = Some((*number).to_owned()),
            _ => drop(cursor.rest_of(&value, start).map_err(broken)?),
        }
    }
    if !cursor.passes(b'}') || !cursor.is_at_end() {
        return Err(malformed("expected END_OBJECT"));
    }
    Ok((action, index, id.filter(|id| !id.is_empty())))
}
