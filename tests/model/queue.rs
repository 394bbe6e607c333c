//! Model D: tickets. A waiter of the lock takes a ticket. A process that sees the lock free takes it when its ticket is the first,
//! or when those before it let their turn pass. Only the record of the lock says who is inside; tickets say who may try.
//!
//! Requests are as in model B: they arrive late or never, and a server may check first and write later. What stands in the queue
//! may be wrong in any way, once: so nothing can rely on it. A killed holder is taken over after what it sent has arrived.

use super::explore::{Model, Step, Steps};
use std::fmt::Write as _;

/// The most processes.
const MOST: usize = 3;

/// Where a process is.
mod at {
    pub(super) const START: u8 = 0;
    /// Has seen another's name in the record, and is about to take a ticket.
    pub(super) const ENROL: u8 = 1;
    /// Has seen the lock free, and looks at the tickets.
    pub(super) const LINE: u8 = 2;
    /// Lets the time of a dead holder's last requests pass.
    pub(super) const DRAIN: u8 = 3;
    pub(super) const TAKE: u8 = 4;
    pub(super) const TAKING: u8 = 5;
    pub(super) const SETTLE: u8 = 6;
    pub(super) const INSIDE: u8 = 7;
    pub(super) const FREE: u8 = 8;
    pub(super) const FREEING: u8 = 9;
    pub(super) const FREED: u8 = 10;
    /// Ended, in whatever way.
    pub(super) const GONE: u8 = 11;
}

/// Where a request is.
mod request {
    pub(super) const NONE: u8 = 0;
    pub(super) const SENT: u8 = 1;
    /// The server has checked it and will carry it out.
    pub(super) const ACCEPTED: u8 = 2;
    /// Written; the process does not know yet.
    pub(super) const WRITTEN: u8 = 3;
}

/// Where tickets stand.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In a record of their own: a ticket is one write there, and changes nothing about the lock.
    Beside,
    /// In the lock's record: a ticket is a change of it, which is also written when the lock is seen free.
    Record,
    /// The same, only while the lock is held.
    RecordHeld,
}

/// A request to change the lock's record.
#[derive(Clone, Copy, Default)]
struct Put {
    at: u8,
    version: u8,
    generation: u8,
    held: u8,
    owner: u8,
    /// It also puts a ticket of the sender into the record.
    ticket: u8,
    /// The processes whose settling waits for it, a bit each.
    awaited: u8,
}

#[derive(Clone, Copy, Default)]
struct Process {
    at: u8,
    /// What it last read of the record.
    version: u8,
    generation: u8,
    owner: u8,
    held: u8,
    /// How many answers it may still give up waiting for, and how often it still writes a ticket into the record.
    late: u8,
    writes: u8,
    killed: u8,
    puts: [Put; 2],
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    processes: [Process; MOST],
    version: u8,
    generation: u8,
    held: u8,
    owner: u8,
    /// Tickets, the first at the end with the smallest bits: two bits each, 0 for none, else the process and one.
    queue: u8,
    /// The queue may still be overwritten with anything.
    mess: u8,
    wrong: u8,
}

const WRONG: [&str; 3] = ["", "two are inside", "a later ticket was served first"];

/// The queues of up to three processes.
fn tickets(queue: u8) -> impl Iterator<Item = usize> {
    (0..MOST).map(move |i| (queue >> (2 * i)) & 3).filter(|ticket| *ticket > 0).map(|ticket| usize::from(ticket) - 1)
}

fn without(queue: u8, p: usize) -> u8 {
    let kept = tickets(queue).filter(|ticket| *ticket != p);
    kept.enumerate().fold(0, |queue, (i, ticket)| queue | ((ticket as u8 + 1) << (2 * i)))
}

fn with(queue: u8, p: usize) -> u8 {
    if tickets(queue).any(|ticket| ticket == p) {
        return queue;
    }
    queue | ((p as u8 + 1) << (2 * tickets(queue).count()))
}

impl State {
    fn owns(&self, p: usize) -> bool {
        self.held == 1 && usize::from(self.owner) == p
    }

    fn awaits(&mut self, p: usize) {
        for put in self.processes.iter_mut().flat_map(|o| &mut o.puts).filter(|put| put.at == request::ACCEPTED) {
            put.awaited |= 1 << p;
        }
    }

    fn settles(&mut self, p: usize) {
        self.goes(p, at::SETTLE);
        self.awaits(p);
    }

