//! The Tantivy segment plugin: documents to `vec` and `graph` files, and the merging of both.
//!
//! A commit writes vectors only; a graph takes minutes to build and would hold it up. The `graph` file of a segment that is large
//! enough then says so (`pending`), and a merge, which runs on threads of its own, builds it.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use tantivy::directory::TerminatingWrite;
use tantivy::directory::error::OpenReadError;
use tantivy::error::DataCorruption;
use tantivy::index::{SegmentComponent, SegmentId};
use tantivy::indexer::DocIdMapping;
use tantivy::indexer::doc_id_mapping::MappingType;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::document::ErasedDocument;
use tantivy::schema::{Field, Schema, Value};
use tantivy::{DocId, Segment, SegmentReader, TantivyDocument, TantivyError};

use super::field::{FieldVectors, NO_SPAN};
use super::format::{Container, VEC_MAGIC, VecDirectory};
use super::graph::{build, write_graph_file};
use super::params::{Element, IndexKind, Similarity, VectorFieldParams};
use super::value::{VectorValue, normalize};
use super::write::{FieldToWrite, Part, write_vec_file};
use crate::error::{Error, ErrorKind, Result};

/// The extension of the file with a segment's vectors.
pub(crate) const VEC_EXTENSION: &str = "vec";
/// The extension of the file with a segment's graphs.
pub(crate) const GRAPH_EXTENSION: &str = "graph";

/// Segments with at least this many vectors of a field that is mapped with a graph get one. About where a walk with 100
/// candidates begins to be faster than a scan (`cargo bench --bench dense -- crossover`); below, a scan is exact and as quick.
pub const HNSW_MIN_VECTORS: usize = 20_000;

/// The plugin. Register it for every index from its creation: Tantivy fixes the set of plugins with the first commit.
#[derive(Debug, Clone)]
pub struct VectorPlugin {
    hnsw_min_vectors: usize,
}

impl Default for VectorPlugin {
    fn default() -> Self {
        Self { hnsw_min_vectors: HNSW_MIN_VECTORS }
    }
}

impl VectorPlugin {
    /// With another size from which on segments get a graph (at least 1). The default is [`HNSW_MIN_VECTORS`].
    pub fn with_hnsw_min_vectors(hnsw_min_vectors: usize) -> Self {
        Self { hnsw_min_vectors: hnsw_min_vectors.max(1) }
    }

    fn wants_graph(&self, params: &VectorFieldParams, num_vectors: usize) -> bool {
        matches!(params.index, IndexKind::Hnsw { .. }) && num_vectors >= self.hnsw_min_vectors
    }
}

impl SegmentPlugin for VectorPlugin {
    fn extensions(&self) -> &[&str] {
        &[VEC_EXTENSION, GRAPH_EXTENSION]
    }

    fn create_writer(&self, context: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        let fields = VectorFieldParams::fields_of(&context.segment.schema()).map_err(to_tantivy)?;
        let fields = fields.into_iter().map(|(field, name, params)| FieldBuffer::new(field, name, params)).collect();
        Ok(Box::new(VectorWriter { plugin: self.clone(), fields, num_docs: 0 }))
    }

    fn merge(&self, context: PluginMergeContext<'_>) -> tantivy::Result<()> {
        if context.doc_id_mapping.mapping_type() == MappingType::Shuffled {
            return Err(TantivyError::InvalidArgument("segments with vectors cannot be sorted".to_string()));
        }
        let fields = VectorFieldParams::fields_of(context.schema).map_err(to_tantivy)?;
        let (sources, max_doc) = merge_sources(context.readers).map_err(to_tantivy)?;
        let merged: Vec<FieldToWrite<'_>> = fields
            .into_iter()
            .map(|(_, name, params)| merge_field(&sources, name, params))
            .filter(|field| field.as_ref().map_or(true, |field| !field.docs.is_empty()))
            .collect::<Result<_>>()
            .map_err(to_tantivy)?;
        write_vectors(context.target_segment, max_doc, &merged)?;
        drop(merged);
        self.build_graphs(context.target_segment)
    }
}

