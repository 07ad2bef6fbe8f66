//! `bifocal serve`: Elasticsearch's REST API over a folder of indices; `bifocal hash-password`: a line for its file of users.

use std::io::{IsTerminal, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::models::Models;
use crate::server::auth::hash_password;
use crate::server::{AppState, Listener, ServerOptions, TlsFiles, serve};

/// Serve a folder of indices by Elasticsearch's REST API.
///
/// Without users the server listens on this machine's own addresses only. With --users FILE, every request needs a password or an
/// API key. FILE holds lines as `anna: {role: admin, password_hash: "$argon2id$.."}`; the roles are `read`, `write` and `admin`, and
/// `bifocal hash-password` makes the hash.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal serve data\n  curl localhost:9200/_cat/indices?v")]
pub(super) struct ServeArgs {
    /// The folder of indices; created when missing
    data: PathBuf,
    /// The port; 0 takes a free one
    #[arg(long, env = "BIFOCAL_PORT", default_value_t = 9200)]
    port: u16,
    /// The address to listen on; one that other machines reach needs --users
    #[arg(long, env = "BIFOCAL_HOST", default_value = "127.0.0.1")]
    host: String,
    /// The name that the server tells its clients
    #[arg(long, value_name = "NAME", default_value = "bifocal")]
    cluster_name: String,
    /// Leave out the header X-Elastic-Product, which Elasticsearch's clients want and OpenSearch's do not
    #[arg(long)]
    no_product_header: bool,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    logging: LoggingArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
struct SecurityArgs {
    /// The file of users (YAML or JSON) with their roles and password hashes
    #[arg(long, env = "BIFOCAL_USERS", value_name = "FILE")]
    users: Option<PathBuf>,
    /// Speak TLS with this chain of certificates (PEM)
    #[arg(long, env = "BIFOCAL_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM)
    #[arg(long, env = "BIFOCAL_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
struct LoggingArgs {
    /// Log lines as text or as JSON
    #[arg(long, value_enum, env = "BIFOCAL_LOG_FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Log requests that take longer, in milliseconds; 0 logs none
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    slow_log: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Largest body of a request, in MiB; each is held in memory
    #[arg(long, value_name = "MIB", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2048))]
    max_body: u32,
    /// All bodies held at once, in MiB; what comes beyond is answered with 429
    #[arg(long, value_name = "MIB", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_bodies: u32,
    /// Searches at once; by default half as many again as there are cores, and one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_searches: Option<u32>,
    /// Searches that wait; what comes beyond is answered with 429
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    max_queued_searches: usize,
    /// Time of a search that names none, in milliseconds; 0 has no limit
    #[arg(long, value_name = "MS", default_value_t = 0)]
    search_timeout: u64,
    /// Levels of queries inside queries
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100))]
    max_query_depth: u32,
    /// Clauses of a search, expanded patterns included; each costs time and memory
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    max_clauses: usize,
    /// Largest `from` + `size` of an index that sets none
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_result_window: usize,
    /// How long a client may take to send headers or leave a connection idle, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    header_timeout: u64,
    /// How long a client may pause in the middle of a body, or of reading an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    body_timeout: u64,
}

impl ServeArgs {
    pub(super) fn log_format(&self) -> LogFormat {
        self.logging.log_format
    }

    fn options(&self) -> ServerOptions {
        let at_most = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let time = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
        let mut options = ServerOptions::default();
        options.cluster_name.clone_from(&self.cluster_name);
        options.product_header = !self.no_product_header;
        options.users.clone_from(&self.security.users);
        options.slow_log = time(self.logging.slow_log);
        let (limits, given) = (&mut options.limits, &self.limits);
        limits.max_body_bytes = at_most(given.max_body) << 20;
        limits.max_in_flight_bytes = (at_most(given.max_bodies) << 20).max(limits.max_body_bytes);
        if let Some(searches) = given.max_searches {
            limits.max_concurrent_searches = at_most(searches);
        }
        limits.max_queued_searches = given.max_queued_searches;
        limits.default_search_timeout = time(given.search_timeout);
        limits.max_query_depth = at_most(given.max_query_depth);
        limits.max_clause_count = given.max_clauses;
        limits.max_result_window = given.max_result_window;
        limits.header_timeout = Duration::from_secs(given.header_timeout);
        limits.body_timeout = Duration::from_secs(given.body_timeout);
        options
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        let host = if self.host == "localhost" { "127.0.0.1" } else { self.host.trim_matches(['[', ']']) };
        let address: IpAddr = host.parse().map_err(|_| {
            Error::invalid_input(format!("--host {:?} is no IP address; 0.0.0.0 listens on all of them", self.host))
        })?;
        if !address.is_loopback() && self.security.users.is_none() {
            let text = format!(
                "--host {address} can be reached by other machines, and there is no authentication; give --users FILE"
            );
            return Err(Error::invalid_input(text).into());
        }
        Ok(SocketAddr::new(address, self.port))
    }
}

pub(super) fn run(args: &ServeArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let address = args.address()?;
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let tls = match (&args.security.tls_cert, &args.security.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => None,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        // The address is taken first, so that a server that is there already is said before anything is opened.
        let listener = Listener::bind(address, tls).await?;
        let state = AppState::open(&args.data, models.clone(), args.options())?;
        // Listens to signals before the address is printed: who reads it may stop us at once.
        let stopped = stopped()?;
        let security = if state.security.is_on() { "users and API keys" } else { "no authentication" };
        let mut out = std::io::stdout();
        writeln!(out, "bifocal serves {} at {scheme}://{} ({security})", args.data.display(), listener.address()?)?;
        out.flush()?;
        serve(listener, state, stopped).await?;
        anyhow::Ok(())
    })?;
    // Work that does not end must not keep the process: what was acknowledged is durable already.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// A panic in one request is logged with that request's id, and the server goes on.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
        let cause = panic.payload_as_str().unwrap_or("unknown");
        let request_id = crate::server::request_id::current().unwrap_or_default();
        tracing::error!(request_id, place, cause, "a fault of this program, or a damaged file of an index");
    }));
}

/// Ends when the user stops the program; listens from now on.
#[cfg(unix)]
fn stopped() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when the user stops the program.
#[cfg(not(unix))]
fn stopped() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Hash a password for the file of users of `bifocal serve`.
///
/// The password is read from standard input, up to the end of its first line, so that it stands in no history of commands.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  echo 'correct horse' | bifocal hash-password")]
pub(super) struct HashPasswordArgs {}

pub(super) fn hash(_: &HashPasswordArgs) -> anyhow::Result<()> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("type the password, then Enter and Ctrl-D (it is shown)");
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text)?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(Error::invalid_input("no password on standard input").into());
    }
    say!("{}", hash_password(password)?);
    Ok(())
}
