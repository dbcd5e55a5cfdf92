//! What a request asks for comes out, and little else is read.

use std::collections::BTreeSet;

use signalbox_model::disk::{DirEntry, DiskFile, OpenMode, Space};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::random::trace;
use super::*;
use crate::deletion::{Deleted, Deletion};
use crate::format::writer::BLOCK_BYTES;
use crate::format::{OpenSegment, SegmentWriter};
use crate::row_numbers::RowNumbers;
use crate::scan::{Carried, Chosen, Division, Places, SpanBounds};
use signalbox_model::Phrase;
use signalbox_testkit::Call;

/// A world with rows in the head and in segments of both levels.
fn mixed(table: Table) -> World {
    let (mut world, mut random) = (World::new(table), Random(31));
    for _ in 0..4 {
        world.append(&mut random, 1500);
        world.flush();
    }
    world.merge_to(2, 0, 2);
    world.append(&mut random, 3000);
    world.append(&mut random, 30);
    world
}

fn numbers(batches: &[RecordBatch]) -> BTreeSet<u64> {
    let all: Vec<u64> = batches.iter().flat_map(sequences).collect();
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len(), "a row came twice");
    distinct
}

/// Sequences of all rows that a test of column texts keeps.
fn wanted(world: &World, keep: &dyn Fn(&RecordBatch, usize) -> bool) -> BTreeSet<u64> {
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    all.iter().flat_map(|rows| sequences(rows).into_iter().enumerate().filter(|(row, _)| keep(rows, *row)).map(|(_, number)| number)).collect()
}

fn service(rows: &RecordBatch, row: usize) -> String {
    let column = rows.column_by_name(schema::SERVICE).unwrap().as_dictionary::<UInt32Type>();
    column.values().as_string::<i32>().value(column.keys().value(row) as usize).to_owned()
}

fn time(rows: &RecordBatch, row: usize) -> i64 {
    rows.column_by_name(schema::TIMESTAMP).unwrap().as_primitive::<TimestampNanosecondType>().value(row)
}

#[test]
fn a_trace_comes_out_whole() {
    for table in [Table::Logs, Table::Spans] {
        let world = mixed(table);
        for number in [0, 7, 150, 299] {
            let id = trace(number);
            let of_trace = |rows: &RecordBatch, row: usize| {
                let ids = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
                ids.is_valid(row) && ids.value(row) == id.as_bytes()
            };
            let want = wanted(&world, &of_trace);
            assert!(want.len() > 5);
            let request = ScanRequest { trace_id: Some(id), ..ScanRequest::all(TimeRange::ALL) };
            assert_eq!(numbers(&world.scan(&request).unwrap()), want);
            let request = ScanRequest { projection: Some(vec![schema::index(&schema_of(table).unwrap(), schema::SEQUENCE)]), ..request };
            assert_eq!(numbers(&world.scan(&request).unwrap()), want, "without the column of traces");
        }
        let request = ScanRequest { trace_id: Some(trace(300)), ..ScanRequest::all(TimeRange::ALL) };
        assert!(world.scan(&request).unwrap().iter().all(|rows| rows.num_rows() == 0));
        let mut several = vec![trace(3), trace(300), trace(5)];
        several.sort_unstable();
        let of_several = |rows: &RecordBatch, row: usize| {
            let ids = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
            ids.is_valid(row) && several.iter().any(|id| ids.value(row) == id.as_bytes())
        };
        let want = wanted(&world, &of_several);
        assert!(want.len() > 10);
        let request = ScanRequest { traces: several.into(), ..ScanRequest::all(TimeRange::ALL) };
        assert_eq!(numbers(&world.scan(&request).unwrap()), want, "of several traces");
    }
}

