//! What is tried: the axes of a plan, and a plan with some of its numbers changed.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Result;
use crate::eval::sweep::Key;
use crate::plan::{Leg, Plan, ResolvedFusion, ResolvedLegKind, ResolvedPlan};

/// Values of BM25's k1 that are tried: those of the literature, from .9 (Anserini) to 1.2 (Lucene) and beyond.
const K1: [&str; 5] = ["0.6", "0.9", "1.2", "1.6", "2"];
/// Values of BM25's b that are tried: .4 (Anserini) and .75 (Lucene) among them.
const B: [&str; 4] = ["0.2", "0.4", "0.6", "0.9"];
/// Candidates of each leg that are tried.
pub(super) const DEPTHS: [usize; 3] = [50, 200, 400];
/// Normalisers that are tried; the remaining ones come out behind these on every collection of `design.md`.
const NORMALIZERS: [&str; 3] = ["z_score", "min_max", "distribution_based"];
/// Rank constants that are tried: the paper's 60, and 10, which trusts the first ranks more.
const RANK_CONSTANTS: [&str; 2] = ["10", "60"];
/// Weights of the cross-encoder beside the fused score; `none`: it decides alone.
const RERANK_WEIGHTS: [&str; 6] = [OFF, "0.1", "0.25", "0.5", "1", "none"];
/// In place of a re-ranker's weight: no re-ranking.
pub(super) const OFF: &str = "off";
/// The lexical share is tried in steps of this, and both legs alone with it.
const SHARE_STEP: usize = 5;
/// Shares so many percent away make another plan: the deviation of best shares over collections.
const CLEAR: usize = 15;

/// Changes of a plan, in [`Key`]'s terms: `weight` to `0.22`. Comparable, so that each is scored once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Setting(BTreeMap<Axis, (&'static str, String)>);

/// What is tuned, in the order in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// The lexical legs' share in the fusion, 0 to 1.
    Share,
    /// The normaliser of the weighted sum, or reciprocal rank fusion and its constant.
    Fusion,
    /// BM25's k1.
    K1,
    /// BM25's b.
    B,
    /// Candidates of each leg.
    Depth,
    /// The cross-encoder's weight beside the fused score.
    RerankWeight,
}

impl Axis {
    /// As reports say it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Share => "weight",
            Axis::Fusion => "fusion",
            Axis::K1 => "k1",
            Axis::B => "b",
            Axis::Depth => "depth",
            Axis::RerankWeight => "rerank.weight",
        }
    }
}

impl Setting {
    /// With the lexical share `percent` / 100.
    #[must_use]
    pub fn with_share(&self, percent: usize) -> Self {
        self.with(Axis::Share, "weight", format!("{}", f64::from(u32::try_from(percent).unwrap_or(100)) / 100.0))
    }

    #[must_use]
    fn with(&self, axis: Axis, key: &'static str, value: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.0.insert(axis, (key, value.into()));
        changed
    }

    /// Whether nothing is changed.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// The plan with these changes.
    ///
    /// # Errors
    /// None for values that this module makes.
    pub fn apply(&self, plan: &Plan) -> Result<Plan> {
        let mut changed = plan.clone();
        // The fusion before the share: it says what a share is of.
        for axis in [Axis::Fusion, Axis::Share, Axis::K1, Axis::B, Axis::Depth, Axis::RerankWeight] {
            let Some((key, value)) = self.0.get(&axis) else { continue };
            if value == OFF {
                changed.rerank = None;
            } else {
                key.parse::<Key>()?.apply(&mut changed, value)?;
            }
        }
        Ok(changed)
    }

    /// Without re-ranking: what fusions are compared on.
    #[must_use]
    pub(super) fn without_reranking(&self) -> Self {
        self.with(Axis::RerankWeight, "rerank.weight", OFF)
    }

    /// The value of an axis as `normalizer=min_max`, or `0.9` where the axis says it all; empty where it is not changed.
    pub fn value(&self, axis: Axis) -> String {
        match self.0.get(&axis) {
            Some((key, value)) if *key == axis.name() => value.clone(),
            Some((key, value)) => format!("{key}={value}"),
            None => String::new(),
        }
    }

    /// The axes that are changed.
    pub fn axes(&self) -> impl Iterator<Item = Axis> + '_ {
        self.0.keys().copied()
    }

    /// The changes as (key, value) in [`Key`]'s terms.
    pub fn changes(&self) -> Vec<(String, String)> {
        self.0.values().map(|(key, value)| ((*key).to_string(), value.clone())).collect()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_default() {
            return f.write_str("no change");
        }
        let parts: Vec<String> = self.0.values().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&parts.join(" "))
    }
}

