//! A key counts for the address that it was configured with. Each test holds a server that must not hear it.

use crate::support::{
    Ran, finish,
    ground::{Ground, told},
    listening::Listening,
    octorhai, shop,
};
use octorhai::journal::{self, RunState};
use std::fs;

/// The key of the servers that are not meant: no sandbox has it.
const OTHER: &str = "API-OFANOTHERSERVER";

/// Without waiting, which would be put down.
const DEPLOY: &str = "deploy(\"Project A\", \"latest\", \"Test\");\nprint(\"after\");\n";

/// A sandbox that is reached through something that listens, with a run on it that was killed.
struct Killed {
    ground: Ground,
    x: Listening,
}

impl Killed {
    /// `arguments` are those of `octorhai run`.
    fn run(arguments: &[&str], surroundings: &[(&str, &str)]) -> Self {
        let ground = Ground::new();
        let x = Listening::before(&ground.sandbox.url);
        ground.write("night.rhai", DEPLOY);
        let start = ["run", "--server", &x.url, "--virtual-time", "--run-id", "night", "scripts/night.rhai"];
        let start = [&start[..], arguments].concat();
        let surroundings = [surroundings, &[("OCTORHAI_CRASH_AT", "20"), ("OCTOPUS_URL", "")]].concat();
        let ran = ground.octorhai(&start, &surroundings);
        assert_eq!(ran.code, -1, "it ended before it was killed: {}", ran.stderr);
        assert!(x.heard().contains("API-SANDBOX"), "the run logs in with its own key");
        Self { ground, x }
    }

    /// `octorhai runs` with an environment that holds nothing else.
    fn runs(&self, arguments: &[&str], surroundings: &[(&str, &str)]) -> Ran {
        let mut command = octorhai();
        command.current_dir(self.ground.folder.path()).env("OCTORHAI_STORE", self.ground.folder.path().join("journal"));
        finish(command.envs(surroundings.iter().copied()).arg("runs").args(arguments))
    }

    /// Ends as a run that is not continued: nothing was heard, both addresses are told, and the record is as it was.
    #[track_caller]
    fn is_left(&self, ran: &Ran, parts: &[&str]) {
        let record = format!("the record of run `night` names `{}`, and the key is not sent there", self.x.url);
        told(ran, 2, &[&record, "nothing was sent"]);
        told(ran, 2, parts);
        assert_eq!(self.x.heard(), "", "{ran:?}");
        assert_eq!(self.ground.state("night"), RunState::Running, "{ran:?}");
    }
}

#[test]
fn key_of_another_server_is_not_sent_to_the_one_that_a_record_names() {
    let killed = Killed::run(&[], &[]);
    let y = Listening::refusing();
    let x = killed.x.url.clone();
    let file = killed.ground.folder.path().join("key");
    fs::write(&file, OTHER).expect("written");
    let file = file.display().to_string();
    let of_y = format!("is for `{}`, as OCTOPUS_URL says", y.url);
    for verb in [["resume", "--due"], ["resume", "night"]] {
        for (secret, name) in [("OCTOPUS_API_KEY", OTHER), ("OCTOPUS_ACCESS_TOKEN", "e30.e30")] {
            let form = if secret == "OCTOPUS_API_KEY" { "API-..." } else { "..." };
            let now = format!("OCTOPUS_URL={x} {secret}={form} octorhai runs resume night");
            killed.is_left(&killed.runs(&verb, &[("OCTOPUS_URL", &y.url), (secret, name)]), &[secret, &of_y, &now]);
            // A key without an address is for no server that a record names.
            killed.is_left(&killed.runs(&verb, &[(secret, name)]), &[secret, "is for no server", &format!("OCTOPUS_URL={x} octorhai")]);
            let ran = killed.runs(&[&verb[..], &["--server", &y.url]].concat(), &[(secret, name)]);
            killed.is_left(&ran, &[secret, &format!("is for `{}`, as --server says", y.url)]);
        }
        let with_file = [&verb[..], &["--api-key-file", &file]].concat();
        killed.is_left(&killed.runs(&with_file, &[("OCTOPUS_URL", &y.url)]), &["the API key file", &of_y]);
        killed.is_left(&killed.runs(&with_file, &[]), &["the API key file", "is for no server"]);
        let typed = [&with_file[..], &["--server", &y.url]].concat();
        killed.is_left(&killed.runs(&typed, &[("OCTOPUS_URL", &x)]), &["the API key file", "as --server says"]);
    }
    assert_eq!(y.heard(), "", "a run of one server asks no other");
    // The key of the record's server, in whichever way it is configured as one.
    let ran = killed.runs(
        &["resume", "night"],
        &[("OCTOPUS_URL", &y.url), ("OCTOPUS_API_KEY", OTHER), ("OCTOPUS_URL_X", &x), ("OCTOPUS_API_KEY_X", "API-SANDBOX")],
    );
    told(&ran, 0, &["continuing run `night`"]);
    assert!(killed.x.heard().contains("API-SANDBOX") && y.heard().is_empty());
}

