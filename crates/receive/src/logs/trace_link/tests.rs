use super::TraceLink;

const T: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const S: &str = "00f067aa0ba902b7";
const SHORT: &str = "0000000000000000a3ce929d0e0e4736";

fn of_attributes(attributes: &[(&str, &str)]) -> (String, String) {
    let mut link = TraceLink::default();
    for (name, value) in attributes {
        link.see_attribute(name, value);
    }
    shown(link.or_in_text(""))
}

fn of_text(text: &str) -> (String, String) {
    shown(TraceLink::default().or_in_text(text))
}

fn shown(link: TraceLink) -> (String, String) {
    (link.trace_id.map(|id| id.to_string()).unwrap_or_default(), link.span_id.map(|id| id.to_string()).unwrap_or_default())
}

#[test]
fn attributes_of_known_names_link() {
    let names = "trace_id traceId traceID TraceId trace.id trace-id otelTraceID X-B3-TraceId mdc.traceId contextMap.trace_id context.trace_id trace attributes.trace_id";
    for name in names.split(' ') {
        assert_eq!(of_attributes(&[(name, T)]), (T.to_owned(), String::new()), "{name}");
        assert_eq!(of_attributes(&[(name, "a3ce929d0e0e4736")]).0, SHORT, "{name}");
    }
    for name in ["span_id", "spanId", "SpanId", "span.id", "otelSpanID", "X-B3-SpanId", "mdc.spanId"] {
        assert_eq!(of_attributes(&[(name, S), ("trace_id", T)]), (T.to_owned(), S.to_owned()), "{name}");
    }
    let w3c = format!("00-{T}-{S}-01");
    for (name, value, want) in [
        ("traceparent", w3c.as_str(), (T, S)),
        ("Traceparent", &format!("cc-{T}-{S}-01-what-comes-next"), (T, S)),
        ("b3", &format!("{T}-{S}-1"), (T, S)),
        ("uber-trace-id", &format!("{T}:{S}:0:1"), (T, S)),
        ("sentry-trace", &format!("{T}-{S}-1"), (T, S)),
        ("X-Amzn-Trace-Id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1", (T, S)),
        ("X-Cloud-Trace-Context", &format!("{T}/67667974448284343;o=1"), (T, S)),
        ("logging.googleapis.com/trace", &format!("projects/shop/traces/{T}"), (T, "")),
        ("dd.trace_id", "11803532876627986230", (SHORT, "")),
        ("dd.trace_id", T, (T, "")),
    ] {
        assert_eq!(of_attributes(&[(name, value)]), (want.0.to_owned(), want.1.to_owned()), "{name}: {value}");
    }
    assert_eq!(of_attributes(&[("dd.trace_id", "11803532876627986230"), ("dd.span_id", "67667974448284343")]), (SHORT.to_owned(), S.to_owned()));
}

#[test]
fn numbers_link_by_the_names_of_datadog_alone() {
    let mut link = TraceLink::default();
    link.see_number("trace_id", 1_234_567_890_123_456_789);
    assert_eq!(link.trace_id, None);
    link.see_number("dd.trace_id", 0x4736);
    assert_eq!(link.trace_id.map(|id| id.to_string()).as_deref(), Some("00000000000000000000000000004736"));
}

#[test]
fn a_trace_is_found_wherever_it_stands_in_a_text_of_any_length() {
    for before in 0..600 {
        for after in [0, 1, 31, 70] {
            let text = format!("{} trace={T}{}", "x".repeat(before), " ".repeat(after));
            assert_eq!(of_text(&text).0, T, "{text}");
        }
    }
}

