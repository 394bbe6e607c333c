//! What can go wrong between a journal and its PostgreSQL: TLS, a connection that is cut at any message, a full disk. Each is a
//! clear error, nothing is done twice and nothing is lost.

use crate::support::{
    self, postgres,
    postgres::Own,
    proxy::{Lost, Proxy},
    records::{at, holder, new_run},
    standalone::Standalone,
};
use octorhai::{
    error::Kind,
    journal::{self, Claim, Journal, RunState, Step, StepState},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

fn step(path: &str, outcome: Value) -> Step {
    Step {
        path: path.into(),
        kind: "deploy".into(),
        arguments: json!({ "project": "A" }),
        state: StepState::Done,
        intent: json!({ "mark": "m" }),
        outcome: outcome.into(),
        began: at(1),
        ended: Some(at(2)),
    }
}

fn succeeded() -> RunState {
    RunState::Succeeded { result: json!(7) }
}

fn stopped() -> RunState {
    RunState::Stopped { exit_code: 8, reason: "in doubt".into() }
}

/// The message of the error that opening a store ends with, its help, and its kind.
fn refused(address: &str) -> (Kind, String) {
    let error = journal::open(address).err().unwrap_or_else(|| panic!("{address} was opened"));
    let text = format!("{}\n{}", error.message(), error.hints().join("\n"));
    assert!(!text.contains(postgres::PASSWORD), "{text}");
    (error.kind(), text)
}

/// An authority, and the certificate and key of a server called `localhost`, in a folder.
fn certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    for name in ["authority", "stranger"] {
        let files = ["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem"), "-subj", &format!("/CN=test {name}")];
        openssl(&[&request[..], &files[..]].concat());
    }
    let signed =
        ["-CA", "authority.pem", "-CAkey", "authority.key", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.pem"];
    let whose = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&request[..], &signed[..], &whose[..]].concat());
}

#[test]
fn tls_is_used_and_the_server_is_verified() {
    let server = Own::start("-c ssl=on -c ssl_cert_file=\"$PWD/server.pem\" -c ssl_key_file=\"$PWD/server.key\"", certificates);
    let by_name = server.address.replace("127.0.0.1", "localhost");
    let file = |name: &str| server.folder.join(name).display().to_string();
    let authority = file("authority.pem");

    // With the authority: in each mode, and really by TLS.
    for mode in ["require", "verify-ca", "verify-full", "prefer"] {
        let store = journal::open(&format!("{by_name}?sslmode={mode}&sslrootcert={authority}")).unwrap_or_else(|e| panic!("{mode}: {e:?}"));
        let without = "SELECT 1 / (SELECT count(*)::int FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                       WHERE application_name = 'octorhai' AND ssl)";
        postgres::execute(&server.address, without).unwrap_or_else(|why| panic!("{mode} is not by TLS: {why}"));
        assert!(store.swap(&format!("cell/{mode}"), 0, &json!(1)).expect("a write"));
    }
    // Whoever does not insist takes any certificate, as other clients do.
    journal::open(&by_name).expect("any certificate does");

    // Without it, or with another one, and under another name.
    for (address, parts) in [
        (format!("{by_name}?sslmode=require"), ["is not trusted", "UnknownIssuer", "sslrootcert=FILE"]),
        (format!("{by_name}?sslmode=require&sslrootcert={}", file("stranger.pem")), ["is not trusted", "certificate", "sslrootcert=FILE"]),
        (format!("{}?sslmode=require&sslrootcert={authority}", server.address), ["is not for this host", "localhost", "name the host as"]),
        (format!("{by_name}?sslmode=require&sslrootcert={}", file("nowhere.pem")), ["nowhere.pem", "cannot be used", "PEM form"]),
        (format!("{by_name}?sslmode=require&sslrootcert={}", file("server.key")), ["server.key", "cannot be used", "a private key"]),
    ] {
        let (kind, text) = refused(&address);
        assert!(kind == Kind::Usage && parts.iter().all(|part| text.contains(part)), "{address}: {kind:?} {text}");
    }
}

/// The address of the same server that does not look like one of this machine.
fn beyond(address: &str) -> String {
    address.replace("127.0.0.1", "0.0.0.0")
}

