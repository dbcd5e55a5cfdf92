//! `/api/v1/export`: every row of an answer as a file, `GET` or `POST` (as a form, or as a JSON object of texts and numbers).
//!
//! | parameter | is |
//! |---|---|
//! | `query` | LogQL, TraceQL, the search language, or a `SELECT`; all records if there is none |
//! | `language` | `logql`, `traceql`, `search` or `sql`. Without: LogQL if the query begins with `{`, else the search language; what begins like SQL must say which it is |
//! | `start`, `end` | as of `/api/v1/logs/search`: the last hour. Not for SQL, which names its own times |
//! | `step` | of a metric query: a duration, or seconds; a minute if it is not said. The first instant is `start` |
//! | `format` | `ndjson` (if not said), `csv`, `parquet`, `arrow` (a stream of Arrow's IPC) |
//! | `fields` | names, with commas between: only these columns, in this order. For records only |
//! | `filename` | what the file is to be called, `export` and the ending of the format |
//!
//! Columns are those of `signalbox_query::export`. Other parameters are refused: there is no `limit`, all rows come.
//!
//! | format | rows are |
//! |---|---|
//! | `ndjson` | one JSON object a line; what a row lacks is null, instants are RFC 3339, maps are objects |
//! | `csv` | a line of names, then lines; what a row lacks is empty, maps are JSON |
//! | `parquet` | row groups of about 16 MiB, zstd |
//! | `arrow` | batches of at most some thousand rows |
//!
//! Rows come in the order of storage, unless a `SELECT` orders them. They are sent while they are read and never held: a client
//! that reads slowly slows the reading, one that goes away ends it, one that takes nothing for `query.timeout_seconds` is cut off,
//! as is a `SELECT` that finds no row for so long, and any connection on which no byte moves for `http.idle_timeout_seconds`. There
//! is no other limit of time. What goes wrong before the first row has a
//! status and `{"error": {"kind": "invalid", "message": "…"}}`; what goes wrong later breaks the body off, so that no client takes
//! it for whole: chunks of HTTP/1.1 without the last, a reset stream of HTTP/2.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use signalbox_model::{Error, Result, Tenant};
use signalbox_query::export::Export;

use super::search::Asked;
use super::sql::refuse;
use crate::ApiState;
use crate::http::Asker;

mod format;
mod params;

use format::{Format, Writer};

/// Answers an export.
pub(super) async fn answer(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    match begin(&state, &tenant, &asked).await {
        Ok((file, format, name)) => {
            // Fused: the layer that compresses asks once more after the end.
            let body = Body::from_stream(futures::stream::unfold(Some(file), |file| async { go_on(file?).await }).fuse().boxed());
            ([(CONTENT_TYPE, HeaderValue::from_static(format.content_type())), (CONTENT_DISPOSITION, name)], body).into_response()
        }
        Err(error) => refuse(&error),
    }
}

/// A file of which the first rows are known to be good.
struct File {
    export: Export,
    /// None once the last row is written.
    writer: Option<Writer>,
    /// What is to be sent next.
    ready: Vec<u8>,
}

async fn begin(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<(File, Format, HeaderValue)> {
    let format = params::format(asked)?;
    let name = params::disposition(asked, format)?;
    let request = params::request(asked, state.engine.clock().now_ns())?;
    let export = state.engine.export(tenant, request, asked.get("query").unwrap_or("")).await?;
    let (writer, ready) = Writer::new(format, &export.schema)?;
    let mut file = File { export, writer: Some(writer), ready };
    file.step().await?;
    Ok((file, format, name))
}

impl File {
    /// Writes the next rows, or what comes after the last.
    async fn step(&mut self) -> Result<()> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let rows = self.export.next().await.transpose()?;
        // Compressing takes a while: not on a thread that answers others.
        let written = tokio::task::spawn_blocking(move || match rows {
            Some(rows) => writer.rows(&rows).map(|bytes| (Some(writer), bytes)),
            None => writer.finish().map(|bytes| (None, bytes)),
        });
        let (writer, bytes) = written.await.map_err(|error| Error::internal("cannot export: the writing thread died").with_source(error))??;
        self.writer = writer;
        self.ready.extend(bytes);
        Ok(())
    }
}

/// The next piece of the body. A body that ends in an error is broken off.
async fn go_on(mut file: File) -> Option<(std::io::Result<Bytes>, Option<File>)> {
    while file.ready.is_empty() && file.writer.is_some() {
        if let Err(error) = file.step().await {
            tracing::warn!("cannot export to the end: {error}");
            return Some((Err(std::io::Error::other(error.to_string())), None));
        }
    }
    if file.ready.is_empty() {
        return None;
    }
    let ready = std::mem::take(&mut file.ready);
    Some((Ok(ready.into()), Some(file)))
}
