//! The durable store: what an acknowledgement costs, and how fast a shard takes documents.
//!
//! ```text
//! cargo bench --bench store            # in a temporary folder; TMPDIR chooses the disk, which decides most figures
//! ```
//!
//! **translog/append**: a record of 500 bytes appended and synced, by 1 and by 8 threads at once; 8 share syncs (group commit).
//! **shard/bulk**: batches of 1,000 documents of about 200 bytes (a text, a keyword, a number) into one shard, by 1 and by 4 threads,
//! every batch durable before the next; a refresh a second goes on beside. Leaves HTTP and JSON parsing out.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![expect(clippy::cast_precision_loss, reason = "statistics of small numbers")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bifocal::models::{ModelOptions, Models};
use bifocal::schema::IndexDefinition;
use bifocal::store::Shard;
use bifocal::store::shard::{WriteAction, WriteOp};
use bifocal::store::translog::{Change, Record, Translog};
use serde_json::{Map, json};

const RECORDS: u64 = 2_000;
const BATCHES: u64 = 60;
const BATCH: u64 = 1_000;

fn main() {
    println!("{} cores", std::thread::available_parallelism().unwrap());
    for threads in [1, 8] {
        append(threads);
    }
    for threads in [1, 4] {
        bulk(threads);
    }
}

fn report(name: &str, number: u64, unit: &str, took: Duration, mut each: Vec<Duration>) {
    each.sort_unstable();
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
        let place = ((each.len() - 1) as f64 * share) as usize;
        each[place].as_secs_f64() * 1e3
    };
    let rate = number as f64 / took.as_secs_f64();
    println!("{name:<28} {rate:>10.0} {unit}/s   p50 {:>7.2} ms   p99 {:>7.2} ms", at(0.5), at(0.99));
}

fn append(threads: u64) {
    let folder = tempfile::tempdir().unwrap();
    let log = Translog::open(folder.path(), |_| Ok(())).unwrap();
    // The store gives sequence numbers and appends under one lock.
    let next = Mutex::new(0_u64);
    let each = Mutex::new(Vec::new());
    let source = format!("{{\"text\":\"{}\"}}", "x".repeat(480));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Vec::new();
                for _ in 0..RECORDS / threads {
                    let since = Instant::now();
                    let position = {
                        let mut next = next.lock().unwrap();
                        let change = Change::Written { routing: None, source: source.as_str().into() };
                        let record = Record { seq_no: *next, version: 1, id: "document".into(), change };
                        *next += 1;
                        log.append(&[record]).unwrap().1
                    };
                    log.sync(position).unwrap();
                    own.push(since.elapsed());
                }
                each.lock().unwrap().extend(own);
            });
        }
    });
    report(&format!("translog/append/{threads}"), RECORDS, "records", started.elapsed(), each.into_inner().unwrap());
}

fn bulk(threads: u64) {
    let folder = tempfile::tempdir().unwrap();
    let definition = json!({"mappings": {"properties": {
        "text": {"type": "text", "analyzer": "english"}, "kind": {"type": "keyword"}, "n": {"type": "long"}}}});
    let definition = IndexDefinition::from_value(&definition).unwrap();
    let models = Arc::new(Models::new(ModelOptions::default()));
    let shard = Shard::create(&folder.path().join("shard"), &definition, models).unwrap();
    let words = ["wing", "slipstream", "propeller", "lift", "drag", "boundary", "layer", "flow", "shock", "plate"];
    let next = AtomicU64::new(0);
    let each = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut random = fastrand::Rng::with_seed(7);
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= BATCHES {
                        return;
                    }
                    let document = |n: u64, random: &mut fastrand::Rng| {
                        let text: Vec<&str> = (0..25).map(|_| words[random.usize(..words.len())]).collect();
                        let source = json!({"text": text.join(" "), "kind": format!("k{}", n % 17), "n": n});
                        let source: Map<_, _> = source.as_object().unwrap().clone();
                        WriteOp::new(Some(n.to_string().into()), WriteAction::Index(source))
                    };
                    let ops = (0..BATCH).map(|place| document(batch * BATCH + place, &mut random)).collect();
                    let since = Instant::now();
                    assert!(shard.write(ops).iter().all(Result::is_ok));
                    each.lock().unwrap().push(since.elapsed());
                }
            });
        }
    });
    let took = started.elapsed();
    report(&format!("shard/bulk/{threads}x{BATCH}"), BATCHES * BATCH, "documents", took, each.into_inner().unwrap());
    shard.refresh().unwrap();
    assert_eq!(shard.searcher().num_documents(), BATCHES * BATCH);
}
