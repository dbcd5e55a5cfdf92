//! Attributes at rest against the rows that came in.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use signalbox_model::attributes::double_text;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Table, schema};

use super::super::layout::{Kind, Layout, Promoted, column_name};
use super::super::patterns::Patterns;
use super::super::{Reading, Wanted, schema_of};
use super::*;

/// Key, letter, text.
type Attribute = (String, char, Option<String>);

fn rows(wanted: &[Vec<Attribute>]) -> RecordBatch {
    let mut builder = LogBuilder::default();
    for (row, attributes) in wanted.iter().enumerate() {
        for (key, letter, text) in attributes {
            builder.attributes().append_option(key, *letter, text.as_deref());
        }
        builder.close_row(&LogRow { timestamp_ns: row as i64, body: Some("line 1"), ..LogRow::default() });
    }
    builder.finish().into_rows()
}

fn attributes(rows: &RecordBatch) -> Vec<Vec<Attribute>> {
    let map = Map::of(rows).unwrap();
    let row = |row: usize| map.row(row).map(|(place, letter)| (map.keys.value(place).to_owned(), letter, map.value(place).map(str::to_owned))).collect();
    (0..rows.num_rows()).map(row).collect()
}

fn attribute(key: &str, letter: char, text: &str) -> Attribute {
    (key.into(), letter, Some(text.into()))
}

fn promoted(columns: &[(&str, Kind)]) -> Layout {
    Layout::new(Table::Logs, columns.iter().map(|(key, kind)| Promoted { key: (*key).into(), kind: *kind }).collect())
}

fn split(splitter: &mut Splitter, rows: &RecordBatch) -> RecordBatch {
    let pattern = Patterns::default().of_rows(rows).unwrap();
    splitter.split(rows, Some(pattern)).unwrap()
}

fn read(layout: &Layout, in_map: &InMap, at_rest: &RecordBatch, wanted: Wanted<'_>) -> RecordBatch {
    let mut reading = Reading::new(layout, in_map, wanted).unwrap();
    reading.make(&at_rest.project(&reading.roots).unwrap()).unwrap()
}

const ALL: Wanted<'static> = Wanted::Rows { projection: None, attributes: &[], is_typed: false, labels: &[] };

/// The text of each row of a column of one attribute.
fn texts(column: &ArrayRef) -> Vec<Option<String>> {
    let text = |row: usize| match column.data_type() {
        arrow::datatypes::DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        arrow::datatypes::DataType::Float64 => double_text(column.as_primitive::<Float64Type>().value(row)),
        arrow::datatypes::DataType::Boolean => column.as_boolean().value(row).to_string(),
        arrow::datatypes::DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        _ => {
            let column = column.as_dictionary::<UInt32Type>();
            column.values().as_string::<i32>().value(column.keys().value(row) as usize).to_owned()
        }
    };
    (0..column.len()).map(|row| column.is_valid(row).then(|| text(row))).collect()
}

#[test]
fn values_go_to_their_columns_and_come_back_as_they_were() {
    let wanted = vec![
        vec![],
        vec![attribute("t", 's', "text"), attribute("i", 'i', "-17"), attribute("d", 'd', "1.5"), attribute("b", 'b', "true")],
        // Of other types, and texts that a number would not give back.
        vec![attribute("i", 's', "five"), attribute("t", 'i', "5"), attribute("d", 'i', "5"), attribute("b", 'b', "TRUE")],
        vec![attribute("i", 'i', "007"), attribute("d", 'd', "1.50"), attribute("t", 'y', "AAEC"), attribute("x", 'n', "")],
        vec![attribute("i", 'i', "-0"), attribute("i", 'i', "3"), attribute("i", 'i', "9223372036854775808")],
        // Twice the same key; a missing value; others in between.
        vec![attribute("t", 's', "a"), attribute("o", 's', "other"), attribute("t", 's', "b"), attribute("p", 'a', "[1]")],
        vec![("t".into(), 's', None), attribute("i", 'i', "9223372036854775807"), ("i".into(), 's', None)],
        vec![attribute("d", 'd', "NaN"), attribute("d", 'd', "-Infinity"), attribute("", 's', ""), attribute("ü \"\\\n\u{1}", 's', "odd")],
    ];
    let (layout, rows) = (promoted(&[("b", Kind::Bool), ("d", Kind::Double), ("i", Kind::Int), ("t", Kind::Text)]), rows(&wanted));
    let mut splitter = Splitter::new(layout.clone()).unwrap();
    let at_rest = split(&mut splitter, &rows);
    assert_eq!(read(&layout, splitter.in_map(), &at_rest, ALL), rows);
    assert_eq!(texts(at_rest.column_by_name("attributes.i").unwrap())[1].as_deref(), Some("-17"));
    assert_eq!(at_rest.column_by_name("attributes.t").unwrap().null_count(), wanted.len() - 2);
    for key in ["t", "i", "d", "b", "x", "o", "p", "", "ü \"\\\n\u{1}"] {
        assert!(splitter.in_map().may_have(key), "{key:?}");
    }
    assert!(!splitter.in_map().may_have("nowhere"));
    let json = splitter.in_map().to_json();
    assert_eq!(InMap::of_json(Some(&json)), *splitter.in_map());
    assert!(InMap::of_json(None).may_have("x") && InMap::of_json(Some("17")).may_have("x"));
}

