//! The servers that a run works on: where it is at home, how others are reached, and what is known of them.

use super::prelude::*;
use super::{
    context::Surroundings,
    space::{Space, unknown},
};
use crate::{doctor, lock::Locks};
use std::{path::PathBuf, sync::OnceLock};

/// The servers that a run works on.
pub struct Servers {
    /// The server and space that functions mean when nothing else is said.
    pub home: Space,
    /// How the home server was reached: other servers are reached the same way.
    pub connection: api::Settings,
    /// Servers for `server("name")`, by lower-case name.
    named: BTreeMap<String, Result<api::Credential>>,
    /// Where `octorhai doctor` keeps what it measured.
    measured: Option<PathBuf>,
    /// Other spaces and servers met so far: one poller and one set of names each.
    places: Mutex<BTreeMap<String, Space>>,
    /// What a simulated server says about its world, once it was asked.
    pub(super) surroundings: OnceLock<Surroundings>,
    /// When the task began whose step runs the script, once it was asked for.
    pub(super) step_since: OnceLock<Timestamp>,
    /// Locks of the home, once they were needed.
    pub(super) locks: OnceLock<Locks>,
}

impl Servers {
    /// Of a run whose home was reached by `connection`; nothing is asked yet.
    pub fn new(
        home: Space,
        connection: api::Settings,
        named: BTreeMap<String, Result<api::Credential>>,
        measured: Option<PathBuf>,
    ) -> Self {
        Self {
            home,
            connection,
            named,
            measured,
            places: Mutex::default(),
            surroundings: OnceLock::new(),
            step_since: OnceLock::new(),
            locks: OnceLock::new(),
        }
    }

    /// The same with another home.
    pub(super) fn moved(&self, home: Space) -> Self {
        let new = Self::new(home, self.connection.clone(), self.named.clone(), self.measured.clone());
        Self { places: Mutex::new(self.places.lock().clone()), ..new }
    }
}

impl Host {
    /// The space `name` on the server that is meant now.
    pub fn space(&self, name: &str) -> HostResult<Space> {
        let here = self.place();
        let client = here.client.clone();
        let key = format!("{} {}", client.address(), name.to_lowercase());
        self.met(key, async {
            let space = client.space(Some(name)).await?;
            Ok(Space::new(client.clone(), space, here.advice))
        })
    }

    /// The place that was met before under `key`, or what `find` finds: one poller and one set of names for each.
    fn met(&self, key: String, find: impl Future<Output = Result<Space>>) -> HostResult<Space> {
        if let Some(known) = self.servers.places.lock().get(&key) {
            return Ok(known.clone());
        }
        let found = self.block(find)?;
        self.servers.places.lock().insert(key, found.clone());
        Ok(found)
    }

    /// The default space of another server. `default` is the server the run works on.
    pub fn server(&self, name: &str) -> HostResult<Space> {
        let lower = name.to_lowercase();
        if lower == "default" {
            return Ok(self.servers.home.clone());
        }
        let Some(credential) = self.servers.named.get(&lower) else {
            let upper = name.to_uppercase();
            return Err(unknown("server", name, self.servers.named.keys().map(String::as_str))
                .help(format!("set OCTOPUS_URL_{upper}, and OCTOPUS_API_KEY_{upper} or OCTOPUS_ACCESS_TOKEN_{upper}"))
                .into());
        };
        let credential = credential.clone().map_err(raise)?;
        let url = credential.address();
        let advice = doctor::advice(self.servers.measured.as_deref(), &url);
        let connection =
            api::Settings { credential, public_url: None, keeps_deadlines: advice.keeps_deadlines(), ..self.servers.connection.clone() };
        self.met(url, async {
            let client = api::Client::new(connection)?;
            let space = client.space(None).await?;
            Ok(Space::new(client, space, advice))
        })
    }
}
