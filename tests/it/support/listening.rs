//! Servers that keep each byte they hear, to prove what did not arrive there.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Answers every request with 401, or hands all on to another server; keeps what it hears.
pub struct Listening {
    /// `http://127.0.0.1:port`
    pub url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listening {
    /// One that knows no key.
    pub fn refusing() -> Self {
        Self::start(|mut client, heard| {
            let (mut head, mut part) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match client.read(&mut part) {
                    Ok(length) if length > 0 => {
                        head.extend_from_slice(&part[..length]);
                        heard.lock().expect("no panic").extend_from_slice(&part[..length]);
                    }
                    _ => return,
                }
            }
            let _gone = client.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        })
    }

    /// One in front of the server at `url`.
    pub fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self::start(move |mut client, heard| {
            let Ok(mut server) = TcpStream::connect(&server) else { return };
            let (Ok(mut answers), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
            thread::spawn(move || {
                let _ends = std::io::copy(&mut answers, &mut to_client);
                let _closed = to_client.shutdown(Shutdown::Both);
            });
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = client.read(&mut part) {
                heard.lock().expect("no panic").extend_from_slice(&part[..length]);
                if server.write_all(&part[..length]).is_err() {
                    break;
                }
            }
            let _closed = server.shutdown(Shutdown::Both);
        })
    }

    fn start(serve: impl Fn(TcpStream, Arc<Mutex<Vec<u8>>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (kept, serve) = (Arc::clone(&heard), Arc::new(serve));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (kept, serve) = (Arc::clone(&kept), Arc::clone(&serve));
                thread::spawn(move || serve(client, kept));
            }
        });
        Self { url, heard }
    }

    /// All that was heard since the last call.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.heard.lock().expect("no panic"))).into_owned()
    }
}
