//! Segments of the present and of earlier layouts side by side and merged; patterns and single attributes of all of them.

use std::collections::BTreeMap;

use arrow::datatypes::Float64Type;
use signalbox_model::attributes::double_text;
use signalbox_model::pattern;

use super::super::writer::RowsWriter;
use super::*;
use crate::scan::{LETTERED, LabelColumn};

/// Names of one attribute, of several, and of none.
const NAMES: [&str; 5] = ["key.3", "key.1", "key.", "key.11", "nothing"];

impl World {
    /// Flushes as a process did that wrote less: without patterns, columns of attributes, delays.
    fn flush_without(&mut self, has_pattern: bool) {
        self.flush_as(Layout { has_pattern, ..Layout::of_head(self.table) });
    }

    fn flush_as(&mut self, layout: Layout) {
        let Some(sealed) = self.head.seal() else { return };
        let batches: Vec<&RecordBatch> = sealed.chunks.iter().map(|chunk| &chunk.rows).collect();
        let rows = gather::concat(&batches).unwrap();
        let written = self.with_target(0, |_, target| {
            let mut writer = RowsWriter::create(layout.clone(), target)?;
            if layout.promoted.is_some() {
                writer.push(&rows)?;
            } else {
                let pattern = layout.has_pattern.then(|| patterns::Patterns::default().of_rows(&rows).unwrap());
                let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(pattern).collect();
                writer.push_at_rest(&RecordBatch::try_new(layout.schema()?, columns).unwrap())?;
            }
            writer.finish()
        });
        let opened = self.open(&written.unwrap());
        self.segments.push(opened);
        self.head.release(&sealed);
    }

    /// Single attributes are what the map says, and patterns what the bodies say.
    pub(super) fn check_columns(&self, what: &str) {
        let base = schema_of(self.table).unwrap();
        let mut projection = [schema::SEQUENCE, schema::ATTRIBUTES].map(|name| schema::index(&base, name)).to_vec();
        if self.table == Table::Logs {
            projection.extend([schema::index(&base, schema::logs::BODY), base.fields().len()]);
        }
        projection.sort_unstable();
        let narrow: Vec<usize> = projection.iter().copied().filter(|column| *column != schema::index(&base, schema::ATTRIBUTES)).collect();
        let all = self.scan(&ScanRequest { projection: Some(projection), ..ScanRequest::all(TimeRange::ALL) }).unwrap();
        let keys: Vec<String> = (0..13).map(|key| format!("key.{key}")).collect();
        let labels = Vec::from(NAMES.map(|name| LabelColumn { name: name.to_owned(), is_named: |key, name| key.starts_with(name) }));
        let request = ScanRequest { projection: Some(narrow), attributes: keys.clone(), labels: labels.clone(), ..ScanRequest::all(TimeRange::ALL) };
        let few = self.scan(&request).unwrap();
        let mut want = BTreeMap::new();
        for rows in &all {
            let map = rows.column_by_name(schema::ATTRIBUTES).unwrap().as_map();
            for (row, sequence) in sequences(rows).into_iter().enumerate() {
                let entries = map.value(row);
                let (own, values) = (entries.column(0).as_string::<i32>().clone(), entries.column(1).as_string::<i32>().clone());
                let value = |key: &String| (0..own.len()).find(|at| own.value(*at) == key).map(|at| values.value(at).to_owned());
                let named = |label: &&str| (0..own.len()).find(|at| own.value(*at).starts_with(label)).map(|at| values.value(at).to_owned());
                want.insert(sequence, keys.iter().map(value).chain(NAMES.iter().map(named)).collect::<Vec<_>>());
            }
            if self.table == Table::Logs {
                let bodies = rows.column_by_name(schema::logs::BODY).unwrap().as_string::<i32>();
                let patterns = rows.column_by_name(schema::PATTERN).unwrap();
                for row in 0..rows.num_rows() {
                    let made = bodies.is_valid(row).then(|| format!("{:?}", pattern::of(bodies.value(row))));
                    let found = text(patterns.as_ref(), row);
                    // A segment has no more than sixteen here.
                    assert!(made.as_ref() == Some(&found) || found == "null", "{what}: {found} of {made:?}");
                    assert!(made.is_some() || found == "null", "{what}");
                }
            }
        }
        assert_eq!(want.len() as u64, self.sequence, "{what}");
        for rows in &few {
            for (row, sequence) in sequences(rows).into_iter().enumerate() {
                let value = |name: String| {
                    let column = rows.column_by_name(&name).unwrap();
                    column.is_valid(row).then(|| match column.data_type() {
                        DataType::Boolean => column.as_boolean().value(row).to_string(),
                        DataType::Float64 => double_text(column.as_primitive::<Float64Type>().value(row)),
                        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
                        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
                        _ => {
                            let column = column.as_dictionary::<UInt32Type>();
                            column.values().as_string::<i32>().value(column.keys().value(row) as usize).to_owned()
                        }
                    })
                };
                let names = keys.iter().map(|key| format!("attributes.{key}")).chain(labels.iter().map(LabelColumn::column));
                assert_eq!(names.map(value).collect::<Vec<_>>(), want[&sequence], "{what}: row {sequence}");
            }
        }
    }
}

