//! Judgments by a person: which query and document pairs are judged, in which order, and the file that they go to.
//!
//! In: what several plans and other systems' runs returned for each query. Out: TREC qrels. [`pool`] takes the union of their best
//! documents, in an order that tells nothing of who found what; a [`Session`] knows what is judged and what is next; a
//! [`QrelsFile`] keeps every judgment from the moment it is made. Invariant: the file is valid qrels at all times, so a killed
//! session loses nothing and goes on where it stopped. Nothing here serves pages; the command line does.

mod pace;
mod pool;
mod qrels_file;
mod session;
mod topics;

pub use pace::Pace;
pub use pool::pool;
pub use qrels_file::QrelsFile;
pub use session::{Order, Pair, Progress, Session, Topic};
pub use topics::read_topics;