#[test]
fn a_reader_of_one_attribute_reads_its_column_only() {
    let wanted: Vec<_> = (0..50).map(|row| vec![attribute("status", 'i', &(200 + row % 3).to_string()), attribute("who", 's', "alice")]).collect();
    let (layout, rows) = (promoted(&[("status", Kind::Int), ("who", Kind::Plain)]), rows(&wanted));
    let mut splitter = Splitter::new(layout.clone()).unwrap();
    let at_rest = split(&mut splitter, &rows);
    let keys = ["status".to_owned(), "nowhere".to_owned(), "who".to_owned()];
    let mut reading =
        Reading::new(&layout, splitter.in_map(), Wanted::Rows { projection: Some(&[]), attributes: &keys, is_typed: false, labels: &[] }).unwrap();
    let names: Vec<_> = reading.roots.iter().map(|root| at_rest.schema().field(*root).name().clone()).collect();
    assert_eq!(names, ["attributes.status", "attributes.who"]);
    let found = reading.make(&at_rest.project(&reading.roots).unwrap()).unwrap();
    assert_eq!(
        found.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["attributes.status", "attributes.nowhere", "attributes.who"]
    );
    assert_eq!(found.column(0).as_primitive::<Int64Type>().value(4), 201);
    assert_eq!(found.column(1).null_count(), 50);
    assert_eq!(texts(found.column(2))[7].as_deref(), Some("alice"));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn attribute(&mut self, keys: u64) -> Attribute {
        let key = format!("k{}", self.below(keys));
        let letter = ['s', 's', 's', 'i', 'i', 'd', 'b', 'y', 'a', 'n'][self.below(10) as usize];
        let text = match letter {
            'i' => ["0", "-1", "42", "007", "x", "9223372036854775807"][self.below(6) as usize],
            'd' => ["1.5", "NaN", "0.0", "1e300", "2", "-Infinity"][self.below(6) as usize],
            'b' => ["true", "false", "yes"][self.below(3) as usize],
            _ => ["", "a", "b", "some text", "ü"][self.below(5) as usize],
        };
        (key, letter, (self.below(12) > 0).then(|| text.to_owned()))
    }

    fn rows(&mut self, count: u64, keys: u64, most: u64) -> Vec<Vec<Attribute>> {
        (0..count).map(|_| (0..self.below(most)).map(|_| self.attribute(keys)).collect()).collect()
    }
}

#[test]
fn random_attributes_come_back_in_every_layout_and_between_them() {
    let mut random = Random(88_172_645_463_325_252);
    let kinds = [Kind::Text, Kind::Plain, Kind::Int, Kind::Double, Kind::Bool];
    for round in 0..60 {
        let keys = [2, 5, 130][round % 3];
        let wanted = random.rows(200, keys, 6);
        let rows = rows(&wanted);
        let mut layout = || {
            let drawn: Vec<(u64, u64, u64)> = (0..keys).map(|key| (key, random.below(3), random.below(5))).collect();
            let chosen = drawn.into_iter().filter(|(_, is_in, _)| *is_in > 0);
            Layout::new(Table::Logs, chosen.map(|(key, _, kind)| Promoted { key: format!("k{key}"), kind: kinds[kind as usize] }).collect())
        };
        let (first, second) = (layout(), layout());
        let mut splitter = Splitter::new(first.clone()).unwrap();
        let at_rest = split(&mut splitter, &rows);
        let in_map = splitter.in_map().clone();
        assert_eq!(read(&first, &in_map, &at_rest, ALL), rows);
        // To another layout, from this one and from rows that know of no layout.
        let base = Layout::of_head(Table::Logs);
        for (source, in_map, from) in [(&first, &in_map, &at_rest), (&base, &InMap::Unknown, &rows)] {
            let (mut splitter, mut patterns) = (Splitter::new(second.clone()).unwrap(), Patterns::default());
            let mut adapter = Adapter::new(source, in_map, &mut splitter).unwrap();
            let adapted = adapter.adapt(from, &mut splitter, &mut patterns).unwrap();
            assert_eq!(read(&second, splitter.in_map(), &adapted, ALL), rows);
        }
        // Single attributes, and the map of some.
        let some: Vec<String> = (0..1 + random.below(3)).map(|_| format!("k{}", random.below(keys))).collect();
        let projection = [schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES].map(|name| schema::index(&schema_of(Table::Logs).unwrap(), name));
        let narrow = Wanted::Rows { projection: Some(&projection), attributes: &some, is_typed: false, labels: &[] };
        for (layout, in_map, from) in [(&first, &in_map, &at_rest), (&base, &InMap::Unknown, &rows)] {
            let found = read(layout, in_map, from, narrow);
            let only: Vec<Vec<Attribute>> = wanted.iter().map(|row| row.iter().filter(|(key, ..)| some.contains(key)).cloned().collect()).collect();
            assert_eq!(attributes(&found), only);
            for (at, key) in some.iter().enumerate() {
                let values = texts(found.column(2 + at));
                let first = |row: &Vec<Attribute>| row.iter().find(|(own, ..)| own == key).and_then(|(.., text)| text.clone());
                assert_eq!(values, wanted.iter().map(first).collect::<Vec<_>>(), "{key}");
            }
        }
    }
}

