//! Model E: a release of two projects, A and then C, where C may be refused, and then the old A is put back. A request may be lost or late,
//! an answer lost, and a proxy may answer reads instead of the server. What does the run take such trouble for?

use super::explore::{Model, Step, Steps};

/// What trouble is taken for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Taken {
    /// A stop: the run ends where it is, and goes on from there.
    Stop,
    /// A failure of the script: what was done is undone.
    Failure,
    /// A failure that is within a budget, or that the script catches: it goes on.
    Counted,
    /// A stop, and what came of the step: a run that goes on meets it again.
    Outcome,
}

#[derive(Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) taken: Taken,
    /// A proxy may answer reads for a while.
    pub(crate) odd: bool,
    /// Answers to writes may be lost, and the request be late.
    pub(crate) doubt: bool,
}

/// Where the run is.
mod at {
    pub(super) const WAITS_FOR_A: u8 = 0;
    pub(super) const SENDS_C: u8 = 1;
    pub(super) const WAITS_FOR_ANSWER: u8 = 2;
    pub(super) const LOOKS_FOR_C: u8 = 3;
    pub(super) const UNDOES: u8 = 4;
    pub(super) const SUCCEEDED: u8 = 5;
    pub(super) const UNDONE: u8 = 6;
    pub(super) const STOPPED: u8 = 7;
}

/// What became of the request for C.
mod request {
    pub(super) const NONE: u8 = 0;
    pub(super) const UNDER_WAY: u8 = 1;
    pub(super) const DONE: u8 = 2;
    pub(super) const REFUSED: u8 = 3;
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    at: u8,
    /// Where a stopped run goes on.
    back: u8,
    request: u8,
    /// The new A is live.
    a_is_new: u8,
    /// The server has said no: a real failure.
    said_no: u8,
    /// A proxy answers reads.
    proxy: u8,
    /// The trouble stands in the record as what came of the step.
    recorded: u8,
}

impl Trouble {
    /// The run gives up being patient.
    fn met(&self, s: &mut State) {
        match self.taken {
            Taken::Stop | Taken::Outcome => {
                (s.back, s.at) = (s.at, at::STOPPED);
                s.recorded = u8::from(self.taken == Taken::Outcome);
            }
            Taken::Failure => s.at = at::UNDOES,
            Taken::Counted => s.at = at::SUCCEEDED,
        }
    }
}

impl Model for Trouble {
    type State = State;

    fn start(&self) -> State {
        State { a_is_new: 1, ..State::default() }
    }

    fn fields(s: &mut State, field: &mut impl FnMut(&mut u8, u32)) {
        field(&mut s.at, 3);
        field(&mut s.back, 3);
        field(&mut s.request, 2);
        field(&mut s.a_is_new, 1);
        field(&mut s.said_no, 1);
        field(&mut s.proxy, 1);
        field(&mut s.recorded, 1);
    }

    fn steps(&self, s: &State, out: &mut Steps<State>) {
        let mut step = |what, fault, change: &dyn Fn(&mut State)| {
            let mut to = *s;
            change(&mut to);
            out.push((Step { who: 0, what, fault }, to));
        };
        if s.request == request::UNDER_WAY {
            step("the server takes C", false, &|t| t.request = request::DONE);
            step("the server refuses C", false, &|t| t.request = request::REFUSED);
        }
        if self.odd && s.proxy == 0 {
            step("a proxy answers instead of the server", true, &|t| t.proxy = 1);
        }
        if s.proxy == 1 {
            step("the proxy is well again", false, &|t| t.proxy = 0);
        }
        match s.at {
            at::WAITS_FOR_A | at::LOOKS_FOR_C if s.proxy == 1 => step("no answer of Octopus's for too long", true, &|t| self.met(t)),
            at::WAITS_FOR_A => step("sees that A is live", false, &|t| t.at = at::SENDS_C),
            at::SENDS_C => step("sends C", false, &|t| (t.at, t.request) = (at::WAITS_FOR_ANSWER, request::UNDER_WAY)),
            at::WAITS_FOR_ANSWER => {
                match s.request {
                    request::DONE => step("hears that C is there", false, &|t| t.at = at::SUCCEEDED),
                    request::REFUSED => step("hears that C is refused", false, &|t| (t.at, t.said_no) = (at::UNDOES, 1)),
                    _ => {}
                }
                if self.doubt {
                    step("the answer is lost", true, &|t| t.at = at::LOOKS_FOR_C);
                }
            }
            at::LOOKS_FOR_C if s.request == request::DONE => step("finds C", false, &|t| t.at = at::SUCCEEDED),
            at::LOOKS_FOR_C => {
                step("does not find C for too long", true, &|t| self.met(t));
                if s.request == request::REFUSED {
                    step("knows that nothing can come any more", false, &|t| (t.at, t.request) = (at::SENDS_C, request::NONE));
                }
            }
            at::UNDOES => step("puts the old A back", false, &|t| (t.at, t.a_is_new) = (at::UNDONE, 0)),
            at::STOPPED if s.recorded == 0 => step("goes on", false, &|t| (t.at, t.back) = (t.back, 0)),
            _ => {}
        }
    }

    fn wrong(&self, s: &State) -> Option<&'static str> {
        match s.at {
            at::UNDONE if s.request == request::DONE => Some("the old A runs with the new C"),
            at::UNDONE if s.said_no == 0 && s.request == request::NONE => Some("a healthy release was undone"),
            at::SUCCEEDED if s.request == request::NONE || s.request == request::REFUSED => {
                Some("all is well, it says, and C is not there")
            }
            at::STOPPED if s.a_is_new == 0 => Some("something was undone at a stop"),
            _ => None,
        }
    }

    fn finished(&self, s: &State) -> bool {
        matches!(s.at, at::SUCCEEDED | at::UNDONE) && s.request != request::UNDER_WAY
    }

    fn show(&self, s: &State) -> String {
        let place = ["waits for A", "sends C", "waits for the answer", "looks for C", "UNDOES", "SUCCEEDED", "UNDONE", "STOPPED"];
        let request = ["not sent", "under way", "done", "refused"];
        let (a, proxy) = (if s.a_is_new == 1 { "new A" } else { "old A" }, if s.proxy == 1 { ", a proxy answers" } else { "" });
        format!("{}, {a}, C {}{proxy}", place[usize::from(s.at)], request[usize::from(s.request)])
    }
}
