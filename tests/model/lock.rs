//! Model B: the lock in a variable set. Processes take it, deploy and free it; each may be killed at any point, outlive its
//! task, and leave requests under way that arrive late, twice or never. What must hold: nothing is deployed by an earlier
//! owner after a later one has entered, and no generation has two owners.

use super::{
    explore::{Model, Step, Steps},
    rules::{Fence, Rules},
};

use std::fmt::Write as _;

/// The most processes.
pub(crate) const MOST: usize = 3;

/// Where a process is.
pub(crate) mod at {
    pub(crate) const START: u8 = 0;
    /// Asks whether the owner lives.
    pub(crate) const ASK: u8 = 1;
    pub(crate) const FENCE: u8 = 2;
    pub(crate) const DRAIN: u8 = 3;
    /// Reads the record once more before it takes it over.
    pub(crate) const AGAIN: u8 = 4;
    pub(crate) const TAKE: u8 = 5;
    pub(crate) const TAKING: u8 = 6;
    pub(crate) const SETTLE: u8 = 7;
    pub(crate) const INSIDE: u8 = 8;
    pub(crate) const DEPLOY: u8 = 9;
    pub(crate) const DEPLOYING: u8 = 10;
    pub(crate) const DOUBT: u8 = 11;
    pub(crate) const FREE: u8 = 12;
    pub(crate) const FREEING: u8 = 13;
    pub(crate) const FREED: u8 = 14;
    /// Ended, in whatever way.
    pub(crate) const GONE: u8 = 15;
}

/// Where a request is.
pub(crate) mod request {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const SENT: u8 = 1;
    /// The server has checked it and will carry it out.
    pub(crate) const ACCEPTED: u8 = 2;
    /// Refused, because its key is revoked; the process does not know yet.
    pub(crate) const REFUSED: u8 = 3;
    /// Written; the process does not know yet.
    pub(crate) const WRITTEN: u8 = 4;
}

/// A request to change the record.
#[derive(Clone, Copy, Default)]
pub(crate) struct Put {
    pub(crate) at: u8,
    /// The version of the record that it replaces.
    pub(crate) version: u8,
    pub(crate) generation: u8,
    /// It frees the lock.
    pub(crate) frees: u8,
    /// The processes whose settling waits for it, a bit each.
    pub(crate) awaited: u8,
}

/// A request to deploy.
#[derive(Clone, Copy, Default)]
pub(crate) struct Post {
    pub(crate) at: u8,
    pub(crate) generation: u8,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Process {
    pub(crate) at: u8,
    /// What it last read of the record, as far as it needs it.
    pub(crate) version: u8,
    pub(crate) generation: u8,
    pub(crate) owner: u8,
    /// How often it still takes the lock, and what it still deploys inside.
    pub(crate) takes: u8,
    pub(crate) deploys: u8,
    /// How many answers it may still give up waiting for.
    pub(crate) puts_left: u8,
    pub(crate) posts_left: u8,
    /// Its task is executing, its key is valid, the deadline of its deployments has passed.
    pub(crate) task: u8,
    pub(crate) key: u8,
    pub(crate) lapsed: u8,
    /// Its requests: the one that it waits for, and one that it gave up.
    pub(crate) puts: [Put; 2],
    pub(crate) posts: [Post; 2],
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    pub(crate) processes: [Process; MOST],
    /// The record.
    pub(crate) version: u8,
    pub(crate) generation: u8,
    pub(crate) held: u8,
    pub(crate) owner: u8,
    /// The latest generation that anybody has entered with, and who.
    pub(crate) entered: u8,
    pub(crate) entered_by: u8,
    /// Something may still deliver a change twice.
    pub(crate) repeat: u8,
    pub(crate) wrong: u8,
}

const WRONG: [&str; 4] = [
    "",
    "an earlier owner's deployment is carried out after a later owner has entered",
    "one generation has two owners",
    "an earlier generation enters after a later one",
];

impl State {
    pub(crate) fn owns(&self, p: usize) -> bool {
        self.held == 1 && usize::from(self.owner) == p && self.generation == self.processes[p].generation
    }

