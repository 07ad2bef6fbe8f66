//! Elasticsearch's REST API over the hybrid engine.
//!
//! In: HTTP requests in Elasticsearch's dialect. Out: what the engine answers, in the same dialect. Invariant: only `es` knows
//! that dialect, and whatever it does not support is refused by name. Handlers are async and only parse and print; the work runs on
//! threads of its own. Read next: [`es`], one file a group of APIs.

pub mod es;
pub mod state;

pub use state::AppState;
