//! The head against what was appended.
#![allow(clippy::unwrap_used, reason = "tests")]

use arrow::array::AsArray;
use arrow::datatypes::{UInt32Type, UInt64Type};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{TimeRange, TraceId};

use super::*;

fn logs(rows: usize, first: u64) -> RecordBatch {
    let mut builder = LogBuilder::default();
    for row in 0..rows as u64 {
        let number = first + row;
        builder.set_resource(&format!("{{\"n\":{}}}", number % 3), &format!("service-{}", number % 3));
        builder.attributes().append_int("number", number as i64);
        let trace_id = TraceId::from_slice(&u128::from(number / 5 + 1).to_be_bytes()).filter(|_| number.is_multiple_of(2));
        builder.close_row(&LogRow { timestamp_ns: number as i64 * 10, body: Some("body"), trace_id, ..LogRow::default() });
    }
    numbered(&builder.finish().into_rows(), first).unwrap()
}

fn sequences(chunks: &[Arc<Chunk>]) -> Vec<u64> {
    let of = |chunk: &Arc<Chunk>| chunk.rows.column(schema::index(&schema::logs(), schema::SEQUENCE)).as_primitive::<UInt64Type>().values().to_vec();
    chunks.iter().flat_map(of).collect()
}

#[test]
fn small_batches_become_few_chunks_and_keep_their_order() {
    let head = RowHead::new(Table::Logs);
    let sizes = [1, 1, 7, 1, 30, 2, 1, 500, 1, 1, 3000, 20_000, 1];
    let mut total = 0;
    for round in 0..300 {
        let size = if round % 50 == 49 { sizes[round % sizes.len()] } else { 1 + round % 40 };
        head.append(logs(size, total)).unwrap();
        total += size as u64;
    }
    let view = head.view();
    assert_eq!(sequences(&view.chunks), (0..total).collect::<Vec<_>>());
    assert!(view.chunks.len() < 64, "{} chunks", view.chunks.len());
    assert_eq!(head.buffered_rows() as u64, total);
    for chunk in view.chunks.iter() {
        let services = chunk.rows.column_by_name(schema::SERVICE).unwrap().as_dictionary::<UInt32Type>();
        assert!(services.values().len() <= 4, "a copied dictionary holds each text once");
    }
}

#[test]
fn many_single_rows_stay_cheap_to_scan() {
    let head = RowHead::new(Table::Logs);
    for number in 0..20_000 {
        head.append(logs(1, number)).unwrap();
    }
    let view = head.view();
    assert!(view.chunks.len() < 64, "{} chunks", view.chunks.len());
    assert!(view.chunks[0].rows.num_rows() >= 16 << 10);
    assert_eq!(sequences(&view.chunks), (0..20_000).collect::<Vec<_>>());
}

#[test]
fn sealed_rows_stay_until_they_are_released_and_views_keep_what_they_show() {
    let head = RowHead::new(Table::Logs);
    assert!(head.seal().is_none());
    head.append(logs(10, 0)).unwrap();
    let sealed = head.seal().unwrap();
    assert!(head.seal().is_none());
    assert_eq!(head.buffered_rows(), 0);
    head.append(logs(5, 10)).unwrap();
    let view = head.view();
    let second = head.seal().unwrap();
    assert_eq!(sequences(&view.chunks), (0..15).collect::<Vec<_>>());
    head.release(&sealed);
    assert_eq!(sequences(&head.view().chunks), (10..15).collect::<Vec<_>>());
    head.release(&second);
    assert!(head.view().chunks.is_empty());
    assert_eq!(sequences(&view.chunks), (0..15).collect::<Vec<_>>());
}

#[test]
fn a_trace_is_found_in_small_and_in_large_chunks() {
    for rows in [100, 5000] {
        let chunk = Chunk::new(logs(rows, 0)).unwrap();
        for number in [1u64, 3, rows as u64 / 5] {
            let trace = TraceId::from_slice(&u128::from(number).to_be_bytes()).unwrap();
            let want: Vec<u32> = (0..rows as u32).filter(|row| row % 2 == 0 && u64::from(row / 5 + 1) == number).collect();
            assert_eq!(chunk.rows_of_trace(&trace), want);
        }
        assert!(chunk.rows_of_trace(&TraceId::from_slice(&[9; 16]).unwrap()).is_empty());
        assert_eq!(chunk.range, TimeRange::from_ns(0, (rows as i64 - 1) * 10));
        assert!(chunk.may_have_service(&[]) && chunk.may_have_service(&["service-1".into()]) && !chunk.may_have_service(&["other".into()]));
    }
}

#[test]
fn rows_of_another_schema_are_refused() {
    let head = RowHead::new(Table::Spans);
    assert!(head.append(logs(1, 0)).is_err());
    assert!(head.view().chunks.is_empty());
}
