//! A run as a row of a table: the same on both stores.

use super::{
    Holder, NewRun, Run, RunState,
    chain::{self, json},
};
use jiff::{SignedDuration, Timestamp};

/// What a new run's row holds of what it was begun with.
pub struct Begun {
    /// [`NewRun`] without the texts of its sources, as JSON.
    pub new: String,
    /// The texts, as JSON; kept once for all runs that share them.
    pub sources: String,
    /// Their hash.
    pub sources_hash: String,
}

impl Begun {
    /// Of a run.
    pub fn of(new: &NewRun) -> Self {
        let sources = json(&new.sources);
        let sources_hash = chain::hash(&[&sources]);
        Self { new: json(&NewRun { sources: Vec::new(), ..new.clone() }), sources, sources_hash }
    }

    /// What its first record follows.
    pub fn genesis(&self) -> String {
        chain::genesis(&self.new, &self.sources_hash)
    }
}

/// The columns that [`RunRow`] is read from, in their order.
pub const COLUMNS: &str = "run.id, run.name, run.new, run.sources, run.state, run.holder, run.updated, run.attempts, run.steps, run.records, run.head, run.cancel";

/// A row.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its key.
    pub id: i64,
    /// Its name now; an ended run may have got another.
    pub name: String,
    /// [`Begun::new`].
    pub new: String,
    /// [`Begun::sources_hash`].
    pub sources: String,
    /// [`RunState`] as JSON.
    pub state: String,
    /// [`Holder`] as JSON.
    pub holder: Option<String>,
    /// A time.
    pub updated: String,
    /// How often it was taken up.
    pub attempts: i64,
    /// How many steps.
    pub steps: i64,
    /// How many records.
    pub records: i64,
    /// The hash of the last record.
    pub head: String,
    /// Whether somebody asked it to end.
    pub cancel: bool,
}

impl RunRow {
    /// How it stands.
    pub fn state(&self) -> Result<RunState, String> {
        serde_json::from_str(&self.state).map_err(|error| self.unreadable(&error))
    }

    /// Who works on it, or did.
    pub fn holder(&self) -> Result<Option<Holder>, String> {
        self.holder.as_deref().map(serde_json::from_str).transpose().map_err(|error| self.unreadable(&error))
    }

    /// What its first record follows.
    pub fn genesis(&self) -> String {
        chain::genesis(&self.new, &self.sources)
    }

    /// The run, with the texts of its sources.
    pub fn run(&self, sources: Vec<(String, String)>, alive: bool, gone_in: Option<SignedDuration>) -> Result<Run, String> {
        let new: NewRun = serde_json::from_str(&self.new).map_err(|error| self.unreadable(&error))?;
        let state = self.state()?;
        Ok(Run {
            alive: alive && super::may_be_held(&state),
            gone_in,
            asked_to_end: self.cancel && state.is_unfinished(),
            state,
            holder: self.holder()?,
            new: NewRun { name: self.name.clone(), sources, ..new },
            updated: self.updated.parse().map_err(|error| format!("the run `{}` cannot be read ({error})", self.name))?,
            attempts: self.attempts as u32,
            steps: self.steps as usize,
        })
    }

    fn unreadable(&self, error: &serde_json::Error) -> String {
        format!("the run `{}` cannot be read ({error})", self.name)
    }
}

/// The texts of sources back from their row; fails when they are not what was written.
pub fn sources(text: &str, hash: &str) -> Result<Vec<(String, String)>, String> {
    if chain::hash(&[text]) != hash {
        return Err("the text of a script is not what was written".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("the text of a script cannot be read ({error})"))
}

/// A time as a number that databases can compare: whole microseconds.
pub fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// What a row says of a state beside its JSON: whether it is unfinished, when it is due, whether it ended.
pub fn facts(state: &RunState, at: Timestamp) -> (bool, Option<i64>, Option<i64>) {
    let due = match state {
        RunState::Suspended { due, .. } => Some(micros(*due)),
        _ => None,
    };
    (state.is_unfinished(), due, (!state.is_unfinished()).then(|| micros(at)))
}
