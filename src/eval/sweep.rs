//! A plan with some of its numbers changed, value by value: `hybrid:rrf.k=10,60,100`.
//!
//! In: what a user typed ([`Sweep::parse`]) and a plan. Out: one [`Variant`] a value, named `hybrid;rrf.k=10`. Keys joined with `&`
//! are multiplied (`rrf.k=10,60&depth=100,200` makes four); sweeps given one by one are not.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::plan::{Fusion, Leg, Normalizer, Plan, Rrf, WeightedSum};

/// The most variants that one sweep may make of a plan.
const MAX_VARIANTS: usize = 10_000;

/// What a sweep changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The rank constant of reciprocal rank fusion, which replaces another fusion.
    RankConstant,
    /// The lexical legs' share in the fusion, 0 to 1; the dense legs get the rest.
    Weight,
    /// Candidates of each leg.
    Depth,
    /// BM25's k1 of every lexical leg.
    K1,
    /// BM25's b of every lexical leg.
    B,
    /// The normaliser of the weighted sum, which replaces another fusion.
    Normalizer,
    /// Candidates that the cross-encoder reads.
    RerankDepth,
    /// The cross-encoder's weight beside the fused score; `none`: it decides alone.
    RerankWeight,
    /// The cross-encoder.
    RerankModel,
    /// The bi-encoder: another index.
    Model,
}