impl VectorPlugin {
    /// Builds the graphs of a segment whose `vec` file has just been written.
    fn build_graphs(&self, segment: &Segment) -> tantivy::Result<()> {
        let bytes = segment.open_read(SegmentComponent::Custom(VEC_EXTENSION.to_string()))?.read_bytes()?;
        let file = file_name(segment.id(), VEC_EXTENSION);
        let (_, fields) = open_fields(bytes, &file).map_err(to_tantivy)?;
        let mut graphs = Vec::new();
        for field in fields.iter().filter(|field| self.wants_graph(&field.params, field.len())) {
            let started = std::time::Instant::now();
            let bytes = build(field).map_err(to_tantivy)?;
            let took_ms = started.elapsed().as_millis();
            tracing::info!(field = %field.name, vectors = field.len(), bytes = bytes.len(), took_ms, "built a vector graph");
            graphs.push((&**field, bytes));
        }
        let mut out = segment.open_write(SegmentComponent::Custom(GRAPH_EXTENSION.to_string()))?;
        write_graph_file(&mut out, &graphs, Vec::new())?;
        out.terminate()?;
        Ok(())
    }
}

/// A source segment of a merge: its vectors, and where its documents go (`None`: deleted).
struct MergeSource {
    fields: Vec<Arc<FieldVectors>>,
    targets: Vec<Option<DocId>>,
}

/// The alive documents of all readers follow one another; returns also how many there are.
fn merge_sources(readers: &[SegmentReader]) -> Result<(Vec<MergeSource>, u32)> {
    let mut next: DocId = 0;
    let mut sources = Vec::with_capacity(readers.len());
    for reader in readers {
        let mut targets = vec![None; reader.max_doc() as usize];
        for doc in reader.doc_ids_alive() {
            targets[doc as usize] = Some(next);
            next += 1;
        }
        let (container, fields) = open_vec_file(reader)?;
        // Damaged numbers must not be copied under a fresh checksum.
        container.verify()?;
        sources.push(MergeSource { fields, targets });
    }
    Ok((sources, next))
}

fn merge_field(sources: &[MergeSource], name: String, params: VectorFieldParams) -> Result<FieldToWrite<'_>> {
    let mut merged = FieldToWrite { name, params, docs: Vec::new(), spans: Vec::new(), parts: Vec::new() };
    for source in sources {
        let Some(field) = source.fields.iter().find(|field| field.name == merged.name) else { continue };
        if field.params.dims != merged.params.dims || field.params.similarity != merged.params.similarity {
            let message =
                "its vectors were written with other dims or another similarity than the schema says; index again";
            return Err(Error::new(ErrorKind::Conflict, message).in_field(&merged.name));
        }
        let mut ordinals = Vec::with_capacity(field.len());
        for (ordinal, &doc) in (0u32..).zip(field.docs()) {
            let Some(target) = source.targets.get(doc as usize).copied().flatten() else { continue };
            merged.docs.push(target);
            let span = field.span(ordinal as usize).map_or(NO_SPAN, |span| [span.value_idx, span.start, span.end]);
            merged.spans.push(span);
            ordinals.push(ordinal);
        }
        merged.parts.push(Part::Stored { field, ordinals });
    }
    Ok(merged)
}

/// Gathers the vectors of a segment in memory.
struct VectorWriter {
    plugin: VectorPlugin,
    fields: Vec<FieldBuffer>,
    num_docs: u32,
}

struct FieldBuffer {
    field: Field,
    name: String,
    params: VectorFieldParams,
    docs: Vec<u32>,
    spans: Vec<[u32; 3]>,
    vectors: Vec<f32>,
}

impl FieldBuffer {
    fn new(field: Field, name: String, params: VectorFieldParams) -> Self {
        Self { field, name, params, docs: Vec::new(), spans: Vec::new(), vectors: Vec::new() }
    }

    fn add(&mut self, doc: DocId, bytes: &[u8]) -> Result<()> {
        let value = VectorValue::decode(bytes)?;
        value.check(&self.params)?;
        if !self.params.multi && self.docs.last() == Some(&doc) {
            return Err(Error::invalid_input("several vectors given, the field holds one a document"));
        }
        for (place, vector) in value.vectors.chunks_exact(value.dims).enumerate() {
            let start = self.vectors.len();
            self.vectors.extend_from_slice(vector);
            // Whole numbers are kept as they are, with the length as their scale.
            if self.params.similarity == Similarity::Cosine && self.params.element != Element::Int8 {
                normalize(&mut self.vectors[start..]);
            }
            let span = value.spans.as_ref().and_then(|spans| spans.get(place));
            self.spans.push(span.map_or(NO_SPAN, |span| [span.value_idx, span.start, span.end]));
            self.docs.push(doc);
        }
        Ok(())
    }
}

