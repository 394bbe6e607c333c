//! Steps with real bodies: a simulated deployment runs our step templates in real Bash, whose scripts deploy other projects on the same
//! server; and what a worker does around a body (octopus-step-contract.md §1, §2).
#![cfg(target_os = "linux")]

use crate::support::{self, Ran, ground::Ground, octorhai, shop, step::Step, until};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Text as TOML.
pub(super) fn toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `shop` with a project `Train` whose only step is run as `run` says (the inside of an inline table), and more behind it.
pub(super) fn world(run: &str, more: &str) -> String {
    format!(
        "{}\n[[projects]]\nname = \"Train\"\ngroup = \"Shop\"\nlifecycle = \"Standard\"\nreleases = [ {{ version = \"1.0.0\" }} ]\n\
         live = {{ Development = \"1.0.0\" }}\nsteps = [ {{ name = \"Run the train\", run = {{ {run} }} }} ]\n{more}",
        shop(&[])
    )
}

/// What a deployment of the train came to, on a sandbox in the same process, in virtual time.
pub(super) struct Came {
    pub(super) state: String,
    outputs: Value,
    pub(super) log: String,
}

impl Came {
    pub(super) fn of(folder: &Path, world: &str) -> Self {
        let ran = Self::run(folder, world);
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut parts = ran.stdout.splitn(3, '\n');
        let mut next = || parts.next().expect("three parts").to_owned();
        let state = next();
        Self { state, outputs: serde_json::from_str(&next()).expect("JSON"), log: next() }
    }

    fn run(folder: &Path, world: &str) -> Ran {
        fs::write(folder.join("world.toml"), world).expect("written");
        // What a run prints into a pipe holds no message; the value shall arrive as it is.
        let script = r###"
            let t = deploy("Train", "1.0.0", "Test"); settle(t); print(t.state);
            let all = outputs(t).to_json(); all.replace("##octopus", "\\u0023#octopus"); print(all); print(t.log);
        "###;
        fs::write(folder.join("x.rhai"), script).expect("written");
        support::finish(octorhai().current_dir(folder).args(["run", "--sandbox=world.toml", "--run-scripts", "x.rhai"]))
    }

    fn output(&self, name: &str) -> &str {
        self.outputs["Run the train"][name].as_str().unwrap_or("(not set)")
    }

    #[track_caller]
    fn says(&self, level: &str, part: &str) -> &Self {
        let found = self.log.lines().any(|line| line.contains(&format!("   {level:<8} |")) && line.contains(part));
        assert!(found, "{part:?} is not said as {level} in\n{}", self.log);
        self
    }
}

/// A script as a step template for Bash in the folder; returns the inside of `run` but for parameters.
fn exported(folder: &Path, name: &str, script: &str) -> String {
    fs::write(folder.join(name), script).expect("written");
    let ran = support::finish(octorhai().current_dir(folder).args(["template", "export", name, "--shell", "bash", "--prefix", "T"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let linted = support::finish(octorhai().current_dir(folder).args(["template", "lint", "templates"]));
    assert_eq!(linted.code, 0, "{linted:?}");
    format!("template = \"templates/{}.bash.json\"", name.trim_end_matches(".rhai"))
}

/// Parameters and secrets for `run`: where the program is and a key come with them.
fn with(run: &str, parameters: &[(&str, &str)], secrets: &[(&str, &str)]) -> String {
    let binary = assert_cmd::cargo::cargo_bin!("octorhai").display().to_string();
    let table = |pairs: &[(&str, &str)]| {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{} = {}", toml(&format!("T.{name}")), toml(value))).collect();
        pairs.join(", ")
    };
    let parameters = [parameters, &[("BinaryPath", binary.as_str())]].concat();
    let secrets = [secrets, &[("Server.ApiKey", "API-SANDBOX")]].concat();
    format!("{run}, parameters = {{ {} }}, secrets = {{ {} }}", table(&parameters), table(&secrets))
}

/// Looks for a secret in the command lines and environments of all processes, and in the files of workers, until it is stopped; and for
/// a control, a text that stands in a file of the worker while the step runs: a round that saw it looked at the right time and place.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<(u32, Vec<String>)>>,
}

impl Watch {
    fn for_text(secret: &'static str, control: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        // What killed processes left long ago would make each round longer than a step.
        let old = worker_folders();
        let thread = std::thread::spawn(move || {
            let (mut rounds, mut found) = (0, Vec::new());
            while !stopped.load(Ordering::SeqCst) {
                let mut controlled = false;
                for place in places(&old) {
                    let bytes = fs::read(&place).unwrap_or_default();
                    let text = String::from_utf8_lossy(&bytes);
                    controlled |= text.contains(control);
                    if text.contains(secret) {
                        found.push(place.display().to_string());
                    }
                }
                rounds += u32::from(controlled);
            }
            (rounds, found)
        });
        Self { stop, thread: Some(thread) }
    }

    /// In how many rounds it saw the control, and where the secret was.
    fn found(mut self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().expect("it runs").join().expect("no panic")
    }
}

fn entries(folder: &str) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn worker_folders() -> Vec<PathBuf> {
    let temporary = std::env::temp_dir().display().to_string();
    entries(&temporary).into_iter().filter(|path| path.to_string_lossy().contains("octorhai-worker-")).collect()
}

fn places(old: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for process in entries("/proc").iter().filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok()))
    {
        all.extend([process.join("cmdline"), process.join("environ")]);
    }
    let mut folders: Vec<PathBuf> = worker_folders().into_iter().filter(|folder| !old.contains(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder.display().to_string()) {
            if entry.is_dir() { folders.push(entry) } else { all.push(entry) }
        }
    }
    all
}

