//! How requests reach a server of the same process: as they are, without a socket. Client and server both know this, and not each other.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use std::{error::Error, pin::Pin, sync::Arc};

/// What an answer holds, as it comes.
pub type Content = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Option<Response<Content>>> + Send>>;

/// A server in this process.
pub trait InProcess: Send + Sync {
    /// Answers a request that is as a socket would bring it: path and query in its first line, the server's name in `Host`. None: the
    /// connection was cut before an answer came.
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> Answering;
}
