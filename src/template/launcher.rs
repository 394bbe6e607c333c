//! The launchers: what the body of a step template's step is. They know names, and hand on values by a pipe.
//!
//! Both are made of one description: the pairs of the frame, the names of the variables, and what is said when there is no program to
//! start. A sentence holds variables as `${binary}`, which Bash and PowerShell write alike.

use super::exported::{Exported, Shell};
use crate::step::frame;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

const BASH: &str = include_str!("launcher.bash");
const POWERSHELL: &str = include_str!("launcher.ps1");

/// The mark of a sentence in the launchers, and the sentence; `@PREFIX@` is the prefix of the template's parameters.
const SENTENCES: &[(&str, &str)] = &[
    ("@NO_VARIABLES@", "this script has no Octopus variables, as a raw script has none: switch OctopusUseRawScript off"),
    ("@UNKNOWN@", "@PREFIX@.BinaryPath names a variable that Octopus does not know"),
    ("@NO_PLATFORM@", "the package in @PREFIX@.Package has no octorhai for ${platform}, it has${has}"),
    (
        "@NOWHERE@",
        "there is no octorhai: choose the package in @PREFIX@.Package, or write the path of the program into @PREFIX@.BinaryPath",
    ),
    ("@NO_FILE@", "there is no file ${binary}: @PREFIX@.BinaryPath must be the full path of the program"),
    ("@NOT_RUN@", "${binary} cannot be run here: it is not octorhai for ${platform}, or this user may not run it"),
];

/// What a launcher sends when it starts nothing: the output variables that each failed step has, and why it failed. `$coded` is the
/// sentence in base64.
fn failed(between: &str) -> String {
    let variable = |name: &str, value: &str| format!("##octopus[setVariable name='{}' value='{value}']", BASE64.encode(name));
    let lines = [
        variable("ExitCode", &BASE64.encode("2")),
        variable("Error.Kind", &BASE64.encode("usage")),
        variable("Error.Message", "${coded}"),
        "##octopus[resultMessage message='${coded}']".to_owned(),
    ];
    lines.map(|line| format!("\"{line}\"")).join(between)
}

/// The body for a template. All that it is made of is ASCII without quotes, checked by whoever made [`Exported`].
pub(super) fn body(exported: &Exported<'_>, shell: Shell, id: &str, version: u64) -> String {
    let prefix = &exported.prefix;
    let (text, between) = match shell {
        Shell::Bash => (BASH, " "),
        Shell::PowerShell => (POWERSHELL, ", "),
    };
    let mut pairs = vec![
        (frame::PROTOCOL.to_owned(), frame::VERSION.to_owned()),
        (frame::SECRETS.to_owned(), exported.secrets().join(" ")),
        (frame::TEMPLATE.to_owned(), format!("{id} {version}")),
        (frame::PREFIX.to_owned(), prefix.clone()),
        (frame::NAME.to_owned(), exported.script.name.clone()),
        (frame::SCRIPT.to_owned(), BASE64.encode(&exported.script.text)),
    ];
    pairs.extend(exported.script.files.iter().map(|(path, text)| (format!("{}{path}", frame::FILE), BASE64.encode(text))));
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("'{name}'{between}'{value}'")).collect();
    let own = exported.variables();
    let names: Vec<&str> = frame::SYSTEM_VARIABLES.iter().copied().chain(own.iter().map(String::as_str)).collect();
    let filled = [
        ("@FAILED@", failed(between)),
        ("@PACKAGE@", "Octopus.Action.Package[@PREFIX@.Package].ExtractedPath".to_owned()),
        ("@BINARY@", "@PREFIX@.BinaryPath".to_owned()),
        ("@VERSION@", frame::VERSION.to_owned()),
        ("@KNOWS@", frame::KNOWS.to_owned()),
        ("@KNOWS_NOT@", frame::KNOWS_NOT.to_owned()),
        ("@PREFIX@", prefix.clone()),
        ("@NAME@", exported.script.name.clone()),
        ("@VARIABLES@", names.join(" ")),
        // Last: base64 holds none of the marks.
        ("@PAIRS@", pairs.join(between)),
    ];
    let sentences = SENTENCES.iter().map(|(mark, sentence)| (*mark, (*sentence).to_owned()));
    sentences.chain(filled).fold(text.to_owned(), |text, (mark, value)| text.replace(mark, &value))
}
