//! What a worker puts around a body in PowerShell: helper functions, the variables as one piece of
//! ciphertext, a local variable for each, the key on the command line of the shell and nowhere else.

use super::{
    cipher::Cipher,
    modules::Module,
    variables::{Variable, is_script_module},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{fmt::Write as _, path::Path};

/// The files of a step, and the key to one of them.
pub(super) struct Bootstrap {
    /// `Bootstrap.Script.ps1`.
    pub(super) bootstrap: String,
    key: String,
}

/// A byte order mark: Windows PowerShell reads files without one in the code page of the machine.
pub(super) const MARK: &str = "\u{feff}";

/// The files for the body in this file with these variables; `parameters` is text of PowerShell.
pub(super) fn files(body: &Path, parameters: &str, variables: &[Variable], modules: &[Module]) -> Bootstrap {
    let cipher = Cipher::new();
    let given = || variables.iter().filter(|one| !is_script_module(&one.name));
    let mut lines = String::new();
    for variable in given() {
        let _ = writeln!(lines, "{}${}", BASE64.encode(&variable.name), BASE64.encode(&variable.value));
    }
    let (encrypted, iv) = cipher.encrypt(&lines);
    let import = |module: &Module| {
        let file = body.with_file_name(&module.file);
        format!("Import-ScriptModule {} '{}'\n", quoted(&module.name), escaped(&file))
    };
    let bootstrap = BOOTSTRAP
        .replace("@IV@", &BASE64.encode(iv))
        .replace("@VARIABLES@", &BASE64.encode(encrypted))
        .replace("@LOCALS@\n", &locals(given()))
        .replace("@MODULES@\n", &modules.iter().map(import).collect::<String>())
        .replace("@BODY@", &escaped(body))
        .replace("@PARAMETERS@", parameters);
    Bootstrap { bootstrap: format!("{MARK}{bootstrap}"), key: BASE64.encode(cipher.key()) }
}

impl Bootstrap {
    /// The command line behind the name of the program.
    pub(super) fn command(&self, bootstrap: &Path, with_profile: bool) -> Vec<String> {
        let profile = (!with_profile).then_some("-NoProfile");
        let command = format!(
            "Set-PSDebug -Trace 0;Try {{. {{. '{}' -OctopusKey '{}'; if ((test-path variable:global:lastexitcode)) {{ exit $LastExitCode }}}};}} catch {{ throw }}",
            escaped(bootstrap),
            self.key
        );
        let fixed = ["-NoLogo", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-Command", &command];
        profile.into_iter().chain(fixed).map(str::to_owned).collect()
    }
}

/// A variable of the shell for each of Octopus, by its name without what names cannot have; the first of a name stays, and what was
/// there before does.
fn locals<'v>(variables: impl Iterator<Item = &'v Variable>) -> String {
    let mut all = String::new();
    for variable in variables.filter(|one| !one.name.contains('[')) {
        let of = |keep: fn(char) -> bool| variable.name.chars().filter(|c| keep(*c)).collect::<String>();
        let (short, long) = (of(char::is_alphanumeric), of(|c| c == '_' || c.is_alphanumeric()));
        let name = BASE64.encode(&variable.name);
        for key in [(short != long).then_some(short), Some(long)].into_iter().flatten().filter(|key| !key.is_empty()) {
            let _ = writeln!(
                all,
                "if (-not (Test-Path variable:global:{key})) {{\n  ${{{key}}} = $OctopusParameters[[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String(\"{name}\"))]\n}}"
            );
        }
    }
    all
}

/// The inside of a text between single quotes.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}

/// A word of PowerShell that is exactly this text.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const BOOTSTRAP: &str = include_str!("bootstrap.ps1");
