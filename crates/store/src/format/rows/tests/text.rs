//! Rows that hold a text come out of head, segments and merges, and few others are read.

use std::collections::BTreeSet;

use signalbox_model::{Phrase, TextFilter};

use super::*;
use crate::format::{OpenSegment, SegmentWriter};

pub(super) fn request(phrase: Phrase) -> ScanRequest {
    ScanRequest { text: TextFilter { clauses: vec![vec![phrase]] }, ..ScanRequest::all(TimeRange::ALL) }
}

/// Sequences of the rows whose columns of text have a piece in them.
fn holding(batches: &[RecordBatch], piece: &str) -> BTreeSet<u64> {
    let has = |column: &str, rows: &RecordBatch, row: usize| text(rows.column_by_name(column).unwrap(), row).contains(piece);
    let of = |rows: &RecordBatch| {
        let columns = [schema::logs::BODY, schema::logs::EVENT_NAME, schema::ATTRIBUTES];
        sequences(rows)
            .into_iter()
            .enumerate()
            .filter(|(row, _)| columns.iter().any(|column| has(column, rows, *row)))
            .map(|(_, number)| number)
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

fn row_count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[test]
fn every_row_that_holds_a_text_comes_out_wherever_it_lies() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(61));
    for _ in 0..4 {
        world.append(&mut random, 1700);
        world.flush();
    }
    world.merge(1, 3);
    world.append(&mut random, 400);
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    let mut texts: Vec<String> = ["order 4", "GET /cart", "user-4", "größe", "é", "ééééé", "line\\n", "of user", "rder 77"].map(String::from).to_vec();
    texts.extend((0..40).map(|_| format!("order {}", random.below(1 << 30))));
    texts.extend((0..40).map(|_| random.below(1 << 14).to_string()));
    for wanted in texts {
        let want = holding(&all, &wanted);
        let found = world.scan(&request(Phrase::anywhere(wanted.replace("\\n", "\n")))).unwrap();
        assert_eq!(holding(&found, &wanted), want, "{wanted}");
    }
}

#[test]
fn of_rows_that_hold_a_rare_text_few_others_are_read() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(62));
    for _ in 0..3 {
        world.append(&mut random, 4000);
        world.flush();
    }
    world.merge(0, 2);
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    let bodies: Vec<String> =
        all.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| text(rows.column_by_name(schema::logs::BODY).unwrap(), row)).collect::<Vec<_>>()).collect();
    let orders: Vec<&str> =
        bodies.iter().filter_map(|body| body.strip_prefix("\"order ")?.split_once(' ')).map(|(order, _)| order).filter(|order| order.len() > 8).collect();
    for order in orders.iter().step_by(orders.len() / 20) {
        let found = world.scan(&request(Phrase::whole(*order))).unwrap();
        assert!(!holding(&found, order).is_empty() && row_count(&found) <= 512, "{order}: {} rows", row_count(&found));
    }
    let mut read = 0;
    for number in 0..50 {
        read += row_count(&world.scan(&request(Phrase::whole(format!("99{}", 1_234_567 + number * 7919)))).unwrap());
        read += row_count(&world.scan(&request(Phrase::anywhere("Zugriffsverletzung"))).unwrap());
    }
    assert!(read <= 4 * 256, "{read} rows of what is nowhere");
    let parts = world.view().scan(Table::Logs, &request(Phrase::anywhere("Zugriffsverletzung"))).unwrap();
    assert!(parts.is_empty(), "segments that have nothing are no parts");
}