impl World {
    /// Single attributes with their types are what map and types say.
    fn check_typed(&self, what: &str) {
        let base = schema_of(self.table).unwrap();
        let index = |name| schema::index(&base, name);
        let mut projection = [schema::SEQUENCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES].map(index).to_vec();
        projection.sort_unstable();
        let mut want = BTreeMap::new();
        let keys: Vec<String> = (0..13).map(|key| format!("key.{key}")).collect();
        for rows in self.scan(&ScanRequest { projection: Some(projection), ..ScanRequest::all(TimeRange::ALL) }).unwrap() {
            let (map, types) = (rows.column_by_name(schema::ATTRIBUTES).unwrap().as_map(), rows.column_by_name(schema::ATTRIBUTE_TYPES).unwrap());
            for (row, sequence) in sequences(&rows).into_iter().enumerate() {
                let (entries, letters) = (map.value(row), types.is_valid(row).then(|| types.as_string::<i32>().value(row)));
                let (own, values) = (entries.column(0).as_string::<i32>().clone(), entries.column(1).as_string::<i32>().clone());
                let letter = |at: usize| letters.and_then(|letters| letters.chars().nth(at)).unwrap_or('s');
                let value = |key: &String| (0..own.len()).find(|at| own.value(*at) == key).map(|at| format!("{}{}", letter(at), values.value(at)));
                want.insert(sequence, keys.iter().map(value).collect::<Vec<_>>());
            }
        }
        let request =
            ScanRequest { projection: Some(vec![index(schema::SEQUENCE)]), attributes: keys.clone(), typed: true, ..ScanRequest::all(TimeRange::ALL) };
        for rows in self.scan(&request).unwrap() {
            let typed = |row: usize, key: &String| {
                let name = format!("attributes.{key}");
                let (column, schema) = (rows.column_by_name(&name).unwrap(), rows.schema());
                let is_lettered = schema.field_with_name(&name).unwrap().metadata().contains_key(LETTERED);
                column.is_valid(row).then(|| match column.data_type() {
                    DataType::Boolean => format!("b{}", column.as_boolean().value(row)),
                    DataType::Float64 => format!("d{}", double_text(column.as_primitive::<Float64Type>().value(row))),
                    DataType::Int64 => format!("i{}", column.as_primitive::<Int64Type>().value(row)),
                    DataType::Utf8 => format!("s{}", column.as_string::<i32>().value(row)),
                    _ => {
                        let column = column.as_dictionary::<UInt32Type>();
                        let text = column.values().as_string::<i32>().value(column.keys().value(row) as usize).to_owned();
                        if is_lettered { text } else { format!("s{text}") }
                    }
                })
            };
            for (row, sequence) in sequences(&rows).into_iter().enumerate() {
                let found: Vec<_> = keys.iter().map(|key| typed(row, key)).collect();
                assert_eq!(found, want[&sequence], "{what}: row {sequence}");
            }
        }
    }
}

