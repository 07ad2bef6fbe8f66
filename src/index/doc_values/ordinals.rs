//! One number a term over all segments of a snapshot.
//!
//! Each segment numbers its own terms. Counting by these numbers needs no hash map, but the counts of several segments can only
//! be added up once the numbers mean the same. So the dictionaries are merged once a snapshot and field, and kept.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::{DocValues, KeywordValues, ValueField};
use crate::error::Result;
use crate::index::Snapshot;

/// The terms of a keyword field over all segments, numbered in their order.
#[derive(Debug)]
pub struct GlobalOrdinals {
    /// By segment: the global number of each of its terms; `None` where they are the same.
    to_global: Vec<Option<Vec<u32>>>,
    /// By global number: a segment that has the term, and its number there; empty where the numbers are a segment's own.
    places: Vec<(u32, u32)>,
    /// The only segment with terms, where there is one.
    only: Option<u32>,
    num_terms: u32,
}

/// The global ordinals of a snapshot's fields, made at the first use.
#[derive(Debug, Default)]
pub struct OrdinalsCache(Mutex<HashMap<String, Arc<GlobalOrdinals>>>);

impl OrdinalsCache {
    /// The ordinals of a field whose columns are `segments`, in the snapshot's order.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub fn get(&self, field: &ValueField, segments: &[DocValues]) -> Result<Arc<GlobalOrdinals>> {
        let key = field.cache_key();
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let made = Arc::new(GlobalOrdinals::new(segments)?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, made.clone());
        Ok(made)
    }
}

impl GlobalOrdinals {
    /// Merges the dictionaries of a field's segments. Columns that are no keywords have no terms.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub fn new(segments: &[DocValues]) -> Result<Self> {
        let keywords: Vec<Option<&KeywordValues>> = segments
            .iter()
            .map(|values| if let DocValues::Keyword(keywords) = values { Some(keywords) } else { None })
            .collect();
        let mut with_terms = (0_u32..).zip(&keywords).filter_map(|(ord, keywords)| Some((ord, (*keywords)?)));
        match (with_terms.next(), with_terms.next()) {
            (None, _) => {
                Ok(Self { to_global: vec![None; segments.len()], places: Vec::new(), only: None, num_terms: 0 })
            }
            (Some((only, keywords)), None) => Ok(Self {
                to_global: vec![None; segments.len()],
                places: Vec::new(),
                only: Some(only),
                num_terms: u32::try_from(keywords.num_terms()).unwrap_or(u32::MAX),
            }),
            (Some(_), Some(_)) => Self::merge(&keywords),
        }
    }

    fn merge(segments: &[Option<&KeywordValues>]) -> Result<Self> {
        let mut streams = Vec::with_capacity(segments.len());
        for keywords in segments {
            streams.push(match keywords {
                Some(keywords) => Some((keywords.dictionary_stream()?, keywords.prefix_bytes())),
                None => None,
            });
        }
        let mut to_global: Vec<Option<Vec<u32>>> = segments.iter().map(|known| known.map(|_| Vec::new())).collect();
        let mut places = Vec::new();
        let mut heap: BinaryHeap<Reverse<(Vec<u8>, usize)>> = BinaryHeap::new();
        let mut pull = |segment: usize, mut buffer: Vec<u8>, heap: &mut BinaryHeap<Reverse<(Vec<u8>, usize)>>| {
            if let Some(Some((stream, prefix_bytes))) = streams.get_mut(segment)
                && stream.advance()
            {
                buffer.clear();
                buffer.extend_from_slice(stream.key().get(*prefix_bytes..).unwrap_or_default());
                heap.push(Reverse((buffer, segment)));
            }
        };
        for segment in 0..segments.len() {
            pull(segment, Vec::new(), &mut heap);
        }
        let mut current: Option<Vec<u8>> = None;
        while let Some(Reverse((term, segment))) = heap.pop() {
            let is_new = current.as_ref().is_none_or(|current| *current != term);
            let own = to_global.get(segment).and_then(Option::as_ref).map_or(0, Vec::len);
            if is_new {
                places.push((u32::try_from(segment).unwrap_or(u32::MAX), u32::try_from(own).unwrap_or(u32::MAX)));
            }
            let global = u32::try_from(places.len().saturating_sub(1)).unwrap_or(u32::MAX);
            if let Some(Some(map)) = to_global.get_mut(segment) {
                map.push(global);
            }
            let spare = if is_new { current.replace(term).unwrap_or_default() } else { term };
            pull(segment, spare, &mut heap);
        }
        let num_terms = u32::try_from(places.len()).unwrap_or(u32::MAX);
        Ok(Self { to_global, places, only: None, num_terms })
    }

    /// How many different terms there are.
    pub fn num_terms(&self) -> u32 {
        self.num_terms
    }

    /// The map of a segment's own numbers to global ones; `None` where they are the same.
    pub fn of_segment(&self, segment_ord: usize) -> Option<&[u32]> {
        self.to_global.get(segment_ord).and_then(Option::as_deref)
    }

    /// The term of a global number; an empty text where there is none.
    ///
    /// * `segments`: the columns that the ordinals were made of.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub fn term(&self, segments: &[DocValues], global: u32) -> Result<String> {
        let mut term = String::new();
        let place = match self.only {
            Some(only) => Some((only, global)),
            None => self.places.get(global as usize).copied(),
        };
        if let Some((segment, own)) = place
            && let Some(DocValues::Keyword(keywords)) = segments.get(segment as usize)
        {
            keywords.term(u64::from(own), &mut term)?;
        }
        Ok(term)
    }

    /// Visits the terms of ascending global numbers in few passes over the dictionaries.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub fn terms(&self, segments: &[DocValues], globals: &[u32]) -> Result<Vec<String>> {
        let mut terms = vec![String::new(); globals.len()];
        let mut wanted: HashMap<u32, (Vec<u64>, Vec<usize>)> = HashMap::new();
        for (at, &global) in globals.iter().enumerate() {
            let place = match self.only {
                Some(only) => Some((only, global)),
                None => self.places.get(global as usize).copied(),
            };
            if let Some((segment, own)) = place {
                let (owns, ats) = wanted.entry(segment).or_default();
                owns.push(u64::from(own));
                ats.push(at);
            }
        }
        for (segment, (owns, ats)) in wanted {
            if let Some(DocValues::Keyword(keywords)) = segments.get(segment as usize) {
                let mut next = ats.into_iter();
                keywords.terms(&owns, |term| {
                    if let Some(slot) = next.next().and_then(|at| terms.get_mut(at)) {
                        slot.push_str(term);
                    }
                })?;
            }
        }
        Ok(terms)
    }
}

impl Snapshot {
    /// The global ordinals of a keyword field of this snapshot; `segments` are its columns, in order.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub fn ordinals(&self, field: &ValueField, segments: &[DocValues]) -> Result<Arc<GlobalOrdinals>> {
        self.ordinals_cache().get(field, segments)
    }
}