#[test]
fn the_train_of_our_template_deploys_other_projects_on_the_same_server() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(support::root().join("templates/master-project.bash.json"), folder.path().join("train.json")).expect("copied");
    for array in [true, false] {
        let run = with("template = \"train.json\"", &[("NotifyTo", "qa@example.com")], &[]);
        let run = run.replace("\"T.", "\"Octorhai.MasterProject.");
        let came = Came::of(folder.path(), &format!("{}\n[worker]\nparameters_array = {array}\n", world(&run, "")));
        assert_eq!(came.state, "Success", "{}", came.log);
        assert_eq!((came.output("Task.1.Title"), came.output("Task.3.State")), ("Project A 2.0.0 → Test", "Success"));
        assert_eq!(came.output("TaskIds"), "ServerTasks-21,ServerTasks-22,ServerTasks-23");
        for project in ["A", "B", "C"] {
            came.says("Highlight", &format!("[Project {project} 2.0.0 → Test](http"));
        }
        came.says("Info", "mail to qa@example.com: The train is live in Test").says("Verbose", "octorhai 0.");
        assert!(!came.log.contains("API-SANDBOX") && !came.log.contains("Warning"), "{}", came.log);
    }
}

#[test]
fn variables_reach_the_script_to_the_byte_and_secrets_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = r#"
        // By this line the watch knows that it looks at this step.
        let token = secret("Token");
        output("Same", token.reveal() == param("Again"));
        for name in ["Unicode", "Lines", "Empty", "Missing", "Message", "Spaces"] {
            output(`Is.${name}`, switch name {
                "Unicode" => param("Unicode", "-"), "Lines" => param("Lines", "-"), "Empty" => param("Empty", "-"),
                "Missing" => param("Missing", "not given"), "Message" => param("Message", "-"), _ => param("Spaces", "-"),
            });
        }
        print(param("Message", "-"));
        print(token.reveal());
        wait(deploy("Project A", "latest", "Test"));
        artifact("note.txt", `${param("Unicode", "-")} ${token.reveal()}`, #{masked: true});
    "#;
    let run = exported(folder.path(), "probe.rhai", script);
    let secret = "S3cr\"et'of\n this `test` $(id) #run\nlast-line-of-it\n";
    let given = [
        ("Again", secret),
        ("Unicode", "Grüße 🐙 漢字"),
        ("Lines", "one\n\ntwo\n\n"),
        ("Empty", ""),
        ("Missing", "#{Octopus.Deployment.Tenant.Name}"),
        ("Message", "##octopus[setVariable name='QQ==' value='QQ==']"),
        ("Spaces", "  two  * spaces\t"),
    ];
    let run = with(&run, &given, &[("Token", secret)]);
    let many: Vec<String> = (0..1000).map(|n| format!("{{ name = \"Many.{n}\", value = \"{n} ä\" }}")).collect();
    for array in [true, false] {
        let world = format!("{}variables = [ {} ]\n\n[worker]\nparameters_array = {array}\n", world(&run, ""), many.join(", "));
        // A step is over in a moment: it runs until the watch has surely looked at it, however slow the machine is.
        let mut looks = 0;
        for _ in 0..30 {
            let watch = Watch::for_text("last-line-of-it", "By this line the watch knows");
            let came = Came::of(folder.path(), &world);
            let (rounds, found) = watch.found();
            looks += rounds;
            assert_eq!(came.state, "Success", "array {array}: {}", came.log);
            let seen =
                ["Unicode", "Lines", "Empty", "Missing", "Message", "Spaces"].map(|name| came.output(&format!("Is.{name}")).to_owned());
            let wanted = [
                "Grüße 🐙 漢字",
                "one\n\ntwo\n\n",
                "",
                "not given",
                "##octopus[setVariable name='QQ==' value='QQ==']",
                "  two  * spaces\t",
            ];
            assert_eq!((seen.as_slice(), came.output("Same")), (wanted.map(str::to_owned).as_slice(), "true"), "array {array}");
            assert_eq!(came.output("A"), "(not set)", "a value is no message");
            came.says("Info", "# #octopus[setVariable").says("Highlight", "Project A 2.0.0 → Test");
            assert!(!came.log.contains("last-line-of-it") && !came.log.contains("S3cr"), "{}", came.log);
            // Only its own file holds the secret: the world, which is not a worker's.
            assert!(found.is_empty(), "the secret was seen in {found:?}");
            if looks > 3 {
                break;
            }
        }
        assert!(looks > 3, "the watch saw the step in {looks} rounds only");
    }
}