#[test]
fn rows_of_too_many_shapes_stay_in_the_map() {
    let mut random = Random(5);
    let mut wanted = random.rows(400, 1000, 4);
    wanted.push((0..60).map(|at| attribute(&format!("deep{at}"), 's', "x")).collect());
    let rows = rows(&wanted);
    let layout = promoted(&[("k1", Kind::Text), ("k2", Kind::Int)]);
    let mut splitter = Splitter::new(layout.clone()).unwrap();
    let at_rest = split(&mut splitter, &rows);
    assert!(at_rest.column_by_name(schema::ATTRIBUTE_KEYS).unwrap().null_count() > 100);
    assert_eq!(read(&layout, splitter.in_map(), &at_rest, ALL), rows);
}

#[test]
fn frequent_attributes_are_chosen_with_their_types() {
    let wanted: Vec<_> = (0..3000u32)
        .map(|row| {
            let mut all = vec![attribute("level", 's', ["info", "warn"][row as usize % 2]), attribute("address", 's', &format!("10.0.0.{row}"))];
            all.extend((row % 10 < 3).then(|| attribute("status", 'i', &(200 + row % 5).to_string())));
            all.extend((row % 10 == 3).then(|| attribute("status", 's', "none")));
            all.extend((row == 17).then(|| attribute("rare", 's', "x")));
            all.extend((row % 4 == 0).then(|| attribute("Level", 's', "x")));
            all.extend((row % 4 == 0).then(|| attribute("json", 'm', "{}")));
            all
        })
        .collect();
    let mut census = Census::default();
    census.add(&rows(&wanted)).unwrap();
    let chosen: Vec<(String, Kind)> = census.choose().into_iter().map(|own| (own.key, own.kind)).collect();
    assert_eq!(chosen, [("address".to_owned(), Kind::Plain), ("level".to_owned(), Kind::Text), ("status".to_owned(), Kind::Int)]);
    let many: Vec<_> = vec![(0..39).map(|at| attribute(&format!("a{at}"), 'i', "1")).collect::<Vec<_>>(); 3];
    let mut census = Census::default();
    census.add(&rows(&many)).unwrap();
    assert_eq!(census.choose().len(), 39);
}

#[test]
fn hostile_keys_are_corrupt_and_no_panic() {
    let (layout, rows) = (promoted(&[("a", Kind::Text)]), rows(&[vec![attribute("a", 's', "x"), attribute("b", 's', "y")]]));
    let at_rest = split(&mut Splitter::new(layout.clone()).unwrap(), &rows);
    let at = at_rest.schema().index_of(schema::ATTRIBUTE_KEYS).unwrap();
    for text in ["", "17", "[17]", "[\"\"]", "[\"sa\",\"sb\",\"sc\"]", "[\"sb\",\"sa\"]", "[\"ib\",\"sa\",\"sa\"]"] {
        let mut columns = at_rest.columns().to_vec();
        let keys: arrow::array::DictionaryArray<UInt32Type> = [text].into_iter().collect();
        columns[at] = Arc::new(keys);
        let bad = RecordBatch::try_new(at_rest.schema(), columns).unwrap();
        let mut reading = Reading::new(&layout, &InMap::Unknown, ALL).unwrap();
        match reading.make(&bad.project(&reading.roots).unwrap()) {
            Ok(found) => assert_eq!(attributes(&found)[0].len(), 2, "{text}"),
            Err(error) => assert_eq!(error.kind(), signalbox_model::ErrorKind::Corrupt, "{text}: {error}"),
        }
    }
}

#[test]
fn layouts_are_told_by_their_columns() {
    let layout = promoted(&[("a.b", Kind::Int), ("", Kind::Bool), ("x y", Kind::Plain)]);
    assert_eq!(Layout::of(&layout.schema().unwrap(), Table::Logs).unwrap(), Some(layout.clone()));
    assert_eq!(column_name("a.b"), "attributes.a.b");
    let base = Layout::of_head(Table::Spans);
    assert_eq!(Layout::of(&base.schema().unwrap(), Table::Spans).unwrap(), Some(base.clone()));
    assert_eq!(Layout::of(&base.schema().unwrap(), Table::Logs).unwrap(), None);
    let fields = layout.schema().unwrap().fields().to_vec();
    for wrong in [fields[..5].to_vec(), [fields.clone(), vec![Arc::new(arrow::datatypes::Field::new("other", schema::dictionary(), true))]].concat()] {
        assert_eq!(Layout::of(&arrow::datatypes::Schema::new(wrong), Table::Logs).unwrap(), None);
    }
    let _: &StringArray = Map::of(&rows(&[vec![]])).unwrap().keys;
}
