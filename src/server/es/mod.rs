//! The dialect: one file a group of Elasticsearch's APIs.
//!
//! A file has its handlers and `routes()`, which [`routes`](fn@routes) gathers; [`routes`](mod@routes) says what each is for and who may
//! use it. A handler takes [`Params`](request::Params) and [`Body`](request::Body), answers an [`EsResponse`](response::EsResponse), and
//! fails with an [`EsError`].

pub mod aggs;
pub mod error;
pub(crate) mod filter_path;
mod info;
pub(crate) mod media;
pub mod query_dsl;
pub(crate) mod render;
pub mod request;
pub mod response;
pub(crate) mod routes;
pub mod search;

use std::sync::Arc;

use axum::Router;

use super::state::AppState;

pub use error::{EsError, EsResult};
pub use request::{Body, Params};
pub use response::EsResponse;

/// Every route.
pub(crate) fn routes() -> Router<Arc<AppState>> {
    Router::new().merge(info::routes())
}
