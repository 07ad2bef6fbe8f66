//! The formulas, as trec_eval 9 computes them (`m_ndcg_cut.c`, `m_map.c`, `m_bpref.c` and so on), operation by operation, so that
//! values agree to the last digit that is printed.
//!
//! Every measure needs only the places and grades of the *judged* documents in a ranking. These are found once a query; after
//! that each measure costs as much as there are judged documents, not retrieved ones.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Formula, Measure};
use crate::eval::run::{ScoredDocument, trec_eval_order};

/// `log2(rank + 1)` by rank from 1, as deep as most runs are.
static DISCOUNTS: LazyLock<Vec<f64>> = LazyLock::new(|| (0..2000_u32).map(|idx| f64::from(idx + 2).log2()).collect());

fn discount(idx: u32) -> f64 {
    DISCOUNTS.get(idx as usize).copied().unwrap_or_else(|| (f64::from(idx) + 2.0).log2())
}

/// A judged document in a ranking.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Its place, from 0.
    idx: u32,
    grade: i32,
}

/// What the measures need of one query.
struct Ranked {
    num_retrieved: u32,
    /// Best first.
    found: Vec<Found>,
    /// All grades of the query, highest first.
    grades: Vec<i32>,
}

/// As [`score_query`](super::score_query); a document with the id `without` counts neither as retrieved nor as judged.
pub(in crate::eval) fn score_ranking(
    measures: &[Measure],
    ranking: &[ScoredDocument],
    judged: &HashMap<String, i32>,
    without: Option<&str>,
) -> Vec<f64> {
    let ranked = rank(ranking, judged, without);
    let mut levels: Vec<AtLevel<'_>> = Vec::new();
    let mut values = Vec::with_capacity(measures.len());
    for measure in measures {
        let value = match measure.formula {
            Formula::Ndcg { k } => ranked.ndcg(cut(k)),
            Formula::Judged { k } => ranked.judged(cut(k)),
            Formula::Precision { rel, k } => {
                let level = level(&mut levels, &ranked, rel);
                count(level.num_within(k.get())) / f64::from(k.get())
            }
            Formula::Recall { rel, k } => level(&mut levels, &ranked, rel).recall(k.get()),
            Formula::AveragePrecision { rel, k } => level(&mut levels, &ranked, rel).average_precision(cut(k)),
            Formula::ReciprocalRank { rel, k } => level(&mut levels, &ranked, rel).reciprocal_rank(cut(k)),
            Formula::Bpref { rel } => level(&mut levels, &ranked, rel).bpref(),
            Formula::RPrecision { rel } => {
                let level = level(&mut levels, &ranked, rel);
                level.recall(level.num_relevant)
            }
            Formula::Success { rel, k } => {
                f64::from(u8::from(level(&mut levels, &ranked, rel).num_within(k.get()) > 0))
            }
            Formula::RankBiasedPrecision { rel, persistence, k } => {
                level(&mut levels, &ranked, rel).rank_biased_precision(persistence, cut(k))
            }
            Formula::InterpolatedPrecision { rel, recall } => {
                level(&mut levels, &ranked, rel).interpolated_precision(recall)
            }
        };
        values.push(value);
    }
    values
}

