//! Aggregations: figures and buckets over a set of documents.
//!
//! In: [`Aggregation`]s, typed and with every default filled in, and the documents to aggregate over, a set for each segment
//! ([`DocSets`]). Out: an [`Outcome`] for each. [`collect()`] computes them for one index, [`merge()`] adds those of several
//! indices up, [`finish()`] orders, cuts, fills gaps and computes what is made of other results. Invariant: what is in the sets is
//! all that is aggregated over, however it was found; no JSON is read or printed here.
//!
//! Read next: [`request`], then `collect` (how documents are read), [`finish`](mod@finish), and [`figures`].
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of aggregations are many, and most steps concern a few of them"
)]

mod bucket_ids;
pub mod collect;
pub mod context;
pub mod figures;
pub mod finish;
pub mod key;
pub mod merge;
pub mod order;
pub mod outcome;
pub mod pipeline;
pub mod request;
pub mod rounding;
mod significance;
mod source;

pub use collect::{DocSets, collect};
pub use context::Context;
pub use finish::{MAX_BUCKETS, finish};
pub use merge::merge;
pub use outcome::Outcome;
pub use request::{Aggregation, AggregationKind};
pub use source::address_of;
