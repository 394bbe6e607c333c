//! Rules about what a script does: waits without a limit, acts on what was looked at, times without a zone, secrets that are shown.

use super::{
    CHANNEL_FORGOTTEN, CHECK_THEN_ACT, DEFAULT_LIMIT, Finding, INLINE_TRAP, SECRET_IN_TEXT, SECRET_SHOWN, TENANT_FORGOTTEN,
    TIME_WITHOUT_ZONE, WAIT_WITHOUT_LIMIT, rules::Sheet,
};
use crate::{
    clock::text,
    engine::text::{
        calls::Call,
        names::Holds,
        scan::{Kind, pieces},
    },
};
use jiff::{Timestamp, tz::TimeZone};
use std::{collections::BTreeSet, ops::Range};

/// What starts something on the server.
const ACTS: &[&str] = &["deploy", "promote", "redeploy", "rollback", "run_runbook", "create_release"];

/// What deploys a project, its first argument.
pub(super) const DEPLOYS: &[&str] = &["deploy", "ensure", "promote", "redeploy", "rollback"];

/// What says how the server is at the moment.
const LOOKS: &[&str] = &["running", "deployed", "wait_idle", "deployments"];

/// What keeps others away meanwhile.
const LOCKS: &[&str] = &["lock", "locks", "only_one", "once"];

/// What people read.
const SHOWS: &[&str] =
    &["print", "debug", "highlight", "warn", "verbose", "output", "artifact", "email", "notify", "progress", "fail", "require"];

/// Where a function takes a point in time: its argument.
const TIMES: &[(&str, usize)] = &[("at", 0), ("requeue", 0), ("window", 0), ("wait_window", 0), ("sleep", 0)];

/// A look at the server, and the pieces that happen because of what it saw.
struct Decision<'a> {
    look: &'a str,
    decides: Range<usize>,
}

