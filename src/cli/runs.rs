//! `octorhai runs`: what the journal holds, for people and for programs.

use super::{
    columns::{MOST_LETTERS, columns, tame},
    environment::Environment,
    lines::zone_name,
    reap::ReapArgs,
    recorded_steps::{self, one_line},
    resume::ResumeArgs,
    run_words::{moment, state, unknown},
    shared_args::Output,
    store,
    subcommand::{Stage, Subcommand},
    ui::{Loudness, Tone, Ui},
};
use crate::{
    clock::{Clock, text},
    doctor::Advice,
    error::{Error, Kind, Result, with_commas},
    host::record::sealed::masked,
    journal::{Journal, Run, RunState, Step},
    platform::zones,
};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// What `octorhai runs` takes.
#[derive(Args, Debug)]
pub struct RunsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RunsCommand,

    /// Where runs are kept: a folder, or postgres://USER@HOST/DATABASE with the password in PGPASSWORD [env: OCTORHAI_STORE]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub store: Option<String>,

    /// Write without colour, as with NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The subcommands of `octorhai runs`.
#[derive(Debug, clap::Subcommand)]
pub enum RunsCommand {
    /// List runs, the newest first
    List(ListArgs),
    /// Show a run: how it stands, every step with its outcome and link, and how to go on
    Show(ShowArgs),
    /// Go on with a run that did not come to its end, or with all that are due
    Resume(Box<ResumeArgs>),
    /// Ask runs to end; one that no process works on is cancelled at once
    Cancel(CancelArgs),
    /// Delete runs that ended long ago; never an unfinished one
    Prune(PruneArgs),
    /// List what steps of a task have started, and cancel what a killed one left behind
    Reap(ReapArgs),
}

