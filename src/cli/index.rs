//! `bifocal index`.
//!
//! The input is read twice: first to check every record and to learn the fields (nothing is written), then to index. So
//! `--on-error fail` leaves the index as it was, long work knows how much is left, and commits on the way are safe.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{interrupt, progress};
use crate::error::Error;
use crate::index::{Applied, Checker, Index};
use crate::ingest::{self, Action, Fault, Format, Input, Operation};
use crate::models::Models;
use crate::schema::IndexDefinition;
use crate::schema::infer::{InferOptions, Observations};

/// Reads documents and makes or extends an index
///
/// Formats: JSON lines, Elasticsearch `_bulk` files, BEIR folders, JSON arrays, CSV and TSV, each plain, gzip or zstd; `-` is
/// standard input. A document whose `_id` exists replaces it; unchanged documents are left alone.
///
/// Without a mapping, types are taken from the documents and a semantic view of the text is added.
#[derive(Debug, Args, Default)]
#[command(
    after_help = "Example:\n  bifocal index books.idx corpus.jsonl\n  bifocal index books.idx corpus.jsonl --mapping mapping.yaml\n  zcat bulk.ndjson.gz | bifocal index books.idx - --on-error skip"
)]
pub(super) struct IndexArgs {
    /// The index's folder; made when it does not exist
    index: PathBuf,
    /// Files and folders, in this order; `-` for standard input
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// An Elasticsearch index body (`settings`, `mappings`) as JSON or YAML
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FORMAT",
        help = "How the inputs are read: jsonl, bulk, beir, json, csv or tsv; told from their content when absent"
    )]
    format: Option<Format>,
    /// The field that holds a document's id; `_id`, else `id`, when absent
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
    /// The longest record in bytes; longer ones are bad records
    #[arg(long, value_name = "BYTES")]
    max_record_bytes: Option<usize>,
    /// What a record that cannot be read or does not fit the mapping does: `fail` leaves the index as it was
    #[arg(long, value_enum, default_value_t = OnError::Fail)]
    on_error: OnError,
    /// The bi-encoder of the semantic view that is added without a mapping (see `bifocal models list`)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["mapping", "lexical_only"])]
    model: Option<String>,
    /// Adds no semantic view without a mapping
    #[arg(long, conflicts_with = "mapping")]
    lexical_only: bool,
    /// Writes documents again even if they are stored as they are
    #[arg(long)]
    rewrite: bool,
    /// Leaves the segments as they come, instead of merging them after most of the index was written
    #[arg(long)]
    no_compact: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

impl IndexArgs {
    /// As `bifocal index INDEX FOLDER` has them.
    pub(super) fn of_folder(index: &Path, folder: &Path) -> Self {
        Self { index: index.to_path_buf(), inputs: vec![folder.to_path_buf()], ..Self::default() }
    }

    /// With `--mapping`.
    pub(super) fn with_mapping(mut self, mapping: Option<&Path>) -> Self {
        self.mapping = mapping.map(Path::to_path_buf);
        self
    }

