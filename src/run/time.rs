//! Which clock a run lives by.

use super::{Settings, Target};
use crate::{
    api,
    clock::Clock,
    error::{Error, Result},
};

/// The clock of a run: a sandbox of its own begins with its world, a server has the time of the wall, and a sandbox in
/// another process that runs in virtual time says how late it is.
pub(super) fn of(settings: &Settings) -> Result<Clock> {
    match &settings.target {
        Target::Sandbox(world) => Ok(Clock::virtual_at(world.start())),
        Target::Server { credential, ca_cert, .. } if settings.virtual_time => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|problem| Error::bug(format!("no runtime: {problem}")))?;
            let connection = api::Settings::new(credential.clone(), Clock::real(), settings.cancel.clone());
            let connection = api::Settings { ca_cert: ca_cert.clone(), ..connection };
            let said = runtime.block_on(async { api::Client::new(connection)?.get("/sandbox/clock").await })?;
            let now = said["now"].as_str().and_then(|now| now.parse().ok()).filter(|_| said["virtual"] == true);
            now.map(Clock::virtual_at).ok_or_else(|| {
                Error::usage(format!("`{}` is no sandbox in virtual time", credential.address()))
                    .help("start one with `octorhai sandbox --virtual`")
            })
        }
        Target::Server { .. } => Ok(Clock::real()),
    }
}