    fn goes(&mut self, p: usize, to: u8) {
        let process = &mut self.processes[p];
        process.at = to;
        // What is no longer needed is forgotten, so that states which differ in nothing else are one.
        if to < at::INSIDE && !(at::ASK..=at::TAKE).contains(&to) {
            (process.version, process.generation) = (0, 0);
        }
        if !(at::ASK..=at::AGAIN).contains(&to) {
            process.owner = 0;
        }
        if to == at::GONE {
            (process.version, process.generation, process.deploys, process.takes) = (0, 0, 0, 0);
            (process.puts_left, process.posts_left) = (0, 0);
            for put in &mut process.puts {
                if put.at == request::REFUSED || put.at == request::WRITTEN {
                    *put = Put::default();
                }
            }
            if process.posts[0].at == request::REFUSED {
                process.posts[0] = Post::default();
            }
            for other in &mut self.processes {
                other.puts[0].awaited &= !(1 << p);
                other.puts[1].awaited &= !(1 << p);
            }
        }
    }

    /// From now on this process waits for the changes that have been checked and not yet written.
    fn settles(&mut self, p: usize, rules: &Rules) {
        self.goes(p, at::SETTLE);
        self.awaits(p, rules);
    }

    fn awaits(&mut self, p: usize, rules: &Rules) {
        if rules.atomic || !rules.settle {
            return;
        }
        for put in self.processes.iter_mut().flat_map(|o| &mut o.puts) {
            if put.at == request::ACCEPTED {
                put.awaited |= 1 << p;
            }
        }
    }

    fn reads(&mut self, p: usize) {
        let process = &mut self.processes[p];
        (process.version, process.generation, process.owner) = (self.version, self.generation, self.owner);
    }

    fn enters(&mut self, p: usize, rules: &Rules) {
        let process = &mut self.processes[p];
        (process.version, process.generation, process.deploys) = (0, self.generation, rules.deploys);
        process.at = at::INSIDE;
        process.owner = 0;
        if self.generation < self.entered {
            self.wrong = 3;
        } else if self.generation == self.entered && usize::from(self.entered_by) != p {
            self.wrong = 2;
        }
        (self.entered, self.entered_by) = (self.entered.max(self.generation), p as u8);
    }

    fn writes(&mut self, p: usize, put: Put) {
        (self.version, self.generation) = (put.version + 1, put.generation);
        (self.held, self.owner) = if put.frees == 1 { (0, 0) } else { (1, p as u8) };
    }
}

impl Rules {
    /// Whether a record is this process' own, by what this variant goes by.
    fn is_mine(&self, s: &State, p: usize) -> bool {
        s.held == 1 && (usize::from(s.owner) == p || self.by_task && self.one_task)
    }

    /// After a change of which nothing certain is known: only a change that is known to be written starts the settling.
    fn looks(&self, s: &mut State, p: usize) {
        match s.processes[p].at {
            at::FREEING => s.goes(p, at::FREED),
            _ if self.settle_from_sending => s.settles(p, self),
            _ => s.goes(p, at::START),
        }
    }