#[test]
fn rows_that_carry_a_value_come_out_wherever_it_is_and_few_others_are_read() {
    let world = mixed(Table::Logs);
    for (number, piece, shared) in
        [(0, "rder 12", "\"s1\""), (7, "user-42", "none"), (150, "no such text", "none"), (299, "no such text", "größe ∅"), (300, "nowhere", "no")]
    {
        let id = trace(number);
        let keep = |rows: &RecordBatch, row: usize| {
            let ids = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
            let has = |name: &str, piece: &str| text(rows.column_by_name(name).unwrap(), row).contains(piece);
            ids.is_valid(row) && ids.value(row) == id.as_bytes()
                || has(schema::logs::BODY, piece)
                || has(schema::ATTRIBUTES, piece)
                || has(schema::RESOURCE, shared)
        };
        let keep = |rows: &RecordBatch, row: usize| keep(rows, row) || text(rows.column_by_name(schema::SCOPE).unwrap(), row).contains(shared);
        let is_shared: crate::scan::SharedTest = Arc::new(move |_, json| json.contains(shared));
        let carried = Carried { trace_id: Some(id), phrases: vec![Phrase::anywhere(piece)], in_items: false, is_shared: Some(is_shared) };
        for division in [Division::ByTime, Division::BySegment, Division::ByGroup] {
            let request = ScanRequest { carried: vec![carried.clone()], division, ..ScanRequest::all(TimeRange::ALL) };
            let found = world.scan(&request).unwrap();
            let kept = found.iter().flat_map(|rows| sequences(rows).into_iter().enumerate().filter(|(row, _)| keep(rows, *row)).map(|(_, number)| number));
            assert_eq!(kept.collect::<BTreeSet<_>>(), wanted(&world, &keep), "{carried:?}");
            assert!(number != 300 || numbers(&found).is_empty(), "nothing carries it");
        }
    }
}

#[test]
fn spans_are_found_by_what_their_events_and_links_say_and_few_others_are_read() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(32));
    for _ in 0..4 {
        world.append(&mut random, 1500);
        world.flush();
    }
    world.merge(0, 2);
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    // Texts and identifiers of items of some rows: those between quotes are values, names and keys.
    let (mut words, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for rows in &all {
        for name in [schema::traces::EVENTS, schema::traces::LINKS] {
            let lists = rows.column_by_name(name).unwrap().as_list::<i32>();
            let items = lists.values().as_struct();
            if let Some(traces) = items.column_by_name(schema::TRACE_ID) {
                ids.extend(traces.as_fixed_size_binary().iter().flatten().map(<[u8]>::to_vec));
            } else {
                let names = items.column_by_name(schema::traces::NAME).unwrap().as_string::<i32>();
                words.extend(names.iter().flatten().filter(|name| name.starts_with("order 1")).map(str::to_owned));
            }
        }
    }
    let carried = |phrase: &str| Carried { trace_id: None, phrases: vec![Phrase::whole(phrase)], in_items: true, is_shared: None };
    let check = |phrase: &str, holds: &dyn Fn(&str) -> bool| {
        let keep = |rows: &RecordBatch, row: usize| {
            [schema::traces::EVENTS, schema::traces::LINKS].iter().any(|name| holds(&text(rows.column_by_name(name).unwrap(), row)))
        };
        let request = ScanRequest { carried: vec![carried(phrase)], ..ScanRequest::all(TimeRange::ALL) };
        let found = world.scan(&request).unwrap();
        let kept = found.iter().flat_map(|rows| sequences(rows).into_iter().enumerate().filter(|(row, _)| keep(rows, *row)).map(|(_, number)| number));
        let kept: BTreeSet<u64> = kept.collect();
        assert_eq!(kept, wanted(&world, &keep), "{phrase}");
        (kept.len(), found.iter().map(RecordBatch::num_rows).sum::<usize>())
    };
    assert!(words.len() > 100 && ids.len() > 200);
    let (mut kept, mut read) = (0, 0);
    for word in words.iter().step_by(words.len() / 30) {
        let found = check(word, &|text| text.contains(word.as_str()));
        (kept, read) = (kept + found.0, read + found.1);
    }
    assert!(kept >= 30 && read <= 31 * 2 * 256, "{read} rows for {kept}");
    for id in ids.iter().step_by(60) {
        let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = format!("{id:02x?}");
        assert!(check(&digits, &|text| text.contains(&bytes)).0 > 0);
    }
    for nowhere in ["Zugriffsverletzung", "0af7651916cd43dd8448eb211c80319c"] {
        assert_eq!(check(nowhere, &|_| false), (0, 0), "{nowhere}");
    }
    // What is only in names and attributes of spans is not told apart; the reader filters.
    let request = ScanRequest { carried: vec![carried("GET /cart")], ..ScanRequest::all(TimeRange::ALL) };
    assert!(!numbers(&world.scan(&request).unwrap()).is_empty());
}

