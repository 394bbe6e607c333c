//! What all resources share: paging that nobody sees, and finding one by id, slug or name.

use super::address::Route;
use super::client::Client;
use super::decode::{Document, Links, Problem};
use super::encode::editable;
use super::id::looks_like;
use crate::error::{Error, Kind, Result};
use serde_json::Value;

/// Items asked for at a time: a thousand projects cost two requests, and one answer stays far below the size limit.
const PAGE: usize = 500;

editable! {
    /// A resource that has no type of its own (machines, accounts, feeds, ...): what all have in common, and the JSON.
    Other, "resource" {
        /// Id; parts of resources have none.
        id: String = "Id",
        /// Name; some have none.
        name: String = "Name",
        /// Links.
        links: Links = "Links",
    }
}

/// A resource that people call by name.
pub trait Named: Document {
    /// What its ids begin with, e.g. `Projects`.
    const PREFIX: &'static str;
    /// Its id.
    fn id(&self) -> &str;
    /// Its name.
    fn name(&self) -> &str;
    /// Its slug; empty on servers before 2022.
    fn slug(&self) -> &str;
}

macro_rules! named {
    ($type:ty, $id:ty) => {
        impl $crate::api::resource::Named for $type {
            const PREFIX: &'static str = <$id>::PREFIX;
            fn id(&self) -> &str {
                self.id.as_str()
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn slug(&self) -> &str {
                &self.slug
            }
        }
    };
}
pub(crate) use named;

impl Client {
    /// Reads a collection: all of it, or its first `limit` items.
    pub async fn list<T: Document>(&self, route: &Route, limit: Option<usize>) -> Result<Vec<T>> {
        self.list_while(route, limit, |_: &T| true).await
    }

    /// Reads the first page of a collection, of at most `limit` items; also how many items there are in all.
    pub async fn list_first<T: Document>(&self, route: &Route, limit: usize) -> Result<(Vec<T>, usize)> {
        let mut page = self.page::<T>(&route.clone().with("skip", 0).with("take", limit)).await?;
        let total = page.total.unwrap_or(page.items.len());
        page.items.truncate(limit);
        Ok((page.items, total))
    }

    /// Reads one page.
    async fn page<T: Document>(&self, route: &Route) -> Result<Page<T>> {
        let within = |problem: Problem, noun: &str| {
            let error = problem.into_error(noun);
            let told = Error::new(error.kind(), format!("{} (`{}`)", error.message(), route.as_str())).with("path", route.as_str());
            error.facts().iter().fold(told, |told, (name, value)| told.with(name, value.clone()))
        };
        let parse = |body: Value| {
            let page = Page::of(body).map_err(|problem| within(problem, &format!("list of {}s", T::NOUN)))?;
            let item = |(index, item): (usize, Value)| {
                T::decode(item).map_err(|problem| within(problem.in_item(index).in_member("Items"), T::NOUN))
            };
            let items = page.items.into_iter().enumerate().map(item).collect::<Result<_>>()?;
            Ok(Page { items, total: page.total, next: page.next })
        };
        self.read_as(route.as_str(), parse).await
    }

    /// Reads a collection up to the first item that `wanted` does not want: for lists that are sorted.
    ///
    /// Follows `Page.Next`; where a body has no links, counts with `skip` and `take` (payloads, "Collections").
    pub async fn list_while<T: Document>(&self, route: &Route, limit: Option<usize>, wanted: impl Fn(&T) -> bool) -> Result<Vec<T>> {
        let mut items: Vec<T> = Vec::new();
        let mut read = 0;
        let mut next = route.clone().with("skip", 0).with("take", limit.unwrap_or(PAGE).clamp(1, PAGE));
        loop {
            let page = self.page::<T>(&next).await?;
            let count = page.items.len();
            for item in page.items {
                if !wanted(&item) {
                    return Ok(items);
                }
                items.push(item);
                if limit.is_some_and(|limit| items.len() >= limit) {
                    return Ok(items);
                }
            }
            read += count;
            let following = match page.next {
                Some(link) if count > 0 => Route::new(link),
                None if count > 0 && page.total.is_some_and(|total| read < total) => route.clone().with("skip", read).with("take", PAGE),
                _ => return Ok(items),
            };
            if following == next {
                return Err(Error::new(Kind::BadAnswer, format!("the page after `{}` is the same page again", next.as_str())));
            }
            next = following;
        }
    }

    /// Finds one of a collection by id, slug or name; `all` is the collection's route.
    ///
    /// An id costs one request, and so does a name on most servers; only a miss reads the whole collection, to say
    /// what comes near.
    pub async fn find<T: Named>(&self, all: &Route, wanted: &str) -> Result<T> {
        let wanted = wanted.trim();
        if wanted.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("no {} was named: the text is empty", T::NOUN)));
        }
        if looks_like(T::PREFIX, wanted)
            && let Some(found) = self.fetch_opt::<T>(&all.clone().then(wanted)).await?
        {
            return Ok(found);
        }
        let candidates: Vec<T> = self.list(&all.clone().with("partialName", wanted), None).await?;
        if candidates.iter().any(|c| c.name().trim().eq_ignore_ascii_case(wanted)) {
            return pick(candidates, wanted);
        }
        pick(self.list(all, None).await?, wanted)
    }
}