#[test]
fn a_server_without_tls_is_not_used_by_who_insists() {
    let server = Own::start("-c ssl=off", |_| ());
    let address = &server.address;
    journal::open(address).expect("nobody insists");
    for insists in [format!("{address}?sslmode=require"), beyond(address), format!("{}?sslmode=require", beyond(address))] {
        let (kind, text) = refused(&insists);
        let parts = ["does not offer TLS", "ssl = on", "?sslmode=disable does without"];
        assert!(kind == Kind::Usage && parts.iter().all(|part| text.contains(part)), "{kind:?} {text}");
    }
    for mode in ["prefer", "allow"] {
        let (kind, text) = refused(&format!("{}?sslmode={mode}", beyond(address)));
        assert!(kind == Kind::Usage && text.contains(&format!("asks for `sslmode={mode}`")), "{kind:?} {text}");
    }
    // By SCRAM the password stays here.
    let store = journal::open(&format!("{}?sslmode=disable", beyond(address))).expect("as the address says");
    assert!(store.swap("cell", 0, &json!(1)).expect("a write"));
    assert!(matches!(store.claim(&new_run("night"), &holder("p1")).expect("a claim"), Claim::Fresh));
    // A server that wants to see the password.
    let hba = server.folder.join("data/pg_hba.conf");
    for method in ["password", "md5"] {
        fs::write(&hba, format!("host all all 127.0.0.1/32 {method}\n")).expect("written");
        postgres::execute(address, "SET password_encryption = md5; ALTER USER postgres PASSWORD 's3cret-word'; SELECT pg_reload_conf()")
            .expect("done");
        support::until("the new rule", || journal::open(&format!("{}?sslmode=disable", beyond(address))).is_err().then_some(()));
        let (kind, text) = refused(&format!("{}?sslmode=disable", beyond(address)));
        let parts = ["is not given the password: it asks for the password as text", "switch TLS on"];
        assert!(kind == Kind::Usage && parts.iter().all(|part| text.contains(part)), "{method}: {kind:?} {text}");
        journal::open(address).expect("on this machine nobody listens");
    }
}

#[test]
fn password_is_shown_to_no_server_without_tls() {
    use std::io::{Read as _, Write as _};
    let request = |kind: u32, rest: &[u8]| [&b"R"[..], &(8 + rest.len() as u32).to_be_bytes(), &kind.to_be_bytes(), rest].concat();
    for (asked, told) in [(request(3, b""), "as text"), (request(5, b"salt"), "as text"), (request(7, b""), "as text")] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard: std::sync::Arc<std::sync::Mutex<Vec<u8>>> = std::sync::Arc::default();
        let kept = std::sync::Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut part = [0; 4096];
                while let Ok(length @ 1..) = client.read(&mut part) {
                    kept.lock().expect("no panic").extend_from_slice(&part[..length]);
                    // No TLS; then the question.
                    let is_question_for_tls = part[..length] == [0, 0, 0, 8, 4, 210, 22, 47];
                    let _gone = client.write_all(if is_question_for_tls { b"N" } else { &asked });
                }
            }
        });
        for (query, part) in [("", "does not offer TLS"), ("?sslmode=require", "does not offer TLS"), ("?sslmode=disable", told)] {
            heard.lock().expect("no panic").clear();
            let (_, text) = refused(&format!("postgres://ann:{}@0.0.0.0:{port}/x{query}", postgres::PASSWORD));
            let heard = heard.lock().expect("no panic").clone();
            let words = String::from_utf8_lossy(&heard);
            assert!(text.contains(part), "{query}: {text}");
            // A message with a password begins with `p`.
            assert!(!words.contains(postgres::PASSWORD) && !words.contains("md5"), "{query}: {words:?}");
            assert!(query == "?sslmode=disable" || !words.contains("ann"), "{query}: {words:?}");
        }
    }
}

