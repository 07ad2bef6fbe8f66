//! What the table and Markdown say, part by part; [`super::table()`] and [`super::markdown()`] only differ in how they write it.

use super::super::dense_recall::DenseSetting;
use super::comparison::{ChangedQuery, Comparison, Complementarity, MovedDocument, PlanResult, RerankingWorth};
use super::verdict::verdict;
use super::wording::{
    NOTHING, about, bytes, count, cut, interval, is_best, is_significant, label, mean, percent, probability, queries,
    signed, slice_tables, value,
};

/// Queries that are told of each plan's wins, and of its losses.
const NUM_CHANGED: usize = 5;

/// More plans than these are a sweep, in which neighbours win and lose the same queries.
const MANY_PLANS: usize = 8;

/// A part: a title, a grid, and lines around it; any of them may be empty.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) title: String,
    pub(super) before: Vec<String>,
    pub(super) grid: Grid,
    pub(super) after: Vec<String>,
}

/// Rows under a header.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// The first columns that hold text and are aligned left; the others hold numbers.
    pub(super) num_left: usize,
    /// Cells (row, column) that are the best of their column.
    pub(super) best: Vec<(usize, usize)>,
}

impl Grid {
    fn new(num_left: usize, header: &[&str]) -> Self {
        Self { header: header.iter().map(ToString::to_string).collect(), rows: Vec::new(), num_left, best: Vec::new() }
    }

    fn push(&mut self, header: impl Into<String>, cells: impl Iterator<Item = String>) {
        self.header.push(header.into());
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }
}

/// All parts that have something to say, the most important first.
pub(super) fn parts(comparison: &Comparison) -> Vec<Part> {
    let mut parts = vec![measures(comparison)];
    parts.extend(significance(comparison));
    for rows in by_legs(comparison) {
        parts.push(complementarity(comparison, rows));
    }
    parts.extend(comparison.reranking.iter().map(|worth| reranking(comparison, worth)));
    parts.extend(dense_recall(comparison));
    parts.extend(slices(comparison));
    parts.extend(told(comparison).into_iter().filter_map(|plan| changed(comparison, plan)));
    parts
}

/// How much of the exact search the approximate one finds.
pub(super) fn dense_recall(comparison: &Comparison) -> Option<Part> {
    let rows = &comparison.dense_recall;
    let first = rows.first()?;
    let recall = format!("recall@{}", first.k);
    let mut grid = Grid::new(
        1,
        &["search", "num_candidates", &recall, "queries/s", "vectors compared", "graphs walked", "segments scanned"],
    );
    grid.rows = rows
        .iter()
        .map(|row| {
            let setting = match row.setting {
                DenseSetting::Exact => "exact",
                DenseSetting::Default => "as plans do",
                DenseSetting::Walk => "graphs only",
            };
            let breadth = row.num_candidates.map_or_else(|| NOTHING.to_string(), |breadth| breadth.to_string());
            let numbers = [row.queries_per_second, row.vectors_compared, row.segments_walked, row.segments_scanned];
            [setting.to_string(), breadth, value(row.recall)].into_iter().chain(numbers.map(about)).collect()
        })
        .collect();
    let mut after: Vec<String> = rows.iter().map(|row| row.note.clone()).filter(|note| !note.is_empty()).collect();
    after.dedup();
    let before = vec![format!(
        "approximate search against exact search, {}; what is missing here is the index's miss, not the model's",
        queries(first.num_queries as u64)
    )];
    Some(Part { title: "Recall of the dense index".to_string(), before, grid, after })
}

/// The plans whose wins and losses are told: all, or the best alone where a sweep has made many.
fn told(comparison: &Comparison) -> Vec<&PlanResult> {
    let others = comparison.plans.iter().skip(1);
    if comparison.plans.len() <= MANY_PLANS {
        return others.collect();
    }
    let of = |plan: &PlanResult| mean(plan, &comparison.primary);
    others.max_by(|a, b| of(a).total_cmp(&of(b))).into_iter().collect()
}

