//! The streamed answer: frames of chunks, made while they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use prost::Message as _;
use signalbox_model::{Error, ErrorKind, Owners, Result};
use signalbox_proto::remote_read::{Chunk, ChunkedReadResponse, ChunkedSeries};
use signalbox_proto::remote_write_v1::Label;
use signalbox_query::promql::RawSeries;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::request::{self, Request};
use super::{Refusal, chunks};
use crate::ApiState;

const CONTENT: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
/// Series whose frames wait to be sent.
const SERIES_WAITING_MAX: usize = 16;
/// Bytes of frames that one answer may hold while neighbouring series are put in order.
const HELD_BYTES_MAX: usize = 256 << 20;

/// The frames of one series.
type Frames = Vec<Bytes>;

pub(super) async fn answer(state: ApiState, owners: Owners, request: Request, permit: OwnedSemaphorePermit) -> std::result::Result<Response, Refusal> {
    let (sender, mut receiver) = mpsc::channel::<Result<Frames>>(SERIES_WAITING_MAX);
    tokio::spawn(async move {
        let watched = sender.clone();
        tokio::select! {
            read = read(&state, &owners, request, sender.clone()) => {
                if let Err(error) = read {
                    // A client that is gone hears nothing more.
                    let _gone = sender.send(Err(error)).await;
                }
            }
            () = watched.closed() => {}
        }
        drop(permit);
    });
    // What fails before anything is sent has a status.
    let first = match receiver.recv().await {
        Some(Err(error)) => return Err(error.into()),
        first => first,
    };
    let rest = stream::unfold(receiver, async |mut receiver| receiver.recv().await.map(|frames| (frames, receiver)));
    let frames = stream::iter(first).chain(rest).flat_map(|frames| match frames {
        Ok(frames) => stream::iter(frames.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => {
            tracing::warn!(error = ?error, "cannot finish a remote read: {error}");
            stream::iter(vec![Err(error)])
        }
    });
    // Whoever sends a body may ask once more after its end.
    let frames = frames.fuse();
    Ok(([(CONTENT_TYPE, CONTENT)], Body::from_stream(frames)).into_response())
}

async fn read(state: &ApiState, owners: &Owners, request: Request, sender: mpsc::Sender<Result<Frames>>) -> Result<()> {
    let (external, frame_bytes) = (state.prometheus.external_labels.clone(), state.prometheus.settings.remote_read_frame_bytes);
    let held = Arc::new(AtomicUsize::new(0));
    let released = Arc::clone(&held);
    let make = move |series: RawSeries<'_>| {
        let frames = frames(&series, request::labels(series.labels, &external), frame_bytes);
        if held.fetch_add(size(&frames), Ordering::Relaxed) + size(&frames) > HELD_BYTES_MAX {
            return Err(Error::limit(format!("cannot answer: some neighbouring series take more than {HELD_BYTES_MAX} bytes: ask for a shorter range")));
        }
        Ok(frames)
    };
    let take = move |frames: Frames| {
        released.fetch_sub(size(&frames), Ordering::Relaxed);
        sender.blocking_send(Ok(frames)).map_err(|_| Error::new(ErrorKind::Canceled, "the remote read was given up"))
    };
    state.engine.raw_samples(owners, request.selections, make, take).await
}

fn size(frames: &Frames) -> usize {
    frames.iter().map(Bytes::len).sum()
}

/// A series in as many frames as its chunks need.
fn frames(series: &RawSeries<'_>, labels: Vec<Label>, frame_bytes: usize) -> Frames {
    let room = frame_bytes.saturating_sub(labels.iter().map(Label::encoded_len).sum());
    let (mut frames, mut chunks, mut taken) = (Vec::new(), Vec::new(), 0);
    let frame = |chunks: Vec<Chunk>| {
        let series_of_frame = ChunkedSeries { labels: labels.clone(), chunks };
        frame(&ChunkedReadResponse { chunked_series: vec![series_of_frame], query_index: series.selection as i64 })
    };
    chunks::of(&series.samples, |chunk| {
        taken += chunk.encoded_len();
        chunks.push(chunk);
        if taken >= room {
            frames.push(frame(std::mem::take(&mut chunks)));
            taken = 0;
        }
    });
    if !chunks.is_empty() {
        frames.push(frame(chunks));
    }
    frames
}

/// Length, checksum, message.
fn frame(message: &ChunkedReadResponse) -> Bytes {
    let body = message.encode_to_vec();
    let mut frame = Vec::with_capacity(body.len() + 14);
    prost::encoding::encode_varint(body.len() as u64, &mut frame);
    frame.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    frame.extend_from_slice(&body);
    frame.into()
}
