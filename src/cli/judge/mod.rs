//! `bifocal judge`: pools what plans find and serves the page on which a person judges it.
//!
//! In: an index, queries, plans and runs. Out: a qrels file, written by [`crate::eval::judge`]. [`server`] answers the page, [`view`]
//! makes what it shows. The page never learns which plan found a document, at which rank, or with which score.

mod server;
mod view;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{interrupt, progress};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::eval::judge::{Order, Progress, QrelsFile, Session, pool, read_topics};
use crate::eval::run::{Run, sort_as_trec_eval};
use crate::index::Index;
use crate::models::Models;
use crate::plan::Plan;
use crate::retrieve::Searcher;
use crate::search::batch::run_queries;

/// Makes judgments: pools what several plans find and serves a page on which you grade it
///
/// The best documents of each plan are pooled for each query and shown in an order that hides who found them. Every grade is on
/// disk at once, as TREC qrels; the same command goes on where you stopped. Judgments of other queries in the file are kept.
/// The page is for this machine only: over ssh, forward its port (`ssh -L 8417:localhost:8417 HOST`, with --port 8417).
///
/// How many: lexical, dense and hybrid to depth 5 gave 8.5 pairs a query on Cranfield, to depth 10 16.6. Fifty queries to depth 5
/// are an hour's work at eight seconds a pair.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal judge books.idx --queries queries.jsonl --plans lexical,dense,hybrid --depth 5 --qrels books.qrels\n  bifocal judge books.idx --queries queries.jsonl --run old-system.run --qrels books.qrels --grades \"off topic,related,answers it\""
)]
pub(super) struct JudgeArgs {
    /// The index's folder
    index: PathBuf,
    /// Queries: JSON lines with `_id` and `text`, `id<TAB>text` lines, or TREC topics. A `description` and `narrative` are shown too
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// The file that judgments go to, and are read from when it exists
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,
    /// Plans to pool: names or files, with commas. When absent: lexical, and dense and hybrid where the index has one semantic field
    #[arg(long)]
    plans: Option<String>,
    /// TREC runs of other systems that join the pool; may be given several times
    #[arg(long, value_name = "FILE")]
    run: Vec<PathBuf>,
    /// Documents of each plan and run that are judged for a query; the work grows with it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    depth: u16,
    /// The highest grade (1 to 9), or the grades' names from 0 on, with commas
    #[arg(long, default_value = "3", value_parser = Grades::parse)]
    grades: Grades,
    /// Which pairs come first: a query's all together, or one of each query in turn
    #[arg(long, value_enum, default_value_t = OrderArg::ByQuery)]
    order: OrderArg,
    /// Shuffles the documents of a query; the same seed gives the same order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The port of the page on this machine; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// What a person takes for an abstract, roughly; only the first estimate uses it.
const SECONDS_PER_PAIR: usize = 8;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OrderArg {
    /// A query's pairs together: quickest, as a query is read once
    ByQuery,
    /// One pair of each query in turn: wherever you stop, every query has about as many judgments
    Interleaved,
}

/// The grades' names; a grade is its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grades(Vec<String>);

impl Grades {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        let names: Vec<String> = match text.trim().parse::<u8>() {
            Ok(1) => names(&["not relevant", "relevant"]),
            Ok(2) => names(&["not relevant", "partly relevant", "relevant"]),
            Ok(3) => names(&["not relevant", "related", "relevant", "perfect"]),
            Ok(highest @ 4..=9) => (0..=highest)
                .map(|grade| match grade {
                    0 => "not relevant".to_string(),
                    _ if grade == highest => "perfect".to_string(),
                    _ => format!("grade {grade}"),
                })
                .collect(),
            Ok(_) => return Err("the highest grade is 1 to 9".to_string()),
            Err(_) => text.split(',').map(|name| name.trim().to_string()).collect(),
        };
        if !(2..=10).contains(&names.len()) || names.iter().any(String::is_empty) {
            return Err("expected the highest grade (1 to 9), or 2 to 10 names with commas".to_string());
        }
        Ok(Self(names))
    }
}