/// An index of text of the first version says nothing of events and links: all rows are read.
#[test]
fn an_index_of_text_without_events_leaves_out_no_row_for_them() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(33));
    world.append(&mut random, 1000);
    world.flush();
    let record = world.segments[0].record().clone();
    let opened = OpenSegment::open(world.disk.as_ref(), Path::new("/data"), &record).unwrap();
    let layout = world.segments[0].opened().unwrap().layout.clone();
    let arrow = layout.schema().unwrap();
    let mut other = record.clone();
    other.url = "segments/earlier.parquet".into();
    let mut writer = SegmentWriter::create(&world.disk, Path::new("/data"), other, arrow.clone(), columns::properties(&layout, &arrow, 1).unwrap()).unwrap();
    world.segments[0].read_all(Wanted::Rest).unwrap().for_each(|rows| writer.write(&rows.unwrap()).unwrap());
    for name in ["text_prints", "text_grams", "text_index"] {
        let mut bytes = opened.blob(name).unwrap().unwrap().to_vec();
        if name == "text_index" {
            assert_eq!(bytes[7], 2);
            bytes[7] = 1;
        }
        writer.embed(name, &bytes).unwrap();
    }
    let written = writer.finish(record.range).unwrap();
    // What is known of the file before is forgotten.
    world.cache = Arc::new(PageCache::new(64 << 20));
    let earlier = world.open(&written);
    world.segments = vec![earlier];
    let count = |in_items| {
        let carried = Carried { trace_id: None, phrases: vec![Phrase::whole("nowhere")], in_items, is_shared: None };
        let request = ScanRequest { carried: vec![carried], ..ScanRequest::all(TimeRange::ALL) };
        numbers(&world.scan(&request).unwrap()).len()
    };
    assert_eq!((count(true), count(false)), (1000, 0));
}

#[test]
fn services_and_times_and_columns_are_as_asked() {
    for table in [Table::Logs, Table::Spans] {
        let world = mixed(table);
        let second = |count: i64| 1_700_000_000_000_000_000 + count * 1_000_000_000;
        let requests = [
            ScanRequest { services: vec!["s1".into(), "none".into()], ..ScanRequest::all(TimeRange::ALL) },
            ScanRequest { services: vec!["none".into()], ..ScanRequest::all(TimeRange::ALL) },
            ScanRequest::all(TimeRange::from_ns(second(20), second(30))),
            ScanRequest { services: vec!["s0".into()], ..ScanRequest::all(TimeRange::from_ns(second(199), i64::MAX)) },
            ScanRequest::all(TimeRange::from_ns(i64::MIN, i64::MIN + 5)),
        ];
        for request in requests {
            let keep = |rows: &RecordBatch, row: usize| {
                request.range.contains_ns(time(rows, row)) && (request.services.is_empty() || request.services.contains(&service(rows, row)))
            };
            let want = wanted(&world, &keep);
            let found = world.scan(&request).unwrap();
            let kept = found.iter().flat_map(|rows| sequences(rows).into_iter().enumerate().filter(|(row, _)| keep(rows, *row)).map(|(_, number)| number));
            assert_eq!(kept.collect::<BTreeSet<_>>(), want, "{request:?}");
        }
    }
}

