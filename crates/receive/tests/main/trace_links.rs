//! Records whose own fields name no trace are linked by what their attributes and text say, through every door.

use std::borrow::Cow;

use signalbox_model::Signal;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_receive::logs::{Assembler, Record};
use signalbox_receive::otlp::{Format, Translation, decode};

use crate::messages::{logs, pair, pairs, record, text};
use crate::rows;
use crate::support::context;

const T: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const S: &str = "00f067aa0ba902b7";

fn otlp(record: LogRecord) -> String {
    let decoded = decode(Signal::Logs, Format::Protobuf, &logs(vec![record]), &context(), &Translation::default()).unwrap();
    rows::lines(&decoded.batches).join("\n")
}

#[test]
fn otlp_records_are_linked_by_attributes_and_by_text() {
    let by_attributes = otlp(LogRecord { attributes: pairs(&[("traceId", T), ("spanId", S)]), ..record("hello") });
    assert!(by_attributes.contains(&format!("trace_id={T}")) && by_attributes.contains(&format!("span_id={S}")), "{by_attributes}");
    assert!(by_attributes.contains("traceId"), "attributes stay: {by_attributes}");
    let by_text = otlp(record(&format!("msg=hello trace_id={T} span_id={S}")));
    assert!(by_text.contains(&format!(" trace_id={T} span_id={S} ")) || by_text.matches(T).count() == 2, "{by_text}");
    let own = otlp(LogRecord { trace_id: vec![1; 16], ..record(&format!("trace_id={T}")) });
    assert!(own.contains(&"01".repeat(16)) && own.matches(T).count() == 1, "{own}");
    let structured = otlp(LogRecord { body: Some(text("x")), attributes: vec![pair("trace_id", text("no id"))], ..record("") });
    assert!(!structured.contains("trace_id=4"), "{structured}");
}

#[test]
fn records_of_all_other_doors_are_linked_as_they_are_assembled() {
    let context = context();
    let mut assembler = Assembler::new(&context);
    let body = format!(r#"{{"msg":"hello","trace_id":"{T}","span_id":"{S}"}}"#);
    assembler.push(Record { body: Some(Cow::Borrowed(&body)), ..Record::default() });
    assembler.push(Record { attributes: vec![("dd.trace_id".into(), AttributeValue::Int(0x4736))], ..Record::default() });
    assembler.push(Record { trace_id: TraceId::from_hex("7"), span_id: SpanId::from_hex("8"), body: Some(Cow::Borrowed(&body)), ..Record::default() });
    assembler.push(Record { span_id: SpanId::from_hex("8"), body: Some("no trace".into()), ..Record::default() });
    let lines = rows::lines(&assembler.finish().batches);
    let ids = ["00000000000000000000000000004736", "00000000000000000000000000000007"];
    assert!(lines[0].matches(T).count() == 2 && lines[0].matches(S).count() == 2, "{}", lines[0]);
    assert!(lines[1].contains(ids[0]), "{}", lines[1]);
    assert!(lines[2].contains(ids[1]) && lines[2].matches(T).count() == 1, "{}", lines[2]);
    assert!(lines[3].contains("0000000000000008"), "{}", lines[3]);
}
