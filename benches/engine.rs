//! The whole engine, one client in the process: indexing, latency of each plan, size on disk, memory.
//!
//! ```text
//! cargo bench --bench engine                                         # fixtures/cranfield
//! cargo bench --bench engine -- ../shared/collections/vaswani_npl    # BEIR folders; also BIFOCAL_BENCH_DATASETS=A,B
//! cargo bench --bench engine -- --passages 200000 A B                # and a corpus of that size, spliced from theirs
//! ```
//!
//! | option (environment) | |
//! |---|---|
//! | `--models A,B` (`BIFOCAL_BENCH_MODELS`) | bi-encoders to embed with; both shipped ones when absent |
//! | `--passages N` (`BIFOCAL_BENCH_PASSAGES`) | passages of the spliced corpus; 0, none, when absent |
//! | `--export FOLDER` (`BIFOCAL_BENCH_EXPORT`) | writes vectors and figures there, for `benches/compare/peers.py` |
//!
//! **Indexing** is the time from opening the file to the last merge, with the mapping that `bifocal index` infers; without
//! vectors, with vectors for the first time, and again into an empty folder with the vectors from the cache. Cache and indexes
//! lie in `bench-cache/` of the target folder; the first time is noted there and printed again by later runs. Delete
//! it to measure embedding again.
//!
//! **Latency** is one `search_resolved` after another for the top 100 with ids and provenance (`Fetch::Ids`), over the
//! collection's queries in rounds after one that does not count. *vectors given*: the query's vector comes with the request.
//! *from the text*: the bi-encoder runs. Stage times are the medians of what the responses say.
//!
//! **The spliced corpus**: a passage is three to five sentences drawn from the collections; its vector is that of a passage of
//! theirs plus 0.6 times the difference of two others, normalised: new points with the real ones' spread. Queries are the
//! collections' own. Everything comes from one seed. Recall is of the dense leg's walk against its exact search.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "statistics of small numbers")]

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bifocal::document::Document;
use bifocal::eval::dataset::read_queries;
use bifocal::fuse::{FusedCandidate, LegPart};
use bifocal::index::dense::simd_level;
use bifocal::ingest::{self, Action, Input, Operation};
use bifocal::models::{ModelOptions, Models};
use bifocal::plan::{Leg, Plan, ResolvedPlan};
use bifocal::rerank::RerankedCandidate;
use bifocal::respond::{Hit, LegProvenance, Provenance, SearchResponse};
use bifocal::retrieve::PassageMatch;
use bifocal::schema::IndexDefinition;
use bifocal::schema::infer::{InferOptions, Observations};
use bifocal::search::{Fetch, search_resolved};
use bifocal::{Index, Location, SearchRequest, Searcher};
use serde_json::{Value, json};
use tantivy::DocAddress;

const DEPTH: usize = 100;
/// Searches that a latency is made of, at least.
const NUM_SEARCHES: usize = 1000;
const BATCH: usize = 512;
const SHIPPED: &str = "all-MiniLM-L6-v2,bge-small-en-v1.5";
const SEED: u64 = 20_260_101;
/// Changes when the spliced corpus or the index format does.
const CACHE_VERSION: u32 = 1;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--memory-of") {
        return memory_of(&arguments.collect::<Vec<_>>());
    }
    let options = Options::read(first.into_iter().chain(arguments));
    println!("cpu       {}", cpu_model());
    println!("cores     {}", std::thread::available_parallelism().map_or(1, usize::from));
    println!("simd      {}", simd_level());
    let mut figures = Vec::new();
    let mut given = Vec::new();
    for dataset in &options.datasets {
        lexical_only(dataset, &mut figures);
        for (idx, model) in options.models.iter().enumerate() {
            let vectors = with_vectors(dataset, model, &options, &mut figures);
            if idx == 0 {
                given.push(vectors);
            }
        }
    }
    if options.passages > 0 {
        spliced(&options, &given, &mut figures);
    }
    if let Some(folder) = &options.export {
        let text = serde_json::to_string_pretty(&figures).unwrap();
        fs_err::write(folder.join("engine.json"), text).unwrap();
    }
}

struct Options {
    datasets: Vec<Dataset>,
    models: Vec<String>,
    passages: usize,
    export: Option<PathBuf>,
}