#[test]
fn services_are_those_of_the_rows_that_are_left_and_are_told_without_reading_rows() {
    for table in [Table::Logs, Table::Spans] {
        let mut world = mixed(table);
        let of_rows = |world: &World| -> BTreeSet<String> {
            let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
            all.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| service(rows, row)).collect::<Vec<_>>()).collect()
        };
        let listed = |world: &World| world.view().services(table, &mut || Ok(())).unwrap();
        assert!(listed(&world).len() > 2);
        assert_eq!(listed(&world), of_rows(&world), "head and segments");
        world.flush();
        assert_eq!(listed(&world), of_rows(&world), "segments alone");

        // What the files are asked for, with nothing known of them but their footers.
        let reads = |world: &mut World, read: &dyn Fn(&World)| {
            world.cache = Arc::new(PageCache::new(64 << 20));
            world.segments = world.segments.iter().map(|segment| world.open(segment.record())).collect();
            world.segments.iter().for_each(|segment| drop(segment.opened().unwrap()));
            let before = world.sim.calls(Call::Read);
            read(world);
            world.sim.calls(Call::Read) - before
        };
        let once = reads(&mut world, &|world| drop(listed(world)));
        let twice = reads(&mut world, &|world| (0..2).for_each(|_| drop(listed(world))));
        assert_eq!(once, twice, "they are remembered");
        let groups: u64 = world.segments.iter().map(|segment| segment.opened().unwrap().segment.metadata.metadata().num_row_groups() as u64).sum();
        assert!(once <= 2 * groups, "{once} reads of {groups} row groups");

        // A service all of whose rows are deleted is none.
        let all = listed(&world);
        let gone = all.iter().next().unwrap().clone();
        let numbers = wanted(&world, &|rows, row| service(rows, row) == gone);
        let what = Deleted::Rows { table, numbers: RowNumbers::of(numbers.into_iter().collect()), reason: String::new() };
        let segments = world.segments.iter().map(|segment| segment.record().id).collect();
        let deletion = Arc::new(Deletion { number: 1, tenant: Tenant::default(), what, range: TimeRange::ALL, created_at_ns: 0, segments });
        world.segments = world.segments.iter().map(|segment| segment.without([Arc::clone(&deletion)].into())).collect();
        assert_eq!(listed(&world), of_rows(&world), "after a deletion");
        assert!(!listed(&world).contains(&gone));

        let ended = world.view().services(table, &mut || Err(signalbox_model::Error::invalid("enough"))).unwrap_err();
        assert_eq!(ended.message(), "enough");
    }
}

#[test]
fn spans_come_out_within_the_bounds() {
    let world = mixed(Table::Spans);
    let number = |rows: &RecordBatch, name: &str, row: usize| rows.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(row);
    let bounds = [
        SpanBounds { status_codes: vec![2], ..SpanBounds::default() },
        SpanBounds { status_codes: vec![7], ..SpanBounds::default() },
        SpanBounds { kinds: vec![2, 3], duration_ns: 8_000_000_000..=i64::MAX, ..SpanBounds::default() },
        SpanBounds { names: vec!["GET /cart".into(), "x".into()], duration_ns: 0..=1 << 32, ..SpanBounds::default() },
        SpanBounds { duration_ns: i64::MIN..=-1, ..SpanBounds::default() },
    ];
    for spans in bounds {
        let keep = |rows: &RecordBatch, row: usize| {
            let duration_ns = rows.column_by_name(schema::traces::DURATION_NS).unwrap().as_primitive::<Int64Type>().value(row);
            let name = text(rows.column_by_name(schema::traces::NAME).unwrap(), row);
            spans.duration_ns.contains(&duration_ns)
                && (spans.status_codes.is_empty() || spans.status_codes.contains(&number(rows, schema::traces::STATUS_CODE, row)))
                && (spans.kinds.is_empty() || spans.kinds.contains(&number(rows, schema::traces::KIND, row)))
                && (spans.names.is_empty() || spans.names.iter().any(|wanted| name == format!("{wanted:?}")))
        };
        let request = ScanRequest { services: vec!["s1".into(), "s2".into()], spans: spans.clone(), ..ScanRequest::all(TimeRange::ALL) };
        let keep = |rows: &RecordBatch, row: usize| keep(rows, row) && request.services.contains(&service(rows, row));
        let want = wanted(&world, &keep);
        let found = world.scan(&request).unwrap();
        let kept = found.iter().flat_map(|rows| sequences(rows).into_iter().enumerate().filter(|(row, _)| keep(rows, *row)).map(|(_, number)| number));
        assert_eq!(kept.collect::<BTreeSet<_>>(), want, "{spans:?}");
        // Of segments nothing else comes.
        let mut flushed = mixed(Table::Spans);
        flushed.flush();
        let request = ScanRequest { projection: Some(vec![schema::index(&schema_of(Table::Spans).unwrap(), schema::SEQUENCE)]), ..request };
        assert_eq!(numbers(&flushed.scan(&request).unwrap()), want, "{spans:?}");
    }
}

