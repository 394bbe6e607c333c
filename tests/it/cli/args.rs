//! The command line as a user meets it: exit codes, stdout and stderr of the real binary, without a server.

use assert_cmd::cargo::cargo_bin_cmd;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

struct Place(TempDir);

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn with_script(text: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.write("x.rhai", text);
        place
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Runs octorhai here with nothing in the environment but `environment`.
    fn run(&self, line: &str, environment: &[(&str, &str)]) -> Told {
        let mut command = cargo_bin_cmd!("octorhai");
        command.current_dir(self.0.path()).env_clear().args(line.split_whitespace()).envs(environment.iter().copied());
        let output = command.output().expect("octorhai starts");
        Told {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

const SCRIPT: &str = r#"// x.rhai: Says hello to somebody.
let to = param("NotifyTo", "team@example.com", #{label: "Mail to", help: "Who gets the mail."});
let n = param("Count", 3);
let where_to = param("Where", "Test", #{choices: ["Test", "Production"]});
let who = param("Who");
let key = secret("Key");
"#;

#[test]
fn without_server_and_sandbox_it_names_both_ways_on() {
    let told = Place::with_script("print(1);").run("run x.rhai", &[]);
    assert_eq!((told.code, told.out.as_str()), (2, ""));
    let golden = "\
error: there is no Octopus Server to run on
  help: on a simulated one, in virtual time:
        octorhai run --sandbox x.rhai
  help: on yours:
        OCTOPUS_API_KEY=API-... octorhai run --server https://octopus.example.com x.rhai
";
    assert_eq!(told.err, golden);
}

#[test]
fn a_script_lists_its_parameters_without_running_or_a_server() {
    for line in ["run x.rhai --help", "run x.rhai -h", "run --sandbox x.rhai --stats --help"] {
        let told = Place::with_script(SCRIPT).run(line, &[]);
        assert_eq!((told.code, told.err.as_str()), (0, ""), "{line}");
        let golden = "\
Says hello to somebody.

Usage: octorhai run [OPTIONS] x.rhai [--PARAMETER VALUE]...

Parameters:
  --NotifyTo <text>  Mail to
          Who gets the mail.
          default: team@example.com

  --Count <number>
          default: 3

  --Where <choice>
          one of: Test, Production
          default: Test

  --Who <text>
          required

  --Key <secret>
          required

Names are matched without case, `-` and `_`: --NotifyTo is --notify-to. `octorhai run --help` lists the options.
";
        assert_eq!(told.out, golden, "{line}");
    }
}

#[test]
fn missing_parameters_are_named_all_at_once() {
    let told = Place::with_script(SCRIPT).run("run --sandbox x.rhai", &[]);
    assert_eq!((told.code, told.out.as_str()), (2, ""));
    assert!(
        told.err.starts_with("error: 2 required parameters are missing: `Who`, `Key`\n  help: give it as `--Who VALUE`"),
        "{}",
        told.err
    );
}

#[test]
fn wrong_parameters_are_usage_errors_with_a_way_on() {
    let place = Place::with_script(SCRIPT);
    place.write("p.toml", "Witdh = 3\n");
    for (line, words) in [
        ("run --sandbox x.rhai --NotfyTo a@b", "did you mean `NotifyTo`?"),
        ("run --sandbox x.rhai --count many", "`Count` must be a number, got `many`"),
        ("run --sandbox x.rhai --where Prodution", "did you mean `Production`?"),
        ("run --sandbox x.rhai --params p.toml", "the script has no parameter `Witdh` (file `p.toml`)"),
        ("run --sandbox x.rhai --params none.toml", "the parameter file `none.toml` cannot be read"),
        ("run --sandbox x.rhai more", "there is a word too many: `more`"),
        ("run --sandbox nothing.rhai", "the script `nothing.rhai` cannot be read"),
        ("run --sandbox x", "did you mean `x.rhai`?"),
        ("run --server ftp://octopus x.rhai", "must start with https://"),
        ("run --server https://octopus x.rhai", "there is no API key for `https://octopus`"),
        ("run --sandbox x.rhai --tz Mars/Olympus --who a --key b", "`Mars/Olympus` is not a time zone"),
    ] {
        let told = place.run(line, &[]);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{line}: {}", told.err);
        assert!(told.err.contains(words), "{line}: {}", told.err);
    }
}

#[test]
fn a_key_on_the_command_line_is_refused_and_no_secret_is_repeated() {
    let place = Place::with_script(SCRIPT);
    let told = place.run("run x.rhai --server https://x --api-key API-HUNTER22", &[]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("list of processes") && told.err.contains("--api-key-file"), "{}", told.err);
    assert!(!told.err.contains("HUNTER22"));
    let told = place.run("run x.rhai --server API-HUNTER22", &[("OCTOPUS_API_KEY", "API-HUNTER22")]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("`***` is not the address of an Octopus Server: it must start with https://"), "{}", told.err);
}

#[test]
fn a_script_with_a_mistake_is_shown_with_its_place() {
    let told = Place::with_script("let a = 1;\nlet b = = 2;\n").run("run --sandbox x.rhai", &[]);
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.contains("x.rhai:2:") && told.err.contains("let b = = 2;") && told.err.contains('^'), "{}", told.err);
}

#[test]
fn clap_says_what_is_wrong_and_help_goes_to_stdout() {
    let place = Place::with_script(SCRIPT);
    let told = place.run("run", &[]);
    assert!(told.code == 2 && told.out.is_empty() && told.err.contains("SCRIPT"), "{}", told.err);
    let told = place.run("run --sever http://x x.rhai", &[]);
    assert!(told.code == 2 && told.err.contains("did you mean `--server`?"), "{}", told.err);
    for line in ["--help", "run --help", "sandbox --help", "help", "help run", "--version"] {
        let told = place.run(line, &[]);
        assert_eq!((told.code, told.err.as_str()), (0, ""), "{line}");
        assert!(!told.out.contains('\x1b') && told.out.contains("octorhai"), "{line}: {}", told.out);
    }
    let told = place.run("help rum", &[]);
    assert!(told.code == 2 && told.err.contains("did you mean `run`?"), "{}", told.err);
}

#[test]
fn the_environment_gives_values_and_the_command_line_wins() {
    // What is taken is seen by what is refused.
    let place = Place::with_script(SCRIPT);
    let environment = [("OCTORHAI_PARAM_COUNT", "many"), ("OCTORHAI_PARAM_WHO", "me"), ("OCTORHAI_PARAM_KEY", "secret-1")];
    let told = place.run("run --sandbox x.rhai", &environment);
    assert!(told.code == 2 && told.err.contains("variable OCTORHAI_PARAM_COUNT: parameter `Count` must be a number"), "{}", told.err);
}
