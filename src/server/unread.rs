//! What a handler leaves unread of a request's body: it is read before the answer goes.
//!
//! Clients write a request to its end before they listen, mostly the head and the body one after the other. An answer that ends the
//! connection in between is lost to them: they see a broken pipe in place of what was wrong.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::EXPECT;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body that its handler and [`Unread`] read in turn.
struct Shared(Arc<Mutex<State>>);

struct State {
    body: Body,
    is_begun: bool,
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|state| {
            state.is_begun = true;
            Pin::new(&mut state.body).poll_frame(context)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.with(|state| state.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|state| state.body.size_hint())
    }
}

/// The rest of a request's body.
pub(super) struct Unread {
    body: Shared,
    waits_to_be_asked: bool,
}

impl Unread {
    /// Takes a hold of the request's body; `None` where it has none.
    pub(super) fn of(request: Request) -> (Request, Option<Self>) {
        if request.body().is_end_stream() {
            return (request, None);
        }
        let waits_to_be_asked = request.headers().contains_key(EXPECT);
        let (parts, body) = request.into_parts();
        let shared = Arc::new(Mutex::new(State { body, is_begun: false }));
        let unread = Self { body: Shared(shared.clone()), waits_to_be_asked };
        (Request::from_parts(parts, Body::new(Shared(shared))), Some(unread))
    }

    /// Reads the rest; says whether the connection can go on. It cannot where the rest is longer than `limit` bytes, stays away for
    /// `patience`, or was not asked for (`Expect: 100-continue`), nor after the answer that the body came too late.
    pub(super) async fn read(mut self, answered: StatusCode, limit: usize, patience: Duration) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        let is_late = answered == StatusCode::REQUEST_TIMEOUT;
        let is_unasked = self.waits_to_be_asked && self.body.with(|state| !state.is_begun);
        if is_late || is_unasked || self.body.size_hint().lower() > limit as u64 {
            return false;
        }
        let mut left = limit;
        loop {
            let next = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
            match tokio::time::timeout(patience, next).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(rest) => left = rest,
                    None => return false,
                },
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request as HttpRequest;
    use http_body_util::BodyExt as _;

    use super::*;

    const LIMIT: usize = 8;
    const PATIENCE: Duration = Duration::from_millis(20);

    fn request(body: Body) -> HttpRequest<Body> {
        HttpRequest::builder().uri("/").body(body).unwrap()
    }

    #[tokio::test]
    async fn the_rest_is_read() {
        assert!(Unread::of(request(Body::empty())).1.is_none());
        for (text, answered, goes_on) in [
            ("short", StatusCode::NOT_FOUND, true),
            ("longer than it may be", StatusCode::NOT_FOUND, false),
            ("short", StatusCode::REQUEST_TIMEOUT, false),
        ] {
            let (_request, unread) = Unread::of(request(Body::from(text)));
            assert_eq!(unread.unwrap().read(answered, LIMIT, PATIENCE).await, goes_on, "{text} {answered}");
        }
        let (taken, unread) = Unread::of(request(Body::from("longer than it may be")));
        assert_eq!(taken.into_body().collect().await.unwrap().to_bytes(), "longer than it may be");
        assert!(unread.unwrap().read(StatusCode::OK, LIMIT, PATIENCE).await);
    }

    #[tokio::test]
    async fn what_stays_away_or_waits_is_not_waited_for() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let (_request, unread) = Unread::of(request(endless));
        assert!(!unread.unwrap().read(StatusCode::NOT_FOUND, LIMIT, PATIENCE).await);
        let mut waiting = request(Body::from("short"));
        waiting.headers_mut().insert(EXPECT, axum::http::HeaderValue::from_static("100-continue"));
        let (_request, unread) = Unread::of(waiting);
        assert!(!unread.unwrap().read(StatusCode::UNAUTHORIZED, LIMIT, PATIENCE).await);
    }
}