pub(super) fn run(args: &JudgeArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    interrupt::install();
    let searcher = Searcher::open(&Index::open(&args.index, models.clone())?)?;
    let topics = read_topics(&args.queries)?;
    // The lock comes before the work: a second session on one file hears so at once.
    let (file, repairs) = QrelsFile::open(&args.qrels)?;
    for repair in repairs {
        eprintln!("note: {repair}");
    }
    let plans = plans(args, &searcher)?;
    let queries: Vec<(String, String)> = topics.iter().map(|topic| (topic.id.clone(), topic.text.clone())).collect();
    let pools = pools(args, &searcher, models, &queries, &plans)?;
    let order = match args.order {
        OrderArg::ByQuery => Order::ByQuery,
        OrderArg::Interleaved => Order::Interleaved,
    };
    let num_grades = u8::try_from(args.grades.0.len())?;
    let session = Session::new(topics, pools, order, num_grades, file)?;
    let progress = session.progress();
    writeln!(std::io::stdout(), "{}{}", summary(progress), estimate(progress))?;
    let next_steps = next_steps(args, &plans);
    let progress = server::serve(args.port, searcher, session, args.grades.0.clone(), next_steps.clone())?;
    let mut out = std::io::stdout();
    writeln!(out, "\n{}; they are in {}", summary(progress), args.qrels.display())?;
    if progress.num_judged > 0 {
        writeln!(out, "what next:\n  {}", next_steps.join("\n  "))?;
    }
    Ok(())
}

/// What the rest may take, for people who choose a depth.
fn estimate(progress: Progress) -> String {
    let left = progress.num_pairs - progress.num_judged;
    match left * SECONDS_PER_PAIR / 60 {
        _ if left == 0 => String::new(),
        0 | 1 => format!("; at {SECONDS_PER_PAIR} seconds a pair the rest takes two minutes at most"),
        minutes @ 2..120 => format!("; at {SECONDS_PER_PAIR} seconds a pair the rest takes about {minutes} minutes"),
        minutes => format!("; at {SECONDS_PER_PAIR} seconds a pair the rest takes about {} hours", (minutes + 30) / 60),
    }
}

fn summary(progress: Progress) -> String {
    let Progress { num_judged, num_pairs, num_topics_done, num_topics, .. } = progress;
    format!("{num_judged} of {num_pairs} pairs judged, {num_topics_done} of {num_topics} queries complete")
}

fn plans(args: &JudgeArgs, searcher: &Searcher) -> Result<Vec<Plan>> {
    let has_dense = searcher.plan_context(None).default_dense_field.is_some();
    let default = match (has_dense, args.run.is_empty()) {
        (true, _) => "lexical,dense,hybrid",
        (false, true) => "lexical",
        (false, false) => "",
    };
    let names = args.plans.as_deref().unwrap_or(default).split(',').map(str::trim).filter(|name| !name.is_empty());
    let plans: Vec<Plan> = names.map(Plan::parse).collect::<Result<_>>()?;
    if plans.is_empty() && args.run.is_empty() {
        return Err(Error::invalid_plan("--plans names no plan, and there is no --run; nothing can be pooled"));
    }
    Ok(plans)
}

/// The pool of each query.
fn pools(
    args: &JudgeArgs,
    searcher: &Searcher,
    models: &Models,
    queries: &[(String, String)],
    plans: &[Plan],
) -> anyhow::Result<Vec<Vec<DocumentId>>> {
    let depth = usize::from(args.depth);
    let mut rankings: Vec<Vec<Vec<DocumentId>>> = vec![Vec::new(); queries.len()];
    for plan in plans {
        let answers = search(searcher, models, queries, plan, depth)?;
        rankings.iter_mut().zip(answers).for_each(|(rankings, answer)| rankings.push(answer));
    }
    for file in &args.run {
        let answers = of_run(file, searcher, queries, depth)?;
        rankings.iter_mut().zip(answers).for_each(|(rankings, answer)| rankings.push(answer));
    }
    let mut num_left_out = 0;
    let mut pools = Vec::with_capacity(queries.len());
    for ((id, _), rankings) in queries.iter().zip(&rankings) {
        let rankings: Vec<&[DocumentId]> = rankings.iter().map(Vec::as_slice).collect();
        let mut pool = pool(&rankings, depth, args.seed, id);
        let before = pool.len();
        pool.retain(|document| !document.as_str().contains(char::is_whitespace));
        num_left_out += before - pool.len();
        pools.push(pool);
    }
    if num_left_out > 0 {
        eprintln!(
            "warning: {num_left_out} documents are left out: their ids have white space, which qrels cannot hold"
        );
    }
    let num_empty = pools.iter().filter(|pool| pool.is_empty()).count();
    if num_empty > 0 {
        eprintln!("warning: nothing was found for {num_empty} of {} queries", queries.len());
    }
    Ok(pools)
}

