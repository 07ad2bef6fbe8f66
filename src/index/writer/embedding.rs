//! The vectors of semantic fields: texts cut into passages, passages embedded, all documents of a batch together.

use rayon::prelude::*;

use crate::chunk::{self, ChunkOptions};
use crate::document::PassageSpan;
use crate::error::Result;
use crate::index::Opened;
use crate::index::convert::{Prepared, SemanticInput};
use crate::index::dense::VectorValue;
use crate::index::embed::{Embedded, embed};
use crate::models::{BiEncoder, Models};
use crate::schema::flatten::FieldKind;

/// The most tokens of a title that stand before each passage.
const MAX_CONTEXT_TOKENS: usize = 64;

/// What embedding a batch cost.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingCost {
    /// Passages of the batch.
    pub(crate) num_passages: u64,
    /// Passages that a model read; the others were in the cache.
    pub(crate) num_embedded: u64,
    /// Tokens that the model read.
    pub(crate) num_tokens: u64,
}

/// Adds to each document the vectors of its semantic fields. No lock is held meanwhile.
///
/// # Errors
/// `Model` and `ModelMismatch` when a bi-encoder cannot be loaded or run; some documents may then have theirs.
pub(crate) fn add_vectors(opened: &Opened, models: &Models, documents: &mut [&mut Prepared]) -> Result<EmbeddingCost> {
    let mut cost = EmbeddingCost::default();
    for (field_idx, field) in opened.fields.mapped.iter().enumerate() {
        let FieldKind::SemanticText(semantic) = &field.definition.kind else { continue };
        let inputs: Vec<(usize, &SemanticInput)> = documents
            .iter()
            .enumerate()
            .flat_map(|(document_idx, document)| document.semantic.iter().map(move |input| (document_idx, input)))
            .filter(|(_, input)| input.field_idx == field_idx)
            .collect();
        if inputs.is_empty() {
            continue;
        }
        let encoder = opened.encoder(&field.definition.path)?;
        let options = chunk_options(semantic.chunking.as_ref(), encoder.as_ref())?;
        let cut: Vec<Cut> =
            inputs.par_iter().map(|(_, input)| cut(input, &options, encoder.as_ref())).collect::<Result<_>>()?;
        let places: Vec<usize> = inputs.into_iter().map(|(document_idx, _)| document_idx).collect();
        let texts: Vec<String> = cut.iter().flat_map(|cut| cut.texts.iter().cloned()).collect();
        let Embedded { vectors, num_embedded, num_tokens } = embed(encoder.as_ref(), models.embedding_cache(), &texts)?;
        cost.num_passages += texts.len() as u64;
        cost.num_embedded += num_embedded;
        cost.num_tokens += num_tokens;
        let dims = encoder.fingerprint().dims;
        let mut vectors = vectors.into_iter();
        for (document_idx, cut) in places.into_iter().zip(cut) {
            let flat: Vec<f32> = vectors.by_ref().take(cut.spans.len()).flatten().collect();
            let value = VectorValue { vectors: flat, dims, spans: Some(cut.spans) };
            if let (Some(document), Some(field), Some(params)) =
                (documents.get_mut(document_idx), field.field, &field.vector)
            {
                document.document.add_custom(field, &value.encode(params)?);
            }
        }
    }
    Ok(cost)
}

/// The passages of one input: where they are, and what the model reads of each.
struct Cut {
    spans: Vec<PassageSpan>,
    texts: Vec<String>,
}

fn cut(input: &SemanticInput, options: &ChunkOptions, encoder: &dyn BiEncoder) -> Result<Cut> {
    let context = shorten(&input.context, encoder)?;
    let mut options = *options;
    if !context.is_empty() {
        let num_context_tokens = encoder.tokenizer().token_offsets(context)?.len() + 1;
        options.max_tokens = options.max_tokens.saturating_sub(num_context_tokens).max(1);
        options.overlap_tokens = options.overlap_tokens.min(options.max_tokens / 2);
    }
    let texts: Vec<&str> = input.texts.iter().map(String::as_str).collect();
    let spans = chunk::passages(&texts, &options, encoder.tokenizer())?;
    let embedded = |span: &PassageSpan| {
        let passage = texts.get(span.value_idx as usize).and_then(|text| text.get(span.range())).unwrap_or_default();
        if context.is_empty() { passage.to_string() } else { format!("{context}\n{passage}") }
    };
    Ok(Cut { texts: spans.iter().map(embedded).collect(), spans })
}

/// The beginning of a context, so that a long title leaves room for the passage.
fn shorten<'a>(context: &'a str, encoder: &dyn BiEncoder) -> Result<&'a str> {
    if context.len() <= MAX_CONTEXT_TOKENS {
        return Ok(context);
    }
    let tokens = encoder.tokenizer().token_offsets(context)?;
    let end = tokens.get(MAX_CONTEXT_TOKENS - 1).filter(|_| tokens.len() > MAX_CONTEXT_TOKENS).map(|token| token.end);
    Ok(end.and_then(|end| context.get(..end)).unwrap_or(context))
}

/// How a semantic field is cut for a model.
fn chunk_options(settings: Option<&crate::schema::ChunkingSettings>, encoder: &dyn BiEncoder) -> Result<ChunkOptions> {
    let options = match settings {
        Some(settings) => ChunkOptions::from_settings(settings)?,
        None => ChunkOptions::default(),
    };
    options.fitted_to(encoder.fingerprint(), encoder.tokenizer())
}