struct Dataset {
    name: String,
    folder: PathBuf,
    queries: Vec<(String, String)>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut folders = Vec::new();
        let mut models = variable("BIFOCAL_BENCH_MODELS");
        let mut passages = variable("BIFOCAL_BENCH_PASSAGES");
        let mut export = variable("BIFOCAL_BENCH_EXPORT");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--models" => models = arguments.next(),
                "--passages" => passages = arguments.next(),
                "--export" => export = arguments.next(),
                // What cargo passes, `--bench`.
                flag if flag.starts_with('-') => {}
                _ => folders.push(argument),
            }
        }
        if folders.is_empty() {
            let given = variable("BIFOCAL_BENCH_DATASETS").unwrap_or_else(|| "fixtures/cranfield".to_string());
            folders = given.split(',').map(str::to_string).collect();
        }
        let export = export.map(PathBuf::from);
        if let Some(folder) = &export {
            fs_err::create_dir_all(folder).unwrap();
        }
        Self {
            datasets: folders.iter().map(|folder| Dataset::open(Path::new(folder))).collect(),
            models: models.unwrap_or_else(|| SHIPPED.to_string()).split(',').map(str::to_string).collect(),
            passages: passages.map_or(0, |passages| passages.parse().unwrap()),
            export,
        }
    }
}

impl Dataset {
    fn open(folder: &Path) -> Self {
        let folder = fs_err::canonicalize(folder).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let queries = read_queries(&folder.join("queries.jsonl")).unwrap();
        Self { name, folder, queries }
    }

    fn operations(&self) -> impl Iterator<Item = Operation> + use<> {
        let input = Input::Path(self.folder.join("corpus.jsonl"));
        ingest::open(vec![input], ingest::Options::default()).unwrap().map(Result::unwrap)
    }

    /// The mapping that `bifocal index` infers.
    fn definition(&self, model: Option<&str>) -> IndexDefinition {
        let mut seen = Observations::default();
        for operation in self.operations() {
            if let Action::Index(document) = &operation.action {
                seen.observe(&IndexDefinition::default(), &document.source).unwrap();
            }
        }
        seen.first_definition(&InferOptions { lexical_only: model.is_none(), inference_id: model.map(str::to_string) })
    }
}

/// Vectors of passages and of queries (with their texts) by one model.
struct Vectors {
    passages: Vec<Vec<f32>>,
    queries: Vec<(String, Vec<f32>)>,
}

fn lexical_only(dataset: &Dataset, figures: &mut Vec<Value>) {
    println!("\n{}, {} queries", dataset.name, dataset.queries.len());
    let models = models(None);
    let folder = cache_folder().join("lexical.idx");
    let (num_documents, took) = build(&folder, &dataset.definition(None), &models, dataset.operations()).unwrap();
    let rate = num_documents as f64 / took.as_secs_f64();
    let stats = Searcher::open(&Index::open(&folder, models).unwrap()).unwrap().stats().unwrap();
    println!(
        "{:<34}{num_documents} documents in {:.2} s, {rate:.0} a second, {}",
        "index without vectors",
        took.as_secs_f64(),
        megabytes(stats.bytes)
    );
    figures.push(json!({"dataset": dataset.name, "what": "index without vectors", "documents_per_second": rate, "bytes": stats.bytes}));
}