#[test]
fn a_worker_does_around_a_body_what_was_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = r###"
        echo "arguments: $# <$1> <$2>"
        echo "tty: $(test -t 0 || echo none) stdin: $(readlink /proc/self/fd/0)"
        env | grep -c '^Octopus[.]' | sed 's/^/variables of Octopus in the environment: /'
        v=$(get_octopusvariable "Octopus.Environment.Name"); echo "environment: $v"
        v=$(get_octopusvariable "octopus.environment.name"; printf .); echo "in another case: ${v@Q}"
        v=$(get_octopusvariable "Probe.Empty"; printf .); echo "empty: ${v@Q}"
        echo "bound: #{Octopus.Project.Name}, escaped: ##{Octopus.Project.Name}, unknown: #{ No.Such }"
        set_octopusvariable "Plain" "a value"
        set_octopusvariable "Nothing" ""
        set_octopusvariable "Hidden" "hidden-value-of-it" -sensitive
        echo "hidden: hidden-value-of-it"
        echo "##octopus[mask value='$(printf masked-later | base64)']"
        echo "masked-later"
        echo "an error line" >&2
        write_highlight "look here"
        echo "file content" > "a b.txt"
        echo "##octopus[createArtifact path='$(printf '%s' "$PWD/a b.txt" | base64 -w0)' name='$(printf 'a b.txt' | base64)' length='']"
        update_progress 40 "almost"
        (sleep 0.3; echo "from behind") &
        return 0
    "###;
    fs::write(folder.path().join("probe.sh"), body.replace('\n', "\r\n")).expect("written");
    let run = "file = \"probe.sh\", arguments = [\"one two\", \"#{Octopus.Environment.Name}\"], parameters = { \"Probe.Empty\" = \"\" }";
    let came = Came::of(folder.path(), &world(run, ""));
    assert_eq!(came.state, "Success", "{}", came.log);
    came.says("Info", "arguments: 2 <one two> <Test>").says("Info", "tty: none stdin: /dev/null");
    came.says("Info", "variables of Octopus in the environment: 0").says("Info", "environment: Test");
    came.says("Info", "in another case: $'\\n.'").says("Info", "empty: '.'");
    came.says("Info", "bound: Train, escaped: #{Octopus.Project.Name}, unknown: #{No.Such}");
    came.says("Error", "an error line").says("Highlight", "look here").says("Info", "from behind");
    came.says("Info", "hidden: ********").says("Info", "       ********");
    assert!(!came.log.contains("hidden-value-of-it") && !came.log.contains("masked-later"), "{}", came.log);
    assert_eq!((came.output("Plain"), came.output("Nothing")), ("a value", "(not set)"));

    for (run, state, error) in [
        ("script = \"fail_step 'it is broken'\"", "Failed", "it is broken"),
        ("script = \"exit 7\"", "Failed", "The remote script failed with exit code 7"),
        ("script = \"kill -9 $$\"", "Failed", "exit code 137"),
        ("script = \"echo oh >&2\", fail_on_error_output = true", "Failed", "error stream"),
        ("script = \"echo oh >&2\"", "Success", "oh"),
        ("script = \"echo '##octopus[stdout-ignore]'; echo gone\"", "Success", "has left the level of its log changed"),
        (
            "script = \"test -e $HOME/second || { touch $HOME/second; exit 1; }\", retries = 1",
            "Success",
            "the step is tried again (1 of 1)",
        ),
    ] {
        let came = Came::of(folder.path(), &world(run, ""));
        assert!(came.state == state && came.log.contains(error), "{run}: {} {}", came.state, came.log);
    }
    for (run, why) in [
        ("file = \"nope.sh\"", "`nope.sh` cannot be read"),
        ("retries = 1", "one of `script`, `file` and `template`"),
        ("scirpt = \"x\"", "there is no key `scirpt` here"),
        ("template = \"probe.sh\"", "is no step template"),
    ] {
        let ran = Came::run(folder.path(), &world(run, ""));
        assert!(ran.code == 2 && ran.stderr.contains(why), "{run}: {ran:?}");
    }
}

