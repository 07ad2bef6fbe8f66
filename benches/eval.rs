//! Scoring a run: 1,000 queries, 1,000 documents deep, on all measures; and what significance costs.
//!
//! The run is made up and seeded: scores fall and tie now and then, 50 judged documents a query, a third of them relevant, with
//! grades to 3. It is handed over unsorted, as a hash map of another system might be. Left out: reading the run, which is timed by
//! itself from a TREC file of the same million lines.
//!
//! ```console
//! $ cargo bench --bench eval
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use bifocal::eval::dataset::Judgments;
use bifocal::eval::measures::Measure;
use bifocal::eval::run::{Run, ScoredDocument};
use bifocal::eval::scoring::{ScoringOptions, score};
use bifocal::eval::significance::difference;

const NUM_QUERIES: usize = 1_000;
const DEPTH: usize = 1_000;
const NUM_JUDGED: usize = 50;
const ROUNDS: usize = 5;

const ALL: &str = "ndcg,ndcg@5,ndcg@10,ndcg@100,ndcg@1000,p@1,p@5,p@10,p@20,p@100,recall@10,recall@50,recall@100,recall@1000,map,\
                   map@10,map@100,rr,rr@10,bpref,rprec,success@1,success@5,success@10,rbp,rbp(p=0.95),judged@10,judged@100,iprec,\
                   p(rel=2)@10,recall(rel=2)@100,map(rel=2),rr(rel=2),bpref(rel=2)";

fn made_up(seed: u64) -> (Run, Judgments, Vec<String>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut run, mut qrels, mut queries) =
        (Run { name: "made-up".to_string(), ..Run::default() }, HashMap::new(), vec![]);
    for number in 0..NUM_QUERIES {
        let query = format!("q{number}");
        let mut ranking: Vec<ScoredDocument> = (0..DEPTH)
            .map(|_| {
                let id = format!("document-{}", random.u32(..));
                ScoredDocument { id: id.as_str().into(), score: (random.f64() * 50_000.0).round() / 100.0 }
            })
            .collect();
        ranking.sort_by(|a, b| a.id.cmp(&b.id));
        ranking.dedup_by(|a, b| a.id == b.id);
        random.shuffle(&mut ranking);
        let judged = ranking.iter().step_by(DEPTH / NUM_JUDGED);
        let judged = judged.map(|document| (document.id.as_str().to_string(), (random.i32(-5..4)).max(0)));
        qrels.insert(query.clone(), judged.collect());
        run.rankings.insert(query.clone(), ranking);
        queries.push(query);
    }
    (run, qrels, queries)
}

/// The median of a few rounds, in milliseconds.
fn median_ms(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, {NUM_QUERIES} queries, {DEPTH} documents each");
    let measures = Measure::parse_list(ALL)?;
    let (mut run, qrels, queries) = made_up(1);
    let mut means = Vec::new();
    let unsorted = median_ms(|| {
        let scores = score(&run.rankings, &qrels, &queries, &measures, ScoringOptions::default());
        means = (0..measures.len()).map(|idx| scores.mean(idx)).collect();
    });
    println!("score/unsorted/{} measures   {unsorted:8.1} ms", measures.len());
    for ranking in run.rankings.values_mut() {
        bifocal::eval::run::sort_as_trec_eval(ranking);
    }
    let sorted = median_ms(|| {
        let scores = score(&run.rankings, &qrels, &queries, &measures, ScoringOptions::default());
        assert_eq!(means, (0..measures.len()).map(|idx| scores.mean(idx)).collect::<Vec<_>>());
    });
    println!("score/sorted/{} measures     {sorted:8.1} ms", measures.len());

    let mut text = Vec::new();
    run.write(&mut text)?;
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&text)?;
    let reading = median_ms(|| {
        let num_queries = Run::read(file.path()).map(|read| read.rankings.len());
        assert_eq!(num_queries.ok(), Some(NUM_QUERIES));
    });
    println!("read/{} MB                   {reading:8.1} ms", text.len() / 1_000_000);

    let mut random = fastrand::Rng::with_seed(3);
    let (before, after): (Vec<f64>, Vec<f64>) = (0..NUM_QUERIES).map(|_| (random.f64(), random.f64() + 0.02)).unzip();
    let mut found = difference(&before, &after);
    let testing = median_ms(|| found = difference(&before, &after));
    println!("difference                   {testing:8.1} ms   (p {:.3}, {:.3})", found.p_t_test, found.p_randomisation);
    Ok(())
}