fn cut(k: Option<std::num::NonZeroU32>) -> u32 {
    k.map_or(u32::MAX, std::num::NonZeroU32::get)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn rank(ranking: &[ScoredDocument], judged: &HashMap<String, i32>, without: Option<&str>) -> Ranked {
    let counts = |document: &&ScoredDocument| without != Some(document.id.as_str());
    let is_sorted = ranking.is_sorted_by(|a, b| trec_eval_order(a, b).is_le());
    let grade = |document: &ScoredDocument| judged.get(document.id.as_str()).copied();
    let places = |(idx, document): (u32, &ScoredDocument)| Some(Found { idx, grade: grade(document)? });
    let found: Vec<Found> = if is_sorted {
        (0..).zip(ranking.iter().filter(counts)).filter_map(places).collect()
    } else {
        let mut sorted: Vec<&ScoredDocument> = ranking.iter().collect();
        sorted.sort_unstable_by(|a, b| trec_eval_order(a, b));
        (0..).zip(sorted.into_iter().filter(counts)).filter_map(places).collect()
    };
    let removed = without.map_or(0, |_| ranking.iter().filter(|document| !counts(document)).count());
    let num_retrieved = u32::try_from(ranking.len() - removed).unwrap_or(u32::MAX);
    let kept = judged.iter().filter(|(id, _)| without != Some(id.as_str()));
    let mut grades: Vec<i32> = kept.map(|(_, &grade)| grade).collect();
    grades.sort_unstable_by(|a, b| b.cmp(a));
    Ranked { num_retrieved, found, grades }
}

impl Ranked {
    fn ndcg(&self, k: u32) -> f64 {
        let gains = self.found.iter().take_while(|found| found.idx < k).filter(|found| found.grade > 0);
        let dcg: f64 = gains.fold(0.0, |sum, found| sum + f64::from(found.grade) / discount(found.idx));
        let ideal = (0..k).zip(self.grades.iter().take_while(|&&grade| grade > 0));
        let ideal: f64 = ideal.fold(0.0, |sum, (idx, &grade)| sum + f64::from(grade) / discount(idx));
        if ideal > 0.0 { dcg / ideal } else { 0.0 }
    }

    /// Source: ir_measures, `judged_provider.py`.
    fn judged(&self, k: u32) -> f64 {
        let looked_at = k.min(self.num_retrieved);
        if looked_at == 0 {
            return 0.0;
        }
        count(self.found.iter().take_while(|found| found.idx < k).count()) / f64::from(looked_at)
    }
}

/// A query seen with one lowest grade that counts as relevant.
struct AtLevel<'a> {
    rel: i32,
    ranked: &'a Ranked,
    num_relevant: u32,
    /// Places of the relevant documents, from 0, best first.
    places: Vec<u32>,
}

fn level<'a, 'b>(levels: &'b mut Vec<AtLevel<'a>>, ranked: &'a Ranked, rel: i32) -> &'b AtLevel<'a> {
    let position = levels.iter().position(|level| level.rel == rel).unwrap_or_else(|| {
        let num_relevant = ranked.grades.iter().take_while(|&&grade| grade >= rel).count();
        let places = ranked.found.iter().filter(|found| found.grade >= rel).map(|found| found.idx).collect();
        let num_relevant = u32::try_from(num_relevant).unwrap_or(u32::MAX);
        levels.push(AtLevel { rel, ranked, num_relevant, places });
        levels.len() - 1
    });
    &levels[position]
}

