//! The launchers of step templates in real Bash and real PowerShell: what they hand on, what they say when there is nothing to start,
//! and that nothing on a worker makes them do something else.
#![cfg(unix)]

use super::param;
use crate::support::{
    kits, root,
    step::Heard,
    worker::{Worker, text},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use octorhai::{
    step::frame::Frame,
    template::{Script, Shell, export},
};
use serde_json::Value;
use std::{fs, process::Command};

/// The template of a script with these parameters, as JSON text.
fn template(shell: Shell, script: &str, params: &[&str]) -> String {
    let params = params.iter().map(|name| param(name, Some("".into()))).collect();
    let script = Script { name: "t.rhai".into(), text: script.into(), files: Vec::new(), params, about: "x".into() };
    export(&script, shell, None, None, jiff::Timestamp::UNIX_EPOCH).expect("a template")
}

fn body(template: &str) -> String {
    let template: Value = serde_json::from_str(template).expect("JSON");
    template["Properties"]["Octopus.Action.Script.ScriptBody"].as_str().expect("a body").to_owned()
}

/// The body for `Octorhai.T`.
fn launcher(shell: Shell, script: &str, params: &[&str]) -> String {
    body(&template(shell, script, params))
}

/// A worker for each shell that can be had here.
fn workers(test: &str) -> Vec<Worker> {
    Shell::ALL.iter().filter_map(|shell| Worker::new(test, *shell)).collect()
}

/// What is known to break on its way through shells.
fn hard_values() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "  two  spaces ",
        "\t",
        "\n",
        "one\n",
        "\n\nfirst",
        "two\nlines\n\n",
        "CR\r",
        "\r\n",
        "a\r\nb\r\n",
        "'",
        "''",
        "\"",
        "\\",
        "\\\\",
        "\\n",
        "a\\",
        "`id`",
        "$(id)",
        "${PATH}",
        "$PATH",
        "$env:PATH",
        "%PATH%",
        "!!",
        "*",
        "?",
        "~",
        "~/x",
        "-n",
        "-e x",
        "--",
        "&& id",
        "| id",
        "; id",
        "> x",
        "@names",
        "@end",
        "#",
        "##",
        "###",
        "##octopus[setVariable name='QQ==' value='QQ==']",
        "äöüß",
        "漢字",
        "🐙",
        "\u{feff}BOM",
        "e\u{301}",
        "\u{85}\u{2028}",
        "'@",
        "@'",
        "EOF",
        "True",
        "=",
        "a=b",
        "[x]",
        "{}",
        "$null",
        "$_",
        "\u{1}\u{7f}",
    ]
    .map(str::to_owned)
    .into();
    all.push("x".repeat(1 << 20));
    all.push((0..1000).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat());
    all
}

/// Calls of functions that Calamari has not: the launcher must ask the shell.
fn unknown_functions(text: String) -> String {
    text.replace("echo -n \"$1\"", "printf %s \"$1\"")
}

