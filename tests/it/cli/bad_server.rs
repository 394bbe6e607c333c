//! Servers that are not what they should be: what the run says, how it ends, and where the key goes.

use crate::support::{self, Ran, finish, octorhai};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const KEY: &str = "API-HUNTER22SECRET";

/// A server that gives the same kind of answer to whoever asks, and keeps what it was asked.
struct Server {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets the head of the request and writes a whole response.
    fn start(answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&heard), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream;
                    let mut reader = BufReader::new(stream.try_clone().expect("the same connection"));
                    let mut head = String::new();
                    while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
                    kept.lock().expect("no panic").push(head.clone());
                    // The client may leave in the middle of an answer that is too long.
                    let _gone = answer(&head, &mut stream);
                });
            }
        });
        Self { url, heard }
    }

    /// One that always answers with this.
    fn saying(status: &'static str, kind: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        Self::start(move |_, to| respond(to, status, &format!("Content-Type: {kind}\r\n"), &body))
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("no panic").concat()
    }

    /// The run of a script on it.
    fn run(&self, script: &str, arguments: &[&str]) -> Ran {
        run_at(&self.url, script, arguments)
    }
}

fn respond(to: &mut TcpStream, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    write!(to, "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn run_at(url: &str, script: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let mut command = octorhai();
    command.current_dir(folder.path()).env("OCTOPUS_API_KEY", KEY).args(["run", "--server", url, "x.rhai"]).args(arguments);
    let ran = finish(&mut command);
    no_secret(&ran, KEY);
    Ran { stderr: ran.stderr.replace(url, "SERVER"), stdout: ran.stdout.replace(url, "SERVER"), ..ran }
}

fn hex(text: &str) -> String {
    text.bytes().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// Neither the secret nor any of its usual encodings is shown.
fn no_secret(ran: &Ran, secret: &str) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let hex = hex(secret);
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(secret).expect("JSON");
    let base64 = STANDARD.encode(secret);
    for shape in [secret, &hex, &hex.to_uppercase(), &percent, json.trim_matches('"'), base64.trim_end_matches('=')] {
        assert!(!ran.stdout.contains(shape) && !ran.stderr.contains(shape), "{shape} is shown:\n{}\n{}", ran.stdout, ran.stderr);
    }
}

fn ends(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in:\n{}", ran.stderr);
    }
}

#[test]
fn a_page_instead_of_json() {
    let server = Server::saying("200 OK", "text/html", "<!DOCTYPE html><title>Sign in</title>");
    ends(
        &server.run("print(1);", &[]),
        2,
        &["an HTML page, which begins `<!DOCTYPE html><title>Sign in</title>`", "help: is a proxy or a login page"],
    );
}

