//! Head, segments and merges of logs and spans against a plain list of rows.
#![allow(clippy::unwrap_used, reason = "tests")]

mod clusters;
mod damage;
mod layouts;
mod narrow;
mod random;
mod text;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use signalbox_model::disk::Disk;
use signalbox_model::{Result, Table, Tenant, TimeRange, schema};
use signalbox_testkit::SimDisk;

use super::*;
use crate::format::{FrameRange, Segment, SegmentId};
use crate::read::metrics::cache::PageCache;
use crate::read::rows::RowView;
use crate::scan::ScanRequest;
use crate::write::head::rows::{RowHead, numbered};

use random::Random;

/// A store of one table.
struct World {
    table: Table,
    sim: SimDisk,
    disk: Arc<dyn Disk>,
    head: RowHead,
    segments: Vec<Arc<RowSegment>>,
    cache: Arc<PageCache>,
    next: u32,
    sequence: u64,
    /// All rows, as text.
    rows: Vec<String>,
}

impl World {
    fn new(table: Table) -> Self {
        let sim = SimDisk::default();
        Self {
            table,
            disk: Arc::new(sim.clone()),
            sim,
            head: RowHead::new(table),
            segments: Vec::new(),
            cache: Arc::new(PageCache::new(64 << 20)),
            next: 0,
            sequence: 0,
            rows: Vec::new(),
        }
    }

    fn append(&mut self, random: &mut Random, rows: usize) {
        let rows = match self.table {
            Table::Logs => random.logs(rows),
            _ => random.spans(rows),
        };
        let rows = numbered(&rows, self.sequence).unwrap();
        self.sequence += rows.num_rows() as u64;
        self.rows.extend(texts(&rows));
        self.head.append(rows).unwrap();
    }

    fn with_target<T>(&mut self, level: u8, run: impl FnOnce(&mut Self, &mut Target<'_>) -> T) -> T {
        let (disk, mut next) = (Arc::clone(&self.disk), self.next);
        let mut record = |table: Table| {
            next += 1;
            let id = SegmentId { epoch: 1, number: next };
            Ok(Segment {
                id,
                tenant: Tenant::default(),
                table,
                level,
                url: format!("segments/{id}.parquet"),
                range: TimeRange::ALL,
                frames: vec![FrameRange { first: 1, last: 1 }],
                rows: 0,
                bytes: 0,
                body_bytes: 0,
                checksum: 0,
                created_at_ns: 0,
                replaces: Vec::new(),
            })
        };
        let result = run(self, &mut Target { disk: &disk, dir: Path::new("/data"), record: &mut record });
        self.next = next;
        result
    }

    fn open(&self, segment: &Segment) -> Arc<RowSegment> {
        RowSegment::open(&self.disk, Path::new("/data"), segment, &self.cache)
    }

    fn flush(&mut self) {
        let Some(sealed) = self.head.seal() else { return };
        let written = self.with_target(0, |_, target| write(&sealed, target)).unwrap();
        let opened = self.open(&written);
        opened.verify().unwrap();
        self.segments.push(opened);
        self.head.release(&sealed);
    }

    fn merge(&mut self, from: usize, to: usize) {
        self.merge_to(1, from, to);
    }

    fn merge_to(&mut self, level: u8, from: usize, to: usize) {
        let inputs: Vec<_> = self.segments.get(from..to.min(self.segments.len())).unwrap_or_default().to_vec();
        let Some(merged) = self.with_target(level, |_, target| merge(&inputs, target)).unwrap() else { return };
        let merged = self.open(&merged);
        merged.verify().unwrap();
        self.segments.splice(from..from + inputs.len(), [merged]);
    }

    fn view(&self) -> RowView {
        RowView { head: self.head.view(), segments: self.segments.clone().into() }
    }

    fn scan(&self, request: &ScanRequest) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        for part in self.view().scan(self.table, request)? {
            for rows in part.read()? {
                batches.push(rows?);
            }
        }
        Ok(batches)
    }

    fn path(&self, at: usize) -> PathBuf {
        self.segments[at].record().path(Path::new("/data"))
    }

    /// Everything that was appended is there, once.
    fn check(&self, what: &str) {
        let found = self.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
        let mut found: Vec<(u64, String)> = found.iter().flat_map(|rows| sequences(rows).into_iter().zip(texts(rows))).collect();
        found.sort_unstable();
        assert_eq!(found.len(), self.rows.len(), "{what}");
        for ((sequence, row), (number, want)) in found.iter().zip((0..).zip(&self.rows)) {
            assert_eq!((*sequence, row), (number, want), "{what}");
        }
    }
}

fn sequences(rows: &RecordBatch) -> Vec<u64> {
    rows.column_by_name(schema::SEQUENCE).unwrap().as_primitive::<UInt64Type>().values().to_vec()
}

/// Each row with all its columns as text, nulls told from empty texts.
fn texts(rows: &RecordBatch) -> Vec<String> {
    let row_text = |row: usize| rows.columns().iter().map(|column| text(column.as_ref(), row)).collect::<Vec<_>>().join(" | ");
    (0..rows.num_rows()).map(row_text).collect()
}

fn text(column: &dyn Array, row: usize) -> String {
    let all = |items: ArrayRef| (0..items.len()).map(|at| text(items.as_ref(), at)).collect::<Vec<_>>();
    if column.is_null(row) {
        return "null".into();
    }
    match column.data_type() {
        DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        DataType::Dictionary(_, _) => {
            let column = column.as_dictionary::<UInt32Type>();
            text(column.values().as_ref(), column.keys().value(row) as usize)
        }
        DataType::FixedSizeBinary(_) => format!("{:02x?}", column.as_fixed_size_binary().value(row)),
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Struct(_) => format!("{:?}", column.as_struct().columns().iter().map(|field| text(field.as_ref(), row)).collect::<Vec<_>>()),
        DataType::Map(_, _) => format!("{:?}", all(Arc::new(column.as_map().value(row)))),
        DataType::List(_) => format!("{:?}", all(column.as_list::<i32>().value(row))),
        other => panic!("no text for {other}"),
    }
}
