//! `bifocal serve` as Elasticsearch's users meet it: each test starts the server and speaks HTTP to it.

// The entries of the fuzz targets, with their seeds.
mod fuzz;
// Broken and hostile clients: clear answers in bounded time.
mod hostile;
// A running server and the requests that tests send.
mod server;

// Expected against real answers: what is left out, what is near enough, how a difference is shown.
mod compare;
// The official clients of Elasticsearch.
mod clients;
// The same requests to a real OpenSearch, or what it answered.
mod differential;
// The YAML tests that Elasticsearch and its peers publish, and ours in their form.
mod yaml;
