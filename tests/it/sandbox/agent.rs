//! The sandbox's worker beside Calamari, the agent of Octopus itself: the same bodies, the same variables, and what both make of them.
#![cfg(target_os = "linux")]

use super::steps::{toml, world};
use crate::support::{self, kits::kit, octorhai};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What came of a body: lines of stdout with their levels, lines of stderr, output variables, and how the step failed if it did.
#[derive(Debug, PartialEq)]
struct Seen {
    out: Vec<(String, String)>,
    errors: Vec<String>,
    outputs: BTreeMap<String, String>,
    failed: String,
}

/// A body with its variables.
struct Case<'c> {
    syntax: &'c str,
    body: &'c str,
    parameters: &'c [(&'c str, &'c str)],
    array: bool,
}

/// The first line that counts: before it both tell where they run.
const BEGIN: &str = "=== begin";

impl Seen {
    /// Lines from the begin on, with the names of folders and files of the agent made alike.
    fn new(lines: Vec<(String, String)>, outputs: BTreeMap<String, String>, failed: String) -> Self {
        let is_error = |level: &str| level.eq_ignore_ascii_case("error");
        let errors = lines.iter().filter(|(level, _)| is_error(level)).map(|(_, text)| alike(text)).collect();
        let out = lines.into_iter().filter(|(level, _)| !is_error(level)).skip_while(|(_, text)| text != BEGIN);
        Self { out: out.map(|(level, text)| (level, alike(&text))).collect(), errors, outputs, failed }
    }
}

/// A line of the log without what differs between two folders of work and two ways to write the same helper.
fn alike(text: &str) -> String {
    // PowerShell shows so much of a line, and underlines it, as there is room for.
    if text.starts_with('+') {
        return "+".to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let file = ["Configure.", "Bootstrap.", "Script."].iter().find(|file| word.contains(&format!("/{file}")));
        words.push(match file {
            Some(file) => format!("{file}.."),
            None => word.to_owned(),
        });
    }
    // Numbers of lines in the files of the agent.
    let is_number = |word: &str| word.trim_end_matches(':').parse::<u32>().is_ok();
    for at in 1..words.len() {
        if words[at - 1] == "line" && is_number(&words[at]) {
            "N:".clone_into(&mut words[at]);
        }
    }
    words.join(" ")
}

impl Case<'_> {
    fn by_the_agent(&self, test: &str, folder: &Path) -> Option<Seen> {
        let driver = kit(test, "calamari/calamari_step.py")?;
        let template = json!({"Id": "t", "Version": 1, "Parameters": [], "Properties": {
            "Octopus.Action.Script.ScriptSource": "Inline", "Octopus.Action.Script.Syntax": self.syntax, "Octopus.Action.Script.ScriptBody": ""}});
        let (template_file, body_file) = (folder.join("t.json"), folder.join("body"));
        fs::write(&template_file, template.to_string()).expect("written");
        fs::write(&body_file, self.body).expect("written");
        let mut command = Command::new("python3");
        command.arg(driver).arg(&template_file).arg("--json").arg("--body").arg(&body_file);
        for (name, value) in self.parameters {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        if self.array {
            command.args(["--toggle", "BashParametersArrayFeatureToggle"]);
        }
        let said = command.output().expect("Python runs");
        let said: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|problem| panic!("{problem}: {said:?}"));
        let pairs = said["lines"].as_array().expect("a list").iter().map(|pair| {
            let level = match pair[0].as_str().expect("text") {
                "default" => "Info".to_owned(),
                other => other[..1].to_uppercase() + &other[1..],
            };
            (level, pair[1].as_str().expect("text").to_owned())
        });
        let outputs = said["outputs"].as_object().expect("a map").iter();
        let outputs = outputs.map(|(name, output)| (name.clone(), output["value"].as_str().expect("text").to_owned())).collect();
        let usual = format!("The remote script failed with exit code {}", said["rc"]);
        let failed = if said["rc"] == 0 { "" } else { said["result_message"].as_str().unwrap_or(&usual) };
        Some(Seen::new(pairs.collect(), outputs, failed.to_owned()))
    }

    fn by_the_sandbox(&self, folder: &Path) -> Seen {
        let parameters: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{} = {}", toml(name), toml(value))).collect();
        let run = format!("script = {}, syntax = \"{}\", parameters = {{ {} }}", toml(self.body), self.syntax, parameters.join(", "));
        let world = world(&run, &format!("\n[worker]\nparameters_array = {}\n", self.array));
        on_the_sandbox(folder, &world, &[("OCTORHAI_PWSH", powershell().as_deref())])
    }

    #[track_caller]
    fn is_the_same(&self, test: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let Some(agents) = self.by_the_agent(test, folder.path()) else { return };
        let ours = self.by_the_sandbox(folder.path());
        assert!(!agents.out.is_empty(), "the agent ran nothing: {agents:?}");
        for (ours, agents) in ours.out.iter().zip(&agents.out) {
            assert_eq!(ours, agents, "a line that differs");
        }
        assert_eq!(
            ours.out.len(),
            agents.out.len(),
            "lines of one only: {:?} {:?}",
            ours.out.get(agents.out.len()..),
            agents.out.get(ours.out.len()..)
        );
        assert_eq!(ours.errors, agents.errors);
        assert_eq!((ours.outputs, ours.failed), (agents.outputs, agents.failed));
    }
}