#[test]
fn due_goes_on_with_the_runs_of_the_server_that_the_key_is_for() {
    let killed = Killed::run(&[], &[]);
    let z = Listening::before(&killed.ground.sandbox.url);
    let start = ["run", "--server", &z.url, "--virtual-time", "--run-id", "other", "--no-check", "scripts/night.rhai"];
    let ran = killed.ground.octorhai(&start, &[("OCTORHAI_CRASH_AT", "20"), ("OCTOPUS_URL", "")]);
    assert_eq!(ran.code, -1, "{ran:?}");
    let ran = killed.runs(
        &["resume", "--due"],
        &[("OCTOPUS_URL", &format!("{}/", z.url.to_uppercase().replace("HTTP", "Http"))), ("OCTOPUS_API_KEY", "API-SANDBOX")],
    );
    told(&ran, 2, &[&format!("the record of run `night` names `{}`", killed.x.url)]);
    assert!(ran.stdout.contains("other: succeeded") && ran.stdout.contains("night: not continued (exit code 2)"), "{ran:?}");
    assert_eq!(killed.x.heard(), "");
    assert_eq!(killed.ground.state("night"), RunState::Running);
    // With the address typed, or in the environment.
    told(&killed.runs(&["resume", "--due", "--server", &killed.x.url], &[("OCTOPUS_API_KEY", "API-SANDBOX")]), 0, &[]);
}

#[test]
fn key_file_of_a_record_is_read_only_where_nobody_else_writes_records() {
    let key = tempfile::tempdir().expect("a folder");
    let file = key.path().join("key");
    fs::write(&file, "API-SANDBOX\n").expect("written");
    let path = file.display().to_string();
    let killed = Killed::run(&["--api-key-file", &path], &[("OCTOPUS_API_KEY", "")]);
    let journal = killed.ground.folder.path().join("journal");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let allow = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("allowed");
        for shared in [journal.clone(), journal.join("runs.sqlite")] {
            let before = fs::metadata(&shared).expect("there").permissions().mode();
            allow(&shared, before | 0o020);
            told(&killed.runs(&["resume", "night"], &[]), 2, &["there is no API key for", "OCTOPUS_API_KEY"]);
            assert_eq!(killed.x.heard(), "");
            allow(&shared, before);
        }
    }
    told(&killed.runs(&["resume", "night"], &[]), 0, &["continuing run `night`"]);
    assert!(killed.x.heard().contains("API-SANDBOX"));
}

/// Two users, one of them with two keys.
fn with_users() -> String {
    format!(
        "{}\n[[users]]\nname = \"ann\"\nkeys = [ {{ key = \"API-ANNSFIRST\", purpose = \"old\" }}, {{ key = \"API-ANNSSECOND\", purpose = \"new\" }} ]\n\
         [[users]]\nname = \"bob\"\nkey = \"API-BOB\"\n",
        shop(&[])
    )
}

#[test]
fn run_is_continued_by_the_user_that_began_it() {
    let ground = Ground::in_world(&with_users());
    ground.write("night.rhai", &format!("sleep(\"2h\");\n{DEPLOY}"));
    let start = |key| ground.run("night", "scripts/night.rhai", &["--suspend"], &[("OCTOPUS_API_KEY", key)]);
    assert_eq!(start("API-ANNSFIRST").code, 7);
    let before = ground.state("night");
    let resume = |key, more: &[&str]| {
        ground.octorhai(&[&["runs", "resume", "night"], more].concat(), &[("OCTOPUS_URL", &ground.sandbox.url), ("OCTOPUS_API_KEY", key)])
    };
    let another = format!("run `night` was begun by another user: `{}` takes this key for one of `bob`", ground.sandbox.url);
    for ran in [resume("API-BOB", &[]), start("API-BOB")] {
        told(&ran, 2, &[&another, "nothing was changed", "octorhai runs resume night --another-user"]);
        assert_eq!(ground.state("night"), before, "it is left as it was found");
    }
    // The same with a key that was changed.
    told(&resume("API-ANNSSECOND", &[]), 7, &["put down until"]);
    told(&resume("API-BOB", &["--another-user"]), 7, &["put down until"]);
    // From the record nobody can tell who it was: not even with all ids that there are.
    let run = ground.journal().run("night").expect("read").expect("there");
    let user = run.new.begun_for.user.expect("it is known");
    assert_eq!(run.new.begun_for.server.as_deref(), Some(ground.sandbox.url.as_str()));
    for number in 0..1000 {
        for secret in ["", &run.new.mark, &run.new.name, &ground.sandbox.url] {
            assert_ne!(journal::fingerprint(secret, &run.new.mark, &ground.sandbox.url, &format!("Users-{number}")), user);
        }
    }
    // Of two runs of one user nobody can tell that they are.
    let other = ground.run("other", "scripts/night.rhai", &["--suspend"], &[("OCTOPUS_API_KEY", "API-ANNSFIRST")]);
    assert_eq!(other.code, 7);
    assert_ne!(ground.journal().run("other").expect("read").expect("there").new.begun_for.user, Some(user));
}

