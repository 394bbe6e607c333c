//! A connection without TLS to another machine, for whoever wrote `sslmode=disable`: whatever the server asks for, the password is not sent
//! as text, nor as the MD5 digest that is as good as one. SCRAM shows a server that one knows it, without telling it.
//!
//! The driver has no switch for that. It takes this for TLS: a stream that reads what the server says first.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll, ready as ready_or_pending},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// Makes connections without TLS.
#[derive(Clone, Copy)]
pub struct Plain;

/// What is said when a server asks for the password.
pub const ASKED: &str = "it asks for the password as text, and there is no TLS";

impl<S> MakeTlsConnect<S> for Plain
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    type Stream = Guarded<S>;
    type TlsConnect = Self;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _: &str) -> io::Result<Self> {
        Ok(Self)
    }
}

impl<S> TlsConnect<S> for Plain
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    type Stream = Guarded<S>;
    type Error = io::Error;
    type Future = Ready<io::Result<Guarded<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Guarded { stream, watch: LoginWatch::default() }))
    }
}

/// A stream that ends when the server asks for the password as text or as its MD5 digest.
pub struct Guarded<S> {
    stream: S,
    watch: LoginWatch,
}

/// Follows the messages of a server until it has let us in: a letter, four bytes of length, the rest.
#[derive(Default)]
struct LoginWatch {
    /// The beginning of the present message.
    head: Vec<u8>,
    /// How much of the present message is still to come.
    left: usize,
    is_over: bool,
}

impl LoginWatch {
    /// Whether what comes next may be passed on.
    fn passes(&mut self, mut bytes: &[u8]) -> bool {
        /// Letter, length, and what an authentication message asks for.
        const HEAD: usize = 9;
        while !self.is_over && !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            let number = |at: usize| self.head[at..at + 4].iter().fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
            let is_request = self.head[0] == b'R';
            match self.head.len() {
                5 if !is_request || number(1) < 8 => {
                    // Not a word about how to log in: an error, or something that the driver does not take.
                    self.left = number(1).saturating_sub(4);
                    self.head.clear();
                }
                HEAD => {
                    match number(5) {
                        // In.
                        0 => self.is_over = true,
                        // SCRAM: its beginning, middle and end.
                        10..=12 => {}
                        _ => return false,
                    }
                    self.left = number(1).saturating_sub(8);
                    self.head.clear();
                }
                _ => {}
            }
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready_or_pending!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if self.watch.passes(&into.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        into.set_filled(before);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::PermissionDenied, ASKED)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Guarded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(letter: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [&[letter][..], &length, body].concat()
    }

    /// Whether all passes, in pieces of any size.
    fn passes(bytes: &[u8]) -> bool {
        let all: Vec<bool> = (1..=bytes.len())
            .map(|size| {
                let mut watch = LoginWatch::default();
                bytes.chunks(size).all(|chunk| watch.passes(chunk))
            })
            .collect();
        assert!(all.iter().all(|one| *one == all[0]), "it depends on the sizes of the pieces: {all:?}");
        all[0]
    }

    #[test]
    fn password_as_text_is_not_asked_for_wherever_it_stands() {
        let request = |kind: u32, rest: &[u8]| message(b'R', &[&kind.to_be_bytes()[..], rest].concat());
        let (scram, goes_on) = (request(10, b"SCRAM-SHA-256\0\0"), request(11, b"r=x,s=y,i=4096"));
        let (ends, is_in) = (request(12, b"v=x"), request(0, b""));
        let (notice, error) = (message(b'N', b"SNOTICE\0\0"), message(b'E', b"SFATAL\0\0"));
        for good in [
            vec![scram.clone(), goes_on.clone(), ends, is_in.clone(), request(3, b"")],
            vec![is_in.clone(), message(b'D', &[0; 300])],
            vec![error.clone()],
            vec![notice.clone(), scram.clone(), goes_on.clone(), error],
        ] {
            assert!(passes(&good.concat()), "{good:?}");
        }
        for asked in [request(3, b""), request(5, b"salt"), request(7, b""), request(u32::MAX, b"")] {
            assert!(!passes(&asked) && !passes(&[&notice[..], &asked].concat()) && !passes(&[&scram[..], &goes_on, &asked].concat()));
        }
    }
}
