//! What a remote read asks for.

use prost::Message as _;
use signalbox_lang::text::quote;
use signalbox_model::{Labels, MatchOp, Matcher, TimeRange};
use signalbox_proto::remote_read::{LabelMatcher, Query, ReadRequest, ResponseType};
use signalbox_proto::remote_write_v1::Label;
use signalbox_query::promql::Selection;

use super::{REQUEST_BYTES_MAX, Refusal};

/// Queries of one request: a Prometheus asks one at a time.
const QUERIES_MAX: usize = 1_000;

/// A request, decoded.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) selections: Vec<Selection>,
    pub(super) is_streamed: bool,
}

impl Request {
    /// From a body. Our series lack the external labels, so a matcher that wants just the one that we add looks for none.
    pub(super) fn decode(body: &[u8], external: &Labels) -> Result<Self, Refusal> {
        let length = snap::raw::decompress_len(body).map_err(|_| Refusal::bad("snappy: corrupt input"))?;
        if length > REQUEST_BYTES_MAX {
            return Err(Refusal::bad(format!("snappy: decoded length {length} exceeds limit {REQUEST_BYTES_MAX}")));
        }
        let bytes = snap::raw::Decoder::new().decompress_vec(body).map_err(|_| Refusal::bad("snappy: corrupt input"))?;
        let request = ReadRequest::decode(bytes.as_slice()).map_err(|error| Refusal::bad(format!("cannot read prometheus.ReadRequest: {error}")))?;
        if request.queries.len() > QUERIES_MAX {
            return Err(Refusal::bad(format!("cannot answer {} queries: want at most {QUERIES_MAX}", request.queries.len())));
        }
        let is_streamed = is_streamed(&request)?;
        let selections = request.queries.into_iter().map(|query| selection(query, external, is_streamed)).collect::<Result<_, _>>()?;
        Ok(Self { selections, is_streamed })
    }
}

/// The first kind of answer that both sides know.
fn is_streamed(request: &ReadRequest) -> Result<bool, Refusal> {
    let accepted = &request.accepted_response_types;
    if accepted.is_empty() {
        return Ok(false);
    }
    let known = accepted.iter().find_map(|kind| ResponseType::try_from(*kind).ok());
    known.map(|kind| kind == ResponseType::StreamedXorChunks).ok_or_else(|| {
        Refusal::bad(format!("server does not support any of the requested response types: {accepted:?}; supported: SAMPLES, STREAMED_XOR_CHUNKS"))
    })
}

fn selection(query: Query, external: &Labels, is_streamed: bool) -> Result<Selection, Refusal> {
    let matchers = query.matchers.into_iter().map(|wanted| matcher(wanted, external)).collect::<Result<_, _>>()?;
    let (mut start_ms, mut end_ms, mut with_samples) = (query.start_timestamp_ms, query.end_timestamp_ms, true);
    if let Some(hints) = query.hints {
        // Hints without times are those of clients that fill in only some.
        if (hints.start_ms, hints.end_ms) != (0, 0) {
            (start_ms, end_ms) = (hints.start_ms, hints.end_ms);
        }
        // Frames say which series there are by their chunks.
        with_samples = is_streamed || hints.func != "series";
    }
    Ok(Selection { matchers, range: TimeRange::from_ms(start_ms, end_ms), with_samples })
}

fn matcher(wanted: LabelMatcher, external: &Labels) -> Result<Matcher, Refusal> {
    let op = match wanted.r#type {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        other => return Err(Refusal::bad(format!("cannot match label {}: found type {other}: want 0 to 3", quote(&wanted.name)))),
    };
    let value = if op == MatchOp::Equal && external.get(&wanted.name) == Some(wanted.value.as_str()) { String::new() } else { wanted.value };
    Matcher::new(wanted.name, op, value).map_err(|error| Refusal::bad(error.message()))
}

/// The labels of a series and those of the server that it lacks, sorted by name.
pub(super) fn labels(own: &Labels, external: &Labels) -> Vec<Label> {
    let (mut own, mut external) = (own.iter().peekable(), external.iter().peekable());
    let mut merged = Vec::new();
    loop {
        let (name, value) = match (own.peek(), external.peek()) {
            (Some((left, _)), Some((right, _))) if left == right => {
                external.next();
                continue;
            }
            (Some((left, _)), Some((right, _))) if right < left => external.next(),
            (Some(_), _) => own.next(),
            (None, _) => external.next(),
        }
        .unwrap_or_default();
        if name.is_empty() {
            return merged;
        }
        merged.push(Label { name: name.to_owned(), value: value.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn external_labels_fill_gaps() {
        let merge = |own: &[(&str, &str)], external: &[(&str, &str)]| -> Vec<(String, String)> {
            let merged = labels(&Labels::from_pairs(own.iter().copied()), &Labels::from_pairs(external.iter().copied()));
            merged.into_iter().map(|label| (label.name, label.value)).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(merge(&[("a", "1"), ("c", "3")], &[("b", "x"), ("c", "y"), ("d", "z")]), [pair("a", "1"), pair("b", "x"), pair("c", "3"), pair("d", "z")]);
        assert_eq!(merge(&[], &[("b", "x")]), [pair("b", "x")]);
        assert_eq!(merge(&[("b", "x")], &[]), [pair("b", "x")]);
        assert_eq!(merge(&[], &[]), []);
    }

    #[test]
    fn the_first_kind_that_both_know_wins() {
        let of = |accepted: &[i32]| is_streamed(&ReadRequest { queries: Vec::new(), accepted_response_types: accepted.to_vec() });
        assert!(matches!(of(&[]), Ok(false)));
        assert!(matches!(of(&[0, 1]), Ok(false)));
        assert!(matches!(of(&[7, 1, 0]), Ok(true)));
        assert!(matches!(of(&[7]), Err(Refusal(StatusCode::BAD_REQUEST, _))));
    }
}
