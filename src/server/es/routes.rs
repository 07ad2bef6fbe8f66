//! The table of routes: what each is for, who may use it, what it takes. `schema/openapi.json` is made from it, and a test compares
//! it with the router.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::http::Method;

use crate::server::auth::Access;
use Access::Read;

/// What a method of a path does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// As axum writes it.
    pub(crate) path: &'static str,
    /// The HTTP method; `HEAD` goes with `GET`.
    pub(crate) method: &'static str,
    /// Who may.
    pub(crate) access: Access,
    /// One line.
    pub(crate) summary: &'static str,
}

const fn op(method: &'static str, path: &'static str, access: Access, summary: &'static str) -> Operation {
    Operation { path, method, access, summary }
}

/// Every operation.
pub(crate) const OPERATIONS: &[Operation] = &[
    op("GET", "/", Read, "Names the server and its version"),
    op("GET", "/metrics", Read, "The server's figures for Prometheus"),
];

/// What a method of a route asks for; whatever the table lacks is for administrators.
pub(crate) fn access(path: &str, method: &Method) -> Access {
    static TABLE: OnceLock<HashMap<(&str, &str), Access>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        OPERATIONS.iter().map(|operation| ((operation.path, operation.method), operation.access)).collect()
    });
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    table.get(&(path, method)).copied().unwrap_or(Access::Admin)
}
