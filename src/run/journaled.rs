//! A run under a name: begun, continued, ended in the journal.

use super::{Outcome, Settings};
use crate::{
    api::{self, Client, User},
    clock::{Clock, later},
    doctor::Advice,
    engine::Failure,
    error::{Error, Kind, Result},
    event::{Events, Level},
    host::record::{LONG, Recorder, sealed::Sealer},
    journal::{Begin, BegunFor, Claim, Holder, Journal, NewRun, Run, RunState, Step, asked_to_end, fingerprint},
    platform::process::ProcessIdentity,
    secrets::Redactor,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use tokio::runtime::Runtime;

/// Where and under which name a run is journaled.
pub struct Journaling {
    /// Where.
    pub store: Journal,
    /// Its name. An unfinished run of that name is continued.
    pub name: String,
    /// What is done when a run of that name has ended.
    pub begin: Begin,
    /// The parameters, with digests in the place of secrets.
    pub params: Value,
    /// What else decides what the script does: server, space, `ctx`.
    pub target: Value,
    /// How it is begun, for [`NewRun::options`].
    pub options: Value,
    /// Put the run down when it has to wait for long.
    pub suspend: bool,
    /// Go on also when another user began the run.
    pub any_user: bool,
}

/// A run that was taken up.
pub(super) struct TakenUp {
    store: Journal,
    name: String,
    script: String,
    holder: Holder,
    /// Stands in markers.
    pub(super) mark: String,
    steps: Vec<Step>,
    has_steps: bool,
    redactor: Redactor,
    /// Secret parameters, and others that hold a secret.
    secrets: Vec<(String, String)>,
    suspend: bool,
    any_user: bool,
    /// What the record says that it was begun with, without the texts of its sources where it goes on.
    begun: NewRun,
    /// How it stood when it was found; none of one that begins.
    found: Option<RunState>,
}

/// What came of taking it up.
pub(super) enum Begun {
    /// It is ours.
    Ours(Box<TakenUp>),
    /// It ended before: that is its outcome.
    Over(Box<Outcome>),
}

/// Takes a run up before anything is asked of the server: whatever is wrong with its journal is said with nothing sent.
pub(super) fn take_up(
    journaling: &Journaling,
    settings: &Settings,
    advice: Advice,
    mark: String,
    clock: &Clock,
    events: &Events,
    runtime: &Runtime,
) -> Result<Begun, Failure> {
    let files = sources(settings)?;
    let new = NewRun {
        name: journaling.name.clone(),
        mark,
        script: settings.script.name.clone(),
        sources: files,
        params: journaling.params.clone(),
        target: journaling.target.clone(),
        options: journaling.options.clone(),
        begun_for: BegunFor { server: journaling.target["server"].as_str().map(str::to_owned), user: None },
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        created: clock.now(),
    };
    let holder = Holder {
        nonce: uuid::Uuid::new_v4().simple().to_string(),
        host: hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        pid: std::process::id(),
        mode: advice.json(),
        identity: ProcessIdentity::own(),
    };
    let claimed = match claim(journaling, &new, &holder, settings, events, runtime)? {
        // It came to nothing, e.g. because the server's address was wrong: whoever asks for something else now begins anew.
        Claim::Resumed(run, steps) if steps.is_empty() && same(&run.new, &new).is_err() => {
            let over = RunState::Failed { exit_code: Kind::Usage.exit_code(), reason: "it did nothing, and was begun anew".to_owned() };
            journaling.store.put_down(&new.name, &holder, &over, clock.now())?;
            journaling.store.claim_if(&new, &holder, Begin::Anew)?
        }
        claimed => claimed,
    };
    let (begun, steps, found) = match claimed {
        Claim::Fresh => (new.clone(), Vec::new(), None),
        Claim::Held(run) => return Err(held(&run).into()),
        Claim::Ended(run) => return Ok(Begun::Over(Box::new(over(&run, events)))),
        // What a person stopped stays stopped.
        Claim::Resumed(mut run, _) if run.asked_to_end => {
            run.state = asked_to_end();
            journaling.store.put_down(&new.name, &holder, &run.state, clock.now())?;
            return Ok(Begun::Over(Box::new(over(&run, events))));
        }
        Claim::Resumed(run, steps) => {
            if let Err(error) = same(&run.new, &new) {
                // Put back as it was found.
                let state = match run.state {
                    RunState::Running => RunState::Stopped { exit_code: error.kind().exit_code(), reason: error.message().to_owned() },
                    other => other,
                };
                journaling.store.put_down(&new.name, &holder, &state, clock.now())?;
                return Err(error.into());
            }
            let since = run.new.created;
            let done = steps.len();
            events.note(
                Level::Info,
                format!("continuing run `{}` of {since:.0}, start {}: {done} steps are in its journal", new.name, run.attempts),
            );
            if run.new.engine != new.engine {
                events.note(Level::Warning, format!("the run was begun by octorhai {}, this is {}", run.new.engine, new.engine));
            }
            (run.new, steps, Some(run.state))
        }
    };
    events.note(Level::Verbose, format!("run `{}` in the journal at {}", new.name, journaling.store.place()));
    let (store, name, marker, redactor, time) =
        (journaling.store.clone(), new.name.clone(), holder.clone(), settings.secrets.clone(), clock.clone());
    settings.cancel.record_first(move |why| store.mark_cancelled(&name, &marker, &redactor.clean(why), time.now()));
    Ok(Begun::Ours(Box::new(TakenUp {
        store: journaling.store.clone(),
        name: new.name,
        script: new.script,
        holder,
        mark: begun.mark.clone(),
        has_steps: !steps.is_empty(),
        steps,
        redactor: settings.secrets.clone(),
        secrets: secrets(&journaling.params, settings),
        suspend: journaling.suspend,
        any_user: journaling.any_user,
        begun,
        found,
    })))
}

/// How long an attempt of a step waits at most for the process that works on its run.
const STEP_WAITS: SignedDuration = SignedDuration::from_mins(30);

/// Takes the run. Octopus starts a step again on its own, also while the process of the attempt before is not yet known to be
/// gone: then this attempt waits until that process has ended, instead of failing a deployment that can go on.
fn claim(journaling: &Journaling, new: &NewRun, holder: &Holder, settings: &Settings, events: &Events, runtime: &Runtime) -> Result<Claim> {
    // Leases are about processes: they last as long as they say, also when a run's clock is faster.
    let clock = Clock::real();
    let until = later(clock.now(), STEP_WAITS);
    let mut told_at = None;
    loop {
        let claim = journaling.store.claim_if(new, holder, journaling.begin)?;
        let Claim::Held(run) = &claim else { return Ok(claim) };
        let now = clock.now();
        if settings.context.step.is_none() || now >= until {
            return Ok(claim);
        }
        if told_at.is_none_or(|told| now.duration_since(told) >= SignedDuration::from_secs(15)) {
            told_at = Some(now);
            events.note(Level::Info, format!("{}; this attempt of the step waits for it", run.worked_on()));
        }
        let pause = run.gone_in.map_or(SignedDuration::from_secs(2), |left| left.min(SignedDuration::from_secs(2)));
        let pause = pause.max(SignedDuration::from_millis(100));
        runtime.block_on(settings.cancel.guard(async {
            clock.sleep(pause).await;
            Ok(())
        }))?;
    }
}

/// What only users of the server can know of it, and who we are there; none where it does not say.
async fn who(client: &Client) -> Result<Option<(String, User)>> {
    let asked = async {
        let server = client.server_info().await?;
        Ok((server.installation_id, client.me().await?))
    };
    match asked.await {
        Ok((secret, user)) if !secret.is_empty() => Ok(Some((secret, user))),
        Ok(_) => Ok(None),
        Err(error) if matches!(Error::kind(&error), Kind::Forbidden | Kind::NotFound | Kind::BadAnswer) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Name and text of the script's files.
fn sources(settings: &Settings) -> Result<Vec<(String, String)>, Failure> {
    let program = super::compiled(&settings.script)?;
    Ok(program.files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
}

/// How a run that has ended is begun anew.
fn begin_anew(name: &str, script: &str) -> String {
    format!("begin it anew: octorhai run --run-id {name} --anew {script}\nwhat it did: octorhai runs show {name}")
}

fn over(run: &Run, events: &Events) -> Outcome {
    let name = &run.new.name;
    let anew = begin_anew(name, &run.new.script);
    let stays = "every start under this name ends like this until it is begun anew, or gets another --run-id";
    let again = format!("begin it anew: --run-id {name} --anew; what it did: octorhai runs show {name}");
    let (exit_code, result, failure) = match &run.state {
        RunState::Succeeded { result } if is_requeued(result) => {
            let at = result["requeued"].as_str().unwrap_or_default();
            let error = Error::new(Kind::Suspended, format!("run `{name}` was requeued before, {:.0}, for {at}", run.updated))
                .help(anew)
                .with("task", result["task"].clone())
                .with("at", at);
            (error.kind().exit_code(), Value::Null, Some(Failure::from(error)))
        }
        RunState::Succeeded { result } => {
            events.note(Level::Info, format!("run `{name}` has succeeded before, {:.0}: nothing is done again ({again})", run.updated));
            (0, result.clone(), None)
        }
        RunState::Failed { exit_code, reason } => {
            let error = Error::new(Kind::of_exit_code(*exit_code), format!("run `{name}` has failed before, {:.0}: {reason}", run.updated))
                .help(stays)
                .help(anew);
            (*exit_code, Value::Null, Some(Failure::from(error)))
        }
        other => {
            let reason = if let RunState::Cancelled { reason } = other { reason.as_str() } else { "" };
            let error =
                Error::new(Kind::Cancelled, format!("run `{name}` was cancelled, {:.0}, and is not continued: {reason}", run.updated))
                    .help(stays)
                    .help(anew);
            (Kind::Cancelled.exit_code(), Value::Null, Some(Failure::from(error)))
        }
    };
    Outcome::of(exit_code, result, failure)
}

/// Whether it is what [`state_of`] makes of a run that ended by `requeue`.
fn is_requeued(result: &Value) -> bool {
    let time = |value: &Value| value.as_str().is_some_and(|at| at.parse::<Timestamp>().is_ok());
    result.as_object().is_some_and(|result| result.len() == 2 && result.contains_key("task") && result.get("requeued").is_some_and(time))
}

fn held(run: &Run) -> Error {
    Error::new(Kind::LockBusy, format!("{} (begun {:.0})", run.worked_on(), run.new.created))
        .help("wait for it, or give this run another name with --run-id")
        .help(format!("see it: octorhai runs show {0}\nend it: octorhai runs cancel {0}", run.new.name))
        .with("run", run.new.name.clone())
}

/// An error when a run cannot go on as what it is asked to be now.
fn same(then: &NewRun, now: &NewRun) -> Result<()> {
    let refuse = |what: String| {
        Err(Error::usage(format!("run `{}` cannot be continued: {what}", then.name))
            .help("nothing was sent")
            .help(format!("restore what it was begun with (octorhai runs show {0}), or give it up: octorhai runs cancel {0}", then.name))
            .help("or begin another one with another --run-id"))
    };
    let text = |run: &NewRun, file: &str| run.sources.iter().find(|(name, _)| beside(run, name) == file).map(|(_, text)| text.clone());
    // The script may be called by another path now, and its modules with it.
    let main = |run: &NewRun| run.sources.first().map(|(_, text)| text.clone());
    if main(then) != main(now) {
        let line = first_difference(&main(then).unwrap_or_default(), &main(now).unwrap_or_default());
        return refuse(format!("the script `{}` was changed since it began{line}", now.script));
    }
    for (file, before) in then.sources.iter().skip(1) {
        match text(now, beside(then, file)) {
            None => return refuse(format!("the module `{file}`, which it began with, is not there any more")),
            Some(after) if after != *before => {
                return refuse(format!("the module `{file}` was changed since it began{}", first_difference(before, &after)));
            }
            Some(_) => {}
        }
    }
    if let Some((file, _)) = now.sources.iter().skip(1).find(|(file, _)| text(then, beside(now, file)).is_none()) {
        return refuse(format!("it began without the module `{file}`"));
    }
    if let Some((name, before, after)) = difference(&then.params, &now.params) {
        if before == SECRET && after == SECRET {
            return refuse(format!("the secret parameter `{name}` is not the one it began with"));
        }
        return refuse(format!("parameter `{name}` was {before}, and is {after} now"));
    }
    let mut target = then.target.clone();
    // An earlier version wrote the address down as it was typed.
    if let Some(server) = target["server"].as_str().and_then(|server| api::base_address(server).ok()) {
        target["server"] = json!(server);
    }
    if let Some((name, before, after)) = difference(&target, &now.target) {
        return refuse(format!("`{name}` was {before}, and is {after} now"));
    }
    Ok(())
}

/// The name of a file of a script as the script's folder knows it.
fn beside<'a>(run: &NewRun, file: &'a str) -> &'a str {
    let folder = run.sources.first().and_then(|(main, _)| Path::new(main).parent()).unwrap_or(Path::new(""));
    Path::new(file).strip_prefix(folder).ok().and_then(Path::to_str).unwrap_or(file)
}

/// The first line that is not the same, in words.
fn first_difference(before: &str, after: &str) -> String {
    let (mut left, mut right) = (before.lines(), after.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (then, now) if then != now => {
                let show = |line: Option<&str>| line.map_or_else(|| "nothing".to_owned(), |line| format!("`{}`", line.trim()));
                return format!(": line {number} was {}, and is {} now", show(then), show(now));
            }
            _ => {}
        }
    }
    String::new()
}

/// What is said of a secret's value.
const SECRET: &str = "another secret";

/// The first member that differs, with both values for people.
fn difference(before: &Value, after: &Value) -> Option<(String, String, String)> {
    let empty = serde_json::Map::new();
    let (left, right) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "not given".to_owned(),
        Some(value) if value.get("secret").is_some() => SECRET.to_owned(),
        Some(value) => format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
    };
    for name in names {
        let (then, now) = (left.get(name), right.get(name));
        if then.unwrap_or(&Value::Null) != now.unwrap_or(&Value::Null) {
            return Some((name.clone(), shown(then), shown(now)));
        }
    }
    None
}

