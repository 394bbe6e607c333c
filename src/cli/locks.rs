//! `octorhai locks`: who holds what, and how to take a lock away from somebody.

use super::{
    columns::{MOST_LETTERS, columns, tame},
    connect,
    environment::{Environment, variable},
    run_words::moment,
    shared_args::{Output, ServerArgs},
    signals, store,
    subcommand::{Stage, Subcommand},
    ui::Ui,
};
use crate::{
    clock::{Clock, text},
    doctor,
    error::{Error, Kind, Result, nearest},
    lock::{
        Life, Locks, Me, NoServer, Owner, Record, Rules,
        octopus::{OctopusOwners, OctopusRegister},
        queue::Ticket,
        store::StoreRegister,
    },
    platform::zones,
    run::LocksAt,
};
use clap::Args;
use serde_json::{Value, json};
use std::sync::Arc;

/// What `octorhai locks` takes.
#[derive(Args, Debug)]
pub struct LocksArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LocksCommand,

    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// Where locks are kept: octopus, store, a folder or postgres://USER@HOST/DATABASE [default: octopus] [env: OCTORHAI_LOCKS]
    #[arg(long, value_name = "WHERE", global = true)]
    pub locks: Option<String>,

    /// What `--locks store` means: a folder, or postgres://USER@HOST/DATABASE [env: OCTORHAI_STORE]
    #[arg(long, value_name = "STORE", global = true)]
    pub store: Option<String>,

    /// Write without colour, as with NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The subcommands of `octorhai locks`.
#[derive(Debug, clap::Subcommand)]
pub enum LocksCommand {
    /// List locks that are held, with holder, whether it lives, and how many runs wait
    List(LocksListArgs),
    /// Show a lock: its holders, since when, whether they live, waiting runs in their order, and who broke it last
    Show(LocksShowArgs),
    /// Take a lock away from its holders; says what that risks
    Break(BreakArgs),
}

/// What `octorhai locks list` takes.
#[derive(Args, Debug)]
pub struct LocksListArgs {
    /// Free ones too
    #[arg(long)]
    pub all: bool,

    /// A table, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai locks show` takes.
#[derive(Args, Debug)]
pub struct LocksShowArgs {
    /// The lock
    pub name: String,

