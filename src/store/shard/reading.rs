//! Documents by their ids: the live version map first, the last commit second.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

use super::operations::Stamp;
use super::versions::LiveVersion;
use super::{Inner, StoredDocument, Visibility};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::retrieve::Searcher;
use crate::store::translog::{Change, Record};

impl Inner {
    pub(super) fn get(&self, id: &DocumentId, visibility: Visibility) -> Result<Option<StoredDocument>> {
        let since = Instant::now();
        let found = match visibility {
            Visibility::Realtime => self.get_realtime(id),
            Visibility::Refreshed => self.get_from(&self.searcher.load_full(), id),
        }?;
        let counter = if found.is_some() { &self.counters.get_found } else { &self.counters.get_missing };
        counter.add(since.elapsed());
        Ok(found)
    }

    pub(super) fn get_realtime(&self, id: &DocumentId) -> Result<Option<StoredDocument>> {
        loop {
            let live = self.state().versions.get(id);
            let Some(LiveVersion { stamp, place }) = live else {
                // A commit publishes its snapshot before it drops its part of the map, so what was dropped is found here.
                return self.get_from(&self.committed.load_full(), id);
            };
            let Some(place) = place else { return Ok(None) };
            // The generation may have been trimmed meanwhile; then the commit has the document.
            if let Some(record) = self.translog.read(place)? {
                return self.stored(record, stamp).map(Some);
            }
        }
    }

    fn stored(&self, record: Record<'_>, stamp: Stamp) -> Result<StoredDocument> {
        let Change::Written { routing, source } = record.change else {
            return Err(Error::internal("the live version map names a deletion as a document"));
        };
        let source: Map<String, Value> = serde_json::from_str(&source)
            .map_err(|error| Error::corrupt("a source in the translog is no JSON object").with_source(error))?;
        Ok(StoredDocument {
            id: record.id,
            version: stamp.version,
            seq_no: stamp.seq_no,
            primary_term: self.state().terms.of(stamp.seq_no),
            routing: routing.map(std::borrow::Cow::into_owned),
            source: Arc::new(self.index.preparation().kept_source(source)),
        })
    }

    fn get_from(&self, searcher: &Searcher, id: &DocumentId) -> Result<Option<StoredDocument>> {
        let Some(found) = searcher.stored(id)? else { return Ok(None) };
        Ok(Some(StoredDocument {
            id: id.clone(),
            version: found.version,
            seq_no: found.seq_no,
            primary_term: self.state().terms.of(found.seq_no),
            routing: found.routing,
            source: Arc::new(found.source),
        }))
    }
}
