//! Rows as they come in to rows at rest.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, DictionaryArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder, UInt32Array};
use arrow::datatypes::UInt32Type;
use signalbox_model::attributes::double_text;
use signalbox_model::builder::AttributesBuilder;
use signalbox_model::{Error, Result, schema};

use super::super::delay;
use super::super::layout::{Kind, Layout};
use super::shapes::{ROOT, Shapes, Slot};
use super::{InMap, Map, other_schema};
use crate::format::rows::gather::NullableText;

/// Takes frequent attributes out of the map.
#[derive(Debug)]
pub(crate) struct Splitter {
    layout: Layout,
    schema: arrow::datatypes::SchemaRef,
    shapes: Shapes,
    in_map: InMap,
    /// Keys (by number) whose values are in the map.
    noted: Vec<bool>,
}

impl Splitter {
    pub(crate) fn new(layout: Layout) -> Result<Self> {
        let (schema, shapes) = (layout.schema()?, Shapes::new(layout.promoted()));
        Ok(Self { layout, schema, shapes, in_map: InMap::default(), noted: Vec::new() })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The keys that went into the map.
    pub(crate) fn in_map(&self) -> &InMap {
        &self.in_map
    }

    /// Notes what rows that were split elsewhere have in their map.
    pub(crate) fn add_in_map(&mut self, keys: &InMap) {
        self.in_map.add_all(keys);
    }

    /// Rows at rest; `pattern` is their column of patterns, if the layout has one.
    pub(crate) fn split(&mut self, rows: &RecordBatch, pattern: Option<ArrayRef>) -> Result<RecordBatch> {
        let map = Map::of(rows)?;
        let mut columns: Vec<Column> = self.layout.promoted().iter().map(|own| Column::new(own.kind)).collect();
        let (mut rest, mut shapes, mut path) = (AttributesBuilder::default(), ShapeColumn::default(), Vec::new());
        for row in 0..rows.num_rows() {
            path.clear();
            let mut shape = Some(ROOT);
            for (place, letter) in map.row(row) {
                shape = shape.and_then(|shape| self.shapes.next(shape, letter, map.keys.value(place)));
                let Some(node) = shape else { break };
                path.push(node);
            }
            shapes.push(shape, &self.shapes);
            for (at, (place, letter)) in map.row(row).enumerate() {
                let (key, value) = (map.keys.value(place), map.value(place));
                let node = shape.map(|_| path[at]);
                if let (Some(Slot::Column(number)), Some(text)) = (node.map(|node| self.shapes.node(node).slot), value)
                    && columns[number as usize].push(row, text)
                {
                    continue;
                }
                match node {
                    Some(node) => self.note(node),
                    None => self.in_map.add(key),
                }
                rest.append_option(key, letter, value);
            }
            rest.close_row();
        }
        let (attributes, types) = rest.finish();
        let times = rows.column_by_name(schema::TIMESTAMP).ok_or_else(other_schema)?;
        let replaced = |(column, field): (&ArrayRef, &Arc<arrow::datatypes::Field>)| match field.name().as_str() {
            schema::ATTRIBUTES => Ok(Arc::clone(&attributes)),
            schema::ATTRIBUTE_TYPES => Ok(Arc::clone(&types)),
            schema::logs::OBSERVED_TIMESTAMP if self.layout.has_delay => delay::of_times(column, times),
            _ => Ok(Arc::clone(column)),
        };
        let mut made = rows.columns().iter().zip(rows.schema_ref().fields()).map(replaced).collect::<Result<Vec<ArrayRef>>>()?;
        made.extend(pattern);
        made.push(shapes.finish()?);
        for column in columns {
            made.push(column.finish(rows.num_rows())?);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), made).map_err(|error| Error::internal("cannot take attributes apart").with_source(error))
    }

    fn note(&mut self, node: u32) {
        let key = self.shapes.node(node).key as usize;
        if self.noted.len() <= key {
            self.noted.resize(key + 1, false);
        }
        if !std::mem::replace(&mut self.noted[key], true) {
            self.in_map.add(&self.shapes.key(key as u32).text);
        }
    }
}

/// The column of keys.
#[derive(Default)]
struct ShapeColumn {
    codes: Vec<Option<u32>>,
    /// The code of each shape.
    known: Vec<u32>,
    texts: StringBuilder,
    count: u32,
}

impl ShapeColumn {
    fn push(&mut self, shape: Option<u32>, shapes: &Shapes) {
        let code = shape.map(|shape| {
            if self.known.len() < shapes.len() {
                self.known.resize(shapes.len(), u32::MAX);
            }
            let known = &mut self.known[shape as usize];
            if *known == u32::MAX {
                *known = self.count;
                self.count += 1;
                self.texts.append_value(shapes.text(shape));
            }
            *known
        });
        self.codes.push(code);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let column = DictionaryArray::<UInt32Type>::try_new(UInt32Array::from(self.codes), Arc::new(self.texts.finish()));
        column.map(|column| Arc::new(column) as ArrayRef).map_err(|error| Error::internal("cannot build the keys of attributes").with_source(error))
    }
}

/// A column of one attribute. Rows that are passed over have none.
enum Column {
    Text(NullableText),
    Plain(StringBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(NullableText::default()),
            Kind::Plain => Self::Plain(StringBuilder::new()),
            Kind::Int => Self::Int(Int64Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
        }
    }

    /// Appends the value of a row; false if its text is not the one that would be read back.
    fn push(&mut self, row: usize, text: &str) -> bool {
        match self {
            Self::Text(_) | Self::Plain(_) => {}
            Self::Int(_) if is_plain_int(text) => {}
            Self::Double(_) if text.parse().is_ok_and(|value: f64| double_text(value) == text) => {}
            Self::Bool(_) if matches!(text, "true" | "false") => {}
            Self::Int(_) | Self::Double(_) | Self::Bool(_) => return false,
        }
        self.fill(row);
        match self {
            Self::Text(builder) => builder.push(Some(text)),
            Self::Plain(builder) => builder.append_value(text),
            Self::Int(builder) => builder.append_option(text.parse().ok()),
            Self::Double(builder) => builder.append_option(text.parse().ok()),
            Self::Bool(builder) => builder.append_value(text == "true"),
        }
        true
    }

    /// Nulls up to a row.
    fn fill(&mut self, row: usize) {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Text(builder) => builder.push_nulls(row - builder.len()),
            Self::Plain(builder) => builder.append_nulls(row - builder.len()),
            Self::Int(builder) => builder.append_nulls(row - builder.len()),
            Self::Double(builder) => builder.append_nulls(row - builder.len()),
            Self::Bool(builder) => builder.append_nulls(row - builder.len()),
        }
    }

    fn finish(mut self, rows: usize) -> Result<ArrayRef> {
        self.fill(rows);
        Ok(match self {
            Self::Text(builder) => builder.finish()?,
            Self::Plain(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Double(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
        })
    }
}

/// Whether a text is the one that an integer of 64 bits is written as.
fn is_plain_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_plain = match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [b'0', ..] => false,
        digits => digits.iter().all(u8::is_ascii_digit),
    };
    // Numbers of up to 18 digits always fit.
    is_plain && (digits.len() < 19 || text.parse::<i64>().is_ok())
}