/// A real-time sandbox with the train, whose script deploys A and B and waits.
fn train(more: &str, run: &str) -> Ground {
    let script = "wait([deploy(\"Project A\", \"latest\", \"Test\"), deploy(\"Project B\", \"latest\", \"Test\")]); output(\"Done\", 1); artifact(\"done.txt\", \"A and B\");";
    Ground::with_files(&["--speed", "120", "--run-scripts"], |folder| {
        let template = exported(folder, "train.rhai", script);
        world(&format!("{}{run}", with(&template, &[], &[])), more)
    })
}

/// Runs a script on it.
pub(super) fn on(ground: &Ground, script: &str) -> Ran {
    ground.write("y.rhai", script);
    let ran = ground.octorhai(&["run", "--server", &ground.sandbox.url, "--store", "none", "scripts/y.rhai"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The process of our program that works for a task of this sandbox: its journal, which it holds open, has a run of that name, on that
/// server. Tests beside this one have tasks of the same number.
fn program_of(ground: &Ground, task: &str) -> u32 {
    until("the program of the step", || {
        let numbers =
            fs::read_dir("/proc").expect("there").flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
        let mut programs = numbers
            .filter(|id| String::from_utf8_lossy(&fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()).contains("step\0run"));
        programs.find(|id| {
            let open =
                fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
            open.into_iter().any(|file| {
                file.to_string_lossy().contains("octorhai-worker-")
                    && holds(&file, &format!("{task}/"))
                    && holds(&file, &ground.sandbox.url)
            })
        })
    })
}

/// Whether a file has a text in it.
fn holds(file: &Path, text: &str) -> bool {
    fs::read(file).unwrap_or_default().windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_step_that_is_killed_and_tried_again_deploys_nothing_twice() {
    let ground = train("", ", retries = 1");
    let task = on(&ground, "print(deploy(\"Train\", \"1.0.0\", \"Test\").id);").stdout.trim().to_owned();
    until("both children", || (ground.deployed().len() == 3).then_some(()));
    let program = program_of(&ground, &task);
    // The whole tree: shells and program are one group.
    let about = fs::read_to_string(format!("/proc/{program}/stat")).expect("it runs");
    let group = about.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)).expect("a group");
    assert!(Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status().expect("kill runs").success());
    let ended = on(
        &ground,
        &format!("let t = task(\"{task}\"); settle(t, #{{timeout: \"3h\"}}); print(t.state); print(t.log); print(outputs(t));"),
    )
    .stdout;
    assert!(
        ended.starts_with("Success") && ended.contains("the step is tried again (1 of 1)") && ended.contains("\"Done\": \"1\""),
        "{ended}"
    );
    assert_eq!(ground.deployed(), ["Train", "Project A", "Project B"]);
    // Its artifact is a file on the server.
    let listed =
        on(&ground, &format!("for a in get(\"artifacts?regarding={task}\").Items {{ print(a.Filename); print(a.Links.Content); }}")).stdout;
    let (name, link) = listed.trim().split_once('\n').unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(name, "done.txt");
    let content =
        Command::new("curl").args(["-sf", "-H", "X-Octopus-ApiKey: API-SANDBOX", &format!("{}{link}", ground.sandbox.url)]).output();
    assert_eq!(String::from_utf8_lossy(&content.expect("curl runs").stdout), "A and B");
}

#[test]
fn children_of_a_cancelled_parent_are_cancelled_or_reaped() {
    for (cancel, left) in [("root", "Cancel"), ("tree", "go on")] {
        let ground = train(&format!("\n[worker]\ncancel = \"{cancel}\"\n"), "");
        let task = on(&ground, "print(deploy(\"Train\", \"1.0.0\", \"Test\").id);").stdout.trim().to_owned();
        until("both children", || (ground.deployed().len() == 3).then_some(()));
        let program = program_of(&ground, &task);
        on(&ground, &format!("let t = task(\"{task}\"); t.cancel(); settle(t);"));
        let reap = |more: &[&str]| {
            let mut all = vec!["runs", "reap", "--parent", task.as_str(), "--server", ground.sandbox.url.as_str()];
            all.extend(more);
            ground.octorhai(&all, &[])
        };
        until("the end of the program", || (!Path::new(&format!("/proc/{program}/exe")).exists()).then_some(()));
        let listed = reap(&[]);
        assert!(
            format!("{}{}", listed.stdout, listed.stderr).contains(left) && listed.stdout.contains("Project B"),
            "{cancel}: {listed:?}"
        );
        let reaped = reap(&["--cancel"]);
        assert!(reaped.code == 0 && reaped.stdout.matches("Cancel").count() == 2, "{cancel}: {reaped:?}");
    }
}

#[test]
fn bodies_that_come_over_the_network_run_only_where_that_was_asked_for() {
    let put = r#"
        let id = get("projects").Items.filter(|p| p.Name == "Project A")[0].DeploymentProcessId;
        let process = get(`deploymentprocesses/${id}`);
        process.Steps = [#{Name: "Sent", Actions: [#{Name: "Sent", ActionType: "Octopus.Script", Properties: #{
            "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptSource": "Inline",
            "Octopus.Action.Script.ScriptBody": "echo \"it runs: $(get_octopusvariable Who)\"", "Who": "somebody"}}]}];
        put(`deploymentprocesses/${id}`, process);
        let t = deploy("Project A", "latest", "Test");
        settle(t, #{timeout: "3h"});
        print(t.state);
        print(t.log);
    "#;
    for flag in [&[][..], &["--run-scripts"]] {
        let ground = Ground::with_clock(&shop(&[]), &[&["--speed", "2000"], flag].concat());
        let said = on(&ground, put).stdout;
        assert!(said.starts_with("Success"), "{said}");
        assert_eq!(said.contains("it runs: somebody"), !flag.is_empty(), "{said}");
        assert_eq!(said.contains("--run-scripts"), flag.is_empty(), "{said}");
    }
}

