//! The dialect: one file a group of Elasticsearch's APIs.

pub mod aggs;
pub mod error;
pub mod query_dsl;
pub mod search;

pub use error::EsError;
