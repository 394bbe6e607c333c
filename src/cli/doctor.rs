//! `octorhai doctor`: what locks and repeated runs may rely on, measured on the server at hand and kept for them.

use super::{
    args::{DoctorArgs, Output},
    run::{Environment, address, read, variable},
    signals,
    ui::{Tone, Ui},
};
use crate::{
    api::{Client, Credential, Settings},
    cancel::Cancel,
    clock::{Clock, text::show},
    doctor::{self, Patient, Report, Verdict},
    error::{Error, Result},
};
/// A key is not longer.
const LARGEST_KEY: u64 = 64 << 10;

/// Examines the server and returns the exit code.
pub fn run(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> u8 {
    match perform(args, ui, environment) {
        Ok(()) => 0,
        Err(error) => {
            ui.error(&error);
            error.kind().exit_code()
        }
    }
}

fn perform(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let settings = settings(args, ui, environment)?;
    let file = super::journal::doctor_file(environment).ok_or_else(|| {
        Error::usage("there is no folder for what was measured: this user has no home").help("set OCTORHAI_STATE to a folder")
    })?;
    let watch = signals::watch(settings.cancel.clone(), ui.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|why| Error::bug(format!("cannot start threads: {why}")))?;
    let report = runtime.block_on(examine(args, settings, environment));
    drop(watch);
    let report = report?;
    doctor::remember(&file, &report)?;
    match args.output {
        Output::Json => ui.data(&report.json().to_string()),
        Output::Text => {
            for line in lines(&report, ui) {
                ui.data(&line);
            }
        }
    }
    Ok(())
}

async fn examine(args: &DoctorArgs, settings: Settings, environment: &Environment) -> Result<Report> {
    let wanted = args.space.as_deref().or_else(|| variable(environment, "OCTOPUS_SPACE"));
    let space = Client::new(settings.clone())?.space(wanted).await?;
    let login = |credential| Client::new(Settings { credential: Some(credential), ..settings.clone() });
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

fn settings(args: &DoctorArgs, ui: &Ui, environment: &Environment) -> Result<Settings> {
    let Some(url) = args.server.as_deref().or_else(|| variable(environment, "OCTOPUS_URL")) else {
        return Err(Error::usage("there is no Octopus Server to examine")
            .help("OCTOPUS_API_KEY=API-... octorhai doctor --server https://octopus.example.com"));
    };
    let url = address(ui, url)?;
    let credential = match (&args.api_key_file, variable(environment, "OCTOPUS_API_KEY"), variable(environment, "OCTOPUS_ACCESS_TOKEN")) {
        (Some(path), _, _) => Credential::ApiKey(read(path, "API key file", LARGEST_KEY)?.trim().to_owned()),
        (_, Some(key), _) => Credential::ApiKey(key.to_owned()),
        (_, _, Some(token)) => Credential::AccessToken(token.to_owned()),
        _ => {
            return Err(Error::usage(format!("there is no API key for `{url}`"))
                .help("put one into the environment variable OCTOPUS_API_KEY, or into a file: --api-key-file FILE"));
        }
    };
    let (Credential::ApiKey(secret) | Credential::AccessToken(secret)) = &credential;
    ui.redactor().learn(secret);
    Ok(Settings { ca_cert: args.ca_cert.clone(), ..Settings::new(url, Some(credential), Clock::real(), Cancel::new()) })
}
