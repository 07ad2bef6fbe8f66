//! `aggs`: read and printed.