#[test]
fn a_step_logs_in_with_an_account_and_no_key() {
    let more =
        "\n[[users]]\nname = \"robot\"\nteams = []\n\n[[oidc]]\naudience = \"9d6f\"\nsubject_token = \"eyJ.trusted.jwt\"\nuser = \"ada\"\n";
    let ground = Ground::in_world(&format!("{}{}", shop(&[]), more.replace("\n[[users]]\nname = \"robot\"\nteams = []\n", "")));
    let run = |jwt: &str, audience: &str| {
        let account = [("T.Server.ApiKey", ""), ("T.Server.Account.OpenIdConnect.Jwt!", jwt), ("T.Server.Account.Audience", audience)];
        Step::new(&ground.sandbox.url, "print(get(\"users/me\").Username);", &account).run()
    };
    let heard = run("eyJ.trusted.jwt", "9d6f");
    heard.ended(0).says("default", "ada");
    assert!(heard.masks.len() == 1 && !heard.raw.contains("eyJ.trusted.jwt"), "{}", heard.raw);
    assert!(!heard.log.iter().any(|(_, line)| line.contains(&heard.masks[0])), "{}", heard.raw);
    let refused = run("eyJ.other.jwt", "9d6f");
    refused.ended(2).says("error", "did not exchange the step's token").says("error", "no OIDC identity of a service account matches");
    run("eyJ.trusted.jwt", "").ended(2).says("error", "has no audience");
}