    /// With `--model`, or `--lexical-only`.
    pub(super) fn with_model(mut self, model: Option<&str>, lexical_only: bool) -> Self {
        self.model = model.map(str::to_string);
        self.lexical_only = lexical_only;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum OnError {
    /// Reports it and goes on
    Skip,
    /// Reports it and changes nothing
    #[default]
    Fail,
}

/// Operations that are done at once: enough for both cores, few enough for a quick answer to Ctrl-C.
const BATCH: usize = 512;
/// Longest time between two commits.
const COMMIT_EVERY: Duration = Duration::from_secs(30);
/// Bad records that are shown; the rest are counted.
const MAX_SHOWN_FAULTS: usize = 20;

pub(super) fn run(args: &IndexArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let started = Instant::now();
    let (index, applied, num_skipped) = build(args, models)?;
    report(args, &index, &applied, num_skipped, started)
}

/// Makes or extends the index; returns it with what was done and how many records were skipped.
pub(super) fn build(args: &IndexArgs, models: &Arc<Models>) -> anyhow::Result<(Index, Applied, u64)> {
    interrupt::install();
    let spooled = Inputs::new(&args.inputs)?;
    let existing = args.index.join("bifocal.json").exists();
    let given = args.mapping.as_deref().map(IndexDefinition::from_file).transpose()?;
    let mut created = None;
    let mut index = match (existing, &given) {
        (true, _) => Some(Index::open(&args.index, models.clone())?),
        (false, Some(definition)) => {
            let index = Index::create(&args.index, definition, models.clone())?;
            created = Some(RemoveOnDrop(args.index.clone()));
            Some(index)
        }
        (false, None) => None,
    };
    // A mapping for an existing index takes effect only when every record has been checked.
    let grown =
        given.filter(|definition| existing && index.as_ref().is_some_and(|index| &index.definition() != definition));
    let before = grown.clone().or_else(|| index.as_ref().map(Index::definition)).unwrap_or_default();
    let checker =
        index.as_ref().map(|index| index.checker(&before)).transpose().map_err(|error| match &args.mapping {
            Some(file) => error.in_file(file),
            None => error,
        })?;
    let checked = check(args, &spooled, checker.as_ref(), &before)?;
    if index.is_none() {
        let options = InferOptions { lexical_only: args.lexical_only, inference_id: args.model.clone() };
        index = Some(Index::create(&args.index, &checked.seen.first_definition(&options), models.clone())?);
        created = Some(RemoveOnDrop(args.index.clone()));
    } else if let Some(index) = index.as_ref().filter(|_| grown.is_some() || !checked.seen.is_empty()) {
        index.extend_definition(&checked.seen.extended_definition(&before)).map_err(|error| match &args.mapping {
            Some(file) => error.in_file(file),
            None => error,
        })?;
    }
    let index = index.ok_or_else(|| Error::internal("there is no index to write to"))?;
    let outcome = write(args, &spooled, &index, checked.num_operations, &mut created);
    let (applied, num_skipped) = outcome?;
    std::mem::forget(created);
    Ok((index, applied, num_skipped.max(checked.num_bad)))
}

/// Removes an index that was made by this run, unless something was committed to it.
struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

/// The inputs, which are read twice; standard input goes to a temporary file first.
struct Inputs {
    paths: Vec<PathBuf>,
    stdin: Option<tempfile::NamedTempFile>,
}

impl Inputs {
    fn new(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
        if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
            return Err(Error::invalid_input("standard input (`-`) is named twice").into());
        }
        let stdin = if paths.iter().any(is_stdin) {
            let mut file = tempfile::NamedTempFile::new().map_err(Error::from)?;
            std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(Error::from)?;
            file.flush().map_err(Error::from)?;
            Some(file)
        } else {
            None
        };
        Ok(Self { paths: paths.to_vec(), stdin })
    }

    fn open(&self, args: &IndexArgs) -> crate::Result<ingest::Operations> {
        let mut inputs = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            inputs.push(match &self.stdin {
                Some(file) if path.as_os_str() == "-" => {
                    let reader: Box<dyn Read + Send> = Box::new(fs_err::File::open(file.path())?);
                    Input::Reader { name: path.clone(), reader }
                }
                _ => Input::Path(path.clone()),
            });
        }
        let mut options = ingest::Options::default();
        options.id_field.clone_from(&args.id_field);
        options.format = args.format.unwrap_or(Format::Auto);
        if let Some(bytes) = args.max_record_bytes {
            options.max_record_bytes = bytes;
        }
        ingest::open(inputs, options)
    }
}

struct Checked {
    num_operations: u64,
    num_bad: u64,
    seen: Observations,
}

/// Reads everything once: bad records are reported, unknown fields are learnt, nothing is written.
fn check(
    args: &IndexArgs,
    inputs: &Inputs,
    checker: Option<&Checker>,
    definition: &IndexDefinition,
) -> anyhow::Result<Checked> {
    let mut checked = Checked { num_operations: 0, num_bad: 0, seen: Observations::default() };
    let mut faults = Faults { args, shown: 0, total: 0 };
    let mut operations = inputs.open(args)?;
    loop {
        interrupt::check()?;
        let (batch, ended) = next_batch(&mut operations, &mut faults)?;
        checked.num_operations += batch.len() as u64;
        for fault in check_batch(&batch, checker, definition, &mut checked.seen) {
            faults.show(&fault);
        }
        if ended {
            break;
        }
    }
    checked.num_bad = faults.total;
    if faults.total > 0 && args.on_error == OnError::Fail {
        let text = format!("{} bad records, nothing was indexed; mend them, or pass --on-error skip", faults.total);
        return Err(Error::invalid_input(text).into());
    }
    Ok(checked)
}

fn check_batch(
    batch: &[Operation],
    checker: Option<&Checker>,
    definition: &IndexDefinition,
    seen: &mut Observations,
) -> Vec<Error> {
    use rayon::prelude::*;
    let results: Vec<crate::Result<Observations>> = batch
        .par_iter()
        .map(|operation| {
            let mut seen = Observations::default();
            let source = match &operation.action {
                Action::Index(document) | Action::Create(document) => &document.source,
                Action::Update(partial) => &partial.fields,
                Action::Delete(_) => return Ok(seen),
            };
            let outcome = seen.observe(definition, source).and_then(|()| match checker {
                Some(checker) => checker.check(source),
                None => Ok(()),
            });
            outcome.map(|()| seen).map_err(|error| error.at(&operation.location))
        })
        .collect();
    let mut faults = Vec::new();
    for result in results {
        match result {
            Ok(observed) => seen.merge(observed),
            Err(error) => faults.push(error),
        }
    }
    faults
}