/// What `octorhai runs list` takes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only runs that can go on
    #[arg(long)]
    pub unfinished: bool,

    /// How many at most; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// A table, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai runs show` takes.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The run
    pub name: String,

    /// Lines for people, or one JSON object
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai runs cancel` takes.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// The runs
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// What `octorhai runs prune` takes.
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// How long ago they must have ended, e.g. 90d
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    pub older_than: String,

    /// Only name them
    #[arg(long)]
    pub dry_run: bool,
}

impl Subcommand for RunsArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    /// Of several runs only what went wrong is told beside their results.
    fn loudness(&self) -> Loudness {
        match &self.command {
            RunsCommand::Resume(args) if args.due && !args.verbose || args.quiet => Loudness::Quiet,
            RunsCommand::Resume(args) if args.verbose && !args.due => Loudness::Verbose,
            _ => Loudness::Normal,
        }
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(perform(self, stage.ui, stage.environment))
    }
}

fn perform(args: &RunsArgs, ui: &Ui, environment: &Environment) -> Result<u8> {
    let zone = zones::of_machine();
    let journal = || store::runs(args.store.as_deref(), environment, ui);
    match &args.command {
        RunsCommand::List(args) => list(args, ui, &journal()?, &zone),
        RunsCommand::Show(args) => show(args, ui, &journal()?, &zone),
        RunsCommand::Resume(own) => return super::resume::run(own, args.store.as_deref(), ui, &journal()?, environment),
        RunsCommand::Cancel(args) => {
            let journal = journal()?;
            args.names.iter().try_for_each(|name| cancel(name, ui, &journal))
        }
        RunsCommand::Prune(args) => prune(args, ui, &journal()?),
        RunsCommand::Reap(args) => super::reap::run(args, ui, environment),
    }
    .map(|()| 0)
}

fn list(args: &ListArgs, ui: &Ui, journal: &Journal, zone: &TimeZone) -> Result<()> {
    // One more, to know whether there are more.
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut runs = journal.runs(args.unfinished, limit.saturating_add(1))?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    if args.output == Output::Json {
        for run in &runs {
            ui.json(facts(run));
        }
        return Ok(());
    }
    if runs.is_empty() {
        ui.say(&format!("no {}runs in {}", if args.unfinished { "unfinished " } else { "" }, journal.place()));
        return Ok(());
    }
    let mut table = vec![["NAME", "STATE", "SCRIPT", "STARTED", "UPDATED", "STEPS", "WHY"].map(str::to_owned)];
    table.extend(runs.iter().map(|run| {
        [
            tame(&run.new.name, MOST_LETTERS),
            state(run).to_owned(),
            tame(&run.new.script, MOST_LETTERS),
            moment(run.new.created, zone),
            moment(run.updated, zone),
            run.steps.to_string(),
            tame(&why(run, zone), MOST_LETTERS),
        ]
    }));
    ui.table(&table);
    if more {
        ui.say(&format!("only the newest {limit}: `--limit 0` shows all"));
    }
    Ok(())
}

fn show(args: &ShowArgs, ui: &Ui, journal: &Journal, zone: &TimeZone) -> Result<()> {
    let run = journal.run(&args.name)?.ok_or_else(|| unknown(&args.name, journal))?;
    // A record names its secrets; people see that there is one.
    let shown = |step: Step| Step {
        arguments: ui.redactor().clean_value(step.arguments),
        intent: ui.redactor().clean_value(masked(step.intent)),
        outcome: ui.redactor().clean_value(masked(step.outcome.tree())).into(),
        ..step
    };
    let steps: Vec<Step> = journal.steps(&args.name)?.into_iter().map(shown).collect();
    if args.output == Output::Json {
        let mut whole = facts(&run);
        whole["parameters"] = hidden(&run.new.params);
        whole["target"] = target(&run.new.target);
        whole["options"] = hidden(&run.new.options);
        whole["timeline"] = steps.iter().map(|step| json!(step)).collect();
        ui.json(whole);
        return Ok(());
    }
    let mut head = vec![
        ["run".to_owned(), tame(&run.new.name, MOST_LETTERS)],
        ["state".to_owned(), ui.paint(tone(&run), state(&run))],
        ["why".to_owned(), tame(&why(&run, zone), 1000)],
        ["exit code".to_owned(), exit_code(&run.state).map_or_else(String::new, |code| code.to_string())],
        ["script".to_owned(), tame(&run.new.script, 1000)],
    ];
    if let RunState::Succeeded { result } = &run.state
        && !result.is_null()
    {
        head.push(["result".to_owned(), one_line(result)]);
    }
    for (title, facts) in [("parameters", hidden(&run.new.params)), ("on", target(&run.new.target)), ("with", hidden(&run.new.options))] {
        for (number, (name, value)) in facts.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).enumerate() {
            head.push([
                if number == 0 { title.to_owned() } else { String::new() },
                format!("{} = {}", tame(name, MOST_LETTERS), one_line(value)),
            ]);
        }
    }
    head.extend([
        ["begun".to_owned(), format!("{} {}", moment(run.new.created, zone), zone_name(zone, run.new.created))],
        ["updated".to_owned(), moment(run.updated, zone)],
        ["attempts".to_owned(), run.attempts.to_string()],
        [
            "holder".to_owned(),
            run.holder.as_ref().map_or_else(String::new, |holder| {
                let there = if run.alive { "is there" } else { "left" };
                tame(&format!("{}: {there}", holder.shown()), MOST_LETTERS)
            }),
        ],
        ["mode".to_owned(), mode(&run).map_or_else(String::new, |mode| mode.to_string())],
        ["octorhai".to_owned(), tame(&run.new.engine, MOST_LETTERS)],
        ["mark".to_owned(), tame(&run.new.mark, MOST_LETTERS)],
    ]);
    let head: Vec<[String; 2]> = head.into_iter().filter(|[_, value]| !value.is_empty()).collect();
    for line in columns(&head) {
        ui.data(&line);
    }
    ui.data("");
    let timeline = recorded_steps::timeline(&run, &steps, zone);
    for line in &timeline {
        ui.data(line);
    }
    if !timeline.is_empty() {
        ui.data("");
    }
    ui.data(&ui.hint(&on(&run, zone)));
    Ok(())
}

fn cancel(name: &str, ui: &Ui, journal: &Journal) -> Result<()> {
    let run = journal.run(name)?.ok_or_else(|| unknown(name, journal))?;
    if !journal.cancel(name, Clock::real().now())? {
        return Err(Error::usage(format!("the run `{name}` has ended already: {}", state(&run))));
    }
    match (&run.holder, run.alive) {
        (Some(holder), true) => ui.say(&format!("asked {} to end `{name}`", holder.shown())),
        _ => ui.say(&format!("cancelled `{name}`; what it had started on the server goes on: `octorhai runs show {name}` lists it")),
    }
    Ok(())
}

fn prune(args: &PruneArgs, ui: &Ui, journal: &Journal) -> Result<()> {
    let before = text::ago(&args.older_than, Clock::real().now())
        .map_err(|error| Error::usage(format!("--older-than: {}", error.message())).help("write it like 90d or 12h"))?;
    let (done, count) = if args.dry_run {
        let old = journal.runs(false, usize::MAX)?.into_iter().filter(|run| !run.state.is_unfinished() && run.updated < before);
        let names: Vec<String> = old.map(|run| run.new.name).collect();
        for name in &names {
            ui.data(name);
        }
        ("would delete", names.len())
    } else {
        ("deleted", journal.prune(before)?)
    };
    let runs = if count == 1 { "run" } else { "runs" };
    ui.say(&format!("{done} {} {runs} that ended before {before}", with_commas(count as u64)));
    Ok(())
}

/// What the process that works on it, or the last one that did, goes by on the server.
fn mode(run: &Run) -> Option<Advice> {
    Advice::read(&run.holder.as_ref()?.mode)
}

fn tone(run: &Run) -> Tone {
    match run.state {
        RunState::Succeeded { .. } => Tone::Good,
        RunState::Failed { .. } => Tone::Bad,
        RunState::Stopped { .. } | RunState::Cancelled { .. } => Tone::Warn,
        RunState::Running if !run.alive => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn why(run: &Run, zone: &TimeZone) -> String {
    match &run.state {
        RunState::Running | RunState::Succeeded { .. } => String::new(),
        RunState::Suspended { due, reason } => format!("due {}: {reason}", moment(*due, zone)),
        RunState::Stopped { reason, .. } | RunState::Failed { reason, .. } | RunState::Cancelled { reason } => reason.clone(),
    }
}

fn exit_code(state: &RunState) -> Option<u8> {
    match state {
        RunState::Stopped { exit_code, .. } | RunState::Failed { exit_code, .. } => Some(*exit_code),
        RunState::Succeeded { .. } => Some(0),
        RunState::Suspended { .. } => Some(Kind::Suspended.exit_code()),
        RunState::Cancelled { .. } => Some(Kind::Cancelled.exit_code()),
        RunState::Running => None,
    }
}

/// How to go on with it.
fn on(run: &Run, zone: &TimeZone) -> String {
    let name = tame(&run.new.name, 1000);
    match &run.state {
        RunState::Running if run.alive => format!("`octorhai runs cancel {name}` asks it to end"),
        RunState::Running => format!("its process is gone: `octorhai runs resume {name}` goes on where it was"),
        RunState::Stopped { .. } => format!("see to the reason, then `octorhai runs resume {name}` goes on where it was"),
        RunState::Suspended { due, .. } => format!("`octorhai runs resume --due` goes on from {}", moment(*due, zone)),
        _ => format!("it has ended: `octorhai run --run-id NAME {}` starts another", tame(&run.new.script, 1000)),
    }
}

/// What programs are told of a run.
fn facts(run: &Run) -> Value {
    let mut facts = json!({
        "name": run.new.name,
        "state": state(run),
        "script": run.new.script,
        "created": run.new.created,
        "updated": run.updated,
        "attempts": run.attempts,
        "steps": run.steps,
        "exit_code": exit_code(&run.state),
        "holder": run.holder.as_ref().map(|holder| json!({ "host": holder.host, "pid": holder.pid, "alive": run.alive })),
        "mark": run.new.mark,
        "engine": run.new.engine,
        "mode": mode(run).map(|mode| mode.json()),
    });
    match &run.state {
        RunState::Suspended { due, reason } => (facts["due"], facts["reason"]) = (json!(due), json!(reason)),
        RunState::Stopped { reason, .. } | RunState::Failed { reason, .. } | RunState::Cancelled { reason } => {
            facts["reason"] = json!(reason);
        }
        RunState::Succeeded { result } => facts["result"] = result.clone(),
        RunState::Running => {}
    }
    facts
}

/// What a run works on. Its record keeps the short name of the environment: runs of steps are named by a digest of it, so with another name
/// a step that is tried again after an upgrade would begin anew.
fn target(recorded: &Value) -> Value {
    let Value::Object(members) = hidden(recorded) else { return Value::Null };
    members.into_iter().map(|(name, value)| (if name == "env" { "environment".to_owned() } else { name }, value)).collect()
}

/// With `***` in place of the digests that stand for secrets.
fn hidden(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && ["secret", "digest"].iter().any(|name| map.contains_key(*name)) => json!("***"),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), hidden(value))).collect(),
        Value::String(text) if ["secret:", "sha256:", "digest:"].iter().any(|start| text.starts_with(start)) => json!("***"),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_of_a_record_is_shown_by_its_whole_name() {
        assert_eq!(target(&json!({"server": "s", "env": "Test", "tz": null})), json!({"server": "s", "environment": "Test", "tz": null}));
        assert_eq!(target(&Value::Null), Value::Null);
    }
}