#[test]
fn chosen_rows_are_read_again_and_no_others() {
    for table in [Table::Logs, Table::Spans] {
        let world = mixed(table);
        for step in [1, 7, 400, 100_000] {
            let keep = |rows: &RecordBatch, row: usize| sequences(rows)[row] % step == 3 % step;
            let want = wanted(&world, &keep);
            let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
            let of = |rows: &RecordBatch| (0..rows.num_rows()).map(|row| (time(rows, row), sequences(rows)[row])).collect::<Vec<_>>();
            let chosen = Chosen::new(all.iter().flat_map(of).filter(|(_, sequence)| sequence % step == 3 % step).collect());
            let request = ScanRequest { chosen: Some(chosen), ..ScanRequest::all(TimeRange::ALL) };
            assert_eq!(numbers(&world.scan(&request).unwrap()), want);
            let request = ScanRequest { projection: Some(vec![schema::index(&schema_of(table).unwrap(), schema::SEQUENCE)]), ..request };
            assert_eq!(numbers(&world.scan(&request).unwrap()), want, "without the column of times");
        }
        let none = ScanRequest { chosen: Some(Chosen::new(Vec::new())), ..ScanRequest::all(TimeRange::ALL) };
        assert!(world.scan(&none).unwrap().iter().all(|rows| rows.num_rows() == 0));
    }
}

#[test]
fn chosen_rows_are_read_again_at_the_places_of_the_parts_they_were_found_in() {
    for table in [Table::Logs, Table::Spans] {
        let world = mixed(table);
        for division in [Division::ByTime, Division::ByGroup, Division::BySegment] {
            let (mut places, mut found) = (Places::default(), Vec::new());
            let request = ScanRequest { services: vec!["s3".into(), "s1".into()], division, ..ScanRequest::all(TimeRange::ALL) };
            for (number, part) in world.view().scan(table, &request).unwrap().into_iter().enumerate() {
                let own = part.places();
                if number % 3 == 0 {
                    continue;
                }
                // Twice, as by two passes over the same parts.
                places.add(&own);
                places.add(&own);
                for rows in part.read().unwrap() {
                    let rows = rows.unwrap();
                    found.extend((0..rows.num_rows()).map(|row| (time(&rows, row), sequences(&rows)[row])).filter(|(_, number)| number % 7 == 0));
                }
            }
            let want: BTreeSet<u64> = found.iter().map(|(_, number)| *number).collect();
            assert!(want.len() > 50, "{}", want.len());
            let request = ScanRequest { chosen: Some(Chosen::new(found)), ..ScanRequest::all(TimeRange::ALL) };
            let again = places.scan(&request).unwrap().into_iter().flat_map(|part| part.read().unwrap().map(Result::unwrap));
            assert_eq!(numbers(&again.collect::<Vec<_>>()), want, "{table:?} {division:?}");
        }
    }
}

#[test]
fn projections_have_the_columns_asked_for_and_all_rows() {
    for table in [Table::Logs, Table::Spans] {
        let world = mixed(table);
        let all = schema_of(table).unwrap();
        for projection in [vec![0], vec![], vec![2, 3, 15], (0..all.fields().len()).collect()] {
            let request = ScanRequest { projection: Some(projection.clone()), ..ScanRequest::all(TimeRange::ALL) };
            let found = world.scan(&request).unwrap();
            assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), world.rows.len());
            for rows in &found {
                assert_eq!(rows.schema().fields(), all.project(&projection).unwrap().fields());
            }
        }
    }
}