/// The next operations; bad records are shown. The flag says whether the input has ended.
fn next_batch(operations: &mut ingest::Operations, faults: &mut Faults<'_>) -> anyhow::Result<(Vec<Operation>, bool)> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH {
        match operations.next() {
            None => return Ok((batch, true)),
            Some(Ok(operation)) => batch.push(operation),
            Some(Err(Fault::Record(error))) => faults.show(&error),
            Some(Err(Fault::Input(error))) => return Err(error.into()),
        }
    }
    Ok((batch, false))
}

struct Faults<'a> {
    args: &'a IndexArgs,
    shown: usize,
    total: u64,
}

impl Faults<'_> {
    fn show(&mut self, error: &Error) {
        self.total += 1;
        if self.shown < MAX_SHOWN_FAULTS {
            self.shown += 1;
            let word = if self.args.on_error == OnError::Skip { "skipped" } else { "bad record" };
            eprintln!("{word}: {error}");
        } else if self.shown == MAX_SHOWN_FAULTS {
            self.shown += 1;
            eprintln!("... more are counted and not shown");
        }
    }
}

/// Indexes; returns what was done and how many records were skipped.
fn write(
    args: &IndexArgs,
    inputs: &Inputs,
    index: &Index,
    total: u64,
    created: &mut Option<RemoveOnDrop>,
) -> anyhow::Result<(Applied, u64)> {
    let mut writer = index.writer()?;
    if args.rewrite {
        writer = writer.rewriting_unchanged();
    }
    let bar = progress::bar(total, "documents");
    bar.set_message("indexing");
    let mut sum = Applied::default();
    let mut num_skipped = 0;
    let mut quiet = Faults { args, shown: MAX_SHOWN_FAULTS + 1, total: 0 };
    let mut operations = inputs.open(args)?;
    let mut last_commit = Instant::now();
    loop {
        if let Err(error) = interrupt::check() {
            writer.commit()?;
            std::mem::forget(created.take());
            writer.finish()?;
            return Err(error.into());
        }
        let (batch, ended) = next_batch(&mut operations, &mut quiet)?;
        bar.inc(batch.len() as u64);
        let mut applied = writer.apply(batch)?;
        for fault in std::mem::take(&mut applied.faults) {
            if args.on_error == OnError::Fail {
                return Err(anyhow::Error::from(fault)
                    .context("the input changed or contradicts itself; the index keeps its last commit"));
            }
            num_skipped += 1;
            bar.suspend(|| eprintln!("skipped: {fault}"));
        }
        sum.add(applied);
        if ended {
            break;
        }
        if last_commit.elapsed() >= COMMIT_EVERY {
            writer.commit()?;
            std::mem::forget(created.take());
            last_commit = Instant::now();
        }
    }
    bar.set_message("committing");
    writer.commit()?;
    std::mem::forget(created.take());
    if !args.no_compact && sum.num_indexed * 2 >= index.snapshot()?.num_documents() && sum.num_indexed > 0 {
        bar.set_message("compacting");
        writer.compact()?;
    }
    writer.finish()?;
    bar.finish_and_clear();
    Ok((sum, num_skipped + quiet.total))
}

fn report(
    args: &IndexArgs,
    index: &Index,
    applied: &Applied,
    num_skipped: u64,
    started: Instant,
) -> anyhow::Result<()> {
    let stats = index.snapshot()?.stats()?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        let value = json!({
            "indexed": applied.num_indexed,
            "unchanged": applied.num_unchanged,
            "deleted": applied.num_deleted,
            "skipped": num_skipped,
            "passages": applied.num_passages,
            "embedded": applied.num_embedded,
            "tokens": applied.num_tokens,
            "took_ms": (seconds * 1e3).round(),
            "documents": stats.documents,
            "segments": stats.segments,
            "bytes": stats.bytes,
        });
        say!("{value}");
        return Ok(());
    }
    let mut parts = vec![format!("indexed {} documents", applied.num_indexed)];
    for (count, what) in
        [(applied.num_unchanged, "unchanged"), (applied.num_deleted, "deleted"), (num_skipped, "skipped")]
    {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if applied.num_passages > 0 {
        parts.push(format!(
            "{} passages ({} embedded, {} from the cache)",
            applied.num_passages,
            applied.num_embedded,
            applied.num_passages.saturating_sub(applied.num_embedded)
        ));
    }
    eprintln!(
        "{} in {seconds:.1} s; {} holds {} documents, {:.1} MB",
        parts.join(", "),
        args.index.display(),
        stats.documents,
        stats.bytes as f64 / 1e6
    );
    Ok(())
}
