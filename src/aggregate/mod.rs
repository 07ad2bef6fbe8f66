//! Aggregations: figures and buckets over a set of documents.