    fn awaits_nothing(&self, p: usize) -> bool {
        self.processes.iter().flat_map(|o| &o.puts).all(|put| put.awaited & (1 << p) == 0)
    }

    fn reads(&mut self, p: usize) {
        let process = &mut self.processes[p];
        (process.version, process.generation, process.held, process.owner) = (self.version, self.generation, self.held, self.owner);
    }

    fn goes(&mut self, p: usize, to: u8) {
        let process = &mut self.processes[p];
        process.at = to;
        // What is no longer needed is forgotten, so that states which differ in nothing else are one.
        if !matches!(to, at::ENROL | at::LINE | at::DRAIN | at::TAKE | at::FREE) {
            (process.version, process.generation, process.held, process.owner) = (0, 0, 0, 0);
        }
        if to == at::GONE {
            (process.late, process.writes) = (0, 0);
            for put in &mut process.puts {
                if put.at == request::WRITTEN {
                    *put = Put::default();
                }
            }
            for other in &mut self.processes {
                other.puts[0].awaited &= !(1 << p);
                other.puts[1].awaited &= !(1 << p);
            }
        }
    }

    fn enters(&mut self, p: usize, order: bool) {
        if self.processes.iter().enumerate().any(|(i, other)| i != p && other.at == at::INSIDE) {
            self.wrong = 1;
        }
        let before = tickets(self.queue).take_while(|ticket| *ticket != p).count();
        if order && before < tickets(self.queue).count() && before > 0 {
            self.wrong = 2;
        }
        self.goes(p, at::INSIDE);
    }

    fn writes(&mut self, p: usize, put: Put) {
        (self.version, self.generation, self.held, self.owner) = (put.version + 1, put.generation, put.held, put.owner);
        if put.ticket == 1 {
            self.queue = with(self.queue, p);
        }
    }
}

/// A variant of the tickets, and what happens around them.
#[derive(Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) n: usize,
    pub(crate) place: Place,
    /// The server of the lock checks the version and writes in one step.
    pub(crate) atomic: bool,
    /// Tickets are looked at before the lock is taken.
    pub(crate) looks: bool,
    /// Those before may let their turn pass: then their tickets are struck.
    pub(crate) lapses: bool,
    /// Who has the first ticket and sees the lock free is inside.
    pub(crate) trusted: bool,
    /// The last process is of a version that knows no tickets.
    pub(crate) old: bool,
    pub(crate) crashes: bool,
    /// How many answers each process may give up waiting for.
    pub(crate) late: u8,
    /// What stands in the queue may be overwritten with anything, once.
    pub(crate) mess: bool,
    /// A later ticket that is served first is wrong.
    pub(crate) order: bool,
}

impl Queue {
    /// As it is meant, with everything around it that may go wrong.
    pub(crate) const PROTOCOL: Self = Self {
        n: 2,
        place: Place::Beside,
        atomic: false,
        looks: true,
        lapses: true,
        trusted: false,
        old: false,
        crashes: true,
        late: 1,
        mess: true,
        order: false,
    };

    fn knows(&self, p: usize) -> bool {
        !(self.old && p == self.n - 1)
    }