    /// What a process may do next.
    fn client(&self, s: &State, p: usize, out: &mut Steps<State>) {
        let me = s.processes[p];
        let mut step = |what, change: &mut dyn FnMut(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: p as u8, what, fault: false }, to));
        };
        let owner = usize::from(me.owner);
        let refused = me.puts[0].at == request::REFUSED || me.posts[0].at == request::REFUSED;
        match me.at {
            _ if refused => step("is told that its key is revoked, and stops", &mut |t| t.goes(p, at::GONE)),
            at::START if self.is_mine(s, p) && !self.settle_on_reread => {
                step("reads the record: it is mine, enters", &mut |t| t.enters(p, self));
            }
            at::START if self.is_mine(s, p) => step("reads the record: it is mine", &mut |t| t.settles(p, self)),
            at::START if s.held == 0 || !self.ask => step("reads the record", &mut |t| {
                t.reads(p);
                t.goes(p, at::TAKE);
            }),
            at::START => step("reads the record: another's", &mut |t| {
                t.reads(p);
                t.goes(p, if self.one_task && self.restarts { at::FENCE } else { at::ASK });
            }),
            at::ASK if self.one_task || s.processes[owner].task == 1 => {
                step("asks for the owner's task: not completed, so it waits", &mut |t| t.goes(p, at::START));
            }
            at::ASK => step("asks for the owner's task: completed", &mut |t| {
                t.goes(p, if self.fence == Fence::None { at::TAKE } else { at::FENCE });
                if self.read_again {
                    t.awaits(p, self);
                }
            }),
            at::FENCE if self.fence == Fence::None => step("takes the owner for gone", &mut |t| t.goes(p, at::TAKE)),
            at::FENCE if self.fence == Fence::Key => step("revokes the key of the owner", &mut |t| {
                t.processes[owner].key = 0;
                t.goes(p, if self.drain { at::DRAIN } else { at::TAKE });
            }),
            at::FENCE if s.processes[owner].lapsed == 1 => step("has waited until nothing of the owner starts", &mut |t| {
                t.goes(p, if self.read_again { at::AGAIN } else { at::TAKE });
            }),
            // Long enough: everything that was let in with the revoked key is carried out.
            at::DRAIN if s.processes[owner].is_drained() => step("has waited for what the owner had under way", &mut |t| {
                t.goes(p, if self.read_again { at::AGAIN } else { at::TAKE });
            }),
            at::AGAIN if !s.awaits_nothing(p) => {} // waits for what may yet be written over the record
            at::AGAIN if s.held == 1 && s.owner == me.owner && s.generation == me.generation => {
                step("reads the record again: the same owner", &mut |t| {
                    t.reads(p);
                    t.goes(p, at::TAKE);
                });
            }
            at::AGAIN => step("reads the record again: changed", &mut |t| t.goes(p, at::START)),
            at::TAKE if self.self_check && me.task == 0 && !self.one_task => {
                step("finds that its own task is completed, and stops", &mut |t| t.goes(p, at::GONE));
            }
            at::TAKE => step("sends the change that takes the lock", &mut |t| {
                let (version, generation) = (me.version, me.generation + 1);
                t.processes[p].puts[0] = Put { at: request::SENT, version, generation, ..Put::default() };
                t.processes[p].lapsed = 0;
                t.goes(p, at::TAKING);
            }),
            at::TAKING if me.puts[0].at == request::WRITTEN => step("is told that it took the lock", &mut |t| {
                t.processes[p].puts[0] = Put::default();
                t.settles(p, self);
            }),
            at::TAKING | at::FREEING if me.puts[0].at == request::NONE || me.puts[0].at == request::WRITTEN => {
                step("is told something, or nothing, of its change", &mut |t| {
                    t.processes[p].puts[0] = Put::default();
                    self.looks(t, p);
                });
            }
            at::TAKING | at::FREEING if me.puts_left > 0 && me.puts[1].at == request::NONE => {
                step("gives up waiting for an answer", &mut |t| {
                    let process = &mut t.processes[p];
                    process.puts_left -= 1;
                    process.puts[1] = std::mem::take(&mut process.puts[0]);
                    self.looks(t, p);
                });
            }
            at::SETTLE if s.awaits_nothing(p) && self.is_mine(s, p) => {
                step("reads the record: it is mine, enters", &mut |t| t.enters(p, self));
            }
            at::SETTLE if s.awaits_nothing(p) => step("reads the record: not mine", &mut |t| t.goes(p, at::START)),
            at::INSIDE if me.deploys == 0 => Self::frees(s, p, step),
            at::INSIDE if !self.self_check => step("is about to deploy", &mut |t| t.goes(p, at::DEPLOY)),
            at::INSIDE if (me.task == 1 || self.one_task) && s.owns(p) => {
                step("checks that task and lock are its own", &mut |t| t.goes(p, at::DEPLOY));
            }
            at::INSIDE => step("finds that task or lock are no longer its own, and stops", &mut |t| t.goes(p, at::GONE)),
            at::DEPLOY => step("sends the request for a deployment", &mut |t| {
                t.processes[p].posts[0] = Post { at: request::SENT, generation: me.generation };
                t.goes(p, at::DEPLOYING);
            }),
            at::DEPLOYING if me.posts[0].at == request::NONE => step("the deployment is answered, or known not to start", &mut |t| {
                t.processes[p].deploys -= 1;
                t.goes(p, at::INSIDE);
            }),
            at::DEPLOYING if me.posts_left > 0 && me.posts[1].at == request::NONE => step("gives up waiting for an answer", &mut |t| {
                let process = &mut t.processes[p];
                process.posts_left -= 1;
                process.posts[1] = std::mem::take(&mut process.posts[0]);
                t.goes(p, at::DOUBT);
            }),
            at::DOUBT => {
                if self.frees_in_doubt || me.posts[1].at == request::NONE {
                    let what = if self.frees_in_doubt { "goes on, in doubt" } else { "knows what became of the deployment" };
                    step(what, &mut |t| {
                        t.processes[p].deploys -= 1;
                        t.goes(p, at::INSIDE);
                    });
                }
                if self.fence == Fence::Key && !self.frees_in_doubt {
                    step("cannot resolve the doubt: revokes its key, keeps the lock and ends", &mut |t| {
                        t.processes[p].key = 0;
                        t.goes(p, at::GONE);
                    });
                }
            }
            at::FREE => step("sends the change that frees the lock", &mut |t| {
                let (version, generation) = (me.version, me.generation);
                t.processes[p].puts[0] = Put { at: request::SENT, version, generation, frees: 1, awaited: 0 };
                t.processes[p].version = 0;
                t.goes(p, at::FREEING);
            }),
            at::FREED => Self::frees(s, p, step),
            _ => {}
        }
    }

    /// Reads the record in order to free it, before and after.
    fn frees(s: &State, p: usize, mut step: impl FnMut(&'static str, &mut dyn FnMut(&mut State))) {
        if s.owns(p) {
            step("reads the record in order to free it", &mut |t| {
                t.processes[p].version = t.version;
                t.goes(p, at::FREE);
            });
        } else {
            step("reads the record: no longer its own, is through", &mut |t| {
                let process = &mut t.processes[p];
                process.takes -= 1;
                let next = if process.takes == 0 { at::GONE } else { at::START };
                t.goes(p, next);
            });
        }
    }

    /// What may befall a process, and what the server may do with its requests.
    fn world(&self, s: &State, p: usize, out: &mut Steps<State>) {
        let me = s.processes[p];
        let mut step = |what, fault, change: &mut dyn FnMut(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: p as u8, what, fault }, to));
        };
        if me.at == at::GONE && me.task == 1 && !self.one_task {
            step("its task is completed", false, &mut |t| t.processes[p].task = 0);
        }
        if me.at != at::GONE {
            if self.crashes {
                step("is killed", true, &mut |t| t.goes(p, at::GONE));
            }
            if self.zombies && me.task == 1 && !self.one_task {
                step("its task is called completed while it lives", true, &mut |t| t.processes[p].task = 0);
            }
        }
        if self.fence == Fence::Lease && me.lapsed == 0 {
            step("the moment passes after which its deployments do not start", false, &mut |t| {
                t.processes[p].lapsed = 1;
                t.processes[p].posts = [Post::default(); 2];
            });
        }
        for i in 0..2 {
            let put = me.puts[i];
            // What nobody waits for any more is not told to anybody.
            let told = i == 0 && me.at != at::GONE;
            let answered = Put { at: if told { request::WRITTEN } else { request::NONE }, ..Put::default() };
            if put.at == request::SENT {
                let valid = me.key == 1 || self.fence != Fence::Key;
                if valid && put.version == s.version {
                    for again in 0..=s.repeat {
                        let what = if again == 1 { "its change is carried out, and will come again" } else { "its change is carried out" };
                        step(if self.atomic { what } else { "its change passes the check" }, false, &mut |t| {
                            if self.atomic {
                                t.writes(p, put);
                                t.processes[p].puts[i] = if again == 1 { put } else { answered };
                                t.repeat -= again;
                            } else {
                                t.processes[p].puts[i].at = request::ACCEPTED;
                            }
                        });
                        if !self.atomic {
                            break;
                        }
                    }
                } else {
                    let keep = !valid && told;
                    step("its change is refused", false, &mut |t| {
                        t.processes[p].puts[i] = Put { at: if keep { request::REFUSED } else { request::NONE }, ..Put::default() };
                    });
                }
                if self.losses {
                    step("its change is lost", true, &mut |t| t.processes[p].puts[i] = Put::default());
                }
            } else if put.at == request::ACCEPTED {
                step("its change is written", false, &mut |t| {
                    t.writes(p, put);
                    t.processes[p].puts[i] = answered;
                });
            }
            let post = me.posts[i];
            if post.at == request::SENT && self.fence == Fence::Key {
                let state = match me.key {
                    1 => request::ACCEPTED,
                    _ if told => request::REFUSED,
                    _ => request::NONE,
                };
                let what = if me.key == 1 { "its deployment is let in" } else { "its deployment is refused: the key is revoked" };
                step(what, false, &mut |t| {
                    let generation = if state == request::ACCEPTED { post.generation } else { 0 };
                    t.processes[p].posts[i] = Post { at: state, generation };
                });
            } else if post.at == request::SENT || post.at == request::ACCEPTED {
                let late = post.generation < s.entered && !(self.fence == Fence::Lease && me.lapsed == 1);
                step("its deployment is carried out", false, &mut |t| {
                    t.processes[p].posts[i] = Post::default();
                    if late {
                        t.wrong = 1;
                    }
                });
            }
            if post.at == request::SENT && self.losses {
                step("its deployment is lost", true, &mut |t| t.processes[p].posts[i] = Post::default());
            }
        }
    }
}

