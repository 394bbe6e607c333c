//! The commands of a session: what begins with a colon.

use super::{
    super::{
        environment, help,
        template::{self, ExportArgs, ShellArg, TemplateCommand},
        ui::{Tone, Ui, span},
        worlds,
    },
    Last, Repl, open, place, screen, settings,
};
use crate::{
    check,
    clock::text,
    engine::{scene::Scene, text::scan},
    error::{Error, Kind, Result, shortened, suggestion},
    host,
    platform::{files, terminal::EDITOR},
    repl::{
        Helper,
        names::Names,
        save,
        values::{line_of, variable},
    },
    run::{Target, compiled},
};
use std::{
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// An input is not longer.
const LARGEST_INPUT: u64 = 1 << 20;

/// How the session goes on.
pub(super) enum Next {
    /// It waits for the next input.
    Fine,
    /// The same, and something went wrong.
    Failed(Kind),
    /// The next input begins as this text.
    Edit(String),
    /// It is over.
    Leave,
}

/// All commands, and what they do.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (":help [NAME]", "explain a function, a type or a group; without a name, list all"),
    (":find WORD", "list functions that have to do with a word"),
    (":full", "show the last value, `it`, with all there is"),
    (":vars", "list the variables and functions of this session"),
    (":time", "tell the time of the server's world, and how long the last input took"),
    (":requests", "tell how many requests were made"),
    (":server", "tell which server this is, and in which mode"),
    (":space [NAME]", "tell the space, or change to another one"),
    (":live", "send what changes something on the server from now on"),
    (":dry", "show what would change something, and do not send it"),
    (":world [NAME|FILE]", "show what is live in the sandbox, or begin another world"),
    (":advance SPAN", "let time pass in the sandbox, e.g. `:advance 1h`"),
    (":edit", "write the next input in your editor, beginning with the last one"),
    (":save FILE", "write this session as a script"),
    (":template FILE", "write it as a script and as step templates"),
    (":quit", "leave, as Ctrl-D and `exit` do"),
];

/// What answers while a person types.
pub(super) fn helper(ui: &Ui) -> Helper {
    let scene = Scene { entries: host::reference(), ..Scene::default() };
    Helper::new(scene, Names::none(), COMMANDS, ui.has_colour())
}

