//! Dense search: time and recall of scans and of graphs, over made-up vectors that lie like those of texts.
//!
//! ```text
//! cargo bench --bench dense                    # all parts; the first run also builds the indexes
//! cargo bench --bench dense -- exact graph     # some of: exact, crossover, graph
//! ```
//!
//! **Data.** Every number comes from one seed. A vector of 384 dimensions is the normalised sum of one of 500 centres (Gaussian,
//! length 1), of a Gaussian in 64 fixed directions whose standard deviations fall as 1 / sqrt(rank) (length 0.9 on average),
//! and of Gaussian noise in all dimensions (length 0.3). Embeddings of texts have such topics and such a falling spectrum; noise
//! in all dimensions alone would make neighbours indistinguishable. The cosines of neighbours are printed, so that a reader can
//! compare them with a corpus of his own. Queries are further vectors of the same kind.
//!
//! **Indexes** lie in `bench-cache/` of the target folder and are kept; delete it to measure building again. Times are of one
//! search after another, from the call to the answer, on a warm cache.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "statistics of small numbers")]

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bifocal::index::dense::{
    DenseCache, DenseHits, DenseMode, DenseQuery, DenseReader, IndexKind, VectorFieldParams, VectorPlugin, VectorValue,
    simd_level,
};
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::Schema;
use tantivy::{DocAddress, Index, IndexReader, IndexWriter, TantivyDocument};

const DIMS: usize = 384;
const NUM_CENTRES: usize = 500;
const NUM_DIRECTIONS: usize = 64;
const NUM_QUERIES: usize = 300;
/// Changes when the data or the file format does, so that old indexes are not taken for new ones.
const CACHE_VERSION: u32 = 1;

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|other| other == part);
    println!("cpu       {}", cpu_model());
    println!("cores     {}", std::thread::available_parallelism().map_or(1, usize::from));
    println!("simd      {}", simd_level());
    let corpus = Corpus::new(20_260_101);
    if wanted("exact") {
        exact(&corpus);
    }
    if wanted("crossover") {
        crossover(&corpus);
    }
    if wanted("graph") {
        for num_vectors in [100_000, 200_000] {
            graph(&corpus, num_vectors);
        }
    }
}

