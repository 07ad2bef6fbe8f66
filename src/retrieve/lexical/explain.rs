//! How a lexical score is made, as a tree.

use serde::Serialize;
use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet};

use super::LexicalSearcher;
use super::words::WordTerm;
use crate::error::Result;
use crate::index::lexical::bm25::{self, LENGTH_WITHOUT_NORMS};
use crate::retrieve::query::Query;

/// A value and the values it is made of, in Elasticsearch's shape.
///
/// # Stability
/// Printed by `bifocal explain --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The value.
    pub value: f64,
    /// What it is.
    pub description: String,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Explanation>,
}

impl Explanation {
    fn leaf(value: impl Into<f64>, description: impl Into<String>) -> Self {
        Self { value: value.into(), description: description.into(), details: Vec::new() }
    }
}

impl LexicalSearcher {
    /// How a query scores one document, part by part down to each word's BM25. `None` when it does not match.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn explain(&self, query: &Query, address: DocAddress) -> Result<Option<Explanation>> {
        self.explain_part(query, 1.0, address)
    }

    /// * `boost`: the product of the boosts around the part.
    fn explain_part(&self, query: &Query, boost: f32, address: DocAddress) -> Result<Option<Explanation>> {
        let Some(score) = self.score(query, address)? else { return Ok(None) };
        let mut details = Vec::new();
        let description = match query {
            Query::Match(query) if query.fuzziness.is_none() => {
                for word in self.words(query)?.words.iter().flatten() {
                    details.extend(self.explain_word(word, boost, address)?);
                }
                "sum of the words".to_string()
            }
            Query::Bool(query) => {
                for part in query.must.iter().chain(&query.should) {
                    details.extend(self.explain_part(part, boost, address)?);
                }
                "sum of what must and may match".to_string()
            }
            Query::DisMax(query) => {
                for part in &query.queries {
                    details.extend(self.explain_part(part, boost, address)?);
                }
                format!("maximum, plus {} times the others", query.tie_breaker)
            }
            Query::Boost(query) => {
                let inner = boost * query.boost;
                details.extend(self.explain_part(&query.query, inner, address)?);
                format!("boost {}", query.boost)
            }
            Query::Phrase(query) => {
                format!("phrase {:?}, its frequency scored as a term's with the sum of its idfs", query.text)
            }
            Query::Match(query) => format!("sum of the words near {:?}", query.text),
            Query::Fuzzy(query) => format!("sum of the terms near {:?}", query.term),
            Query::Term(query) => format!("term {:?} of {}", super::values::plain(&query.value), query.field),
            Query::MatchAll
            | Query::MatchNone
            | Query::Terms(_)
            | Query::Prefix(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::ConstantScore(_) => "constant score".to_string(),
        };
        Ok(Some(Explanation { value: f64::from(score * boost), description, details }))
    }

    fn explain_word(&self, word: &WordTerm<'_>, outer_boost: f32, address: DocAddress) -> Result<Option<Explanation>> {
        if !word.field.has_terms() {
            return Ok(None);
        }
        let reader = self.segment_reader(address)?;
        let inverted = reader.inverted_index(word.field.field)?;
        let Some(mut postings) = inverted.read_postings(&word.term, IndexRecordOption::WithFreqs)? else {
            return Ok(None);
        };
        if postings.doc() > address.doc_id
            || (postings.doc() < address.doc_id && postings.seek(address.doc_id) != address.doc_id)
        {
            return Ok(None);
        }
        let freq = postings.term_freq();
        let statistics = self.statistics(word.field.field)?;
        let doc_freq = self.doc_freq(&word.term)?;
        let idf = statistics.idf(doc_freq);
        let boost = outer_boost * word.boost;
        let lengths = self.columns(address.segment_ord).and_then(|columns| columns.lengths(word.field.field));
        let length_byte = lengths
            .and_then(|lengths| lengths.bytes.get(address.doc_id as usize).copied())
            .unwrap_or(LENGTH_WITHOUT_NORMS);
        let norm_inverse = statistics.norm_inverses[usize::from(length_byte)];
        let value = bm25::score(statistics.weight(boost, idf), norm_inverse, freq as f32);
        let tf = bm25::score(1.0, norm_inverse, freq as f32);
        let params = statistics.params;
        let length = tantivy::fieldnorm::FieldNormReader::id_to_fieldnorm(length_byte);
        Ok(Some(Explanation {
            value: f64::from(value),
            description: format!("weight({}:{} in {}), product of", word.name, word.text, address.doc_id),
            details: vec![
                Explanation::leaf(boost * (params.k1 + 1.0), "boost, with the factor k1 + 1"),
                Explanation {
                    value: f64::from(idf),
                    description: "idf, computed as ln(1 + (N - n + 0.5) / (n + 0.5)) from".to_string(),
                    details: vec![
                        Explanation::leaf(doc_freq as f64, "n, documents with the term"),
                        Explanation::leaf(statistics.doc_count as f64, "N, documents with the field"),
                    ],
                },
                Explanation {
                    value: f64::from(tf),
                    description: "tf, computed as freq / (freq + k1 * (1 - b + b * dl / avgdl)) from".to_string(),
                    details: vec![
                        Explanation::leaf(freq, "freq, occurrences of the term in the document"),
                        Explanation::leaf(params.k1, "k1, saturation of term frequencies"),
                        Explanation::leaf(params.b, "b, normalisation of lengths"),
                        Explanation::leaf(length, "dl, length of the field (as coded)"),
                        Explanation::leaf(statistics.average_length(), "avgdl, average length of the field"),
                    ],
                },
            ],
        }))
    }
}