#[test]
fn json_that_breaks_off() {
    let server = Server::saying("200 OK", "application/json", r#"{"Items":[{"Id":"Spa"#);
    ends(&server.run("print(1);", &[]), 2, &["JSON that breaks off after 20 bytes"]);
}

#[test]
fn another_web_server() {
    let server = Server::saying("404 Not Found", "text/html", "<html>nginx</html>");
    ends(&server.run("print(1);", &[]), 2, &["(404)", "<html>nginx</html>", "lack its virtual directory?"]);
}

#[test]
fn a_wrong_key_is_a_matter_of_configuration() {
    let body = r#"{"ErrorMessage":"You must be logged in to request this resource. Please provide a valid API key."}"#;
    let server = Server::saying("401 Unauthorized", "application/json", body);
    ends(
        &server.run("print(1);", &[]),
        2,
        &["Please provide a valid API key (`GET /api", "answered 401)", "help: is the API key or access token of this server"],
    );
}

#[test]
fn no_permission_names_what_is_lacking() {
    let body = r#"{"ErrorMessage":"You do not have permission to perform this action. Missing permission: SpaceView"}"#;
    let server = Server::saying("403 Forbidden", "application/json", body);
    let ran = server.run("print(1);", &[]);
    ends(
        &ran,
        ran.code,
        &[
            "Missing permission: SpaceView",
            "answered 403)",
            "help: the user of the API key or access token needs a role with `SpaceView` here",
        ],
    );
    assert!([1, 2].contains(&ran.code), "{}", ran.stderr);
}

#[test]
fn what_is_hidden_may_be_there_all_the_same() {
    let sandbox = Sandbox::start("shop");
    let ran = sandbox.run("", "get(\"projects/Projects-999\");", &[]);
    ends(
        &ran,
        ran.code,
        &[
            "The resource 'Projects-999' was not found (`GET",
            "answered 404)",
            "help: the server also says so of what the user of the API key",
        ],
    );
}

#[test]
fn a_server_that_is_asked_too_often_is_given_the_pause_it_wants_or_one_of_ours() {
    for wanted in ["Retry-After: 1\r\n", ""] {
        let first = std::sync::atomic::AtomicBool::new(true);
        let server = Server::start(move |head, to| {
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                return respond(to, "429 Too Many Requests", wanted, r#"{"ErrorMessage":"Rate limit exceeded."}"#);
            }
            let body =
                if head.contains("/api/spaces") { r#"[{"Id":"Spaces-1","Name":"S","IsDefault":true}]"# } else { r#"{"Id":"Users-1"}"# };
            respond(to, "200 OK", "Content-Type: application/json\r\n", body)
        });
        let ran = server.run("print(1);", &[]);
        ends(&ran, 0, &["the server answers 429 (Rate limit exceeded.), trying again for up to"]);
        // It never was away.
        assert!(!ran.stderr.contains("the server answers again"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "1\n");
    }
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let ran = run_at(&format!("http://127.0.0.1:{port}"), "print(1);", &[]);
    ends(
        &ran,
        10,
        &[
            "the server at `SERVER` cannot be reached: no connection to `SERVER` (Connection refused); tried for 15s\n  help: is the address right",
            "help: is the address right, and is the server running?",
        ],
    );
}

#[test]
fn a_name_that_nobody_has() {
    let ran = run_at("http://octopus.invalid", "print(1);", &[]);
    ends(&ran, 10, &["cannot be reached", "lookup", "is the address right"]);
}

#[test]
fn the_key_follows_no_redirect_to_another_host() {
    let other = Server::saying("200 OK", "application/json", "{}");
    let target = other.url.clone();
    let server = Server::start(move |head, to| {
        let path = head.split_whitespace().nth(1).unwrap_or("/");
        respond(to, "302 Found", &format!("Location: {target}{path}\r\n"), "")
    });
    let ran = server.run("print(1);", &[]);
    ends(&ran, 2, &["was redirected (302) from `SERVER` to another server", "the credential does not follow", "give its address instead"]);
    assert!(server.heard().contains(KEY), "the first request holds the key:\n{}", server.heard());
    assert_eq!(other.heard(), "", "the other server heard something");
}

#[test]
fn a_redirect_on_the_same_host_is_followed_with_the_key_but_not_for_ever() {
    let server = Server::start(|head, to| {
        let path = head.split_whitespace().nth(1).unwrap_or("/");
        respond(to, "302 Found", &format!("Location: {path}/more\r\n"), "")
    });
    ends(&server.run("print(1);", &[]), 2, &["was redirected more than 5 times"]);
    let heard = server.heard();
    assert_eq!(heard.matches("GET /").count(), heard.matches(KEY).count(), "{heard}");
    assert!(heard.matches("/more").count() >= 5, "{heard}");
}

#[test]
fn a_server_that_repeats_the_key_finds_no_echo() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let hex = hex(KEY);
    let echo = format!(
        "key {KEY}, base64 {}, basic {}, hex {hex} {}",
        STANDARD.encode(KEY),
        STANDARD.encode(format!("me:{KEY}")),
        hex.to_uppercase()
    );
    let server =
        Server::saying("400 Bad Request", "application/json", serde_json::json!({"ErrorMessage": echo, "Errors": [echo]}).to_string());
    for arguments in [&[][..], &["--verbose"], &["--output", "json"]] {
        let ran = server.run("print(1);", arguments);
        assert!(ran.stderr.contains("***") && ran.code == 1, "{} {}", ran.code, ran.stderr);
        assert!(!ran.stderr.contains(&STANDARD.encode(format!("me:{KEY}"))[6..24]), "{}", ran.stderr);
    }
    let server = Server::saying("200 OK", "text/html", format!("<html>{echo}"));
    assert!(server.run("print(1);", &["--output", "json"]).stdout.contains("***"));
}

/// 200 MB must not be held in memory, told or not told beforehand.
#[cfg(target_os = "linux")]
#[test]
fn two_hundred_megabytes_of_json_are_refused_in_little_memory() {
    for told in [true, false] {
        let server = Server::start(move |_, to| {
            let chunk = "[1,2,3,4,5,6,7,8,9,0],".repeat(4096);
            let length = if told { format!("Content-Length: {}\r\n", 200 << 20) } else { String::new() };
            write!(to, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n{length}\r\n[")?;
            for _ in 0..(200 << 20) / chunk.len() {
                to.write_all(chunk.as_bytes())?;
            }
            Ok(())
        });
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "print(1);").expect("written");
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
            .args(["run", "--server", &server.url, "x.rhai"])
            .current_dir(folder.path())
            .env("OCTOPUS_API_KEY", KEY)
            .env("OCTORHAI_STORE", "journal")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("octorhai starts");
        // The most it ever held, as long as the system tells.
        let mut most = 0;
        while child.try_wait().expect("a child").is_none() {
            most = most.max(support::memory::most(&child).unwrap_or(0));
            thread::sleep(std::time::Duration::from_millis(2));
        }
        let mut err = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
        assert!(err.contains("MiB; the limit is 32 MiB"), "{err}");
        assert_eq!(child.wait().expect("it ended").code(), Some(2), "{err}");
        assert!(most > 5_000, "nothing was measured");
        assert!(most < 150_000, "it took {} MB", most >> 10);
    }
}

/// Another process that simulates a server, ended when dropped.
struct Sandbox {
    child: std::process::Child,
    /// Without a virtual directory.
    origin: String,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sandbox {
    fn start(world: &str) -> Self {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--world", world])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("octorhai starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("it tells its address");
        let url = line.split_whitespace().nth(3).expect("an address").trim_end_matches(',');
        let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
        Self { child, origin }
    }

    fn run(&self, below: &str, script: &str, arguments: &[&str]) -> Ran {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), script).expect("written");
        let url = format!("{}{below}", self.origin);
        let mut command = octorhai();
        command.current_dir(folder.path()).env("OCTOPUS_API_KEY", "API-SANDBOX").args(["run", "--server", &url, "x.rhai"]);
        finish(command.args(arguments))
    }
}

#[test]
fn a_server_below_a_path_works_however_the_address_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = folder.path().join("w.toml");
    fs::write(&world, support::shop(&[("key   = ", "base_path = \"/octopus\"\nkey   = ")])).expect("written");
    let sandbox = Sandbox::start(world.to_str().expect("UTF-8"));
    for below in ["/octopus", "/octopus/", "/octopus/api", "/octopus/app#/Spaces-1"] {
        let ran = sandbox.run(below, "print(projects().len());", &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "3\n"), "{below}: {}", ran.stderr);
    }
    let ran = sandbox.run("", "print(1);", &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn a_space_that_is_not_there() {
    let sandbox = Sandbox::start("shop");
    let ran = sandbox.run("", "print(1);", &["--space", "Defualt"]);
    assert!(ran.stderr.contains("there is no space `Defualt`") && ran.stderr.contains("did you mean `Default`?"), "{}", ran.stderr);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

mod secrets {
    use super::*;

    const SECRET: &str = "hunter22/\"x&y";

    const SCRIPT: &str = r#"
        let key = secret("Key");
        print(key);
        print(`in a text: ${key}`);
        print(key.reveal());
        print(#{"inside": key.reveal()});
        debug(key.reveal());
        warn(key.reveal());
        highlight(key.reveal());
        throw `it is ${key.reveal()}`;
    "#;

    fn check(prepare: impl Fn(&std::path::Path, &mut assert_cmd::Command)) {
        for arguments in [&[][..], &["--verbose"], &["--output", "json", "--verbose"]] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("x.rhai"), SCRIPT).expect("written");
            let mut command = octorhai();
            command
                .current_dir(folder.path())
                .env("RUST_LOG", "trace")
                .env("RUST_BACKTRACE", "1")
                .args(["run", "--sandbox", "x.rhai"])
                .args(arguments);
            prepare(folder.path(), &mut command);
            let ran = finish(&mut command);
            no_secret(&ran, SECRET);
            assert!(ran.stderr.contains("it is ***") && ran.code == 1, "{}\n{}", ran.stdout, ran.stderr);
            assert!(ran.stdout.contains("in a text: ***"), "{}", ran.stdout);
        }
    }

    #[test]
    fn from_the_command_line() {
        check(|_, command| {
            command.args(["--Key", SECRET]);
        });
    }

    #[test]
    fn from_the_environment() {
        check(|_, command| {
            command.env("OCTORHAI_PARAM_KEY", SECRET);
        });
    }

    #[test]
    fn from_a_file() {
        check(|folder, command| {
            fs::write(folder.join("p.json"), serde_json::json!({"Key": SECRET}).to_string()).expect("written");
            command.args(["--params", "p.json"]);
        });
    }

    #[test]
    fn the_password_of_the_mail_server() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "email(#{to: \"a@example.com\", subject: \"s\", body: \"b\", required: true});")
            .expect("written");
        let mut command = octorhai();
        command
            .current_dir(folder.path())
            .env("OCTORHAI_SMTP_URL", "smtp://me:hunter22@127.0.0.1:1")
            .env("OCTORHAI_MAIL_FROM", "o@example.com");
        let ran = finish(command.args(["run", "--sandbox", "x.rhai", "--verbose"]));
        assert!(ran.code != 0 && ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
        no_secret(&ran, "hunter22");
    }
}
