//! The shapes of rows: the keys of their attributes in order, with their types, each list once.
//!
//! A tree of keys. Rows come in few shapes, so finding that of a row compares its keys with those of a row before it.

use std::collections::HashMap;

use signalbox_model::attributes::write_json_string;

use super::super::layout::Promoted;

/// Nodes of the tree at most; rows of further shapes have none.
const NODES_MAX: usize = if cfg!(test) { 64 } else { 16 << 10 };
/// Attributes of a row at most that is to have a shape.
const DEPTH_MAX: usize = if cfg!(test) { 40 } else { 256 };
/// Children of a node that are compared one by one.
const COMPARED_MAX: usize = 8;

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// To a column, by number.
    Column(u32),
    Map,
}

#[derive(Debug)]
pub(super) struct Node {
    parent: u32,
    pub(super) key: u32,
    pub(super) slot: Slot,
    depth: u32,
    children: Vec<u32>,
}

/// A key with the letter of a type.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) letter: char,
    pub(super) text: Box<str>,
}

/// All shapes of the rows seen.
#[derive(Debug)]
pub(super) struct Shapes {
    nodes: Vec<Node>,
    keys: Vec<Key>,
    key_ids: HashMap<String, u32>,
    /// Children of nodes that have many.
    many: HashMap<(u32, u32), u32>,
    columns: HashMap<String, (u32, char)>,
    buffer: String,
}

/// The shape of a row without attributes.
pub(super) const ROOT: u32 = 0;

impl Shapes {
    pub(super) fn new(promoted: &[Promoted]) -> Self {
        let root = Node { parent: ROOT, key: u32::MAX, slot: Slot::Map, depth: 0, children: Vec::new() };
        let columns = promoted.iter().zip(0..).map(|(own, number)| (own.key.clone(), (number, own.kind.letter()))).collect();
        Self { nodes: vec![root], keys: Vec::new(), key_ids: HashMap::new(), many: HashMap::new(), columns, buffer: String::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    pub(super) fn key(&self, key: u32) -> &Key {
        &self.keys[key as usize]
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The shape of one more attribute behind a shape; `None` if there are too many.
    pub(super) fn next(&mut self, node: u32, letter: char, key: &str) -> Option<u32> {
        for child in &self.nodes[node as usize].children {
            let own = &self.keys[self.nodes[*child as usize].key as usize];
            if own.letter == letter && *own.text == *key {
                return Some(*child);
            }
        }
        self.find_or_add(node, letter, key)
    }

    #[cold]
    fn find_or_add(&mut self, node: u32, letter: char, key: &str) -> Option<u32> {
        self.buffer.clear();
        self.buffer.push(letter);
        self.buffer.push_str(key);
        let known = self.key_ids.get(&self.buffer).copied();
        if let Some(child) = known.and_then(|key| self.many.get(&(node, key))) {
            return Some(*child);
        }
        let depth = self.nodes[node as usize].depth + 1;
        if self.nodes.len() >= NODES_MAX || depth as usize > DEPTH_MAX {
            return None;
        }
        let id = known.unwrap_or_else(|| {
            self.keys.push(Key { letter, text: key.into() });
            self.key_ids.insert(self.buffer.clone(), self.keys.len() as u32 - 1);
            self.keys.len() as u32 - 1
        });
        let child = self.nodes.len() as u32;
        let slot = match self.columns.get(key) {
            Some((number, own)) if *own == letter && !self.has_key(node, key) => Slot::Column(*number),
            _ => Slot::Map,
        };
        self.nodes.push(Node { parent: node, key: id, slot, depth, children: Vec::new() });
        let children = &mut self.nodes[node as usize].children;
        if children.len() < COMPARED_MAX {
            children.push(child);
        } else {
            self.many.insert((node, id), child);
        }
        Some(child)
    }

    /// Whether a key is in a shape, with any type.
    fn has_key(&self, shape: u32, key: &str) -> bool {
        self.path(shape).any(|node| *self.keys[self.nodes[node as usize].key as usize].text == *key)
    }

    /// The nodes of a shape, from its last to its first attribute.
    pub(super) fn path(&self, shape: u32) -> impl Iterator<Item = u32> + '_ {
        let above = |node: u32| Some(self.nodes[node as usize].parent);
        std::iter::successors(Some(shape), move |node| above(*node)).take(self.nodes[shape as usize].depth as usize)
    }

    /// The text of a shape.
    pub(super) fn text(&self, shape: u32) -> String {
        let mut nodes: Vec<u32> = self.path(shape).collect();
        nodes.reverse();
        let mut text = String::from("[");
        for (at, node) in nodes.into_iter().enumerate() {
            let key = self.key(self.node(node).key);
            if at > 0 {
                text.push(',');
            }
            write_json_string(&mut text, &format!("{}{}", key.letter, key.text));
        }
        text.push(']');
        text
    }
}

/// The keys of the text of a shape, with the letters of their types; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Vec<(char, String)>> {
    let keys: Vec<String> = serde_json::from_str(text).ok()?;
    keys.into_iter().map(|key| key.chars().next().map(|letter| (letter, key[letter.len_utf8()..].to_owned()))).collect()
}
