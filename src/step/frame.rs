//! The frame: what a launcher writes on our pipe before anything else (octopus-step-contract.md §6.1).
//!
//! Pairs of name and value, each ended by NUL, in UTF-8, until the end of file. A name that is absent is not set; an empty value is one.
//! Names that begin with `@` are ours, all others are variables of Octopus. Names of variables are matched without case.

use super::octostache;
use crate::error::{Error, Result, size};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    io::{self, Read},
    time::Duration,
};

/// How long a launcher may take to write the frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames are not larger: 1,000 variables have a thousandth of it.
const LARGEST: u64 = 64 << 20;

/// The only value of [`PROTOCOL`] so far.
pub const VERSION: &str = "1";
/// The first pair, so that a later launcher is not misread.
pub const PROTOCOL: &str = "@protocol";
/// Names of variables whose values are secret, a line each: Octopus does not tell a script which ones are.
pub const SECRETS: &str = "@secrets";
/// Id and version of the step template.
pub const TEMPLATE: &str = "@template";
/// What stands before the names of the script's parameters, without the dot: `Octorhai.MasterProject`.
pub const PREFIX: &str = "@prefix";
/// The name of the script, for messages: `master-project.rhai`.
pub const NAME: &str = "@name";
/// The text of the script in base64: nothing on the way touches that.
pub const SCRIPT: &str = "@script";
/// Followed by the path of an imported file as an import names it (`@file:lib/rings.rhai`): its text in base64.
pub const FILE: &str = "@file:";

/// Members of a template's own parameters that say where servers are and who we are, behind the prefix and a dot.
pub mod connection {
    /// The address of the server; without one it is what Octopus says of itself.
    pub const URL: &str = "Server.Url";
    /// A secret: an API key.
    pub const API_KEY: &str = "Server.ApiKey";
    /// A secret: an access token.
    pub const ACCESS_TOKEN: &str = "Server.AccessToken";
    /// A secret, for it may hold a password: how mail leaves, `smtp://user:password@host:587`.
    pub const SMTP: &str = "Mail.Server";
    /// The sender of mails.
    pub const MAIL_FROM: &str = "Mail.From";
    /// An OpenID Connect account; its members are `.Audience` and `.OpenIdConnect.Jwt`.
    pub const ACCOUNT: &str = "Server.Account";
}

/// The variables of Octopus that a launcher hands on: what a run must know of its step, and nothing else.
pub const SYSTEM_VARIABLES: &[&str] = &[
    "Octopus.Action.ExecutionTimeout.Minutes",
    "Octopus.Action.FailScriptOnErrorOutput",
    "Octopus.Action.Id",
    "Octopus.Action.Name",
    "Octopus.Deployment.CreatedBy.DisplayName",
    "Octopus.Deployment.CreatedBy.Username",
    "Octopus.Deployment.Id",
    "Octopus.Deployment.Tenant.Id",
    "Octopus.Deployment.Tenant.Name",
    "Octopus.Environment.Id",
    "Octopus.Environment.Name",
    "Octopus.Machine.Id",
    "Octopus.Machine.Name",
    "Octopus.Project.Id",
    "Octopus.Project.Name",
    "Octopus.Release.Channel.Name",
    "Octopus.Release.Id",
    "Octopus.Release.Number",
    "Octopus.RunbookRun.Id",
    "Octopus.Runbook.Name",
    "Octopus.Space.Id",
    "Octopus.Space.Name",
    "Octopus.Step.Name",
    "Octopus.Task.ConcurrencyTag",
    "Octopus.Task.Id",
    "Octopus.Web.BaseUrl",
    "Octopus.Web.ServerUri",
    "Octopus.WorkerPool.Id",
    "OctopusBypassDeploymentMutex",
];

/// A frame that was read.
pub struct Frame {
    pairs: Vec<(String, String)>,
}