fn with_vectors(dataset: &Dataset, model: &str, options: &Options, figures: &mut Vec<Value>) -> Vectors {
    println!("{model}");
    let cache = cache_folder().join(format!("embeddings-{}-{model}", dataset.name));
    let first_time = cache.join("first.txt");
    let definition = dataset.definition(Some(model));
    let folder = cache_folder().join(format!("{}-{model}.idx", dataset.name));
    if !first_time.exists() {
        remove(&cache);
        fs_err::create_dir_all(&cache).unwrap();
        let (num_documents, took) = build(&folder, &definition, &models(Some(&cache)), dataset.operations()).unwrap();
        let rate = num_documents as f64 / took.as_secs_f64();
        fs_err::write(
            &first_time,
            format!("{num_documents} documents in {:.1} s, {rate:.0} a second", took.as_secs_f64()),
        )
        .unwrap();
    }
    println!("  {:<32}{}", "index, embedding", fs_err::read_to_string(&first_time).unwrap());
    let models = models(Some(&cache));
    let (num_documents, took) = build(&folder, &definition, &models, dataset.operations()).unwrap();
    let rate = num_documents as f64 / took.as_secs_f64();
    let index = Index::open(&folder, models.clone()).unwrap();
    let searcher = Searcher::open(&index).unwrap();
    let stats = searcher.stats().unwrap();
    println!(
        "  {:<32}{num_documents} documents in {:.2} s, {rate:.0} a second",
        "index, vectors from the cache",
        took.as_secs_f64()
    );
    println!("  {:<32}{}: {} passages, {} segments", "on disk", megabytes(stats.bytes), stats.passages, stats.segments);
    let field = searcher.plan_context(None).default_dense_field.unwrap();
    let texts: Vec<&str> = dataset.queries.iter().map(|(_, text)| text.as_str()).collect();
    let embedded = searcher.encoder(&field).unwrap().embed_queries(&texts).unwrap();
    let texts = texts.into_iter().map(str::to_string);
    let vectors = Vectors {
        passages: stored_vectors(&searcher, &field).into_iter().map(|(_, vector)| vector).collect(),
        queries: texts.zip(embedded.rows().map(<[f32]>::to_vec)).collect(),
    };
    let mut push = |what: &str, times: &Times| {
        figures.push(json!({"dataset": dataset.name, "model": model, "what": what, "p50_ms": times.quantile(0.5), "p95_ms": times.quantile(0.95)}));
    };
    for name in ["lexical", "dense", "hybrid"] {
        let times = latency(&searcher, &models, &plan(&searcher, name, false), &requests(&vectors.queries, &field));
        println!("  {:<32}{times}", format!("{name}, vectors given"));
        push(name, &times);
    }
    let textual: Vec<SearchRequest> = vectors.queries.iter().map(|(text, _)| request(text, None)).collect();
    let times = latency(&searcher, &models, &plan(&searcher, "hybrid", false), &textual);
    println!("  {:<32}{times}", "hybrid, from the text");
    push("hybrid from the text", &times);
    let (provenance_us, hits) = provenance(&searcher, &models, &requests(&vectors.queries, &field));
    println!("  {:<32}{provenance_us:.1} µs for the {hits} hits of a search", "provenance of hybrid");
    figures.push(
        json!({"dataset": dataset.name, "model": model, "what": "provenance", "us": provenance_us, "hits": hits}),
    );
    print_memory(&folder, &dataset.folder, &cache);
    if let Some(export) = &options.export {
        write_vectors(&export.join(format!("{}-{model}", dataset.name)), &searcher, &field, &vectors);
    }
    vectors
}