    fn client(&self, s: &State, p: usize, out: &mut Steps<State>) {
        let me = s.processes[p];
        let mut step = |what, change: &mut dyn FnMut(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: p as u8, what, fault: false }, to));
        };
        let has_ticket = tickets(s.queue).any(|ticket| ticket == p);
        let may_enrol = self.knows(p) && !has_ticket && (self.place == Place::Beside || me.writes > 0);
        let holder = usize::from(s.owner);
        match me.at {
            at::START if s.owns(p) => step("reads the record: it is mine", &mut |t| t.settles(p)),
            at::START if s.held == 0 => {
                step("reads the record: free", &mut |t| {
                    t.reads(p);
                    t.goes(p, if self.knows(p) { at::LINE } else { at::TAKE });
                });
                if self.place == Place::Record && may_enrol {
                    step("reads the record: free, wants a ticket", &mut |t| {
                        t.reads(p);
                        t.goes(p, at::ENROL);
                    });
                }
            }
            at::START => {
                if may_enrol {
                    step("reads the record: another's", &mut |t| {
                        t.reads(p);
                        t.goes(p, at::ENROL);
                    });
                }
                if s.processes[holder].at == at::GONE {
                    step("reads the record: of somebody who is gone", &mut |t| {
                        t.reads(p);
                        t.goes(p, at::DRAIN);
                        t.awaits(p);
                    });
                }
            }
            at::ENROL if self.place == Place::Beside => step("takes a ticket", &mut |t| {
                t.queue = with(t.queue, p);
                t.goes(p, at::START);
            }),
            // Its answer is not waited for: what stands there is read again.
            at::ENROL if me.puts[1].at == request::NONE => step("sends its ticket for the record", &mut |t| {
                let (version, generation, held, owner) = (me.version, me.generation, me.held, me.owner);
                t.processes[p].puts[1] = Put { at: request::SENT, version, generation, held, owner, ticket: 1, awaited: 0 };
                t.processes[p].writes -= 1;
                t.goes(p, at::START);
            }),
            at::ENROL => step("has a request under way still", &mut |t| t.goes(p, at::START)),
            at::LINE => {
                let first = tickets(s.queue).next();
                if self.trusted && first == Some(p) {
                    step("has the first ticket: enters", &mut |t| t.enters(p, self.order));
                } else if !self.looks || first.is_none_or(|first| first == p) {
                    step("looks at the tickets: nobody is before it", &mut |t| t.goes(p, at::TAKE));
                } else {
                    step("looks at the tickets: others are before it", &mut |t| t.goes(p, at::START));
                    if self.lapses
                        && let Some(first) = first
                    {
                        step("strikes the first ticket, whose turn has passed", &mut |t| {
                            t.queue = without(t.queue, first);
                            t.goes(p, at::START);
                        });
                    }
                }
            }
            at::DRAIN if !s.awaits_nothing(p) || !s.processes[usize::from(me.owner)].is_quiet() => {} // time passes
            at::DRAIN if s.held == 1 && s.owner == me.owner && s.generation == me.generation => {
                step("reads the record again: the same", &mut |t| {
                    t.reads(p);
                    t.goes(p, if self.knows(p) { at::LINE } else { at::TAKE });
                });
            }
            at::DRAIN => step("reads the record again: changed", &mut |t| t.goes(p, at::START)),
            at::TAKE => step("sends the change that takes the lock", &mut |t| {
                let (version, generation) = (me.version, me.generation + 1);
                t.processes[p].puts[0] = Put { at: request::SENT, version, generation, held: 1, owner: p as u8, ..Put::default() };
                t.goes(p, at::TAKING);
            }),
            at::TAKING if me.puts[0].at == request::WRITTEN => step("is told that it took the lock", &mut |t| {
                t.processes[p].puts[0] = Put::default();
                t.settles(p);
            }),
            at::TAKING | at::FREEING if matches!(me.puts[0].at, request::NONE | request::WRITTEN) => {
                step("is told something, or nothing, of its change", &mut |t| {
                    t.processes[p].puts[0] = Put::default();
                    t.goes(p, if me.at == at::FREEING { at::FREED } else { at::START });
                });
            }
            at::TAKING | at::FREEING if me.late > 0 && me.puts[1].at == request::NONE => {
                step("gives up waiting for an answer", &mut |t| {
                    let process = &mut t.processes[p];
                    process.late -= 1;
                    process.puts[1] = std::mem::take(&mut process.puts[0]);
                    t.goes(p, if me.at == at::FREEING { at::FREED } else { at::START });
                });
            }
            at::SETTLE if s.awaits_nothing(p) && s.owns(p) => step("reads the record: mine, enters", &mut |t| t.enters(p, self.order)),
            at::SETTLE if s.awaits_nothing(p) => step("reads the record: not mine", &mut |t| t.goes(p, at::START)),
            at::INSIDE => step("gives its ticket away, reads the record in order to free it", &mut |t| {
                t.queue = without(t.queue, p);
                t.reads(p);
                t.goes(p, if t.owns(p) { at::FREE } else { at::GONE });
            }),
            at::FREE => step("sends the change that frees the lock", &mut |t| {
                let (version, generation) = (me.version, me.generation);
                t.processes[p].puts[0] = Put { at: request::SENT, version, generation, ..Put::default() };
                t.goes(p, at::FREEING);
            }),
            at::FREED if s.owns(p) => step("reads the record: still mine", &mut |t| {
                t.reads(p);
                t.goes(p, at::FREE);
            }),
            at::FREED => step("reads the record: not mine, is through", &mut |t| t.goes(p, at::GONE)),
            _ => {}
        }
    }

    fn world(&self, s: &State, p: usize, out: &mut Steps<State>) {
        let me = s.processes[p];
        let mut step = |what, fault, change: &mut dyn FnMut(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: p as u8, what, fault }, to));
        };
        if self.crashes && me.at != at::GONE {
            step("is killed", true, &mut |t| {
                t.processes[p].killed = 1;
                t.goes(p, at::GONE);
            });
        }
        for i in 0..2 {
            let put = me.puts[i];
            let told = i == 0 && me.at != at::GONE;
            let answered = Put { at: if told { request::WRITTEN } else { request::NONE }, ..Put::default() };
            if put.at == request::SENT && put.version == s.version {
                step(if self.atomic { "its change is carried out" } else { "its change passes the check" }, false, &mut |t| {
                    if self.atomic {
                        t.writes(p, put);
                        t.processes[p].puts[i] = answered;
                    } else {
                        t.processes[p].puts[i].at = request::ACCEPTED;
                    }
                });
            } else if put.at == request::SENT {
                step("its change is refused", false, &mut |t| t.processes[p].puts[i] = Put::default());
            } else if put.at == request::ACCEPTED {
                step("its change is written", false, &mut |t| {
                    t.writes(p, put);
                    t.processes[p].puts[i] = answered;
                });
            }
        }
    }

    /// Every queue there can be.
    fn all_queues(&self) -> impl Iterator<Item = u8> {
        let n = self.n;
        (0..64_u8).filter(move |queue| {
            let all: Vec<usize> = tickets(*queue).collect();
            let packed = all.iter().enumerate().fold(0, |packed, (i, ticket)| packed | ((*ticket as u8 + 1) << (2 * i)));
            packed == *queue && all.iter().all(|ticket| *ticket < n && all.iter().filter(|other| *other == ticket).count() == 1)
        })
    }
}