impl Key {
    /// Every key, as they are listed to users.
    pub const ALL: [Key; 10] = [
        Key::RankConstant,
        Key::Weight,
        Key::Depth,
        Key::K1,
        Key::B,
        Key::Normalizer,
        Key::RerankDepth,
        Key::RerankWeight,
        Key::RerankModel,
        Key::Model,
    ];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Key::RankConstant => "rrf.k",
            Key::Weight => "weight",
            Key::Depth => "depth",
            Key::K1 => "k1",
            Key::B => "b",
            Key::Normalizer => "normalizer",
            Key::RerankDepth => "rerank.depth",
            Key::RerankWeight => "rerank.weight",
            Key::RerankModel => "rerank.model",
            Key::Model => "model",
        }
    }

    /// Whether a plan has what the key changes.
    fn fits(self, plan: &Plan) -> bool {
        let has_lexical = plan.legs.iter().any(|leg| matches!(leg, Leg::Lexical(_)));
        let has_dense = plan.legs.iter().any(|leg| matches!(leg, Leg::Dense(_)));
        match self {
            Key::RankConstant | Key::Normalizer => plan.legs.len() > 1,
            Key::Weight => has_lexical && has_dense,
            Key::Depth => !plan.legs.is_empty(),
            Key::K1 | Key::B => has_lexical,
            Key::RerankDepth | Key::RerankWeight | Key::RerankModel => plan.rerank.is_some(),
            Key::Model => has_dense,
        }
    }

    /// Changes a plan; a bi-encoder is no part of a plan and is left to the caller.
    pub(super) fn apply(self, plan: &mut Plan, value: &str) -> Result<()> {
        match self {
            Key::RankConstant => {
                let constant = parsed(self, value, "a whole number")?;
                match &mut plan.fusion {
                    Some(Fusion::Rrf(rrf)) => rrf.rank_constant = Some(constant),
                    Some(Fusion::WeightedSum(_)) | None => {
                        plan.fusion = Some(Fusion::Rrf(Rrf { rank_constant: Some(constant), ..Rrf::default() }));
                    }
                }
            }
            Key::Weight => {
                let share: f64 = parsed(self, value, "a number from 0 to 1")?;
                if !(0.0..=1.0).contains(&share) {
                    return Err(bad_value(self, value, "a number from 0 to 1"));
                }
                set_lexical_share(plan, share);
            }
            Key::Depth => plan.set_depth(parsed(self, value, "a whole number")?),
            Key::K1 => set_bm25(plan, Some(parsed(self, value, "a number")?), None),
            Key::B => set_bm25(plan, None, Some(parsed(self, value, "a number")?)),
            Key::Normalizer => {
                let quoted = serde_json::Value::String(value.to_string());
                let normalizer: Normalizer = serde_json::from_value(quoted).map_err(|_| {
                    let names = Normalizer::ALL.map(|one| serde_json::to_value(one).unwrap_or_default());
                    let names: Vec<&str> = names.iter().filter_map(serde_json::Value::as_str).collect();
                    bad_value(self, value, &format!("one of {}", names.join(", ")))
                })?;
                plan.fusion = Some(Fusion::WeightedSum(WeightedSum { normalizer: Some(normalizer) }));
            }
            Key::RerankDepth => {
                let depth = parsed(self, value, "a whole number")?;
                plan.rerank.get_or_insert_default().rerank_depth = Some(depth);
            }
            Key::RerankWeight => {
                let weight = match value {
                    "none" => None,
                    number => Some(parsed(self, number, "a number above 0, or none")?),
                };
                plan.rerank.get_or_insert_default().weight = weight;
            }
            Key::RerankModel => plan.rerank.get_or_insert_default().model = Some(value.to_string()),
            Key::Model => {}
        }
        Ok(())
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Key::ALL.into_iter().find(|key| key.name() == name).ok_or_else(|| {
            let known = Key::ALL.map(Key::name).join(", ");
            Error::invalid_input(format!("there is no {name:?} to sweep; the keys are {known}"))
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn parsed<T: FromStr>(key: Key, value: &str, expected: &str) -> Result<T> {
    value.parse().map_err(|_| bad_value(key, value, expected))
}

fn bad_value(key: Key, value: &str, expected: &str) -> Error {
    Error::invalid_input(format!("{key} is {value:?}, expected {expected}"))
}

/// `share` for the lexical legs together, the rest for the dense ones, in equal parts.
fn set_lexical_share(plan: &mut Plan, share: f64) {
    let num_lexical = plan.legs.iter().filter(|leg| matches!(leg, Leg::Lexical(_))).count().max(1);
    let num_dense = (plan.legs.len() - num_lexical.min(plan.legs.len())).max(1);
    for leg in &mut plan.legs {
        match leg {
            Leg::Lexical(leg) => leg.weight = Some(share / num_lexical as f64),
            Leg::Dense(leg) => leg.weight = Some((1.0 - share) / num_dense as f64),
        }
    }
}

fn set_bm25(plan: &mut Plan, k1: Option<f32>, b: Option<f32>) {
    for leg in &mut plan.legs {
        match leg {
            Leg::Lexical(leg) => {
                leg.k1 = k1.or(leg.k1);
                leg.b = b.or(leg.b);
            }
            Leg::Dense(_) => {}
        }
    }
}

/// Keys with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Only the plan of this name; every plan that has the keys when `None`.
    pub plan: Option<String>,
    /// Keys and their values as they are printed; all combinations are made.
    pub axes: Vec<(Key, Vec<String>)>,
}

/// A plan that a sweep made.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// With its name.
    pub plan: Plan,
    /// The bi-encoder, where the sweep changes it.
    pub model: Option<String>,
}

impl Sweep {
    /// Parses `[PLAN:]KEY=VALUES[&KEY=VALUES..]`, where VALUES is a list (`10,60,100`) or a range with its end (`0:1:0.1`).
    ///
    /// # Errors
    /// `InvalidInput` that says what is expected; for an unknown key with those there are.
    pub fn parse(text: &str) -> Result<Self> {
        let equals = text.find('=').ok_or_else(|| {
            Error::invalid_input(format!(
                "the sweep {text:?} has no values; expected [PLAN:]KEY=VALUES, such as rrf.k=10,60,100"
            ))
        })?;
        let (plan, axes) = match text.get(..equals).and_then(|head| head.rfind(':')) {
            Some(colon) => (text.get(..colon), text.get(colon + 1..).unwrap_or_default()),
            None => (None, text),
        };
        let axes: Vec<(Key, Vec<String>)> = axes.split('&').map(parse_axis).collect::<Result<_>>()?;
        let number = axes.iter().map(|(_, values)| values.len()).fold(1, usize::saturating_mul);
        if number > MAX_VARIANTS {
            return Err(Error::invalid_input(format!(
                "the sweep {text:?} makes {number} plans; at most {MAX_VARIANTS}"
            )));
        }
        Ok(Self { plan: plan.map(|name| name.trim().to_string()), axes })
    }

    /// The plan once for each combination of values, the last key changing fastest; `None` where the sweep is not for this plan
    /// (it names another, or the plan lacks what a key changes).
    ///
    /// # Errors
    /// `InvalidInput` for a value that does not fit its key.
    pub fn variants(&self, plan: &Plan) -> Result<Option<Vec<Variant>>> {
        let name = plan.name.clone().unwrap_or_else(|| "plan".to_string());
        let is_for_it = self.plan.as_ref().is_none_or(|wanted| *wanted == name);
        if !is_for_it || !self.axes.iter().all(|(key, _)| key.fits(plan)) {
            return Ok(None);
        }
        let mut variants = vec![(name, Variant { plan: plan.clone(), model: None })];
        for (key, values) in &self.axes {
            let mut next = Vec::with_capacity(variants.len() * values.len());
            for (name, variant) in &variants {
                for value in values {
                    let mut changed = variant.clone();
                    key.apply(&mut changed.plan, value)?;
                    if *key == Key::Model {
                        changed.model = Some(value.clone());
                    }
                    next.push((format!("{name};{key}={}", short(value)), changed));
                }
            }
            variants = next;
        }
        let named = |(name, mut variant): (String, Variant)| {
            variant.plan.name = Some(name);
            variant
        };
        Ok(Some(variants.into_iter().map(named).collect()))
    }
}

/// A value as a part of a name: the last part of a path, without spaces.
fn short(value: &str) -> String {
    let last = value.trim_end_matches('/').rsplit('/').next().unwrap_or(value);
    last.split_whitespace().collect::<Vec<_>>().join("_")
}

fn parse_axis(text: &str) -> Result<(Key, Vec<String>)> {
    let (key, values) = text.split_once('=').ok_or_else(|| {
        Error::invalid_input(format!("{text:?} has no values; expected KEY=VALUES, such as depth=50,100,200"))
    })?;
    let key: Key = key.trim().parse()?;
    let values = match range(values) {
        Some(range) => range.map_err(|message| Error::invalid_input(format!("{key}={values} {message}")))?,
        None => values.split(',').map(|value| value.trim().to_string()).collect(),
    };
    if values.iter().any(String::is_empty) {
        return Err(Error::invalid_input(format!("{key}={} has an empty value", values.join(","))));
    }
    if let Some((_, twice)) =
        values.iter().enumerate().find(|(idx, value)| values.iter().take(*idx).any(|v| v == *value))
    {
        return Err(Error::invalid_input(format!("{key} has the value {twice} twice")));
    }
    Ok((key, values))
}

/// `start:end:step` with its end, in exact decimals; `None` where the text is no range of numbers.
fn range(text: &str) -> Option<Result<Vec<String>, &'static str>> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let [start, end, step] = parts.as_slice() else { return None };
    let decimals = [start, end, step].map(|part| part.split_once('.').map_or(0, |(_, decimals)| decimals.len()));
    let decimals = decimals.into_iter().max().unwrap_or(0);
    let (start, end, step) = (scaled(start, decimals)?, scaled(end, decimals)?, scaled(step, decimals)?);
    if step <= 0 {
        return Some(Err("has no step above 0; expected START:END:STEP"));
    }
    if end < start {
        return Some(Err("ends before it starts; expected START:END:STEP"));
    }
    if (end - start) / step >= MAX_VARIANTS as i64 {
        return Some(Err("has too many values; take a larger step"));
    }
    let values = (0..=(end - start) / step).map(|idx| printed(start + idx * step, decimals));
    Some(Ok(values.collect()))
}