/// Many passages; see the file's text.
fn spliced(options: &Options, given: &[Vectors], figures: &mut Vec<Value>) {
    let num_passages = options.passages;
    println!("\nspliced corpus of {num_passages} passages, vectors given");
    let names: Vec<&str> = options.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    let folder = cache_folder().join(format!(
        "spliced-{CACHE_VERSION}-{num_passages}-{}-{}.idx",
        names.join("-"),
        options.models.first().map_or("", String::as_str)
    ));
    let note = folder.with_extension("txt");
    let models = models(None);
    let real: Vec<&[f32]> = given.iter().flat_map(|vectors| &vectors.passages).map(Vec::as_slice).collect();
    if !note.exists() {
        let properties = json!({
            "text": {"type": "text", "analyzer": "english"},
            "vector": {"type": "dense_vector", "dims": real[0].len(), "similarity": "cosine"},
        });
        let definition = IndexDefinition::from_value(&json!({"mappings": {"properties": properties}})).unwrap();
        let sentences: Vec<String> = options.datasets.iter().flat_map(sentences).collect();
        let mut random = Random(SEED);
        let documents = (0..num_passages).map(|number| {
            let text: Vec<&str> =
                (0..3 + random.below(3)).map(|_| sentences[random.below(sentences.len())].as_str()).collect();
            let vector = neighbour(&real, &mut random);
            let source = json!({"text": text.join(" "), "vector": vector});
            let Value::Object(source) = source else { unreachable!("an object was made") };
            let document = Document { id: Some(number.to_string().into()), source };
            Operation { action: Action::Index(document), location: Location::default() }
        });
        let (_, took) = build(&folder, &definition, &models, documents).unwrap();
        let rate = num_passages as f64 / took.as_secs_f64();
        fs_err::write(&note, format!("in {:.0} s, {rate:.0} passages a second, graph included", took.as_secs_f64()))
            .unwrap();
    }
    println!("  {:<32}{}", "index", fs_err::read_to_string(&note).unwrap());
    let searcher = Searcher::open(&Index::open(&folder, models.clone()).unwrap()).unwrap();
    let stats = searcher.stats().unwrap();
    println!("  {:<32}{}, {} segments", "on disk", megabytes(stats.bytes), stats.segments);
    let queries: Vec<(String, Vec<f32>)> = given.iter().flat_map(|vectors| vectors.queries.iter().cloned()).collect();
    let requests = requests(&queries, "vector");
    for name in ["lexical", "dense", "hybrid"] {
        let times = latency(&searcher, &models, &plan(&searcher, name, false), &requests);
        println!("  {:<32}{times}", format!("{name}, vectors given"));
        figures.push(json!({"dataset": "spliced", "passages": num_passages, "what": name, "p50_ms": times.quantile(0.5), "p95_ms": times.quantile(0.95)}));
    }
    let (walk, exact) = (plan(&searcher, "dense", false), plan(&searcher, "dense", true));
    let found = |request: &SearchRequest, plan: &ResolvedPlan| -> HashSet<String> {
        let response = search_resolved(&searcher, &models, request, plan).unwrap();
        response.hits.iter().map(|hit| hit.id.to_string()).collect()
    };
    let shared = |request: &SearchRequest| {
        let (walk, exact) = (found(request, &walk), found(request, &exact));
        walk.intersection(&exact).count() as f64 / exact.len().max(1) as f64
    };
    let recall = requests.iter().map(shared).sum::<f64>() / requests.len() as f64;
    println!("  {:<32}{recall:.3}", "recall@100 of the walk");
    println!("  {:<32}{} with the vectors of all queries and passages", "resident memory", megabytes(resident()));
    figures.push(json!({"dataset": "spliced", "passages": num_passages, "what": "recall@100", "recall": recall}));
}

/// A point near a real one, in a direction in which real ones differ.
fn neighbour(real: &[&[f32]], random: &mut Random) -> Vec<f64> {
    let mut draw = || real[random.below(real.len())];
    let (at, from, to) = (draw(), draw(), draw());
    let moved: Vec<f32> = at.iter().zip(from).zip(to).map(|((at, from), to)| at + 0.6 * (to - from)).collect();
    let length = moved.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    // Six digits: what a client would send.
    moved.iter().map(|number| f64::from((number / length * 1e6).round()) / 1e6).collect()
}

/// Sentences of a collection; where it has no full stops (vaswani_npl), runs of twelve words.
fn sentences(dataset: &Dataset) -> Vec<String> {
    let mut sentences = Vec::new();
    for operation in dataset.operations() {
        let Action::Index(document) = operation.action else { continue };
        let Some(Value::String(text)) = document.source.get("text") else { continue };
        for sentence in text.split(". ") {
            let words: Vec<&str> = sentence.split_whitespace().collect();
            sentences.extend(words.chunks(12).filter(|words| words.len() > 3).map(|words| words.join(" ")));
        }
    }
    sentences
}

/// Indexes into an empty folder and merges; how many documents, and the time from the first byte to the last merge.
fn build(
    folder: &Path,
    definition: &IndexDefinition,
    models: &Arc<Models>,
    operations: impl Iterator<Item = Operation>,
) -> bifocal::Result<(u64, Duration)> {
    remove(folder);
    let index = Index::create(folder, definition, models.clone())?;
    let started = Instant::now();
    let mut writer = index.writer()?;
    let mut num_documents = 0;
    let mut operations = operations.peekable();
    while operations.peek().is_some() {
        let applied = writer.apply(operations.by_ref().take(BATCH).collect())?;
        assert!(applied.faults.is_empty(), "{:?}", applied.faults);
        num_documents += applied.num_indexed;
    }
    writer.commit()?;
    writer.compact()?;
    writer.finish()?;
    Ok((num_documents, started.elapsed()))
}