fn powershell() -> Option<PathBuf> {
    std::env::var_os(support::kits::VARIABLE).map(|kits| PathBuf::from(kits).join("powershell/pwsh.sh"))
}

/// Deploys the train, and looks at its step.
fn on_the_sandbox(folder: &Path, world: &str, environment: &[(&str, Option<&Path>)]) -> Seen {
    fs::write(folder.join("world.toml"), world).expect("written");
    // What is printed is no message: the text of one is written in another spelling.
    let script = r###"
        fn lines(node) {
            let all = node.LogElements.map(|line| [line.Category, line.MessageText]);
            for child in node.Children { all += lines(child); }
            all
        }
        let t = deploy("Train", "1.0.0", "Test");
        settle(t);
        let all = [];
        for node in get(`~/api/tasks/${t.id}/details?verbose=true&tail=100000`).ActivityLogs { all += lines(node); }
        print(#{state: t.state, lines: all, outputs: outputs(t)}.to_json().replace("##octopus", "\\u0023#octopus"));
    "###;
    fs::write(folder.join("x.rhai"), script).expect("written");
    let mut command = octorhai();
    command.current_dir(folder).args(["run", "--sandbox=world.toml", "--run-scripts", "x.rhai"]);
    for (name, value) in environment {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let ran = support::finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let pairs = said["lines"].as_array().expect("a list").iter();
    let pairs = pairs.map(|pair| (pair[0].as_str().expect("text").to_owned(), pair[1].as_str().expect("text").to_owned()));
    // The server's own word on the step.
    let (fatal, lines): (Vec<_>, Vec<_>) = pairs.partition(|(level, _)| level == "Fatal");
    let why = fatal.iter().find_map(|(_, text)| text.strip_prefix("The step 'Run the train' failed: "));
    let failed = why.unwrap_or_default().to_owned();
    let lines = lines.into_iter().filter(|(level, text)| level != "Error" || *text != failed).collect();
    assert_eq!(said["state"] == "Success", failed.is_empty(), "{said}");
    let outputs = said["outputs"]["Run the train"].as_object().into_iter().flatten();
    let outputs = outputs.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect();
    Seen::new(lines, outputs, failed)
}

/// Variables whose values are hard.
const PARAMETERS: [(&str, &str); 14] = [
    ("T.Alpha", "alpha"),
    ("T.Bound", "#{T.Alpha}-b"),
    ("T.Empty", ""),
    ("T.Lines", "one\n\ntwo\n\n"),
    ("T.Spaces", "  two  * spaces\t"),
    ("T.Quotes", "a'b\"c`d$e\\f"),
    ("T.Unicode", "Grüße 🐙 漢字"),
    ("T.Escaped", "##{T.Alpha}"),
    ("T.Ünï", "a name with other letters"),
    ("T_x-y", "a name with a dash"),
    (
        "Octopus.Script.Module[Tools]",
        "function Get-Tools { \"tools of $(Get-Location | Split-Path -Leaf | Measure-Object | ForEach-Object Count)\" }",
    ),
    ("Octopus.Script.Module[My tools-2]", "my_tools() { echo \"my $1\"; }\r\n"),
    ("Octopus.Script.Module.Language[My tools-2]", "Bash"),
    ("Octopus.Deployment.PackageBuildInformation", "[]"),
];

/// Runs each helper in a shell of its own, with the mark of messages broken, so that they come back as text.
const BASH_HELPERS: &str = r#"
export LC_ALL=C.UTF-8
echo "=== begin"
ls ./*.sh | grep -v -e Configure -e Bootstrap; source Mytools2.sh; my_tools x
run() { echo "--- $*" | tr '\n' '/'; echo; ( "$@" ) 2>&1 < /dev/null | sed -E 's/##octopus/@@octopus/; s#^[^ ]*/(Configure|Bootstrap|Script)[^:]*: line [0-9]+: #\1: #; s#/dev/fd/[0-9]+#FD#'; echo "=> ${PIPESTATUS[0]}"; }
strictly() { set -u; "$@"; }
carefully() { set -e; "$@"; echo "after"; }
declare -F
comm -23 <(compgen -v | sort) <(compgen -e | sort) | grep -vE '^(BASH|COMP|DIRSTACK|EPOCH|FUNCNAME|GROUPS|HIST|HOSTTYPE|IFS|LINENO|MACHTYPE|OPT|OSTYPE|PIPESTATUS|PPID|PS4|RANDOM|SECONDS|SHELLOPTS|SRANDOM|UID|EUID|_|INPUT)'
cd "$(get_octopusvariable T.Dir)"
mkdir -p one; printf 'content' > "one/file.txt"; printf 'content' > "one/a b.txt"; printf 'a: 1\n---\nb: 2\n  ---  \n\n---\n---' > manifest.yaml
for name in T.Alpha T.Bound T.Empty T.Lines T.Spaces T.Quotes T.Unicode T.Escaped T.Ünï T_x-y t.alpha T.Missing 'Octopus.Script.Module[Tools]' "" -n; do
  for how in run "run strictly"; do $how get_octopusvariable "$name"; done
  v=$(get_octopusvariable "$name"; printf .); echo "${v@Q}"
done
for how in run "run strictly" "run carefully"; do
  $how get_octopusvariable
  for arguments in "" "Name" "Name|" "Name|value" "Name|value|-sensitive" "Name|value|other" "|value" "-n|-e x" "Ünï|漢字" "A|two  spaces *" "A|line
two"; do
    IFS='|' read -r -d '' -a words < <(printf '%s\0' "$arguments")
    for helper in set_octopusvariable set_environmentstate set_environmenturl update_progress write_verbose write_highlight write_wait write_warning fail_step \
        remove-octopustarget encode_servicemessagevalue decode_servicemessagevalue report_kubernetes_manifest report_kubernetes_manifest_file; do
      $how $helper "${words[@]}"
    done
  done
  $how set_environmentstate Key value -sensitive Kind
  $how decode_servicemessagevalue QQ==
  $how new_octopusartifact one/file.txt
  $how new_octopusartifact one/file.txt other.txt
  $how new_octopusartifact "one/a b.txt"
  $how new_octopusartifact missing.txt
  $how new_octopusartifact
  $how new_octopustarget -n N -t T --inputs '{"a": 1}' --roles "r,s" --worker-pool P --update-if-existing
  $how new_octopustarget --name N --target-id T -- more
  $how new_octopustarget --other
  $how new_octopustarget N
  $how report_kubernetes_manifest "$(cat manifest.yaml)" space
  $how report_kubernetes_manifest_file manifest.yaml space
  $how report_kubernetes_manifest_file manifest.yaml
  $how __mask_sensitive_value secret
done
IFS=,; run set_octopusvariable A b; IFS=$' \t\n'
run declare -p octopus_parameters_of_nobody
printf 'before\rafter\n'
echo "text ##octopus[setVariable name='TWlk' value='bGluZQ==']"
echo "a line that ends in ##octo"; set_octopusvariable Lost x; set_octopusvariable Found y
write_highlight "look here"; write_warning "careful"
exit 0
"#;

#[test]
fn helpers_in_bash_do_what_the_agents_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let parameters = [&PARAMETERS[..], &[("T.Dir", path.as_str())]].concat();
    Case { syntax: "Bash", body: BASH_HELPERS, parameters: &parameters, array: true }.is_the_same("helpers in Bash");
}

#[test]
fn the_array_in_bash_is_filled_as_the_agent_fills_it() {
    let body = r#"
export LC_ALL=C.UTF-8
echo "=== begin"
declare -p octopus_parameters 2>&1 | sed -E 's/^[^ ]*: line [0-9]+/line/' | cut -c1-40
for key in "${!octopus_parameters[@]}"; do case "$key" in T*|Octopus.Script.Module*|Octopus.Deployment.P*) printf '%s\n' "$key"; esac; done | sort
for key in T.Alpha T.Bound T.Empty T.Lines T.Spaces T.Quotes T.Unicode T.Escaped T.Missing t.alpha; do v="${octopus_parameters[$key]}"; echo "$key ${v@Q} ${octopus_parameters[$key]+set}"; done
"#;
    let parameters = PARAMETERS;
    for array in [true, false] {
        Case { syntax: "Bash", body, parameters: &parameters, array }.is_the_same("the array in Bash");
    }
    // Who does not name it gets none.
    let body = "echo \"=== begin\"\ndeclare -p octopus_parameters 2>&1 | sed -E 's/^[^ ]*: line [0-9]+/line/'\n";
    Case { syntax: "Bash", body, parameters: &parameters, array: true }.is_the_same("the array in Bash");
}

