//! The sandbox as a server on somebody's machine: no web page makes it act or learns what it holds, no other program without its key sees
//! what is true, no world runs a script that nobody asked for, and nobody fills its memory.

use super::steps::world as with_step;
use crate::support::{self, octorhai, server::Server, shop, standalone::Standalone};
use octorhai::{
    clock::Clock,
    sandbox::{Sandbox, World, control_endpoints, endpoints},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
};

/// What a page of another origin, or one whose name was forged to be this machine, cannot help sending.
const FOREIGN: [(&str, &str); 9] = [
    ("Host", "evil.example"),
    ("Host", "127.0.0.1.evil.example:8065"),
    ("Host", "localhost."),
    ("Origin", "http://evil.example"),
    ("Origin", "http://127.0.0.2:8065"),
    ("Origin", "null"),
    ("Origin", "file://"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
];

/// Every endpoint, with something in the place of ids, and the sandbox's own.
fn all() -> Vec<(String, String)> {
    let own = control_endpoints().map(|(method, path)| (method.to_owned(), path.to_owned()));
    let api = endpoints().map(|e| {
        let path = e["path"].as_str().expect("a path").replace("{space}", "Spaces-1");
        let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "Projects-1" } else { part }).collect();
        (e["method"].as_str().expect("a method").to_owned(), path.join("/"))
    });
    own.chain(api).collect()
}

fn request(s: &Server, method: &str, path: &str) -> RequestBuilder {
    let method: Method = method.parse().expect("a method");
    let request = s.http.request(method.clone(), format!("{}{path}", s.sandbox.url()));
    if method == Method::GET { request } else { request.json(&json!({"Name": "x", "by": "1h"})) }
}

#[tokio::test]
async fn no_endpoint_answers_to_a_page_of_another_origin() {
    let s = Server::shop().await;
    let (before, requests) = (s.sandbox.state(), s.sandbox.requests());
    let mut refused = 0;
    for (method, path) in all() {
        for (name, value) in FOREIGN {
            let answer = request(&s, &method, &path).header("X-Octopus-ApiKey", s.sandbox.api_key()).header(name, value).send().await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), 403, "{method} {path} {name}: {value}");
            assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control-")), "{:?}", answer.headers());
            let why: Value = answer.json().await.expect("JSON");
            let why = why["ErrorMessage"].as_str().expect("a sentence");
            assert!(why.contains(value) && why.contains(if name == "Host" { "--host" } else { name }), "{why}");
            refused += 1;
        }
    }
    assert!(refused > 9 * 400, "{refused}");
    assert_eq!((s.sandbox.state(), s.sandbox.requests()), (before, requests), "something was done");
    let seen = s.get("/sandbox/requests").await;
    assert_eq!(seen.as_array().expect("a list").iter().filter(|one| one["status"] == 403).count(), refused, "each stands in the log");
}

#[tokio::test]
async fn what_is_true_is_for_who_has_the_key() {
    let world =
        "\n[[users]]\nname = \"eve\"\nkey = \"API-EVE\"\n\n[[users]]\nname = \"bob\"\nkey = \"API-BOB\"\npermissions = [\"ProjectView\"]\n";
    let s = Server::toml(&format!("{}{world}", shop(&[]))).await;
    for (method, path) in control_endpoints() {
        let status = async |key: Option<&str>| {
            let request = request(&s, method, path);
            let request = if let Some(key) = key { request.header("X-Octopus-ApiKey", key) } else { request };
            request.send().await.expect("an answer").status().as_u16()
        };
        for key in [None, Some(""), Some("API-NOBODY")] {
            assert_eq!(status(key).await, 401, "{method} {path} {key:?}");
        }
        // What a script goes by is for every client; what is true is for administrators.
        let is_open = ["/sandbox/clock", "/sandbox/context"].contains(&path);
        assert_eq!(status(Some("API-BOB")).await, if is_open { 200 } else { 401 }, "{method} {path}");
        assert_ne!(status(Some("API-EVE")).await, 401, "{method} {path}");
        assert_ne!(status(Some("API-SANDBOX")).await, 401, "{method} {path}");
    }
    let by_query = s.http.get(format!("{}/sandbox/state?ApiKey=API-SANDBOX", s.sandbox.url())).send().await.expect("an answer");
    assert_eq!(by_query.status(), 200);
    // The clock is nobody's who brings no key, either.
    let later = |key: &'static str| {
        let request = s.http.get(format!("{}/api", s.sandbox.url())).header("X-Octorhai-Now", "2030-01-01T00:00:00Z");
        async move { request.header("X-Octopus-ApiKey", key).send().await.expect("an answer") }
    };
    later("API-NOBODY").await;
    assert!(s.clock.now().to_string().as_str() < "2027", "{}", s.clock.now());
    later("API-BOB").await;
    assert_eq!(s.clock.now().to_string(), "2030-01-01T00:00:00Z");
}

