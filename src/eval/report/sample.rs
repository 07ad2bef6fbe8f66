//! A made-up comparison for tests: six plans, two of them nearly equal, with everything that a report can hold.
//!
//! The unit tests of this folder use it, and `tests/it/report.rs` does by path. Seeded: the same numbers each time.
#![expect(
    clippy::field_reassign_with_default,
    reason = "the values are non-exhaustive for the tests that use this by path"
)]

use std::collections::BTreeMap;

use super::comparison::{
    ChangedQuery, Comparison, Complementarity, CurvePoint, Difference, IndexFacts, Latency, MovedDocument, PlanResult,
    QueryFacts, RerankingDepth, RerankingWorth, Slice, Statistics,
};

/// Name, skill beside the first plan's, noise, milliseconds.
const PLANS: [(&str, f64, f64, f64); 6] = [
    ("lexical", 0.0, 0.0, 0.9),
    ("dense", 0.012, 0.24, 11.4),
    ("hybrid", 0.050, 0.12, 12.6),
    ("hybrid rrf.k=10", 0.044, 0.15, 12.7),
    ("hybrid rrf.k=100", 0.051, 0.12, 12.5),
    ("hybrid-rerank", 0.084, 0.20, 163.0),
];
const MEASURES: [(&str, f64); 4] = [("ndcg@10", 0.0), ("recall@100", 0.3), ("map", -0.06), ("mrr@10", 0.18)];
const WORDS: [&str; 32] = [
    "boundary",
    "layer",
    "heat",
    "transfer",
    "supersonic",
    "flow",
    "wing",
    "slipstream",
    "propeller",
    "pressure",
    "distribution",
    "shock",
    "wave",
    "turbulent",
    "buckling",
    "cylinder",
    "laminar",
    "hypersonic",
    "blunt",
    "body",
    "viscous",
    "drag",
    "lift",
    "aeroelastic",
    "model",
    "thermal",
    "stress",
    "plate",
    "nozzle",
    "transition",
    "theory",
    "experiment",
];

/// The comparison.
pub(crate) fn comparison(num_queries: usize) -> Comparison {
    let mut random = fastrand::Rng::with_seed(7);
    let mut comparison = Comparison::default();
    comparison.dataset = "cranfield".into();
    comparison.version = "0.1.0".into();
    comparison.command =
        "bifocal eval fixtures/cranfield --plans lexical,dense,hybrid,hybrid-rerank rrf.k=10,100".into();
    comparison.conditions = vec![
        "means over all 225 judged queries; one without hits counts 0 (trec_eval -c)".into(),
        "latency: one query at a time, embedding included; 2 cores, AVX-512".into(),
    ];
    comparison.warnings = vec!["4 judged documents are missing from the corpus, first \"471\"".into()];
    comparison.statistics = statistics(num_queries);
    let mut index = IndexFacts::default();
    index.folder = "~/.cache/bifocal/eval/cranfield.idx".into();
    index.num_documents = 1400;
    index.num_bytes = 5_812_736;
    index.models = vec!["bge-small-en-v1.5".into()];
    index.build_seconds = Some(31.4);
    comparison.index = Some(index);
    comparison.measures = MEASURES.iter().map(|(name, _)| (*name).to_string()).collect();
    comparison.primary = "ndcg@10".into();
    comparison.queries = (0..num_queries).map(|idx| query(idx, &mut random)).collect();
    let difficulty: Vec<f64> = (0..num_queries).map(|_| random.f64() * 0.95 - 0.12).collect();
    let mut values: Vec<Vec<Vec<f64>>> = Vec::new();
    for (idx, (_, skill, noise, _)) in PLANS.iter().enumerate() {
        // Nearly equal: the values of `hybrid`, but for some queries.
        let mut own = match values.get(2).filter(|_| idx == 4) {
            Some(like) => like.clone(),
            None => plan_values(&difficulty, *skill, *noise, &mut random),
        };
        for _ in 0..if idx == 4 { num_queries / 12 } else { 0 } {
            let query = random.usize(..num_queries);
            own[0][query] = ((own[0][query] + random.f64() * 0.2 - 0.1).clamp(0.0, 1.0) * 1e4).round() / 1e4;
        }
        values.push(own);
    }
    comparison.plans = (0..PLANS.len()).map(|idx| plan(idx, &values, &comparison.queries, &mut random)).collect();
    comparison.complementarity = complementarity();
    comparison.reranking = vec![reranking()];
    comparison
}

