//! Hostile servers: whatever a server answers, the key stays here, the memory is bounded, and the run ends with words that help.

mod behaviours;
mod server;

use crate::support::{memory, octorhai_command, shop, standalone::Standalone};
use behaviours::{ALL, Behaviour, On};
use server::{Hostile, Request, recorder};
use std::{
    fs,
    io::Read,
    sync::{Mutex, atomic::Ordering},
    thread,
    time::Duration,
};

const KEY: &str = "API-HOSTILEKEY7SECRET9";

/// The most memory that a run may ever have, in KiB: 300 MB, whatever is sent and whatever of it a script asks for.
const CEILING: u64 = 300_000_000 >> 10;

/// A run that is still there then hangs. It is no measure: the longest run takes a fifth of it.
const HANGS: Duration = Duration::from_secs(600);

/// What the client does when the server shows what it is.
struct Verb {
    name: &'static str,
    script: &'static str,
    aims: fn(&Request) -> bool,
}

const READS: Verb = Verb {
    name: "get",
    script: r#"let all = get("machines"); print(type_of(all));"#,
    aims: |request| request.path().ends_with("/machines"),
};

const LISTS: Verb = Verb { name: "projects", script: "print(projects().len());", aims: |request| request.path().ends_with("/projects") };

const RAWS: Verb = Verb {
    name: "projects as maps",
    script: "let all = projects(); print(all.map(|project| project.raw.len()).len());",
    aims: |request| request.path().ends_with("/projects"),
};

const DEPLOYS: Verb = Verb {
    name: "deploy",
    script: r#"let t = deploy("Project A", "2.0.0", "Test"); print(t.id);"#,
    aims: |request| request.method == "POST" && request.path().ends_with("/deployments"),
};

const WAITS: Verb = Verb {
    name: "wait",
    script: r#"let t = deploy("Project A", "2.0.0", "Test"); wait(t, #{timeout: "30m"}); print(t.state);"#,
    aims: |request| request.method == "GET" && request.path().ends_with("/tasks"),
};

const LOGS: Verb = Verb {
    name: "log",
    script: r#"let t = deploy("Project A", "2.0.0", "Test"); wait(t); print(t.log.len());"#,
    aims: |request| request.path().ends_with("/raw"),
};

const POSTS: Verb = Verb {
    name: "post",
    script: r#"print(type_of(post("projectgroups", #{Name: "x"})));"#,
    aims: |request| request.method == "POST" && request.path().ends_with("/projectgroups"),
};

const BEGINS: Verb = Verb { name: "first", script: "print(1);", aims: |_| true };

const DOCTOR: Verb = Verb { name: "doctor", script: "", aims: |_| true };

/// The server is itself until the session has begun.
const REPL: Verb = Verb { name: "repl", script: "get(\"machines\")\n:quit\n", aims: |request| request.path().ends_with("/machines") };

/// What came of a run.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    /// KiB.
    most: u64,
}