/// What can be tuned of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The plan's lexical share in percent; `None` where it does not fuse lexical with dense legs.
    pub share: Option<usize>,
    /// The axes that the plan has beside the share, with their values, each as (key, value). The plan's own value is not
    /// among them.
    axes: Vec<(Axis, Vec<(&'static str, String)>)>,
    /// What the plan itself says, by axis; `default` where it says nothing.
    own: BTreeMap<Axis, String>,
    /// Whether a cross-encoder re-ranks.
    pub reranks: bool,
}

impl Space {
    /// The axes of a plan; `resolved` is the same plan, with its defaults. Values with which the plan does not run are left
    /// out.
    pub fn of(plan: &Plan, resolved: &ResolvedPlan, runs: &dyn Fn(&Plan) -> bool) -> Self {
        let is_lexical = |leg: &&crate::plan::ResolvedLeg| matches!(leg.kind, ResolvedLegKind::Lexical(_));
        let weight = |wanted: bool| -> f64 {
            resolved.legs.iter().filter(|leg| is_lexical(leg) == wanted).map(|leg| leg.weight).sum()
        };
        let has = |wanted: bool| resolved.legs.iter().any(|leg| is_lexical(&leg) == wanted);
        let total = weight(true) + weight(false);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let share = (has(true) && has(false) && total > 0.0).then(|| (100.0 * weight(true) / total).round() as usize);
        let strings = |key: &'static str, values: &[&str], own: Option<String>| -> Vec<(&'static str, String)> {
            let others = values.iter().filter(|value| own.as_deref() != Some(**value));
            others.map(|value| (key, (*value).to_string())).collect()
        };
        let mut axes = Vec::new();
        let mut owns = BTreeMap::new();
        if let Some(share) = share {
            owns.insert(Axis::Share, (share as f64 / 100.0).to_string());
        }
        if resolved.legs.len() > 1 {
            let (normalizer, constant) = match resolved.fusion {
                Some(ResolvedFusion::WeightedSum { normalizer }) => {
                    (serde_json::to_value(normalizer).ok().and_then(|name| Some(name.as_str()?.to_string())), None)
                }
                Some(ResolvedFusion::Rrf(rrf)) => (None, Some(rrf.rank_constant.to_string())),
                None => (None, None),
            };
            owns.extend(normalizer.iter().map(|name| (Axis::Fusion, name.clone())));
            owns.extend(constant.iter().map(|constant| (Axis::Fusion, format!("rrf.k={constant}"))));
            let mut values = strings("normalizer", &NORMALIZERS, normalizer);
            values.extend(strings("rrf.k", &RANK_CONSTANTS, constant));
            axes.push((Axis::Fusion, values));
        }
        let bm25 = plan.legs.iter().find_map(|leg| match leg {
            Leg::Lexical(leg) => Some((leg.k1, leg.b)),
            Leg::Dense(_) => None,
        });
        if let Some((k1, b)) = bm25 {
            let own = |value: Option<f32>| value.map(|value| value.to_string());
            owns.extend(own(k1).map(|value| (Axis::K1, value)));
            owns.extend(own(b).map(|value| (Axis::B, value)));
            axes.push((Axis::K1, strings("k1", &K1, own(k1))));
            axes.push((Axis::B, strings("b", &B, own(b))));
        }
        if !resolved.legs.is_empty() {
            let least = resolved.window();
            let own = resolved.legs.iter().map(|leg| leg.depth).max();
            owns.extend(own.map(|depth| (Axis::Depth, depth.to_string())));
            let depths = DEPTHS.iter().filter(|&&depth| depth >= least && Some(depth) != own);
            axes.push((Axis::Depth, depths.map(|depth| ("depth", depth.to_string())).collect()));
        }
        if let Some(rerank) = &resolved.rerank {
            let own = rerank.weight.map_or_else(|| "none".to_string(), |weight| weight.to_string());
            owns.insert(Axis::RerankWeight, own.clone());
            axes.push((Axis::RerankWeight, strings("rerank.weight", &RERANK_WEIGHTS, Some(own))));
        }
        let none = Setting::default();
        for (axis, values) in &mut axes {
            let fits = |(key, value): &(&'static str, String)| {
                none.with(*axis, key, value.clone()).apply(plan).is_ok_and(|plan| runs(&plan))
            };
            values.retain(fits);
        }
        axes.retain(|(_, values)| !values.is_empty());
        Self { share, axes, own: owns, reranks: resolved.rerank.is_some() }
    }

    /// What the plan says of an axis; `default` where it says nothing.
    pub fn own(&self, axis: Axis) -> String {
        self.own.get(&axis).cloned().unwrap_or_else(|| "default".to_string())
    }

    /// Whether there is nothing to tune.
    pub fn is_empty(&self) -> bool {
        self.share.is_none() && self.axes.is_empty()
    }

    /// Settings that differ clearly from the plan: lexical shares at least [`CLEAR`] away where the plan fuses, else the values of
    /// the first axis.
    pub fn clearly_other(&self) -> Vec<Setting> {
        let none = Setting::default();
        match (self.share, self.axes.first()) {
            (Some(own), _) => {
                let far = self.shares().into_iter().filter(|share| share.abs_diff(own) >= CLEAR);
                far.map(|share| none.with_share(share)).collect()
            }
            (None, Some((axis, _))) => self.along(*axis, &none),
            (None, None) => Vec::new(),
        }
    }

    /// The lexical shares that are tried, in percent, ascending, the plan's own among them. Both legs alone are the ends.
    pub fn shares(&self) -> Vec<usize> {
        let Some(own) = self.share else { return Vec::new() };
        let mut shares: Vec<usize> = (0..=100).step_by(SHARE_STEP).chain([own]).collect();
        shares.sort_unstable();
        shares.dedup();
        shares
    }

    /// The axes beside the share, in the order in which they are tuned.
    pub fn axes(&self) -> impl Iterator<Item = Axis> + '_ {
        self.axes.iter().map(|(axis, _)| *axis)
    }

    /// `setting` once for each value of an axis.
    pub fn along(&self, axis: Axis, setting: &Setting) -> Vec<Setting> {
        let values = self.axes.iter().filter(|(known, _)| *known == axis).flat_map(|(_, values)| values);
        values.map(|(key, value)| setting.with(axis, key, value.clone())).collect()
    }
}
