//! What all resources share: paging that nobody sees, and finding one by id, slug or name.

use super::address::Route;
use super::answer::clipped;
use super::bounded;
use super::client::Client;
use super::decode::{Document, Links, Members, Problem};
use super::encode::editable;
use super::id::looks_like;
use super::meant::{Keys, Meant, position_of};
use crate::error::{Error, Kind, Result, size};
use crate::json::{JsonSlice, JsonText};
use parking_lot::Mutex;
use std::{
    borrow::Cow,
    collections::{HashSet, VecDeque},
};

/// Items asked for at a time: a thousand projects cost two requests, and one answer stays far below the size limit.
const PAGE: usize = 500;

editable! {
    /// A resource that has no type of its own (machines, accounts, feeds, ...): what all have in common, and the JSON.
    Other, "resource" {
        /// Id; parts of resources have none.
        id: String = "Id",
        /// Name; some have none.
        name: String = "Name",
        /// Links, of which the one to the page for people is kept.
        links: Links = "Links",
    }
}

/// A resource that people call by name.
pub trait Named: Document {
    /// What its ids begin with, e.g. `Projects`.
    const PREFIX: &'static str;
    /// Id as the server wrote it.
    fn id(&self) -> &str;
    /// Name as people see it in the portal.
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
        let mut nothing = |_| None;
        let items = Made { make: &T::read, take: Mutex::new(&mut nothing), page: Mutex::default() };
        let (count, total, _) = self.page(&route.clone().with("skip", 0).with("take", limit), T::NOUN, &items).await?;
        Ok((items.page.into_inner().into_iter().take(limit).collect(), total.unwrap_or(count)))
    }

    /// Reads a collection up to the first item that `wanted` does not want: for lists that are sorted.
    ///
    /// # Errors
    /// Those of [`Client::each`].
    pub async fn list_while<T: Document>(
        &self,
        route: &Route,
        limit: Option<usize>,
        mut wanted: impl FnMut(&T) -> bool + Send,
    ) -> Result<Vec<T>> {
        self.list_made(route, T::NOUN, limit, &T::read, &mut wanted).await
    }

    /// [`Client::list_while`] of what people call `noun`, where `make` makes an item of its JSON.
    pub(super) async fn list_made<T: Document>(
        &self,
        route: &Route,
        noun: &str,
        limit: Option<usize>,
        make: &Make<'_, T>,
        wanted: &mut (dyn FnMut(&T) -> bool + Send),
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut take = |item: T| {
            // Its text comes once more in the record of the run.
            let weight = wanted(&item).then(|| item.held() + item.raw().as_str().len() + size_of::<T>());
            items.extend(weight.map(|_| item));
            weight
        };
        self.each_made(route, noun, limit, make, &mut take).await?;
        Ok(items)
    }

    /// Reads a collection and gives each item to `take`, which returns how much memory what it keeps of the item needs, in bytes, or none to
    /// end the reading.
    ///
    /// Follows `Page.Next`; where a body has no links, counts with `skip` and `take` (payloads, "Collections"). A list may change while it
    /// is read: an item that comes up again on a later page is left out, and where the server says that items went away, the pages after
    /// them are read again from where the rest moved to.
    ///
    /// # Errors
    /// `bad_answer` for a list that has no end or is larger than `bounded` says, and for one that breaks off before its end.
    pub async fn each<T: Document>(
        &self,
        route: &Route,
        limit: Option<usize>,
        mut take: impl FnMut(T) -> Option<usize> + Send,
    ) -> Result<()> {
        self.each_made(route, T::NOUN, limit, &T::read, &mut take).await
    }

    /// [`Client::each`] of what people call `noun`, where `make` makes the items of their JSON, and need not make again what it knows.
    pub(super) async fn each_made<T: Document>(
        &self,
        route: &Route,
        noun: &str,
        limit: Option<usize>,
        make: &Make<'_, T>,
        take: &mut (dyn FnMut(T) -> Option<usize> + Send),
    ) -> Result<()> {
        self.each_item(route, noun, limit, &mut Made { make, take: Mutex::new(take), page: Mutex::default() }).await
    }

    /// Reads one page into `items`. Returns how many items it has, how many the server says there are, and the link to the next page.
    async fn page(&self, route: &Route, noun: &str, items: &dyn PageItems) -> Result<(usize, Option<usize>, Option<String>)> {
        let unreadable = |problem: Problem, noun: &str| {
            let place = problem.path().to_owned();
            self.unreadable(problem, noun, route).with("json_path", place)
        };
        let parse = |body: JsonText| {
            let page = Page::of(body.json()).map_err(|problem| unreadable(problem, &format!("list of {noun}s")))?;
            items.fill(&page.items).map_err(|problem| unreadable(problem, noun))?;
            Ok((page.items.len(), page.total, page.next))
        };
        self.read_as(route.as_str(), parse).await
    }

    /// [`Client::each_made`], compiled once for all kinds of documents.
    async fn each_item(&self, route: &Route, noun: &str, limit: Option<usize>, items: &mut dyn PageItems) -> Result<()> {
        let mut read = 0;
        let mut known: HashSet<String> = HashSet::new();
        let (mut start, mut said) = (0, None);
        let mut reading = ListProgress { route, noun, pages: 0, weight: 0, stale: 0, links: HashSet::new() };
        let at = |start: usize| route.clone().with("skip", start).with("take", limit.unwrap_or(PAGE).clamp(1, PAGE));
        let mut next = at(0);
        loop {
            reading.turn(read)?;
            let (count, total, link) = self.page(&next, noun, items).await?;
            let gone = said.zip(total).map_or(0, |(before, now): (usize, usize)| before.saturating_sub(now)).min(start);
            said = total;
            if gone > 0 {
                start -= gone;
                next = at(start);
                reading.links.clear();
                continue;
            }
            let before = read;
            while let Some(item) = items.next(&mut known) {
                match item {
                    NextItem::Known => continue,
                    NextItem::Unwanted => return Ok(()),
                    NextItem::Taken(weight) => reading.add(weight, read)?,
                }
                read += 1;
                if limit.is_some_and(|limit| read >= limit) {
                    return Ok(());
                }
            }
            start += count;
            let claimed = total.is_some_and(|total| start < total);
            next = match link {
                Some(link) if count > 0 => reading.follow(link)?,
                None if count > 0 && claimed => at(start),
                _ if claimed => return Err(reading.broken_off(read, total)),
                _ => return Ok(()),
            };
            reading.brought(read - before)?;
        }
    }

    /// Finds the one of a collection that is meant, as [`meant`](super::meant) decides; `all` is the collection's route.
    ///
    /// An id that a server gave costs one request, and so does an exact name; a text that could be an id costs one more. Everything else
    /// reads the whole collection, because a name in other case could be the slug of another one.
    pub async fn find<'a, T: Named>(&self, all: &Route, wanted: impl Into<Meant<'a>>) -> Result<T> {
        let wanted = wanted.into();
        let text = match wanted {
            Meant::Id(id) => {
                return match self.fetch_opt::<T>(&all.clone().then(id)).await? {
                    Some(found) => Ok(found),
                    None => pick(Vec::new(), wanted),
                };
            }
            Meant::Written(text) => text.trim(),
        };
        if text.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("no {} was named: the text is empty", T::NOUN)));
        }
        let by_id = if looks_like(T::PREFIX, text) { self.fetch_opt::<T>(&all.clone().then(text)).await? } else { None };
        let mut candidates: Vec<T> = self.list(&all.clone().with("partialName", text), None).await?;
        if by_id.is_some() || candidates.iter().any(|one| one.name().trim() == text) {
            candidates.extend(by_id);
            return pick(candidates, wanted);
        }
        pick(self.list(all, None).await?, wanted)
    }
}