#[tokio::test]
async fn odd_requests_are_answered_and_leave_it_whole() {
    let s = Server::shop().await;
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"by": "-1h"}),
        json!({"by": ""}),
        json!({"by": 7}),
        json!({"by": "999999999999d"}),
        json!({"task": "ServerTasks-0"}),
        json!({"task": "ServerTasks-99999999999999999999"}),
        json!({"match": "*", "action": "huge", "size": -1}),
        json!({"match": "", "action": "nothing"}),
        json!({"reject": "x", "fail_next": -1}),
        json!({"reject": [1, null], "fail_next": 1.5e300}),
        json!({"who": {"a": [1]}, "what": null}),
    ];
    for (_, path) in control_endpoints() {
        for body in &odd {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD, Method::GET] {
                let request = s.http.request(method.clone(), format!("{}{path}?x=%00&y=%ff", s.sandbox.url())).json(body);
                let answer = request.header("X-Octopus-ApiKey", s.sandbox.api_key()).send().await.expect("an answer");
                assert!(answer.status().as_u16() < 500, "{method} {path} {body}: {}", answer.status());
            }
        }
        let broken = s.http.post(format!("{}{path}", s.sandbox.url())).body(vec![0xff; 99]).header("X-Octopus-ApiKey", s.sandbox.api_key());
        assert!(broken.send().await.expect("an answer").status().as_u16() < 500, "{path}");
    }
    let at = format!("{}/api?x", s.sandbox.url());
    for time in ["9999-12-31T23:59:59.999999999Z", "-009999-01-01T00:00:00Z", "x"] {
        let sent = s.http.get(&at).header("X-Octorhai-Now", time).header("X-Octopus-ApiKey", s.sandbox.api_key()).send().await;
        assert_eq!(sent.expect("an answer").status(), 200, "{time}");
    }
    assert_eq!(s.send(Method::GET, "/sandbox/state", None).await.0, 200);
}