#[test]
fn self_signed_certificate_of_the_server_is_believed_when_it_is_given() {
    for flag in ["TRUE", "FALSE"] {
        let own = |folder: &Path| {
            let flag = format!("basicConstraints=critical,CA:{flag}");
            let made = Command::new("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key"])
                .args(["-out", "server.pem", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost,IP:0.0.0.0", "-addext", &flag])
                .current_dir(folder)
                .output()
                .expect("openssl is installed");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        let server = Own::start("-c ssl=on -c ssl_cert_file=\"$PWD/server.pem\" -c ssl_key_file=\"$PWD/server.key\"", own);
        let file = server.folder.join("server.pem").display().to_string();
        journal::open(&format!("{}?sslrootcert={file}", beyond(&server.address))).unwrap_or_else(|error| panic!("{flag}: {error:?}"));
        let (kind, text) = refused(&beyond(&server.address));
        assert!(kind == Kind::Usage && text.contains("is not trusted") && text.contains("sslrootcert=FILE"), "{flag}: {text}");
    }
}

/// The README's two lines, followed: as administrator in `psql`, then `--store` with the password in `PGPASSWORD`.
#[test]
fn the_readme_leads_to_a_store() {
    let server = Own::start("-c ssl=on -c ssl_cert_file=\"$PWD/server.pem\" -c ssl_key_file=\"$PWD/server.key\"", certificates);
    let readme = fs::read_to_string(support::root().join("README.md")).expect("the README");
    let between = |from: &str, to: &str| {
        let (_, rest) = readme.split_once(from).unwrap_or_else(|| panic!("{from} is not in the README"));
        rest.split_once(to).expect("its end").0.to_owned()
    };
    for statement in between("in `psql`: `", "`").replace("...", "s3same").split_inclusive(';') {
        postgres::execute(&server.address, statement).expect("a statement");
    }
    let port = url::Url::parse(&server.address).expect("an address").port().expect("a port");
    let store = between("2. `--store ", "`").replace("db.example.com", &format!("localhost:{port}"));
    let store = format!("{store}&sslrootcert={}", server.folder.join("authority.pem").display());
    let runs = |password: &str| support::finish(support::octorhai().args(["runs", "list", "--store", &store]).env("PGPASSWORD", password));
    let ran = runs("s3same");
    assert!(ran.code == 0 && ran.stderr.contains("no runs in postgres://octorhai@localhost"), "{ran:?}");
    let ran = runs("wr0ng-w0rd");
    assert!(ran.code == 2 && ran.stderr.contains("does not let us in") && !ran.stderr.contains("wr0ng-w0rd"), "{ran:?}");
}

/// A database, the proxy before it, a store through the proxy and one that goes past it.
struct Ground {
    direct: Journal,
    proxy: Proxy,
    through: Journal,
    address: String,
}

impl Ground {
    fn new() -> Self {
        let address = postgres::database();
        let url = url::Url::parse(&address).expect("an address");
        let host = (url.host_str().expect("a host").trim_matches(['[', ']']), url.port().unwrap_or(5432));
        let server = std::net::ToSocketAddrs::to_socket_addrs(&host).expect("an address").next().expect("an address");
        let proxy = Proxy::before(server);
        let through = proxy.through(&address);
        let open = |address: &str| journal::open(address).unwrap_or_else(|error| panic!("{error:?}"));
        Self { direct: open(&address), through: open(&through), proxy, address }
    }
}

/// Does `work` on fresh names, and each time the connection is cut one message later, until it is not cut any more.
/// Returns how many places there are.
fn cut_everywhere(ground: &Ground, before: impl Fn(&str), work: impl Fn(&str)) -> usize {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let mut places = 0;
    for lost in [Lost::Request, Lost::Answer] {
        for nth in 1.. {
            let name = format!("run-{}", NAMES.fetch_add(1, Ordering::SeqCst));
            before(&name);
            ground.proxy.cut(lost, nth);
            work(&name);
            if !ground.proxy.has_cut() {
                break;
            }
            places += 1;
        }
    }
    places
}

#[test]
fn a_claim_whose_connection_is_cut_anywhere_is_made_once() {
    let ground = Ground::new();
    let Ground { direct, through, .. } = &ground;
    let is_held = |name: &str, attempts: u32| {
        assert!(matches!(direct.claim(&new_run(name), &holder("other")), Ok(Claim::Held(_))), "{name}");
        let run = direct.run(name).expect("a read").expect("a run");
        assert_eq!((run.attempts, run.state), (attempts, RunState::Running), "{name}");
    };
    // A new run.
    let mut places = cut_everywhere(
        &ground,
        |_| (),
        |name| {
            assert!(matches!(through.claim(&new_run(name), &holder("p1")).expect("a claim"), Claim::Fresh), "{name}");
            is_held(name, 1);
            through.write(name, &holder("p1"), &[step("1", json!(1))]).expect("a write");
        },
    );
    // One in the place of a run that has ended.
    let ended = |name: &str| {
        direct.claim(&new_run(name), &holder("p0")).expect("a claim");
        direct.put_down(name, &holder("p0"), &succeeded(), at(3)).expect("an end");
    };
    places += cut_everywhere(&ground, ended, |name| {
        assert!(matches!(through.claim(&new_run(name), &holder("p1")).expect("a claim"), Claim::Fresh), "{name}");
        is_held(name, 1);
        let there = |number: u32| direct.run(&format!("{name}~{number}")).expect("a read").is_some();
        assert!(there(1) && !there(2), "{name}: the ended run keeps its record once");
    });
    // One that was put down.
    let put_down = |name: &str| {
        direct.claim(&new_run(name), &holder("p0")).expect("a claim");
        direct.write(name, &holder("p0"), &[step("1", json!(1)), step("2", json!(2))]).expect("a write");
        direct.put_down(name, &holder("p0"), &stopped(), at(3)).expect("put down");
    };
    places += cut_everywhere(&ground, put_down, |name| {
        let claim = through.claim(&new_run(name), &holder("p1")).expect("a claim");
        assert!(matches!(&claim, Claim::Resumed(_, steps) if steps.len() == 2), "{name}: {claim:?}");
        is_held(name, 2);
    });
    assert!(places > 20, "{places}");
}

#[test]
fn what_is_written_over_a_connection_that_is_cut_anywhere_is_there_once() {
    let ground = Ground::new();
    let Ground { direct, through, .. } = &ground;
    let claimed = |name: &str| {
        through.claim(&new_run(name), &holder("p1")).expect("a claim");
        through.write(name, &holder("p1"), &[step("1", json!(1))]).expect("a write");
    };
    let mut places = cut_everywhere(&ground, claimed, |name| {
        through.write(name, &holder("p1"), &[step("2", json!(2)), step("3", json!(3))]).expect("a write");
        through.write(name, &holder("p1"), &[step("4", json!(4))]).expect("the next one");
        let steps = direct.steps(name).expect("steps");
        assert_eq!(steps.iter().map(|step| step.path.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "4"], "{name}");
        assert_eq!(direct.run(name).expect("a read").expect("a run").steps, 4);
    });
    places += cut_everywhere(&ground, claimed, |name| {
        assert!(!through.beat(name, &holder("p1")).expect("a beat"));
        through.put_down(name, &holder("p1"), &succeeded(), at(9)).expect("an end");
        let run = direct.run(name).expect("a read").expect("a run");
        assert_eq!((run.state, run.steps), (succeeded(), 1), "{name}");
    });
    places += cut_everywhere(&ground, claimed, |name| {
        through.put_down(name, &holder("p1"), &stopped(), at(9)).expect("put down");
        assert!(through.cancel(name, at(10)).expect("there was one"), "{name}");
        assert!(matches!(direct.run(name).expect("a read").expect("a run").state, RunState::Cancelled { .. }), "{name}");
    });
    assert!(places >= 10, "{places}");
}

#[test]
fn cells_and_deleted_runs_do_not_mind_a_connection_that_is_cut() {
    let ground = Ground::new();
    let Ground { direct, through, .. } = &ground;
    let mut places = cut_everywhere(
        &ground,
        |_| (),
        |name| {
            assert!(through.swap(name, 0, &json!({"owner": "a"})).expect("a write"), "{name}");
            assert!(through.swap(name, 1, &json!({"owner": "b"})).expect("a write"), "{name}");
            assert!(!through.swap(name, 1, &json!({"owner": "c"})).expect("an answer"), "{name}");
            let cell = direct.cell(name).expect("a read").expect("a cell");
            assert_eq!((cell.version, cell.value), (2, json!({"owner": "b"})), "{name}");
        },
    );
    let ended = |name: &str| {
        direct.claim(&new_run(name), &holder("p1")).expect("a claim");
        direct.put_down(name, &holder("p1"), &succeeded(), at(3)).expect("an end");
    };
    places += cut_everywhere(&ground, ended, |name| {
        assert_eq!(through.prune(at(4)).expect("a number"), 1, "{name}");
        assert!(direct.run(name).expect("a read").is_none(), "{name}");
    });
    assert!(places >= 10, "{places}");
}

#[test]
fn a_server_that_is_gone_for_good_is_told_and_what_was_written_is_there() {
    let ground = Ground::new();
    let Ground { direct, through, proxy, address } = &ground;
    through.claim(&new_run("nightly"), &holder("p1")).expect("a claim");
    through.write("nightly", &holder("p1"), &[step("1", json!(1))]).expect("a write");
    // The answer to this one is lost, and nobody can be asked.
    proxy.go_down();
    proxy.cut(Lost::Answer, 1);
    let error = through.write("nightly", &holder("p1"), &[step("2", json!(2))]).expect_err("nobody answers");
    assert!(error.kind() == Kind::Store && error.message().contains("cannot be reached"), "{error:?}");
    assert!(error.hints().join(" ").contains("the run goes on where it was"), "{error:?}");
    assert_eq!(direct.steps("nightly").expect("steps").len(), 2);
    // Once it counts as dead, another process goes on with all of it.
    postgres::execute(address, "UPDATE octorhai.run SET beat = clock_timestamp() - interval '61 s'").expect("a statement");
    let claim = direct.claim(&new_run("nightly"), &holder("p2")).expect("a claim");
    assert!(matches!(&claim, Claim::Resumed(_, steps) if steps.len() == 2), "{claim:?}");
}

/// A whole run whose journal is cut off at one message: as if nothing had happened, with each thing done once.
#[test]
fn a_run_whose_journal_is_cut_off_anywhere_does_everything_once() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        wait(t);
        wait(run_runbook(t.project, "Smoke test", "Test"));
        wait(deploy("Project B", "latest", "Test"));
        print("done");
    "#;
    let ground = Ground::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("night.rhai");
    fs::write(&file, script).expect("written");
    let store = ground.proxy.through(&ground.address).replace(&format!(":{}", postgres::PASSWORD), "");
    let password = url::Url::parse(&ground.address).expect("an address").password().unwrap_or_default().to_owned();
    let run = |name: &str| {
        let sandbox = Standalone::start("shop", &["--virtual"]);
        support::measured(folder.path(), &sandbox.url);
        let mut command = support::octorhai();
        command.args(["run", "--virtual-time", "--server", &sandbox.url, "--run-id", name, "--store", &store]).arg(&file);
        command.env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STATE", folder.path()).env("PGPASSWORD", &password);
        let ran = support::finish(&mut command);
        assert_eq!((ran.code, ran.stdout.trim()), (0, "done"), "{name}: {}", ran.stderr);
        let state: Value = serde_json::from_str(&get(&format!("{}/sandbox/state", sandbox.url))).expect("JSON");
        let made = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true).count();
        let runbooks = state["runbook_runs"].as_array().map_or(0, Vec::len);
        assert_eq!((made, runbooks), (2, 1), "{name}: {}", ran.stderr);
    };
    let mut places = 0;
    for lost in [Lost::Request, Lost::Answer] {
        for nth in (1..).step_by(4) {
            ground.proxy.cut(lost, nth);
            run(&format!("night-{lost:?}-{nth}"));
            if !ground.proxy.has_cut() {
                break;
            }
            places += 1;
        }
    }
    assert!(places >= 8, "{places}");
}