impl AtLevel<'_> {
    fn num_within(&self, k: u32) -> usize {
        self.places.partition_point(|&idx| idx < k)
    }

    fn over_relevant(&self, sum: f64) -> f64 {
        if self.num_relevant == 0 { 0.0 } else { sum / f64::from(self.num_relevant) }
    }

    fn recall(&self, k: u32) -> f64 {
        self.over_relevant(count(self.num_within(k)))
    }

    fn average_precision(&self, k: u32) -> f64 {
        let within = (1_u32..).zip(self.places.iter().take_while(|&&idx| idx < k));
        self.over_relevant(within.fold(0.0, |sum, (nth, &idx)| sum + f64::from(nth) / (f64::from(idx) + 1.0)))
    }

    fn reciprocal_rank(&self, k: u32) -> f64 {
        self.places.first().filter(|&&idx| idx < k).map_or(0.0, |&idx| 1.0 / (f64::from(idx) + 1.0))
    }

    /// Source: Buckley and Voorhees, SIGIR 2004, in the form of trec_eval's `m_bpref.c`: both counts are capped by the number of
    /// relevant documents. Documents with a grade below 0 are skipped.
    fn bpref(&self) -> f64 {
        let num_irrelevant = self.ranked.grades.iter().filter(|&&grade| grade >= 0 && grade < self.rel).count();
        let most = u32::try_from(num_irrelevant).unwrap_or(u32::MAX).min(self.num_relevant);
        let (mut above, mut sum) = (0_u32, 0.0);
        for found in self.ranked.found.iter().filter(|found| found.grade >= 0) {
            if found.grade < self.rel {
                above += 1;
            } else if above > 0 {
                sum += 1.0 - f64::from(above.min(self.num_relevant)) / f64::from(most);
            } else {
                sum += 1.0;
            }
        }
        self.over_relevant(sum)
    }

    /// Source: Moffat and Zobel, TOIS 27(1), 2008, with binary relevance.
    fn rank_biased_precision(&self, persistence: f64, k: u32) -> f64 {
        let within = self.places.iter().take_while(|&&idx| idx < k);
        (1.0 - persistence) * within.fold(0.0, |sum, &idx| sum + persistence.powf(f64::from(idx)))
    }

    /// Source: trec_eval's `m_iprec_at_recall.c`: recall is reached with `floor(recall * R + 0.9)` relevant documents.
    fn interpolated_precision(&self, recall: f64) -> f64 {
        let needed = (recall * f64::from(self.num_relevant) + 0.9).floor();
        let reached = (1_u32..).zip(&self.places).filter(|&(nth, _)| f64::from(nth) >= needed);
        reached.fold(0.0, |best, (nth, &idx)| f64::max(best, f64::from(nth) / (f64::from(idx) + 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::score_query;
    use super::*;
    use crate::eval::dataset::read_qrels;
    use crate::eval::run::Run;
    use crate::eval::scoring::{Average, ScoringOptions, score};

    fn fixtures(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file)
    }

    /// The measures that a recorded file names in its first line, and its other lines.
    fn recorded(file: &str) -> (Vec<Measure>, Vec<String>) {
        let mut text = String::new();
        let packed = fs_err::File::open(fixtures(file)).unwrap();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        let mut lines = text.lines().map(str::to_string);
        let first: HashMap<String, Vec<String>> = serde_json::from_str(&lines.next().unwrap()).unwrap();
        (first["measures"].iter().map(|name| name.parse().unwrap()).collect(), lines.collect())
    }

    fn assert_same(measures: &[Measure], found: &[f64], expected: &[f64], place: &str) {
        assert_eq!(measures.len(), expected.len());
        for ((measure, found), expected) in measures.iter().zip(found).zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{place}: {measure} is {found}, recorded {expected}");
            assert_eq!(format!("{found:.4}"), format!("{expected:.4}"), "{place}: {measure}");
        }
    }

    #[derive(Deserialize)]
    struct Generated {
        qrels: HashMap<String, HashMap<String, i32>>,
        run: HashMap<String, HashMap<String, f64>>,
        values: HashMap<String, Vec<f64>>,
    }

    fn ranking(scores: &HashMap<String, f64>) -> Vec<ScoredDocument> {
        scores.iter().map(|(id, &score)| ScoredDocument { id: id.as_str().into(), score }).collect()
    }

    #[test]
    fn generated_runs_score_as_in_pytrec_eval() {
        let (measures, lines) = recorded("trec_eval/generated.jsonl.gz");
        let (mut num_ties, mut num_negative, mut num_unjudged, mut num_missing, mut num_empty) = (0, 0, 0, 0, 0);
        for (number, line) in lines.iter().enumerate() {
            let one: Generated = serde_json::from_str(line).unwrap();
            for (query, expected) in &one.values {
                let (scores, judged) = (&one.run[query], &one.qrels[query]);
                let found = score_query(&measures, &ranking(scores), judged);
                assert_same(&measures, &found, expected, &format!("run {number}, query {query}"));
                #[expect(clippy::cast_possible_truncation, reason = "ties are those of single precision")]
                let distinct: std::collections::HashSet<u32> =
                    scores.values().map(|&score| (score as f32).to_bits()).collect();
                num_ties += usize::from(distinct.len() < scores.len());
                num_negative += usize::from(judged.values().any(|&grade| grade < 0));
                num_unjudged += usize::from(scores.keys().any(|id| !judged.contains_key(id)));
                num_empty += usize::from(scores.is_empty());
            }
            num_missing += one.qrels.keys().filter(|query| !one.run.contains_key(*query)).count();
        }
        assert!(lines.len() >= 1000, "{} runs", lines.len());
        for (what, num) in [("ties", num_ties), ("negative", num_negative), ("unjudged", num_unjudged)] {
            assert!(num > 300, "only {num} queries with {what}");
        }
        assert!(num_missing > 50 && num_empty > 20, "missing {num_missing}, empty {num_empty}");
    }

    #[derive(Deserialize)]
    struct Recorded {
        query: String,
        values: Vec<f64>,
    }

    #[test]
    fn a_real_run_scores_as_in_pytrec_eval() {
        let (measures, lines) = recorded("trec_eval/cranfield.jsonl.gz");
        let lines: Vec<Recorded> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let run = Run::read(&fixtures("trec_eval/cranfield.run.gz")).unwrap();
        let qrels = read_qrels(&fixtures("cranfield/qrels/test.tsv")).unwrap();
        let queries: Vec<String> = lines.iter().map(|line| line.query.clone()).collect();
        for average in [Average::Judged, Average::Retrieved] {
            let options = ScoringOptions { average, remove_own: false };
            let scores = score(&run.rankings, &qrels, &queries, &measures, options);
            for (idx, line) in lines.iter().enumerate() {
                let found: Vec<f64> = scores.values.iter().map(|values| values[idx]).collect();
                assert_same(&measures, &found, &line.values, &format!("query {}", line.query));
            }
        }
        assert_eq!(lines.len(), 225);
    }

    #[test]
    fn values_are_those_written_out() {
        let ranking: Vec<ScoredDocument> = (0..4)
            .zip(["a", "x", "b", "c"])
            .map(|(idx, id)| ScoredDocument { id: id.into(), score: f64::from(10 - idx) })
            .collect();
        let judged = [("a", 2), ("b", 1), ("c", 0), ("d", 1), ("e", -1)];
        let judged: HashMap<String, i32> = judged.iter().map(|&(id, grade)| (id.to_string(), grade)).collect();
        let written_out = [
            ("ndcg@3", (2.0 + 1.0 / 4.0_f64.log2()) / (2.0 + 1.0 / 3.0_f64.log2() + 1.0 / 4.0_f64.log2())),
            ("ap", (1.0 + 2.0 / 3.0) / 3.0),
            ("rr(rel=1)@1", 1.0),
            ("bpref", 2.0 / 3.0),
            ("rprec", 2.0 / 3.0),
            ("rbp(p=0.5)", 0.5 * (1.0 + 0.25)),
            ("rbp(p=0.5)@2", 0.5),
            ("judged@2", 0.5),
            ("judged@100", 3.0 / 4.0),
            ("p(rel=2)@2", 0.5),
            ("r(rel=3)@2", 0.0),
            ("success(rel=2)@1", 1.0),
            ("iprec@0.5", 2.0 / 3.0),
        ];
        for (name, expected) in written_out {
            let value = score_query(&[name.parse().unwrap()], &ranking, &judged)[0];
            assert!((value - expected).abs() < 1e-12, "{name}: {value} {expected}");
        }
        let all = Measure::parse_list("ndcg,map,rr,bpref,rprec,rbp,judged,p@1,recall@1,success@1,iprec@0").unwrap();
        assert!(score_query(&all, &[], &judged).iter().all(|&value| value == 0.0));
        assert!(score_query(&all, &[], &HashMap::new()).iter().all(|&value| value == 0.0));
    }

    proptest! {
        #[test]
        fn values_are_shares_the_order_of_the_list_does_not_matter_and_the_ideal_is_one(
            documents in proptest::collection::btree_map("[a-z]{1,3}", (-1..4_i32, any::<bool>(), 0..5_u8), 1..40),
            seed in any::<u64>(),
        ) {
            let all = Measure::parse_list(
                "ndcg,ndcg@5,p@5,p(rel=2)@5,recall@5,map,map@5,rr,rr@3,bpref,bpref(rel=2),rprec,success@3,rbp,judged@5,iprec",
            ).unwrap();
            let mut run: Vec<ScoredDocument> = documents.iter().filter(|(_, (_, found, _))| *found)
                .map(|(id, (_, _, score))| ScoredDocument { id: id.as_str().into(), score: f64::from(*score) }).collect();
            let judged: HashMap<String, i32> =
                documents.iter().map(|(id, (grade, ..))| (id.clone(), *grade)).collect();
            let values = score_query(&all, &run, &judged);
            prop_assert!(values.iter().all(|value| (0.0..=1.0 + 1e-12).contains(value)), "{values:?}");
            fastrand::Rng::with_seed(seed).shuffle(&mut run);
            prop_assert_eq!(score_query(&all, &run, &judged), values);
            let ideal: Vec<ScoredDocument> = judged.iter()
                .map(|(id, &grade)| ScoredDocument { id: id.as_str().into(), score: f64::from(grade) }).collect();
            if judged.values().any(|&grade| grade > 0) {
                let best = Measure::parse_list("ndcg,ndcg@5,map,rr,bpref,rprec,success@1,iprec@1").unwrap();
                for (measure, value) in best.iter().zip(score_query(&best, &ideal, &judged)) {
                    prop_assert!((value - 1.0).abs() < 1e-12, "{measure} {value}");
                }
            }
        }
    }
}
