//! The launchers: what the body of a step template's step is. They know names, and hand on values by a pipe.

use super::export::{Exported, Shell};
use crate::step::frame;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

const BASH: &str = include_str!("launcher.bash");
const POWERSHELL: &str = include_str!("launcher.ps1");

/// The body for a template. All that it is made of is ASCII without quotes, checked by whoever made [`Exported`].
pub(super) fn body(exported: &Exported<'_>, shell: Shell, id: &str, version: u64) -> String {
    let prefix = &exported.prefix;
    let quoted = |names: &[String], between: &str| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(between);
    let system: Vec<String> = frame::SYSTEM_VARIABLES.iter().map(|name| (*name).to_owned()).collect();
    let all = exported.variables();
    let secrets = exported.secrets();
    let files: Vec<String> =
        exported.script.files.iter().flat_map(|(path, text)| [format!("{}{path}", frame::FILE), BASE64.encode(text)]).collect();
    let (text, variables, secret_names, file_pairs) = match shell {
        Shell::Bash => {
            let files = if files.is_empty() { String::new() } else { format!(" {}", quoted(&files, " ")) };
            (BASH, format!("  {}\n  {}", quoted(&system, " "), quoted(&all, " ")), secrets.join("\\n"), files)
        }
        Shell::PowerShell => {
            let files = if files.is_empty() { String::new() } else { format!("\n$pairs += @({})", quoted(&files, ", ")) };
            (
                POWERSHELL,
                format!("    {},\n    {}", quoted(&system, ", "), quoted(&all, ", ")),
                format!("    {}", quoted(&secrets, ", ")),
                files,
            )
        }
    };
    let filled = [
        ("@PREFIX@", prefix.as_str()),
        ("@NAME@", &exported.script.name),
        ("@SECRETS@", &secret_names),
        ("@VARIABLES@", &variables),
        ("@TEMPLATE@", &format!("{id} {version}")),
        ("@FILES@", &file_pairs),
        // Last: base64 holds none of the marks.
        ("@SCRIPT@", &BASE64.encode(&exported.script.text)),
    ];
    filled.iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value))
}