#[test]
fn hard_values_arrive_to_the_byte_in_both_shells() {
    let values = hard_values();
    let names: Vec<String> = (0..values.len()).map(|at| format!("V{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["Missing"]).collect();
    let ways = [(Shell::Bash, false), (Shell::Bash, true), (Shell::PowerShell, false)];
    for (shell, unknown) in ways {
        let Some(mut worker) = Worker::new("hard_values_arrive_to_the_byte_in_both_shells", shell) else { continue };
        if unknown {
            worker.functions = unknown_functions;
        }
        let program = worker.stand_in("octorhai", "");
        worker.set("Octorhai.T.BinaryPath", text(&program)).set("Octopus.Task.Id", "ServerTasks-7").set("Other", "not ours");
        for (name, value) in names.iter().zip(&values) {
            worker.set(&format!("Octorhai.T.{name}"), value);
        }
        let output = worker.run(&launcher(shell, "print(1);", &names));
        Heard::of(output.status.code(), &output.stdout, &output.stderr).ended(0);
        let words = fs::read_to_string(worker.folder.path().join("words")).expect("it ran");
        assert_eq!(words, "words: step run\n");
        let frame = worker.frame();
        assert!(unknown || shell == Shell::PowerShell || frame.windows(10).any(|part| part == b"@functions"), "the quick way");
        let frame = Frame::parse(&frame).expect("a frame");
        for (name, value) in names.iter().zip(&values) {
            // Where only the function can be asked, a name that is not set reads as a newline.
            let value = if unknown && value == "\n" { None } else { Some(value.as_str()) };
            assert!(frame.own(name) == value, "{shell:?} {unknown} {name}: {:?} is not {value:?}", frame.own(name));
        }
        assert_eq!((frame.own("Missing"), frame.get("Other"), frame.get("Octopus.Task.Id")), (None, None, Some("ServerTasks-7")));
        assert_eq!(frame.get("Octopus.Project.Name"), None);
    }
}

/// A value that holds NUL could be read as further pairs, such as another address for the key.
#[test]
fn value_with_nul_stops_the_step_before_anything_is_sent() {
    let ways = [(Shell::Bash, false), (Shell::Bash, true), (Shell::PowerShell, false)];
    for (shell, unknown) in ways {
        let Some(mut worker) = Worker::new("value_with_nul_stops_the_step_before_anything_is_sent", shell) else { continue };
        if unknown {
            worker.functions = unknown_functions;
        }
        worker.set("Octorhai.T.BinaryPath", text(assert_cmd::cargo::cargo_bin!("octorhai")));
        worker.set("Octorhai.T.Server.ApiKey", "API-SECRET");
        worker.set("Octorhai.T.Project", "Project A\0Octorhai.T.Server.Url\0http://127.0.0.1:9");
        let output = worker.run(&launcher(shell, "deploy(param(\"Project\", \"\"), \"latest\", \"Test\");", &["Project"]));
        let heard = Heard::of(output.status.code(), &output.stdout, &output.stderr);
        heard.ended(2).says("error", "the value of `Octorhai.T.Project` holds a NUL character");
        assert!(heard.result.is_some() && !heard.raw.contains("127.0.0.1"), "{}", heard.raw);
    }
}

/// What a launcher says when it starts nothing: level, exit code, summary and output variables are those of a step that failed.
#[track_caller]
fn says(worker: &Worker, body: &str, sentence: &str) {
    let output = worker.run(body);
    let heard = Heard::of(output.status.code(), &output.stdout, &output.stderr);
    heard.ended(2).says("error", &format!("octorhai: {sentence}"));
    assert_eq!(heard.result.as_deref(), Some(sentence), "{}", heard.raw);
    let outputs = ["ExitCode", "Error.Kind", "Error.Message"].map(|name| heard.variable(name));
    assert_eq!(outputs, [Some("2"), Some("usage"), Some(sentence)]);
}

#[test]
fn launcher_says_in_one_sentence_why_it_starts_nothing() {
    for mut worker in workers("launcher_says_in_one_sentence_why_it_starts_nothing") {
        let body = launcher(worker.shell, "print(1);", &["To"]);
        let here = worker.folder.path().to_path_buf();
        let box_ = "Octorhai.T.BinaryPath";
        worker.set("Octorhai.T.To", "x");
        says(
            &worker,
            &body,
            "there is no octorhai: choose the package in Octorhai.T.Package, or write the path of the program into Octorhai.T.BinaryPath",
        );
        let no_file = |path: &str| format!("there is no file {path}: Octorhai.T.BinaryPath must be the full path of the program");
        for path in [text(&here), "/no/such", "~/octorhai", "/etc/passwd/octorhai"] {
            worker.set(box_, path);
            says(&worker, &body, &no_file(path));
        }
        // A path that would speak to Octopus does not.
        worker.set(box_, "/x\n##octopus[setVariable name='QQ==' value='QQ==']");
        says(&worker, &body, &no_file("/x?# #octopus[setVariable name='QQ==' value='QQ==']"));
        worker.set(box_, "#{My.Path}");
        says(&worker, &body, "Octorhai.T.BinaryPath names a variable that Octopus does not know");
        let arm = [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], b"\x02\x00\xb7\x00", &[0; 200]].concat();
        for (name, content) in [("empty", &b""[..]), ("arm", &arm), ("data", b"\x00\x01\x02")] {
            let path = worker.file(name, content, 0o755);
            worker.set(box_, text(&path));
            let path = path.display();
            says(&worker, &body, &format!("{path} cannot be run here: it is not octorhai for linux-x64, or this user may not run it"));
        }
        // Files of the system that nobody can make a program; of the second not even the rights can be set.
        for path in ["/proc/version", "/proc/1/status"] {
            worker.set(box_, path);
            says(&worker, &body, &format!("{path} cannot be run here: it is not octorhai for linux-x64, or this user may not run it"));
        }
        worker.set(box_, "");
        let package = "Octopus.Action.Package[Octorhai.T.Package].ExtractedPath";
        worker.set(package, text(&here.join("package")));
        let other = worker.file("package/windows-x64/octorhai.exe", b"MZ", 0o644);
        let there = |what: &str| format!("the package in Octorhai.T.Package has no octorhai for linux-x64, it has {what}");
        says(&worker, &body, &there("windows-x64"));
        fs::remove_file(other).expect("removed");
        says(&worker, &body, &there("no platform"));
    }
}

#[test]
fn launcher_without_octopus_variables_says_so() {
    for mut worker in workers("launcher_without_octopus_variables_says_so") {
        worker.functions = |_| String::new();
        let body = launcher(worker.shell, "print(1);", &[]);
        says(&worker, &body, "this script has no Octopus variables, as a raw script has none: switch OctopusUseRawScript off");
    }
}

#[test]
fn program_that_ends_before_it_read_its_input_gives_its_exit_code() {
    for mut worker in workers("program_that_ends_before_it_read_its_input_gives_its_exit_code") {
        worker.set("Octorhai.T.To", &"x".repeat(1 << 20));
        // The agent ignores the signal: whoever writes to a closed pipe hears an error instead.
        if worker.shell == Shell::Bash {
            worker.before = "trap '' PIPE".to_owned();
        }
        let body = launcher(worker.shell, "print(1);", &["To"]);
        for code in [0, 3] {
            // In Bash the launcher asks first, and that answer is read to its end.
            let text = format!(
                "#!/bin/bash\nif [[ $OCTORHAI_FRAME == 3 && ! -e asked ]]; then touch asked; cat <&3 > /dev/null; echo 'octorhai reads functions'; exit; fi\n\
                 rm -f asked; exit {code}\n"
            );
            let program = worker.file("early", text.as_bytes(), 0o755);
            worker.set("Octorhai.T.BinaryPath", program.to_str().expect("UTF-8"));
            let output = worker.run(&body);
            assert!(
                output.status.code() == Some(code) && output.stderr.is_empty(),
                "{:?} {code}: {:?} {}",
                worker.shell,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

/// A program of octorhai 0.1.0 says itself that it is too old: on stdout, in messages.
#[test]
fn program_that_is_older_than_the_template_is_heard() {
    for mut worker in workers("program_that_is_older_than_the_template_is_heard") {
        let said = "##octopus[stdout-error]\nthe launcher's frame is of version `2`\n##octopus[stdout-default]";
        let program = worker.file(
            "old",
            format!("#!/bin/bash\ncat > /dev/null <&${{OCTORHAI_FRAME/stdin/0}}\necho '{}'\nexit 2\n", said.replace('\'', "'\\''"))
                .as_bytes(),
            0o755,
        );
        worker.set("Octorhai.T.BinaryPath", text(&program));
        let output = worker.run(&launcher(worker.shell, "print(1);", &[]));
        Heard::of(output.status.code(), &output.stdout, &output.stderr).ended(2).says("error", "is of version `2`");
    }
}

/// The agent may hold a pipe on descriptor 3: the launcher says where the frame is.
#[test]
fn pipe_of_the_agent_on_descriptor_3_is_not_taken_for_the_frame() {
    for mut worker in workers("pipe_of_the_agent_on_descriptor_3_is_not_taken_for_the_frame") {
        worker.set("Octorhai.T.BinaryPath", text(assert_cmd::cargo::cargo_bin!("octorhai")));
        let inner = worker.command(&launcher(worker.shell, "print(1);", &[]));
        let words: Vec<String> =
            std::iter::once(inner.get_program()).chain(inner.get_args()).map(|word| word.to_str().expect("UTF-8").to_owned()).collect();
        let mut outer = Command::new("/bin/bash");
        outer.args(["-c", "exec 3< <(sleep 60); \"$@\"; code=$?; kill $!; exit $code", "agent"]).args(words);
        outer.current_dir(worker.folder.path()).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = outer.output().expect("bash runs");
        let heard = Heard::of(output.status.code(), &output.stdout, &output.stderr);
        heard.ended(2).says("error", "the step does not know the address of the Octopus Server");
    }
}

/// Options of the shell, functions, aliases, variables of Octopus that are called like something in the launcher.
#[test]
fn nothing_that_was_there_before_has_a_say() {
    for mut worker in workers("nothing_that_was_there_before_has_a_say") {
        let program = worker.stand_in("octorhai", "");
        worker.set("Octorhai.T.BinaryPath", text(&program)).set("Octorhai.T.To", "right");
        for name in [
            "names",
            "prefix",
            "binary",
            "fail",
            "get",
            "variables",
            "pairs",
            "process",
            "start",
            "slash",
            "IsWindows",
            "Octopus.Parameters",
            "way",
            "said",
        ] {
            worker.set(name, "wrong");
        }
        // A program of that name in PATH that makes noise when it is used: the right to run is only given when it is missing.
        let tools = worker.file("tools/chmod", b"#!/bin/sh\necho noise >&2\nexit 1\n", 0o755);
        let path = format!("{}:/usr/bin:/bin", tools.parent().expect("a folder").display());
        worker.env("PATH", &path).env("CDPATH", "/").env("LC_ALL", "C").env("Doubled", "1").env("DOUBLED", "2");
        worker.before = match worker.shell {
            Shell::Bash => "set -euf -o pipefail; set -o noclobber; shopt -s failglob nocasematch; IFS=:; alias printf=false; shopt -s expand_aliases\n\
                 for one in printf base64 chmod uname type read exec exit declare octorhai octorhai_fail octorhai_pairs fail frame pair; do\n\
                 eval \"function $one { builtin echo wrong; builtin echo noise >&2; return 1; }\"; done; names=wrong; readonly prefix=wrong"
                .to_owned(),
            Shell::PowerShell => "Set-StrictMode -Version Latest\n$ErrorActionPreference = 'Continue'; $OFS = 'wrong'\n\
                 foreach ($one in 'Write-Host', 'Get-Command', 'New-Object', 'Select-Object', 'Get-Location', 'octorhai', 'chmod', 'exit') {\n\
                 Set-Item -Path \"function:global:$one\" -Value { throw 'wrong' } }\n\
                 Set-Alias -Scope Global -Name octorhai -Value Get-ChildItem\n\
                 [int] $global:bytes = 1; New-Variable -Scope Global -Name text -Value 1 -Option ReadOnly -Force\n\
                 $OutputEncoding = [Text.Encoding]::Unicode; [Console]::OutputEncoding = [Text.Encoding]::UTF8; $PSNativeCommandArgumentPassing = 'Standard'\n\
                 [Threading.Thread]::CurrentThread.CurrentCulture = 'tr-TR'; Set-Location /"
                .to_owned(),
        };
        let output = worker.run(&launcher(worker.shell, "print(1);", &["To"]));
        let heard = Heard::of(output.status.code(), &output.stdout, &output.stderr);
        heard.ended(0);
        assert!(!heard.raw.contains("wrong"), "{}", heard.raw);
        assert_eq!(Frame::parse(&worker.frame()).expect("a frame").own("To"), Some("right"));
    }
}

/// Octopus unpacks a package without the right to run its programs.
#[test]
fn program_of_a_package_is_made_one() {
    for mut worker in workers("program_of_a_package_is_made_one") {
        let program = worker.stand_in("a [b] 'c'/linux-x64/octorhai", "exit 7");
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
        let package = worker.folder.path().join("a [b] 'c'");
        worker.set("Octopus.Action.Package[Octorhai.T.Package].ExtractedPath", text(&package));
        let output = worker.run(&launcher(worker.shell, "print(1);", &[]));
        Heard::of(output.status.code(), &output.stdout, &output.stderr).ended(7);
    }
}

/// One step under Calamari, the program with which workers run steps: what `calamari_step.py --json` saw of it.
fn under_calamari(test: &str, shell: Shell, program: &str, arguments: &[&str]) -> Option<Value> {
    let tool = kits::kit(test, "calamari/calamari_step.py")?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.json");
    fs::write(&file, template(shell, "print(1);", &["Project", "Second"])).expect("written");
    let mut command = Command::new("python3");
    command.arg(tool).arg(file).args(["--json", "-p", &format!("BinaryPath={program}")]).args(arguments);
    let output = command.output().expect("python runs");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

/// Servers fill the array of Bash with texts in which names are not replaced by values: nothing may come from there.
#[test]
fn bindings_are_evaluated_with_and_without_the_parameters_array() {
    let test = "bindings_are_evaluated_with_and_without_the_parameters_array";
    let Some(worker) = Worker::new(test, Shell::Bash) else { return };
    let program = worker.stand_in("octorhai", &format!("cp frame {}", worker.folder.path().join("kept").display()));
    for (shell, more) in
        [(Shell::Bash, &[][..]), (Shell::Bash, &["--toggle", "BashParametersArrayFeatureToggle"]), (Shell::PowerShell, &[])]
    {
        let usual = [
            "-p",
            "Server.ApiKey=#{My.Key}",
            "--secret",
            "My.Key=API-KEY",
            "-p",
            "Project=#{My.Project}",
            "--variable",
            "My.Project=Project B\n",
        ];
        let Some(seen) = under_calamari(test, shell, text(&program), &[&usual, more].concat()) else { return };
        assert_eq!(
            (seen["rc"].as_i64(), &seen["problems"], &seen["leaks"]),
            (Some(0), &Value::from(Vec::<i32>::new()), &Value::from(Vec::<i32>::new())),
            "{seen}"
        );
        let frame = Frame::parse(&fs::read(worker.folder.path().join("kept")).expect("kept")).expect("a frame");
        assert_eq!(
            (frame.own("Project"), frame.own("Server.ApiKey"), frame.own("Second")),
            (Some("Project B\n"), Some("API-KEY"), Some(""))
        );
        assert_eq!(frame.secrets().collect::<Vec<_>>(), ["API-KEY"]);
    }
}

/// What launchers in PowerShell may use of .NET: nothing here is newer than .NET Framework 4.6.2, that of Windows Server 2016.
const TYPES: &[&str] = &[
    "Convert]::ToBase64String",
    "Text.Encoding]::UTF8",
    "Console]::Out",
    "IO.Path]::DirectorySeparatorChar",
    "IO.Path]::PathSeparator",
    "IO.Path]::GetFullPath",
    "IO.File]::Exists",
    "IO.Directory]::GetFiles",
    "Diagnostics.ProcessStartInfo]::new",
    "Diagnostics.Process]::Start",
    "Environment]::SetEnvironmentVariable",
];
/// The only newer one, on Linux, where PowerShell always has it.
const ON_LINUX: &str = "Runtime.InteropServices.RuntimeInformation]::OSArchitecture";
const MEMBERS: &[&str] = &[
    "GetBytes",
    "WriteLine",
    "SessionState",
    "PSVariable",
    "GetValue",
    "ContainsKey",
    "Contains",
    "Replace",
    "Split",
    "ToLowerInvariant",
    "UseShellExecute",
    "RedirectStandardInput",
    "RedirectStandardError",
    "StandardInput",
    "BaseStream",
    "Write",
    "Close",
    "Length",
    "WaitForExit",
    "ExitCode",
    "Exception",
    "Message",
];

#[test]
fn powershell_launcher_uses_nothing_newer_than_dotnet_framework_4_6_2() {
    let text = fs::read_to_string(root().join("src/template/launcher.ps1")).expect("there");
    let wrong = |text: &str| -> Vec<String> {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let mut wrong = Vec::new();
        for line in code {
            for (at, _) in line.match_indices("]::") {
                let begin = line[..at].rfind('[').map_or(0, |at| at + 1);
                let end = at + 3 + line[at + 3..].find(|c: char| !c.is_alphanumeric()).unwrap_or(line.len() - at - 3);
                let used = &line[begin..end];
                let on_linux = used == ON_LINUX && line.contains("if ($slash -eq '/')");
                if !TYPES.contains(&used) && !on_linux {
                    wrong.push(used.to_owned());
                }
            }
            for (at, _) in line.match_indices('.') {
                let member: String = line[at + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
                let is_member = line[..at].ends_with(|c: char| c.is_alphanumeric() || "])'\"_}".contains(c));
                let in_text = line[..at].matches('\'').count() % 2 == 1 || line[..at].ends_with("PREFIX@");
                let of_type = line[at..]
                    .split(|c: char| !c.is_alphanumeric() && c != '.')
                    .next()
                    .is_some_and(|rest| line[at + rest.len()..].starts_with("]::"));
                if is_member && !in_text && !of_type && !member.is_empty() && !MEMBERS.contains(&member.as_str()) {
                    wrong.push(member);
                }
            }
        }
        wrong
    };
    assert_eq!(wrong(&text), Vec::<String>::new());
    for newer in [
        "$start.ArgumentList.Add('x')",
        "[Array]::Fill($x)",
        "$x = [Runtime.InteropServices.RuntimeInformation]::OSArchitecture",
        "$start.Environment",
    ] {
        assert_eq!(wrong(newer).len(), if newer.contains("ArgumentList") { 2 } else { 1 }, "{newer}");
    }
    // Each member of the list is used: the list cannot grow by itself.
    for name in TYPES.iter().chain(MEMBERS) {
        assert!(text.contains(name), "{name} is not used");
    }
}

/// Syntax and commands of Windows PowerShell 5.1, by PSScriptAnalyzer.
#[test]
fn powershell_launcher_is_one_of_windows_powershell_5_1() {
    let test = "powershell_launcher_is_one_of_windows_powershell_5_1";
    let (Some(pwsh), Some(analyzer)) = (kits::kit(test, "powershell/pwsh.sh"), kits::kit(test, "psscriptanalyzer/PSScriptAnalyzer.psd1"))
    else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let good = launcher(Shell::PowerShell, "print(1);", &["To"]);
    fs::write(folder.path().join("good.ps1"), &good).expect("written");
    fs::write(folder.path().join("bad.ps1"), format!("{good}\n$x = $a ?? 'b'\nGet-Error\nConvertFrom-Markdown 'x'\n")).expect("written");
    let analyse = format!(
        "Import-Module '{}'\n$settings = @{{ IncludeRules = @('PSUseCompatibleSyntax', 'PSUseCompatibleCmdlets', 'PSAvoidUsingCmdletAliases')\n\
         Rules = @{{ PSUseCompatibleSyntax = @{{ Enable = $true; TargetVersions = @('5.1') }}; PSUseCompatibleCmdlets = @{{ compatibility = @('desktop-5.1.14393.206-windows') }} }} }}\n\
         foreach ($file in 'good.ps1', 'bad.ps1') {{ Invoke-ScriptAnalyzer -Path $file -Settings $settings | ForEach-Object {{ \"$file $($_.RuleName) $($_.Message)\" }} }}\n",
        analyzer.display()
    );
    fs::write(folder.path().join("analyse.ps1"), analyse).expect("written");
    let output = Command::new(pwsh)
        .args(["-NoProfile", "-NonInteractive", "-File", "analyse.ps1"])
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(!told.contains("good.ps1") && output.stderr.is_empty(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for rule in ["PSUseCompatibleSyntax", "PSUseCompatibleCmdlets"] {
        assert!(told.contains(&format!("bad.ps1 {rule}")), "the rule must refuse something: {told}");
    }
}

/// Old workers have Bash 4.1: what came later must not be in the launcher.
#[test]
fn bash_launcher_is_one_of_bash_4_1() {
    let text = fs::read_to_string(root().join("src/template/launcher.bash")).expect("there");
    let newer = [
        "declare -g",
        "declare -n",
        "local -n",
        "lastpipe",
        "@Q}",
        "@E}",
        "@A}",
        "wait -n",
        "EPOCH",
        "coproc",
        "${!",
        "inherit_errexit",
        "mapfile -d",
        "readarray",
        "printf '%(",
        "[-1]",
        "{fd}",
    ];
    let found: Vec<&&str> = newer.iter().filter(|word| text.contains(**word)).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(!text.contains("octopus_parameters"), "Octopus fills the array, slowly and with raw values, for a script that names it");
    // Its parts are read by Bash as one.
    let body = launcher(Shell::Bash, "print(1);", &["To"]);
    let checked = Command::new("/bin/bash").args(["-n", "-c", &body]).output().expect("bash runs");
    assert!(checked.status.success() && checked.stderr.is_empty());
    assert_eq!(BASE64.encode("ExitCode"), "RXhpdENvZGU=");
    assert!(body.contains("setVariable name='RXhpdENvZGU=' value='Mg=='"));
}