/// The same with queries, names and titles that try to leave their place.
pub(crate) fn hostile(num_queries: usize) -> Comparison {
    let mut comparison = comparison(num_queries);
    let attack = "</script><script>window.broken = 1</script><img src=x onerror=\"window.broken = 2\"> `a|b` *c* <!-- & \u{2028} '";
    comparison.dataset = attack.into();
    comparison.command = attack.into();
    comparison.conditions.push(attack.into());
    comparison.warnings.push(attack.into());
    comparison.plans[1].name = attack.into();
    comparison.plans[2].plan = Some(serde_json::json!({ "name": attack }));
    for query in &mut comparison.queries {
        query.id.push_str("<b>");
        query.text = attack.into();
    }
    for changed in comparison.plans.iter_mut().flat_map(|plan| &mut plan.changed) {
        for moved in &mut changed.moved {
            moved.id.push_str(attack);
            moved.title = attack.into();
        }
    }
    comparison.complementarity[0].legs[0] = attack.into();
    comparison.reranking[0].recommendation = attack.into();
    comparison.reranking[0].model = attack.into();
    comparison
}

fn statistics(num_queries: usize) -> Statistics {
    let mut statistics = Statistics::default();
    statistics.num_documents = Some(1400);
    statistics.words_per_document = Some(162.4);
    statistics.num_queries = num_queries as u64;
    statistics.num_judged_queries = num_queries as u64;
    statistics.num_queries_with_relevant = num_queries as u64;
    statistics.words_per_query = 17.9;
    statistics.num_judgments = 1837;
    statistics.relevant_per_query = 7.2;
    statistics.grades = BTreeMap::from([(0, 225), (1, 128), (2, 387), (3, 734), (4, 363)]);
    statistics
}

fn query(idx: usize, random: &mut fastrand::Rng) -> QueryFacts {
    let num_words = random.usize(4..22);
    let words: Vec<&str> = (0..num_words).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
    let mut query = QueryFacts::default();
    query.id = (idx + 1).to_string();
    query.text = format!("what is known of {}", words.join(" "));
    query.num_relevant = random.u32(1..20);
    query.num_words = u32::try_from(num_words + 4).unwrap();
    query.lexical_overlap = Some(random.f64());
    query
}

fn plan_values(difficulty: &[f64], skill: f64, noise: f64, random: &mut fastrand::Rng) -> Vec<Vec<f64>> {
    let moved: Vec<f64> = difficulty.iter().map(|base| base + skill + noise * (random.f64() * 2.0 - 1.0)).collect();
    let value = |base: f64, shift: f64, random: &mut fastrand::Rng| {
        ((base + shift + 0.1 * (random.f64() - 0.5)) * 1e4).round().clamp(0.0, 1e4) / 1e4
    };
    MEASURES.iter().map(|(_, shift)| moved.iter().map(|base| value(*base, *shift, random)).collect()).collect()
}

fn plan(idx: usize, values: &[Vec<Vec<f64>>], queries: &[QueryFacts], random: &mut fastrand::Rng) -> PlanResult {
    let (name, skill, _, milliseconds) = PLANS[idx];
    let mut plan = PlanResult::default();
    plan.name = name.into();
    for (measure, (measure_name, _)) in MEASURES.iter().enumerate() {
        let own = &values[idx][measure];
        let (mean, error) = mean_and_error(own);
        plan.metrics.insert((*measure_name).into(), mean);
        plan.intervals.insert((*measure_name).into(), [mean - 1.96 * error, mean + 1.96 * error]);
        plan.per_query.insert((*measure_name).into(), own.clone());
        if idx > 0 {
            plan.against_first.insert((*measure_name).into(), difference(&values[0][measure], own));
        }
    }
    plan.latency_ms = Some(Latency { p50: milliseconds, p95: milliseconds * 1.7 });
    plan.queries_per_second = Some(2200.0 / milliseconds);
    plan.plan =
        Some(serde_json::json!({"name": name, "legs": [{"lexical": {"depth": 1000}}], "rerank": {"depth": 50}}));
    if idx > 0 {
        plan.changed = changed(&values[0][0], &values[idx][0], random);
    }
    let depths = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0_f64];
    plan.recall_at = depths
        .iter()
        .map(|depth| CurvePoint { x: *depth, y: (0.12 + 0.26 * depth.log10() + skill).min(0.97) })
        .collect();
    plan.precision_at_recall = (0..=10)
        .map(|step| f64::from(step) / 10.0)
        .map(|x| CurvePoint { x, y: (0.78 + skill) * (1.0 - x).powf(1.3) })
        .collect();
    plan.slices = slices(&values[idx][0], queries);
    plan
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let num = values.len() as f64;
    let mean = values.iter().sum::<f64>() / num;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (num - 1.0).max(1.0);
    (mean, (variance / num).sqrt())
}

fn difference(before: &[f64], after: &[f64]) -> Difference {
    let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let (mean, error) = mean_and_error(&differences);
    // Near enough to Student's distribution for a made-up table.
    let p = (-0.717 * (mean / error).abs() - 0.416 * (mean / error).powi(2)).exp();
    let mut difference = Difference::default();
    difference.mean = mean;
    difference.interval = [mean - 1.96 * error, mean + 1.96 * error];
    difference.p_t_test = p;
    difference.p_randomisation = (p * 1.05).clamp(1e-5, 1.0);
    difference.p_t_test_holm = (p * 3.0).min(1.0);
    difference.p_randomisation_holm = (p * 3.1).clamp(5e-5, 1.0);
    difference.effect_size = mean / (error * (differences.len() as f64).sqrt());
    let count =
        |keep: fn(f64) -> bool| u32::try_from(differences.iter().filter(|value| keep(**value)).count()).unwrap();
    difference.wins = count(|value| value > 0.0);
    difference.ties = count(|value| value == 0.0);
    difference.losses = count(|value| value < 0.0);
    difference
}