/// A document's passages' vectors with its id, in the order of the index, which has one segment and no deletions.
fn stored_vectors(searcher: &Searcher, field: &str) -> Vec<(String, Vec<f32>)> {
    assert_eq!(searcher.stats().unwrap().segments, 1);
    let ids = searcher.ids().unwrap();
    let of_document = |(doc, id): (u32, &bifocal::DocumentId)| {
        let vectors = searcher.dense().vectors(field, DocAddress::new(0, doc));
        let id = id.to_string();
        vectors.into_iter().map(move |(vector, _)| (id.clone(), vector)).collect::<Vec<_>>()
    };
    (0..).zip(&ids).flat_map(of_document).collect()
}

/// Little-endian f32 rows beside a JSON file that says whose they are.
fn write_vectors(folder: &Path, searcher: &Searcher, field: &str, vectors: &Vectors) {
    fs_err::create_dir_all(folder).unwrap();
    let bytes = |rows: &mut dyn Iterator<Item = &Vec<f32>>| -> Vec<u8> {
        rows.flatten().flat_map(|number| number.to_le_bytes()).collect()
    };
    let documents: Vec<String> = stored_vectors(searcher, field).into_iter().map(|(id, _)| id).collect();
    let texts: Vec<&str> = vectors.queries.iter().map(|(text, _)| text.as_str()).collect();
    let dims = vectors.queries.first().map_or(0, |(_, vector)| vector.len());
    let about = json!({"dims": dims, "documents": documents, "queries": texts});
    fs_err::write(folder.join("passages.f32"), bytes(&mut vectors.passages.iter())).unwrap();
    fs_err::write(folder.join("queries.f32"), bytes(&mut vectors.queries.iter().map(|(_, vector)| vector))).unwrap();
    fs_err::write(folder.join("about.json"), about.to_string()).unwrap();
}

/// A named plan for the top 100 of every leg and of the fusion.
fn plan(searcher: &Searcher, name: &str, exact: bool) -> ResolvedPlan {
    let mut plan = Plan::named(name).unwrap();
    plan.set_depth(DEPTH);
    plan.size = Some(DEPTH);
    for leg in &mut plan.legs {
        if let Leg::Dense(leg) = leg {
            leg.exact = exact;
        }
    }
    plan.resolve(&searcher.plan_context(None)).unwrap()
}

fn request(text: &str, vector: Option<(&str, &[f32])>) -> SearchRequest {
    let vectors: BTreeMap<String, Vec<f32>> =
        vector.into_iter().map(|(field, vector)| (field.to_string(), vector.to_vec())).collect();
    SearchRequest { vectors, fetch: Fetch::Ids, ..SearchRequest::new(text) }
}

fn requests(queries: &[(String, Vec<f32>)], field: &str) -> Vec<SearchRequest> {
    queries.iter().map(|(text, vector)| request(text, Some((field, vector)))).collect()
}

fn latency(searcher: &Searcher, models: &Models, plan: &ResolvedPlan, requests: &[SearchRequest]) -> Times {
    let mut times = Times::default();
    let num_rounds = NUM_SEARCHES.div_ceil(requests.len().max(1)).max(3);
    for round in 0..=num_rounds {
        for request in requests {
            let started = Instant::now();
            let response = search_resolved(searcher, models, request, plan).unwrap();
            let took = started.elapsed();
            if round > 0 {
                times.add(took, &response);
            }
            // Dropping a hundred hits is the caller's time.
            drop(std::hint::black_box(response));
        }
    }
    times.sort();
    times
}

/// What writing down where hits come from takes in a hybrid search: microseconds, and for how many hits. The search itself is
/// not in it; the same candidates are described again and again.
fn provenance(searcher: &Searcher, models: &Models, requests: &[SearchRequest]) -> (f64, usize) {
    let plan = plan(searcher, "hybrid", false);
    let names: Vec<Arc<str>> = plan.legs.iter().map(|leg| leg.name.as_str().into()).collect();
    let field: Arc<str> = "semantic".into();
    let response = search_resolved(searcher, models, &requests[0], &plan).unwrap();
    let candidates: Vec<RerankedCandidate> = response.hits.iter().map(candidate_of).collect();
    let mut times = Vec::with_capacity(NUM_SEARCHES);
    for _ in 0..NUM_SEARCHES {
        let started = Instant::now();
        let described: Vec<Provenance> =
            (1..).zip(&candidates).map(|(rank, hit)| Provenance::of(hit, &names, rank, Some(&field))).collect();
        times.push(started.elapsed().as_secs_f64() * 1e6);
        drop(std::hint::black_box(described));
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], candidates.len())
}