fn run(behaviour: &Behaviour, verb: &Verb, elsewhere: &str) -> (Ended, usize) {
    // The first request of a run in virtual time would be that for the time.
    let is_virtual = !matches!(verb.name, "first" | "doctor" | "repl");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    fs::write(&file, shop(&[("API-SANDBOX", KEY)])).expect("written");
    let world = Standalone::start(file.to_str().expect("UTF-8"), if is_virtual { &["--virtual"] } else { &[] });
    let hostile = Hostile::start(&world.url, elsewhere, verb.aims, behaviour.answer);
    fs::write(folder.path().join("x.rhai"), verb.script).expect("written");
    let mut command = octorhai_command();
    command.current_dir(folder.path()).env("OCTOPUS_API_KEY", KEY).env("OCTORHAI_STATE", folder.path());
    command.env("OCTORHAI_STORE", folder.path().join("journal"));
    match verb.name {
        "doctor" => command.args(["doctor", "--server", &hostile.url]),
        "repl" => {
            command.stdin(fs::File::open(folder.path().join("x.rhai")).expect("there"));
            command.args(["repl", "--server", &hostile.url])
        }
        _ => command.args(["run", "--no-check", "--server", &hostile.url, "x.rhai"]),
    };
    if is_virtual {
        command.arg("--virtual-time");
    }
    let mut child = command.spawn().expect("octorhai starts");
    let reader = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _cut = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = reader(Box::new(child.stdout.take().expect("piped")));
    let stderr = reader(Box::new(child.stderr.take().expect("piped")));
    let pause = Duration::from_millis(5);
    let (mut most, mut waited) = (0, Duration::ZERO);
    let code = loop {
        most = most.max(memory::most(&child).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        if waited > HANGS {
            child.kill().expect("it can be ended");
            panic!("{}, {}: it does not end", behaviour.name, verb.name);
        }
        thread::sleep(pause);
        waited += pause;
    };
    let ended = Ended { code, stdout: stdout.join().expect("read"), stderr: stderr.join().expect("read"), most };
    (ended, hostile.met.load(Ordering::SeqCst))
}

/// What is wrong with how a run ended; nothing, when all is well.
fn wrong(behaviour: &Behaviour, verb: &Verb, ended: &Ended, met: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let told = format!("{}{}", ended.stdout, ended.stderr);
    if met == 0 {
        wrong.push("the server was never asked".to_owned());
    }
    if !matches!(ended.code, Some(code) if [0, 1, 2, 3, 8, 10].contains(&code)) {
        wrong.push(format!("ended with {:?}", ended.code));
    }
    if told.contains("panicked") || told.contains("stack overflow") || told.contains("mistake of ours") {
        wrong.push("a mistake of ours".to_owned());
    }
    if ended.most > CEILING {
        wrong.push(format!("took {} MiB", ended.most >> 10));
    }
    if told.len() > 60_000 {
        wrong.push(format!("{} bytes were told", told.len()));
    }
    if let Some(at) = (8..=KEY.len()).find_map(|length| told.find(&KEY[..length])) {
        wrong.push(format!("the key is shown: {}", &told[at.saturating_sub(60)..(at + 20).min(told.len())]));
    }
    let reads = matches!(verb.name, "get" | "projects" | "log" | "first");
    match behaviour.says {
        Some(words) if reads && !words.is_empty() => {
            if ended.code == Some(0) || !ended.stderr.contains(words) {
                wrong.push(format!("does not say `{words}`"));
            }
            // What the server says of itself is left as it is.
            if !["help: ", "tried for", "was answered 400)"].iter().any(|words| ended.stderr.contains(words)) {
                wrong.push("does not say what to do".to_owned());
            }
        }
        None if verb.name == "get" && ended.code != Some(0) => wrong.push("does not take it".to_owned()),
        _ => {}
    }
    if ended.code != Some(0) && !ended.stderr.contains("error") {
        wrong.push("fails without a word".to_owned());
    }
    if !wrong.is_empty() {
        let shown: String = ended.stderr.chars().take(1500).collect();
        wrong.push(format!("code {:?}, {} MiB, {met} met\n{shown}", ended.code, ended.most >> 10));
    }
    wrong
}

/// Each behaviour with what it is made for, and with one verb more in turn; with all of them where `OCTORHAI_CASES` asks for more.
fn verbs(at: usize, behaviour: &Behaviour) -> Vec<&'static Verb> {
    match behaviour.on {
        On::First => vec![&BEGINS],
        On::List => vec![&LISTS],
        On::Whole => vec![&RAWS],
        On::Log => vec![&LOGS],
        On::Any => {
            let more = [&LISTS, &DEPLOYS, &WAITS, &POSTS];
            let all = crate::support::cases(1) > 1;
            let chosen = more.into_iter().enumerate().filter(|(n, _)| all || at % more.len() == *n).map(|(_, verb)| verb);
            // In real time, so only where nothing is tried again for minutes: the doctor meets the server first, and the session later.
            let says = |words: &[&str]| behaviour.says.is_none_or(|told| words.iter().any(|word| told.contains(word)));
            let final_one = says(&["limit is", "of memory", "levels deep", "more", "gave no reason", "key ***"]);
            let strange = final_one || says(&["JSON", "HTML", "credential", "redirected", "(302)", "(304)", "(101)", "UTF-16"]);
            let other = if at.is_multiple_of(2) { strange.then_some(&DOCTOR) } else { final_one.then_some(&REPL) };
            std::iter::once(&READS).chain(chosen).chain(other).collect()
        }
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "how many were tried, and the most memory, are of interest")]
fn no_server_gets_the_key_elsewhere_the_memory_or_a_run_without_end() {
    let only = std::env::var("OCTORHAI_HOSTILE").unwrap_or_default();
    let (elsewhere, heard) = recorder();
    let cases: Vec<(&'static Behaviour, &'static Verb)> = ALL
        .iter()
        .enumerate()
        .filter(|(_, behaviour)| behaviour.name.contains(&only))
        .flat_map(|(at, behaviour)| verbs(at, behaviour).into_iter().map(move |verb| (behaviour, verb)))
        .collect();
    assert!(!only.is_empty() || ALL.len() >= 80 && cases.len() >= 120, "{} behaviours, {} cases", ALL.len(), cases.len());
    // Those that only wait go first, all at once; the rest share the machine.
    let (waiting, working): (Vec<_>, Vec<_>) = cases.iter().copied().partition(|(_, verb)| verb.name == "first");
    let (open, faults, most) = (Mutex::new(working.into_iter()), Mutex::new(Vec::new()), Mutex::new((0, String::new())));
    let try_one = |(behaviour, verb): (&Behaviour, &Verb)| {
        let (ended, met) = run(behaviour, verb, &elsewhere);
        let name = format!("{}, {}", behaviour.name, verb.name);
        if std::env::var_os("OCTORHAI_HOSTILE").is_some() {
            eprintln!("{name}: {:?}, {} MiB: {}{}", ended.code, ended.most >> 10, ended.stdout, ended.stderr);
        }
        let problems = wrong(behaviour, verb, &ended, met);
        if !problems.is_empty() {
            faults.lock().expect("no panic").push(format!("{name}: {}", problems.join("; ")));
        }
        let mut most = most.lock().expect("no panic");
        if ended.most > most.0 {
            *most = (ended.most, name);
        }
    };
    thread::scope(|scope| {
        let try_one = &try_one;
        for case in waiting {
            scope.spawn(move || try_one(case));
        }
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = open.lock().expect("no panic").next();
                    let Some(case) = next else { break };
                    try_one(case);
                }
            });
        }
    });
    let most = most.into_inner().expect("no panic");
    eprintln!("{} hostile servers, {} runs; the most memory was {} MiB: {}", ALL.len(), cases.len(), most.0 >> 10, most.1);
    assert!(most.0 > 5_000, "nothing was measured");
    let faults = faults.into_inner().expect("no panic");
    assert!(faults.is_empty(), "{} of {}:\n\n{}", faults.len(), cases.len(), faults.join("\n\n"));
    assert_eq!(*heard.lock().expect("no panic"), "", "the second server heard of the client");
}
