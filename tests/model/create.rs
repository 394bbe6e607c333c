//! Model C: one step that must create one deployment, by a client that may be killed at any point and started again, over a
//! network that loses requests and delivers them late.

use super::explore::{Model, Step, Steps};

use std::fmt::Write as _;

/// The most attempts at one step.
const ATTEMPTS: usize = 3;

/// What the client does when it does not know whether an attempt was carried out.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Doubt {
    /// Knows of no doubt: it writes to its journal after the call only.
    Unseen,
    /// Tries again.
    Retry,
    /// Looks for its mark, and tries again when there is none.
    Look,
    /// Waits until the attempt can no longer start, looks for its mark, and tries again when there is none.
    Expire,
    /// Looks for its mark once, and stops when there is none.
    Stop,
}

#[derive(Clone, Copy)]
pub(crate) struct Create {
    pub(crate) doubt: Doubt,
    /// Deployments carry a moment after which they do not start.
    pub(crate) expiry: bool,
    /// Cancels what waits in the queue beside the one that it keeps.
    pub(crate) surplus: bool,
    /// Watches a created deployment until it starts, and tries again when it expired before that.
    pub(crate) watch: bool,
    /// How often the client may be killed.
    pub(crate) kills: u8,
    /// Something between client and server may deliver a request twice.
    pub(crate) twice: bool,
}

/// Where the client is.
mod at {
    pub(super) const BEGIN: u8 = 0;
    pub(super) const SEND: u8 = 1;
    pub(super) const WAIT: u8 = 2;
    pub(super) const DOUBT: u8 = 3;
    pub(super) const NEXT: u8 = 4;
    pub(super) const WATCH: u8 = 5;
    pub(super) const DONE: u8 = 6;
    pub(super) const STOPPED: u8 = 7;
    pub(super) const DEAD: u8 = 8;
    pub(super) const WRITE: u8 = 9;
}

/// What became of an attempt on the server.
mod deployment {
    pub(super) const NONE: u8 = 0;
    pub(super) const QUEUED: u8 = 1;
    pub(super) const STARTED: u8 = 2;
    pub(super) const EXPIRED: u8 = 3;
    pub(super) const CANCELLED: u8 = 4;
}

#[derive(Clone, Copy, Default)]
struct Attempt {
    /// A request is under way.
    sent: u8,
    deployment: u8,
    /// A second deployment of the same request.
    second: u8,
    /// Its moment has passed.
    past: u8,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    at: u8,
    /// The attempt that the client is at.
    now: u8,
    /// The journal: the attempt that it knows of, from 1, and whether the step is done.
    intent: u8,
    done: u8,
    kills: u8,
    twice: u8,
    attempts: [Attempt; ATTEMPTS],
}

impl State {
    fn count(&self, what: u8) -> usize {
        self.attempts.iter().flat_map(|a| [a.deployment, a.second]).filter(|d| *d == what).count()
    }

    fn current(&mut self) -> &mut Attempt {
        &mut self.attempts[usize::from(self.now)]
    }
}

