//! Documents made ready for an index, away from every lock: values converted, texts analysed and embedded.

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::convert::{self, Prepared, SemanticInput};
use super::{Index, Opened, writer};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::models::Models;
use crate::schema::IndexDefinition;

/// Fewer documents are not worth other threads.
const MIN_PARALLEL: usize = 8;

/// Prepares documents for an index as its mapping stands. Cheap; take one a batch.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    opened: Arc<Opened>,
    models: Arc<Models>,
}

/// A document that is ready to be given to [`IndexFeed`](writer::IndexFeed), once it has its numbers.
#[derive(Debug)]
pub(crate) struct PreparedDocument {
    prepared: Prepared,
    opened: Arc<Opened>,
    /// About what it takes in memory.
    num_bytes: usize,
}

impl Index {
    /// What prepares documents for this index.
    pub(crate) fn preparation(&self) -> Preparation {
        Preparation { opened: self.opened(), models: self.models().clone() }
    }
}

impl Preparation {
    /// The mapping that documents are prepared for.
    pub(crate) fn definition(&self) -> &IndexDefinition {
        &self.opened.manifest.definition
    }

    /// What of a source is stored.
    pub(crate) fn kept_source(&self, source: Map<String, Value>) -> Map<String, Value> {
        self.opened.fields.keep(source)
    }

    /// Whether the index still has this mapping.
    pub(crate) fn is_current(&self, index: &Index) -> bool {
        Arc::ptr_eq(&self.opened, &index.opened())
    }

    /// Prepares documents, semantic vectors included; one result a document, in their order.
    ///
    /// # Errors
    /// As [`Preparation::convert`] and [`Preparation::embed`].
    pub(crate) fn prepare(&self, documents: &[(&DocumentId, &Map<String, Value>)]) -> Vec<Result<PreparedDocument>> {
        let mut prepared = self.convert(documents);
        let embedded = self.embed(prepared.iter_mut().filter_map(|document| document.as_mut().ok()));
        if let Err(error) = embedded {
            for document in &mut prepared {
                if document.as_ref().is_ok_and(PreparedDocument::is_semantic) {
                    *document = Err(Error::new(error.kind(), error.to_string()));
                }
            }
        }
        prepared
    }

    /// Prepares documents but for their semantic vectors; one result a document, in their order.
    ///
    /// # Errors
    /// Of a document: `InvalidInput` naming the field whose value does not fit its type.
    pub(crate) fn convert(&self, documents: &[(&DocumentId, &Map<String, Value>)]) -> Vec<Result<PreparedDocument>> {
        let prepare = |(id, source): &(&DocumentId, &Map<String, Value>)| {
            let prepared = convert::prepare(&self.opened.fields, (*id).clone(), source)?;
            Ok(PreparedDocument { num_bytes: num_bytes(&prepared), prepared, opened: self.opened.clone() })
        };
        if documents.len() < MIN_PARALLEL {
            documents.iter().map(prepare).collect()
        } else {
            documents.par_iter().map(prepare).collect()
        }
    }

    /// Adds the semantic vectors, of all documents together.
    ///
    /// # Errors
    /// `Model` and `ModelMismatch` when a bi-encoder fails; no document that is [semantic](PreparedDocument::is_semantic) may be used
    /// then.
    pub(crate) fn embed<'d>(&self, documents: impl Iterator<Item = &'d mut PreparedDocument>) -> Result<()> {
        let mut semantic: Vec<&mut Prepared> =
            documents.filter(|document| document.is_semantic()).map(|document| &mut document.prepared).collect();
        if semantic.is_empty() {
            return Ok(());
        }
        writer::add_vectors(&self.opened, &self.models, &mut semantic).map(|_| ())
    }
}

impl PreparedDocument {
    /// Whether it has text to embed.
    pub(crate) fn is_semantic(&self) -> bool {
        !self.prepared.semantic.is_empty()
    }

    /// Whether it has fields that the mapping lacks and should get.
    pub(crate) fn needs_mapping(&self) -> bool {
        self.prepared.needs_mapping
    }

    /// About what it takes in memory.
    pub(crate) fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    /// The source as it was given; empty once the document has its numbers.
    pub(crate) fn source_text(&self) -> &str {
        &self.prepared.source_text
    }

    /// Gives the document its numbers, and lets go of what was kept for the translog.
    pub(crate) fn stamp(&mut self, seq_no: u64, version: u64, routing: Option<&str>) {
        let fields = &self.opened.fields;
        self.prepared.source_text = String::new();
        self.prepared.set_version(fields, seq_no, version);
        if let Some(routing) = routing {
            self.prepared.set_routing(fields, routing);
        }
    }

    pub(super) fn into_prepared(self) -> Prepared {
        self.prepared
    }
}

/// A document's texts are stored and analysed; the rest is small beside them.
fn num_bytes(prepared: &Prepared) -> usize {
    let semantic = |input: &SemanticInput| input.texts.iter().map(String::len).sum::<usize>() * 2;
    let stored = prepared.source_text.len();
    512 + stored * 3 + prepared.semantic.iter().map(semantic).sum::<usize>()
}