/// Chooses the one among `known` that is meant by `wanted`: id first, then name, then slug.
///
/// Errors are `not_found` with near names, and `ambiguous` when a name fits several.
pub fn pick<T: Named>(known: Vec<T>, wanted: &str) -> Result<T> {
    let wanted = wanted.trim();
    let same = |text: &str| text.trim().eq_ignore_ascii_case(wanted) || text.trim().to_lowercase() == wanted.to_lowercase();
    let fits: [&dyn Fn(&T) -> bool; 4] = [&|t| same(t.id()), &|t| t.name() == wanted, &|t| same(t.name()), &|t| same(t.slug())];
    for fit in fits {
        let found: Vec<usize> = known.iter().enumerate().filter(|(_, t)| fit(t)).map(|(i, _)| i).collect();
        match found.as_slice() {
            [] => {}
            [one] => {
                let one = *one;
                return Ok(known.into_iter().nth(one).expect("the index is from this list"));
            }
            several => {
                let names: Vec<String> = several.iter().map(|i| format!("`{}` ({})", known[*i].name(), known[*i].id())).collect();
                return Err(Error::new(Kind::Ambiguous, format!("`{wanted}` fits {} {}s: {}", names.len(), T::NOUN, names.join(", ")))
                    .help("give the id"));
            }
        }
    }
    let error = Error::new(Kind::NotFound, format!("there is no {} `{wanted}`, or you may not see it", T::NOUN)).with("wanted", wanted);
    Err(error.suggest(wanted, known.iter().map(Named::name).collect::<Vec<_>>()))
}

/// One page of a collection, or a bare array, which is all of it.
#[derive(Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are on all pages, where the server says it.
    pub total: Option<usize>,
    /// Link to the next page.
    pub next: Option<String>,
}

impl Page<Value> {
    /// Reads a page whose items are not decoded yet.
    pub fn of(body: Value) -> Result<Self, Problem> {
        match body {
            Value::Array(items) => Ok(Self { items, total: None, next: None }),
            Value::Object(mut members) => {
                let items = match members.remove("Items") {
                    Some(Value::Array(items)) => items,
                    Some(other) => return Err(Problem::expected("an array", &other).in_member("Items")),
                    None => return Err(Problem::new("it is missing").in_member("Items")),
                };
                let total = members.get("TotalResults").and_then(Value::as_u64).map(|total| total as usize);
                let next = members.get("Links").and_then(|links| links.get("Page.Next")).and_then(Value::as_str);
                Ok(Self { items, total, next: next.filter(|n| !n.is_empty()).map(str::to_owned) })
            }
            other => Err(Problem::expected("a collection", &other)),
        }
    }
}