impl Frame {
    /// Reads a frame to its end, 10 s at most.
    ///
    /// # Errors
    /// Usage errors for what is no frame of ours. None holds a value: it may be a secret.
    pub fn read(source: impl Read + Send + 'static) -> Result<Self> {
        let (done, wait_done) = std::sync::mpsc::channel();
        let reading = std::thread::Builder::new().name("frame".to_owned()).spawn(move || {
            let mut bytes = Vec::new();
            let read = source.take(LARGEST + 1).read_to_end(&mut bytes).map(|_| bytes);
            let _nobody_waits_any_more = done.send(read);
        });
        reading.map_err(|problem| Error::bug(format!("no thread to read with: {problem}")))?;
        match wait_done.recv_timeout(PATIENCE) {
            Ok(Ok(bytes)) if bytes.len() as u64 > LARGEST => Err(broken(&format!("it has more than {}", size(LARGEST)))),
            Ok(Ok(bytes)) => Self::parse(&bytes),
            Ok(Err(problem)) => Err(unreadable(&problem)),
            Err(_) => Err(broken(&format!("it did not end within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Takes a whole frame apart.
    ///
    /// # Errors
    /// As [`Frame::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // What Windows PowerShell writes before all else, if its console is in UTF-8.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(broken("it is empty"));
        }
        let Some(bytes) = bytes.strip_suffix(b"\0") else { return Err(broken("it breaks off")) };
        let mut words = Vec::new();
        for (index, word) in bytes.split(|byte| *byte == 0).enumerate() {
            let number = index / 2 + 1;
            words.push(std::str::from_utf8(word).map_err(|_| broken(&format!("pair {number} is not text in UTF-8")))?);
        }
        if words.len() % 2 != 0 {
            return Err(broken("the last name has no value"));
        }
        let pairs: Vec<(String, String)> = words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        match pairs.first() {
            Some((name, version)) if name == PROTOCOL && version == VERSION => Ok(Self { pairs }),
            Some((name, version)) if name == PROTOCOL => {
                Err(broken(&format!("it is of version `{version}`, and this octorhai knows {VERSION}"))
                    .help("take an octorhai that is as new as the step template"))
            }
            _ => Err(broken("it does not begin with a version")),
        }
    }

    /// The value of a name; of a variable without case, as Octopus knows it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = |same: &dyn Fn(&str) -> bool| self.pairs.iter().find(|(known, _)| same(known)).map(|(_, value)| value.as_str());
        named(&|known| known == name).or_else(|| named(&|known| known.eq_ignore_ascii_case(name)))
    }

    /// The value of a variable, unless it is empty or one binding that Octopus could not resolve.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty() && !octostache::is_unresolved(value))
    }

    /// A member of the template's own parameters, by its name behind the prefix.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.get(&format!("{}.{name}", self.get(PREFIX)?))
    }

    /// The same, if it is [given](Frame::given).
    pub fn own_given(&self, name: &str) -> Option<&str> {
        self.given(&format!("{}.{name}", self.get(PREFIX)?))
    }

    /// The values that nobody may see.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.get(SECRETS).unwrap_or_default().lines().filter_map(|name| self.get(name)).filter(|value| !value.is_empty())
    }

    /// The script's name and text.
    ///
    /// # Errors
    /// A usage error when there is none, or not as base64 of UTF-8.
    pub fn script(&self) -> Result<(String, String)> {
        let name = self.get(NAME).filter(|name| !name.is_empty()).unwrap_or("script.rhai");
        let text = self.get(SCRIPT).ok_or_else(|| broken("it holds no script"))?;
        Ok((name.to_owned(), decoded(name, text)?))
    }

    /// Path and text of the files that the script imports.
    ///
    /// # Errors
    /// As [`Frame::script`].
    pub fn files(&self) -> Result<Vec<(String, String)>> {
        let files = self.pairs.iter().filter_map(|(name, value)| Some((name.strip_prefix(FILE)?, value)));
        files.map(|(path, text)| Ok((path.to_owned(), decoded(path, text)?))).collect()
    }
}

