//! Writing and merging columns: Tantivy's `SegmentPlugin`.

use std::any::Any;

use tantivy::directory::TerminatingWrite;
use tantivy::error::DataCorruption;
use tantivy::index::{Segment, SegmentComponent};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::document::ErasedDocument;
use tantivy::schema::{Field, FieldType, Schema, Value};
use tantivy::{DocId, TantivyDocument, TantivyError};

use super::format::{ColumnsBuilder, Counted, FieldEntry};
use super::reader::ColumnsReader;
use super::{EXTENSION, HASH_FIELD, ID_FIELD};
use crate::error::{Error, ErrorKind};
use crate::index::lexical::encoded_tokens;

/// The plugin; to be registered with every index at its creation and at every opening.
///
/// Of a document it reads the text of [`ID_FIELD`], the u64 of [`HASH_FIELD`], and all other indexed text fields: one with a
/// tokenizer of [`encoded_tokens`] holds encoded tokens and, as the tokenizer says, gets lengths; any other is a keyword field, of
/// which the different values are counted. A nested document has no id.
#[derive(Debug, Default)]
pub struct ColumnsPlugin;

impl SegmentPlugin for ColumnsPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, context: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        let schema = context.segment.schema();
        Ok(Box::new(ColumnsWriter {
            id_field: schema.get_field(ID_FIELD).ok(),
            hash_field: schema.get_field(HASH_FIELD).ok(),
            builder: ColumnsBuilder::new(counted_fields(&schema)),
        }))
    }

    /// The merged segment holds the alive documents of the sources, one source after another: we never sort an index.
    fn merge(&self, context: PluginMergeContext<'_>) -> tantivy::Result<()> {
        let mut builder = ColumnsBuilder::new(counted_fields(context.schema));
        for source in context.readers {
            let columns = ColumnsReader::open(source).map_err(into_tantivy)?;
            for doc in source.doc_ids_alive() {
                let id = columns.id(doc).map_err(into_tantivy)?;
                builder.push_document(id, columns.content_hash(doc)).map_err(into_tantivy)?;
                for field in &mut builder.fields {
                    field.push(columns.entry(field.field, doc));
                }
            }
        }
        write(builder, context.target_segment)
    }
}

/// Fields of the engine's own that are looked up and never scored.
const UNCOUNTED: &[&str] = &[ID_FIELD, "_nested_path", "_root_id", "_field_names"];

/// The text fields of which columns are kept, each with what is counted.
fn counted_fields(schema: &Schema) -> Vec<(Field, Counted)> {
    schema
        .fields()
        .filter_map(|(field, entry)| {
            let FieldType::Str(options) = entry.field_type() else { return None };
            let indexing = options.get_indexing_options()?;
            // By the tokenizer, as a text field may be without frequencies or without norms.
            let kind = match indexing.tokenizer() {
                encoded_tokens::ENCODED_TOKENS_TOKENIZER => Counted::Text { has_norms: true },
                encoded_tokens::WITHOUT_NORMS_TOKENIZER => Counted::Text { has_norms: false },
                _ => Counted::Keyword,
            };
            (!UNCOUNTED.contains(&entry.name())).then_some((field, kind))
        })
        .collect()
}

fn write(builder: ColumnsBuilder, segment: &Segment) -> tantivy::Result<()> {
    let mut out = segment.open_write(SegmentComponent::Custom(EXTENSION.to_string()))?;
    builder.write(&mut out).map_err(into_tantivy)?;
    out.terminate()?;
    Ok(())
}

/// Tantivy carries our errors as text; a full disk stays an I/O error.
fn into_tantivy(error: Error) -> TantivyError {
    if error.kind() == ErrorKind::Corrupt {
        TantivyError::DataCorruption(DataCorruption::comment_only(error.to_string()))
    } else if error.kind() == ErrorKind::Io {
        TantivyError::from(std::io::Error::other(error))
    } else {
        TantivyError::SystemError(error.to_string())
    }
}

struct ColumnsWriter {
    id_field: Option<Field>,
    hash_field: Option<Field>,
    builder: ColumnsBuilder,
}

impl PluginWriter for ColumnsWriter {
    fn add_document(&mut self, _doc: DocId, document: &dyn ErasedDocument, _schema: &Schema) -> tantivy::Result<()> {
        let Some(document) = document.as_any().downcast_ref::<TantivyDocument>() else {
            return Err(TantivyError::InvalidArgument("the columns plugin reads Tantivy documents only".to_string()));
        };
        let id =
            self.id_field.and_then(|field| document.get_first(field)).and_then(|value| value.as_str()).unwrap_or("");
        let hash = self.hash_field.and_then(|field| document.get_first(field)).and_then(|value| value.as_u64());
        self.builder.push_document(id, hash.unwrap_or(0)).map_err(into_tantivy)?;
        for field in &mut self.builder.fields {
            let values = document.get_all(field.field).filter_map(|value| value.as_str());
            field.push(match field.counted {
                Counted::Text { .. } => text_entry(values),
                Counted::Keyword => keyword_entry(values),
            });
        }
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, doc_id_map: Option<&DocIdMapping>) -> tantivy::Result<()> {
        if doc_id_map.is_some() {
            return Err(TantivyError::InvalidArgument(
                "the columns plugin does not support sorted indexes".to_string(),
            ));
        }
        write(self.builder, segment)
    }

    fn mem_usage(&self) -> usize {
        self.builder.mem_usage()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn text_entry<'a>(values: impl Iterator<Item = &'a str>) -> FieldEntry {
    let mut entry = None;
    for encoded in values {
        let (num_tokens, length) = entry.get_or_insert((0_u32, 0_u32));
        *num_tokens += u32::try_from(encoded_tokens::decode(encoded).count()).unwrap_or(u32::MAX);
        *length += encoded_tokens::field_length(encoded);
    }
    entry.map_or(FieldEntry::Absent, |(num_tokens, length)| FieldEntry::new(num_tokens, length))
}

fn keyword_entry<'a>(values: impl Iterator<Item = &'a str>) -> FieldEntry {
    let mut different: Vec<&str> = values.collect();
    if different.is_empty() {
        return FieldEntry::Absent;
    }
    different.sort_unstable();
    different.dedup();
    let count = u32::try_from(different.len()).unwrap_or(u32::MAX);
    FieldEntry::new(count, count)
}