impl Process {
    fn is_drained(&self) -> bool {
        self.puts.iter().all(|r| r.at != request::ACCEPTED) && self.posts.iter().all(|r| r.at != request::ACCEPTED)
    }
}

impl State {
    fn awaits_nothing(&self, p: usize) -> bool {
        self.processes.iter().flat_map(|o| &o.puts).all(|put| put.awaited & (1 << p) == 0)
    }
}

impl Model for Rules {
    type State = State;

    fn start(&self) -> State {
        let mut s = State { repeat: u8::from(self.repeats), ..State::default() };
        for (i, p) in s.processes.iter_mut().enumerate() {
            (p.key, p.lapsed) = (1, 1);
            if i < self.n {
                (p.task, p.takes, p.puts_left, p.posts_left) = (1, self.takes, self.late_puts, self.late_posts);
            } else {
                p.at = at::GONE;
            }
        }
        s
    }

    fn fields(s: &mut State, field: &mut impl FnMut(&mut u8, u32)) {
        for p in &mut s.processes {
            for (value, bits) in [(&mut p.at, 4), (&mut p.version, 4), (&mut p.generation, 3), (&mut p.owner, 2)] {
                field(value, bits);
            }
            for (value, bits) in [(&mut p.takes, 2), (&mut p.deploys, 2), (&mut p.puts_left, 2), (&mut p.posts_left, 2)] {
                field(value, bits);
            }
            for value in [&mut p.task, &mut p.key, &mut p.lapsed] {
                field(value, 1);
            }
            for put in &mut p.puts {
                field(&mut put.at, 3);
                field(&mut put.version, 4);
                field(&mut put.generation, 3);
                field(&mut put.frees, 1);
                field(&mut put.awaited, 3);
            }
            for post in &mut p.posts {
                field(&mut post.at, 2);
                field(&mut post.generation, 3);
            }
        }
        field(&mut s.version, 4);
        field(&mut s.generation, 3);
        field(&mut s.held, 1);
        field(&mut s.owner, 2);
        field(&mut s.entered, 3);
        field(&mut s.entered_by, 2);
        field(&mut s.repeat, 1);
        field(&mut s.wrong, 2);
    }