impl Create {
    /// What the client finds when it lists deployments with its mark.
    fn look(&self, s: &State, mut step: impl FnMut(&'static str, &mut dyn FnMut(&mut State))) {
        if s.count(deployment::STARTED) + s.count(deployment::QUEUED) > 0 {
            step("lists deployments, finds its mark and adopts that one", &mut |t| {
                if self.surplus {
                    let mut keep = t.count(deployment::STARTED) == 0;
                    for a in &mut t.attempts {
                        for d in [&mut a.deployment, &mut a.second] {
                            if *d == deployment::QUEUED && !std::mem::take(&mut keep) {
                                *d = deployment::CANCELLED;
                            }
                        }
                    }
                }
                t.at = if self.watch { at::WATCH } else { at::WRITE };
            });
        } else if self.doubt == Doubt::Stop {
            step("lists deployments, finds nothing and stops", &mut |t| t.at = at::STOPPED);
        } else {
            step("lists deployments and finds nothing that lives", &mut |t| t.at = at::NEXT);
        }
    }
}

impl Model for Create {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, twice: u8::from(self.twice), ..State::default() }
    }

    fn fields(s: &mut State, field: &mut impl FnMut(&mut u8, u32)) {
        field(&mut s.at, 4);
        field(&mut s.now, 2);
        field(&mut s.intent, 2);
        field(&mut s.done, 1);
        field(&mut s.kills, 2);
        field(&mut s.twice, 1);
        for a in &mut s.attempts {
            field(&mut a.sent, 1);
            field(&mut a.deployment, 3);
            field(&mut a.second, 3);
            field(&mut a.past, 1);
        }
    }

    fn steps(&self, s: &State, out: &mut Steps<State>) {
        let mut step = |what, fault, change: &mut dyn FnMut(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: 0, what, fault }, to));
        };
        let attempt = s.attempts[usize::from(s.now)];
        match s.at {
            at::BEGIN if self.doubt == Doubt::Unseen => step("is about to deploy", false, &mut |t| t.at = at::SEND),
            at::BEGIN => step("writes the intent to its journal", false, &mut |t| (t.at, t.intent) = (at::SEND, t.now + 1)),
            at::SEND => step("sends the request for a deployment", false, &mut |t| {
                t.at = at::WAIT;
                t.current().sent = 1;
            }),
            at::WAIT => {
                if attempt.sent == 0 && attempt.deployment != deployment::NONE {
                    let next = if self.watch { at::WATCH } else { at::WRITE };
                    step("is told that the deployment was created", false, &mut |t| t.at = next);
                }
                step("has no answer", false, &mut |t| t.at = at::DOUBT);
            }
            at::DOUBT => match self.doubt {
                Doubt::Unseen | Doubt::Retry => step("tries again", false, &mut |t| t.at = at::NEXT),
                // Until the moment has passed, only what is there counts.
                Doubt::Expire if attempt.past == 0 && s.count(deployment::STARTED) + s.count(deployment::QUEUED) == 0 => {}
                Doubt::Look | Doubt::Expire | Doubt::Stop => self.look(s, |what, change| step(what, false, change)),
            },
            at::NEXT if usize::from(s.now) + 1 < ATTEMPTS => step("goes on to the next attempt", false, &mut |t| {
                t.now += 1;
                t.at = at::BEGIN;
            }),
            at::NEXT => step("has no attempt left and stops", false, &mut |t| t.at = at::STOPPED),
            at::WATCH if s.count(deployment::STARTED) > 0 => step("sees its deployment start", false, &mut |t| t.at = at::WRITE),
            at::WATCH if s.count(deployment::QUEUED) == 0 => {
                step("sees that its deployment expired before it started", false, &mut |t| t.at = at::DOUBT);
            }
            at::WRITE => step("writes to its journal that the step is done", false, &mut |t| (t.at, t.done) = (at::DONE, 1)),
            at::DEAD => step("is started again and reads its journal", false, &mut |t| {
                t.now = t.intent.saturating_sub(1);
                t.at = match (t.done, t.intent) {
                    (1, _) => at::DONE,
                    (_, 0) => at::BEGIN,
                    _ => at::DOUBT,
                };
                // Without a journal of intents the next request is one more, not the same one.
                if self.doubt == Doubt::Unseen {
                    t.now = (0..ATTEMPTS as u8 - 1)
                        .find(|i| t.attempts[usize::from(*i)].deployment + t.attempts[usize::from(*i)].sent == 0)
                        .unwrap_or(2);
                }
            }),
            _ => {}
        }
        if s.kills > 0 && ![at::DONE, at::STOPPED, at::DEAD].contains(&s.at) {
            step("is killed", true, &mut |t| (t.at, t.now, t.kills) = (at::DEAD, 0, t.kills - 1));
        }
        for i in 0..ATTEMPTS {
            let a = s.attempts[i];
            if a.sent == 1 {
                let created = if self.expiry && a.past == 1 { deployment::EXPIRED } else { deployment::QUEUED };
                step("the server carries the request out", false, &mut |t| {
                    let a = &mut t.attempts[i];
                    let place = if a.deployment == deployment::NONE { &mut a.deployment } else { &mut a.second };
                    (*place, a.sent) = (created, 0);
                });
                step("the request is lost", true, &mut |t| t.attempts[i].sent = 0);
                if s.twice == 1 && a.deployment == deployment::NONE {
                    step("the server carries the request out, and will get it again", true, &mut |t| {
                        (t.attempts[i].deployment, t.twice) = (created, 0);
                    });
                }
            }
            for second in [false, true] {
                if (if second { a.second } else { a.deployment }) != deployment::QUEUED {
                    continue;
                }
                let mut set = |what, value: u8| {
                    step(what, false, &mut |t| {
                        let a = &mut t.attempts[i];
                        *(if second { &mut a.second } else { &mut a.deployment }) = value;
                    });
                };
                if self.expiry && a.past == 1 {
                    set("the server sees that the deployment has expired", deployment::EXPIRED);
                } else {
                    set("the deployment starts", deployment::STARTED);
                }
            }
            // Moments pass in their order, and only those that an attempt has set.
            let set = usize::from(s.intent) > i;
            if self.expiry && set && a.past == 0 && s.attempts[..i].iter().all(|a| a.past == 1) {
                step("the moment passes after which the attempt may not start", false, &mut |t| t.attempts[i].past = 1);
            }
        }
    }

    fn wrong(&self, s: &State) -> Option<&'static str> {
        let started = s.count(deployment::STARTED);
        let could = started + s.count(deployment::QUEUED);
        let late = s.attempts.iter().any(|a| a.sent == 1 && a.past == 0);
        if started > 1 {
            Some("the step was carried out twice")
        } else if s.at == at::DONE && could == 0 && !late {
            Some("the step is called done and nothing was carried out")
        } else {
            None
        }
    }

    fn finished(&self, s: &State) -> bool {
        [at::DONE, at::STOPPED].contains(&s.at)
    }

    fn show(&self, s: &State) -> String {
        let what = ["", "queued", "STARTED", "expired", "cancelled"];
        let mut words = format!("journal: attempt {}{}", s.intent, if s.done == 1 { ", done" } else { "" });
        for (i, a) in s.attempts.iter().enumerate() {
            for (yes, word) in [(a.sent == 1, "under way"), (a.past == 1, "past"), (a.deployment > 0, what[usize::from(a.deployment)])] {
                if yes {
                    let _ = write!(words, " | {} {word}", i + 1);
                }
            }
            if a.second > 0 {
                let _ = write!(words, " | {} again {}", i + 1, what[usize::from(a.second)]);
            }
        }
        words
    }
}