#[test]
fn killed_run_is_left_as_killed_by_another_user() {
    let ground = Ground::in_world(&with_users());
    ground.write("night.rhai", DEPLOY);
    ground.killed("night", "scripts/night.rhai", &[]);
    let due = |key| ground.octorhai(&["runs", "resume", "--due"], &[("OCTOPUS_URL", &ground.sandbox.url), ("OCTOPUS_API_KEY", key)]);
    told(&due("API-BOB"), 2, &["run `night` was begun by another user"]);
    // It is due for who may continue it.
    assert_eq!(ground.state("night"), RunState::Running);
    let ran = due("API-SANDBOX");
    assert!(ran.code == 0 && ran.stdout.contains("succeeded"), "{ran:?}");
    assert_eq!(ground.deployed(), ["Project A"]);
}

#[test]
fn record_of_an_earlier_version_is_continued_by_whoever_has_a_key_of_its_server() {
    let ground = Ground::in_world(&with_users());
    ground.write("night.rhai", DEPLOY);
    ground.killed("night", "scripts/night.rhai", &[]);
    // As version 0.1.0 wrote it: the address as it was typed, and nobody's name. The chain of its records begins with that.
    let file = std::path::PathBuf::from(ground.journal().place());
    let run = ground.journal().run("night").expect("read").expect("there");
    let steps = ground.journal().steps("night").expect("steps");
    let mut old = serde_json::to_value(&run.new).expect("JSON");
    old["target"]["server"] = format!("{}/api", ground.sandbox.url).into();
    old.as_object_mut().expect("an object").remove("begun_for");
    let old: journal::NewRun = serde_json::from_value(old).expect("a record of version 0.1.0");
    fs::remove_file(file).expect("removed");
    let store = ground.journal();
    let holder = journal::Holder { nonce: "n".into(), host: "build-1".into(), pid: 42, mode: serde_json::Value::Null, identity: None };
    assert!(matches!(store.claim(&old, &holder).expect("claimed"), journal::Claim::Fresh));
    store.write("night", &holder, &steps).expect("written");
    store.put_down("night", &holder, &RunState::Running, run.updated).expect("put down");
    drop(store);
    let resume = |url: &str, key| ground.octorhai(&["runs", "resume", "night"], &[("OCTOPUS_URL", url), ("OCTOPUS_API_KEY", key)]);
    told(&resume("http://127.0.0.1:1", "API-BOB"), 2, &[&format!("names `{}`", ground.sandbox.url)]);
    told(&resume(&ground.sandbox.url, "API-BOB"), 0, &["continuing run `night`"]);
}

