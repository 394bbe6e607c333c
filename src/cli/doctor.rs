//! `octorhai doctor`: what locks and repeated runs may rely on, measured on the server at hand and kept for them.

use super::{
    args::{DoctorArgs, Output},
    connect,
    given::Environment,
    signals,
    ui::{Tone, Ui},
};
use crate::{
    api::{Client, Settings},
    clock::text::show,
    doctor::{self, Patient, Report, Verdict},
    error::{Error, Result},
};

/// Examines the server and returns the exit code.
pub fn run(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> u8 {
    ui.exit_code(perform(args, ui, environment).map(|()| 0))
}

fn perform(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let settings = connect::settings(&args.at, "doctor", ui, environment)?;
    let file = super::journal::doctor_file(environment).ok_or_else(|| {
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
