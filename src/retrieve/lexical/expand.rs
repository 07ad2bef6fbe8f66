//! Words of the index near a word: fuzzy expansion, and the beginnings of words.

use std::collections::BTreeMap;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy::Term;
use tantivy_fst::Automaton;

use super::LexicalSearcher;
use super::automaton::Watched;
use crate::error::Result;
use crate::index::lexical::LexicalField;

/// The most terms that the last word of a phrase becomes, as in Elasticsearch.
pub(super) const MAX_EXPANSIONS: usize = 50;

/// A term near a word.
#[derive(Debug, Clone)]
pub(super) struct Expansion {
    pub(super) term: Term,
    /// `1 - edits / length of the shorter`, at least 0, in Lucene's manner; 1 for the word itself.
    pub(super) boost: f32,
    pub(super) doc_freq: u64,
}

/// Runs a Levenshtein automaton over Tantivy's term dictionary, behind the key that stands before each term of a `flattened` field.
struct Near<'a>(&'a DFA, &'a [u8]);

/// How much of the key was read, and where in the word the automaton is.
type NearState = (usize, u32);

impl Automaton for Near<'_> {
    type State = NearState;

    fn start(&self) -> NearState {
        (0, self.0.initial_state())
    }

    fn is_match(&self, &(num_read, state): &NearState) -> bool {
        num_read == self.1.len() && matches!(self.0.distance(state), Distance::Exact(_))
    }

    fn can_match(&self, &(_, state): &NearState) -> bool {
        state != SINK_STATE
    }

    fn accept(&self, &(num_read, state): &NearState, byte: u8) -> NearState {
        match self.1.get(num_read) {
            Some(&wanted) if wanted == byte => (num_read + 1, state),
            Some(_) => (num_read, SINK_STATE),
            None => (num_read, self.0.transition(state, byte)),
        }
    }
}

impl LexicalSearcher {
    /// The terms of a field within `edits` of `word`, the nearest first, those equally near in their order, as Lucene chooses them.
    pub(super) fn near(
        &self,
        field: &LexicalField,
        word: &str,
        edits: u8,
        prefix_length: usize,
        transpositions: bool,
    ) -> Result<Vec<Expansion>> {
        let automaton = LevenshteinAutomatonBuilder::new(edits, transpositions).build_dfa(word);
        let prefix: String = word.chars().take(prefix_length).collect();
        let key = field.extra.key_prefix.as_deref().unwrap_or_default();
        let mut found: BTreeMap<Vec<u8>, (f32, u64)> = BTreeMap::new();
        for segment in &self.snapshot.segments {
            let Some(inverted) = segment.inverted.get(&field.field) else { continue };
            let watched = Watched::new(Near(&automaton, key.as_bytes()), self.time_limit());
            let mut stream = inverted.terms().search(watched).into_stream()?;
            while stream.advance() {
                let Some(key) =
                    stream.key().strip_prefix(key.as_bytes()).filter(|key| key.starts_with(prefix.as_bytes()))
                else {
                    continue;
                };
                let distance = automaton.eval(key).to_u8();
                let length =
                    std::str::from_utf8(key).map_or(key.len(), |term| term.chars().count()).min(word.chars().count());
                let boost = if distance == 0 { 1.0 } else { 1.0 - f32::from(distance) / length as f32 };
                found.entry(key.to_vec()).or_insert((boost, 0)).1 += u64::from(stream.value().doc_freq);
            }
        }
        let mut expansions: Vec<Expansion> = found
            .into_iter()
            .filter_map(|(key, (boost, doc_freq))| {
                let term = field.text_term(std::str::from_utf8(&key).ok()?);
                Some(Expansion { term, boost, doc_freq })
            })
            .collect();
        // Those that differ in more letters than they have stand behind those that differ in all, and count as much: nothing.
        expansions.sort_by(|a, b| b.boost.total_cmp(&a.boost).then_with(|| a.term.cmp(&b.term)));
        expansions.iter_mut().for_each(|expansion| expansion.boost = expansion.boost.max(0.0));
        Ok(expansions)
    }

    /// The first terms of a field that begin with `prefix`, in their order.
    pub(super) fn beginning_with(&self, field: &LexicalField, prefix: &str, limit: usize) -> Result<Vec<Term>> {
        let prefix = &format!("{}{prefix}", field.extra.key_prefix.as_deref().unwrap_or_default());
        let mut found = std::collections::BTreeSet::new();
        for segment in &self.snapshot.segments {
            let Some(inverted) = segment.inverted.get(&field.field) else { continue };
            let mut stream = inverted.terms().range().ge(prefix).into_stream()?;
            let mut count = 0;
            while count < limit && stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                count += 1;
                if let Ok(term) = std::str::from_utf8(stream.key()) {
                    found.insert(Term::from_field_text(field.field, term));
                }
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }
}