#[test]
fn key_of_a_named_server_is_for_its_own_address() {
    let ground = Ground::new();
    let (x, y) = (Listening::before(&ground.sandbox.url), Listening::refusing());
    ground.write("two.rhai", "let asked = attempt(|| server(\"dr\"));\nprint(asked.error.kind + \": \" + asked.error.message);\n");
    let start = ["run", "--store", "none", "--virtual-time", "scripts/two.rhai"];
    let main = ("OCTOPUS_URL", x.url.as_str());
    let ran = ground.octorhai(&start, &[main, ("OCTOPUS_URL_DR", &y.url), ("OCTOPUS_API_KEY_DR", OTHER)]);
    assert!(ran.code == 2 && ran.stderr.contains("was answered 401"), "{ran:?}");
    let (at_x, at_y) = (x.heard(), y.heard());
    assert!(at_x.contains("API-SANDBOX") && !at_x.contains(OTHER) && at_y.contains(OTHER) && !at_y.contains("API-SANDBOX"), "{at_x}{at_y}");
    // The main key is not taken for a server without one; and an address that cannot be read is told without its password.
    let ran = ground.octorhai(&start, &[main, ("OCTOPUS_URL_DR", &y.url)]);
    assert!(ran.stdout.contains("there is no server `dr`") || ran.stderr.contains("there is no server `dr`"), "{ran:?}");
    let ran = ground.octorhai(&start, &[main, ("OCTOPUS_URL_DR", "https://me:hunter22@h:bad/"), ("OCTOPUS_API_KEY_DR", OTHER)]);
    assert!(ran.stdout.contains("`https://***@h:bad/` is not the address") && !format!("{ran:?}").contains("hunter22"), "{ran:?}");
    assert_eq!(y.heard(), "");
}

#[test]
fn password_in_an_address_is_never_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), "print(1);\n").expect("written");
    let bad = [
        "https://me:hunter22@h:bad/",
        "https://me:hunter22@h",
        "smtp:me:hunter22",
        "postgres://me:hunter22@h:bad/x",
        "me:hunter22@h",
        "https://me:hunter22",
    ];
    let server = Listening::refusing();
    let usual = [("OCTOPUS_URL", server.url.as_str()), ("OCTOPUS_API_KEY", "API-1"), ("OCTORHAI_STORE", "none")];
    for address in bad {
        for option in ["--server", "--smtp", "--store", "--locks"] {
            let mut command = octorhai();
            let ran = finish(command.current_dir(folder.path()).envs(usual).args(["run", "x.rhai", "-v", option, address]));
            assert!(ran.code != 0 && !format!("{ran:?}").contains("hunter22"), "{option} {address}: {ran:?}");
        }
        for variable in ["OCTOPUS_URL", "OCTORHAI_SMTP_URL", "OCTORHAI_STORE", "OCTORHAI_LOCKS", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
            let mut command = octorhai();
            let ran = finish(
                command
                    .current_dir(folder.path())
                    .envs(usual)
                    .env(variable, address)
                    .args(["run", "x.rhai", "-v"])
                    .env("RUST_LOG", "trace"),
            );
            assert!(ran.code != 0 && !format!("{ran:?}").contains("hunter22"), "{variable} {address}: {ran:?}");
        }
    }
    // A proxy is told its password, and nobody else.
    let proxy = server.url.replace("http://", "http://me:hunter22@");
    server.heard();
    let mut command = octorhai();
    command.current_dir(folder.path()).envs(usual).env("OCTOPUS_URL", "http://octopus.invalid").env("http_proxy", &proxy);
    let ran = finish(command.args(["run", "x.rhai", "-v"]).env("RUST_LOG", "trace"));
    assert!(server.heard().contains("octopus.invalid") && ran.code != 0 && !format!("{ran:?}").contains("hunter22"), "{ran:?}");
}

#[cfg(unix)]
mod shared {
    use super::*;
    use crate::support::postgres;

    /// A run with its record in a database; files that it names are there, and are not read.
    #[test]
    fn no_file_is_read_by_the_word_of_a_shared_store() {
        let ground = Ground::new();
        let x = Listening::before(&ground.sandbox.url);
        let database = postgres::database();
        let path = |name: &str, text: &str| {
            fs::write(ground.folder.path().join(name), text).expect("written");
            ground.folder.path().join(name).display().to_string()
        };
        let (key, secrets) = (path("key", "API-SANDBOX"), path("secrets.json", "{\"The Token\": \"swordfish-long\"}"));
        let certificate = crate::support::certificates::Mint::new();
        let certificate = certificate.self_signed("own", &[]);
        let certificate = path("own.pem", &fs::read_to_string(certificate).expect("read"));
        ground.write("night.rhai", "let token = secret(\"The Token\");\nsleep(\"2h\");\n");
        let start =
            ["run", "--store", &database, "--server", &x.url, "--virtual-time", "--run-id", "night", "--suspend", "scripts/night.rhai"];
        let files = ["--api-key-file", &key, "--params", &secrets, "--ca-cert", &certificate];
        let ran = ground.octorhai(&[&start[..], &files].concat(), &[("OCTOPUS_API_KEY", ""), ("OCTOPUS_URL", "")]);
        assert_eq!(ran.code, 7, "{ran:?}");
        x.heard();
        let resume = |more: &[&str], surroundings: &[(&str, &str)]| {
            let all = [&["runs", "--store", &database, "resume", "night"], more].concat();
            let ran = ground.octorhai(&all, &[&[("OCTOPUS_API_KEY", ""), ("OCTOPUS_URL", "")], surroundings].concat());
            assert!(ran.code == 7 || x.heard().is_empty(), "{ran:?}");
            ran
        };
        let own = ("OCTOPUS_URL", x.url.as_str());
        told(&resume(&[], &[]), 2, &["was begun with --ca-cert", "files that a shared journal names are not read", "--ca-cert FILE"]);
        let trusted = ("OCTORHAI_CA_CERT", certificate.as_str());
        told(&resume(&[], &[trusted]), 2, &["secrets that its journal does not hold: `The Token`"]);
        let token = ("OCTORHAI_PARAM_THE_TOKEN", "swordfish-long");
        told(&resume(&[], &[trusted, token]), 2, &["there is no API key for"]);
        told(&resume(&["--api-key-file", &key], &[trusted, token]), 2, &["is for no server, as OCTOPUS_URL is not set"]);
        told(&resume(&["--api-key-file", &key], &[trusted, token, own]), 7, &["put down until"]);
        told(&resume(&["--ca-cert", &certificate], &[token, own, ("OCTOPUS_API_KEY", "API-SANDBOX")]), 7, &["put down until"]);
    }