/// Makes an item of its JSON.
pub(super) type Make<'a, T> = dyn Fn(JsonSlice<'_>) -> Result<T, Problem> + Sync + 'a;

/// The items of the page that was read last, whatever they are.
trait PageItems: Send + Sync {
    /// Makes the items of a page and puts them in the place of those of the page before.
    fn fill(&self, items: &[JsonSlice<'_>]) -> Result<(), Problem>;

    /// Takes the next item; none at the end of the page. `known` are the ids of the items so far.
    fn next(&mut self, known: &mut HashSet<String>) -> Option<NextItem>;
}

/// What became of an item.
enum NextItem {
    /// Left out: a page before had it too.
    Known,
    /// Not wanted: the reading ends here.
    Unwanted,
    /// Taken, of which so many bytes are kept.
    Taken(usize),
}

/// Items of a type, and what is done with them.
struct Made<'a, T> {
    make: &'a Make<'a, T>,
    take: Mutex<&'a mut (dyn FnMut(T) -> Option<usize> + Send + 'a)>,
    page: Mutex<VecDeque<T>>,
}

impl<T: Document> PageItems for Made<'_, T> {
    fn fill(&self, items: &[JsonSlice<'_>]) -> Result<(), Problem> {
        let make = |(index, item): (usize, &JsonSlice<'_>)| (self.make)(*item).map_err(|problem| problem.in_item(index).in_member("Items"));
        *self.page.lock() = items.iter().enumerate().map(make).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn next(&mut self, known: &mut HashSet<String>) -> Option<NextItem> {
        let item = self.page.get_mut().pop_front()?;
        let id = item.raw().json().get("Id").and_then(JsonSlice::text).filter(|id| !id.is_empty());
        if id.is_some_and(|id| !known.insert(id.into_owned())) {
            return Some(NextItem::Known);
        }
        Some((self.take.get_mut())(item).map_or(NextItem::Unwanted, NextItem::Taken))
    }
}

/// How the reading of one list goes: what ends it when the server never does.
struct ListProgress<'a> {
    route: &'a Route,
    noun: &'a str,
    pages: usize,
    weight: usize,
    /// How many pages in a row had nothing new.
    stale: usize,
    /// Where the server sent us for the next page.
    links: HashSet<String>,
}

/// So many pages in a row may have nothing new: items that came in front move the others back by a page.
const STALE: usize = 3;

impl ListProgress<'_> {
    /// One more request.
    fn turn(&mut self, read: usize) -> Result<()> {
        self.pages += 1;
        if self.pages > bounded::PAGES {
            return Err(self.endless(format!("has more than {} pages; {read} {}s were read", bounded::PAGES, self.noun)));
        }
        Ok(())
    }

    /// One more item, of which so many bytes are kept.
    fn add(&mut self, weight: usize, read: usize) -> Result<()> {
        self.weight += weight;
        if self.weight > bounded::LIST {
            let most = size(bounded::LIST as u64);
            return Err(self.endless(format!("needs more than {most} of memory; {read} {}s were read", self.noun)));
        }
        if read >= bounded::ITEMS {
            return Err(self.endless(format!("has more than {} {}s", bounded::ITEMS, self.noun)));
        }
        Ok(())
    }

    /// So many of the items of the last page were new.
    fn brought(&mut self, new: usize) -> Result<()> {
        self.stale = if new == 0 { self.stale + 1 } else { 0 };
        if self.stale > STALE {
            return Err(self.endless("repeats the same pages".to_owned()));
        }
        Ok(())
    }

    /// The page that the server calls the next one.
    fn follow(&mut self, link: String) -> Result<Route> {
        if !self.links.insert(link.clone()) {
            return Err(self.endless(format!("leads in a circle: `{}` is called the next page a second time", clipped(&link, 300))));
        }
        Ok(Route::new(link))
    }

    fn broken_off(&self, read: usize, total: Option<usize>) -> Error {
        self.wrong(format!(
            "breaks off: {read} {}s were read, the next page is empty, and there should be {}",
            self.noun,
            total.unwrap_or(0)
        ))
        .help("is there a proxy in between that shortens lists, or may the user of the API key not see all of it?")
    }

    fn endless(&self, what: String) -> Error {
        self.wrong(what).help("ask for less: with `limit`, `since`, or for one project, environment or tenant")
    }

    fn wrong(&self, what: String) -> Error {
        Error::new(Kind::BadAnswer, format!("the list of {}s of the server (`GET {}`) {what}", self.noun, self.route.as_str()))
            .with("path", self.route.as_str())
            .with("too_much", true)
    }
}

