//! Sockets: binds, speaks TLS, stops gracefully. The binary binds and the library runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::time::MissedTickBehavior;

use super::app::app;
use super::es;
use super::memory;
use super::sockets::Acceptor;
use super::state::AppState;
use crate::error::{Error, ErrorKind, Result};

/// What an answer under way may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// How often what has expired is looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);

/// Certificate and key, as PEM files.
#[derive(Debug, Clone, Copy)]
pub struct TlsFiles<'a> {
    /// The chain of certificates.
    pub certificate: &'a Path,
    /// The private key.
    pub key: &'a Path,
}

/// A socket that listens, and what it will speak.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    tls: Option<RustlsConfig>,
}

impl Listener {
    /// Listens; port 0 takes a free one. Nothing is accepted before [`serve`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where TLS's files are none; [`ErrorKind::Io`] where the address is taken.
    pub async fn bind(address: SocketAddr, tls: Option<TlsFiles<'_>>) -> Result<Self> {
        let tls = match tls {
            Some(files) => Some(read_tls(files).await?),
            None => None,
        };
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot listen on {address} ({error}); give another --port or --host"))
                .with_source(error)
        };
        let socket = std::net::TcpListener::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self { socket, tls })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}

async fn read_tls(files: TlsFiles<'_>) -> Result<RustlsConfig> {
    // A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    for file in [files.certificate, files.key] {
        fs_err::metadata(file).map_err(Error::from)?;
    }
    let read = RustlsConfig::from_pem_file(files.certificate, files.key).await.map_err(|error| {
        let text = format!("is no certificate chain in PEM form with the key {} ({error})", files.key.display());
        Error::invalid_input(text).in_file(files.certificate)
    })?;
    // The library offers HTTP/2, too, which this server does not speak.
    let mut config = rustls::ServerConfig::clone(&read.get_inner());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// Serves until `stop` ends; then accepts nothing more, finishes what is under way, and makes the indices durable.
///
/// # Errors
/// [`ErrorKind::Io`] where the socket or the last flush fails.
pub async fn serve(
    listener: Listener,
    state: Arc<AppState>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    memory::keep_little();
    let _ = state.address.set(listener.address()?);
    let handle = Handle::new();
    let stopping = handle.clone();
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping: no new connections");
        stopping.graceful_shutdown(Some(GRACE));
    });
    let expiring = tokio::spawn(expire(state.clone()));
    let service = app(state.clone()).into_make_service();
    let header_timeout = state.limits.header_timeout;
    let max_buf_size = state.limits.max_header_bytes + state.limits.max_uri_bytes;
    macro_rules! run {
        ($server:expr) => {{
            let mut server = $server?.handle(handle).http1_only();
            let mut http = server.http_builder().http1();
            http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(max_buf_size);
            server.serve(service).await
        }};
    }
    let plain = Acceptor::new(state.limits.body_timeout);
    match listener.tls {
        Some(tls) => {
            let tls = RustlsAcceptor::new(tls).acceptor(plain);
            run!(axum_server::from_tcp(listener.socket).map(|server| server.acceptor(tls)))?;
        }
        None => run!(axum_server::from_tcp(listener.socket).map(|server| server.acceptor(plain)))?,
    }
    expiring.abort();
    let closing = state.clone();
    state
        .manage(move || Ok(closing.catalog.close()?))
        .await
        .map_err(|error| Error::new(ErrorKind::Io, error.reason))?;
    tracing::info!("stopped");
    Ok(())
}

/// Gives back what has expired, by the clock, and free memory once the server has become quiet.
async fn expire(state: Arc<AppState>) {
    let mut ticks = tokio::time::interval(EXPIRY_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut has_free) = (0, false);
    loop {
        ticks.tick().await;
        has_free |= es::drop_expired(&state);
        let (done, is_idle) = state.pools.progress();
        has_free |= done != last;
        if has_free && is_idle && done == last {
            has_free = false;
            tokio::task::spawn_blocking(memory::give_back);
        }
        last = done;
    }
}
