//! What every connection is: small packets at once, and no client that holds an answer for ever by not reading it.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

/// Prepares the connections that are accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acceptor {
    write_timeout: Duration,
}

impl Acceptor {
    /// * `write_timeout`: how long a client may take nothing of an answer before its connection is closed.
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self { write_timeout }
    }
}

impl<S> Accept<TcpStream, S> for Acceptor {
    type Stream = Pin<Box<TimeoutStream<TcpStream>>>;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Answers are small and waited for: they do not wait for company.
        let prepared = stream.set_nodelay(true).map(|()| {
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(self.write_timeout));
            (Box::pin(stream), service)
        });
        std::future::ready(prepared)
    }
}
