//! `octorhai runs reap`: what the step of a task has started and left behind. Who is killed at a cancel cannot clean up
//! (octopus-step-contract.md §1.8); the markers of its children name it.

use super::{
    columns::{MOST_LETTERS, tame},
    connect,
    environment::Environment,
    shared_args::{Output, ServerArgs},
    ui::Ui,
};
use crate::{
    api::{SpaceClient, Task},
    error::{Error, Kind, Result},
};
use clap::Args;
use serde_json::json;

/// What `octorhai runs reap` takes.
#[derive(Args, Debug)]
pub struct ReapArgs {
    /// The task whose step ran octorhai
    #[arg(long, value_name = "ServerTasks-N")]
    pub parent: String,

    /// Cancel what still goes on
    #[arg(long)]
    pub cancel: bool,

    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// A table, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// Lists the children of a task, or cancels those that go on.
pub(super) fn run(args: &ReapArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    connect::in_space(&args.at, &format!("runs reap --parent {}", args.parent), ui, environment, async |space| {
        let parent = space.task(&args.parent.as_str().into()).await?;
        let mut children = space.children(&parent).await?;
        if args.cancel {
            cancel(ui, &space, &parent, &mut children).await?;
        }
        show(args, ui, &space, &children);
        Ok(())
    })
}

async fn cancel(ui: &Ui, space: &SpaceClient, parent: &Task, children: &mut [Task]) -> Result<()> {
    if !parent.is_completed() {
        return Err(Error::usage(format!("{} is {}: its step may still need what it started", parent.id, parent.state))
            .help(format!("cancel it first, or list what it started: octorhai runs reap --parent {}", parent.id)));
    }
    let mut problems = Vec::new();
    for child in children.iter_mut().filter(|child| !child.is_completed()) {
        match space.cancel_task(&child.id).await {
            Ok(now) => *child = now,
            Err(error) => problems.push(format!("{}: {}", child.id, error.message())),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    show_open(ui, children);
    Err(Error::new(Kind::Refused, format!("not all could be cancelled: {}", problems.join("; "))))
}

fn show_open(ui: &Ui, children: &[Task]) {
    for child in children.iter().filter(|child| !child.is_completed()) {
        ui.say(&format!("{} ({}): {}", tame(&child.description, MOST_LETTERS), child.id, child.state));
    }
}

fn show(args: &ReapArgs, ui: &Ui, space: &SpaceClient, children: &[Task]) {
    if args.output == Output::Json {
        for child in children {
            let (done, url) = (child.is_completed(), space.task_url(&child.id));
            ui.json(json!({"task": child.id.to_string(), "what": child.description, "state": child.state.to_string(), "completed": done, "url": url}));
        }
        return;
    }
    if children.is_empty() {
        ui.say(&format!("octorhai has started nothing in steps of {}", args.parent));
        return;
    }
    let mut table = vec![["TASK", "WHAT", "STATE", "LINK"].map(str::to_owned)];
    table.extend(children.iter().map(|child| {
        let words = [&child.id.to_string(), &child.description, &child.state.to_string()].map(|text| tame(text, MOST_LETTERS));
        let [id, what, state] = words;
        [id, what, state, space.task_url(&child.id)]
    }));
    ui.table(&table);
    let open = children.iter().filter(|child| !child.is_completed()).count();
    if args.cancel && open > 0 {
        ui.say("what is Cancelling ends by itself");
    } else if open > 0 {
        let all = children.len();
        ui.say(&format!("{open} of {all} go on; cancel them: octorhai runs reap --parent {} --cancel", args.parent));
    }
}
