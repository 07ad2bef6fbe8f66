//! Elasticsearch's REST API over the hybrid engine.
//!
//! In: HTTP requests in Elasticsearch's dialect. Out: what the engine answers, in the same dialect. Invariant: only `es` knows
//! that dialect, and whatever it does not support is refused by name. Handlers are async and only parse and print; the work runs on
//! threads of its own ([`threads`]). Read next: [`app`] (from a request to its answer), [`state`] (what requests share), [`es`] (one
//! file a group of APIs), [`serve`](mod@serve) (sockets, TLS, shutdown).

pub mod app;
pub mod auth;
pub mod es;
mod front;
pub mod limits;
mod machine;
mod memory;
pub mod metrics;
pub mod request_id;
pub mod serve;
mod sockets;
pub mod state;
pub mod threads;
mod unread;

pub use app::app;
pub use limits::Limits;
pub use serve::{Listener, TlsFiles, serve};
pub use state::{AppState, ServerOptions};
