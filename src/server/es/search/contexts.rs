//! Open scrolls and points in time: snapshots that are kept between requests.
//!
//! They expire, and there is a bound on their number. Expired ones are dropped whenever one is opened, used or closed, and by the server
//! every few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;

use super::body::SearchBody;
use super::params::SearchParams;
use super::target::Target;
use crate::retrieve::collect::{SortValue, Total};
use crate::server::es::error::{EsError, EsResult};
use crate::server::limits::Limits;

/// All that are open; one a server.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    open: Mutex<HashMap<String, Open>>,
}

#[derive(Debug)]
struct Open {
    expires: Instant,
    keep_alive: Duration,
    context: Context,
}

/// What is kept.
#[derive(Debug, Clone)]
pub(super) enum Context {
    /// Indices as they were.
    Pit(Arc<Vec<Target>>),
    /// A search that goes on.
    Scroll(Arc<Mutex<Scroll>>),
}

/// A search that goes on.
#[derive(Debug)]
pub(super) struct Scroll {
    pub(super) targets: Vec<Target>,
    pub(super) search: SearchBody,
    pub(super) params: SearchParams,
    /// The last hit's place; `None` before the first page.
    pub(super) after: Option<Vec<SortValue>>,
    /// Whether the last page had fewer hits than were asked for.
    pub(super) is_exhausted: bool,
    pub(super) total: Total,
    pub(super) max_score: Option<f32>,
}

const SCROLL_PREFIX: &[u8] = b"scroll:";
const PIT_PREFIX: &[u8] = b"pit:";

impl Contexts {
    /// Keeps a context; its id is not to be guessed.
    ///
    /// # Errors
    /// 429 when too many are open, `illegal_argument_exception` for too long a life.
    pub(super) fn open(&self, context: Context, keep_alive: Duration, limits: &Limits) -> EsResult<String> {
        check_keep_alive(keep_alive, limits)?;
        let prefix = match &context {
            Context::Pit(_) => PIT_PREFIX,
            Context::Scroll(_) => SCROLL_PREFIX,
        };
        let id = URL_SAFE.encode([prefix, uuid::Uuid::new_v4().as_bytes()].concat());
        let mut open = self.lock();
        drop_expired(&mut open);
        if open.len() >= limits.max_open_contexts {
            let most = limits.max_open_contexts;
            return Err(EsError::new(
                429,
                "too_many_scroll_contexts_exception",
                format!(
                    "Trying to create too many scroll contexts. Must be less than or equal to: [{most}]. This limit can be set by changing the [search.max_open_scroll_context] setting."
                ),
            ));
        }
        open.insert(id.clone(), Open { expires: Instant::now() + keep_alive, keep_alive, context });
        Ok(id)
    }

    /// A context, whose life begins anew.
    ///
    /// # Errors
    /// 404 `search_context_missing_exception` where it has expired, was closed or never was; `illegal_argument_exception` for a text
    /// that is no id.
    pub(super) fn get(&self, id: &str, keep_alive: Option<Duration>, limits: &Limits) -> EsResult<Context> {
        if let Some(keep_alive) = keep_alive {
            check_keep_alive(keep_alive, limits)?;
        }
        if !is_id(id) {
            return Err(EsError::illegal_argument(format!("Cannot parse scroll id [{}]", short(id))));
        }
        let mut open = self.lock();
        drop_expired(&mut open);
        let found = open.get_mut(id).ok_or_else(|| missing(id))?;
        if let Some(keep_alive) = keep_alive {
            found.keep_alive = keep_alive;
        }
        found.expires = Instant::now() + found.keep_alive;
        Ok(found.context.clone())
    }

    /// Closes a context; whether there was one.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a text that is no id.
    pub(super) fn close(&self, id: &str) -> EsResult<bool> {
        if !is_id(id) {
            return Err(EsError::illegal_argument(format!("Cannot parse scroll id [{}]", short(id))));
        }
        let mut open = self.lock();
        drop_expired(&mut open);
        Ok(open.remove(id).is_some())
    }

    /// Closes every scroll; how many there were.
    pub(super) fn close_scrolls(&self) -> usize {
        let mut open = self.lock();
        drop_expired(&mut open);
        let before = open.len();
        open.retain(|_, open| matches!(open.context, Context::Pit(_)));
        before - open.len()
    }