/// The parameters that the record holds only as digests, as they were given to this start.
fn secrets(recorded: &Value, settings: &Settings) -> Vec<(String, String)> {
    let hidden = |name: &&String| recorded.get(name.as_str()).is_some_and(|value| value.get("secret").is_some());
    let text = |name: &String| settings.params.get(name)?.as_str().map(|value| (name.clone(), value.to_owned()));
    settings.params.keys().filter(hidden).filter_map(text).collect()
}

impl TakenUp {
    /// The recorder for the script's functions.
    pub(super) fn recorder(&mut self, clock: &Clock) -> Recorder {
        let suspend_after = self.suspend.then(|| later(clock.now(), LONG));
        Recorder::new(
            self.store.clone(),
            self.name.clone(),
            self.holder.clone(),
            std::mem::take(&mut self.steps),
            Sealer::new(self.redactor.clone(), std::mem::take(&mut self.secrets)),
            suspend_after,
        )
    }

    /// Asks the server whose key this is, and says what is wrong when the run was begun by another user. Of a run that begins, writes down
    /// who that is.
    pub(super) async fn is_of_another_user(&self, client: &Client) -> Result<Option<Error>> {
        let (begun, address) = (&self.begun, client.address());
        let known = begun.begun_for.user.as_deref();
        if known.is_none() && self.has_steps {
            // An earlier version wrote it down. Who began it is not known.
            return Ok(None);
        }
        let now = who(client).await?;
        let mark = now.as_ref().map(|(secret, user)| fingerprint(secret, &begun.mark, &address, user.id.as_ref()));
        match (known, mark) {
            (None, None) => Ok(None),
            (None, user) => {
                let begun_for = BegunFor { server: Some(address), user };
                self.store.begin_for(&NewRun { begun_for, ..begun.clone() }, &self.holder).map(|()| None)
            }
            (Some(known), Some(mark)) if known == mark => Ok(None),
            _ if self.any_user => Ok(None),
            (Some(_), _) => {
                let this = now.map_or_else(
                    || "does not say who this key is of".to_owned(),
                    |(_, user)| format!("takes this key for one of `{}`", user.username),
                );
                let error = Error::usage(format!("run `{}` was begun by another user: `{address}` {this}", self.name));
                let error = error
                    .help("what is left of the run would be done with other permissions and under another name; nothing was changed")
                    .help("continue it with a key of the user that began it")
                    .help(format!("to continue it as this user all the same: octorhai runs resume {} --another-user", self.name));
                Ok(Some(error))
            }
        }
    }

