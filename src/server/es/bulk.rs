//! `_bulk`: many writes in one request, done as they arrive.
//!
//! A body of up to 8 MiB is read to its end, and its action lines are checked, before anything is written: a malformed line refuses all of
//! it, with nothing done. A longer body is never held as a whole: its bytes are gathered to a batch, the batch is read ([`parse`]) and
//! written on a thread for writes, then the next is gathered. There a malformed line is an error of the whole request as well, but what
//! came before it is done, as in Elasticsearch since it streams; the error says how many items that were (`items_done`).

mod execute;
pub mod parse;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::routing::post;
use bytes::BytesMut;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;

use self::execute::Execution;
use self::parse::{BulkDefaults, BulkParser};
use super::documents::{Refresh, check_pipeline};
use super::{EsError, EsResponse, EsResult, Params};
use crate::server::front::InFlight;
use crate::server::state::AppState;

/// A batch is read and written when so much of it is there.
const BATCH_BYTES: usize = 1 << 20;
/// The same of a compressed body.
const COMPRESSED_BATCH_BYTES: usize = 128 << 10;
/// Compressed bytes are unpacked in pieces, so that little that means much is noticed in time.
const GZIP_PIECE_BYTES: usize = 16 << 10;
/// A body of at most so many bytes is checked as a whole before anything of it is written.
const WHOLE_BYTES: usize = 8 << 20;
/// The same of a compressed body.
const COMPRESSED_WHOLE_BYTES: usize = 1 << 20;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_bulk", post(bulk_all).put(bulk_all))
        .route("/{index}/_bulk", post(bulk_index).put(bulk_index))
}

async fn bulk_all(State(app): State<Arc<AppState>>, params: Params, request: Request) -> EsResult<EsResponse> {
    bulk(app, None, params, request).await
}

async fn bulk_index(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    request: Request,
) -> EsResult<EsResponse> {
    bulk(app, Some(index), params, request).await
}

async fn bulk(app: Arc<AppState>, index: Option<String>, params: Params, request: Request) -> EsResult<EsResponse> {
    let started = Instant::now();
    params.accept(&["timeout", "wait_for_active_shards", "include_source_on_error", "list_executed_pipelines"]);
    check_pipeline(params.str("pipeline"))?;
    if params.bool_or("require_data_stream", false)? {
        return Err(EsError::unsupported("[require_data_stream]"));
    }
    let refresh = Refresh::read(&params)?;
    let defaults = BulkDefaults {
        index,
        routing: params.str("routing").map(str::to_string),
        require_alias: params.bool_or("require_alias", false)?,
        source: super::documents::source_filter(&params),
    };
    params.finish()?;
    let mut upload = Upload::new(&app, &request)?;
    let mut session = Session {
        parser: BulkParser::new(defaults.clone()),
        check: Some(defaults),
        decoder: upload.is_compressed.then(|| MultiGzDecoder::new(Vec::new())),
        execution: Execution::new(refresh),
        num_bytes: 0,
        max_bytes: app.limits.max_body_bytes,
        kept: None,
    };
    let mut body = request.into_body();
    loop {
        let (batch, is_over) = upload.batch(&app, &mut body).await?;
        // The bytes are counted as held until the batch is done.
        let held = upload.held.take();
        let worker = app.clone();
        session = app
            .write(move || {
                let _held = held;
                session.take(&worker, &batch, is_over)?;
                Ok(session)
            })
            .await?;
        if is_over {
            break;
        }
    }
    let (answer, refreshing) = app.write(move || session.execution.finish(started.elapsed())).await?;
    refreshing.finish().await;
    Ok(EsResponse::printed(answer))
}

/// What of a body has come and is not written yet.
#[derive(Debug)]
struct Upload {
    gathered: BytesMut,
    held: Option<InFlight>,
    is_compressed: bool,
    /// Whether nothing was handed on yet.
    is_first: bool,
    num_bytes: usize,
    limit: usize,
    timeout: Duration,
}

