//! End-to-end tests: the command line and the library as a user has them.
#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "test code")]
#![expect(clippy::field_reassign_with_default, reason = "the options are non-exhaustive")]
#![expect(clippy::wildcard_enum_match_arm, reason = "JSON has six kinds, and a test wants one")]
#![expect(clippy::print_stdout, reason = "tests say what they go without")]

// Modules use only what stands left of them, and the documents name files that exist.
mod architecture;
// Broken input, models and files: the exit code, the place that is named, and what is left of the index.
mod bad_input;
// A real browser, for the pages that are written and served.
mod browser;
// Every subcommand, every format, as text and as JSON.
mod cli;
// kill -9 at any moment.
mod crash;
// kill -9 of the server under load, torn and damaged translogs, a full disk.
#[cfg(unix)]
mod crash_server;
// Documents over HTTP.
#[cfg(unix)]
mod documents;
// Elasticsearch's REST API: against OpenSearch, by official clients, by YAML suites, and by hostile hands.
mod es;
// `bifocal eval`: plans, sweeps, runs, the kept index.
mod eval;
// `bifocal judge`: its API, its file after kill -9, and its page in a browser.
mod judge;
// Random operations against a map: both legs see exactly the documents of the last commit.
mod model_test;
// Cranfield in a real OpenSearch, or what it answered, beside ours.
mod opensearch;
// The HTML report, in a real browser.
mod report;
// `bifocal serve`: shapes, errors, users, TLS, limits, shutdown.
#[cfg(unix)]
mod server;
// `bifocal tune`: the plan that is written, held-out scores, errors.
mod tune;
// A folder for a test, and the `bifocal` command run in it.
mod util;