/// The rows of each pair of legs.
pub(super) fn by_legs(comparison: &Comparison) -> Vec<Vec<&Complementarity>> {
    let mut groups: Vec<Vec<&Complementarity>> = Vec::new();
    for row in &comparison.complementarity {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.legs == row.legs)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn measures(comparison: &Comparison) -> Part {
    let plans = &comparison.plans;
    let mut grid = Grid::new(1, &["plan"]);
    grid.rows = plans.iter().map(|plan| vec![plan.name.clone()]).collect();
    for measure in &comparison.measures {
        let column = grid.header.len();
        let rows = plans.iter().enumerate();
        grid.best.extend(rows.filter(|(_, plan)| is_best(comparison, plan, measure)).map(|(row, _)| (row, column)));
        grid.push(label(measure), plans.iter().map(|plan| value(mean(plan, measure))));
    }
    let differences: Vec<_> = plans.iter().map(|plan| plan.against_first.get(&comparison.primary)).collect();
    if differences.iter().any(Option::is_some) {
        let cell = |difference: &Option<_>| {
            difference.map_or_else(String::new, |difference: &super::comparison::Difference| {
                format!("{}{}", signed(difference.mean), if is_significant(difference) { "*" } else { " " })
            })
        };
        grid.push("change ", differences.iter().map(cell));
    }
    if plans.iter().any(|plan| plan.latency_ms.is_some()) {
        let cell = |number: Option<f64>| number.map_or_else(|| NOTHING.to_string(), about);
        grid.push("p50 ms", plans.iter().map(|plan| cell(plan.latency_ms.map(|latency| latency.p50))));
        grid.push("p95 ms", plans.iter().map(|plan| cell(plan.latency_ms.map(|latency| latency.p95))));
    }
    if plans.iter().any(|plan| plan.queries_per_second.is_some()) {
        let cell = |plan: &PlanResult| plan.queries_per_second.map_or_else(|| NOTHING.to_string(), about);
        grid.push("queries/s", plans.iter().map(cell));
    }
    let mut after = Vec::new();
    if let Some(first) = plans.first().filter(|_| differences.iter().any(Option::is_some)) {
        after.push(format!(
            "change: {} against {}; * p < .05 in the t-test and in the randomisation test, both Holm-corrected",
            label(&comparison.primary),
            first.name
        ));
    }
    after.push(verdict(comparison));
    after.extend(comparison.conditions.iter().map(|condition| format!("note: {condition}")));
    after.extend(comparison.warnings.iter().map(|warning| format!("warning: {warning}")));
    after.retain(|line| !line.is_empty());
    Part { title: String::new(), before: head(comparison), grid, after }
}

fn head(comparison: &Comparison) -> Vec<String> {
    let statistics = &comparison.statistics;
    let mut facts = vec![queries(comparison.queries.len() as u64)];
    if let Some(num_documents) = statistics.num_documents {
        facts.push(format!("{} documents", count(num_documents)));
    }
    if statistics.num_judgments > 0 {
        facts.push(format!("{} judgments", count(statistics.num_judgments)));
        facts.push(format!("{:.1} relevant documents a query", statistics.relevant_per_query));
    }
    let mut lines = vec![format!("{}: {}", comparison.dataset, facts.join(", "))];
    if let Some(index) = &comparison.index {
        let mut facts = vec![index.folder.clone(), bytes(index.num_bytes)];
        facts.extend(index.models.iter().cloned());
        facts.extend(index.build_seconds.map(|seconds| format!("built in {} s", about(seconds))));
        lines.push(format!("index: {}", facts.join(", ")));
    }
    lines
}

fn significance(comparison: &Comparison) -> Option<Part> {
    let first = comparison.plans.first()?;
    let rows: Vec<Vec<String>> = comparison
        .plans
        .iter()
        .filter_map(|plan| plan.against_first.get(&comparison.primary).map(|difference| (plan, difference)))
        .map(|(plan, difference)| {
            vec![
                plan.name.clone(),
                signed(difference.mean),
                interval(difference.interval),
                probability(difference.p_t_test_holm),
                probability(difference.p_randomisation_holm),
                format!("{:+.2}", difference.effect_size),
                format!("{}/{}/{}", difference.wins, difference.ties, difference.losses),
            ]
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut grid =
        Grid::new(1, &["plan", "change", "95 % interval", "p t-test", "p random.", "Cohen's d", "wins/ties/losses"]);
    grid.rows = rows;
    Some(Part {
        title: format!("{} against {}, query by query", label(&comparison.primary), first.name),
        grid,
        after: vec!["p: two-sided, Holm-corrected over the plans".to_string()],
        ..Part::default()
    })
}

fn complementarity(comparison: &Comparison, rows: Vec<&Complementarity>) -> Part {
    let [first, second] = rows.first().map(|row| row.legs.clone()).unwrap_or_default();
    let best = format!("best {}", label(&comparison.primary));
    let (only_first, only_second) = (format!("only {first}"), format!("only {second}"));
    let mut grid = Grid::new(0, &["depth", &only_first, &only_second, "both", "neither", "recall", &best, "shared"]);
    for row in rows {
        grid.rows.push(vec![
            count(row.depth.into()),
            count(row.only_first),
            count(row.only_second),
            count(row.both),
            count(row.neither),
            value(row.recall),
            value(row.best_possible),
            percent(row.overlap),
        ]);
    }
    Part {
        title: format!("Relevant documents that {first} and {second} find"),
        grid,
        after: vec![format!("{best}: what a perfect fusion or re-ranker would reach on these candidates")],
        ..Part::default()
    }
}

fn reranking(comparison: &Comparison, worth: &RerankingWorth) -> Part {
    let measure = label(&comparison.primary);
    let mut grid =
        Grid::new(0, &["depth", "recall", &measure, "95 % interval of the gain", "gain", "lose", "stay", "added ms"]);
    for row in &worth.by_depth {
        let against = |text: String| if row.depth == 0 { String::new() } else { text };
        grid.rows.push(vec![
            if row.depth == 0 { "none".to_string() } else { row.depth.to_string() },
            against(value(row.candidate_recall)),
            value(row.mean),
            against(interval(row.interval)),
            against(percent(row.gain)),
            against(percent(row.lose)),
            against(percent(row.stay)),
            against(about(row.added_ms_p50)),
        ]);
    }
    let mut after = Vec::new();
    if !worth.recommendation.is_empty() {
        after.push(format!("recommendation: {}", worth.recommendation));
    }
    after.push(format!("probability that re-ranking is better than not: {}", percent(worth.confidence)));
    Part { title: format!("Is re-ranking worth it: {} ({})", worth.plan, worth.model), grid, after, ..Part::default() }
}

fn slices(comparison: &Comparison) -> Vec<Part> {
    let of = |table: super::wording::SliceTable<'_>| {
        let mut grid = Grid::new(1, &["plan"]);
        grid.rows = comparison.plans.iter().map(|plan| vec![plan.name.clone()]).collect();
        for (idx, (part, num_queries)) in table.parts.iter().enumerate() {
            let cells = table.means.iter().map(|means| value(means.get(idx).copied().unwrap_or(f64::NAN)));
            grid.push(format!("{part} (n={num_queries})"), cells);
        }
        Part { title: format!("{} by {}", label(&comparison.primary), table.by), grid, ..Part::default() }
    };
    slice_tables(comparison).into_iter().map(of).collect()
}

fn changed(comparison: &Comparison, plan: &PlanResult) -> Option<Part> {
    let first = comparison.plans.first()?;
    let (wins, losses) = wins_and_losses(plan, NUM_CHANGED);
    let mut grid = Grid::new(4, &["change", "query", "text", "document that moved most"]);
    for changed in wins.into_iter().chain(losses) {
        let Some(query) = comparison.queries.get(changed.query) else { continue };
        let moved = most_telling(changed).map(movement).unwrap_or_default();
        grid.rows.push(vec![signed(changed.difference), cut(&query.id, 12), cut(&query.text, 46), cut(&moved, 32)]);
    }
    if grid.rows.is_empty() {
        return None;
    }
    let title = format!("Where {} wins and loses most against {}", plan.name, first.name);
    Some(Part { title, grid, ..Part::default() })
}

/// The largest wins and the largest losses, so many of each at most.
pub(super) fn wins_and_losses(plan: &PlanResult, num: usize) -> (Vec<&ChangedQuery>, Vec<&ChangedQuery>) {
    let mut sorted: Vec<&ChangedQuery> = plan.changed.iter().collect();
    sorted.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
    let of =
        |keep: fn(f64) -> bool| sorted.iter().copied().filter(|changed| keep(changed.difference)).take(num).collect();
    (of(|difference| difference > 0.0), of(|difference| difference < 0.0))
}

/// The relevant document whose reciprocal rank changed most.
fn most_telling(changed: &ChangedQuery) -> Option<&MovedDocument> {
    let reciprocal = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / f64::from(rank.max(1)));
    let change = |moved: &MovedDocument| (reciprocal(moved.rank_after) - reciprocal(moved.rank_before)).abs();
    let relevant = changed.moved.iter().filter(|moved| moved.grade.is_some_and(|grade| grade > 0));
    relevant.max_by(|a, b| change(a).total_cmp(&change(b)))
}

/// `d17 (grade 2): 14 -> 2`.
fn movement(moved: &MovedDocument) -> String {
    let rank = |rank: Option<u32>| rank.map_or_else(|| NOTHING.to_string(), |rank| rank.to_string());
    let grade = moved.grade.map_or_else(|| "unjudged".to_string(), |grade| format!("grade {grade}"));
    format!("{} ({grade}): {} -> {}", cut(&moved.id, 14), rank(moved.rank_before), rank(moved.rank_after))
}