impl Process {
    /// Nothing it sent can take effect any more.
    fn is_quiet(&self) -> bool {
        self.puts.iter().all(|put| !matches!(put.at, request::SENT | request::ACCEPTED))
    }
}

impl Model for Queue {
    type State = State;

    fn start(&self) -> State {
        let mut s = State { mess: u8::from(self.mess), ..State::default() };
        for (i, p) in s.processes.iter_mut().enumerate() {
            if i < self.n {
                (p.late, p.writes) = (self.late, u8::from(self.place != Place::Beside));
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
            for value in [&mut p.held, &mut p.late, &mut p.writes, &mut p.killed] {
                field(value, 1);
            }
            for put in &mut p.puts {
                field(&mut put.at, 2);
                field(&mut put.version, 4);
                field(&mut put.generation, 3);
                field(&mut put.held, 1);
                field(&mut put.owner, 2);
                field(&mut put.ticket, 1);
                field(&mut put.awaited, 3);
            }
        }
        field(&mut s.version, 4);
        field(&mut s.generation, 3);
        field(&mut s.held, 1);
        field(&mut s.owner, 2);
        field(&mut s.queue, 6);
        field(&mut s.mess, 1);
        field(&mut s.wrong, 2);
    }

    fn steps(&self, s: &State, out: &mut Steps<State>) {
        for p in 0..self.n {
            self.client(s, p, out);
            self.world(s, p, out);
        }
        if s.mess == 1 {
            for queue in self.all_queues().filter(|queue| *queue != s.queue) {
                out.push((Step { who: 0, what: "the queue is overwritten", fault: true }, State { queue, mess: 0, ..*s }));
            }
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
        let line: String = tickets(s.queue).map(name).collect();
        let mut words = format!("version {} generation {} {holder}, tickets {line}", s.version, s.generation);
        for (i, p) in s.processes[..self.n].iter().enumerate() {
            let facts = [
                (p.at == at::GONE, if p.killed == 1 { "killed" } else { "through" }),
                (p.at == at::INSIDE, "inside"),
                (p.puts.iter().any(|r| r.at == request::SENT), "a change under way"),
                (p.puts.iter().any(|r| r.at == request::ACCEPTED), "a change checked"),
            ];
            let facts: Vec<&str> = facts.iter().filter(|(yes, _)| *yes).map(|(_, word)| *word).collect();
            if !facts.is_empty() {
                let _ = write!(words, " | {}: {}", name(i), facts.join(", "));
            }
        }
        words
    }
}