impl Repl<'_> {
    /// What was declared, for completion.
    pub(super) fn refresh(&self) {
        let Some(session) = &self.open else { return };
        let inputs = session.inputs();
        let variables = inputs.variables().iter().map(|(name, value)| variable(name, value)).collect();
        let modules = inputs.imports().iter().filter_map(|import| {
            let (path, name) = import.strip_prefix("import ")?.trim_end_matches(';').rsplit_once(" as ")?;
            Some((name.to_owned(), path.trim_matches('"').to_owned()))
        });
        let modules = modules.collect();
        self.helper.update(|scene| {
            scene.variables = variables;
            scene.functions = inputs.functions();
            scene.modules = modules;
        });
    }

    /// Does what a command says.
    pub(super) fn command(&mut self, line: &str) -> Next {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let done = match name {
            ":quit" | ":exit" | ":q" => return Next::Leave,
            ":edit" => match self.edit() {
                Ok(Some(text)) => return Next::Edit(text),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            ":help" | ":h" | ":?" => self.help(rest),
            ":find" => self.find(rest),
            ":full" => self.full(),
            ":vars" => {
                self.variables();
                Ok(())
            }
            ":time" => {
                self.time();
                Ok(())
            }
            ":requests" => {
                let stats = self.session().host().servers.home.client.stats();
                let last = &self.last;
                self.ui.data(&format!(
                    "{} requests, {} in the busiest minute, {} by the last input",
                    stats.requests, stats.busiest_minute, last.requests
                ));
                Ok(())
            }
            ":server" => self.server(),
            ":space" if rest.is_empty() => {
                self.ui.data(self.session().space());
                Ok(())
            }
            ":space" => self.session_mut().move_to(rest.trim_matches('"')).map(|()| self.helper.names().move_to(self.session().host())),
            ":live" => self.go_live(true),
            ":dry" => self.go_live(false),
            ":world" => self.world(rest),
            ":advance" => self.advance(rest),
            ":save" => self.save(rest).map(|_| ()),
            ":template" => self.template(rest),
            _ => {
                let known = COMMANDS.iter().map(|(known, _)| known.split(' ').next().unwrap_or(known));
                let error = Error::usage(format!("there is no command `{name}`"));
                Err(match suggestion(name, known) {
                    Some(hint) => error.help(hint),
                    None => error.help("`:help` lists them"),
                })
            }
        };
        match done {
            Ok(()) => Next::Fine,
            Err(error) => {
                self.ui.error(&error);
                Next::Failed(error.kind())
            }
        }
    }

    fn help(&self, topic: &str) -> Result<()> {
        if !topic.is_empty() {
            return help::explain(self.ui, &host::reference(), topic.trim_start_matches(':'), &[])
                .map_err(|error| error.help("`:help` lists what there is"));
        }
        let width = COMMANDS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.ui.data(&self.ui.paint(Tone::Strong, "Commands"));
        for (name, what) in COMMANDS {
            self.ui.data(&format!("  {name:<width$}  {what}"));
        }
        help::overview(self.ui, &host::reference(), "`:help NAME` explains one, `:find WORD` looks for one");
        Ok(())
    }

    fn find(&self, word: &str) -> Result<()> {
        if word.is_empty() {
            return Err(Error::usage("what shall be found?").help("write a word: `:find rollback`"));
        }
        let entries = host::reference();
        let found = help::with_word(&entries, word);
        if found.is_empty() {
            return Err(Error::usage(format!("no function has to do with `{word}`")).help("`:help` lists all"));
        }
        help::list(self.ui, &found);
        Ok(())
    }

    fn full(&mut self) -> Result<()> {
        let value = self.session().inputs().variable("it").ok_or_else(|| Error::usage("no input had a value yet"))?;
        let (ui, width) = (self.ui, self.width);
        screen::show(ui, self.session_mut(), &value, width, true);
        Ok(())
    }

    fn variables(&self) {
        let inputs = self.session().inputs();
        let mut rows: Vec<[String; 3]> = Vec::new();
        for (name, value) in inputs.variables() {
            let line = shortened(&self.ui.redactor().clean(&line_of(&value)), 100);
            rows.push([name.clone(), variable(&name, &value).kind, line.replace('\n', " ")]);
        }
        for (name, params) in inputs.functions() {
            rows.push([format!("{name}({})", params.join(", ")), "function".to_owned(), String::new()]);
        }
        if rows.is_empty() {
            return self.ui.say("nothing was declared yet: `let t = ...`");
        }
        rows.insert(0, ["name", "type", "value"].map(str::to_owned));
        self.ui.table(&rows);
    }

    fn time(&self) {
        let host = self.session().host();
        let now = host.clock.now().to_zoned_datetime(host.zone.clone());
        let kind =
            if self.session().is_sandbox() { "virtual; it goes on while an input waits, and by `:advance`" } else { "the time here" };
        self.ui.data(&format!("{} ({kind})", now.strftime("%a %Y-%m-%d %H:%M:%S %Z")));
        if !self.last.input.is_empty() {
            let Last { seconds, real_seconds, .. } = &self.last;
            let real = if self.session().is_sandbox() { format!(", {} on the wall", span(*real_seconds)) } else { String::new() };
            self.ui.data(&format!("the last input took {}{real}", span(*seconds)));
        }
    }

    fn server(&self) -> Result<()> {
        let (address, info) = self.session().server()?;
        let mode = match (self.session().is_sandbox(), self.session().is_dry()) {
            (true, _) => "simulated",
            (false, true) => "dry: writes are shown, not sent",
            (false, false) => "LIVE: writes are sent",
        };
        self.ui.data(&format!("{address}, Octopus {}, space {}, {mode}", info.version, self.session().space()));
        self.ui.data(&format!("mode: {}", self.session().host().servers.home.advice));
        Ok(())
    }

    fn go_live(&self, live: bool) -> Result<()> {
        if self.session().is_sandbox() {
            return Err(Error::usage("this is a sandbox: nothing here is real, so there is no dry mode"));
        }
        self.session().go_live(live);
        self.ui.say(if live { "writes are sent from now on" } else { "writes are shown, not sent, from now on" });
        Ok(())
    }

    fn world(&mut self, name: &str) -> Result<()> {
        if !self.session().is_sandbox() {
            return Err(Error::usage("this is a server, not a sandbox").help("a simulated one: octorhai repl --sandbox"));
        }
        if name.is_empty() {
            let host = self.session().host().clone();
            let now = host.clock.now().to_zoned_datetime(host.zone.clone());
            let what = self.session_mut().look("`${projects().len()} projects, ${envs().len()} environments, ${tenants().len()} tenants`");
            self.ui.data(&format!(
                "{}: {}, {}",
                self.place,
                what.map(|w| w.to_string()).unwrap_or_default(),
                now.strftime("%a %Y-%m-%d %H:%M %Z")
            ));
            self.ui.data("`octorhai sandbox --print-world` prints a world as a file to begin with");
            return Ok(());
        }
        let target = Target::Sandbox(worlds::named(name, self.args.run_scripts)?);
        let (name, (settings, screen, cancel)) = (place(&target), settings(self.args, self.ui, self.environment, target)?);
        self.opening = Some(open(settings, &self.helper)?);
        self.open()?;
        (self.place, self.screen, self.cancel) = (name, screen, cancel);
        self.kept.clear();
        self.ui.say(&format!("a new world: {}; what this session had declared is gone", self.place));
        Ok(())
    }

    fn advance(&mut self, written: &str) -> Result<()> {
        if written.is_empty() {
            return Err(Error::usage("how much time shall pass?").help("write `:advance 1h`"));
        }
        let span = text::duration(written.trim_matches('"'))?;
        {
            let screen = self.screen.clone();
            let _busy = screen.busy();
            self.session_mut().advance(span)?;
        }
        self.time();
        Ok(())
    }

    /// Opens the person's editor on the last input; none when nothing was written.
    fn edit(&self) -> Result<Option<String>> {
        let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| environment::variable(self.environment, name)).unwrap_or(EDITOR);
        let cannot = |why: std::io::Error| Error::usage(format!("`{editor}` cannot be used: {why}")).help("set EDITOR to the one you like");
        // New, and readable by this user only: an input may hold what is nobody's business.
        let mut file = tempfile::Builder::new().prefix("octorhai-").suffix(".rhai").tempfile().map_err(cannot)?;
        file.write_all(self.last.input.as_bytes()).map_err(cannot)?;
        // Closed while the editor has it; gone when this is.
        let file = file.into_temp_path();
        let mut words = editor.split_whitespace();
        std::process::Command::new(words.next().unwrap_or(EDITOR)).args(words).arg(&file).status().map_err(cannot)?;
        let text = files::read_text(&file, LARGEST_INPUT).map_err(cannot)?.trim_end().to_owned();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The session as a script in `file`.
    fn save(&self, file: &str) -> Result<PathBuf> {
        if file.is_empty() {
            return Err(Error::usage("where shall the script be written?").help("write `:save FILE.rhai`"));
        }
        if self.kept.is_empty() {
            return Err(Error::usage("there is nothing to save yet: no input went well"));
        }
        let mut path = PathBuf::from(file.trim_matches('"'));
        if path.extension().is_none() {
            path.set_extension("rhai");
        }
        if path.exists() {
            return Err(Error::usage(format!("`{}` is there already", path.display())).help("take another name, or remove it first"));
        }
        let scene = Scene { entries: host::reference(), ..Scene::default() };
        let script = save::script("Saved from a session of octorhai.", &self.kept, &scene);
        let clean = screen::without_keys(&self.ui.redactor().clean(&script));
        let source = crate::run::Source::text(&path.display().to_string(), &clean);
        if let Some(mistake) = compiled(&source).ok().and_then(|program| check::refusals(&program, &scene).into_iter().next()) {
            let why = Error::usage(format!("the script is not written: `octorhai run` would refuse it: {}", mistake.error.message()));
            return Err(mistake.error.hints().iter().fold(why, Error::help));
        }
        std::fs::write(&path, &clean).map_err(|why| cannot_write(&path, &why))?;
        let lines = scan::pieces(&clean).iter().filter(|piece| piece.of(&clean) == ";").count().max(1);
        self.ui.say(&format!(
            "{}: {} statements; run it with `octorhai run {}{}`",
            path.display(),
            lines,
            self.sandbox_flag(),
            path.display()
        ));
        if clean != script {
            self.ui.warning("secrets were left out: put them into parameters, `secret(\"Name\")`");
        }
        Ok(path)
    }

    fn sandbox_flag(&self) -> String {
        match &self.session().settings().target {
            Target::Sandbox(_) => self.args.sandbox.as_ref().map_or_else(|| "--sandbox ".to_owned(), |name| format!("--sandbox={name} ")),
            Target::Server { .. } => String::new(),
        }
    }

    fn template(&self, file: &str) -> Result<()> {
        let path = self.save(file)?;
        let out = path.parent().unwrap_or(Path::new("")).join("templates");
        let export = ExportArgs { scripts: vec![path], shell: ShellArg::Both, out, prefix: None };
        // It tells by itself what went wrong.
        template::run(&TemplateCommand::Export(export), self.ui, self.environment);
        Ok(())
    }
}

fn cannot_write(path: &Path, why: &std::io::Error) -> Error {
    let why = match why.kind() {
        ErrorKind::NotFound => "there is no such folder".to_owned(),
        ErrorKind::PermissionDenied => "this user may not write there".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => why.to_string(),
    };
    Error::usage(format!("`{}` cannot be written: {why}", path.display())).help("the session is still here: save it somewhere else")
}