fn decoded(name: &str, base64: &str) -> Result<String> {
    let bytes = BASE64.decode(base64.trim()).map_err(|_| broken(&format!("`{name}` is not base64")))?;
    String::from_utf8(bytes).map_err(|_| broken(&format!("`{name}` is not text in UTF-8")))
}

fn broken(why: &str) -> Error {
    Error::usage(format!("the launcher's frame of variables cannot be used: {why}")).help(HOW)
}

fn unreadable(problem: &io::Error) -> Error {
    broken(&problem.to_string())
}

/// What to do about a frame that cannot be used.
pub const HOW: &str = "`octorhai step run` is started by the launcher of a step template: make one with `octorhai template export SCRIPT`";

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pairs: &[(&str, &str)]) -> Vec<u8> {
        let all = [(PROTOCOL, VERSION)].iter().chain(pairs).flat_map(|(name, value)| [*name, "\0", *value, "\0"]);
        all.collect::<String>().into_bytes()
    }

    #[test]
    fn pairs_are_read_to_the_byte() {
        let bytes = frame(&[("A", "two\nlines\n\n"), ("Empty", ""), ("ä", "🐙"), ("Later", "#{Octopus.Deployment.Tenant.Name}")]);
        let frame = Frame::parse(&bytes).expect("a frame");
        assert_eq!((frame.get("a"), frame.get("empty"), frame.get("ä")), (Some("two\nlines\n\n"), Some(""), Some("🐙")));
        assert_eq!((frame.get("Missing"), frame.given("Empty"), frame.given("Later")), (None, None, None));
        assert!(frame.given("A").is_some());
    }

    #[test]
    fn a_mark_in_front_is_none_of_the_frame() {
        let bytes = [&b"\xef\xbb\xbf"[..], &frame(&[("A", "1")])].concat();
        assert_eq!(Frame::parse(&bytes).expect("a frame").get("A"), Some("1"));
    }

    #[test]
    fn secrets_scripts_and_files_are_found() {
        let script = BASE64.encode("let m = #{ a: 1 };\n");
        let bytes = frame(&[
            (SECRETS, "T.Key\nT.Gone"),
            (PREFIX, "T"),
            (NAME, "x.rhai"),
            (SCRIPT, &script),
            ("@file:lib/y.rhai", "MQ=="),
            ("T.Key", "s3cret"),
        ]);
        let frame = Frame::parse(&bytes).expect("a frame");
        assert_eq!(frame.secrets().collect::<Vec<_>>(), ["s3cret"]);
        assert_eq!(frame.script().expect("a script"), ("x.rhai".to_owned(), "let m = #{ a: 1 };\n".to_owned()));
        assert_eq!(frame.files().expect("files"), [("lib/y.rhai".to_owned(), "1".to_owned())]);
        assert_eq!(frame.own("key"), Some("s3cret"));
    }

    #[test]
    fn what_is_no_frame_is_said_without_its_values() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "it is empty"),
            (b"@protocol\x001\x00Key\x00s3cret", "it breaks off"),
            (b"@protocol\x001\x00s3cret\x00", "the last name has no value"),
            (b"@protocol\x002\x00", "it is of version `2`"),
            (b"Key\x00s3cret\x00", "it does not begin with a version"),
            (b"@protocol\x001\x00Key\x00s3cret\xff\x00", "pair 2 is not text in UTF-8"),
        ];
        for (bytes, why) in cases {
            let error = Frame::parse(bytes).err().expect(why);
            assert!(error.message().contains(why) && !format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_pipe_that_breaks_is_said() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let error = Frame::read(Broken).err().expect("no frame");
        assert!(error.message().contains("cannot be used"), "{error:?}");
        assert!(Frame::read(io::Cursor::new(frame(&[]))).is_ok());
    }
}
