//! Stands between a client and PostgreSQL, and cuts the connection at a chosen request or answer.
//!
//! Both sides speak in messages: a letter, four bytes of length, the rest. A request ends with `Q` or `S`, the answer to it
//! with `Z`; when `Z` is there, what the request asked for has been done for good.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
};

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request: the server never sees it.
    Request,
    /// The answer: the server has done it.
    Answer,
}

/// Where it listens, and what it is about to do.
pub struct Proxy {
    pub address: SocketAddr,
    plan: Arc<Plan>,
}

struct Plan {
    server: SocketAddr,
    /// How many requests (`[0]`) or answers (`[1]`) still pass, the one that is cut among them; none is cut at 0 or less.
    left: [AtomicI64; 2],
    cut: AtomicBool,
    down: AtomicBool,
}

impl Plan {
    /// Whether this one is to be cut.
    fn now(&self, lost: Lost) -> bool {
        let now = self.left[lost as usize].fetch_sub(1, Ordering::SeqCst) == 1;
        if now {
            self.cut.store(true, Ordering::SeqCst);
        }
        now
    }
}

impl Proxy {
    /// In front of a server.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let plan = Arc::new(Plan { server, left: Default::default(), cut: false.into(), down: false.into() });
        let proxy = Self { address: listener.local_addr().expect("an address"), plan: Arc::clone(&plan) };
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(plan.server)) else { continue };
                if plan.down.load(Ordering::SeqCst) {
                    continue;
                }
                for lost in [Lost::Request, Lost::Answer] {
                    let (from, to) = if lost == Lost::Request { (&client, &server) } else { (&server, &client) };
                    let (from, to, plan) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"), Arc::clone(&plan));
                    thread::spawn(move || {
                        let _ = pass(&from, &to, lost, &plan);
                        let _ = from.shutdown(Shutdown::Both);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        proxy
    }

    /// The same address as `direct`, through us and without TLS.
    pub fn through(&self, direct: &str) -> String {
        let mut url = url::Url::parse(direct).expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        url.set_query(Some("sslmode=disable"));
        url.to_string()
    }

    /// Cuts the connection at the `nth` request or answer from now on. Connections that come later live.
    pub fn cut(&self, lost: Lost, nth: i64) {
        self.plan.cut.store(false, Ordering::SeqCst);
        self.plan.left[lost as usize].store(nth, Ordering::SeqCst);
    }

    /// Whether it has been cut since.
    pub fn has_cut(&self) -> bool {
        self.plan.left.iter().for_each(|left| left.store(0, Ordering::SeqCst));
        self.plan.cut.load(Ordering::SeqCst)
    }

    /// From now on nobody is let through.
    pub fn go_down(&self) {
        self.plan.down.store(true, Ordering::SeqCst);
    }
}

/// Passes messages on until one is to be lost. What belongs to one request or answer goes on at once and whole.
fn pass(mut from: &TcpStream, mut to: &TcpStream, lost: Lost, plan: &Plan) -> io::Result<()> {
    // The first message of a client has no letter.
    let mut has_letter = lost == Lost::Answer;
    let mut waiting = Vec::new();
    loop {
        let mut head = vec![0; if has_letter { 5 } else { 4 }];
        from.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().expect("four bytes")) as usize;
        let letter = if has_letter { head[0] } else { 0 };
        has_letter = true;
        let mut rest = vec![0; length - 4];
        from.read_exact(&mut rest)?;
        waiting.extend(head.into_iter().chain(rest));
        let ends = match lost {
            Lost::Request => matches!(letter, b'Q' | b'S'),
            Lost::Answer => letter == b'Z',
        };
        if ends && plan.now(lost) {
            return Ok(());
        }
        // Log-in goes to and fro without such an end: it is passed on as it comes.
        let holds_back = match lost {
            Lost::Request => matches!(letter, b'P' | b'B' | b'D' | b'E' | b'C'),
            Lost::Answer => matches!(letter, b'1' | b'2' | b'3' | b'n' | b't' | b'T' | b'D' | b'C'),
        };
        if !holds_back {
            to.write_all(&waiting)?;
            waiting.clear();
        }
    }
}