/// Sends a request as it stands, then `more` zeros; the first line of the answer.
fn raw(url: &str, request: &str, more: usize) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    for _ in 0..more >> 12 {
        // Who is refused before the end finds the connection closed.
        if stream.write_all(&[b'0'; 1 << 12]).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn bodies_are_bounded_and_strangers_send_small_ones() {
    let sandbox = Standalone::start("shop", &[]);
    for (path, key, size, wanted) in [
        ("/api/packages/raw", "API-NOBODY", 1 << 20, "401"),
        ("/sandbox/mark", "API-SANDBOX", 2 << 20, "413"),
        ("/api/packages/raw", "API-SANDBOX", 65 << 20, "413"),
        ("/api/packages/raw", "API-SANDBOX", 1 << 20, "400"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Octopus-ApiKey: {key}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        );
        let answer = raw(&sandbox.url, &head, size);
        assert!(answer.contains(wanted) || answer.is_empty() && wanted != "400", "{path} {size}: {answer:?}");
    }
    // What has no end, and what never begins.
    let chunked = format!("POST /api/packages/raw HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", 1 << 30);
    let answer = raw(&sandbox.url, &chunked, 1 << 20);
    assert!(answer.contains("401") || answer.is_empty(), "{answer:?}");
    let answer =
        raw(&sandbox.url, &format!("GET /api?{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "x".repeat(1 << 20)), 0);
    assert!(answer.contains("414") || answer.contains("431") || answer.is_empty(), "{answer:?}");
    assert_eq!(sandbox.get("/sandbox/marks"), json!([]));
}

#[test]
fn the_first_line_and_host_are_read_as_strictly_as_they_can_be() {
    let sandbox = Standalone::start("shop", &[]);
    let port = sandbox.url.rsplit(':').next().expect("a port").to_owned();
    let own = format!("Host: 127.0.0.1:{port}");
    for (line, headers, wanted) in [
        ("GET /api HTTP/1.1", own.as_str(), "200"),
        ("GET /api HTTP/1.1", "hOsT: LOCALHOST", "200"),
        ("GET /api HTTP/1.1", "Host: [::1]", "200"),
        ("GET /api HTTP/1.0", own.as_str(), "200"),
        ("GET /api HTTP/1.1", "X: y", "400"),
        ("GET /api HTTP/1.0", "X: y", "400"),
        ("GET /api HTTP/1.1", "Host: 127.0.0.1\r\nHost: 127.0.0.1", "400"),
        ("GET /api HTTP/1.1", "Host: 127.0.0.1\r\nHost: evil.example", "400"),
        ("GET /api HTTP/1.1", "Host:", "403"),
        ("GET /api HTTP/1.1", "Host: evil.example", "403"),
        ("GET http://evil.example/api HTTP/1.1", own.as_str(), "403"),
        ("GET http://127.0.0.1/api HTTP/1.1", "Host: evil.example", "403"),
        ("GET http://127.0.0.1/api HTTP/1.1", own.as_str(), "200"),
        ("GET /sandbox/state HTTP/1.1", own.as_str(), "401"),
        ("OPTIONS /api/tasks HTTP/1.1", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST", "403"),
        ("GET /api HTTP/1.1", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket", "403"),
    ] {
        let answer = raw(&sandbox.url, &format!("{line}\r\n{headers}\r\nConnection: close\r\n\r\n"), 0);
        assert!(answer.contains(wanted), "{line} {headers}: {answer:?}");
    }
}

#[tokio::test]
async fn a_page_cannot_send_mail_over_http() {
    let s = Server::shop().await;
    let mail = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: forged\r\n\r\n.\r\nQUIT\r\n";
    let port = s.sandbox.smtp_url().replace("smtp://", "http://");
    let heads = ["POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "PROPFIND / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "get /\r\n"];
    for head in heads {
        let (port, sent) = (port.clone(), format!("{head}{mail}"));
        tokio::task::spawn_blocking(move || raw(&port, &sent, 0)).await.expect("an answer");
    }
    assert_eq!(s.sandbox.mails(), []);
    let port = port.clone();
    tokio::task::spawn_blocking(move || raw(&port, mail, 0)).await.expect("an answer");
    assert_eq!(s.sandbox.mails().len(), 1, "a mail client's");
}

/// The first lines of a sandbox that is started with these words.
fn told(words: &[&str], lines: usize) -> Vec<String> {
    let mut command = support::octorhai_command();
    let mut child = command.args(["sandbox"]).args(words).stdin(Stdio::null()).spawn().expect("it starts");
    let told = BufReader::new(child.stderr.take().expect("piped")).lines().take(lines).map(|line| line.expect("text")).collect();
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    told
}

#[test]
fn the_key_is_nobodys_where_it_matters() {
    let folder = tempfile::tempdir().expect("a folder");
    let named = folder.path().join("named.toml").display().to_string();
    fs::write(&named, "key = \"API-MINE\"\n").expect("written");
    let keys = |words: &[&str]| {
        let lines = told(words, if words.len() == 2 && words[1].starts_with("127.") { 6 } else { 7 });
        let mut all: Vec<String> = lines
            .iter()
            .filter_map(|line| line.split("OCTOPUS_API_KEY=").nth(1))
            .map(|rest| rest.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        all.dedup();
        assert_eq!(all.len(), 1, "{lines:?}");
        (all.remove(0), lines.join("\n"))
    };
    let here = ["--listen", "127.0.0.1:0"];
    assert_eq!(keys(&here).0, "API-SANDBOX");
    for words in [&["--listen", "127.0.0.1:0", "--run-scripts"][..], &["--listen", "0.0.0.0:0"], &["--listen", "[::]:0", "--run-scripts"]] {
        let ((one, said), (other, _)) = (keys(words), keys(words));
        assert!(one != other && one.starts_with("API-") && one.len() == 23, "{one} {other}");
        assert!(one[4..].chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()), "what the Go client takes: {one}");
        let warned =
            words[1].starts_with("127.") || said.contains("warning: it listens on all addresses of this machine: who reaches this machine");
        assert!(warned && (!said.contains("warning") || said.contains("runs commands") == words.contains(&"--run-scripts")), "{said}");
        let mine = [words, &["--world", &named]].concat();
        assert_eq!(keys(&mine).0, "API-MINE");
    }
    // A copy of a built-in world names no key that everybody knows.
    let printed = support::run(&["sandbox", "--print-world", "shop"]).stdout;
    assert!(printed.contains("# key ") && World::from_toml("shop", &printed).is_ok(), "{printed}");
}

#[tokio::test]
async fn keys_that_are_made_where_the_key_is_secret_are_secret_too() {
    let made = async |world: World| {
        let sandbox = Sandbox::start(world, Clock::real(), "127.0.0.1:0".parse().expect("an address")).await.expect("it starts");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request =
            reqwest::Client::builder().no_proxy().build().expect("a client").post(format!("{}/api/users/Users-1/apikeys", sandbox.url()));
        let answer = request.header("X-Octopus-ApiKey", sandbox.api_key()).json(&json!({"Purpose": "x"})).send().await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")["ApiKey"].as_str().expect("a key").to_owned()
    };
    let shop = || World::named_or_file("shop").expect("a world");
    assert_eq!(made(shop()).await, made(shop()).await, "the same for the same world");
    assert_ne!(made(shop().running_scripts()).await, made(shop().running_scripts()).await);
}

#[test]
fn a_world_runs_no_script_unless_that_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("it-ran");
    let world = with_step(&format!("script = \"touch '{}'\"", mark.display()), "");
    fs::write(folder.path().join("world.toml"), world).expect("written");
    fs::write(folder.path().join("x.rhai"), "wait(deploy(\"Train\", \"1.0.0\", \"Test\"));").expect("written");
    let run = |words: &[&str]| support::finish(octorhai().current_dir(folder.path()).args(words));
    for words in [
        &["sandbox", "--world", "world.toml", "--listen", "127.0.0.1:0"][..],
        &["run", "--sandbox=world.toml", "x.rhai"],
        &["repl", "--sandbox", "world.toml"],
    ] {
        let ran = run(words);
        assert!(
            ran.code == 2 && ran.stderr.contains("the step `Run the train` of the world `world.toml` is a script"),
            "{words:?} {ran:?}"
        );
        assert!(ran.stderr.contains("`--run-scripts` runs the scripts of a world, as this user: read them first"), "{ran:?}");
    }
    let checked = run(&["check", "--sandbox=world.toml", "x.rhai"]);
    assert_eq!(checked.code, 0, "to know names nothing has to run: {checked:?}");
    assert!(!mark.exists());
    let ran = run(&["run", "--sandbox=world.toml", "--run-scripts", "x.rhai"]);
    assert!(ran.code == 0 && mark.exists(), "{ran:?}");
    let useless = run(&["run", "--run-scripts", "--server", "http://127.0.0.1:9", "x.rhai"]);
    assert_eq!(useless.code, 2, "{useless:?}");
}

#[cfg(unix)]
#[test]
fn a_world_reads_nothing_but_what_came_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("world");
    fs::create_dir_all(own.join("in")).expect("made");
    fs::write(folder.path().join("outside.sh"), "true").expect("written");
    fs::write(own.join("in/body.sh"), "true").expect("written");
    fs::write(own.join("big.sh"), vec![b'#'; (16 << 20) + 1]).expect("written");
    std::os::unix::fs::symlink(folder.path(), own.join("up")).expect("a link");
    std::os::unix::fs::symlink("/etc/passwd", own.join("passwd.sh")).expect("a link");
    std::os::unix::fs::symlink("in/body.sh", own.join("same.sh")).expect("a link");
    let made = std::process::Command::new("mkfifo").arg(own.join("pipe.sh")).status().expect("mkfifo runs");
    assert!(made.success());
    let absolute = own.join("in/body.sh").display().to_string();
    let outside = "it is not below the folder of the world, and a world reads nothing else";
    for (key, path, why) in [
        ("file", "/etc/passwd", outside),
        ("template", "/etc/passwd", outside),
        ("file", "../outside.sh", outside),
        ("file", "in/../../outside.sh", outside),
        ("file", "up/outside.sh", outside),
        ("file", "passwd.sh", outside),
        ("file", absolute.as_str(), outside),
        ("template", "passwd.sh", outside),
        ("file", "pipe.sh", "it is not a file but a device or pipe"),
        ("file", "in", "it is a folder"),
        ("file", "", "it is a folder"),
        ("file", "big.sh", "it has more than 16 MiB, the most we read"),
        ("file", "in/body.sh", ""),
        ("file", "./in/body.sh", ""),
        ("file", "same.sh", ""),
    ] {
        let text = with_step(&format!("{key} = \"{path}\""), "");
        let name = own.join("world.toml").display().to_string();
        let read = World::from_toml(&name, &text).err().map(|error| error.message().to_owned()).unwrap_or_default();
        let wanted = if why.is_empty() {
            String::new()
        } else {
            format!("step `Run the train` of the world cannot be run: `{path}` cannot be read: {why}")
        };
        assert_eq!(read, wanted, "{key} {path}");
    }
}
