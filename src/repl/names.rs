//! Names that the server knows, for completion: asked for in the background, kept for a while, and never waited for long.

use crate::{
    clock::Stopwatch,
    host::{
        Host,
        nouns::{self, Noun},
    },
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

/// Names known so far; clones share them.
#[derive(Clone)]
pub struct Names(Arc<NamesParts>);

struct NamesParts {
    /// None before the server is reached.
    host: Mutex<Option<Host>>,
    known: Mutex<BTreeMap<Noun, KnownNames>>,
}

#[derive(Clone)]
struct KnownNames {
    names: Arc<Vec<String>>,
    since: Stopwatch,
    asking: bool,
}

impl Names {
    /// Nothing known yet, and no server to ask.
    pub fn none() -> Self {
        Self(Arc::new(NamesParts { host: Mutex::default(), known: Mutex::default() }))
    }

    /// Takes names for granted until the server says which there are.
    pub fn assume(&self, noun: Noun, names: Vec<String>) {
        self.0.known.lock().insert(noun, KnownNames { names: Arc::new(names), since: Stopwatch::start(), asking: false });
    }

    /// From now on those of this server and space; what nearly everybody needs first is asked for at once.
    pub fn move_to(&self, host: &Host) {
        if self.0.host.lock().replace(host.clone()).is_some() {
            self.0.known.lock().clear();
        }
        self.ask(Noun::Projects);
        self.ask(Noun::Environments);
    }

    /// The names, or none when the server has not answered in a moment.
    pub fn get(&self, noun: &Noun) -> Arc<Vec<String>> {
        let known = self.0.known.lock().get(noun).cloned();
        match known {
            Some(known) if known.since.elapsed() < FRESH || known.asking => return known.names,
            Some(known) => {
                self.ask(noun.clone());
                return known.names;
            }
            None => {}
        }
        let _in_time = self.ask(noun.clone()).recv_timeout(PATIENCE);
        self.0.known.lock().get(noun).map(|known| known.names.clone()).unwrap_or_default()
    }

    /// Asks in the background; what is returned hears when the answer is there.
    fn ask(&self, noun: Noun) -> mpsc::Receiver<()> {
        let (done, wait_done) = mpsc::channel();
        let (Some(host), names) = (self.0.host.lock().clone(), self.clone()) else { return wait_done };
        if let Some(known) = names.0.known.lock().get_mut(&noun) {
            known.asking = true;
        }
        host.handle.clone().spawn(async move {
            let found = nouns::names(&host, &noun).await;
            let mut all = names.0.known.lock();
            match found {
                Ok(found) => {
                    all.insert(noun, KnownNames { names: Arc::new(found), since: Stopwatch::start(), asking: false });
                }
                // Old names are better than none.
                Err(_) => {
                    if let Some(known) = all.get_mut(&noun) {
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