impl<'a> Sheet<'_, 'a> {
    /// Each literal project of which a call says a `tenant` or a `channel`: project and option. `tenants(#{project: ...})` says it too.
    pub(super) fn said_of_projects(&self) -> Vec<(&'a str, &'static str)> {
        let mut said = Vec::new();
        for call in &self.calls {
            let pairs = call.args.iter().filter_map(|argument| self.file.reading.map(argument)).flatten();
            let first = call.args.first().and_then(|first| self.file.reading.literal(first));
            for pair in pairs {
                match (call.name, pair.key, first) {
                    ("tenants", "project", _) => {
                        said.extend(self.file.reading.literal(&pair.value).map(|project| (project, "tenant")));
                    }
                    (name, "tenant", Some(project)) if DEPLOYS.contains(&name) => said.push((project, "tenant")),
                    (_, "channel", Some(project)) => said.push((project, "channel")),
                    _ => {}
                }
            }
        }
        said
    }

    /// Deployments that leave out what another place says of the same project.
    pub(super) fn forgotten(&mut self, said: &[(&str, &str)]) {
        let mut told = Vec::new();
        for call in self.calls.iter().filter(|call| DEPLOYS.contains(&call.name)) {
            let literal = |at: usize| call.args.get(at).and_then(|argument| self.file.reading.literal(argument));
            let Some(project) = literal(0) else { continue };
            let says = |option: &str| {
                let mut maps = call.args.iter().filter_map(|argument| self.file.reading.map(argument));
                maps.any(|pairs| pairs.iter().any(|pair| pair.key == option))
            };
            let here = call.at..call.at + 1;
            if said.contains(&(project, "tenant")) && !says("tenant") {
                let message = format!("`{project}` is deployed for tenants elsewhere in this script, and here for none");
                told.push(self.file.finding(&TENANT_FORGOTTEN, here.clone(), message).help("name one with #{tenant: \"...\"}"));
            }
            if literal(1) == Some("latest") && said.contains(&(project, "channel")) && !says("channel") {
                let message = format!("`latest` of `{project}` says its channel elsewhere in this script, and here it does not");
                told.push(self.file.finding(&CHANNEL_FORGOTTEN, here, message).help("say which one: #{channel: \"...\"}"));
            }
        }
        self.found.append(&mut told);
    }

    /// Whether an argument is work that the server begins later: a call with the option `at`, or a variable that holds one.
    fn is_scheduled(&self, argument: &Range<usize>) -> bool {
        let reading = &self.file.reading;
        let has_time = |range: &Range<usize>| {
            let calls = self.calls.iter().filter(|call| range.contains(&call.at) && ACTS.contains(&call.name));
            let mut maps = calls.flat_map(|call| &call.args).filter_map(|argument| reading.map(argument));
            maps.any(|pairs| pairs.iter().any(|pair| pair.key == "at"))
        };
        has_time(argument)
            || argument.clone().any(|at| match reading.declaration(at).map(|declared| &declared.holds) {
                Some(Holds::Value(value)) => has_time(value),
                _ => false,
            })
    }

    /// Waits for work that is scheduled for later, and that do not say how long they may take.
    pub(super) fn limits(&mut self) {
        let mut told = Vec::new();
        for call in &self.calls {
            let entries = self.entries(call);
            let Some(limit) = entries
                .iter()
                .filter(|entry| entry.group == "wait")
                .flat_map(|entry| entry.options)
                .find(|option| option.name == "timeout")
            else {
                continue;
            };
            let given = call.args.iter().any(|argument| match self.file.reading.map(argument) {
                Some(pairs) => pairs.iter().any(|pair| pair.key == "timeout"),
                // A variable may hold options.
                None => argument.len() == 1 && self.kind_at(argument.start).as_deref() == Some("map"),
            });
            if !given && call.args.iter().any(|argument| self.is_scheduled(argument)) && self.own.iter().all(|(name, _)| name != call.name)
            {
                let message =
                    format!("`{}` waits for work that is scheduled for later, and gives up {} from now", call.name, limit.default);
                let finding = self.file.finding(&DEFAULT_LIMIT, call.at..call.at + 1, message);
                told.push(finding.help("say how long it may take: `#{timeout: \"12h\"}`"));
            }
        }
        self.found.append(&mut told);
    }

    /// Loops that sleep and that nothing ends.
    pub(super) fn loops(&mut self) {
        let mut told = Vec::new();
        for at in 0..self.file.reading.pieces.len() {
            let keyword = self.word(at);
            if self.file.reading.pieces[at].kind != Kind::Word || !matches!(keyword, "while" | "loop" | "do") {
                continue;
            }
            let Some(open) = (at..self.file.reading.pieces.len()).find(|at| self.word(*at) == "{") else { continue };
            let close = self.block_end(open);
            let mut whole = at..close;
            if keyword == "do" {
                // Its condition stands behind it.
                whole.end =
                    (close..self.file.reading.pieces.len()).find(|at| self.word(*at) == ";").unwrap_or(self.file.reading.pieces.len());
            }
            let words: Vec<&str> = whole.clone().map(|at| self.word(at)).collect();
            let sleeps = self.calls.iter().any(|call| whole.contains(&call.at) && matches!(call.name, "sleep" | "refresh"));
            let bounded =
                words.contains(&"now") || words.windows(2).any(|pair| matches!(pair, ["+" | "-", "="])) || words.contains(&"wait");
            if sleeps && !bounded {
                let finding = self.file.finding(
                    &WAIT_WITHOUT_LIMIT,
                    at..at + 1,
                    format!("this `{keyword}` waits without a limit: if what it waits for never comes, it never ends"),
                );
                told.push(finding.help("wait with a limit: `wait_for(|| condition, #{timeout: \"30m\", message: \"what for\"})`, or `wait(task, #{timeout: \"30m\"})`"));
            }
        }
        self.found.append(&mut told);
    }

    /// The piece that closes the bracket which piece `open` opens.
    fn block_end(&self, open: usize) -> usize {
        self.file.reading.end_of(open)
    }

    fn is_locked(&self, call: &Call<'_>) -> bool {
        let around = std::iter::successors(call.parent, |parent| self.calls[*parent].parent);
        let inside = around.into_iter().any(|around| LOCKS.contains(&self.calls[around].name));
        // `only_one();` holds to the end of the script.
        let before = self
            .calls
            .iter()
            .any(|other| other.at < call.at && other.parent.is_none() && LOCKS.contains(&other.name) && !self.has_closure(other));
        inside || before
    }

    fn has_closure(&self, call: &Call<'_>) -> bool {
        call.args.iter().any(|argument| self.word(argument.start) == "|")
    }

    /// `if running(...) ... deploy(...)`: between the look and the act, somebody else may act.
    pub(super) fn check_then_act(&mut self) {
        let mut told = Vec::new();
        let decisions = self.decisions();
        for call in self.calls.iter().filter(|call| ACTS.contains(&call.name) && !self.is_locked(call)) {
            let Some(decision) = decisions.iter().find(|d| d.decides.contains(&call.at) && self.same_function(d.decides.start, call.at))
            else {
                continue;
            };
            let message = format!(
                "`{}` follows from what `{}` saw, and nothing keeps it so: another script or person may act in between",
                call.name, decision.look
            );
            let finding = self.file.finding(&CHECK_THEN_ACT, call.at..call.at + 1, message);
            let finding = finding.help("put the look and the act into one lock: `lock(\"name\", #{wait_up_to: \"30m\"}, || { ... });`");
            told.push(finding.help("to deploy only what is not there yet, `ensure(project, version, env)` looks and acts in one"));
        }
        self.found.append(&mut told);
    }

    /// What looks at the server decide.
    fn decisions(&self) -> Vec<Decision<'a>> {
        let end = self.file.reading.pieces.len();
        let mut found: Vec<Decision> = Vec::new();
        // Variables that hold what was seen.
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for call in self.calls.iter().filter(|call| LOOKS.contains(&call.name)) {
            let statement = self.statement_start(call.at);
            if self.word(statement) == "let" {
                seen.push((self.word(statement + 1), call.name));
            }
            // It returns when all is quiet: what follows relies on it.
            if call.name == "wait_idle" {
                found.push(Decision { look: call.name, decides: call.at..end });
            }
        }
        for at in 0..end {
            let keyword = self.word(at);
            if self.file.reading.pieces[at].kind != Kind::Word || !matches!(keyword, "if" | "while" | "require") {
                continue;
            }
            let open = if keyword == "require" { self.block_end(at + 1) } else { (at..end).find(|at| self.word(*at) == "{").unwrap_or(at) };
            let look = (at..open).find_map(|word| {
                let looks = LOOKS.iter().find(|look| **look == self.word(word) && self.word(word + 1) == "(");
                looks.copied().or_else(|| seen.iter().find(|(name, _)| *name == self.word(word)).map(|(_, look)| *look))
            });
            let Some(look) = look else { continue };
            let close = self.block_end(open);
            let leaves = (open..close).any(|at| matches!(self.word(at), "return" | "throw" | "fail" | "requeue"));
            let decides = match keyword {
                "if" if !leaves => open..self.chain_end(close),
                _ => open..end,
            };
            found.push(Decision { look, decides });
        }
        found
    }

    /// Where the last `else` of an `if` ends whose block ends at `close`.
    fn chain_end(&self, mut close: usize) -> usize {
        while self.word(close + 1) == "else" {
            let Some(open) = (close..self.file.reading.pieces.len()).find(|at| self.word(*at) == "{") else { break };
            close = self.block_end(open);
        }
        close
    }

    /// Where the statement begins that piece `at` stands in.
    fn statement_start(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        let before = (0..at).rev().find(|before| match (self.file.reading.pieces[*before].kind, self.word(*before)) {
            (Kind::Sign, ")" | "]") => {
                depth += 1;
                false
            }
            (Kind::Sign, "(" | "[") => {
                depth = depth.saturating_sub(1);
                false
            }
            (Kind::Sign, ";" | "{" | "}") => depth == 0,
            _ => false,
        });
        before.map_or(0, |before| before + 1)
    }

    /// Whether two places are in the same function: no `fn` stands between them.
    fn same_function(&self, one: usize, other: usize) -> bool {
        (one..other).all(|at| self.word(at) != "fn")
    }

    /// Times of day that are written out without a zone.
    pub(super) fn times(&mut self) {
        let mut told = Vec::new();
        for call in &self.calls {
            let mut places: Vec<Range<usize>> = Vec::new();
            if let Some((_, at)) = TIMES.iter().find(|(name, _)| *name == call.name) {
                // `window(text, zone)` says it in an argument of its own.
                let said = matches!(call.name, "window" | "wait_window") && call.args.len() > 1;
                places.extend(call.args.get(*at).filter(|_| !said).cloned());
            }
            for argument in &call.args {
                let pairs = self.file.reading.map(argument).unwrap_or_default();
                places.extend(pairs.into_iter().filter(|pair| matches!(pair.key, "at" | "since" | "before")).map(|pair| pair.value));
            }
            for place in places {
                let Some(written) = self.file.reading.literal(&place) else { continue };
                if has_time_of_day(written) && !has_zone(written) && is_time(written) {
                    let finding = self.file.finding(
                        &TIME_WITHOUT_ZONE,
                        place,
                        format!("`{written}` does not say in which zone: what it means depends on the machine"),
                    );
                    let written_so = if call.name.contains("window") {
                        format!("`{}(\"{written}\", \"Europe/Berlin\")`", call.name)
                    } else {
                        format!("`\"{written} Europe/Berlin\"`")
                    };
                    told.push(finding.help(format!("write {written_so}, or run it with `--tz` everywhere")));
                }
            }
        }
        self.found.append(&mut told);
    }

    /// What comes from `secret(...)` and goes where people read it.
    pub(super) fn secrets(&mut self) {
        let mut told = Vec::new();
        let mut hidden: BTreeSet<&str> = BTreeSet::new();
        let mut revealed: BTreeSet<&str> = BTreeSet::new();
        for call in self.calls.iter().filter(|call| matches!(call.name, "secret" | "reveal")) {
            let start = self.statement_start(call.at);
            if matches!(self.word(start), "let" | "const") && call.parent.is_none() {
                let reveals = call.name == "reveal"
                    || (call.at..self.file.reading.pieces.len()).take_while(|at| self.word(*at) != ";").any(|at| self.word(at) == "reveal");
                if reveals {
                    revealed.insert(self.word(start + 1))
                } else {
                    hidden.insert(self.word(start + 1))
                };
            }
        }
        for call in self.calls.iter().filter(|call| SHOWS.contains(&call.name)) {
            let inside = call.at + 2..call.close;
            let member = |at: usize| at > 0 && self.word(at - 1) == ".";
            let shown = inside.clone().find(|at| {
                let word = self.word(*at);
                let is_word = self.file.reading.pieces.get(*at).is_some_and(|piece| piece.kind == Kind::Word) && !member(*at);
                let whole = is_word && (revealed.contains(word) || hidden.contains(word));
                whole || is_word && word == "secret" && self.word(at + 1) == "("
            });
            if let Some(at) = shown {
                let name = self.word(at);
                let what = if name == "secret" { "a secret".to_owned() } else { format!("`{name}` is a secret, and") };
                let what = format!("{what} goes into `{}`, which people read", call.name);
                told.push(self.file.finding(&SECRET_SHOWN, at..at + 1, what).help(
                    "`***` stands there; only a mail shows a secret whose `.reveal()` was called; hand it on with `output_secret(name, value)`",
                ));
            }
        }
        // Rhai makes the text at once: a secret is `***` in it, also where the text is sent as data.
        let reading = &self.file.reading;
        for (at, piece) in reading.pieces.iter().enumerate() {
            let in_text = || reading.around(at).is_some_and(|open| reading.pieces[open].of(reading.text).ends_with("${"));
            let is_secret =
                piece.kind == Kind::Word && (hidden.contains(self.word(at)) || self.word(at) == "secret" && self.word(at + 1) == "(");
            let behind = if self.word(at) == "secret" { self.block_end(at + 1) } else { at } + 1;
            let is_whole = self.word(at.wrapping_sub(1)) != "." && self.word(behind) != ".";
            let is_told = self.calls.iter().any(|call| SHOWS.contains(&call.name) && (call.at..call.close).contains(&at));
            if is_secret && is_whole && !is_told && in_text() {
                let message = format!("`***` stands in this text in the place of `{}`", self.word(at));
                let finding = self.file.finding(&SECRET_IN_TEXT, at..at + 1, message);
                told.push(
                    finding.help("joined with `+` it stays a secret: `\"Bearer \" + token`; `${token.reveal()}` puts its text there"),
                );
            }
        }
        self.found.append(&mut told);
    }

    /// `#{...}` that Octopus takes for its own when the script is the body of a step (octopus-step-contract.md §1.3).
    pub(super) fn inline(&mut self) {
        let (file, mut from) = (self.file, 0);
        let comments: Vec<Range<usize>> =
            pieces(file.reading.text).into_iter().filter(|piece| piece.kind == Kind::Comment).map(|piece| piece.range).collect();
        while let Some(found) = file.reading.text[from..].find("#{") {
            let at = from + found;
            from = at + 2;
            let Some(length) = file.reading.text[from..].find('}') else { break };
            let inner = &file.reading.text[from..from + length];
            if comments.iter().any(|comment| comment.contains(&at)) {
                continue;
            }
            let why = if file.reading.text[..at].ends_with('#') {
                Some("one `#` of it is taken away")
            } else if !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_-:/~()@.[]".contains(c)) {
                match inner.split_once(':') {
                    None => Some("it is replaced by the value of a variable of that name"),
                    Some((_, value)) if !value.starts_with(char::is_whitespace) => {
                        Some("it is replaced by the value of a variable of that name")
                    }
                    Some(_) if inner.contains('\n') => Some("its line breaks are taken out, and every later line has another number"),
                    Some(_) => None,
                }
            } else {
                None
            };
            if let Some(why) = why {
                let shown = inner.split_whitespace().collect::<Vec<_>>().join(" ");
                self.found.push(Finding {
                    rule: &INLINE_TRAP,
                    file: file.name.to_owned(),
                    range: at..from + length + 1,
                    message: format!("as the inline body of a step, `#{{{shown}}}` is read by Octopus first: {why}"),
                    help: vec![
                        "use the script as a step template (`octorhai template export`), from a package, or from git: those are safe"
                            .to_owned(),
                    ],
                });
            }
        }
    }
}

/// Whether a text is a time or a window, and not a typing error.
fn is_time(written: &str) -> bool {
    text::point(written, Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_ok() || text::Window::parse(written, &TimeZone::UTC).is_ok()
}

/// Whether a text names a time of day: `tomorrow 03:00`, `22:00-04:00`; durations do not.
fn has_time_of_day(written: &str) -> bool {
    let letters: Vec<char> = written.chars().collect();
    letters.windows(4).any(|w| w[0].is_ascii_digit() && w[1] == ':' && w[2].is_ascii_digit() && w[3].is_ascii_digit())
}

/// Whether a text names a zone: `Europe/Berlin`, `UTC`, `Z`, `+02:00`.
fn has_zone(written: &str) -> bool {
    let last = written.rsplit([' ', '[']).next().unwrap_or_default().trim_end_matches(']');
    let offset = written.rsplit_once(['+']).is_some_and(|(_, offset)| offset.contains(':') || offset.len() == 2);
    let behind_time = written.contains('T') && written.matches('-').count() > 2;
    last.contains('/') || matches!(last, "UTC" | "GMT") || written.ends_with('Z') || offset || behind_time
}
