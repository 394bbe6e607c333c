//! How subcommands reach the Octopus Server: address, credential and space.

use super::{
    environment::{Environment, certificates, variable},
    keyring::Keyring,
    shared_args::ServerArgs,
    signals,
    ui::Ui,
};
use crate::{
    api::{Client, Settings, SpaceClient},
    cancel::Cancel,
    clock::Clock,
    error::{Error, Result},
};

/// Address and credential, from options and surroundings; `command` is what a person types for the subcommand.
pub(super) fn settings(args: &ServerArgs, command: &str, ui: &Ui, environment: &Environment) -> Result<Settings> {
    let keyring = Keyring { ui, environment, server: args.server.as_deref(), key_file: args.api_key_file.as_deref() };
    let Some(credential) = keyring.login()? else {
        return Err(Error::usage("no Octopus Server is named")
            .help(format!("OCTOPUS_API_KEY=API-... octorhai {command} --server https://octopus.example.com")));
    };
    let ca_cert = certificates(args.ca_cert.as_deref(), environment)?;
    Ok(Settings { ca_cert, ..Settings::new(credential, Clock::real(), Cancel::new()) })
}

/// The space that is meant on a server.
pub(super) async fn space(args: &ServerArgs, settings: Settings, environment: &Environment) -> Result<SpaceClient> {
    let wanted = args.space.as_deref().or_else(|| variable(environment, "OCTOPUS_SPACE"));
    Client::new(settings)?.space(wanted).await
}

/// Does `work` in the space that is meant, until a signal ends it; `command` is what a person types for the subcommand.
pub(super) fn in_space<T>(
    args: &ServerArgs,
    command: &str,
    ui: &Ui,
    environment: &Environment,
    work: impl AsyncFnOnce(SpaceClient) -> Result<T>,
) -> Result<T> {
    let settings = settings(args, command, ui, environment)?;
    let _watch = signals::watch(settings.cancel.clone(), ui.clone(), Box::new(Vec::new));
    runtime()?.block_on(async { work(space(args, settings, environment).await?).await })
}

/// What such a subcommand runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|why| Error::bug(format!("cannot start threads: {why}")))
}

#[cfg(test)]
mod tests {
    use super::super::{
        Cli,
        args::parse,
        ui::{Loudness, testing},
    };
    use clap::CommandFactory;
    use parking_lot::Mutex;
    use std::{
        collections::BTreeSet,
        fs,
        io::{Read as _, Write as _},
        net::TcpListener,
        path::Path,
        sync::Arc,
    };

