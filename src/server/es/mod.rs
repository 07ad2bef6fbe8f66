//! The dialect: one file a group of Elasticsearch's APIs.
//!
//! A file has its handlers and `routes()`, which [`routes`](fn@routes) gathers; [`routes`](mod@routes) says what each is for and who may
//! use it. A handler takes [`Params`](request::Params) and [`Body`](request::Body), answers an [`EsResponse`](response::EsResponse), and
//! fails with an [`EsError`].

mod absent;
pub mod aggs;
mod aliases;
mod analyze;
pub mod bulk;
mod by_query;
mod cat;
mod cluster;
mod documents;
pub mod error;
mod field_caps;
pub(crate) mod filter_path;
mod indices;
pub mod inference;
mod info;
mod maintenance;
mod mappings;
pub(crate) mod media;
mod nodes;
pub mod openapi;
pub mod query_dsl;
mod rank_eval;
pub(crate) mod render;
pub mod request;
pub mod response;
pub(crate) mod routes;
pub mod search;
mod security;
mod settings;
mod stats;
mod summary;
pub mod targets;

use std::sync::Arc;

use axum::Router;

use super::state::AppState;

pub use error::{EsError, EsResult};
pub use request::{Body, Params};
pub use response::EsResponse;
pub(in crate::server) use search::drop_expired;

/// Every route.
pub(crate) fn routes() -> Router<Arc<AppState>> {
    let groups = [
        absent::routes(),
        aliases::routes(),
        analyze::routes(),
        bulk::routes(),
        by_query::routes(),
        cat::routes(),
        cluster::routes(),
        documents::routes(),
        field_caps::routes(),
        indices::routes(),
        inference::routes(),
        info::routes(),
        maintenance::routes(),
        mappings::routes(),
        nodes::routes(),
        rank_eval::routes(),
        search::routes(),
        security::routes(),
        settings::routes(),
        stats::routes(),
    ];
    groups.into_iter().fold(Router::new(), Router::merge)
}