    fn steps(&self, s: &State, out: &mut Steps<State>) {
        for p in 0..self.n {
            self.client(s, p, out);
            self.world(s, p, out);
        }
    }

    fn wrong(&self, s: &State) -> Option<&'static str> {
        (s.wrong > 0).then(|| WRONG[usize::from(s.wrong)])
    }

    fn finished(&self, s: &State) -> bool {
        s.processes.iter().all(|p| p.at == at::GONE)
    }

    fn show(&self, s: &State) -> String {
        let name = |p: usize| char::from(b'A' + p as u8);
        let holder = if s.held == 1 { format!("held by {}", name(s.owner.into())) } else { "free".to_owned() };
        let mut words = format!("version {} generation {} {holder}", s.version, s.generation);
        for (i, p) in s.processes[..self.n].iter().enumerate() {
            let facts = [
                (p.at == at::GONE, "gone"),
                ((at::INSIDE..at::GONE).contains(&p.at), "inside"),
                (p.task == 0, "task completed"),
                (p.key == 0, "key revoked"),
                (p.puts.iter().any(|r| r.at == request::SENT), "a change under way"),
                (p.puts.iter().any(|r| r.at == request::ACCEPTED), "a change checked"),
                (p.posts.iter().any(|r| r.at == request::SENT), "a deployment under way"),
                (p.posts.iter().any(|r| r.at == request::ACCEPTED), "a deployment let in"),
            ];
            let facts: Vec<&str> = facts.iter().filter(|(yes, _)| *yes).map(|(_, word)| *word).collect();
            if !facts.is_empty() {
                let _ = write!(words, " | {}: {}", name(i), facts.join(", "));
            }
        }
        words
    }
}