#[test]
fn segments_of_all_layouts_are_read_and_merged() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(91));
        world.append(&mut random, 300);
        world.check_columns("head");
        world.flush_without(false);
        world.append(&mut random, 500);
        world.flush();
        assert!(!world.segments[1].opened().unwrap().layout.promoted().is_empty());
        if table == Table::Logs {
            world.append(&mut random, 200);
            world.flush_without(true);
        }
        world.append(&mut random, 700);
        world.flush();
        world.append(&mut random, 100);
        world.check("side by side");
        world.check_columns("side by side");
        world.check_typed("side by side");
        world.merge(0, 2);
        assert!(!world.segments[0].opened().unwrap().layout.promoted().is_empty());
        world.check("old and new");
        world.check_columns("old and new");
        world.merge(0, 4);
        world.flush();
        world.merge(0, 2);
        world.check("all");
        world.check_columns("all");
    }
}

/// Of head, segments with delays and those with times: the column alone, and all of it.
#[test]
fn times_of_observation_rest_as_delays() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(94));
    let observed = |world: &World, projection: Option<Vec<usize>>| {
        let rows = world.scan(&ScanRequest { projection, ..ScanRequest::all(TimeRange::ALL) }).unwrap();
        let column = |rows: &RecordBatch| rows.column_by_name(schema::logs::OBSERVED_TIMESTAMP).unwrap().clone();
        let mut found: Vec<String> = rows.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| text(&column(rows), row)).collect::<Vec<_>>()).collect();
        found.sort_unstable();
        found
    };
    let alone = Some(vec![schema::index(&schema::logs(), schema::logs::OBSERVED_TIMESTAMP)]);
    world.append(&mut random, 700);
    let promoted = vec![layout::Promoted { key: "key.3".into(), kind: layout::Kind::Text }];
    world.flush_as(Layout { has_delay: false, ..Layout::new(Table::Logs, promoted) });
    world.append(&mut random, 700);
    world.flush();
    let has_delay = |world: &World| world.segments.iter().map(|segment| segment.opened().unwrap().layout.has_delay).collect::<Vec<_>>();
    assert_eq!(has_delay(&world), [false, true]);
    world.append(&mut random, 100);
    let want = observed(&world, None);
    assert!(want.iter().any(|text| text == "null") && want.iter().any(|text| *text == i64::MIN.to_string()));
    assert_eq!(observed(&world, alone.clone()), want);
    world.check("side by side");
    world.merge(0, 2);
    assert_eq!(has_delay(&world), [true]);
    assert_eq!(observed(&world, alone), want);
    world.check("merged");
    world.check_columns("merged");
}

#[test]
fn a_segment_has_few_patterns() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(92));
    world.append(&mut random, 3000);
    world.flush();
    let patterns = |world: &World| {
        let projection = Some(vec![schema::logs().fields().len()]);
        let rows = world.scan(&ScanRequest { projection, ..ScanRequest::all(TimeRange::ALL) }).unwrap();
        rows.iter().flat_map(texts).filter(|text| text != "null").collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!((10..=16).contains(&patterns(&world)), "{}", patterns(&world));
    world.append(&mut random, 1000);
    world.flush();
    world.merge(0, 2);
    assert!(patterns(&world) <= 16);
    world.check("merged");
}

/// Lines of real programs: few patterns for many lines.
#[test]
fn real_logs_have_few_patterns() {
    for (file, patterns_max) in [("agent-logfmt", 90), ("calico", 80), ("ingester-logfmt", 5), ("journald", 130), ("kafka", 20)] {
        let Some(lines) = signalbox_testkit::conformance::read(&format!("_agpl/logs/loki-drain/{file}.txt")) else { continue };
        let patterns: std::collections::BTreeSet<String> = lines.lines().map(pattern::of).collect();
        assert!(patterns.len() <= patterns_max, "{file}: {} patterns", patterns.len());
    }
}
