//! One bucket of the best documents.

use std::cmp::Ordering;

use tantivy::DocId;

use super::{Block, Collector, Segment, Subs, of_owner, singles};
use crate::aggregate::outcome::Outcome;
use crate::error::Result;

/// `sampler`: the sub-aggregations see the best documents of each owner only, once all are known.
pub(super) struct SamplerCollector {
    /// So many an owner.
    most: usize,
    num_segments: usize,
    best: Vec<Vec<Scored>>,
    subs: Subs,
}

#[derive(Clone, Copy)]
struct Scored {
    score: f32,
    segment_ord: usize,
    doc: DocId,
}

fn best_first(left: &Scored, right: &Scored) -> Ordering {
    let place = |scored: &Scored| (scored.segment_ord, scored.doc);
    right.score.total_cmp(&left.score).then_with(|| place(left).cmp(&place(right)))
}

impl SamplerCollector {
    pub(super) fn new(shard_size: usize, subs: Subs) -> Self {
        Self { most: shard_size.max(1), num_segments: 0, best: Vec::new(), subs }
    }
}

impl Collector for SamplerCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.num_segments = self.num_segments.max(segment.ord + 1);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (doc, owner) in block.pairs() {
            let score = block.segment.scores.and_then(|scores| scores.get(doc as usize)).copied().unwrap_or(0.0);
            let Some(best) = of_owner(&mut self.best, owner, Vec::new) else { continue };
            best.push(Scored { score, segment_ord: block.segment.ord, doc });
            if best.len() >= self.most.saturating_mul(2).max(64) {
                best.select_nth_unstable_by(self.most - 1, best_first);
                best.truncate(self.most);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let mut chosen: Vec<(Scored, u32)> = Vec::new();
        let mut counts = Vec::with_capacity(self.best.len());
        for (owner, best) in (0_u32..).zip(&mut self.best) {
            best.sort_unstable_by(best_first);
            best.truncate(self.most);
            counts.push(best.len() as u64);
            chosen.extend(best.iter().map(|scored| (*scored, owner)));
        }
        chosen.sort_by_key(|(scored, owner)| (scored.segment_ord, scored.doc, *owner));
        let mut chosen = chosen.into_iter().peekable();
        for ord in 0..self.num_segments {
            let mut scores: Vec<f32> = Vec::new();
            let mut of_segment = Vec::new();
            while let Some((scored, owner)) = chosen.next_if(|(scored, _)| scored.segment_ord == ord) {
                scores.resize(scored.doc as usize + 1, 0.0);
                if let Some(score) = scores.get_mut(scored.doc as usize) {
                    *score = scored.score;
                }
                of_segment.push((scored.doc, owner));
            }
            let segment = Segment { ord, scores: Some(&scores) };
            self.subs.start_segment(segment)?;
            of_segment.into_iter().for_each(|(doc, owner)| self.subs.push(doc, owner));
            self.subs.flush(segment)?;
        }
        singles(&counts, owners, &mut self.subs)
    }
}
