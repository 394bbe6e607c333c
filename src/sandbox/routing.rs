//! What an endpoint is: a method and a path, who may ask it, how much of it is there, and the handler that answers.
//!
//! Each file has a table of its own endpoints; `endpoints.rs` puts them together.

use super::{
    answer::{Ask, Handled, Refusal},
    members::Accepts,
    nouns::{Depth, Noun},
    state::State,
    world::server_version::Generation,
};

/// Answers the requests of an endpoint.
pub(crate) trait Handler: Sync {
    /// How many identifiers of the path it takes, in the order in which they stand there.
    fn takes(&self) -> usize;
    fn answer(&self, state: &mut State, ask: &Ask, ids: &[&str]) -> Handled;
}

/// For a path without identifiers.
pub(crate) struct Whole(pub(crate) fn(&mut State, &Ask) -> Handled);

/// Takes the identifiers as they are.
pub(crate) struct By<const N: usize>(pub(crate) fn(&mut State, &Ask, [&str; N]) -> Handled);

/// Takes what the first identifier names; 404 when there is no such thing.
pub(crate) struct Of<F: Find>(pub(crate) F, pub(crate) fn(&mut State, &Ask, F::Found) -> Handled);

/// The same, and the identifiers behind it.
pub(crate) struct OfBy<F: Find, const N: usize>(pub(crate) F, pub(crate) fn(&mut State, &Ask, F::Found, [&str; N]) -> Handled);

/// Finds what an identifier names, where the caller sees it.
pub(crate) trait Find: Sync {
    type Found;
    fn find(&self, state: &State, ask: &Ask, id: &str) -> Result<Self::Found, Refusal>;
}

impl<T, F: Fn(&State, &Ask, &str) -> Result<T, Refusal> + Sync> Find for F {
    type Found = T;
    fn find(&self, state: &State, ask: &Ask, id: &str) -> Result<T, Refusal> {
        self(state, ask, id)
    }
}

impl Handler for Whole {
    fn takes(&self) -> usize {
        0
    }
    fn answer(&self, state: &mut State, ask: &Ask, _: &[&str]) -> Handled {
        self.0(state, ask)
    }
}

impl<const N: usize> Handler for By<N> {
    fn takes(&self) -> usize {
        N
    }
    fn answer(&self, state: &mut State, ask: &Ask, ids: &[&str]) -> Handled {
        self.0(state, ask, all_of(ids)?)
    }
}

impl<F: Find> Handler for Of<F> {
    fn takes(&self) -> usize {
        1
    }
    fn answer(&self, state: &mut State, ask: &Ask, ids: &[&str]) -> Handled {
        let [id] = all_of(ids)?;
        let found = self.0.find(state, ask, id)?;
        self.1(state, ask, found)
    }
}

impl<F: Find, const N: usize> Handler for OfBy<F, N> {
    fn takes(&self) -> usize {
        N + 1
    }
    fn answer(&self, state: &mut State, ask: &Ask, ids: &[&str]) -> Handled {
        let (id, rest) = ids.split_first().ok_or_else(|| Refusal::broken(&"the path names nothing"))?;
        let found = self.0.find(state, ask, id)?;
        self.1(state, ask, found, all_of(rest)?)
    }
}

/// The identifiers of a path. That there are as many as the handler takes is looked at when the table is made.
fn all_of<'i, const N: usize>(ids: &[&'i str]) -> Result<[&'i str; N], Refusal> {
    ids.try_into().map_err(|_| Refusal::broken(&"the path has other identifiers than its handler takes"))
}

/// A method and a path.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// What begins with `S/` belongs to a space.
    pub(crate) route: &'static str,
    /// Permissions of which one is needed, separated by `|`; empty: whoever is signed in may.
    pub(crate) needs: &'static str,
    pub(crate) depth: Depth,
    /// Nobody has to be signed in: so it is for what the server's own description (2019.6) gives no security.
    pub(crate) is_public: bool,
    /// Needs no permission of callers who ask about themselves.
    pub(crate) is_own: bool,
    /// What it does with the body of a request.
    pub(crate) accepts: Accepts,
    /// The first server that has it.
    pub(crate) since: Generation,
    pub(crate) handler: &'static dyn Handler,
}