    /// Takes out what has expired at `now`; whoever drops the last of a snapshot gives its files and memory back.
    pub(super) fn take_expired(&self, now: Instant) -> Vec<Context> {
        let mut open = self.lock();
        open.extract_if(|_, open| open.expires <= now).map(|(_, open)| open.context).collect()
    }

    /// How many scrolls and points in time are open.
    #[cfg(test)]
    fn counts(&self) -> (usize, usize) {
        let mut open = self.lock();
        drop_expired(&mut open);
        let scrolls = open.values().filter(|open| matches!(open.context, Context::Scroll(_))).count();
        (scrolls, open.len() - scrolls)
    }

    /// No code that can panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_expired(open: &mut HashMap<String, Open>) {
    let now = Instant::now();
    open.retain(|_, open| open.expires > now);
}

fn is_id(id: &str) -> bool {
    let decoded = URL_SAFE.decode(id).unwrap_or_default();
    [SCROLL_PREFIX, PIT_PREFIX].iter().any(|prefix| decoded.len() == prefix.len() + 16 && decoded.starts_with(prefix))
}

fn short(id: &str) -> String {
    id.chars().take(100).collect()
}

fn missing(id: &str) -> EsError {
    let cause = EsError::new(
        404,
        "search_context_missing_exception",
        format!("No search context found for id [{}]", short(id)),
    );
    EsError::new(404, "search_phase_execution_exception", "all shards failed")
        .with("phase", Value::from("query"))
        .with("grouped", Value::from(true))
        .with("failed_shards", serde_json::json!([{"shard": -1, "index": null, "reason": cause.to_object()}]))
        .caused_by(cause)
}

fn check_keep_alive(keep_alive: Duration, limits: &Limits) -> EsResult<()> {
    if keep_alive <= limits.max_keep_alive {
        return Ok(());
    }
    Err(EsError::illegal_argument(format!(
        "Keep alive for request ({}s) is too large. It must be less than ({}s). This limit can be set by changing the [search.max_keep_alive] cluster level setting.",
        keep_alive.as_secs(),
        limits.max_keep_alive.as_secs()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pit() -> Context {
        Context::Pit(Arc::new(Vec::new()))
    }

    #[test]
    fn contexts_live_until_they_are_closed() {
        let (contexts, limits) = (Contexts::default(), Limits::default());
        let id = contexts.open(pit(), Duration::from_secs(60), &limits).unwrap();
        assert!(contexts.get(&id, None, &limits).is_ok());
        assert_eq!(contexts.counts(), (0, 1));
        assert!(contexts.close(&id).unwrap() && !contexts.close(&id).unwrap());
        let error = contexts.get(&id, None, &limits).unwrap_err();
        assert_eq!((error.status, error.cause.unwrap().kind.as_str()), (404, "search_context_missing_exception"));
        assert!(contexts.get("nonsense", None, &limits).unwrap_err().reason.contains("Cannot parse scroll id"));
    }

    #[test]
    fn what_expired_is_given_back_though_nobody_asks() {
        let (contexts, limits) = (Contexts::default(), Limits::default());
        let targets = Arc::new(Vec::new());
        let weak = Arc::downgrade(&targets);
        contexts.open(Context::Pit(targets), Duration::from_secs(60), &limits).unwrap();
        assert!(contexts.take_expired(Instant::now()).is_empty());
        assert_eq!(contexts.take_expired(Instant::now() + Duration::from_secs(61)).len(), 1);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn contexts_expire_and_are_bounded() {
        let (contexts, mut limits) = (Contexts::default(), Limits::default());
        limits.max_open_contexts = 2;
        let id = contexts.open(pit(), Duration::ZERO, &limits).unwrap();
        assert_eq!(contexts.get(&id, None, &limits).unwrap_err().status, 404);
        let long = Duration::from_secs(600);
        contexts.open(pit(), long, &limits).unwrap();
        contexts.open(pit(), long, &limits).unwrap();
        assert_eq!(contexts.open(pit(), long, &limits).unwrap_err().status, 429);
        let too_long = contexts.open(pit(), Duration::from_secs(25 * 3600), &limits).unwrap_err();
        assert!(too_long.reason.contains("search.max_keep_alive"));
    }
}
