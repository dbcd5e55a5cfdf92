//! `tempopb.StreamingQuerier`: the questions of the HTTP API over gRPC.
//!
//! Grafana takes the host and port of a data source and leaves its path, so the service is at the root of an address. A stream
//! says at once, and then twice a second, that the question is worked on, as Tempo's diffs do while nothing is found; then it
//! tells the answer in messages of about a mebibyte. Where an answer takes several, each adds to those before, as Grafana
//! adds them up.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _};
use prost::Message;
use signalbox_model::{Owners, Result};
use signalbox_proto::tempo::{
    MetadataMetrics, QueryInstantRequest, QueryInstantResponse, QueryRangeRequest, QueryRangeResponse, SearchMetrics, SearchRequest, SearchResponse,
    SearchTagValuesRequest, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsRequest, SearchTagsResponse, SearchTagsV2Response,
};

use super::params::SearchAsked;
use super::{metrics, search, tags};
use crate::ApiState;
use crate::grpc::{Call, Replies, Status, unknown_method};

/// How often a client is told that its question is worked on.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Bytes of a message after which the next begins; clients refuse messages above 4 MiB.
const MESSAGE_BYTES: usize = 1 << 20;
const SERVICE: &str = "/tempopb.StreamingQuerier";

/// The service, to be mounted at the root of an address.
pub(crate) fn router(state: ApiState) -> Router {
    let path = |method: &str| format!("{SERVICE}/{method}");
    Router::new()
        .route(&path("Search"), post(search))
        .route(&path("SearchTags"), post(search_tags))
        .route(&path("SearchTagsV2"), post(search_tags_v2))
        .route(&path("SearchTagValues"), post(search_tag_values))
        .route(&path("SearchTagValuesV2"), post(search_tag_values_v2))
        .route(&path("MetricsQueryRange"), post(metrics_query_range))
        .route(&path("MetricsQueryInstant"), post(metrics_query_instant))
        .route(&path("{method}"), post(unknown_method))
        .with_state(state)
}

async fn search(State(state): State<ApiState>, call: Call<SearchRequest, Owners>) -> Replies<SearchResponse> {
    let milliseconds = |duration: u32| (duration > 0).then(|| i64::from(duration) * 1_000_000);
    let asked = SearchAsked {
        query: Some(call.message.query).filter(|query| !query.is_empty()),
        tags: call.message.tags.into_iter().collect(),
        min_ns: milliseconds(call.message.min_duration_ms),
        max_ns: milliseconds(call.message.max_duration_ms),
        limit: Some(call.message.limit).filter(|limit| *limit > 0),
        spans_per_set: call.message.spans_per_span_set,
        start: call.message.start,
        end: call.message.end,
    };
    let progress = SearchResponse { metrics: Some(begun()), ..SearchResponse::default() };
    replies(progress, async move {
        let answer = search::find(&state, &call.asker, asked).await?;
        let metrics = answer.metrics;
        Ok(pieces(answer.traces, |traces| SearchResponse { traces, metrics: metrics.clone() }))
    })
}

async fn search_tags(State(state): State<ApiState>, call: Call<SearchTagsRequest, Owners>) -> Replies<SearchTagsResponse> {
    let progress = SearchTagsResponse { metrics: Some(listing()), ..SearchTagsResponse::default() };
    replies(progress, async move {
        let answer = tags::list_names(&state, &call.asker, &call.message).await?;
        let metrics = answer.metrics;
        Ok(pieces(answer.tag_names, |tag_names| SearchTagsResponse { tag_names, metrics: metrics.clone() }))
    })
}

async fn search_tags_v2(State(state): State<ApiState>, call: Call<SearchTagsRequest, Owners>) -> Replies<SearchTagsV2Response> {
    let progress = SearchTagsV2Response { metrics: Some(listing()), ..SearchTagsV2Response::default() };
    // Names of all scopes are few: they fit into one message.
    replies(progress, async move { Ok(vec![tags::list_names_v2(&state, &call.asker, &call.message).await?]) })
}

async fn search_tag_values(State(state): State<ApiState>, call: Call<SearchTagValuesRequest, Owners>) -> Replies<SearchTagValuesResponse> {
    let progress = SearchTagValuesResponse { metrics: Some(listing()), ..SearchTagValuesResponse::default() };
    replies(progress, async move {
        let answer = tags::list_values(&state, &call.asker, &call.message).await?;
        let metrics = answer.metrics;
        Ok(pieces(answer.tag_values, |tag_values| SearchTagValuesResponse { tag_values, metrics: metrics.clone() }))
    })
}

async fn search_tag_values_v2(State(state): State<ApiState>, call: Call<SearchTagValuesRequest, Owners>) -> Replies<SearchTagValuesV2Response> {
    let progress = SearchTagValuesV2Response { metrics: Some(listing()), ..SearchTagValuesV2Response::default() };
    replies(progress, async move {
        let answer = tags::list_values_v2(&state, &call.asker, &call.message).await?;
        let metrics = answer.metrics;
        Ok(pieces(answer.tag_values, |tag_values| SearchTagValuesV2Response { tag_values, metrics: metrics.clone() }))
    })
}

