//! Octopus itself as a register: variables of the library variable set `octorhai-locks`, and server tasks as holders.
//!
//! The version belongs to the whole set, so a change of one variable makes a swap of another lose; and the server's check
//! of it may not be atomic (octopus-api.md §8.3), so that two may win at once. Who uses it waits and looks again.

use super::{Life, Owner, Owners, Register, Swap, Versioned, Work};
use crate::{
    api::{SpaceClient, VariableSet},
    error::{Error, Kind, Result, size},
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;

/// The name of the library variable set.
pub const SET: &str = "octorhai-locks";
/// The name of the library variable set with the tickets of waiters. Not the same one: a set has one version for all it holds,
/// so each ticket would be a change of every lock.
pub const QUEUES: &str = "octorhai-locks-waiting";
/// How long a write that passed the version check may be under way, on a server that was not measured (durable-runs.md §1).
pub const SETTLE: SignedDuration = SignedDuration::from_secs(2);
/// The longest value we write: a variable is no data base.
const LONGEST: usize = 16 * 1024;

/// Variables of a library variable set.
pub struct OctopusRegister {
    space: SpaceClient,
    set: &'static str,
    settle: SignedDuration,
    /// The set's id, and the set as it was last read.
    known: Mutex<KnownSet>,
    /// The set with the tickets; none in that one.
    queues: Option<Box<Self>>,
}

#[derive(Default)]
struct KnownSet {
    id: Option<crate::api::VariableSetId>,
    last: Option<VariableSet>,
}

impl OctopusRegister {
    /// The set in a space; `settle` is zero when the server's version check was measured to be atomic.
    pub fn new(space: SpaceClient, settle: SignedDuration) -> Self {
        let queues = Self { space: space.clone(), set: QUEUES, settle, known: Mutex::default(), queues: None };
        Self { space, set: SET, settle, known: Mutex::default(), queues: Some(Box::new(queues)) }
    }

    /// The set, if there is one: of several that two creators made at once, all take the one with the smallest id.
    async fn find(&self) -> Result<Option<crate::api::VariableSetId>> {
        Ok(self.find_set().await?.map(|set| set.variables()))
    }

    async fn find_set(&self) -> Result<Option<crate::api::LibraryVariableSet>> {
        let route = self.space.route("libraryvariablesets").with("partialName", self.set);
        let all: Vec<crate::api::LibraryVariableSet> = self.space.client().list(&route, None).await?;
        let ours = all.into_iter().filter(|set| crate::api::meant::same_word(&set.name, self.set));
        Ok(ours.min_by_key(|set| {
            let id = set.id.as_str().to_owned();
            (id.len(), id)
        }))
    }

    /// The set's id; makes the set if wanted.
    async fn id(&self, make: bool) -> Result<Option<crate::api::VariableSetId>> {
        if let Some(id) = self.known.lock().id.clone() {
            return Ok(Some(id));
        }
        let mut found = self.find().await?;
        if found.is_none() && make {
            const ABOUT: &str = "Locks and small values of octorhai scripts. Do not edit; `octorhai locks` shows and breaks them.";
            // Delivered twice, or made by somebody else at the same time, it is refused as one that is there: it is looked for anyway.
            let send = || self.space.create_library_variable_set(self.set, ABOUT);
            let look = || async {
                // Somebody else may be making it too: everybody waits until that is over before one is chosen.
                self.space.clock().sleep(self.settle).await;
                self.find_set().await
            };
            let made = self.space.client().repeat(send, look).await;
            if made.is_ok() {
                self.space.clock().sleep(self.settle).await;
            }
            found = self.find().await?;
            if found.is_none() {
                made.map_err(|error| match error.kind() {
                    Kind::Forbidden => error
                        .help(format!(
                            "locks are kept in the library variable set `{}`: create it, and give the key LibraryVariableSetEdit",
                            self.set
                        ))
                        .help("or keep locks elsewhere: `--locks store`, or `--locks postgres://...` for several machines"),
                    _ => error,
                })?;
                return Err(Error::new(Kind::Store, format!("the library variable set `{}` was made but is not there", self.set)));
            }
        }
        self.known.lock().id.clone_from(&found);
        Ok(found)
    }

    async fn fetch(&self) -> Result<Option<VariableSet>> {
        for _ in 0..2 {
            let Some(id) = self.id(false).await? else { return Ok(None) };
            match self.space.variable_set(&id).await {
                Ok(set) => {
                    self.known.lock().last = Some(set.clone());
                    return Ok(Some(set));
                }
                // Deleted, perhaps made again.
                Err(error) if error.kind() == Kind::NotFound => *self.known.lock() = KnownSet::default(),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn value_of(name: &str, text: &str) -> Result<Option<Value>> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(text).map(Some).map_err(|problem| {
            Error::new(Kind::Store, format!("variable `{name}` of library variable set `{SET}` is not what we wrote: {problem}"))
                .help("somebody edited it by hand; when nobody uses it, delete the variable")
        })
    }

    fn version(set: &VariableSet) -> u64 {
        u64::try_from(set.version).unwrap_or(0)
    }

    async fn write(&self, name: &str, version: u64, value: &Value) -> Result<Swap> {
        let text = if value.is_null() { String::new() } else { value.to_string() };
        if text.len() > LONGEST {
            return Err(Error::new(
                Kind::Limit,
                format!("the value of `{name}` has {}; {} can be kept on the server", size(text.len() as u64), size(LONGEST as u64)),
            ));
        }
        // Nothing was there when it was read: a set that is there now is new, and its first version is what was meant.
        let Some(id) = self.id(true).await? else { return Ok(Swap::Lost) };
        let last = self.known.lock().last.clone().filter(|set| Self::version(set) == version && set.id.as_ref() == Some(&id));
        let mut set = match last {
            Some(set) => set,
            None => self.fetch().await?.ok_or_else(|| Error::new(Kind::Store, format!("library variable set `{}` is gone", self.set)))?,
        };
        if Self::version(&set) != version {
            return Ok(Swap::Lost);
        }
        let found = set.variables.iter().position(|variable| variable.name == name);
        match found {
            Some(at) if value.is_null() => {
                set.variables.remove(at);
            }
            Some(at) => set.variables[at].value = Some(text),
            None if value.is_null() => return Ok(Swap::Done),
            None => set.variables.push(crate::api::Variable::text(name, &text)?),
        }
        match self.space.client().save(&self.space.route("variables").then(&id), &set).await {
            Ok(_) => Ok(Swap::Done),
            // 400 or 409: the version was another one, or so the server says (octopus-api.md §8.2).
            Err(error) if error.kind().is_refusal() => Ok(Swap::Lost),
            Err(error) if error.kind() == Kind::NotFound => {
                *self.known.lock() = KnownSet::default();
                Ok(Swap::Lost)
            }
            Err(error) if error.kind() == Kind::InDoubt => Ok(Swap::Unknown),
            Err(error) if error.kind() == Kind::Forbidden => {
                Err(error.help(format!("locks are kept in the library variable set `{}`: the key needs VariableEdit for it", self.set)))
            }
            Err(error) => Err(error),
        }
    }
}

impl Register for OctopusRegister {
    fn queues(&self) -> &dyn Register {
        self.queues.as_deref().map_or(self, |queues| queues)
    }

    fn place(&self) -> String {
        format!("library variable set `{}` in space {}", self.set, self.space.space().name)
    }

    fn settle(&self) -> SignedDuration {
        self.settle
    }

    fn now(&self) -> Timestamp {
        self.space.client().server_now()
    }

    fn read<'a>(&'a self, name: &'a str) -> Work<'a, Versioned> {
        Box::pin(async move {
            let Some(set) = self.fetch().await? else { return Ok(Versioned { version: 0, value: None }) };
            let text = set.variables.iter().find(|variable| variable.name == name).and_then(|variable| variable.value.clone());
            Ok(Versioned { version: Self::version(&set), value: Self::value_of(name, text.as_deref().unwrap_or_default())? })
        })
    }

    fn swap<'a>(&'a self, name: &'a str, version: u64, value: &'a Value) -> Work<'a, Swap> {
        Box::pin(self.write(name, version, value))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Work<'a, Vec<(String, Versioned)>> {
        Box::pin(async move {
            let Some(set) = self.fetch().await? else { return Ok(Vec::new()) };
            let version = Self::version(&set);
            let mut all = Vec::new();
            for variable in set.variables.iter().filter(|variable| variable.name.starts_with(prefix)) {
                if let Some(value) = Self::value_of(&variable.name, variable.value.as_deref().unwrap_or_default())? {
                    all.push((variable.name.clone(), Versioned { version, value: Some(value) }));
                }
            }
            all.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(all)
        })
    }
}

/// Holders that run in steps: the server knows whether their task goes on, and takes back their keys.
pub struct OctopusOwners {
    space: SpaceClient,
}

impl OctopusOwners {
    /// Holders whose tasks are on the server of `space`.
    pub fn new(space: SpaceClient) -> Self {
        Self { space }
    }
}

impl Owners for OctopusOwners {
    fn life<'a>(&'a self, owner: &'a Owner) -> Work<'a, Option<Life>> {
        Box::pin(async move {
            let Some(task) = &owner.task else { return Ok(None) };
            Ok(Some(match self.space.task(&task.as_str().into()).await {
                Ok(task) if task.is_completed() => Life::Dead(format!("{} is complete: {}", task.id, task.state)),
                Ok(task) => Life::Alive(format!("{} is {}", task.id, task.state)),
                Err(error) if error.kind() == Kind::NotFound => Life::Dead(format!("the server knows no {task}")),
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(error) => Life::Unknown(error.message().to_owned()),
            }))
        })
    }

    fn fence<'a>(&'a self, owner: &'a Owner) -> Work<'a, bool> {
        Box::pin(async move {
            let Some((user, key)) = owner.key.as_deref().and_then(|key| key.split_once('/')) else { return Ok(false) };
            match self.space.client().revoke_api_key(&user.into(), &key.into()).await {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == Kind::Cancelled => Err(error),
                // In doubt it is asked again at the next look; without the right the lease's end decides.
                Err(_) => Ok(false),
            }
        })
    }
}
