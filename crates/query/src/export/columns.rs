//! What columns of an export hold, read from columns of storage.

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray};
use signalbox_model::Result;
use signalbox_model::attributes::write_json_string;
use signalbox_model::schema::{self, logs};

use super::sheet::Cells;
use crate::rows::{AttributeColumns, Resource, Texts, column, level_of, span_id, trace_id};
use crate::search::{Field, Probe, Value};

/// A column of an export.
#[derive(Debug)]
pub(super) enum Column {
    /// The instant in a column of storage.
    Time(&'static str),
    Service,
    Level,
    Body,
    /// The body as LogQL knows it: never null.
    Line,
    TraceId,
    SpanId,
    Resource,
    Attributes,
    Field(Box<Probe>),
    /// All labels after a pipeline; not in storage.
    Labels,
    /// One label after a pipeline; not in storage.
    Label(String),
    /// What is computed; not in storage.
    Told,
}

impl Column {
    /// A field of a search. Where words are looked for is no field of a record.
    pub(super) fn field(field: Field) -> Self {
        Self::Field(Box::new(Probe::new(field)))
    }

    pub(super) fn cells(&self) -> Cells {
        match self {
            Self::Time(_) => Cells::times(),
            Self::Resource | Self::Attributes | Self::Labels => Cells::maps(),
            _ => Cells::texts(),
        }
    }

    /// Whether it is only known after a pipeline has run.
    pub(super) fn is_label(&self) -> bool {
        matches!(self, Self::Labels | Self::Label(_))
    }

    /// Columns of storage that it is in.
    pub(super) fn stored(&self) -> &'static [&'static str] {
        match self {
            Self::Time(logs::OBSERVED_TIMESTAMP) => &[logs::OBSERVED_TIMESTAMP],
            Self::Time(_) => &[schema::TIMESTAMP],
            Self::Service => &[schema::SERVICE],
            Self::Level => &[logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT],
            Self::Body | Self::Line => &[logs::BODY],
            Self::TraceId => &[schema::TRACE_ID],
            Self::SpanId => &[schema::SPAN_ID],
            Self::Resource => &[schema::RESOURCE],
            Self::Attributes => &[schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES],
            Self::Field(probe) => probe.field().columns(),
            Self::Labels | Self::Label(_) | Self::Told => &[],
        }
    }

    /// Appends the values of rows.
    ///
    /// # Errors
    /// `Internal` if the batch lacks a column.
    pub(super) fn fill(&mut self, cells: &mut Cells, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        match self {
            Self::Time(name) => {
                let times: &TimestampNanosecondArray = column(rows, name)?;
                wanted.iter().for_each(|row| cells.time(times.is_valid(*row).then(|| times.value(*row))));
            }
            Self::Service => {
                let texts = Texts::of(rows, schema::SERVICE)?;
                wanted.iter().for_each(|row| cells.text(Some(texts.get(*row)).filter(|text| !text.is_empty())));
            }
            Self::Level => {
                let (numbers, texts): (&Int32Array, _) = (column(rows, logs::SEVERITY_NUMBER)?, Texts::of(rows, logs::SEVERITY_TEXT)?);
                wanted.iter().for_each(|row| cells.text(Some(&level_of(numbers.value(*row), texts.get(*row)))));
            }
            Self::Body | Self::Line => {
                let missing = matches!(self, Self::Line).then_some("");
                let body: &StringArray = column(rows, logs::BODY)?;
                wanted.iter().for_each(|row| cells.text(if body.is_valid(*row) { Some(body.value(*row)) } else { missing }));
            }
            Self::TraceId => {
                let ids: &FixedSizeBinaryArray = column(rows, schema::TRACE_ID)?;
                wanted.iter().for_each(|row| cells.text(trace_id(ids, *row).map(|id| id.to_string()).as_deref()));
            }
            Self::SpanId => {
                let ids: &FixedSizeBinaryArray = column(rows, schema::SPAN_ID)?;
                wanted.iter().for_each(|row| cells.text(span_id(ids, *row).map(|id| id.to_string()).as_deref()));
            }
            Self::Resource => resources(cells, &Texts::of(rows, schema::RESOURCE)?, wanted)?,
            Self::Attributes => {
                let attributes = AttributeColumns::of(rows)?;
                wanted.iter().try_for_each(|row| cells.map(attributes.entries_of(*row)))?;
            }
            Self::Field(probe) => {
                let mut view = probe.open(rows)?;
                for row in wanted {
                    let mut values = Vec::new();
                    view.each(*row, &mut |value: Value<'_>| values.push(value.into_owned()));
                    cells.text(joined(&values).as_deref());
                }
            }
            Self::Labels | Self::Label(_) | Self::Told => {}
        }
        Ok(())
    }
}

/// Attributes of resources; each distinct one is read once.
fn resources(cells: &mut Cells, texts: &Texts<'_>, wanted: &[usize]) -> Result<()> {
    let mut known: Vec<Option<Vec<(String, String)>>> = vec![None; texts.distinct()];
    for row in wanted {
        let code = texts.code(*row);
        let read = || Resource::from_json(texts.value(code)).attributes.iter().map(|(key, value)| (key.clone(), value.to_text())).collect();
        match known.get_mut(code) {
            Some(known) => cells.map(known.get_or_insert_with(read).iter().map(|(key, value)| (key.as_str(), value.as_str())))?,
            None => cells.map([])?,
        }
    }
    Ok(())
}

/// The value, or the JSON array of several.
fn joined(values: &[Value<'static>]) -> Option<String> {
    match values {
        [] => None,
        [value] => Some(value.text.to_string()),
        _ => {
            let mut text = String::new();
            for value in values {
                text.push(if text.is_empty() { '[' } else { ',' });
                if value.is_number() && value.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
                    text.push_str(&value.text);
                } else {
                    write_json_string(&mut text, &value.text);
                }
            }
            text.push(']');
            Some(text)
        }
    }
}