async fn metrics_query_range(State(state): State<ApiState>, call: Call<QueryRangeRequest, Owners>) -> Replies<QueryRangeResponse> {
    let progress = QueryRangeResponse { metrics: Some(begun()), ..QueryRangeResponse::default() };
    replies(progress, async move {
        let answer = metrics::by_steps(&state, &call.asker, &call.message).await?;
        let QueryRangeResponse { series, metrics, status, message } = answer;
        let mut pieces = pieces(series, |series| QueryRangeResponse { series, metrics: metrics.clone(), ..QueryRangeResponse::default() });
        if let Some(last) = pieces.last_mut() {
            (last.status, last.message) = (status, message);
        }
        Ok(pieces)
    })
}

async fn metrics_query_instant(State(state): State<ApiState>, call: Call<QueryInstantRequest, Owners>) -> Replies<QueryInstantResponse> {
    let progress = QueryInstantResponse { metrics: Some(begun()), ..QueryInstantResponse::default() };
    replies(progress, async move {
        let answer = metrics::at_once(&state, &call.asker, &call.message).await?;
        let QueryInstantResponse { series, metrics, status, message } = answer;
        let mut pieces = pieces(series, |series| QueryInstantResponse { series, metrics: metrics.clone(), ..QueryInstantResponse::default() });
        if let Some(last) = pieces.last_mut() {
            (last.status, last.message) = (status, message);
        }
        Ok(pieces)
    })
}

/// A question that is worked on is one job.
fn begun() -> SearchMetrics {
    SearchMetrics { total_jobs: 1, ..SearchMetrics::default() }
}

fn listing() -> MetadataMetrics {
    MetadataMetrics { total_jobs: 1, ..MetadataMetrics::default() }
}

/// Messages with so many items that each is about as large as one should be; at least one.
fn pieces<T: Message, M>(items: Vec<T>, message: impl Fn(Vec<T>) -> M) -> Vec<M> {
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for item in items {
        // A tag and a length of at most five bytes.
        let more = item.encoded_len() + 6;
        if bytes + more > MESSAGE_BYTES && !piece.is_empty() {
            pieces.push(message(std::mem::take(&mut piece)));
            bytes = 0;
        }
        bytes += more;
        piece.push(item);
    }
    pieces.push(message(piece));
    pieces
}

/// What a stream is at.
enum Work<M> {
    Waiting(BoxFuture<'static, Result<Vec<M>>>),
    Telling(VecDeque<M>),
}

fn replies<M: Message + Clone + 'static>(progress: M, answer: impl Future<Output = Result<Vec<M>>> + Send + 'static) -> Replies<M> {
    Replies::new(while_waiting(progress, answer))
}

/// That the question is worked on, until there is an answer; then its messages.
fn while_waiting<M: Message + Clone + 'static>(
    progress: M,
    answer: impl Future<Output = Result<Vec<M>>> + Send + 'static,
) -> impl Stream<Item = Result<M, Status>> + Send + 'static {
    let begun = futures::stream::iter([Ok(progress.clone())]);
    begun.chain(futures::stream::unfold(Some(Work::Waiting(Box::pin(answer))), move |work| {
        let progress = progress.clone();
        async move {
            let mut told = match work? {
                Work::Waiting(mut answer) => match tokio::time::timeout(PROGRESS_INTERVAL, &mut answer).await {
                    Err(_elapsed) => return Some((Ok(progress), Some(Work::Waiting(answer)))),
                    Ok(Err(error)) => return Some((Err(error.into()), None)),
                    Ok(Ok(messages)) => VecDeque::from(messages),
                },
                Work::Telling(messages) => messages,
            };
            told.pop_front().map(|message| (Ok(message), Some(Work::Telling(told))))
        }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use signalbox_model::Error;
    use signalbox_proto::tempo::TagValue;

    use super::*;

    fn value(length: usize) -> TagValue {
        TagValue { r#type: "string".to_owned(), value: "x".repeat(length) }
    }

    #[tokio::test]
    async fn who_waits_is_told_so() {
        let (done, wait) = tokio::sync::oneshot::channel::<()>();
        let answer = async move {
            wait.await.unwrap();
            Ok(vec![value(1), value(2)])
        };
        let mut told = std::pin::pin!(while_waiting(TagValue::default(), answer));
        for _ in 0..2 {
            assert_eq!(told.next().await.unwrap().unwrap(), TagValue::default());
        }
        done.send(()).unwrap();
        let rest: Vec<TagValue> = told.map(|message| message.unwrap()).collect().await;
        assert_eq!(rest, [value(1), value(2)]);

        let told: Vec<Result<TagValue, Status>> = while_waiting(TagValue::default(), async { Err(Error::invalid("no")) }).collect().await;
        assert_eq!((told.len(), told[0].is_ok(), told[1].is_err()), (2, true, true));
    }

    #[test]
    fn an_answer_is_cut_into_messages_that_clients_take() {
        let sizes = |items: Vec<TagValue>| pieces(items, |piece| piece.len());
        assert_eq!(sizes(Vec::new()), [0]);
        assert_eq!(sizes(vec![value(10), value(20)]), [2]);
        assert_eq!(sizes(vec![value(10), value(2 * MESSAGE_BYTES), value(10), value(10)]), [1, 1, 2]);
        assert_eq!(sizes(vec![value(400_000); 5]), [2, 2, 1]);
    }
}