    /// Says every few seconds that we live, and ends the run when somebody asks for it.
    pub(super) async fn keep_alive(store: Journal, name: String, holder: Holder, cancel: crate::cancel::Cancel) {
        // Leases are about processes: they last as long as they say, also when a run's clock is faster.
        let clock = Clock::real();
        loop {
            clock.sleep(SignedDuration::from_secs(10)).await;
            let (store, name, holder) = (store.clone(), name.clone(), holder.clone());
            let asked = tokio::task::spawn_blocking(move || store.beat(&name, &holder)).await;
            match asked {
                Ok(Ok(true)) => return cancel.cancel("octorhai runs cancel"),
                Ok(Err(error)) if error.kind() == Kind::Fenced => return cancel.cancel(error.message()),
                // A store that is away for a moment: the next write decides.
                _ => {}
            }
        }
    }

    /// What [`TakenUp::keep_alive`] needs.
    pub(super) fn life(&self) -> (Journal, String, Holder) {
        (self.store.clone(), self.name.clone(), self.holder.clone())
    }

    /// Ends a run that did not come to its script: it goes on another time, whatever kept it from it.
    pub(super) fn give_back(&self, outcome: &mut Outcome, clock: &Clock) {
        let state = match state_of(outcome) {
            RunState::Failed { exit_code, reason } => RunState::Stopped { exit_code, reason },
            state => state,
        };
        self.write(state, outcome, clock, Ok(()));
    }

