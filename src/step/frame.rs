//! The frame: what a launcher writes on our pipe before anything else (octopus-step-contract.md §6.1).
//!
//! Pairs of name and value, each ended by NUL, in UTF-8, until the end of file. A name that is absent is not set; an empty value is one.
//! Names that begin with `@` are ours, all others are variables of Octopus. Names of variables are matched without case.
//!
//! A value that holds NUL would be read as further pairs, such as another address for the key. Launchers of version 2 never write such a
//! value: they send [`NUL`] with its name, and the step is refused. Launchers of version 1 (octorhai 0.1.0) wrote it. They wrote each name
//! once and in a fixed order, so a frame of theirs with a name twice or out of order is refused too. What that leaves: in PowerShell,
//! a pair that was smuggled in for a name that the step did not set, right behind a value that stands before it in that order.

use super::{bash_variables::BashVariables, octostache};
use crate::error::{Error, Result, size};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    collections::BTreeSet,
    io::{self, Read},
    time::Duration,
};

/// How long a launcher may let us wait for the next part of the frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames are not larger: 1,000 variables have a thousandth of it.
const LARGEST: u64 = 64 << 20;

/// The value of [`PROTOCOL`] that launchers write now.
pub const VERSION: &str = "2";
/// Launchers of octorhai 0.1.0.
const FIRST_VERSION: &str = "1";
/// The environment variable that says where the frame is: `3` (a descriptor) or `stdin`. An older octorhai knows nothing of it, looks
/// itself, and says that it is too old; of an option it would only say that there is none.
pub const PLACE: &str = "OCTORHAI_FRAME";
/// The first pair, so that a later launcher is not misread.
pub const PROTOCOL: &str = "@protocol";
/// Names of variables whose values are secret, with white space between: Octopus does not tell a script which ones are.
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

/// Names of variables that [`FUNCTIONS`] hold and the run may see, with spaces between.
pub const NAMES: &str = "@names";
/// The key for [`FUNCTIONS`].
pub const KEY: &str = "@key";
/// The text of the functions that give the variables in Bash, instead of pairs with variables.
pub const FUNCTIONS: &str = "@functions";
/// Asks whether [`FUNCTIONS`] can be read, and for nothing else: the answer is [`KNOWS`] or [`KNOWS_NOT`].
pub const PROBE: &str = "@probe";
/// Its value is the name of a variable whose value holds NUL.
pub const NUL: &str = "@nul";
/// The last pair: without it the launcher was interrupted, and variables are missing.
pub const END: &str = "@end";

/// The answer to [`PROBE`]: the variables can be read from the functions.
pub const KNOWS: &str = "octorhai reads functions";
/// The answer to [`PROBE`]: the launcher must call the function for each variable.
pub const KNOWS_NOT: &str = "octorhai reads pairs";

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
    /// All of them in the order in which launchers write them, behind the parameters of the script.
    pub const ALL: &[&str] = &[API_KEY, ACCESS_TOKEN, URL, SMTP, MAIL_FROM, "Server.Account.Audience", "Server.Account.OpenIdConnect.Jwt"];
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
    probe: Option<&'static str>,
}

