//! How a subcommand that runs no script reaches the Octopus Server.

use super::{
    args::ServerArgs,
    run::{Environment, address, read, variable},
    ui::Ui,
};
use crate::{
    api::{Client, Credential, Settings, SpaceClient},
    cancel::Cancel,
    clock::Clock,
    error::{Error, Result},
};

/// A key is not longer.
const LARGEST_KEY: u64 = 64 << 10;

/// Address and credential, from options and surroundings; `command` is what a person types for the subcommand.
pub(super) fn settings(args: &ServerArgs, command: &str, ui: &Ui, environment: &Environment) -> Result<Settings> {
    let Some(url) = args.server.as_deref().or_else(|| variable(environment, "OCTOPUS_URL")) else {
        return Err(Error::usage("no Octopus Server is named")
            .help(format!("OCTOPUS_API_KEY=API-... octorhai {command} --server https://octopus.example.com")));
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

/// The space that is meant on a server.
pub(super) async fn space(args: &ServerArgs, settings: Settings, environment: &Environment) -> Result<SpaceClient> {
    let wanted = args.space.as_deref().or_else(|| variable(environment, "OCTOPUS_SPACE"));
    Client::new(settings)?.space(wanted).await
}

/// What such a subcommand runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|why| Error::bug(format!("cannot start threads: {why}")))
}