impl PluginWriter for VectorWriter {
    fn add_document(&mut self, doc_id: DocId, doc: &dyn ErasedDocument, _schema: &Schema) -> tantivy::Result<()> {
        self.num_docs = doc_id + 1;
        if self.fields.is_empty() {
            return Ok(());
        }
        let Some(doc) = doc.as_any().downcast_ref::<TantivyDocument>() else {
            return Err(TantivyError::InvalidArgument("documents with vectors must be TantivyDocuments".to_string()));
        };
        for buffer in &mut self.fields {
            for value in doc.get_all(buffer.field) {
                if let Some(bytes) = value.as_custom() {
                    buffer.add(doc_id, bytes).map_err(|error| to_tantivy(error.in_field(&buffer.name)))?;
                }
            }
        }
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, doc_id_map: Option<&DocIdMapping>) -> tantivy::Result<()> {
        if doc_id_map.is_some() {
            return Err(TantivyError::InvalidArgument("segments with vectors cannot be sorted".to_string()));
        }
        let Self { plugin, fields, num_docs } = *self;
        let mut pending = Vec::new();
        let mut to_write = Vec::new();
        for buffer in fields.iter().filter(|buffer| !buffer.docs.is_empty()) {
            if plugin.wants_graph(&buffer.params, buffer.docs.len()) {
                pending.push(buffer.name.clone());
            }
            to_write.push(FieldToWrite {
                name: buffer.name.clone(),
                params: buffer.params.clone(),
                docs: buffer.docs.clone(),
                spans: buffer.spans.clone(),
                parts: vec![Part::New(&buffer.vectors)],
            });
        }
        write_vectors(segment, num_docs, &to_write)?;
        let mut out = segment.open_write(SegmentComponent::Custom(GRAPH_EXTENSION.to_string()))?;
        write_graph_file(&mut out, &[], pending)?;
        out.terminate()?;
        Ok(())
    }

    fn mem_usage(&self) -> usize {
        let bytes = |buffer: &FieldBuffer| {
            buffer.docs.capacity() * 4 + buffer.spans.capacity() * 12 + buffer.vectors.capacity() * 4
        };
        self.fields.iter().map(bytes).sum()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn write_vectors(segment: &Segment, max_doc: u32, fields: &[FieldToWrite<'_>]) -> tantivy::Result<()> {
    let mut out = segment.open_write(SegmentComponent::Custom(VEC_EXTENSION.to_string()))?;
    write_vec_file(&mut out, max_doc, fields)?;
    out.terminate()?;
    Ok(())
}

/// Opens the `vec` file of a segment.
pub(crate) fn open_vec_file(reader: &SegmentReader) -> Result<(Container, Vec<Arc<FieldVectors>>)> {
    let file = file_name(reader.segment_id(), VEC_EXTENSION);
    let bytes = read_component(reader, VEC_EXTENSION)?;
    let (container, fields) = open_fields(bytes, &file)?;
    Ok((container, fields))
}

fn open_fields(
    bytes: tantivy::directory::OwnedBytes,
    file: &std::path::Path,
) -> Result<(Container, Vec<Arc<FieldVectors>>)> {
    let (container, directory): (_, VecDirectory) = Container::open(bytes, VEC_MAGIC, file)?;
    let open = |entry| FieldVectors::open(&container, entry, directory.max_doc).map(Arc::new);
    let fields = directory.fields.into_iter().map(open).collect::<Result<_>>()?;
    Ok((container, fields))
}

/// Maps one of this plugin's files.
pub(crate) fn read_component(reader: &SegmentReader, extension: &str) -> Result<tantivy::directory::OwnedBytes> {
    let file = file_name(reader.segment_id(), extension);
    let slice = match reader.open_read(SegmentComponent::Custom(extension.to_string())) {
        Ok(slice) => slice,
        // Tantivy ends every file with a footer, and reports a missing or unreadable one so.
        Err(OpenReadError::IoError { io_error, .. })
            if matches!(io_error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData) =>
        {
            let message = "the file is truncated; restore the index from a copy, or index again";
            return Err(Error::corrupt(message).in_file(file).with_source(io_error));
        }
        Err(error) => return Err(Error::from(TantivyError::from(error)).in_file(file)),
    };
    slice.read_bytes().map_err(|source| Error::from(source).in_file(file))
}

/// The name of a segment's file inside the index.
pub(crate) fn file_name(segment: SegmentId, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}.{extension}", segment.uuid_string()))
}

/// Carries an error through Tantivy; [`Error`]'s `From<TantivyError>` finds `Corrupt` again.
fn to_tantivy(error: Error) -> TantivyError {
    if error.kind() == ErrorKind::Corrupt {
        TantivyError::DataCorruption(DataCorruption::comment_only(error.to_string()))
    } else {
        TantivyError::InvalidArgument(error.to_string())
    }
}
