//! Model A: scripts that only read. Each looks at the active tasks of its group, one after the other, and enters, waits
//! for its turn, or ends and starts again as a new task. Ids of tasks say nothing about their order in time.

use super::explore::{Model, Step, Steps};

/// The most processes.
const MOST: usize = 4;

/// Who may enter.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    /// Whoever sees no active task with a lower id.
    Lowest,
    /// Whoever sees no other active task; whoever sees a lower id ends and starts again.
    Alone,
}

#[derive(Clone, Copy)]
pub(crate) struct Readers {
    pub(crate) n: usize,
    pub(crate) rule: Rule,
    /// How often a script may start again.
    pub(crate) again: u8,
    /// The server may call a task completed whose process lives.
    pub(crate) zombies: bool,
    /// The server may run one task in two processes.
    pub(crate) twice: bool,
}

/// Where a script is.
mod at {
    pub(super) const NEW: u8 = 0;
    pub(super) const LOOKING: u8 = 1;
    pub(super) const INSIDE: u8 = 2;
    pub(super) const GONE: u8 = 3;
}

#[derive(Clone, Copy, Default)]
struct Script {
    at: u8,
    /// The id of its task, 0 for none.
    id: u8,
    /// Its task is queued or executing.
    active: u8,
    /// Whom it looks at next, and what it has seen so far.
    next: u8,
    lower: u8,
    higher: u8,
    again: u8,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    scripts: [Script; MOST],
}

impl Readers {
    fn ids(&self) -> u8 {
        self.n as u8 * (self.again + 1)
    }
}

impl Model for Readers {
    type State = State;

    fn start(&self) -> State {
        let mut state = State::default();
        for script in &mut state.scripts[..self.n] {
            script.again = self.again;
        }
        for script in &mut state.scripts[self.n..] {
            script.at = at::GONE;
        }
        state
    }

    fn fields(s: &mut State, field: &mut impl FnMut(&mut u8, u32)) {
        for p in &mut s.scripts {
            field(&mut p.at, 2);
            field(&mut p.id, 4);
            field(&mut p.active, 1);
            field(&mut p.next, 3);
            field(&mut p.lower, 1);
            field(&mut p.higher, 1);
            field(&mut p.again, 2);
        }
    }

    fn steps(&self, s: &State, out: &mut Steps<State>) {
        for p in 0..self.n {
            let script = s.scripts[p];
            let mut step = |what, fault, change: &mut dyn FnMut(&mut Script)| {
                let mut to = *s;
                change(&mut to.scripts[p]);
                out.push((Step { who: p as u8, what, fault }, to));
            };
            let look = |t: &mut Script| (t.at, t.next, t.lower, t.higher) = (at::LOOKING, 0, 0, 0);
            match script.at {
                at::NEW => {
                    // Ids come in blocks to each node of a server: any that nobody had yet.
                    for id in 1..=self.ids() {
                        if s.scripts.iter().all(|o| o.id != id) {
                            step("its task starts", false, &mut |t| {
                                look(t);
                                (t.id, t.active) = (id, 1);
                            });
                        }
                    }
                    for other in 0..self.n {
                        if self.twice && s.scripts[other].active == 1 {
                            let id = s.scripts[other].id;
                            step("is started in a task that already runs", false, &mut |t| {
                                look(t);
                                (t.id, t.active) = (id, 1);
                            });
                        }
                    }
                }
                at::LOOKING if usize::from(script.next) < self.n => {
                    let other = &s.scripts[usize::from(script.next)];
                    let seen = other.active == 1 && other.id != script.id;
                    step("looks at the next task of the list", false, &mut |t| {
                        t.next += 1;
                        t.lower |= u8::from(seen && other.id < script.id);
                        t.higher |= u8::from(seen && other.id > script.id);
                    });
                }
                at::LOOKING if script.lower == 1 && self.rule == Rule::Alone && script.again > 0 => {
                    step("saw a lower id: ends and starts again", false, &mut |t| {
                        *t = Script { at: at::NEW, again: t.again - 1, ..Script::default() };
                    });
                }
                at::LOOKING if script.lower == 1 && self.rule == Rule::Alone => {
                    step("saw a lower id: ends", false, &mut |t| *t = Script { at: at::GONE, ..Script::default() });
                }
                at::LOOKING if script.lower == 1 || (script.higher == 1 && self.rule == Rule::Alone) => {
                    step("is not alone: waits and looks again", false, &mut |t| look(t));
                }
                at::LOOKING => step("enters", false, &mut |t| (t.at, t.next, t.lower, t.higher) = (at::INSIDE, 0, 0, 0)),
                at::INSIDE => step("is through", false, &mut |t| (t.at, t.next, t.lower, t.higher) = (at::GONE, 0, 0, 0)),
                _ => {}
            }
            if script.at == at::GONE && script.active == 1 {
                step("its task is completed", false, &mut |t| (t.id, t.active) = (0, 0));
            }
            if script.active == 1 && (script.at == at::LOOKING || script.at == at::INSIDE) {
                step("is killed", true, &mut |t| *t = Script { at: at::GONE, id: t.id, active: 1, ..Script::default() });
                if self.zombies {
                    step("its task is called completed while it lives", true, &mut |t| t.active = 0);
                }
            }
        }
    }

    fn wrong(&self, s: &State) -> Option<&'static str> {
        (s.scripts.iter().filter(|p| p.at == at::INSIDE).count() > 1).then_some("two are inside")
    }

    fn finished(&self, s: &State) -> bool {
        s.scripts.iter().all(|p| p.at == at::GONE && p.active == 0)
    }

    fn show(&self, s: &State) -> String {
        let one = |p: &Script| {
            let place = ["not started", "looking", "INSIDE", "gone"][usize::from(p.at)];
            let task = if p.active == 1 { format!(", task {} active", p.id) } else { String::new() };
            format!("{place}{task}")
        };
        s.scripts[..self.n].iter().map(one).collect::<Vec<_>>().join(" | ")
    }
}