/// The one among `known` that is meant.
///
/// # Errors
/// `not_found` with near names, and `ambiguous` when several different ones fit.
pub fn pick<'a, T: Named>(mut known: Vec<T>, wanted: impl Into<Meant<'a>>) -> Result<T> {
    let wanted = wanted.into();
    if let Some(at) = position_of(T::NOUN, wanted, &known, keys_of)? {
        return Ok(known.swap_remove(at));
    }
    let text = wanted.as_str().trim();
    let error = Error::new(Kind::NotFound, format!("there is no {} `{text}`, or you may not see it", T::NOUN)).with("wanted", text);
    Err(error.suggest(text, known.iter().map(Named::name).collect::<Vec<_>>()))
}

/// What a resource is called.
pub fn keys_of<T: Named>(one: &T) -> Keys<'_> {
    Keys { slug: one.slug(), ..Keys::name_and_id(one.name(), one.id()) }
}

/// One page of a collection, or a bare array, which is all of it.
pub struct Page<'a> {
    /// The items, not decoded yet.
    pub items: Vec<JsonSlice<'a>>,
    /// How many there are on all pages, where the server says it.
    total: Option<usize>,
    /// Link to the next page.
    next: Option<String>,
}

impl<'a> Page<'a> {
    /// Reads a page, but not its items.
    pub fn of(body: JsonSlice<'a>) -> Result<Self, Problem> {
        if let Some(items) = body.items() {
            return Ok(Self { items: items.collect(), total: None, next: None });
        }
        if !body.is_object() {
            return Err(Problem::expected("a collection", body));
        }
        let members = Members::of(body)?;
        let items = members.get("Items").ok_or_else(|| Problem::new("it is missing").in_member("Items"))?;
        let list = items.items().ok_or_else(|| Problem::expected("an array", items).in_member("Items"))?;
        let total = members.get("TotalResults").filter(|total| total.is_number()).and_then(|total| total.tree().as_u64());
        let next = members.get("Links").and_then(|links| links.get("Page.Next")).and_then(JsonSlice::text);
        let next = next.filter(|next| !next.is_empty()).map(Cow::into_owned);
        Ok(Self { items: list.collect(), total: total.map(|total| total as usize), next })
    }
}
