//! The dense leg: a query vector to the documents closest to it.

use tantivy::DocAddress;

use super::{Candidate, DocLocator, PassageMatch};
use crate::document::DocumentId;
use crate::error::Result;
use crate::index::dense::DenseHit;

pub use crate::index::dense::{DenseCost, DenseHits, DenseMode, DenseQuery};

/// Which number of a [`DenseHit`] becomes a candidate's score. Both order documents alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DenseScore {
    /// Elasticsearch's `_score`: never negative, `(1 + cosine) / 2` for cosine.
    #[default]
    Score,
    /// The similarity itself: cosine in [-1, 1], a dot product, or minus the distance.
    Similarity,
}

/// Turns hits of [`DenseReader::search`](crate::index::dense::DenseReader::search) into candidates, in their order.
///
/// * `id_of`: the user's id of a document of the searched snapshot.
///
/// # Errors
/// Those of `id_of`.
pub fn candidates(
    hits: &[DenseHit],
    score: DenseScore,
    mut id_of: impl FnMut(DocAddress) -> Result<DocumentId>,
) -> Result<Vec<Candidate>> {
    let candidate = |hit: &DenseHit| {
        Ok(Candidate {
            id: id_of(hit.address)?,
            score: match score {
                DenseScore::Score => hit.score,
                DenseScore::Similarity => hit.similarity,
            },
            passage: hit.span.map(|span| PassageMatch { span }),
            locator: Some(DocLocator(hit.address)),
        })
    };
    hits.iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::PassageSpan;

    #[test]
    fn hits_become_candidates_in_order() {
        let span = PassageSpan { value_idx: 1, start: 2, end: 3 };
        let hit = |doc, similarity, span| DenseHit {
            address: DocAddress::new(0, doc),
            score: (1.0 + similarity) / 2.0,
            similarity,
            ordinal: doc,
            span,
        };
        let hits = [hit(7, 0.5, Some(span)), hit(2, -0.5, None)];
        let id_of = |address: DocAddress| Ok(DocumentId::from(address.doc_id.to_string()));
        let by_score = candidates(&hits, DenseScore::Score, id_of).unwrap();
        assert_eq!(by_score.iter().map(|c| (c.id.as_str(), c.score)).collect::<Vec<_>>(), [("7", 0.75), ("2", 0.25)]);
        assert_eq!(by_score[0].passage, Some(PassageMatch { span }));
        let raw = candidates(&hits, DenseScore::Similarity, id_of).unwrap();
        assert_eq!(raw[1].score, -0.5);
    }
}