/// A hit as it was before its provenance was written down.
fn candidate_of(hit: &Hit) -> RerankedCandidate {
    let part = |leg: &LegProvenance| LegPart {
        rank: leg.rank,
        score: leg.score,
        normalized: leg.normalized,
        weight: leg.weight,
        contribution: leg.contribution,
    };
    let passage = hit.provenance.passage.as_ref().map(|passage| PassageMatch { span: passage.span });
    let parts = hit.provenance.legs.iter().map(part).collect();
    let score = hit.provenance.fused.score;
    let fused = FusedCandidate { id: hit.id.clone(), locator: None, passage, score, parts };
    RerankedCandidate { fused, score: hit.score, rerank: None }
}

/// Milliseconds of single searches, and of their stages.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    stages: BTreeMap<String, Vec<f64>>,
}

impl Times {
    fn add(&mut self, took: Duration, response: &SearchResponse) {
        self.whole.push(took.as_secs_f64() * 1e3);
        for stage in &response.cost.stages {
            self.stages.entry(stage.name.clone()).or_default().push(stage.took_ms);
        }
    }

    fn sort(&mut self) {
        for times in self.stages.values_mut().chain([&mut self.whole]) {
            times.sort_by(f64::total_cmp);
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        quantile(&self.whole, share)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.3} ms, p95 {:.3} ms  ", self.quantile(0.5), self.quantile(0.95))?;
        self.stages.iter().try_for_each(|(name, times)| write!(f, " {name} {:.3}", quantile(times, 0.5)))
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get((sorted.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

/// Memory is that of a process of its own, which has indexed nothing.
fn print_memory(index: &Path, dataset: &Path, cache: &Path) {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("--memory-of")
        .args([index, dataset, cache])
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    println!("  {:<32}{}", "resident memory", String::from_utf8_lossy(&child.stdout).trim());
}

fn memory_of(arguments: &[String]) {
    let [index, dataset, cache] = arguments else { unreachable!("called by print_memory") };
    let models = models(Some(Path::new(cache)));
    let dataset = Dataset::open(Path::new(dataset));
    let searcher = Searcher::open(&Index::open(index, models.clone()).unwrap()).unwrap();
    let field = searcher.plan_context(None).default_dense_field.unwrap();
    // Documents without text have none.
    let num_documents = u32::try_from(searcher.num_documents()).unwrap();
    let first_of = |doc| searcher.dense().vectors(&field, DocAddress::new(0, doc)).into_iter().next();
    let (some_vector, _) = (0..num_documents).find_map(first_of).unwrap();
    let hybrid = plan(&searcher, "hybrid", false);
    for (_, text) in &dataset.queries {
        search_resolved(&searcher, &models, &request(text, Some((&field, &some_vector))), &hybrid).unwrap();
    }
    let searched = resident();
    for (_, text) in &dataset.queries {
        search_resolved(&searcher, &models, &request(text, None), &hybrid).unwrap();
    }
    println!("{} after all queries, {} with the model", megabytes(searched), megabytes(resident()));
}

/// The shipped models; nothing is pulled, the user's cache is not touched.
fn models(cache: Option<&Path>) -> Arc<Models> {
    let options = ModelOptions {
        models_dir: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("models")),
        cache_dir: cache.map(Path::to_path_buf),
        offline: true,
        ..ModelOptions::default()
    };
    Arc::new(Models::new(options))
}

fn cache_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = target.join("bench-cache/engine");
    fs_err::create_dir_all(&folder).unwrap();
    folder
}

fn remove(folder: &Path) {
    if folder.exists() {
        fs_err::remove_dir_all(folder).unwrap();
    }
}

/// `VmRSS` in bytes; 0 where there is no `/proc`.
fn resident() -> u64 {
    let text = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes * 1024)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn cpu_model() -> String {
    let text = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".to_string(), |(_, name)| name.trim().to_string())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % limit as u64) as usize
    }
}
