//! Behaviours of hostile servers, each with the words that the client finds for it.

use super::server::{Answer, Asked};
use serde_json::json;
use std::{
    fmt::Write as _,
    io::{Result, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

/// What a behaviour is tried with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any request.
    Any,
    /// The first request of all, in real time: waiting takes its time.
    First,
    /// A list of projects.
    List,
    /// A list of projects, of which the script asks for everything.
    Whole,
    /// The log of a task.
    Log,
}

pub struct Behaviour {
    pub name: &'static str,
    pub on: On,
    /// What the client says to a script that reads; none where it takes the answer.
    pub says: Option<&'static str>,
    pub answer: Answer,
}

const fn any(name: &'static str, says: &'static str, answer: Answer) -> Behaviour {
    Behaviour { name, on: On::Any, says: Some(says), answer }
}

const fn taken(name: &'static str, answer: Answer) -> Behaviour {
    Behaviour { name, on: On::Any, says: None, answer }
}

const fn list(name: &'static str, says: &'static str, answer: Answer) -> Behaviour {
    Behaviour { name, on: On::List, says: Some(says), answer }
}

const fn first(name: &'static str, says: &'static str, answer: Answer) -> Behaviour {
    Behaviour { name, on: On::First, says: Some(says), answer }
}

/// Everything that we tried.
pub const ALL: &[Behaviour] = &[
    // Connections.
    any("closes at once", "the connection broke before the answer came", |_, _| Ok(())),
    any("closes in the status line", "the connection broke before the answer came", |to, _| to.write_all(b"HTTP/1.1 2")),
    any("closes in the headers", "the connection broke before the answer came", |to, _| to.write_all(b"HTTP/1.1 200 OK\r\nContent-Ty")),
    any("closes in the body", "the answer broke off", |to, _| to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Items\": [")),
    any("closes in a chunk", "the answer broke off", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n9\r\n12")
    }),
    first("says nothing", "the server did not answer in time", |_, _| {
        wait();
        Ok(())
    }),
    first("drips headers", "the server did not answer in time", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\n")?;
        drip(to, "X-More: 1\r\n")
    }),
    first("drips a body", "the answer did not end in time", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")?;
        drip(to, "1,")
    }),
    first("drips chunks without end", "the answer did not end in time", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        drip(to, "1\r\n \r\n")
    }),
    first("drips 1xx answers without end", "the server did not answer in time", |to, _| drip(to, "HTTP/1.1 100 Continue\r\n\r\n")),
    // Lengths.
    any("promises less than it sends", "JSON that breaks off after 5 bytes", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"a\": 1, \"b\": 2}")
    }),
    any("has a length below zero", "the connection broke before the answer came", |to, _| length(to, "-1")),
    any("has a length beyond all numbers", "the connection broke before the answer came", |to, _| length(to, "99999999999999999999")),
    any("has a length that is a word", "the connection broke before the answer came", |to, _| length(to, "many")),
    any("has two lengths", "the connection broke before the answer came", |to, _| length(to, "2\r\nContent-Length: 3")),
    any("announces a terabyte", "was answered with 1 TiB; the limit is 32 MiB", |to, _| length(to, "1099511627776")),
    any("sends 200 MB of numbers", "was answered with more than 32 MiB; the limit is 32 MiB", |to, _| endless(to, "1,1,1,1,1,1,1,1,")),
    any("sends 200 MB of blanks", "was answered with more than 32 MiB; the limit is 32 MiB", |to, _| endless(to, "                ")),
    any("sends a chunk of all bytes there are", "the answer broke off", |to, _| chunk(to, "FFFFFFFFFFFFFFFF")),
    any("sends a chunk of a size beyond all numbers", "the answer broke off", |to, _| chunk(to, "FFFFFFFFFFFFFFFFFFF")),
    any("sends a chunk without a size", "the answer broke off", |to, _| chunk(to, "many")),
    any("sends a chunk with a megabyte of extensions", "the answer broke off", |to, _| chunk(to, &format!("2;{}", "x".repeat(1 << 20)))),
    any("sends a megabyte of trailers", "the answer broke off", |to, _| {
        chunk(to, &format!("2\r\n[]\r\n0\r\n{}", "X-Trailer: 0123456789abcdef\r\n".repeat(40_000)))
    }),
    any("packs 300 MB into 300 KB", "was answered with more than 32 MiB; the limit is 32 MiB", |to, _| packed(to, &bomb())),
    any("says gzip and sends none", "the answer broke off", |to, _| packed(to, b"{\"a\": 1} and no gzip at all")),
    any("packs in a way nobody asked for", "something that is not JSON", |to, _| {
        respond(to, "200 OK", "Content-Encoding: br\r\n", "\u{b}\u{2}\u{80}")
    }),
    // Heads.
    any("has a header of a megabyte", "the connection broke before the answer came", |to, _| {
        respond(to, "200 OK", &format!("X-Long: {}\r\n", "x".repeat(1 << 20)), "{}")
    }),
    any("has ten thousand headers", "the connection broke before the answer came", |to, _| {
        respond(to, "200 OK", &"X-Many: 1\r\n".repeat(10_000), "{}")
    }),
    any("has a header without a colon", "the connection broke before the answer came", |to, _| {
        respond(to, "200 OK", "no colon here\r\n", "{}")
    }),
    taken("answers 1xx ten thousand times first", |to, asked| {
        to.write_all("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(10_000).as_bytes())?;
        good(to, asked)
    }),
    any("switches protocols", "was answered (101)", |to, _| {
        to.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    }),
    any("speaks HTTP/0.9", "the connection broke before the answer came", |to, _| to.write_all(b"{\"Items\": []}")),
    any("speaks SSH", "the connection broke before the answer came", |to, _| to.write_all(b"SSH-2.0-OpenSSH_9.6\r\n")),
    any("speaks TLS", "the connection broke before the answer came", |to, _| to.write_all(b"\x15\x03\x01\x00\x02\x02\x46")),
    any("speaks HTTP/2", "the connection broke before the answer came", |to, _| to.write_all(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80")),
    any("has a status of one digit", "the connection broke before the answer came", |to, _| to.write_all(b"HTTP/1.1 2 OK\r\n\r\n")),
    any("has the status 999", "999", |to, _| respond(to, "999 Go", "", "{}")),
    taken("sends garbage after its answer", |to, asked| {
        good(to, asked)?;
        to.write_all(b"HTTP/1.1 500 Boo\r\nContent-Length: 1\r\n\r\n!\0\xff\xfe garbage")
    }),
    taken("says it is the year 9999", |to, asked| {
        let body = body(asked);
        respond(to, "200 OK", "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n", &body)
    }),
    taken("says it is no time at all", |to, asked| {
        let body = body(asked);
        respond(to, "200 OK", "Date: Blursday, 99 Foo -1 99:99:99 GMT\r\n", &body)
    }),
    // Redirects.
    any("redirects to another server", "the credential does not follow", |to, asked| {
        redirect(to, &format!("{}{}", asked.elsewhere, asked.request.target))
    }),
    any("redirects to another server without a scheme", "the credential does not follow", |to, asked| {
        redirect(to, &format!("{}{}", asked.elsewhere.trim_start_matches("http:"), asked.request.target))
    }),
    any("redirects to a user who looks like us", "the credential does not follow", |to, asked| {
        redirect(to, &format!("{}@{}/", asked.here, asked.elsewhere.trim_start_matches("http://")))
    }),
    any("redirects with backslashes", "the credential does not follow", |to, asked| {
        redirect(to, &format!("\\\\{}\\x", asked.elsewhere.trim_start_matches("http://")))
    }),
    any("redirects to a file", "the credential does not follow", |to, _| redirect(to, "file:///etc/passwd")),
    any("redirects to TLS on the same port", "the credential does not follow", |to, asked| {
        redirect(to, &format!("{}/", asked.here.replace("http:", "https:")))
    }),
    any("redirects in a circle", "was redirected more than 5 times", |to, asked| redirect(to, &asked.request.target)),
    any("redirects nowhere", "(302)", |to, _| respond(to, "302 Found", "", "")),
    any("redirects to a long name", "was redirected (302) from", |to, _| redirect(to, &format!("http://{}/", "a".repeat(50_000)))),
    // Refusals.
    any("wants a pause of thirty years", "it wants a pause of", |to, _| refuse(to, "429 Too Many Requests", "Retry-After: 1000000000")),
    any("wants a pause below zero", "the server answers 429", |to, _| refuse(to, "429 Too Many Requests", "Retry-After: -5")),
    any("wants a pause beyond all numbers", "the server answers 429", |to, _| {
        refuse(to, "429 Too Many Requests", "Retry-After: 99999999999999999999")
    }),
    any("wants a pause until the year 9999", "the server answers 429", |to, _| {
        refuse(to, "429 Too Many Requests", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")
    }),
    any("is away for ever", "the server answers 503", |to, _| refuse(to, "503 Service Unavailable", "")),
    any("fails with five megabytes of HTML", "the server answers 500", |to, _| {
        respond(to, "500 Internal Server Error", "Content-Type: text/html\r\n", &format!("<html>{}", "<p>".repeat(5 << 18)))
    }),
    any("refuses in nine hundred thousand letters", "more characters)", |to, _| {
        respond(to, "400 Bad Request", "", &json!({"ErrorMessage": "no ".repeat(300_000), "Errors": ["x ".repeat(9000), "y"]}).to_string())
    }),
    any("refuses for fifty thousand reasons", "and 49980 more", |to, _| {
        respond(to, "400 Bad Request", "", &json!({"ErrorMessage": "No.", "Errors": vec!["No."; 50_000]}).to_string())
    }),
    any("refuses with an error of odd types", "the server gave no reason", |to, _| {
        let body = json!({"ErrorMessage": {"a": [1]}, "Errors": {"0": "x"}, "HelpText": 7, "HelpLink": [], "ParsedHelpLinks": "x"});
        respond(to, "400 Bad Request", "", &body.to_string())
    }),
    any("echoes the key", "key ***", |to, asked| {
        let key = asked
            .request
            .head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().starts_with("x-octopus-apikey").then(|| line[17..].trim()));
        respond(to, "400 Bad Request", "", &json!({"ErrorMessage": format!("key {}", key.unwrap_or_default())}).to_string())
    }),
    any("echoes the key where the message is cut", "which begins", |to, asked| {
        let key = asked
            .request
            .head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().starts_with("x-octopus-apikey").then(|| line[17..].trim()));
        respond(to, "200 OK", "Content-Type: text/html\r\n", &format!("<p>{} {} more", "x".repeat(66), key.unwrap_or_default()))
    }),
    // Bodies.
    any("answers nothing", "", |to, _| respond(to, "200 OK", "", "")),
    any("answers 204", "", |to, _| to.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")),
    any("answers 304", "(304)", |to, _| to.write_all(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    any("answers a page", "an HTML page, which begins `<!DOCTYPE html>", |to, _| {
        respond(to, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<!DOCTYPE html><title>Sign in</title>")
    }),
    any("answers a page and calls it JSON", "an HTML page, which begins `<html>", |to, _| respond(to, "200 OK", JSON, "<html><body>hello")),
    any("nests a hundred thousand lists", "inside each other more than 64 levels deep", |to, _| {
        respond(to, "200 OK", JSON, &"[".repeat(100_000))
    }),
    any("nests a hundred thousand objects", "inside each other more than 64 levels deep", |to, _| {
        respond(to, "200 OK", JSON, &"{\"a\":".repeat(100_000))
    }),
    any("sends ten million empty objects", "values that need more than 96 MiB of memory", |to, _| {
        respond(to, "200 OK", JSON, &format!("[{}{{}}]", "{},".repeat(10_000_000)))
    }),
    any("sends four million small objects", "values that need more than 96 MiB of memory", |to, _| {
        respond(to, "200 OK", JSON, &format!("[{}{{}}]", "{\"a\":1},".repeat(4_000_000)))
    }),
    any("sends a text of sixty megabytes", "the limit is 32 MiB", |to, _| {
        respond(to, "200 OK", JSON, &format!("\"{}\"", "x".repeat(60_000_000)))
    }),
    any("sends a text of thirty megabytes", "", |to, _| respond(to, "200 OK", JSON, &format!("\"{}\"", "x".repeat(30_000_000)))),
    any("sends 230,000 small objects", "", |to, _| respond(to, "200 OK", JSON, &format!("[{}{{}}]", "{\"a\":1},".repeat(230_000)))),
    any("sends a number that is too large", "something that is not JSON (number out of range", |to, _| {
        respond(to, "200 OK", JSON, "[1e999]")
    }),
    any("sends what is not a number", "something that is not JSON", |to, _| respond(to, "200 OK", JSON, "{\"Id\": NaN}")),
    any("sends a number of ten million digits", "something that is not JSON (number out of range", |to, _| {
        respond(to, "200 OK", JSON, &"7".repeat(10_000_000))
    }),
    any("sends bytes that are no text", "something that is not JSON (invalid unicode code point", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"Id\": \"\xff\xfe\xc0\x80\"}")
    }),
    any("sends half of a character", "something that is not JSON", |to, _| respond(to, "200 OK", JSON, "{\"Id\": \"\\ud83d\"}")),
    any("sends UTF-16", "a text in UTF-16", |to, _| to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\xff\xfe{\0}\0")),
    any("sends zeros", "something that is not JSON", |to, _| respond(to, "200 OK", JSON, &"\0".repeat(10_000))),
    taken("begins with a mark of its encoding", |to, asked| {
        let body = format!("\u{feff}{}", body(asked));
        respond(to, "200 OK", JSON, &body)
    }),
    taken("says things twice", |to, asked| {
        let body = body(asked).replacen('{', "{\"TotalResults\": -1, \"TotalResults\": \"x\", \"TotalResults\": 0,", 1);
        respond(to, "200 OK", JSON, &body)
    }),
    any("answers a number", "", |to, _| respond(to, "200 OK", JSON, "7")),
    any("answers lists of everything", "", |to, _| respond(to, "200 OK", JSON, "[null, 7, \"x\", [], {}, true, -0.0, 1e300]")),
    // Lists.
    list("counts without end", "projects of the server (`GET", |to, asked| page(to, asked, 500, "1000000000", "")),
    list("gives one item a page without end", "has more than 2000 pages", |to, asked| page(to, asked, 1, "1000000000", "")),
    list(
        "claims more and gives nothing",
        "breaks off: 3 projects were read, the next page is empty, and there should be 1000",
        |to, asked| page(to, asked, if asked.request.number("skip") == 0 { 3 } else { 0 }, "1000", ""),
    ),
    list("claims more than there can be", "breaks off: 3 projects were read", |to, asked| {
        page(to, asked, if asked.request.number("skip") == 0 { 3 } else { 0 }, "18446744073709551615", "")
    }),
    list("gives the same page again", "repeats the same pages", |to, _| {
        respond(to, "200 OK", JSON, &json!({"TotalResults": 100_000, "Items": [project(1), project(2)]}).to_string())
    }),
    list("calls a page its own next one", "leads in a circle", |to, asked| {
        page(to, asked, 3, "1000", "/api/Spaces-1/projects?skip=3&take=500")
    }),
    list("leads from page to page in a circle", "leads in a circle", |to, asked| {
        let next = if asked.before % 2 == 0 { "/api/Spaces-1/projects?x=1" } else { "/api/Spaces-1/projects?x=2" };
        page(to, asked, 3, "1000", next)
    }),
    list("has less and less", "has more than 2000 pages", |to, asked| {
        let total = (1_000_000_000 - asked.before).to_string();
        page(to, asked, 3, &total, "")
    }),
    list("has its next page on another server", "leads to another server", |to, asked| {
        page(to, asked, 3, "1000", &format!("{}/api/Spaces-1/projects?skip=3", asked.elsewhere))
    }),
    list("has its next page at a user who looks like us", "leads to another server", |to, asked| {
        page(to, asked, 3, "1000", &format!("{}@{}/", asked.here, asked.elsewhere.trim_start_matches("http://")))
    }),
    list("has its next page on another server without a scheme", "", |to, asked| {
        page(to, asked, 3, "1000", &format!("{}/api/x", asked.elsewhere.trim_start_matches("http:")))
    }),
    list("has large projects", "needs more than 128 MiB of memory", |to, asked| {
        let large = |n: usize| json!({"Id": format!("Projects-{n}"), "Name": format!("P{n}"), "Description": "x".repeat(1 << 20)});
        let items: Vec<_> = (0..8).map(|n| large(asked.before * 8 + n)).collect();
        respond(to, "200 OK", JSON, &json!({"Items": items, "TotalResults": 100_000}).to_string())
    }),
    list("has projects of many small objects", "needs more than 128 MiB of memory", |to, asked| {
        let large = |n: usize| json!({"Id": format!("Projects-{n}"), "Name": format!("P{n}"), "More": vec![json!({"a": 1}); 1000]});
        let items: Vec<_> = (0..50).map(|n| large(asked.before * 50 + n)).collect();
        respond(to, "200 OK", JSON, &json!({"Items": items, "TotalResults": 100_000}).to_string())
    }),
    list("has items that are none", "expected an object", |to, _| respond(to, "200 OK", JSON, "{\"Items\": [1, 2, 3]}")),
    list("has an object of items", "at `Items`: expected an array", |to, _| respond(to, "200 OK", JSON, "{\"Items\": {\"0\": {}}}")),
    list("has projects without ids", "", |to, _| {
        respond(to, "200 OK", JSON, "{\"Items\": [{}, {\"Id\": null}, {\"Id\": \"\"}], \"TotalResults\": -3}")
    }),
    list("has ids of numbers", "at `Items[0].Id`: expected", |to, _| {
        respond(to, "200 OK", JSON, "{\"Items\": [{\"Id\": 7, \"Name\": \"x\"}]}")
    }),
    list("has a name of ten megabytes", "", |to, _| {
        let item = json!({"Id": "Projects-1", "Name": "n".repeat(10 << 20), "Slug": "x"});
        respond(to, "200 OK", JSON, &json!({"Items": [item], "TotalResults": 1}).to_string())
    }),
    Behaviour {
        name: "has a project of thirty megabytes",
        on: On::Whole,
        says: None,
        answer: |to, _| {
            let item = json!({"Id": "Projects-1", "Name": "P", "Slug": "p", "Description": "d".repeat(15 << 20), "More": "\u{e9}".repeat(7 << 20)});
            respond(to, "200 OK", JSON, &json!({"Items": [item], "TotalResults": 1}).to_string())
        },
    },
    Behaviour {
        name: "has a project of as many small values as are taken",
        on: On::Whole,
        says: None,
        answer: |to, _| {
            let item = json!({"Id": "Projects-1", "Name": "P", "Slug": "p", "More": vec![json!({"a": 1}); 225_000]});
            respond(to, "200 OK", JSON, &json!({"Items": [item], "TotalResults": 1}).to_string())
        },
    },
    Behaviour {
        name: "has ten thousand large projects",
        on: On::Whole,
        says: None,
        answer: |to, asked| {
            let skip = asked.request.number("skip");
            let item = |n: usize| json!({"Id": format!("Projects-{n}"), "Name": format!("P{n}"), "Slug": format!("p{n}"), "Description": "d".repeat(3000)});
            let items: Vec<_> = (skip..(skip + 500).min(10_000)).map(item).collect();
            respond(to, "200 OK", JSON, &json!({"Items": items, "TotalResults": 10_000}).to_string())
        },
    },
    Behaviour {
        name: "has a log of forty megabytes",
        on: On::Log,
        says: Some("the limit is 16 MiB"),
        answer: |to, _| respond(to, "200 OK", "Content-Type: text/plain\r\n", &"0123456789abcdef\n".repeat(2_500_000)),
    },
    Behaviour {
        name: "has a log of bytes that are no text",
        on: On::Log,
        says: Some(""),
        answer: |to, _| {
            let body = vec![0xff; 15 << 20];
            write!(to, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
            to.write_all(&body)
        },
    },
    Behaviour {
        name: "has a log without end",
        on: On::Log,
        says: Some("the limit is 16 MiB"),
        answer: |to, _| endless(to, "no end of it\n"),
    },
    Behaviour {
        name: "has a page as a log",
        on: On::Log,
        says: Some("an HTML page"),
        answer: |to, _| respond(to, "200 OK", "Content-Type: text/html\r\n", "<html>"),
    },
];

const JSON: &str = "Content-Type: application/json\r\n";

fn respond(to: &mut TcpStream, status: &str, headers: &str, body: &str) -> Result<()> {
    write!(to, "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    to.write_all(body.as_bytes())
}

fn refuse(to: &mut TcpStream, status: &str, header: &str) -> Result<()> {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    respond(to, status, &header, "{\"ErrorMessage\": \"Go away.\"}")
}

fn redirect(to: &mut TcpStream, target: &str) -> Result<()> {
    respond(to, "302 Found", &format!("Location: {target}\r\n"), "")
}

fn length(to: &mut TcpStream, length: &str) -> Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{}}")
}

/// Chunks that begin with this.
fn chunk(to: &mut TcpStream, chunk: &str) -> Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}\r\n[]\r\n0\r\n\r\n")
}

fn packed(to: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n{JSON}Content-Length: {}\r\n\r\n", bytes.len())?;
    to.write_all(bytes)
}

/// Bytes without a length, 200 MB of them.
fn endless(to: &mut TcpStream, text: &str) -> Result<()> {
    to.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")?;
    let piece = text.repeat((1 << 20) / text.len());
    for _ in 0..200 {
        to.write_all(piece.as_bytes())?;
    }
    Ok(())
}

/// Until the client leaves; the safety net of the test is longer.
fn wait() {
    sleep(Duration::from_secs(200));
}

fn drip(to: &mut TcpStream, text: &str) -> Result<()> {
    for _ in 0..1000 {
        to.write_all(text.as_bytes())?;
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// 300 MB of zeros in gzip: one zero, and 1.2 million times "the last 258 bytes again".
fn bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    let mut code = |code: u16, length: u16| bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    code(0x30, 8);
    for _ in 0..1_200_000 {
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    let packed = bits
        .chunks(8)
        .map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)) << (8 - byte.len()) >> (8 - byte.len()));
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255].into_iter().chain(packed).chain([0; 8]).collect()
}