fn changed(before: &[f64], after: &[f64], random: &mut fastrand::Rng) -> Vec<ChangedQuery> {
    let mut all: Vec<ChangedQuery> = Vec::new();
    for (query, (before, after)) in before.iter().zip(after).enumerate().filter(|(_, (before, after))| before != after)
    {
        let mut changed = ChangedQuery::default();
        changed.query = query;
        changed.difference = after - before;
        for _ in 0..random.usize(2..8) {
            let mut moved = MovedDocument::default();
            moved.id = random.u32(1..1400).to_string();
            let mut of_title = fastrand::Rng::with_seed(moved.id.parse().unwrap());
            moved.title = (0..8).map(|_| WORDS[of_title.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ");
            moved.grade = random.bool().then(|| random.i32(0..5));
            let (near, far) = (random.u32(1..10), random.u32(8..90));
            let better = after > before;
            moved.rank_after = Some(if better { near } else { far });
            moved.rank_before = (random.u8(..) > 40).then_some(if better { far } else { near });
            changed.moved.push(moved);
        }
        all.push(changed);
    }
    all.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
    all
}

fn slices(values: &[f64], queries: &[QueryFacts]) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut add = |by: &str, part: &str, is_in: &dyn Fn(&QueryFacts) -> bool| {
        let own: Vec<f64> =
            values.iter().zip(queries).filter(|(_, query)| is_in(query)).map(|(value, _)| *value).collect();
        let mut slice = Slice::default();
        slice.by = by.into();
        slice.part = part.into();
        slice.num_queries = u32::try_from(own.len()).unwrap();
        slice.mean = if own.is_empty() { 0.0 } else { mean_and_error(&own).0 };
        slices.push(slice);
    };
    add("words", "1-11", &|query| query.num_words <= 11);
    add("words", "12-18", &|query| (12..=18).contains(&query.num_words));
    add("words", "19+", &|query| query.num_words > 18);
    for (part, low, high) in [("0-33 %", 0.0, 0.33), ("33-67 %", 0.33, 0.67), ("67-100 %", 0.67, 1.01)] {
        add("lexical overlap", part, &|query| query.lexical_overlap.is_some_and(|share| share >= low && share < high));
    }
    slices
}

fn complementarity() -> Vec<Complementarity> {
    let rows = [
        (10, 184, 233, 402, 1018, 0.47, 0.62, 0.21),
        (100, 148, 196, 986, 507, 0.74, 0.87, 0.18),
        (1000, 31, 42, 1641, 123, 0.94, 0.985, 0.55),
    ];
    let row = |(depth, only_first, only_second, both, neither, recall, best_possible, overlap)| {
        let mut row = Complementarity::default();
        row.legs = ["lexical".into(), "dense".into()];
        row.depth = depth;
        row.only_first = only_first;
        row.only_second = only_second;
        row.both = both;
        row.neither = neither;
        row.recall = recall;
        row.best_possible = best_possible;
        row.overlap = overlap;
        row
    };
    rows.into_iter().map(row).collect()
}

fn reranking() -> RerankingWorth {
    let rows = [
        (0, 0.0, 0.412, [0.0, 0.0], 0.0, 0.0, 0.0),
        (10, 0.47, 0.431, [0.006, 0.032], 0.38, 0.27, 26.0),
        (20, 0.58, 0.441, [0.012, 0.046], 0.43, 0.30, 51.0),
        (50, 0.68, 0.447, [0.015, 0.055], 0.47, 0.33, 128.0),
        (100, 0.75, 0.446, [0.013, 0.055], 0.48, 0.35, 250.0),
        (200, 0.82, 0.443, [0.009, 0.053], 0.47, 0.37, 497.0),
    ];
    let mut worth = RerankingWorth::default();
    worth.plan = "hybrid-rerank".into();
    worth.model = "bifocal-rerank-small".into();
    worth.recommendation = "re-rank 20 candidates: 90 percent of the gain of depth 50 at 40 percent of its time".into();
    worth.confidence = 0.987;
    for (depth, candidate_recall, mean, interval, gain, lose, added_ms_p50) in rows {
        let mut row = RerankingDepth::default();
        row.depth = depth;
        row.candidate_recall = candidate_recall;
        row.mean = mean;
        row.interval = interval;
        row.gain = gain;
        row.lose = lose;
        row.stay = 1.0 - gain - lose;
        row.added_ms_p50 = added_ms_p50;
        worth.by_depth.push(row);
    }
    worth
}