/// Scans of a collection of Cranfield's to NFCorpus's size.
fn exact(corpus: &Corpus) {
    let num_vectors = 11_000;
    println!("\nscan of {num_vectors} x {DIMS}, int8 codes and f32");
    let dense = open(corpus, num_vectors, IndexKind::Flat);
    let queries = corpus.queries();
    print_cosines(&dense, &queries);
    for depth in [10, 100, 1000] {
        let search = |vector: &[f32]| dense.search(&DenseQuery::new("v", vector, depth)).unwrap();
        let times = Times::of(&queries, search);
        let rescored = mean(queries.iter().map(|vector| search(vector).cost.vectors_rescored as f64));
        println!("top {depth:<5} {times}   f32 vectors read {rescored:.0}");
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let times =
        pool.install(|| Times::of(&queries, |vector| dense.search(&DenseQuery::new("v", vector, 100)).unwrap()));
    println!("top 100   {times}   one thread");
}

/// From which size on a walk is faster than a scan.
fn crossover(corpus: &Corpus) {
    println!("\nscan or walk, top 100, 100 candidates");
    let queries = corpus.queries();
    for num_vectors in [5_000, 10_000, 20_000, 50_000] {
        let dense = open(corpus, num_vectors, IndexKind::HNSW_DEFAULT);
        let search = |mode, vector: &[f32]| dense.search(&DenseQuery { mode, ..DenseQuery::new("v", vector, 100) });
        let scan = Times::of(&queries, |vector| search(DenseMode::Exact, vector).unwrap());
        let walk = Times::of(&queries, |vector| search(DenseMode::Walk, vector).unwrap());
        let compared = mean(queries.iter().map(|v| search(DenseMode::Walk, v).unwrap().cost.vectors_scored as f64));
        println!("{num_vectors:>6}   scan {scan}   walk {walk}   vectors compared {compared:.0}");
    }
}

/// Time and recall of walks.
fn graph(corpus: &Corpus, num_vectors: usize) {
    println!("\ngraph of {num_vectors} x {DIMS}, m 16, ef_construction 100, int8 codes and f32");
    let dense = open(corpus, num_vectors, IndexKind::HNSW_DEFAULT);
    let queries = corpus.queries();
    print_cosines(&dense, &queries);
    let (mapped, memory) = dense.num_bytes();
    println!("size      {} MB mapped, {} MB beside", mapped / 1_000_000, memory / 1_000_000);
    let search = |vector: &[f32], depth, candidates, mode| {
        let query = DenseQuery { num_candidates: Some(candidates), mode, ..DenseQuery::new("v", vector, depth) };
        dense.search(&query).unwrap()
    };
    let scan = Times::of(&queries[..50], |vector| search(vector, 100, 100, DenseMode::Exact));
    println!("scan      {scan}");
    for (depth, widths) in [(10, vec![16, 32, 64, 100, 200]), (100, vec![100, 150, 200, 400])] {
        let answers: Vec<HashSet<DocAddress>> =
            queries.iter().map(|vector| documents(&search(vector, depth, depth, DenseMode::Exact))).collect();
        for width in widths {
            let found: Vec<DenseHits> = queries.iter().map(|v| search(v, depth, width, DenseMode::Walk)).collect();
            let shared = |(found, answer): (&DenseHits, &HashSet<DocAddress>)| {
                documents(found).intersection(answer).count() as f64 / answer.len() as f64
            };
            let recall = mean(found.iter().zip(&answers).map(shared));
            let compared = mean(found.iter().map(|found| found.cost.vectors_scored as f64));
            let times = Times::of(&queries, |vector| search(vector, depth, width, DenseMode::Walk));
            println!(
                "top {depth:<4} candidates {width:<4} recall {recall:.4}   {times}   vectors compared {compared:.0}"
            );
        }
    }
}

fn documents(found: &DenseHits) -> HashSet<DocAddress> {
    found.hits.iter().map(|hit| hit.address).collect()
}

/// How close neighbours are: the data's nature in one line.
fn print_cosines(dense: &DenseReader, queries: &[Vec<f32>]) {
    let query = |vector| DenseQuery { mode: DenseMode::Exact, ..DenseQuery::new("v", vector, 100) };
    let found: Vec<DenseHits> = queries[..50].iter().map(|vector| dense.search(&query(vector)).unwrap()).collect();
    let at = |rank: usize| mean(found.iter().map(|found| f64::from(found.hits[rank - 1].similarity)));
    let dot = |a: &[f32], b: &[f32]| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
    let random = mean(queries.windows(2).map(|pair| dot(&pair[0], &pair[1])));
    println!("cosines   rank 1 {:.3}, rank 10 {:.3}, rank 100 {:.3}, any two {random:.3}", at(1), at(10), at(100));
}

/// Opens an index of the first `num_vectors` of the corpus in a single segment; builds it when it is not cached.
fn open(corpus: &Corpus, num_vectors: usize, index: IndexKind) -> DenseReader {
    let kind = if index == IndexKind::Flat { "flat" } else { "hnsw" };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = target.join(format!("bench-cache/dense-{CACHE_VERSION}-{kind}-{num_vectors}"));
    let built = folder.join("built.txt");
    if !built.exists() {
        if folder.exists() {
            fs_err::remove_dir_all(&folder).unwrap();
        }
        fs_err::create_dir_all(&folder).unwrap();
        let (adding, merging) = build(corpus, num_vectors, index, &folder);
        let text = format!("{:.1} s to add, {:.1} s to merge and link", adding.as_secs_f64(), merging.as_secs_f64());
        fs_err::write(&built, text).unwrap();
    }
    println!("built     in {}", fs_err::read_to_string(&built).unwrap());
    let reader: IndexReader = Index::open_in_dir(&folder).unwrap().reader().unwrap();
    let searcher = reader.searcher();
    assert_eq!(searcher.segment_readers().len(), 1);
    DenseReader::open(&searcher, &DenseCache::default()).unwrap()
}

fn build(corpus: &Corpus, num_vectors: usize, index: IndexKind, folder: &PathBuf) -> (Duration, Duration) {
    let params = VectorFieldParams { index, ..VectorFieldParams::new(DIMS) };
    let mut schema = Schema::builder();
    let field = params.add_to(&mut schema, "v").unwrap();
    let plugin = Arc::new(VectorPlugin::with_hnsw_min_vectors(1));
    let index = Index::builder().schema(schema.build()).register_plugin(plugin).create_in_dir(folder).unwrap();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 400_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let started = Instant::now();
    for vector in corpus.vectors(1).take(num_vectors) {
        let mut doc = TantivyDocument::new();
        doc.add_custom(field, &VectorValue::single(vector).encode(&params).unwrap());
        writer.add_document(doc).unwrap();
    }
    writer.commit().unwrap();
    let adding = started.elapsed();
    let started = Instant::now();
    let segments = index.searchable_segment_ids().unwrap();
    writer.merge(&segments).wait().unwrap();
    writer.wait_merging_threads().unwrap();
    (adding, started.elapsed())
}

/// The made-up vectors; see the file's text.
struct Corpus {
    seed: u64,
    centres: Vec<Vec<f32>>,
    directions: Vec<Vec<f32>>,
}

impl Corpus {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut gaussian = |length: f32| -> Vec<f32> {
            (0..DIMS).map(|_| random.gaussian() * length / (DIMS as f32).sqrt()).collect()
        };
        let centres = (0..NUM_CENTRES).map(|_| gaussian(1.0)).collect();
        let variances: f32 = (1..=NUM_DIRECTIONS).map(|rank| 1.0 / rank as f32).sum();
        let directions = (1..=NUM_DIRECTIONS).map(|rank| gaussian(0.9 / (rank as f32 * variances).sqrt())).collect();
        Self { seed, centres, directions }
    }

    /// Endless vectors of unit length; another stream, other vectors.
    fn vectors(&self, stream: u64) -> impl Iterator<Item = Vec<f32>> + '_ {
        let mut random = Random::new(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        std::iter::repeat_with(move || {
            let mut vector = self.centres[random.next() as usize % NUM_CENTRES].clone();
            for direction in &self.directions {
                let amount = random.gaussian();
                vector.iter_mut().zip(direction).for_each(|(number, part)| *number += amount * part);
            }
            vector.iter_mut().for_each(|number| *number += random.gaussian() * 0.3 / (DIMS as f32).sqrt());
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|number| *number /= length);
            vector
        })
    }

    fn queries(&self) -> Vec<Vec<f32>> {
        self.vectors(2).take(NUM_QUERIES).collect()
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// In (0, 1].
    fn uniform(&mut self) -> f32 {
        ((self.next() >> 40) + 1) as f32 / (1u64 << 24) as f32
    }

    /// By Box and Muller.
    fn gaussian(&mut self) -> f32 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f32::consts::TAU * self.uniform()).cos()
    }
}

/// Times of single searches.
struct Times(Vec<Duration>);

impl Times {
    /// One round unmeasured, then three.
    fn of(queries: &[Vec<f32>], search: impl Fn(&[f32]) -> DenseHits) -> Self {
        let mut times = Vec::new();
        for round in 0..4 {
            for query in queries {
                let started = Instant::now();
                std::hint::black_box(search(query));
                if round > 0 {
                    times.push(started.elapsed());
                }
            }
        }
        times.sort();
        Self(times)
    }

    fn quantile(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.3} ms, p95 {:.3} ms", self.quantile(0.5), self.quantile(0.95))
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    sum / count
}

fn cpu_model() -> String {
    let text = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".to_string(), |(_, name)| name.trim().to_string())
}