/// The first `depth` documents of each query under a plan.
fn search(
    searcher: &Searcher,
    models: &Models,
    queries: &[(String, String)],
    plan: &Plan,
    depth: usize,
) -> anyhow::Result<Vec<Vec<DocumentId>>> {
    let mut plan = plan.clone();
    plan.size = Some(depth);
    let resolved = plan.resolve(&searcher.plan_context(models.default_cross_encoder()))?;
    let bar = progress::bar(queries.len() as u64, "queries").with_message(resolved.name.clone());
    let mut answers = Vec::with_capacity(queries.len());
    // A cross-encoder takes seconds a query: the bar must move, and Ctrl-C be heard.
    let batch = if resolved.rerank.is_some() { 4 } else { 256 };
    for chunk in queries.chunks(batch) {
        interrupt::check()?;
        for ((query, _), response) in chunk.iter().zip(run_queries(searcher, models, chunk, None, &resolved)?) {
            for warning in &response.warnings {
                bar.suspend(|| eprintln!("warning: query {query}: {}", warning.message));
            }
            answers.push(response.hits.into_iter().map(|hit| hit.id).collect());
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(answers)
}

/// The first `depth` documents of each query in a run, those that the index lacks left out and counted.
fn of_run(
    file: &Path,
    searcher: &Searcher,
    queries: &[(String, String)],
    depth: usize,
) -> anyhow::Result<Vec<Vec<DocumentId>>> {
    let mut run = Run::read(file)?;
    let mut is_known: HashMap<DocumentId, bool> = HashMap::new();
    let mut answers = Vec::with_capacity(queries.len());
    for (query, _) in queries {
        let mut ranking = run.rankings.remove(query).unwrap_or_default();
        sort_as_trec_eval(&mut ranking);
        let mut answer = Vec::with_capacity(depth.min(ranking.len()));
        for document in ranking.into_iter().take(depth) {
            let known = match is_known.get(&document.id) {
                Some(known) => *known,
                None => searcher.locate(&document.id)?.is_some(),
            };
            is_known.insert(document.id.clone(), known);
            if known {
                answer.push(document.id);
            }
        }
        answers.push(answer);
    }
    let missing: HashSet<&DocumentId> =
        is_known.iter().filter(|(_, known)| !**known).map(|(document, _)| document).collect();
    if let Some(first) = missing.iter().min() {
        let (file, count) = (file.display(), missing.len());
        eprintln!("warning: {file}: the index lacks {count} of its documents ({first:?} is one); they are left out");
    }
    if !run.rankings.is_empty() {
        let (file, count) = (file.display(), run.rankings.len());
        eprintln!("warning: {file}: {count} of its queries are not in the file of queries; they are left out");
    }
    Ok(answers)
}

/// The commands that use what was judged.
fn next_steps(args: &JudgeArgs, plans: &[Plan]) -> Vec<String> {
    let (index, queries, qrels) = (quoted(&args.index), quoted(&args.queries), quoted(&args.qrels));
    let names: Vec<&str> = plans.iter().filter_map(|plan| plan.name.as_deref()).collect();
    let written = args.plans.clone().unwrap_or_else(|| names.join(","));
    let mut eval = format!("bifocal eval --qrels {qrels} --queries {queries} --index {index}");
    if !written.is_empty() {
        eval.push_str(&format!(" --plans {}", quoted(Path::new(&written))));
    }
    for run in &args.run {
        eval.push_str(&format!(" --run {}", quoted(run)));
    }
    let tune =
        format!("bifocal tune --qrels {qrels} --queries {queries} --index {index} --plan hybrid --out tuned.json");
    vec![eval, tune]
}

/// A word of a shell's command line.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |char: char| char.is_alphanumeric() || "_-./,=:+@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_a_number_or_names() {
        let names = |text: &str| Grades::parse(text).map(|grades| grades.0.join("|"));
        assert_eq!(names("3").unwrap(), "not relevant|related|relevant|perfect");
        assert_eq!(names("1").unwrap(), "not relevant|relevant");
        assert_eq!(names("5").unwrap().split('|').count(), 6);
        assert_eq!(names("no, a bit ,yes").unwrap(), "no|a bit|yes");
        for wrong in ["0", "10", "", "only", "a,,b", "a,b,c,d,e,f,g,h,i,j,k"] {
            assert!(names(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn words_of_a_command_line_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted(Path::new("a/b-c.qrels")), "a/b-c.qrels");
        assert_eq!(quoted(Path::new("my plan's.json")), r"'my plan'\''s.json'");
        assert_eq!(quoted(Path::new("$HOME")), "'$HOME'");
    }
}