    /// Leaves a run as it was found: for whoever may continue it.
    pub(super) fn leave_as_found(&self, outcome: &mut Outcome, clock: &Clock) {
        match &self.found {
            Some(found) => self.write(found.clone(), outcome, clock, Ok(())),
            None => self.give_back(outcome, clock),
        }
    }

    /// Writes how the run ended; what cannot be written becomes the outcome of one that went well.
    pub(super) fn put_down(&self, recorder: &Recorder, outcome: &mut Outcome, clock: &Clock) {
        let by_itself = outcome.failure.as_ref().is_none_or(|failure| !failure.error.stops());
        let mut written = recorder.finish(by_itself);
        if let Err(error) = &written
            && error.kind() == Kind::Diverged
        {
            *outcome = super::failed(error.clone().into());
            written = Ok(());
        }
        // Another process works on the run; if it is a lock that was lost, the record is still ours.
        if outcome.failure.as_ref().is_some_and(|failure| failure.error.kind() == Kind::Fenced && failure.error.fact("lock").is_none()) {
            return;
        }
        self.write(state_of(outcome), outcome, clock, written);
    }

    fn write(&self, state: RunState, outcome: &mut Outcome, clock: &Clock, written: Result<()>) {
        let kept = without_secrets(&self.redactor, state.clone());
        let written = written.and_then(|()| self.store.put_down(&self.name, &self.holder, &kept, clock.now()));
        if let Err(error) = written {
            let error = error.context("how the run ended could not be written");
            match &mut outcome.failure {
                Some(failure) => failure.error = failure.error.clone().help(error.message()),
                None => *outcome = super::failed(error.into()),
            }
        } else if let RunState::Stopped { .. } = state
            && let Some(failure) = &mut outcome.failure
        {
            failure.error = failure.error.clone().help(format!("go on with it: octorhai runs resume {}", self.name));
        } else if let RunState::Cancelled { .. } = state
            && let Some(failure) = &mut outcome.failure
        {
            let help = format!("a cancelled run is not continued\n{}", begin_anew(&self.name, &self.script));
            failure.error = failure.error.clone().help(help);
        }
    }
}