#[test]
fn text_that_names_a_trace_links() {
    for text in [
        format!(r#"{{"level":"info","trace_id":"{T}","span_id":"{S}","msg":"x"}}"#),
        format!(r#"{{ "msg" : "stack trace of a race" , "traceId" : "{T}" , "spanId" : "{S}" }}"#),
        format!(r#"{{"message":"x","trace":{{"id":"{T}"}},"span":{{"id":"{S}"}}}}"#),
        format!(r#"{{"trace.id":"{T}","span.id":"{S}"}}"#),
        format!(r#"{{"log":"{{\"traceId\":\"{T}\",\"spanId\":\"{S}\"}}"}}"#),
        format!("level=info msg=done trace_id={T} span_id={S}"),
        format!("level=info traceID={T} spanID=\"{S}\""),
        format!("2026-11-01 INFO [trace={T}, span={S}] done"),
        format!("[trace_id={T} span_id={S} resource.service.name=x trace_sampled=True] - hello"),
        format!("done (trace id: {T}, span id: {S})"),
        format!("headers: traceparent: 00-{T}-{S}-01"),
        format!("GET / \"traceparent\":\"00-{T}-{S}-00\""),
        format!("[dd.service=x dd.trace_id={T} dd.span_id=67667974448284343] hello"),
        format!("TraceId:{} SpanId:{S}", T.to_uppercase()),
        format!("X-B3-TraceId: {T}, X-B3-SpanId: {S}"),
        format!("{T} {{'trace_id': '{T}', 'span_id': '{S}'}}"),
    ] {
        assert_eq!(of_text(&text), (T.to_owned(), S.to_owned()), "{text}");
    }
    assert_eq!(of_text("traceId=a3ce929d0e0e4736").0, SHORT);
}

#[test]
fn what_only_looks_like_an_id_links_nothing() {
    let zeros = "0".repeat(32);
    for text in [
        String::new(),
        "a stack trace".into(),
        "trace".into(),
        "race".into(),
        format!("trace_id={zeros}"),
        "trace_id=0000000000000000".into(),
        format!("trace_id={T}0"),
        format!("trace_id={T}g"),
        format!("trace_id={T}_1"),
        format!("trace_id={T}ä"),
        format!("trace_id={}", &T[1..]),
        "trace_id=4bf92f35-77b3-4da6-a3ce-929d0e0e4736".into(),
        format!("retrace_id={T}"),
        format!("parent_trace_id={T}"),
        format!("trace_ids={T}"),
        format!("trace {T}"),
        format!("trace_id {T}"),
        format!("trace_state={T}"),
        format!("brace_id={T}"),
        format!("span_id={S}"),
        format!("traceparent=00-{T}-{S}"),
        format!("traceparent=ff-{T}-{S}-01"),
        format!("traceparent=00-{zeros}-{S}-01"),
        format!("request_id={T}"),
        format!(r#""trace":{{"name":"{T}"}}"#),
        "dd.trace_id=0".into(),
        "dd.trace_id=184467440737095516160".into(),
    ] {
        assert_eq!(of_text(&text), (String::new(), String::new()), "{text}");
    }
    for (name, value) in [("host.name", T), ("trace_state", T), ("id", T), ("request_id", T), ("race", T), ("parentSpanId", S), ("span_id", S), ("", T)] {
        assert_eq!(of_attributes(&[(name, value)]).0, "", "{name}");
    }
    // A span without its trace says nothing.
    assert_eq!(of_attributes(&[("span_id", S)]).1, "");
}

#[test]
fn ids_that_are_there_stay() {
    let other = TraceLink { trace_id: signalbox_model::TraceId::from_hex("1"), span_id: None };
    assert_eq!(other.or_in_text(&format!("trace_id={T} span_id={S}")), other);
    let mut link = other;
    link.see_attribute("trace_id", T);
    link.see_attribute("span_id", S);
    assert_eq!(shown(link), (format!("{:0>32}", 1), S.to_owned()));
}

#[test]
fn any_text_is_read_without_a_panic() {
    let seed = format!("trace_id\": {{\"id\": \"{T}\" ä span[traceparent=00-{T}-{S}-01]");
    let boundaries: Vec<usize> = (0..=seed.len()).filter(|at| seed.is_char_boundary(*at)).collect();
    for from in &boundaries {
        for to in boundaries.iter().filter(|to| *to >= from) {
            of_text(&seed[*from..*to]);
        }
    }
}