#[test]
fn parts_tell_their_times_and_rows_and_can_be_read_newest_first() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(5));
        (0..8).for_each(|_| world.append(&mut random, 800));
        world.flush();
        let request = ScanRequest::all(TimeRange::from_ns(0, i64::MAX - 10));
        let parts = world.view().scan(table, &request).unwrap();
        assert!(parts.len() > 1);
        for part in parts {
            let (range, rows) = (part.range, part.rows);
            let found: Vec<RecordBatch> = part.read().unwrap().collect::<Result<_>>().unwrap();
            assert_eq!(found.iter().map(|rows| rows.num_rows() as u64).sum::<u64>(), rows);
            assert!(found.iter().all(|rows| (0..rows.num_rows()).all(|row| range.contains_ns(time(rows, row)))));
        }
    }
}

#[test]
fn more_segments_than_are_divided_are_all_read() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(6));
    for _ in 0..70 {
        world.append(&mut random, 20);
        world.flush();
    }
    world.check("seventy segments");
}

/// A disk that counts what is read.
#[derive(Debug)]
struct CountingDisk(Arc<dyn Disk>, Arc<AtomicU64>);

#[derive(Debug)]
struct CountingFile(Box<dyn DiskFile>, Arc<AtomicU64>);

impl Disk for CountingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(CountingFile(self.0.open(path, mode)?, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir_all(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.0.list(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.sync_dir(path)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.0.space(path)
    }
    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        self.0.real_path(path)
    }
}

impl DiskFile for CountingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

#[test]
fn a_trace_that_is_nowhere_is_looked_up_without_reading_once_the_filters_are_known() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(8));
    let read = Arc::new(AtomicU64::new(0));
    world.disk = Arc::new(CountingDisk(Arc::clone(&world.disk), Arc::clone(&read)));
    for _ in 0..4 {
        world.append(&mut random, 2000);
        world.flush();
    }
    let scan = |number: u64| world.scan(&ScanRequest { trace_id: Some(trace(number)), ..ScanRequest::all(TimeRange::ALL) }).unwrap();
    scan(1000);
    let before = read.load(Ordering::Relaxed);
    // One look-up in two hundred passes a filter and reads an index, and then none of the rows.
    let bytes: Vec<u64> = (1001..1101)
        .map(|number| {
            let before = read.load(Ordering::Relaxed);
            assert!(scan(number).is_empty());
            read.load(Ordering::Relaxed) - before
        })
        .collect();
    assert!(bytes.iter().filter(|bytes| **bytes == 0).count() >= 90, "{bytes:?}");
    assert!(before > 0);
}

#[test]
fn pages_of_few_rows_are_kept_when_they_are_read_again_and_those_of_scans_are_not() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(11));
    let read = Arc::new(AtomicU64::new(0));
    world.disk = Arc::new(CountingDisk(Arc::clone(&world.disk), Arc::clone(&read)));
    (0..4).for_each(|_| world.append(&mut random, 2500));
    world.flush();
    let scan = |request: &ScanRequest| {
        let before = read.load(Ordering::Relaxed);
        let rows: Vec<String> = world.scan(request).unwrap().iter().flat_map(texts).collect();
        (rows, read.load(Ordering::Relaxed) - before)
    };
    let all = ScanRequest { division: Division::BySegment, ..ScanRequest::all(TimeRange::ALL) };
    let (want, _) = scan(&all);
    let kept = world.cache.bytes();
    let (first, _) = scan(&all);
    assert_eq!((&first, world.cache.bytes()), (&want, kept), "a scan leaves nothing behind");
    let by_group = ScanRequest { division: Division::ByGroup, ..all.clone() };
    assert_eq!((scan(&by_group).0, scan(&by_group).0 == want, world.cache.bytes()), (first, true, kept), "nor does one in parts");
    let one = ScanRequest { services: vec!["s3".into()], ..all };
    let (want, bytes) = scan(&one);
    assert!(!want.is_empty() && bytes > 0);
    let (again, bytes) = scan(&one);
    assert!(again == want && bytes > 0, "read once is not kept");
    let (again, bytes) = scan(&one);
    assert!(again == want && bytes == 0, "{bytes} bytes of pages that were read twice");
}

