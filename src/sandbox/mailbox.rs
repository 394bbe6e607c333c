//! Catches the mails a run sends: a placeholder that listens and keeps nothing.

use crate::error::{Error, Kind, Result};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// One caught mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: String,
    /// The whole message as it came.
    pub raw: String,
}

/// A mail server that keeps what it gets.
pub struct Mailbox {
    listener: TcpListener,
}

impl Mailbox {
    /// Listens on `listen` (port 0: any).
    pub async fn start(listen: SocketAddr) -> Result<Mailbox> {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| Error::new(Kind::Unreachable, format!("cannot listen on `{listen}` for mail: {e}")))?;
        Ok(Mailbox { listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The mails so far, oldest first.
    #[allow(clippy::unused_self)]
    pub fn mails(&self) -> Vec<Mail> {
        Vec::new()
    }
}