fn get(url: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    runtime.block_on(async {
        client.get(url).header("X-Octopus-ApiKey", "API-SANDBOX").send().await.expect("an answer").text().await.expect("text")
    })
}

/// Long values lie in a file of their own. `/dev/full` in its place is a disk without room, for the real server.
#[test]
fn a_full_disk_is_told_before_the_effect_and_loses_nothing() {
    let server = Own::start("", |_| ());
    let random: String = std::iter::repeat_with(|| uuid::Uuid::new_v4().simple().to_string()).take(1000).collect();
    let store = journal::open(&server.address).expect("a store");
    store.claim(&new_run("nightly"), &holder("p1")).expect("a claim");
    drop(store);
    let place = file_of_long_values(&server);
    let away = place.with_extension("away");
    fs::rename(&place, &away).expect("the file is there");
    std::os::unix::fs::symlink("/dev/full", &place).expect("a link");

    let store = journal::open(&server.address).expect("a store");
    store.write("nightly", &holder("p1"), &[step("1", json!(1))]).expect("there is room for short ones");
    let error = store.write("nightly", &holder("p1"), &[step("2", json!(random))]).expect_err("there is no room");
    assert!(error.kind() == Kind::Store && error.message().contains("is full: "), "{error:?}");
    assert!(error.message().contains("No space left on device"), "{error:?}");
    assert!(error.hints().join(" ").contains("make room there"), "{error:?}");
    assert_eq!(store.steps("nightly").expect("steps").len(), 1);
    store.write("nightly", &holder("p1"), &[step("2", json!(2))]).expect("the journal is as it was");
    drop(store);

    fs::remove_file(&place).expect("the link is there");
    fs::rename(&away, &place).expect("the file is there");
    let store = journal::open(&server.address).expect("a store");
    store.write("nightly", &holder("p1"), &[step("3", json!(random))]).expect("there is room again");
    let steps = store.steps("nightly").expect("steps");
    assert_eq!(steps.iter().map(|step| step.path.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(steps[2].outcome, json!(random));
}

/// The file in which the server keeps what is too long for a row of `octorhai.record`.
fn file_of_long_values(server: &Own) -> std::path::PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let path: String = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&server.address, tokio_postgres::NoTls).await.expect("a connection");
        tokio::spawn(connection);
        let sql = "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'octorhai.record'::regclass";
        client.query_one(sql, &[]).await.expect("a row").get(0)
    });
    server.folder.join("data").join(path)
}
