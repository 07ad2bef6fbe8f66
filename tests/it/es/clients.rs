//! Elasticsearch's official clients, unchanged: Python's 8 and 9, JavaScript's 8 and 9, and the tutorials of newcomers.
//!
//! `make clients` fetches them into `target/clients`; `tests/clients` holds their tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::Served;
use crate::util::{Workplace, fixture};

/// The users of the server that asks for passwords; as in `tests/clients/python/test_security.py`.
const ADMIN_PASSWORD: &str = "correct horse battery";
const READER_PASSWORD: &str = "only looking";

/// Where `make clients` puts a client, if it did.
fn client_folder(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_bifocal")).parent()?.parent()?;
    let folder = target.join("clients").join(name);
    let is_there = folder.join("ready").exists();
    if !is_there {
        println!("no {} here (`make clients`); its tests are skipped", folder.display());
    }
    is_there.then_some(folder)
}

fn tests_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

#[track_caller]
fn passes(command: &mut Command, mut server: Served) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let (_, log) = server.process.terminate();
    let last: Vec<&str> = log.lines().rev().take(20).collect();
    assert!(
        output.status.success(),
        "{text}\nthe server said\n{}",
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    );
    let summary = text.lines().rev().find(|line| line.contains(" passed") || line.contains("# pass"));
    println!("{}", summary.unwrap_or_default());
}

fn pytest(client: &Path) -> Command {
    let mut command = Command::new("python3");
    command
        .args(["-m", "pytest", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"])
        .arg(tests_folder("python"));
    command.env("PYTHONPATH", client).env("PYTHONDONTWRITEBYTECODE", "1");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        command.env_remove(name);
    }
    command
}

/// The bodies of the tests, once for each version of the client.
fn python(version: &str) {
    let Some(client) = client_folder(version) else { return };
    let server = Served::start();
    let place = Workplace::new();
    let hash = |password: &str| place.run_with_stdin(&["hash-password"], password).succeeds().stdout.trim().to_string();
    let users = format!(
        "admin: {{role: admin, password_hash: \"{}\"}}\nreader: {{role: read, password_hash: \"{}\"}}\n",
        hash(ADMIN_PASSWORD),
        hash(READER_PASSWORD)
    );
    let users = place.write("users.yaml", users).display().to_string();
    let (certificate, key) = (fixture("tls/cert.pem"), fixture("tls/key.pem"));
    let secure = Served::start_with(&["--users", &users, "--tls-cert", &certificate, "--tls-key", &key]);
    let mut command = pytest(&client);
    command.env("BIFOCAL_URL", &server.client.url);
    command.env("BIFOCAL_SECURE_URL", secure.client.url.replace("127.0.0.1", "localhost"));
    command.env("BIFOCAL_CA", fixture("tls/cert.pem"));
    command.env("BIFOCAL_ADMIN_PASSWORD", ADMIN_PASSWORD).env("BIFOCAL_READER_PASSWORD", READER_PASSWORD);
    passes(&mut command, server);
}

#[test]
fn python_client_8_and_the_tutorials() {
    python("python-8");
}

#[test]
fn python_client_9_and_the_tutorials() {
    python("python-9");
}

#[test]
fn javascript_clients_8_and_9() {
    let Some(client) = client_folder("javascript") else { return };
    // Node looks for packages beside the file that imports them.
    let place = Workplace::new();
    for entry in fs_err::read_dir(tests_folder("javascript")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mjs" || extension == "json") {
            fs_err::copy(&path, place.path(&path.file_name().unwrap().to_string_lossy())).unwrap();
        }
    }
    fs_err::os::unix::fs::symlink(client.join("node_modules"), place.path("node_modules")).unwrap();
    let server = Served::start();
    let mut command = place.std_command("node");
    // Files one after the other: they share the server, and the two cores with it.
    command.args(["--test", "--test-concurrency=1"]).args(["search.test.mjs", "documents.test.mjs"]);
    command.env("BIFOCAL_URL", &server.client.url);
    passes(&mut command, server);
}