pub(crate) const fn on(method: &'static str, route: &'static str, needs: &'static str, handler: &'static dyn Handler) -> Endpoint {
    Endpoint {
        method,
        route,
        needs,
        depth: Depth::Simulated,
        is_public: false,
        is_own: false,
        accepts: Accepts::Only(&[]),
        since: Generation::V2025_1,
        handler,
    }
}
pub(crate) const fn get(route: &'static str, needs: &'static str, handler: &'static dyn Handler) -> Endpoint {
    on("GET", route, needs, handler)
}
pub(crate) const fn post(route: &'static str, needs: &'static str, handler: &'static dyn Handler) -> Endpoint {
    on("POST", route, needs, handler)
}
pub(crate) const fn put(route: &'static str, needs: &'static str, handler: &'static dyn Handler) -> Endpoint {
    on("PUT", route, needs, handler)
}
pub(crate) const fn delete(route: &'static str, needs: &'static str, handler: &'static dyn Handler) -> Endpoint {
    on("DELETE", route, needs, handler)
}
/// What is known and not simulated.
pub(crate) const fn absent(method: &'static str, route: &'static str, why: &'static str) -> Endpoint {
    Endpoint { depth: Depth::Absent(why), ..on(method, route, "", &NOBODY) }
}
const NOBODY: Whole = Whole(|_, ask| Err(Refusal::not_simulated(&ask.method, &ask.path)));

/// What is partly there because nothing is ever in it.
pub(crate) const EMPTY: &str = "always empty";
/// Real documents link there, so ours do.
pub(crate) const LINK: &str = "only its link is published";

impl Endpoint {
    pub(crate) const fn partly(self, difference: &'static str) -> Self {
        Self { depth: Depth::Partly(difference), ..self }
    }
    /// As deep as the endpoints of a kind.
    pub(crate) const fn like(self, noun: &Noun) -> Self {
        Self { depth: noun.depth, ..self }
    }
    /// It acts on these members of a body, and no others.
    pub(crate) const fn takes(self, members: &'static [&'static [&'static str]]) -> Self {
        Self { accepts: Accepts::Only(members), ..self }
    }
    /// It keeps the document that is sent.
    pub(crate) const fn keeps(self) -> Self {
        Self { accepts: Accepts::Document, ..self }
    }
    /// A file is sent.
    pub(crate) const fn of_file(self) -> Self {
        Self { accepts: Accepts::File, ..self }
    }
    /// A list of ids is sent.
    pub(crate) const fn of_list(self) -> Self {
        Self { accepts: Accepts::List, ..self }
    }
    pub(crate) const fn public(self) -> Self {
        Self { is_public: true, ..self }
    }
    /// Older servers do not know it.
    pub(crate) const fn since(self, since: Generation) -> Self {
        Self { since, ..self }
    }

    /// The path with all that comes before it. `/api/{space}/…` also answers at `/api/…` (the default space) and `/api/spaces/{space}/…`.
    pub(crate) fn path(&self) -> String {
        self.route.strip_prefix("S/").map_or_else(|| self.route.to_owned(), |rest| format!("/api/{{space}}/{rest}"))
    }

    /// `GET /api/{space}/projects/{id}`
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path())
    }

    /// `simulated`, `partly` or `501`, and what is to be said about it.
    pub(crate) fn depth(&self) -> (&'static str, &'static str) {
        match self.depth {
            Depth::Simulated => ("simulated", ""),
            Depth::Partly(difference) => ("partly", difference),
            Depth::Absent(why) => ("501", why),
        }
    }

    /// The segments behind `/api` and the space.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &'static str> {
        let path = self.route.strip_prefix("S/").or_else(|| self.route.strip_prefix("/api")).unwrap_or(self.route);
        path.strip_prefix("/{space}").unwrap_or(path).split('/').filter(|s| !s.is_empty())
    }
}