#[test]
fn an_identifier_is_looked_up_by_reading_a_block_of_each_segment_and_kept_when_it_is_looked_up_again() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(13));
    let read = Arc::new(AtomicU64::new(0));
    world.disk = Arc::new(CountingDisk(Arc::clone(&world.disk), Arc::clone(&read)));
    for _ in 0..3 {
        (0..8).for_each(|_| world.append(&mut random, 2500));
        world.flush();
    }
    let find = |number: u64| {
        let phrase = Phrase::whole(format!("{:032x}", u128::from(number) * 0x1234_5678_9abc_def1_2345_6789));
        let before = read.load(Ordering::Relaxed);
        let rows: u64 = world.view().scan(Table::Logs, &super::text::request(phrase)).unwrap().iter().map(|part| part.rows).sum();
        (rows, read.load(Ordering::Relaxed) - before)
    };
    // Footers and the small part of the index.
    find(1);
    let blocks = 2 * 3 * BLOCK_BYTES as u64;
    for number in 2..20 {
        let (rows, bytes) = find(number);
        assert!(rows <= 256 && bytes <= blocks, "{number}: {bytes} bytes for {rows} rows");
    }
    find(20);
    find(20);
    assert_eq!(find(20).1, 0, "what is asked for again and again");
}

#[test]
fn a_trace_is_found_among_many_segments_by_opening_only_its_own() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(10));
    let opened = Arc::new(AtomicU64::new(0));
    world.disk = Arc::new(CountingDisk(Arc::clone(&world.disk), Arc::clone(&opened)));
    // So small that nothing stays in it.
    world.cache = Arc::new(PageCache::new(1));
    for _ in 0..120 {
        world.append(&mut random, 10);
        world.flush();
    }
    // As after a start.
    world.segments = world.segments.iter().map(|segment| world.open(segment.record())).collect();
    for segment in &world.segments {
        assert!(segment.read_trace_filter().unwrap() && segment.read_trace_filter().unwrap());
    }
    assert!((120..1 << 20).contains(&world.cache.pinned_bytes()));
    let all = world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap();
    let holds = |rows: &RecordBatch, id: &signalbox_model::TraceId| {
        let ids = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
        (0..rows.num_rows()).filter(|row| ids.value(*row) == id.as_bytes()).count()
    };
    let (mut found, mut reads) = (0, 0);
    for number in 0..1000 {
        let request = ScanRequest { trace_id: Some(trace(number)), ..ScanRequest::all(TimeRange::ALL) };
        let before = opened.load(Ordering::Relaxed);
        let rows: usize = world.scan(&request).unwrap().iter().map(RecordBatch::num_rows).sum();
        reads += u64::from(opened.load(Ordering::Relaxed) > before && rows == 0);
        assert_eq!(rows, all.iter().map(|rows| holds(rows, &trace(number))).sum::<usize>());
        found += rows;
    }
    // Of 700 traces that are nowhere, asked of 120 segments each, those that pass a filter by chance.
    assert_eq!(found, 1200);
    assert!(reads < 450, "{reads}");
    world.segments.clear();
    assert_eq!(world.cache.pinned_bytes(), 0);
}

#[test]
fn of_a_service_and_of_a_time_few_pages_are_read() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(9));
    (0..4).for_each(|_| world.append(&mut random, 2500));
    world.flush();
    let rows = |request: &ScanRequest| world.view().scan(Table::Logs, request).unwrap().iter().map(|part| part.rows).sum::<u64>();
    // One service of six, and one page at each end of its rows in each of five row groups.
    let one_service = rows(&ScanRequest { services: vec!["s3".into()], ..ScanRequest::all(TimeRange::ALL) });
    assert!((1000..4000).contains(&one_service), "{one_service}");
    // The first rows of each service.
    let oldest = rows(&ScanRequest::all(TimeRange::from_ns(i64::MIN, 0)));
    assert!((100..4000).contains(&oldest), "{oldest}");
}
