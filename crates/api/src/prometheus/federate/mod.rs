//! `GET /federate?match[]=`: the latest sample of each series that matches, for another Prometheus to scrape.
//!
//! | asked for | answer |
//! |---|---|
//! | `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited` | families, each behind its length |
//! | anything else | text format 0.0.4; native histograms with exponential buckets are left out, as it cannot hold them |
//!
//! Names that are not plain are escaped as the `escaping` of `Accept` says, with underscores if it says nothing. Series that
//! ended are left out, and `instance` is empty where a series has none, so that the scraper does not put its own there.

mod families;
mod negotiate;
mod protobuf;
mod text;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use signalbox_lang::promql::parse_matchers;
use signalbox_model::{Error, TimeRange};

use super::refusal::plain_text;
use crate::ApiState;
use crate::http::{Asker, Params, status};

use families::Families;
use negotiate::{Encoding, Format};

/// Bytes of an answer that are written before they are sent.
const PIECE_BYTES: usize = 64 << 10;

/// `GET /federate`
pub(super) async fn federate(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, params: Params) -> Response {
    let sets: Result<Vec<_>, Error> = params.all("match[]").map(parse_matchers).collect();
    let sets = match sets {
        Ok(sets) => sets,
        Err(error) => return plain_text(StatusCode::BAD_REQUEST, error.message()),
    };
    let now_ms = state.engine.clock().now_ms();
    let lookback_ms = i64::try_from(state.engine.settings().promql_lookback_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let range = TimeRange::from_ms(now_ms.saturating_sub(lookback_ms), now_ms);
    let samples = match state.engine.latest_samples(&tenant, sets, range).await {
        Ok(samples) => samples,
        Err(error) => {
            tracing::warn!(error = ?error, "cannot answer a federation: {error}");
            return plain_text(status(&error), error.message());
        }
    };
    let format = Format::of(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default());
    let families = Families::new(samples, state.prometheus.external_labels.clone(), format.clone());
    let content_type = format.content_type();
    let pieces = Pieces { families, encoding: format.encoding };
    ([(CONTENT_TYPE, content_type)], Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))).into_response()
}

/// The answer piece by piece, so that it is not in memory twice.
struct Pieces {
    families: Families,
    encoding: Encoding,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while out.len() < PIECE_BYTES {
            let Some(family) = self.families.next() else { break };
            match self.encoding {
                Encoding::Text => text::write(&mut out, &family),
                Encoding::Protobuf => protobuf::write(&mut out, &family),
            }
        }
        (!out.is_empty()).then(|| out.into())
    }
}