const POWERSHELL_HELPERS: &str = r#"
Write-Host "=== begin"
$ProgressPreference = 'SilentlyContinue'
function run([string]$text) {
    Write-Host "--- $text"
    try { $all = & ([scriptblock]::Create($text)) 6>&1 } catch { $all = "thrown: $($_.Exception.Message)" }
    foreach ($one in $all) { Write-Host "$one".Replace('##octopus', '@@octopus') }
}
$own = (Get-ChildItem function: | Where-Object { $_.ScriptBlock.File -like '*Bootstrap*' }).Name | Sort-Object
Write-Host ($own -join ' ')
foreach ($name in 'TAlpha','TBound','TEmpty','TLines','TSpaces','TQuotes','TUnicode','TEscaped','TÜnï','T_xy','Txy','TMissing') {
    $there = Test-Path "variable:$name"
    Write-Host "$name $there <$(if ($there) { Get-Variable -ValueOnly $name })>"
}
foreach ($name in 'T.Alpha','t.alpha','T.Bound','T.Empty','T.Lines','T.Quotes','T.Unicode','T.Missing','Octopus.Script.Module[Tools]','Octopus.Deployment.PackageBuildInformation') {
    Write-Host "$name $($OctopusParameters.ContainsKey($name)) <$($OctopusParameters[$name])>"
}
Write-Host "$ErrorActionPreference $PSNativeCommandArgumentPassing $MaximumVariableCount $($OctopusParameters.GetType().Name) $($OctopusProxy.GetType().Name)"
Set-Location $OctopusParameters['T.Dir']
[void](New-Item -ItemType Directory -Force one)
[IO.File]::WriteAllText((Join-Path (Get-Location) 'one/a b.txt'), 'content')
[IO.File]::WriteAllText((Join-Path (Get-Location) 'manifest.yaml'), "a: 1`n---`nb: 2`n")
foreach ($text in @(
    'Set-OctopusVariable', 'Set-OctopusVariable Name', 'Set-OctopusVariable Name value', "Set-OctopusVariable -name N -value 'two  lines`nof it' -sensitive", 'Set-OctopusVariable Ünï 漢字',
    'Set-EnvironmentState K V', 'Set-EnvironmentState K V -sensitive -type Kind', 'Set-EnvironmentUrl K http://x',
    'Remove-OctopusTarget web', 'New-OctopusTarget -Name N -TargetId T -Inputs "{}" -Roles "r,s"', 'New-OctopusTarget -Name N -TargetId T -Inputs "{}" -Roles r -WorkerPoolIdOrName P -UpdateIfExisting',
    'New-OctopusArtifact "one/a b.txt"', 'New-OctopusArtifact -Path "one/a b.txt" -Name other.txt', 'New-OctopusArtifact missing.txt', '"one/a b.txt" | New-OctopusArtifact',
    'Report-KubernetesManifest "a: 1`n---`nb: 2" space', 'Report-KubernetesManifestFile manifest.yaml', 'Report-KubernetesManifestFile missing.yaml',
    'Update-Progress 40', 'Update-Progress 40 almost', 'Update-Progress -percentage 5 -message "a b"', '"x" | Update-Progress 7',
    'Write-Debug d', 'Write-Verbose v', 'Write-Highlight "h  i"', 'Write-Wait w', 'Write-Warning w', '$WarningPreference = "SilentlyContinue"; Write-Warning w', '"a","b" | Write-Highlight', '"a","b" | Write-Verbose',
    'Convert-ServiceMessageValue é', 'Convert-ToServiceMessageParameter -name a -value b',
    'Execute-WithRetry { "done" }', 'Execute-WithRetry { throw "no" } 2 0', 'Execute-WithRetry -command { throw "no" } -maxFailures 1',
    'ConvertTo-QuotedString "a b"', "ConvertTo-ConsoleEscapedArgument 'a\`"b\\'", "ConvertTo-PowershellEscapedArgument 'a``b[c`$d'",
    'Decrypt-Variables', 'Import-CalamariModules'
)) { run $text }
Get-Tools
(Get-Module | Where-Object Name -like 'Library_*').Count
Write-Output "an object"
Set-OctopusVariable Found y
Write-Highlight "look here"
Write-Host "text ##octopus[setVariable name='TWlk' value='bGluZQ==']"
[Console]::Error.WriteLine("on stderr")
bash -c 'exit 3'
"#;

#[test]
fn helpers_in_powershell_do_what_the_agents_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let parameters = [&PARAMETERS[..], &[("T.Dir", path.as_str())]].concat();
    Case { syntax: "PowerShell", body: POWERSHELL_HELPERS, parameters: &parameters, array: false }.is_the_same("helpers in PowerShell");
    for end in ["throw 'oh'", "Fail-Step 'broken'", "bash -c 'exit 5'; 'more'", "Write-Error 'e'"] {
        let body = format!("Write-Host '=== begin'\n{end}\n");
        Case { syntax: "PowerShell", body: &body, parameters: &[], array: false }.is_the_same("ends in PowerShell");
    }
}

#[test]
fn a_body_in_powershell_without_powershell_fails_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world("script = \"'it ran'\", syntax = \"PowerShell\"", "");
    let seen = on_the_sandbox(folder.path(), &world, &[("OCTORHAI_PWSH", Some(Path::new("/no/such/pwsh")))]);
    let why = "The script of the step 'Run the train' is written in PowerShell: no PowerShell found: OCTORHAI_PWSH names `/no/such/pwsh`, which is no file";
    assert_eq!(seen.failed, why);
}
