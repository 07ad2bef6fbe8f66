//! A snapshot as the legs search it.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::DocLocator;
use super::lexical::{EmbeddedTexts, LexicalSearcher};
use crate::error::Result;
use crate::index::{Index, Snapshot, TimeLimit};
use crate::plan::{DenseField, PlanContext};
use crate::schema::flatten::FieldKind;

/// What a search runs on: the documents of one commit, lexically and densely. `Send + Sync`, cheap to clone; what is committed
/// later it does not see. Open one a commit, not one a query.
#[derive(Debug, Clone)]
pub struct Searcher {
    snapshot: Snapshot,
    lexical: LexicalSearcher,
}

impl Deref for Searcher {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Searcher {
    /// Opens the last commit of an index.
    ///
    /// # Errors
    /// `Corrupt` naming the file when a segment is damaged, `Io` when it cannot be read.
    pub fn open(index: &Index) -> Result<Self> {
        let snapshot = index.snapshot()?;
        let lexical =
            LexicalSearcher::open(snapshot.searcher().clone(), snapshot.table().clone())?.with_index(snapshot.clone());
        Ok(Self { snapshot, lexical })
    }

    /// The same snapshot for one search, which ends when the time is up ([`LexicalSearcher::with_time_limit`]).
    #[must_use]
    pub fn with_time_limit(&self, time_limit: TimeLimit) -> Self {
        Self { snapshot: self.snapshot.clone(), lexical: self.lexical.with_time_limit(time_limit) }
    }

    /// The same snapshot for one search whose texts were embedded before ([`LexicalSearcher::with_embedded`]).
    #[must_use]
    pub fn with_embedded(&self, texts: Arc<EmbeddedTexts>) -> Self {
        Self { snapshot: self.snapshot.clone(), lexical: self.lexical.with_embedded(texts) }
    }

    /// The lexical view.
    pub fn lexical(&self) -> &LexicalSearcher {
        &self.lexical
    }

    /// What a plan can ask of this index.
    ///
    /// * `default_cross_encoder`: the installation's, if it has one.
    pub fn plan_context(&self, default_cross_encoder: Option<String>) -> PlanContext {
        let table = self.table();
        let dense_fields = self
            .fields()
            .iter()
            .filter(|field| field.definition.is_vector())
            .map(|field| DenseField {
                name: field.definition.path.clone(),
                embeds_queries: matches!(field.definition.kind, FieldKind::SemanticText(_)),
            })
            .collect();
        PlanContext {
            lexical_fields: table.iter().filter(|(_, field)| field.indexed).map(|(name, _)| name.to_string()).collect(),
            default_lexical_fields: table.defaults().into_iter().map(|(name, _)| name).collect(),
            dense_fields,
            default_dense_field: self.default_dense_field().map(str::to_string),
            default_cross_encoder,
        }
    }

    /// The only semantic field; `None` where there are several or none.
    pub(crate) fn default_dense_field(&self) -> Option<&str> {
        let mut semantic =
            self.fields().iter().filter(|field| matches!(field.definition.kind, FieldKind::SemanticText(_)));
        match (semantic.next(), semantic.next()) {
            (Some(only), None) => Some(&only.definition.path),
            _ => None,
        }
    }

    /// The semantic field whose passages stand for the text of `field`: itself, or the first that `field` is copied into. Without
    /// `field`, the only semantic field.
    pub(crate) fn semantic_field_for(&self, field: Option<&str>) -> Option<String> {
        let Some(path) = field else { return self.default_dense_field().map(str::to_string) };
        let semantic = |field: &&crate::index::fields::IndexField| {
            matches!(field.definition.kind, FieldKind::SemanticText(_))
                && (field.definition.path == path || field.definition.sources.iter().any(|source| source == path))
        };
        self.fields().iter().find(semantic).map(|field| field.definition.path.clone())
    }

    pub(crate) fn source_of(&self, locator: DocLocator) -> Result<Map<String, Value>> {
        self.source(locator.0)
    }
}
