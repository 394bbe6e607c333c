//! What an agent puts around the body of a step, in small: Calamari's functions in Bash with real ciphertext, its dictionary in
//! PowerShell. Written from the files that Calamari makes; the sandbox has its own.

use super::kits;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use octorhai::template::Shell;
use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The key of each step here.
const KEY: [u8; 32] = [0x5a; 32];

/// A folder with what an agent writes for one step.
pub struct Worker {
    pub folder: tempfile::TempDir,
    pub shell: Shell,
    /// Runs before the body, in its shell.
    pub before: String,
    /// Changes the functions that Calamari defines.
    pub functions: fn(String) -> String,
    variables: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    pwsh: Option<PathBuf>,
}

impl Worker {
    /// A worker for steps in that shell; none when it needs PowerShell, and the kits are not there.
    pub fn new(test: &str, shell: Shell) -> Option<Self> {
        let pwsh = if shell == Shell::PowerShell { Some(kits::kit(test, "powershell/pwsh.sh")?) } else { None };
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { folder, shell, before: String::new(), functions: |text| text, variables: Vec::new(), environment: Vec::new(), pwsh })
    }

    /// Sets a variable of Octopus, as its value is after Octopus evaluated it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable of the process's environment.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file below the folder and makes it a program if `mode` says so.
    pub fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        path
    }

    /// A stand-in for the program: it keeps the frame in the file `frame`, answers a launcher that asks as octorhai does, and ends with
    /// the Bash text `end`.
    pub fn stand_in(&self, name: &str, end: &str) -> PathBuf {
        let text = format!(
            "#!/bin/bash\n[[ $OCTORHAI_FRAME == 3 ]] && exec 0<&3\ncat > asked\n\
             if grep -qaF '@probe' asked; then grep -qaF 'printf %s' asked && echo 'octorhai reads pairs' || echo 'octorhai reads functions'; exit 0; fi\n\
             mv asked frame; echo \"words: $*\" > words\n{end}\n"
        );
        self.file(name, text.as_bytes(), 0o755)
    }

    fn bash(&self) -> String {
        let mut text = String::from(
            "sensitiveVariableKey=$1\n\
             function encode_servicemessagevalue\n{\n  echo -n \"$1\" | openssl enc -base64 -A\n}\n\
             function decrypt_variable\n{\n  echo $1 | openssl enc -a -A -d -aes-256-cbc -nosalt -K $sensitiveVariableKey -iv $2\n}\n\
             function get_octopusvariable\n{\n  INPUT=$( encode_servicemessagevalue \"$1\" )\n\n  case $INPUT in\n",
        );
        for (at, (name, value)) in self.variables.iter().enumerate() {
            let iv = [u8::try_from(at % 251).expect("small"); 16];
            let cipher = cbc::Encryptor::<aes::Aes256>::new(&KEY.into(), &iv.into());
            let value = BASE64.encode(cipher.encrypt_padded_vec::<Pkcs7>(value.as_bytes()));
            let _ =
                writeln!(text, "    \"{}\")\n   decrypt_variable \"{value}\" \"{}\"   ;;\n", BASE64.encode(name), hex::encode_upper(iv));
        }
        (self.functions)(text + "    *)\n      echo \"\"\n    ;;\n  esac\n}\n")
    }

    fn powershell(&self) -> String {
        let mut text = String::from(
            "$ErrorActionPreference = 'Stop'\n$PSNativeCommandArgumentPassing = 'Legacy'\n\
             $OctopusParameters = New-Object 'System.Collections.Generic.Dictionary[String,String]' (,[System.StringComparer]::OrdinalIgnoreCase)\n\
             function decoded($text) { [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text)) }\n",
        );
        for (name, value) in &self.variables {
            let coded = (BASE64.encode(name), BASE64.encode(value));
            let _ = writeln!(text, "$OctopusParameters[(decoded '{}')] = decoded '{}'", coded.0, coded.1);
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            if !name.contains('[') {
                let _ = writeln!(
                    text,
                    "if (-Not (test-path variable:global:{plain})) {{\n  ${{{plain}}} = $OctopusParameters[(decoded '{}')]\n}}",
                    coded.0
                );
            }
        }
        (self.functions)(text)
    }

    /// The command that runs a body as Calamari does: the functions, then the body, in one shell.
    pub fn command(&self, body: &str) -> Command {
        let here = self.folder.path();
        let body = if self.before.is_empty() { body.to_owned() } else { format!("{}\n{body}", self.before) };
        let (mut command, is_bash) = match &self.pwsh {
            None => (Command::new("/bin/bash"), true),
            Some(pwsh) => (Command::new(pwsh), false),
        };
        if is_bash {
            fs::write(here.join("Script.sh"), body).expect("written");
            fs::write(here.join("Configure.sh"), self.bash()).expect("written");
            let all = "source \"$(pwd)/Configure.sh\"\nshift\nsource \"$(pwd)/Script.sh\" \n";
            fs::write(here.join("Bootstrap.sh"), all).expect("written");
            command.arg("Bootstrap.sh").arg(hex::encode(KEY));
        } else {
            fs::write(here.join("Script.ps1"), format!("\u{feff}{body}")).expect("written");
            let all = format!(
                "\u{feff}{}\ntry {{ . '{}' }} catch {{ [Console]::Error.WriteLine($error[0].Exception.Message); exit 1 }}\n\
                 if ((test-path variable:global:lastexitcode)) {{ exit $LastExitCode }}\n",
                self.powershell(),
                here.join("Script.ps1").display()
            );
            fs::write(here.join("Bootstrap.ps1"), all).expect("written");
            let start = format!(
                "Try {{. {{. '{}'; if ((test-path variable:global:lastexitcode)) {{ exit $LastExitCode }}}};}} catch {{ throw }}",
                here.join("Bootstrap.ps1").display()
            );
            command.args(["-NoProfile", "-NoLogo", "-NonInteractive", "-Command", &start]);
        }
        command.current_dir(here).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", here).env("OCTORHAI_STORE", "none");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, body: &str) -> Output {
        self.command(body).output().expect("the shell runs")
    }

    /// The bytes that the stand-in kept.
    pub fn frame(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("frame")).expect("the stand-in kept it")
    }
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