/// What a run returns or failed with may hold what a script revealed: the record does not.
fn without_secrets(redactor: &Redactor, state: RunState) -> RunState {
    let clean = |text: &str| redactor.clean(text).into_owned();
    match state {
        RunState::Succeeded { result } => RunState::Succeeded { result: redactor.clean_value(result) },
        RunState::Cancelled { reason } => RunState::Cancelled { reason: clean(&reason) },
        RunState::Suspended { due, reason } => RunState::Suspended { due, reason: clean(&reason) },
        RunState::Stopped { exit_code, reason } => RunState::Stopped { exit_code, reason: clean(&reason) },
        RunState::Failed { exit_code, reason } => RunState::Failed { exit_code, reason: clean(&reason) },
        RunState::Running => RunState::Running,
    }
}

fn state_of(outcome: &Outcome) -> RunState {
    let Some(failure) = &outcome.failure else { return RunState::Succeeded { result: outcome.result.clone() } };
    let error = &failure.error;
    let (exit_code, reason) = (outcome.exit_code, error.message().to_owned());
    match error.kind() {
        Kind::Cancelled => RunState::Cancelled { reason },
        Kind::Suspended => match error.fact("due").and_then(Value::as_str).and_then(|due| due.parse().ok()) {
            Some(due) => {
                RunState::Suspended { due, reason: error.fact("waits_for").and_then(Value::as_str).unwrap_or_default().to_owned() }
            }
            // `requeue` ended the script as it should.
            None => RunState::Succeeded { result: json!({"requeued": error.fact("at"), "task": error.fact("task")}) },
        },
        _ if error.stops() => RunState::Stopped { exit_code, reason },
        _ => RunState::Failed { exit_code, reason },
    }
}
