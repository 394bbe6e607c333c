//! `octorhai doctor`: what locks and repeated runs may rely on, measured on the server at hand and kept for them.

use super::{
    connect,
    environment::Environment,
    shared_args::{Output, ServerArgs},
    signals, store,
    subcommand::{Stage, Subcommand},
    ui::{Tone, Ui},
};
use crate::{
    api::{Client, Settings},
    clock::text::show,
    doctor::{self, Patient, Report, Verdict},
    error::{Error, Result},
};
use clap::Args;

/// What `octorhai doctor` takes.
#[derive(Args, Debug)]
#[command(after_help = "What it makes on the server is called octorhai-doctor-..., and is removed on every way out.")]
pub struct DoctorArgs {
    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// A project whose latest release may be deployed, to see what the server does with deployments that wait
    #[arg(long, value_name = "NAME", requires = "env")]
    pub project: Option<String>,

    /// Where to deploy it
    #[arg(long, value_name = "NAME", requires = "project")]
    pub env: Option<String>,

    /// How often simultaneous writers are tried
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,

    /// What stdout carries
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

impl Subcommand for DoctorArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(perform(self, stage.ui, stage.environment).map(|()| 0))
    }
}

fn perform(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let settings = connect::settings(&args.at, "doctor", ui, environment)?;
    let file = store::doctor_file(environment).ok_or_else(|| {
        Error::usage("there is no folder for what was measured: this user has no home").help("set OCTORHAI_STATE to a folder")
    })?;
    let watch = signals::watch(settings.cancel.clone(), ui.clone(), Box::new(Vec::new));
    let runtime = connect::runtime()?;
    let report = runtime.block_on(examine(args, settings, environment));
    drop(watch);
    let report = report?;
    doctor::remember(&file, &report)?;
    match args.output {
        Output::Json => ui.json(report.json()),
        Output::Text => {
            for line in lines(&report, ui) {
                ui.data(&line);
            }
        }
    }
    Ok(())
}

async fn examine(args: &DoctorArgs, settings: Settings, environment: &Environment) -> Result<Report> {
    let space = connect::space(&args.at, settings.clone(), environment).await?;
    let login = |key: &str| Client::new(Settings { credential: settings.credential.with_key_of_the_same_server(key)?, ..settings.clone() });
    let place = args.project.clone().zip(args.env.clone());
    doctor::examine(&Patient { space, login: &login, place, rounds: args.rounds }).await
}

fn lines(report: &Report, ui: &Ui) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &report.findings {
        let tone = if finding.verdict == Verdict::Ok { Tone::Good } else { Tone::Bad };
        let word = ui.paint(tone, &format!("{:12}", finding.verdict.word()));
        lines.push(format!("{:11} {word} {}", finding.check, finding.text));
    }
    let advice = report.advice;
    lines.push(format!(
        "from now on: a lock settles {}, a revoked key is waited for {}, a create in doubt {}",
        show(advice.settle),
        show(advice.drain),
        match advice.create_mode {
            doctor::CreateMode::Expiry => "is tried again when the first can no longer start",
            doctor::CreateMode::Stop => "stops",
        }
    ));
    lines
}
