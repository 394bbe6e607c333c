//! Connections that can be cut: a fault closes them in the middle of an answer, as a crashing server or proxy does. They end by themselves
//! when nothing comes for too long, and there are only so many of them.

use crate::clock::Clock;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use jiff::SignedDuration;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How many connections there are at once; who comes later waits. Fewer than the files that a process may have open.
const CONNECTIONS: usize = 512;
/// On the clock on the wall, from the first byte of a request to its last, and for a reader that takes nothing.
const REQUEST: SignedDuration = SignedDuration::from_secs(60);
/// Between two requests. Clients throw a connection away that was idle for 90 s.
const IDLE: SignedDuration = SignedDuration::from_secs(120);

/// Accepts connections that can be cut.
pub(crate) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
    /// Ends when the client has been silent for too long.
    patience: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _place: Option<OwnedSemaphorePermit>,
}

/// Where a connection stands.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// A request is on its way.
    Request,
    /// The sandbox works on the answer, or writes it.
    Answer,
    Idle,
    Cut,
}

/// The handle with which a handler cuts its own connection.
#[derive(Clone)]
pub(crate) struct Line(Arc<AtomicU8>);

impl Line {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Phase::Request as u8)))
    }

    fn is(&self, phase: Phase) -> bool {
        self.0.load(Ordering::SeqCst) == phase as u8
    }

    /// A connection that was cut stays so.
    fn becomes(&self, phase: Phase) {
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| (now != Phase::Cut as u8).then_some(phase as u8));
    }

    /// Nothing goes over this connection any more.
    pub(crate) fn cut(&self) {
        self.0.store(Phase::Cut as u8, Ordering::SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is(Phase::Cut)
    }

    /// The request is there as a whole: from now on the client waits for us.
    pub(crate) fn has_arrived(&self) {
        self.becomes(Phase::Answer);
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let place = self.places.clone().acquire_owned().await.ok();
        loop {
            if let Ok((stream, address)) = self.listener.accept().await {
                let _ = stream.set_nodelay(true);
                return (Wire { stream, line: Line::new(), patience: Some(patience(REQUEST)), _place: place }, address);
            }
            tokio::task::yield_now().await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

fn patience(span: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { Clock::real().sleep(span).await })
}

impl Wire {
    /// Why nothing more goes over it.
    fn over(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        if self.line.is_cut() {
            return Some(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        let is_over = self.patience.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready());
        is_over.then(|| io::Error::from(io::ErrorKind::TimedOut))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.is(Phase::Answer) {
            self.patience = None;
        }
        if let Some(e) = self.over(cx) {
            return Poll::Ready(Err(e));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.line.is(Phase::Idle) && buf.filled().len() > before {
            self.line.becomes(Phase::Request);
            self.patience = Some(patience(REQUEST));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.line.is(Phase::Answer) {
            self.line.becomes(Phase::Idle);
            self.patience = Some(patience(REQUEST));
        }
        if let Some(e) = self.over(cx) {
            return Poll::Ready(Err(e));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if written.is_ready() {
            self.patience = Some(patience(IDLE));
        }
        written
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(e) = self.over(cx) {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