fn project(n: usize) -> serde_json::Value {
    json!({"Id": format!("Projects-{n}"), "Name": format!("Project {n}"), "Slug": format!("project-{n}"), "LifecycleId": "Lifecycles-1"})
}

/// A page of so many projects nobody saw before.
fn page(to: &mut TcpStream, asked: &Asked, count: usize, total: &str, next: &str) -> Result<()> {
    let mut items = String::new();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(items, "{comma}{}", project(asked.before * 1000 + n));
    }
    let links = if next.is_empty() { json!({}) } else { json!({"Page.Next": next}) };
    respond(to, "200 OK", JSON, &format!("{{\"ItemsPerPage\": 0, \"TotalResults\": {total}, \"Items\": [{items}], \"Links\": {links}}}"))
}

/// What a good server might say.
fn body(asked: &Asked) -> String {
    let path = asked.request.path();
    if path.ends_with("/deployments") && asked.request.method == "POST" {
        r#"{"Id": "Deployments-77", "TaskId": "ServerTasks-77", "ProjectId": "Projects-1", "ReleaseId": "Releases-1"}"#.to_owned()
    } else {
        r#"{"Items": [], "TotalResults": 0}"#.to_owned()
    }
}

fn good(to: &mut TcpStream, asked: &Asked) -> Result<()> {
    let body = body(asked);
    respond(to, "200 OK", JSON, &body)
}
