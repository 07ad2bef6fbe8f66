//! Modules use only what stands left of them, and the documents name files that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The order of the modules: one uses itself and what stands before it. `document` and `error` may know each other.
const ORDER: [&str; 18] = [
    "error",
    "document",
    "plan",
    "schema",
    "models",
    "ingest",
    "chunk",
    "index",
    "retrieve",
    "aggregate",
    "fuse",
    "rerank",
    "respond",
    "search",
    "eval",
    "store",
    "server",
    "cli",
];

/// What `lib.rs` re-exports, and from where.
const RE_EXPORTS: [(&str, &str); 10] = [
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("Location", "error"),
    ("Result", "error"),
    ("Document", "document"),
    ("DocumentId", "document"),
    ("PassageSpan", "document"),
    ("Index", "index"),
    ("Searcher", "retrieve"),
    ("SearchRequest", "search"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn place(module: &str) -> Option<usize> {
    let module = RE_EXPORTS.iter().find(|(name, _)| *name == module).map_or(module, |(_, module)| module);
    ORDER.iter().position(|name| *name == module)
}

/// The names after `crate::` in a line of code.
fn used(line: &str) -> Vec<&str> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return Vec::new();
    }
    let starts = code.match_indices("crate::").filter(|(start, _)| !code[..*start].ends_with('$'));
    starts
        .map(|(start, found)| {
            let rest = &code[start + found.len()..];
            let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let mut backward = Vec::new();
    let mut num_arrows = 0;
    for file in files {
        let relative = file.strip_prefix(root().join("src")).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(own) = place(module) else { panic!("src/{first} has no place in the order of modules") };
        for (line_number, line) in (1..).zip(fs_err::read_to_string(&file).unwrap().lines()) {
            for name in used(line) {
                let at = format!("{}:{line_number}", relative.display());
                let Some(other) = place(name) else {
                    panic!("src/{at}: {name:?} has no place in the order of modules")
                };
                num_arrows += 1;
                if other > own.max(1) {
                    backward.push(format!("src/{at}: {module} uses {name}"));
                }
            }
        }
    }
    assert!(num_arrows > 300, "only {num_arrows} arrows were read");
    assert!(backward.is_empty(), "backward arrows:\n{}", backward.join("\n"));
}

#[test]
fn paths_in_the_documents_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let Ok(text) = fs_err::read_to_string(root().join(document)) else { continue };
        let ends = |char: char| !(char.is_ascii_alphanumeric() || "_-./".contains(char));
        let paths: BTreeSet<&str> = text
            .split(ends)
            .filter(|word| word.starts_with("src/"))
            .map(|word| word.trim_end_matches(['.', '/']))
            .filter(|path| *path != "src")
            .collect();
        let stale: Vec<_> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
        assert!(stale.is_empty(), "{document} names what does not exist: {stale:?}");
    }
}
