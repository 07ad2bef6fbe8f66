//! `bifocal serve`: shapes, errors, users, TLS, limits, shutdown.

use serde_json::Value;

use crate::util::ServerProcess;

#[test]
fn the_root_names_a_version_that_clients_accept() {
    let server = ServerProcess::start();
    let root = server.ok("GET", "/", &Value::Null);
    assert_eq!(root["tagline"], "You Know, for Search");
    assert_eq!(root["version"]["number"], "8.19.0");
    assert_eq!(root["cluster_uuid"].as_str().unwrap().len(), 22);
}

#[test]
fn unknown_paths_and_methods_are_named() {
    let server = ServerProcess::start();
    let (status, answer) = server.send("GET", "/_nothing/here/at/all?x=1", &Value::Null);
    assert_eq!(status, 400);
    assert_eq!(answer["error"], "no handler found for uri [/_nothing/here/at/all?x=1] and method [GET]");
    let (status, answer) = server.send("DELETE", "/", &Value::Null);
    assert_eq!(status, 405);
    assert_eq!(answer["error"], "Incorrect HTTP method for uri [/] and method [DELETE], allowed: [GET, HEAD]");
}

#[test]
fn it_stops_when_told() {
    let mut server = ServerProcess::start();
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
}