    /// Lines for people, or one JSON object
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai locks break` takes.
#[derive(Args, Debug)]
pub struct BreakArgs {
    /// The lock
    pub name: String,

    /// Why; stays with the lock
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Do it; without this only the risk is told
    #[arg(long)]
    pub yes: bool,
}

impl Subcommand for LocksArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(perform(self, stage.ui, stage.environment).map(|()| 0))
    }
}

fn perform(args: &LocksArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let runtime = connect::runtime()?;
    let me = Me::new("octorhai locks");
    let at = store::locks(args.locks.as_deref(), args.store.as_deref(), environment, ui)?;
    let (locks, _watch) = match at {
        LocksAt::Store(store) => {
            let clock = Clock::real();
            (Locks::new(Arc::new(StoreRegister::new(store, clock.clone())), Arc::new(NoServer), clock, me, Rules::default()), None)
        }
        LocksAt::Octopus => {
            let settings = connect::settings(&args.at, "locks list", ui, environment)?;
            let (clock, watch) = (settings.clock.clone(), signals::watch(settings.cancel.clone(), ui.clone(), Box::new(Vec::new)));
            let advice = doctor::advice(store::doctor_file(environment).as_deref(), &settings.credential.address());
            let space = runtime.block_on(connect::space(&args.at, settings, environment))?;
            let register = Arc::new(OctopusRegister::new(space.clone(), advice.settle));
            (Locks::new(register, Arc::new(OctopusOwners::new(space)), clock, me, advice.rules()), Some(watch))
        }
    };
    runtime.block_on(async {
        match &args.command {
            LocksCommand::List(args) => list(args, ui, &locks).await,
            LocksCommand::Show(args) => show(args, ui, &locks).await,
            LocksCommand::Break(args) => break_open(args, ui, &locks, environment).await,
        }
    })
}

async fn list(args: &LocksListArgs, ui: &Ui, locks: &Locks) -> Result<()> {
    let all = locks.all().await?;
    let mut waiting = locks.all_waiting().await;
    let wanted: Vec<_> = all.iter().filter(|(_, record)| args.all || !record.owners.is_empty()).collect();
    if args.output == Output::Json {
        for (name, record) in wanted {
            let waiting = waiting.remove(name).unwrap_or_default();
            ui.json(facts(name, record, &lives(locks, record).await?, &waiting));
        }
        return Ok(());
    }
    if wanted.is_empty() {
        let free = if all.is_empty() { String::new() } else { format!("; {} are free (--all lists them)", all.len()) };
        ui.say(&format!("no lock is held in {}{free}", locks.register.place()));
        return Ok(());
    }
    let zone = zones::of_machine();
    let mut table = vec![["LOCK", "STATE", "HOLDER", "SINCE", "LIFE", "WAITING"].map(str::to_owned)];
    for (name, record) in wanted {
        let waits = waiting.get(name).map(Vec::len).filter(|waiting| *waiting > 0).map(|waiting| waiting.to_string()).unwrap_or_default();
        if record.owners.is_empty() {
            table.push([tame(name, MOST_LETTERS), "free".to_owned(), String::new(), String::new(), String::new(), waits.clone()]);
        }
        for (owner, life) in record.owners.iter().zip(lives(locks, record).await?) {
            let state = if record.slots > 1 { format!("held ({} of {})", record.owners.len(), record.slots) } else { "held".to_owned() };
            let since = moment(owner.since, &zone);
            table.push([tame(name, MOST_LETTERS), state, tame(&owner.shown(), MOST_LETTERS), since, life.word().to_owned(), waits.clone()]);
        }
    }
    ui.table(&table);
    Ok(())
}

async fn lives(locks: &Locks, record: &Record) -> Result<Vec<Life>> {
    let mut lives = Vec::new();
    for owner in &record.owners {
        lives.push(locks.life(owner).await?);
    }
    Ok(lives)
}

/// What programs are told of a lock.
fn facts(name: &str, record: &Record, lives: &[Life], waiting: &[Ticket]) -> Value {
    let waiting: Vec<Value> = waiting
        .iter()
        .map(|ticket| json!({"run": ticket.run, "task": ticket.task, "host": ticket.host, "pid": ticket.pid, "since": ticket.since}))
        .collect();
    let owners: Vec<Value> = record
        .owners
        .iter()
        .zip(lives)
        .map(|(owner, life)| {
            json!({
                "run": owner.run, "task": owner.task, "host": owner.host, "pid": owner.pid, "since": owner.since,
                "generation": owner.generation, "url": owner.url, "life": life.word(), "why": life.why(),
            })
        })
        .collect();
    json!({
        "name": name, "held": !owners.is_empty(), "generation": record.generation, "slots": record.slots, "owners": owners,
        "waiting": waiting, "broken": record.broken,
    })
}

/// The record of a lock that somebody has taken at some time.
async fn known(name: &str, locks: &Locks) -> Result<Record> {
    let all = locks.all().await?;
    if let Some((_, record)) = all.iter().find(|(known, _)| known == name) {
        return Ok(record.clone());
    }
    let error = Error::new(Kind::NotFound, format!("there is no lock `{name}` in {}", locks.register.place()));
    Err(match nearest(name, all.iter().map(|(name, _)| name.as_str())) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a lock is there from the first time that a script takes it; `octorhai locks list --all` lists them"),
    })
}

async fn show(args: &LocksShowArgs, ui: &Ui, locks: &Locks) -> Result<()> {
    let record = known(&args.name, locks).await?;
    let lives = lives(locks, &record).await?;
    let waiting = locks.waiting(&args.name).await;
    if args.output == Output::Json {
        ui.json(facts(&args.name, &record, &lives, &waiting));
        return Ok(());
    }
    for line in columns(&described(&args.name, &record, &lives, &waiting, locks)) {
        ui.data(&line);
    }
    Ok(())
}

fn described(name: &str, record: &Record, lives: &[Life], waiting: &[Ticket], locks: &Locks) -> Vec<[String; 2]> {
    let zone = zones::of_machine();
    let state = match record.owners.len() {
        0 => "free".to_owned(),
        held if record.slots > 1 => format!("held by {held} of {}", record.slots),
        _ => "held".to_owned(),
    };
    let mut lines = vec![
        ["lock".to_owned(), tame(name, MOST_LETTERS)],
        ["kept in".to_owned(), locks.register.place()],
        ["state".to_owned(), state],
        ["generation".to_owned(), record.generation.to_string()],
    ];
    for (owner, life) in record.owners.iter().zip(lives) {
        lines.push(["holder".to_owned(), tame(&owner.shown(), 1000)]);
        lines.push(["since".to_owned(), moment(owner.since, &zone)]);
        lines.push(["life".to_owned(), format!("{}: {}", life.word(), life.why())]);
        lines.extend(owner.url.iter().map(|url| ["link".to_owned(), url.clone()]));
    }
    // In the order in which they will be served.
    for (place, ticket) in (1..).zip(waiting) {
        let text = format!("{place}. {} since {}", ticket.shown(), moment(ticket.since, &zone));
        lines.push(["waiting".to_owned(), tame(&text, 1000)]);
    }
    if let Some(broken) = &record.broken {
        let from = broken.from.join(", ");
        let text = format!("{} by {}: {} (taken from {from})", moment(broken.at, &zone), broken.by, broken.reason);
        lines.push(["last broken".to_owned(), tame(&text, 1000)]);
    }
    lines
}

async fn break_open(args: &BreakArgs, ui: &Ui, locks: &Locks, environment: &Environment) -> Result<()> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || reason.chars().any(char::is_control) {
        return Err(Error::usage("--reason says in 1 to 500 characters why: who holds the lock next wants to know"));
    }
    let record = known(&args.name, locks).await?;
    if record.owners.is_empty() {
        ui.say(&format!("lock `{}` is free: there is nothing to break", args.name));
        return Ok(());
    }
    let lives = lives(locks, &record).await?;
    let waiting = locks.waiting(&args.name).await;
    for line in columns(&described(&args.name, &record, &lives, &waiting, locks)) {
        ui.talk(&line);
    }
    ui.warning(&risk(&lives));
    if !args.yes {
        return Err(Error::usage("nothing was done").help("when you are sure, say so: --yes"));
    }
    let somebody = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| variable(environment, name)).unwrap_or("somebody");
    let (from, fenced) = locks.break_open(&args.name, &format!("{somebody}@{}", locks.me.host), reason).await?;
    ui.data(&format!("lock `{}` was taken from {}", args.name, from.iter().map(Owner::shown).collect::<Vec<_>>().join(", ")));
    if !fenced {
        let drain = text::show(locks.rules.drain);
        ui.say(&format!("what the holder sent may still take effect for about {drain}: wait so long before you start what needs the lock"));
    }
    Ok(())
}

/// What breaking it risks.
fn risk(lives: &[Life]) -> String {
    let alive = lives.iter().find(|life| !matches!(life, Life::Dead(_)));
    match alive {
        Some(life @ Life::Alive(_)) => format!(
            "the holder is alive ({}): it goes on until its next look at the lock, so two may work at once; cancelling its task or run is safer",
            life.why()
        ),
        Some(life) => format!("whether the holder lives cannot be told ({}): if it does, two may work at once", life.why()),
        None => "the holder is gone; runs that wait take the lock over by themselves, breaking it only saves that time".to_owned(),
    }
}
