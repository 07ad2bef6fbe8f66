//! The routes of every group of APIs, and what stands around them.

use std::sync::Arc;

use axum::Router;
use axum::middleware;

use super::state::AppState;
use super::{es, front};

/// The service that answers requests. A path is looked up after [`front`](super::front) saw it, so trailing slashes are gone by then.
pub fn app(state: Arc<AppState>) -> Router {
    let routes = es::routes().route_layer(middleware::from_fn(front::authorize)).with_state(state.clone());
    Router::new().fallback_service(routes).layer(middleware::from_fn_with_state(state, front::front))
}