/// A decimal number times ten to the number of decimals; at most 9 of these.
fn scaled(text: &str, decimals: usize) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if decimals > 9 || unsigned.is_empty() || unsigned.len() > 9 || !digits(unsigned) || !digits(rest) {
        return None;
    }
    format!("{whole}{rest:0<decimals$}").parse().ok()
}

/// The number that [`scaled`] read, without needless zeros.
fn printed(number: i64, decimals: usize) -> String {
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    let rest = rest.trim_end_matches('0');
    let sign = if number < 0 { "-" } else { "" };
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(sweep: &str, plan: &str) -> Vec<String> {
        let variants = Sweep::parse(sweep).unwrap().variants(&Plan::named(plan).unwrap()).unwrap().unwrap_or_default();
        variants.into_iter().map(|variant| variant.plan.name.unwrap()).collect()
    }

    #[test]
    fn values_are_a_list_or_a_range_with_its_end() {
        assert_eq!(names("rrf.k=10,60,100", "hybrid"), ["hybrid;rrf.k=10", "hybrid;rrf.k=60", "hybrid;rrf.k=100"]);
        let shares = names("weight=0:1:0.1", "hybrid");
        assert_eq!(shares.len(), 11);
        assert_eq!((shares[0].as_str(), shares[3].as_str()), ("hybrid;weight=0", "hybrid;weight=0.3"));
        assert_eq!(shares[10], "hybrid;weight=1");
        assert_eq!(names("k1=0.5:2:0.75", "lexical"), ["lexical;k1=0.5", "lexical;k1=1.25", "lexical;k1=2"]);
    }

    #[test]
    fn joined_keys_are_multiplied() {
        let names = names("hybrid:rrf.k=10,60&depth=50,100", "hybrid");
        assert_eq!(names[1], "hybrid;rrf.k=10;depth=100");
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn a_sweep_is_for_the_plans_that_have_what_it_changes() {
        for (sweep, fitting) in [
            ("rrf.k=1", vec!["hybrid", "hybrid-rerank"]),
            ("weight=.5", vec!["hybrid", "hybrid-rerank"]),
            ("depth=10", vec!["lexical", "dense", "hybrid", "hybrid-rerank"]),
            ("b=0.1", vec!["lexical", "hybrid", "hybrid-rerank"]),
            ("rerank.weight=none", vec!["hybrid-rerank"]),
            ("model=a/b", vec!["dense", "hybrid", "hybrid-rerank"]),
            ("hybrid:depth=10", vec!["hybrid"]),
        ] {
            let found: Vec<&str> = Plan::NAMES.into_iter().filter(|plan| !names(sweep, plan).is_empty()).collect();
            assert_eq!(found, fitting, "{sweep}");
        }
    }

    #[test]
    fn plans_are_changed() {
        let changed = |sweep: &str, plan: &str| {
            let variants = Sweep::parse(sweep).unwrap().variants(&Plan::named(plan).unwrap()).unwrap().unwrap();
            variants.into_iter().next_back().unwrap()
        };
        let plan = changed("rrf.k=7&weight=0.25&k1=0.9&b=0.4&depth=33", "hybrid").plan;
        assert_eq!(plan.fusion, Some(Fusion::Rrf(Rrf { rank_constant: Some(7), ..Rrf::default() })));
        let [Leg::Lexical(lexical), Leg::Dense(dense)] = plan.legs.as_slice() else { panic!("{plan:?}") };
        assert_eq!(
            (lexical.k1, lexical.b, lexical.depth, lexical.weight),
            (Some(0.9), Some(0.4), Some(33), Some(0.25))
        );
        assert_eq!((dense.depth, dense.weight), (Some(33), Some(0.75)));
        let plan = changed("normalizer=min_max", "hybrid").plan;
        assert_eq!(plan.fusion, Some(Fusion::WeightedSum(WeightedSum { normalizer: Some(Normalizer::MinMax) })));
        let rerank = changed("rerank.depth=20&rerank.weight=none&rerank.model=m", "hybrid-rerank").plan.rerank.unwrap();
        assert_eq!((rerank.rerank_depth, rerank.weight, rerank.model.as_deref()), (Some(20), None, Some("m")));
        let variant = changed("model=models/bge base/", "dense");
        assert_eq!(variant.model.as_deref(), Some("models/bge base/"));
        assert_eq!(variant.plan.name.as_deref(), Some("dense;model=bge_base"));
    }

    #[test]
    fn mistakes_are_explained() {
        for (sweep, said) in [
            ("rrf.k", "expected [PLAN:]KEY=VALUES"),
            ("rrf.q=1", "the keys are rrf.k, weight, depth, k1, b, normalizer"),
            ("depth=10,,20", "empty value"),
            ("depth=", "empty value"),
            ("depth=10,10", "twice"),
            ("depth=10&b", "expected KEY=VALUES"),
            ("weight=1:0:0.1", "ends before it starts"),
            ("weight=0:1:0", "no step above 0"),
            ("weight=0:1:0.000001", "too many values"),
        ] {
            let error = Sweep::parse(sweep).unwrap_err().to_string();
            assert!(error.contains(said), "{sweep}: {error}");
        }
        let plan = Plan::named("hybrid-rerank").unwrap();
        for (sweep, said) in [
            ("rrf.k=1.5", "expected a whole number"),
            ("weight=2", "from 0 to 1"),
            ("normalizer=z", "z_score, min_max"),
            ("rerank.weight=some", "or none"),
        ] {
            let error = Sweep::parse(sweep).unwrap().variants(&plan).unwrap_err().to_string();
            assert!(error.contains(said), "{sweep}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_is_counted_exactly(start in -500i64..500, steps in 0i64..200, step in 1i64..50, decimals in 0usize..4) {
            let text = |number: i64| printed(number, decimals);
            let range = range(&format!("{}:{}:{}", text(start), text(start + steps * step), text(step))).unwrap().unwrap();
            let expected: Vec<String> = (0..=steps).map(|idx| text(start + idx * step)).collect();
            prop_assert_eq!(&range, &expected);
            for (idx, value) in (0..).zip(&range) {
                let number: f64 = value.parse().unwrap();
                let exact = (start + idx * step) as f64 / 10f64.powi(i32::try_from(decimals).unwrap());
                prop_assert!((number - exact).abs() < 1e-9);
            }
        }

        #[test]
        fn whatever_is_typed_is_no_panic(text in "[a-z.:=&,0-9 -]{0,40}") {
            if let Ok(sweep) = Sweep::parse(&text) {
                let _ = sweep.variants(&Plan::named("hybrid-rerank").unwrap());
            }
        }
    }
}