#[test]
fn spans_are_found_by_their_names_messages_and_attributes() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(63));
    for _ in 0..3 {
        world.append(&mut random, 2500);
        world.flush();
    }
    world.merge(0, 2);
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    let holding = |batches: &[RecordBatch], piece: &str| {
        let has = |rows: &RecordBatch, row: usize| {
            let columns = [schema::traces::NAME, schema::traces::STATUS_MESSAGE, schema::ATTRIBUTES];
            columns.iter().any(|column| text(rows.column_by_name(column).unwrap(), row).contains(piece))
        };
        let of = |rows: &RecordBatch| sequences(rows).into_iter().enumerate().filter(|(row, _)| has(rows, *row)).map(|(_, number)| number).collect::<Vec<_>>();
        batches.iter().flat_map(of).collect::<BTreeSet<u64>>()
    };
    for wanted in
        ["GET /cart".to_owned(), "größe".into(), format!("order {}", random.below(1 << 30))].into_iter().chain((0..30).map(|number| format!("user-{number}")))
    {
        let found = world.scan(&request(Phrase::anywhere(wanted.as_str()))).unwrap();
        assert_eq!(holding(&found, &wanted), holding(&all, &wanted), "{wanted}");
    }
    let names: Vec<String> =
        all.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| text(rows.column_by_name(schema::traces::NAME).unwrap(), row)).collect::<Vec<_>>()).collect();
    let orders: Vec<&str> =
        names.iter().filter_map(|name| name.strip_prefix("\"order ")?.split_once(' ')).map(|(order, _)| order).filter(|order| order.len() > 8).collect();
    for order in orders.iter().step_by(orders.len() / 20) {
        let found = world.scan(&request(Phrase::whole(*order))).unwrap();
        assert!(!holding(&found, order).is_empty() && row_count(&found) <= 512, "{order}: {} rows", row_count(&found));
    }
}

/// A damaged blob in a file whose pages are whole: the index is made again.
#[test]
fn a_damaged_index_of_text_is_made_again() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(64));
    world.append(&mut random, 3000);
    world.flush();
    let record = world.segments[0].record().clone();
    let order = {
        let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
        let bodies =
            all.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| text(rows.column_by_name(schema::logs::BODY).unwrap(), row)).collect::<Vec<_>>());
        bodies.filter(|body| body.contains("order ")).nth(50).unwrap().trim_matches('"').to_owned()
    };
    let wanted = request(Phrase::anywhere(order.as_str()));
    let want = row_count(&world.scan(&wanted).unwrap());
    assert!((1..3000).contains(&want));
    let opened = OpenSegment::open(world.disk.as_ref(), Path::new("/data"), &record).unwrap();
    for blob in ["text_index", "text_prints", "text_grams"] {
        // The same rows, with something else where the blob was.
        let rows = world.segments[0].read_all(Wanted::Rest).unwrap();
        let layout = world.segments[0].opened().unwrap().layout.clone();
        let schema = layout.schema().unwrap();
        let mut other = record.clone();
        other.url = format!("segments/{blob}.parquet");
        let properties = columns::properties(&layout, &schema, 1).unwrap();
        let mut writer = SegmentWriter::create(&world.disk, Path::new("/data"), other, schema, properties).unwrap();
        rows.for_each(|rows| writer.write(&rows.unwrap()).unwrap());
        for name in ["text_prints", "text_grams", "text_index"] {
            let bytes = opened.blob(name).unwrap().unwrap();
            let bytes = if name == blob { vec![0xff; 3] } else { bytes.to_vec() };
            writer.embed(name, &bytes).unwrap();
        }
        let written = writer.finish(record.range).unwrap();
        world.cache = Arc::new(PageCache::new(64 << 20));
        let reopened = vec![world.open(&written)];
        let whole = std::mem::replace(&mut world.segments, reopened);
        for round in 0..3 {
            let found = world.scan(&wanted).unwrap();
            assert!(!holding(&found, &order).is_empty(), "{blob}, {round}");
            assert_eq!(row_count(&found), want, "{blob}, {round}");
        }
        world.segments = whole;
    }
}

/// A segment of a version without an index of text.
#[test]
fn a_segment_without_an_index_is_read_whole() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(65));
    world.append(&mut random, 500);
    world.flush();
    let mut other = world.segments[0].record().clone();
    let layout = Layout::of_head(Table::Logs);
    let rows = world.segments[0].read_all(Wanted::Rows { projection: None, attributes: &[], is_typed: false, labels: &[] }).unwrap();
    let schema = layout.schema().unwrap();
    other.url = "segments/old.parquet".into();
    let properties = columns::properties(&layout, &schema, 1).unwrap();
    let mut writer = SegmentWriter::create(&world.disk, Path::new("/data"), other.clone(), schema, properties).unwrap();
    rows.for_each(|rows| writer.write(&rows.unwrap()).unwrap());
    let written = writer.finish(other.range).unwrap();
    world.cache = Arc::new(PageCache::new(64 << 20));
    world.segments = vec![world.open(&written)];
    assert_eq!(row_count(&world.scan(&request(Phrase::whole("nowhere"))).unwrap()), 500);
}