impl Frame {
    /// Reads a frame to its end. A launcher that writes nothing for 10 s hangs.
    ///
    /// # Errors
    /// Usage errors for what is no frame of ours. None holds a value: it may be a secret.
    pub fn read(mut source: impl Read + Send + 'static) -> Result<Self> {
        let (send, parts) = std::sync::mpsc::channel();
        let reading = std::thread::Builder::new().name("frame".to_owned()).spawn(move || {
            let mut part = vec![0; 64 << 10];
            loop {
                let read = match source.read(&mut part) {
                    Err(problem) if problem.kind() == io::ErrorKind::Interrupted => continue,
                    read => read.map(|length| part[..length].to_vec()),
                };
                let is_last = read.as_ref().map_or(true, Vec::is_empty);
                if send.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        reading.map_err(|problem| Error::bug(format!("no thread to read with: {problem}")))?;
        let mut bytes = Vec::new();
        loop {
            match parts.recv_timeout(PATIENCE) {
                Ok(Ok(part)) if part.is_empty() => return Self::parse(&bytes),
                Ok(Ok(part)) => bytes.extend(part),
                Ok(Err(problem)) => return Err(broken(&problem.to_string())),
                Err(_) => return Err(broken(&format!("the launcher wrote nothing for {} s", PATIENCE.as_secs()))),
            }
            if bytes.len() as u64 > LARGEST {
                return Err(broken(&format!("it has more than {}", size(LARGEST))));
            }
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
        let [PROTOCOL, version, ..] = words[..] else { return Err(broken("it does not begin with a version")) };
        if ![VERSION, FIRST_VERSION].contains(&version) {
            return Err(broken(&format!("it is of version `{version}`, and this octorhai knows {VERSION}"))
                .help("take an octorhai that is as new as the step template"));
        }
        if words.len() % 2 != 0 {
            return Err(broken("the last name has no value"));
        }
        let pairs: Vec<(String, String)> = words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        let mut frame = Self { pairs, probe: None };
        if let Some((_, name)) = frame.pairs.iter().find(|(name, _)| name == NUL) {
            return Err(holds_nul(name));
        }
        frame.names_nothing_twice()?;
        if version == FIRST_VERSION {
            frame.is_in_order()?;
        } else if frame.pairs.last().is_none_or(|(name, _)| name != END) {
            return Err(broken("it breaks off"));
        } else {
            frame.read_functions()?;
        }
        Ok(frame)
    }

    /// A name that comes a second time stood in a value: no launcher writes one twice. It is not shown, for it may be part of a secret.
    fn names_nothing_twice(&self) -> Result<()> {
        let mut known = BTreeSet::new();
        match self
            .pairs
            .iter()
            .position(|(name, _)| !known.insert(if name.starts_with('@') { name.clone() } else { name.to_ascii_lowercase() }))
        {
            None => Ok(()),
            Some(at) => Err(broken(&format!("pair {} has the name of an earlier one, as if a value held a NUL character", at + 1))),
        }
    }

    /// The order of version 1: ours, those of the system, the parameters of the script, the connection's.
    fn is_in_order(&self) -> Result<()> {
        let prefix = self.get(PREFIX).unwrap_or_default();
        let place = |name: &str| {
            let own = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            match own {
                _ if name.starts_with('@') => 0,
                Some(own) => connection::ALL.iter().position(|known| own.eq_ignore_ascii_case(known)).map_or(2, |at| at + 3),
                None => 1,
            }
        };
        let places: Vec<usize> = self.pairs.iter().map(|(name, _)| place(name)).collect();
        match places.windows(2).position(|pair| pair[0] > pair[1] || (pair[0] == pair[1] && pair[0] > 2)) {
            None => Ok(()),
            Some(at) => Err(broken(&format!("pair {} is not in its place, as if a value held a NUL character", at + 2))),
        }
    }

    /// Puts the variables of Bash functions in, or only says whether it could.
    fn read_functions(&mut self) -> Result<()> {
        let Some(functions) = self.get(FUNCTIONS) else { return Ok(()) };
        let variables = BashVariables::read(self.get(KEY).unwrap_or_default(), functions);
        if self.get(PROBE).is_some() {
            self.probe = Some(if variables.is_some() { KNOWS } else { KNOWS_NOT });
            return Ok(());
        }
        let variables = variables.ok_or_else(|| broken("the functions of Octopus in Bash are not as they were a moment ago"))?;
        let mut found = Vec::new();
        for name in self.get(NAMES).unwrap_or_default().split_whitespace() {
            match variables.get(name) {
                Some(value) if value.contains('\0') => return Err(holds_nul(name)),
                Some(value) => found.push((name.to_owned(), value)),
                None => {}
            }
        }
        self.pairs.retain(|(name, _)| name != KEY && name != FUNCTIONS);
        self.pairs.extend(found);
        self.names_nothing_twice()
    }

    /// What a launcher that only asks is to be told.
    pub const fn answer(&self) -> Option<&'static str> {
        self.probe
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

    /// Whether nobody may see the value of a variable.
    pub fn is_secret(&self, name: &str) -> bool {
        self.get(SECRETS).unwrap_or_default().split_whitespace().any(|secret| secret == name)
    }

    /// The values that nobody may see.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.get(SECRETS).unwrap_or_default().split_whitespace().filter_map(|name| self.get(name)).filter(|value| !value.is_empty())
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

fn holds_nul(name: &str) -> Error {
    Error::usage(format!("the value of `{name}` holds a NUL character, which no text has"))
        .help("correct the value where it comes from; nothing was started")
}

/// What to do about a frame that cannot be used.
pub const HOW: &str = "`octorhai step run` is started by the launcher of a step template: make one with `octorhai template export SCRIPT`";

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
        pairs.iter().flat_map(|(name, value)| [*name, "\0", *value, "\0"]).collect::<String>().into_bytes()
    }

    fn frame(between: &[(&str, &str)]) -> Vec<u8> {
        pairs(&[&[(PROTOCOL, VERSION)], between, &[(END, "")]].concat())
    }

    fn refused(bytes: &[u8], why: &str) {
        let error = Frame::parse(bytes).err().expect(why);
        let hidden = ["s3cret", "evil"].iter().all(|text| !format!("{error:?}").contains(text));
        assert!(error.message().contains(why) && hidden, "{error:?}");
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
            (SECRETS, "T.Key T.Gone"),
            (PREFIX, "T"),
            (NAME, "x.rhai"),
            (SCRIPT, &script),
            ("@file:lib/y.rhai", "MQ=="),
            ("@file:lib/Y.rhai", "Mg=="),
            ("T.Key", "s3cret"),
        ]);
        let frame = Frame::parse(&bytes).expect("a frame");
        assert_eq!(frame.secrets().collect::<Vec<_>>(), ["s3cret"]);
        assert_eq!(frame.script().expect("a script"), ("x.rhai".to_owned(), "let m = #{ a: 1 };\n".to_owned()));
        let files = [("lib/y.rhai", "1"), ("lib/Y.rhai", "2")].map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(frame.files().expect("files"), files);
        assert_eq!(frame.own("key"), Some("s3cret"));
    }

    #[test]
    fn what_is_no_frame_is_said_without_its_values() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "it is empty"),
            (b"@protocol\x002\x00Key\x00s3cret", "it breaks off"),
            (b"@protocol\x002\x00Key\x00s3cret\x00", "it breaks off"),
            (b"@protocol\x001\x00s3cret\x00", "the last name has no value"),
            (b"@protocol\x003\x00", "it is of version `3`"),
            (b"@protocol\x003\x00new", "it breaks off"),
            (b"Key\x00s3cret\x00", "it does not begin with a version"),
            (b"@protocol\x002\x00Key\x00s3cret\xff\x00@end\x00\x00", "pair 2 is not text in UTF-8"),
        ];
        for (bytes, why) in cases {
            refused(bytes, why);
        }
    }

    #[test]
    fn value_with_nul_is_refused_by_name() {
        refused(&frame(&[("@nul", "T.Project"), ("T.Server.Url", "https://good")]), "the value of `T.Project` holds a NUL character");
        // Pairs that came out of a value.
        refused(
            &frame(&[("T.Project", "A"), ("t.server.url", "http://evil"), ("T.Server.Url", "")]),
            "pair 4 has the name of an earlier one",
        );
    }

    /// In the order of the launchers of octorhai 0.1.0, each with a value that holds NUL, as their PowerShell wrote it.
    #[test]
    fn frame_of_the_first_version_is_read_unless_a_pair_was_smuggled_in() {
        let read = |more: &[(&str, &str)]| {
            let first =
                [(PROTOCOL, "1"), (SECRETS, "T.Server.ApiKey"), (TEMPLATE, "x 1"), (PREFIX, "T"), (NAME, "x.rhai"), (SCRIPT, "MQ==")];
            pairs(&[&first, more].concat())
        };
        let usual = [
            ("Octopus.Task.Id", "ServerTasks-1"),
            ("Octopus.Web.ServerUri", "https://good"),
            ("T.Project", "A"),
            ("T.Version", "latest"),
            ("T.Server.ApiKey", "s3cret"),
            ("T.Server.Url", ""),
            ("T.Server.Account.OpenIdConnect.Jwt", "s3cret"),
        ];
        let honest = Frame::parse(&read(&usual)).expect("an honest one");
        assert_eq!((honest.own("project"), honest.secrets().next()), (Some("A"), Some("s3cret")));
        let smuggled = |behind: &str, what: &[(&str, &str)], without: &[&str]| {
            let kept = usual.iter().filter(|(name, _)| !without.contains(name));
            let all: Vec<(&str, &str)> = kept.flat_map(|pair| [&[*pair][..], if pair.0 == behind { what } else { &[] }].concat()).collect();
            read(&all)
        };
        let url = [("T.Server.Url", "http://evil")];
        let again = "has the name of an earlier one";
        let place = "is not in its place";
        refused(&smuggled("T.Project", &url, &[]), again);
        refused(&smuggled("T.Project", &url, &["T.Server.Url"]), place);
        refused(&smuggled("T.Project", &[("T.Server.ApiKey", "evil"), url[0]], &["T.Server.Url"]), again);
        refused(&smuggled("T.Project", &[("Octopus.Web.BaseUrl", "http://evil")], &[]), place);
        refused(&smuggled("T.Project", &[("@script", "ZXZpbA==")], &[]), again);
        refused(&smuggled("Octopus.Task.Id", &[("@file:lib/x.rhai", "ZXZpbA==")], &[]), place);
        refused(&smuggled("Octopus.Task.Id", &[("T.Project", "evil")], &["T.Project"]), place);
        refused(&smuggled("T.Server.Url", &[("T.Server.AccessToken", "evil")], &[]), place);
    }

    #[test]
    fn launcher_that_asks_is_told_whether_functions_can_be_read() {
        let asked = |functions: &str| Frame::parse(&frame(&[(PROBE, ""), (KEY, "00"), (FUNCTIONS, functions)])).expect("a frame").answer();
        assert_eq!(asked("get_octopusvariable () { cat /some/file; }"), Some(KNOWS_NOT));
        assert_eq!(Frame::parse(&frame(&[])).expect("a frame").answer(), None);
        refused(&frame(&[(KEY, "s3cret"), (FUNCTIONS, "evil")]), "the functions of Octopus in Bash are not as they were");
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
        let long = "x".repeat(200_000);
        let frame = Frame::read(io::Cursor::new(frame(&[("Long", &long)]))).expect("a frame");
        assert_eq!(frame.get("Long"), Some(long.as_str()));
    }
}
