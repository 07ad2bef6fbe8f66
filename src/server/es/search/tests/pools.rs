//! What is slow has threads of its own: a keyword query goes on beside it.

use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Server;
use crate::server::threads::Pool;

/// Keeps every thread of a pool at work until the senders are dropped.
fn occupy(server: &Server, pool: fn(&crate::server::threads::Pools) -> &Pool) -> Vec<Sender<()>> {
    let threads = pool(&server.state.pools).stats().max_threads;
    let occupied = (0..threads).map(|_| {
        let (release, released) = channel::<()>();
        let state = server.state.clone();
        server.runtime.spawn(async move {
            let _ = pool(&state.pools)
                .run(move || {
                    let _ = released.recv();
                    Ok(())
                })
                .await;
        });
        release
    });
    let occupied = occupied.collect();
    wait_until(server, || pool(&server.state.pools).stats().active == threads);
    occupied
}

fn wait_until(server: &Server, is_so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < until, "it does not come about");
        server.runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(1)).await });
    }
}

fn begin(server: &Server, path: &str, body: String) -> JoinHandle<(u16, Value)> {
    let asked = super::answer(server.router.clone(), "POST", path, body);
    server.runtime.spawn(asked)
}

fn server() -> Server {
    Server::with(json!({"t": {"type": "text"}, "v": {"type": "dense_vector", "dims": 2}}), &[json!({"t": "river"})])
}

#[test]
fn re_ranking_several_searches_keeps_no_keyword_query_waiting() {
    let server = server();
    let release = occupy(&server, |pools| &pools.infer);
    let reranked = json!({"retriever": {"text_similarity_reranker": {
        "retriever": {"standard": {"query": {"match": {"t": "river"}}}}, "field": "t", "inference_text": "river",
        "inference_id": "none"
    }}});
    let lines = format!("{{}}\n{reranked}\n{{}}\n{}\n", json!({"query": {"match": {"t": "river"}}}));
    let slow = begin(&server, "/i/_msearch", lines);
    let (status, answer) = server.ask("POST", "/i/_search", Some(json!({"query": {"match": {"t": "river"}}})));
    assert_eq!((status, &answer["hits"]["total"]["value"]), (200, &json!(1)), "{answer}");
    wait_until(&server, || server.state.pools.infer.stats().queued == 1);
    assert!(!slow.is_finished());
    drop(release);
    let (status, answer) = server.runtime.block_on(slow).unwrap();
    assert_eq!(status, 200, "{answer}");
    let responses = answer["responses"].as_array().unwrap();
    assert!(responses[0]["_bifocal"]["candidates"] == 1 && responses[1]["_bifocal"].is_null(), "{answer}");
}

#[test]
fn embedding_queries_keeps_no_keyword_query_waiting() {
    let server = server();
    let release = occupy(&server, |pools| &pools.embed);
    let builder = json!({"text_embedding": {"model_id": "none", "model_text": "river"}});
    let semantic = json!({"knn": {"field": "v", "query_vector_builder": builder, "k": 1, "num_candidates": 1}});
    let slow = begin(&server, "/i/_search", semantic.to_string());
    let lines = format!("{{}}\n{semantic}\n");
    let several = begin(&server, "/i/_msearch", lines);
    let (status, answer) = server.ask("POST", "/i/_search", Some(json!({"query": {"match": {"t": "river"}}})));
    assert_eq!((status, &answer["hits"]["total"]["value"]), (200, &json!(1)), "{answer}");
    wait_until(&server, || server.state.pools.embed.stats().queued == 2);
    assert!(!slow.is_finished() && !several.is_finished());
    drop(release);
    // There is no such model, which the search itself says.
    let (status, answer) = server.runtime.block_on(slow).unwrap();
    assert!(status >= 400 && answer["error"]["reason"].is_string(), "{answer}");
    assert_eq!(server.runtime.block_on(several).unwrap().0, 200);
}