    #[test]
    fn file_that_is_no_script_is_not_taken_for_one_by_the_word_of_a_shared_store() {
        let ground = Ground::new();
        let database = postgres::database();
        let key = ground.folder.path().join("key");
        fs::write(&key, "swordfish\n").expect("written");
        ground.write("night.rhai", DEPLOY);
        let start = ["--store", &database, "--no-check"];
        let ran = ground.run("night", "scripts/night.rhai", &start, &[("OCTORHAI_CRASH_AT", "20")]);
        assert_eq!(ran.code, -1, "{ran:?}");
        let forge =
            format!("UPDATE octorhai.run SET new = replace(new, '\"script\":\"scripts/night.rhai\"', '\"script\":\"{}\"')", key.display());
        postgres::execute(&database, &forge).expect("changed");
        let resume = |more: &[&str]| ground.octorhai(&[&["runs", "--store", &database, "resume"], more].concat(), &[]);
        let run = || journal::open(&database).expect("a store").run("night").expect("read").expect("there");
        for verb in [["--due"], ["night"]] {
            // A killed process of this machine is known to be dead.
            let ran = resume(&verb);
            told(&ran, 2, &["a shared journal makes no file read but scripts", "resume night --script FILE"]);
            let told = format!("{ran:?} {:?}", run());
            assert!(!told.contains("swordfish") && run().state == RunState::Running, "{told}");
        }
    }

    #[test]
    fn password_of_the_store_is_not_sent_to_the_locks_that_a_record_names() {
        let ground = Ground::new();
        let database = postgres::database();
        let mut url = url::Url::parse(&database).expect("an address");
        url.set_password(None).expect("none");
        let (store, y) = (url.to_string(), Listening::refusing());
        ground.write("night.rhai", "sleep(\"2h\");\n");
        let locks = store
            .replace("127.0.0.1", "127.0.0.2")
            .replace(&format!(":{}", url.port().expect("a port")), &y.url[y.url.rfind(':').expect("a port")..]);
        let password = [("PGPASSWORD", postgres::PASSWORD)];
        let start = ["--store", &store, "--suspend"];
        assert_eq!(ground.run("night", "scripts/night.rhai", &start, &password).code, 7);
        // Somebody who can write there names other locks.
        let new = journal::open(&database).expect("a store").run("night").expect("read").expect("there").new;
        let changed = serde_json::to_string(&serde_json::json!(locks)).expect("JSON");
        let sql = format!("UPDATE octorhai.run SET new = replace(new, '\"options\":{{', '\"options\":{{\"locks\":{changed},')");
        assert!(new.options.is_object());
        postgres::execute(&database, &sql).expect("changed");
        let resume = |more: &[(&str, &str)]| {
            let all = ["runs", "--store", &store, "resume", "night"];
            ground.octorhai(&all, &[&[("OCTOPUS_URL", ground.sandbox.url.as_str()), password[0]], more].concat())
        };
        let ran = resume(&[]);
        told(&ran, 2, &["PGPASSWORD is for `postgres://", "names the locks of `postgres://", "nothing was sent"]);
        assert!(y.heard().is_empty() && !format!("{ran:?}").contains(postgres::PASSWORD), "{ran:?}");
    }
}