    /// The subcommands that take `--api-key-file`, with what the subcommand needs.
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("run", "x.rhai --store store --run-id night"),
        ("repl", "--no-history"),
        ("check", "x.rhai"),
        ("doctor", ""),
        ("runs resume", "night --store store"),
        ("runs reap", "--parent ServerTasks-1"),
        ("locks list", ""),
        ("locks show", "night"),
        ("locks break", "night --yes --reason test"),
        ("template push", "x.json"),
        ("template pack", "--push --binary linux-x64=x.rhai --out ."),
    ];

    /// Subcommands with an option, e.g. `runs reap`.
    fn with_option(option: &str, command: &clap::Command, before: &str, inherited: bool, found: &mut BTreeSet<String>) {
        let own = command.get_arguments().find(|argument| argument.get_long() == Some(option));
        let has = inherited || own.is_some();
        let mut below = command.get_subcommands().peekable();
        if has && below.peek().is_none() {
            found.insert(before.trim().to_owned());
        }
        let inherits = inherited || own.is_some_and(clap::Arg::is_global_set);
        for one in below {
            with_option(option, one, &format!("{before} {}", one.get_name()), inherits, found);
        }
    }

    #[test]
    fn every_subcommand_with_a_key_file_is_tested() {
        let mut found = BTreeSet::new();
        with_option("api-key-file", &Cli::command(), "", false, &mut found);
        assert_eq!(found, SUBCOMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn time_zone_is_read_in_the_same_way_by_every_subcommand() {
        let mut found = BTreeSet::new();
        with_option("tz", &Cli::command(), "", false, &mut found);
        assert_eq!(found, ["repl".to_owned(), "run".to_owned()].into());
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "print(1);\n").expect("written");
        let script = folder.path().join("x.rhai").display().to_string();
        for line in [vec!["run", "--sandbox", &script], vec!["repl", "--sandbox"]] {
            let words = ["octorhai"].iter().chain(&line).chain(&["--tz", "Mars/Olympus"]).map(|word| (*word).to_owned()).collect();
            let cli = parse::<Cli>(words).expect("a command line");
            let environment = [("OCTORHAI_STATE".to_owned(), folder.path().display().to_string())].into();
            let (ui, _, talk) = testing::ui(Loudness::Normal);
            assert_eq!(cli.perform(&ui, None, &environment), 2, "{line:?}");
            let wanted = "error: `Mars/Olympus` is not a time zone\n  help: write it like \"Europe/Berlin\", \"UTC\", \"+02:00\" or \"W. Europe Standard Time\"\n";
            assert_eq!(talk.text(), wanted, "{line:?}");
        }
    }

    /// A server that refuses every key, and the keys it got.
    fn refusing() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keys: Arc<Mutex<Vec<String>>> = Arc::default();
        let got = Arc::clone(&keys);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut request, mut part) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(length) if length > 0 => request.extend_from_slice(&part[..length]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let headers = request.lines().filter_map(|line| line.split_once(": "));
                got.lock().extend(headers.filter(|(name, _)| name.eq_ignore_ascii_case("x-octopus-apikey")).map(|(_, key)| key.to_owned()));
                let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
            }
        });
        (url, keys)
    }

    /// Exit code, and what stdout and stderr carry. `url` is what `--server` names, and `own` what OCTOPUS_URL does.
    fn told(folder: &Path, url: &str, (name, rest): (&str, &str), more: &[&str], own: &str) -> (u8, String) {
        let in_folder = |word: &str| match word.split_once('=') {
            Some((platform, file)) => format!("{platform}={}", folder.join(file).display()),
            None if ["store", ".", "x.rhai", "x.json"].contains(&word) => folder.join(word).display().to_string(),
            None => word.to_owned(),
        };
        let line = format!("octorhai {name} {rest} --server {url}");
        let mut words: Vec<String> = line.split_whitespace().map(in_folder).collect();
        words.extend(more.iter().map(|word| (*word).to_owned()));
        let cli = parse::<Cli>(words).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"));
        let environment = [
            ("OCTORHAI_STATE".to_owned(), folder.display().to_string()),
            ("OCTOPUS_API_KEY".to_owned(), "API-OFTHEENVIRONMENT".to_owned()),
            ("OCTOPUS_URL".to_owned(), own.to_owned()),
        ];
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        let code = cli.perform(&ui, None, &environment.into());
        (code, format!("{}{}", data.text(), talk.text()))
    }

    /// A folder with what the subcommands need.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "print(1);\n").expect("written");
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/promote-all.bash.json"), folder.path().join("x.json"))
            .expect("a template");
        folder
    }

    #[test]
    fn key_of_another_server_is_sent_by_no_subcommand() {
        let folder = folder();
        let folder = folder.path();
        let ((url, keys), (own, own_keys)) = (refusing(), refusing());
        for subcommand in SUBCOMMANDS {
            // Of `run` this makes the record that `runs resume` continues.
            if subcommand.0 == "run" {
                told(folder, &url, *subcommand, &[], &url);
            }
            assert!(subcommand.0 != "run" || !keys.lock().is_empty());
            keys.lock().clear();
            let named = if subcommand.0 == "runs resume" { &own } else { &url };
            let (code, text) = told(folder, named, *subcommand, &[], &own);
            let wanted = format!("error: OCTOPUS_API_KEY is for `{own}`, as OCTOPUS_URL says; ");
            assert!(code == 2 && text.contains(&wanted) && text.contains(&format!("names `{url}`")), "{subcommand:?}: {code}\n{text}");
            // Nor of an address that cannot be read.
            let (code, text) = told(folder, named, *subcommand, &[], "https://me:hunter22@octopus.example.com:bad/");
            assert!(
                code == 2 && text.contains("`https://***@octopus.example.com:bad/` is not the address"),
                "{subcommand:?}: {code}\n{text}"
            );
            let (code, text) = told(folder, "https://me:hunter22@octopus.example.com:bad/", *subcommand, &[], &own);
            assert!(
                code == 2 && text.contains("`https://***@octopus.example.com:bad/` is not the address"),
                "{subcommand:?}: {code}\n{text}"
            );
            assert!(!text.contains("hunter22"), "{subcommand:?}: {text}");
            assert!(keys.lock().is_empty() && own_keys.lock().is_empty(), "{subcommand:?}");
        }
    }

    #[test]
    fn certificate_file_is_looked_at_by_every_subcommand_before_the_first_request() {
        let mut found = BTreeSet::new();
        with_option("ca-cert", &Cli::command(), "", false, &mut found);
        assert_eq!(found, SUBCOMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect());
        let folder = folder();
        let folder = folder.path();
        let ((url, keys), junk) = (refusing(), folder.join("junk"));
        fs::write(&junk, "no certificate\n").expect("written");
        let junk = junk.display().to_string();
        for subcommand in SUBCOMMANDS {
            if subcommand.0 == "run" {
                told(folder, &url, *subcommand, &[], &url);
            }
            keys.lock().clear();
            let (code, text) = told(folder, &url, *subcommand, &["--ca-cert", &junk], &url);
            let wanted = format!("error: the certificate file `{junk}` cannot be used: there is no certificate in PEM form in it");
            assert!(code == 2 && text.contains(&wanted) && keys.lock().is_empty(), "{subcommand:?}: {code}\n{text}");
        }
    }

    #[test]
    fn key_file_is_read_in_the_same_way_by_every_subcommand() {
        let folder = folder();
        let folder = folder.path();
        let file = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("written");
            folder.join(name)
        };
        let (good, empty, spaces) = (file("good", "API-OFTHEFILE\r\n"), file("empty", ""), file("two", "API-ONE API-TWO"));
        let (missing, large) = (folder.join("missing"), file("large", &"x".repeat(70_000)));
        let (url, keys) = refusing();
        for subcommand in SUBCOMMANDS {
            keys.lock().clear();
            // Of `run` this makes the record that `runs resume` continues.
            let (code, text) = told(folder, &url, *subcommand, &["--api-key-file", &good.display().to_string()], "");
            assert!(code != 0 && !text.contains("API-OF"), "{subcommand:?}: {text}");
            let keys = keys.lock().clone();
            assert!(!keys.is_empty() && keys.iter().all(|key| key == "API-OFTHEFILE"), "{subcommand:?}: {keys:?}\n{text}");
            for (key_file, why) in [
                (&missing, "cannot be read: there is no such file"),
                (&folder.to_path_buf(), "cannot be read: it is a folder"),
                (&empty, "does not hold one key and nothing else"),
                (&spaces, "does not hold one key and nothing else"),
                (&large, "cannot be read: it has more than 64 KiB, the most we read"),
            ] {
                let (code, text) = told(folder, &url, *subcommand, &["--api-key-file", &key_file.display().to_string()], "");
                let wanted = format!("error: the API key file `{}` {why}", key_file.display());
                assert!(code == 2 && text.contains(&wanted) && !text.contains("API-ONE"), "{subcommand:?}: {code}\n{text}");
            }
        }
    }
}
