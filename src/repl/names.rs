//! Names that the server knows, for completion: asked for in the background, kept for a while, and never waited for long.

use crate::{
    api::{ProjectQuery, TenantQuery},
    clock::Stopwatch,
    error::Result,
    host::Host,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

/// A person who presses Tab does not wait longer.
const PATIENCE: Duration = Duration::from_millis(250);

/// After this time names are asked for again, behind the scenes.
const FRESH: Duration = Duration::from_secs(30);

/// Releases of a project: the newest are the ones that are meant.
const RELEASES: usize = 50;

/// Which names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Of projects.
    Projects,
    /// Of environments.
    Environments,
    /// Of tenants.
    Tenants,
    /// Of project groups.
    Groups,
    /// Of spaces.
    Spaces,
    /// Of a project's channels.
    Channels(String),
    /// Versions of a project's releases, and `latest`.
    Releases(String),
    /// Of the steps of a project's deployment process.
    Steps(String),
    /// Of a project's runbooks.
    Runbooks(String),
}

/// Names known so far; clones share them.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    host: Mutex<Host>,
    known: Mutex<BTreeMap<Wanted, Known>>,
}

#[derive(Clone)]
struct Known {
    names: Arc<Vec<String>>,
    since: Stopwatch,
    asking: bool,
}

impl Names {
    /// Nothing known yet; what nearly everybody needs first is asked for at once.
    pub fn of(host: &Host) -> Self {
        let names = Self(Arc::new(Inner { host: Mutex::new(host.clone()), known: Mutex::default() }));
        names.ask(Wanted::Projects);
        names.ask(Wanted::Environments);
        names
    }

    /// From now on those of another space.
    pub fn move_to(&self, host: &Host) {
        *self.0.host.lock() = host.clone();
        self.0.known.lock().clear();
    }

    /// The names, or none when the server has not answered in a moment.
    pub fn get(&self, wanted: &Wanted) -> Arc<Vec<String>> {
        let known = self.0.known.lock().get(wanted).cloned();
        match known {
            Some(known) if known.since.elapsed() < FRESH || known.asking => return known.names,
            Some(known) => {
                self.ask(wanted.clone());
                return known.names;
            }
            None => {}
        }
        let _in_time = self.ask(wanted.clone()).recv_timeout(PATIENCE);
        self.0.known.lock().get(wanted).map(|known| known.names.clone()).unwrap_or_default()
    }

    /// Asks in the background; what is returned hears when the answer is there.
    fn ask(&self, wanted: Wanted) -> mpsc::Receiver<()> {
        let (done, wait_done) = mpsc::channel();
        let (host, names) = (self.0.host.lock().clone(), self.clone());
        if let Some(known) = names.0.known.lock().get_mut(&wanted) {
            known.asking = true;
        }
        host.handle.clone().spawn(async move {
            let found = fetch(&host, &wanted).await;
            let mut all = names.0.known.lock();
            match found {
                Ok(found) => {
                    all.insert(wanted, Known { names: Arc::new(found), since: Stopwatch::start(), asking: false });
                }
                // Old names are better than none.
                Err(_) => {
                    if let Some(known) = all.get_mut(&wanted) {
                        known.asking = false;
                    }
                }
            }
            drop(all);
            let _ = done.send(());
        });
        wait_done
    }
}

async fn fetch(host: &Host, wanted: &Wanted) -> Result<Vec<String>> {
    let place = &host.home;
    let space = place.space.until(host.clock.now());
    let client = place.client.until(host.clock.now());
    let found = match wanted {
        Wanted::Projects => space.projects(&ProjectQuery::default()).await?.into_iter().map(|p| p.name).collect(),
        Wanted::Environments => space.environments().await?.into_iter().map(|e| e.name).collect(),
        Wanted::Tenants => space.tenants(&TenantQuery::default()).await?.into_iter().map(|t| t.name).collect(),
        Wanted::Groups => space.project_groups().await?.into_iter().map(|g| g.name).collect(),
        Wanted::Spaces => client.spaces().await?.into_iter().map(|s| s.name).collect(),
        Wanted::Channels(project) => {
            let project = place.project(project).await?;
            space.channels(&project.id).await?.into_iter().map(|c| c.name).collect()
        }
        Wanted::Releases(project) => {
            let project = place.project(project).await?;
            let mut versions = vec!["latest".to_owned()];
            versions.extend(space.releases(&project.id, Some(RELEASES)).await?.into_iter().map(|r| r.version));
            versions
        }
        Wanted::Steps(project) => {
            let project = place.project(project).await?;
            space.deployment_process(&project).await?.steps.into_iter().map(|s| s.name).collect()
        }
        Wanted::Runbooks(project) => {
            let project = place.project(project).await?;
            space.runbooks(&project.id).await?.into_iter().map(|r| r.name).collect()
        }
    };
    Ok(found)
}