impl Upload {
    fn new(app: &AppState, request: &Request) -> EsResult<Self> {
        let limit = app.limits.max_body_bytes;
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let is_compressed = match request.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(other) => {
                let text = format!("Content-Encoding [{}] is not supported", String::from_utf8_lossy(other));
                return Err(EsError::new(415, "illegal_argument_exception", text));
            }
        };
        let timeout = app.limits.body_timeout;
        Ok(Self { gathered: BytesMut::new(), held: None, is_compressed, is_first: true, num_bytes: 0, limit, timeout })
    }

    /// The next bytes, and whether they are the last.
    async fn batch(&mut self, app: &AppState, body: &mut axum::body::Body) -> EsResult<(BytesMut, bool)> {
        let enough = match (self.is_first, self.is_compressed) {
            (true, false) => WHOLE_BYTES,
            (true, true) => COMPRESSED_WHOLE_BYTES,
            (false, false) => BATCH_BYTES,
            (false, true) => COMPRESSED_BATCH_BYTES,
        };
        loop {
            if self.gathered.len() > enough {
                self.is_first = false;
                return Ok((self.gathered.split(), false));
            }
            let Ok(frame) = tokio::time::timeout(self.timeout, body.frame()).await else {
                let text = "the client sent nothing for too long in the middle of the body";
                return Err(EsError::new(408, "request_timeout_exception", text));
            };
            let Some(frame) = frame else { return Ok((self.gathered.split(), true)) };
            let frame =
                frame.map_err(|error| EsError::illegal_argument(format!("the body could not be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            self.num_bytes += data.len();
            if self.num_bytes > self.limit {
                return Err(too_large(self.limit));
            }
            self.held.get_or_insert_with(|| InFlight::new(app)).add(data.len())?;
            self.gathered.extend_from_slice(&data);
        }
    }
}

fn no_gzip(error: &std::io::Error) -> EsError {
    EsError::illegal_argument(format!("the body is no gzip: {error}"))
}

fn too_large(limit: usize) -> EsError {
    EsError::new(
        413,
        "content_too_long_exception",
        format!("entity content is too long for the configured buffer limit [{limit}]"),
    )
}

/// A request between its batches.
struct Session {
    parser: BulkParser,
    /// What a check of the whole body begins with; `None` once anything was written.
    check: Option<BulkDefaults>,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    execution: Execution,
    num_bytes: usize,
    max_bytes: usize,
    /// What is kept between batches, counted as held.
    kept: Option<InFlight>,
}

impl Session {
    /// Writes the items that end in a batch.
    ///
    /// # Errors
    /// What is wrong with the body; the items that were done before are told.
    fn take(&mut self, app: &AppState, batch: &[u8], is_over: bool) -> EsResult<()> {
        if let Some(defaults) = self.check.take().filter(|_| is_over) {
            self.check(defaults, batch)?;
        }
        self.write(app, batch, is_over).map_err(|error| match self.execution.num_items() {
            0 => error,
            done => error.with("items_done", done.into()),
        })
    }

    /// Reads a whole body and writes nothing.
    fn check(&self, defaults: BulkDefaults, body: &[u8]) -> EsResult<()> {
        let mut parser = BulkParser::checking(defaults);
        if self.decoder.is_none() {
            parser.push(body)?;
            return parser.finish();
        }
        let mut decoder = MultiGzDecoder::new(Vec::new());
        let mut num_bytes = 0;
        let mut push = |decoder: &mut MultiGzDecoder<Vec<u8>>| {
            let bytes = std::mem::take(decoder.get_mut());
            num_bytes += bytes.len();
            if num_bytes > self.max_bytes { Err(too_large(self.max_bytes)) } else { parser.push(&bytes) }
        };
        for piece in body.chunks(GZIP_PIECE_BYTES) {
            decoder.write_all(piece).map_err(|error| no_gzip(&error))?;
            push(&mut decoder)?;
        }
        decoder.try_finish().map_err(|error| no_gzip(&error))?;
        push(&mut decoder)?;
        parser.finish()
    }

    fn write(&mut self, app: &AppState, batch: &[u8], is_over: bool) -> EsResult<()> {
        match &mut self.decoder {
            None => {
                for piece in batch.chunks(BATCH_BYTES) {
                    self.parser.push(piece)?;
                    if self.parser.num_bytes() >= BATCH_BYTES {
                        self.execution.run(app, self.parser.take())?;
                    }
                }
            }
            Some(decoder) => {
                for piece in batch.chunks(GZIP_PIECE_BYTES) {
                    decoder.write_all(piece).map_err(|error| no_gzip(&error))?;
                    let bytes = std::mem::take(decoder.get_mut());
                    self.num_bytes += bytes.len();
                    if self.num_bytes > self.max_bytes {
                        return Err(too_large(self.max_bytes));
                    }
                    self.parser.push(&bytes)?;
                    if self.parser.num_bytes() >= BATCH_BYTES {
                        self.execution.run(app, self.parser.take())?;
                    }
                }
                if is_over {
                    decoder.try_finish().map_err(|error| no_gzip(&error))?;
                    let bytes = std::mem::take(decoder.get_mut());
                    self.parser.push(&bytes)?;
                }
            }
        }
        if is_over {
            self.parser.finish()?;
        }
        self.execution.run(app, self.parser.take())?;
        // A line that has not ended, and the answers, stay in memory with the request, so they count as its body does.
        self.kept = None;
        let num_bytes = self.parser.num_rest_bytes() + self.execution.num_bytes();
        let counted = self.kept.insert(InFlight::new(app)).add(num_bytes);
        // What is all done is answered.
        if is_over { Ok(()) } else { counted }
    }
}
