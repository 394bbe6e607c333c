//! Plain resources: kept as JSON documents, listed, paged, filtered and changed in one place for all of them.

use super::{
    access::Thing,
    answer::{All, Answer, Ask, Handled, Refusal, Tell, str_of},
    clones,
    endpoints::needs,
    links,
    shared_list::Looks,
    state::State,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// In which order a list comes (octopus-api.md §6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Name,
    Position,
    Newest,
    Oldest,
}

/// A kind of plain resource.
pub(crate) struct Noun {
    /// The path segment, as servers spell it.
    pub(crate) path: &'static str,
    pub(crate) item: &'static str,
    pub(crate) prefix: &'static str,
    /// Belongs to a space.
    pub(crate) spaced: bool,
    /// Lists at the root show every space.
    pub(crate) mixed: bool,
    pub(crate) order: Order,
}

const fn noun(path: &'static str, item: &'static str, prefix: &'static str, spaced: bool, mixed: bool, order: Order) -> Noun {
    Noun { path, item, prefix, spaced, mixed, order }
}

/// Every plain resource.
pub(crate) const NOUNS: &[Noun] = &[
    noun("spaces", "Space", "Spaces-", false, false, Order::Name),
    noun("environments", "Environment", "Environments-", true, false, Order::Position),
    noun("projectgroups", "ProjectGroup", "ProjectGroups-", true, false, Order::Name),
    noun("projects", "Project", "Projects-", true, false, Order::Name),
    noun("lifecycles", "Lifecycle", "Lifecycles-", true, false, Order::Name),
    noun("channels", "Channel", "Channels-", true, false, Order::Oldest),
    noun("tenants", "Tenant", "Tenants-", true, false, Order::Name),
    noun("tagsets", "TagSet", "TagSets-", true, false, Order::Name),
    noun("runbooks", "Runbook", "Runbooks-", true, false, Order::Name),
    noun("runbookSnapshots", "RunbookSnapshot", "RunbookSnapshots-", true, false, Order::Newest),
    noun("libraryvariablesets", "LibraryVariableSet", "LibraryVariableSets-", true, false, Order::Name),
    noun("machines", "Machine", "Machines-", true, false, Order::Name),
    noun("workers", "Worker", "Workers-", true, false, Order::Name),
    noun("workerpools", "WorkerPool", "WorkerPools-", true, false, Order::Name),
    noun("machinepolicies", "MachinePolicy", "MachinePolicies-", true, false, Order::Name),
    noun("proxies", "Proxy", "Proxies-", true, false, Order::Name),
    noun("feeds", "Feed", "Feeds-", true, false, Order::Name),
    noun("build-information", "OctopusPackageVersionBuildInformationMapped", "BuildInformation-", true, false, Order::Newest),
    noun("accounts", "Account", "Accounts-", true, false, Order::Name),
    noun("certificates", "Certificate", "Certificates-", true, false, Order::Name),
    noun("projecttriggers", "ProjectTrigger", "ProjectTriggers-", true, false, Order::Name),
    noun("actiontemplates", "ActionTemplate", "ActionTemplates-", true, false, Order::Name),
    noun("subscriptions", "Subscription", "Subscriptions-", true, true, Order::Name),
    noun("artifacts", "Artifact", "Artifacts-", true, true, Order::Newest),
    noun("deploymentfreezes", "DeploymentFreeze", "DeploymentFreezes-", false, false, Order::Name),
    noun("users", "User", "Users-", false, false, Order::Name),
    noun("userroles", "UserRole", "userroles-", false, false, Order::Name),
    noun("scopeduserroles", "ScopedUserRole", "ScopedUserRoles-", false, true, Order::Oldest),
    noun("teams", "Team", "Teams-", false, true, Order::Name),
    noun("octopusservernodes", "OctopusServerNode", "OctopusServerNodes-", false, false, Order::Name),
];

/// The noun of a path segment, whatever its case.
pub(crate) fn noun_of(segment: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|n| n.path.eq_ignore_ascii_case(segment))
}

/// A document that is kept, with the text that answers show of it. A write puts another one in its place.
pub(crate) struct Document {
    noun: Option<&'static Noun>,
    tree: Value,
    /// Made when it is shown first.
    text: OnceLock<Box<[u8]>>,
}

impl Deref for Document {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.tree
    }
}

impl Document {
    /// It, as [`present`] shows it.
    pub(crate) fn shown(self: &Arc<Self>) -> DocumentText {
        DocumentText(Arc::clone(self))
    }
    fn into_tree(self: Arc<Self>) -> Value {
        Arc::try_unwrap(self).map_or_else(|shared| shared.tree.clone(), |own| own.tree)
    }
}

/// A document in an answer.
pub(crate) struct DocumentText(Arc<Document>);

impl Tell for DocumentText {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        let Document { noun, tree, text } = &*self.0;
        if let Some(text) = text.get() {
            to.extend_from_slice(text);
            return Ok(());
        }
        let made = noun.map_or_else(|| serde_json::to_vec(tree), |noun| serde_json::to_vec(&present(noun, tree)))?;
        to.extend_from_slice(&made);
        // Who was quicker made the same.
        let _ = text.set(made.into());
        Ok(())
    }
}

/// Members by which documents are looked for, beside their ids.
const INDEXED: [&str; 3] = ["Name", "Slug", "ProjectId"];

/// The documents of one kind, in the order they were made.
#[derive(Default)]
pub(crate) struct Docs {
    noun: Option<&'static Noun>,
    items: Vec<Option<Arc<Document>>>,
    /// By their ids as they are and in lower case.
    by_id: HashMap<String, usize>,
    /// Member and value in lower case → where a document has or had it, ascending.
    by_member: HashMap<(&'static str, String), Vec<usize>>,
    looks: Looks,
}

impl Docs {
    pub(crate) fn put(&mut self, doc: Value) {
        let id = str_of(&doc, "Id");
        let at = *self.by_id.entry(id.to_lowercase()).or_insert(self.items.len());
        self.by_id.insert(id.to_owned(), at);
        for member in INDEXED {
            if let Some(value) = doc.get(member).and_then(Value::as_str) {
                let places = self.by_member.entry((member, value.to_lowercase())).or_default();
                if let Err(before) = places.binary_search(&at) {
                    places.insert(before, at);
                }
            }
        }
        if at == self.items.len() {
            self.items.push(None);
        }
        self.items[at] = Some(Arc::new(Document { noun: self.noun, tree: doc, text: OnceLock::new() }));
    }
    fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).or_else(|| self.by_id.get(&id.to_lowercase())).copied()
    }
    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.document(id).map(|d| &d.tree)
    }
    pub(crate) fn documents(&self) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        (0..self.items.len()).filter_map(|place| self.at(place))
    }
    pub(crate) fn document(&self, id: &str) -> Option<&Arc<Document>> {
        self.at(self.place(id)?)
    }
    fn at(&self, place: usize) -> Option<&Arc<Document>> {
        self.looks.one();
        self.items[place].as_ref()
    }
    /// Changes a document; false when there is none.
    pub(crate) fn change(&mut self, id: &str, how: impl FnOnce(&mut Value)) -> bool {
        let Some(mut doc) = self.place(id).and_then(|at| self.items[at].take()).map(Document::into_tree) else { return false };
        how(&mut doc);
        self.put(doc);
        true
    }
    pub(crate) fn remove(&mut self, id: &str) -> Option<Value> {
        let at = self.by_id.remove(&id.to_lowercase())?;
        let tree = self.items[at].take().map(Document::into_tree)?;
        self.by_id.remove(str_of(&tree, "Id"));
        Some(tree)
    }
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.documents().map(|d| &d.tree)
    }
    /// Where documents may be that have this value, in any case, in an indexed member; who asks compares once more.
    fn places_with(&self, member: &'static str, value: &str) -> &[usize] {
        debug_assert!(INDEXED.contains(&member));
        self.by_member.get(&(member, value.to_lowercase())).map_or(&[], Vec::as_slice)
    }
    /// The documents with a value, whatever its case, in an indexed member, in the order they were made.
    pub(crate) fn with(&self, member: &'static str, value: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.documents_with(member, value).map(|d| &d.tree)
    }
    fn documents_with(&self, member: &'static str, value: &str) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        let same = move |d: &&Arc<Document>| str_of(d, member).eq_ignore_ascii_case(value);
        self.places_with(member, value).iter().filter_map(|place| self.at(*place)).filter(same)
    }
}

/// All documents of all kinds.
#[derive(Default)]
pub(crate) struct Store {
    kinds: BTreeMap<&'static str, Docs>,
    counters: BTreeMap<String, u64>,
    none: Docs,
}

impl Store {
    pub(crate) fn of(&self, kind: &'static str) -> &Docs {
        self.kinds.get(kind).unwrap_or(&self.none)
    }
    pub(crate) fn of_mut(&mut self, kind: &'static str) -> &mut Docs {
        self.kinds.entry(kind).or_insert_with(|| Docs { noun: noun_of(kind), ..Docs::default() })
    }
    #[cfg(test)]
    pub(crate) fn looks(&self) -> impl Iterator<Item = &Looks> {
        self.kinds.values().map(|docs| &docs.looks)
    }
    /// The next number for ids that begin with `prefix`.
    pub(crate) fn next(&mut self, prefix: &str) -> u64 {
        if let Some(n) = self.counters.get_mut(prefix) {
            *n += 1;
            return *n;
        }
        self.counters.insert(prefix.to_owned(), 1);
        1
    }
    pub(crate) fn next_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.next(prefix))
    }
    /// A document by id or slug; documents of another space do not exist.
    pub(crate) fn find(&self, kind: &'static str, space: Option<&str>, id: &str) -> Option<&Arc<Document>> {
        let docs = self.of(kind);
        let here = |d: &&Arc<Document>| space.is_none_or(|s| d.get("SpaceId").and_then(Value::as_str).is_none_or(|x| x == s));
        docs.document(id).filter(here).or_else(|| docs.documents_with("Slug", id).filter(here).find(|_| !id.is_empty()))
    }
    /// A document by id, slug or name.
    pub(crate) fn named(&self, kind: &'static str, space: &str, name: &str) -> Option<&Value> {
        let here = |d: &&Value| d.get("SpaceId").and_then(Value::as_str).is_none_or(|s| s == space);
        self.find(kind, Some(space), name).map(|d| &d.tree).or_else(|| self.of(kind).with("Name", name).find(here))
    }
    /// The name of a document, or its id when it is gone.
    pub(crate) fn name(&self, kind: &'static str, id: &str) -> String {
        self.of(kind).get(id).map_or_else(|| id.to_owned(), |d| str_of(d, "Name").to_owned())
    }
}

/// What servers make of a name for use in addresses.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// One page of a list, as a collection document (octopus-api.md §6).
pub(crate) struct ListPage<T> {
    head: Value,
    items: All<T>,
    /// What stands behind the items.
    pub(crate) rest: Map<String, Value>,
}

impl<T: Tell> Tell for ListPage<T> {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        self.head.tell(to)?;
        // Its members go on.
        to.pop();
        to.extend_from_slice(b",\"Items\":");
        self.items.tell(to)?;
        for (key, value) in &self.rest {
            to.push(b',');
            key.tell(to)?;
            to.push(b':');
            value.tell(to)?;
        }
        to.push(b'}');
        Ok(())
    }
}

/// One page of `all` (already filtered and sorted).
pub(crate) fn page<T, R>(ask: &Ask, item_type: &str, all: &[T], render: impl FnMut(&T) -> R) -> ListPage<R> {
    let number = |name: &str, otherwise: u64| ask.query(name).and_then(|v| v.parse::<i64>().ok()).map_or(otherwise, |v| v.max(0) as u64);
    let total = all.len() as u64;
    let (skip, take) = (number("skip", 0), number("take", 30).max(1));
    let from = skip.min(total) as usize;
    let to = skip.saturating_add(take).min(total) as usize;
    let items = All(all[from..to].iter().map(render).collect());
    let pages = total.div_ceil(take).max(1);
    let filters: String = ask.query.iter().filter(|(k, _)| !["skip", "take", "apikey"].iter().any(|x| k.eq_ignore_ascii_case(x))).fold(
        String::new(),
        |mut all, (k, v)| {
            all.push('&');
            all.push_str(k);
            all.push('=');
            all.extend(percent_encoding::utf8_percent_encode(v, percent_encoding::NON_ALPHANUMERIC));
            all
        },
    );
    let path = ask.path.trim_end_matches('/');
    let at = |skip: u64, take: u64| json!(format!("{path}?skip={skip}&take={take}{filters}"));
    let mut links = Map::new();
    links.insert("Self".into(), at(skip, take));
    links.insert("Template".into(), json!(format!("{path}{{?skip,take}}")));
    links.insert("Page.All".into(), at(0, 2_147_483_647));
    links.insert("Page.Current".into(), at(skip, take));
    if skip.saturating_add(take) < total {
        links.insert("Page.Next".into(), at(skip + take, take));
    }
    if skip > 0 {
        links.insert("Page.Previous".into(), at(skip.saturating_sub(take), take));
    }
    links.insert("Page.Last".into(), at((pages - 1).saturating_mul(take), take));
    let head =
        json!({"ItemType": item_type, "TotalResults": total, "ItemsPerPage": take, "NumberOfPages": pages, "LastPageNumber": pages - 1});
    ListPage { head, items, rest: Map::from_iter([("Links".to_owned(), Value::Object(links))]) }
}

/// Names in the query that every list understands.
fn matches(ask: &Ask, doc: &Value) -> bool {
    let name = || str_of(doc, "Name").to_lowercase();
    ask.query("name").is_none_or(|n| n.to_lowercase() == name())
        && ask.query("partialName").is_none_or(|n| name().contains(&n.to_lowercase()))
}

/// The documents of a kind that the request asks for, sorted.
pub(crate) fn select<'s>(state: &'s State, noun: &'static Noun, ask: &Ask, keep: impl Fn(&Value) -> bool) -> Vec<&'s Arc<Document>> {
    select_among(state, noun, ask, None, keep)
}

/// The same, of those that belong to a project when one is named.
pub(crate) fn select_among<'s>(
    state: &'s State,
    noun: &'static Noun,
    ask: &Ask,
    project: Option<&str>,
    keep: impl Fn(&Value) -> bool,
) -> Vec<&'s Arc<Document>> {
    let docs = state.store.of(noun.path);
    let narrowed = project.map(|p| ("ProjectId", p)).or_else(|| ask.query("name").map(|n| ("Name", n)));
    let all = || narrowed.map_or_else(|| (0..docs.items.len()).collect(), |(member, value)| docs.places_with(member, value).to_vec());
    let space = match (&ask.space, noun.mixed) {
        (Some(space), _) => Some(space.as_str()),
        (None, true) => None,
        (None, false) => noun.spaced.then_some(state.default_space()),
    };
    let spaces = ask.list("spaces");
    let mut found: Vec<&Arc<Document>> = ask
        .places(|id| docs.place(id), all)
        .into_iter()
        .filter_map(|place| docs.at(place))
        .filter(|d| {
            let of = d.get("SpaceId").and_then(Value::as_str);
            space.is_none_or(|s| of.is_none_or(|x| x == s))
                && (spaces.is_empty() || spaces.iter().any(|s| s == "all" || of.is_none_or(|x| x.eq_ignore_ascii_case(s))))
                && project.is_none_or(|p| str_of(d, "ProjectId") == p)
                && matches(ask, d)
                && keep(d)
                && state.sees(noun, d)
        })
        .collect();
    match noun.order {
        Order::Name => found
            .sort_by_cached_key(|d| d.get("Name").or_else(|| d.get("Username")).and_then(Value::as_str).unwrap_or_default().to_lowercase()),
        Order::Position => found.sort_by_key(|d| d.get("SortOrder").and_then(Value::as_i64).unwrap_or(0)),
        Order::Newest => found.reverse(),
        Order::Oldest => {}
    }
    found
}

/// A document with its links, as it goes out; what begins with `_` is ours.
pub(crate) fn present(noun: &Noun, doc: &Value) -> Value {
    let mut doc = doc.clone();
    let links = links::of(noun, &doc);
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| !k.starts_with('_'));
    }
    doc["Links"] = links;
    doc
}

/// Lists, single documents, creation, replacement and deletion of a plain resource; `rest` is the path behind its name.
pub(crate) fn route(state: &mut State, ask: &Ask, noun: &'static Noun, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let found = select(state, noun, ask, |d| noun_filter(noun, ask, d));
            Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
        }
        ("GET", ["all"]) => {
            let found = select(state, noun, ask, |d| noun_filter(noun, ask, d));
            Answer::ok(All(found.into_iter().map(Document::shown).collect()))
        }
        ("GET", [id]) => Answer::ok(get(state, ask, noun, id)?.shown()),
        ("POST", []) => create(state, ask, noun),
        ("PUT", ["sortorder"]) if matches!(noun.path, "environments" | "tagsets") => {
            for (i, id) in super::answer::texts(&ask.body).iter().enumerate() {
                state.store.of_mut(noun.path).change(id, |doc| doc["SortOrder"] = json!(i));
            }
            Answer::ok(json!({}))
        }
        ("PUT", [id]) => {
            let old = get(state, ask, noun, id)?.clone();
            state.demand(needs(noun)[2], &State::thing_of(noun, &old))?;
            let mut new = clean(ask.body.clone())?;
            // What a document belongs to stays: runbooks, channels and triggers do not move to another project.
            for key in ["Id", "SpaceId", "ProjectId", "Slug"] {
                if let Some(value) = old.get(key)
                    && (key != "Slug" || str_of(&new, "Slug").is_empty())
                {
                    new[key] = value.clone();
                }
            }
            for (key, value) in old.as_object().into_iter().flatten().filter(|(k, _)| k.starts_with('_')) {
                new[key.as_str()] = value.clone();
            }
            state.complete(noun.path, &mut new);
            state.modified(ask, noun, &new);
            let answer = present(noun, &new);
            state.store.of_mut(noun.path).put(new);
            Answer::ok(answer)
        }
        ("DELETE", [id]) => {
            let doc = get(state, ask, noun, id)?;
            state.demand(needs(noun)[3], &State::thing_of(noun, doc))?;
            let id = str_of(doc, "Id").to_owned();
            let old = state.store.of_mut(noun.path).remove(&id).unwrap_or(Value::Null);
            state.event(
                "Deleted",
                &ask.user,
                format!("{} {} was deleted", noun.item, str_of(&old, "Name")),
                [Some(id), project_of(&old)].into_iter().flatten().collect(),
                space_of(&old),
            );
            Answer::ok(present(noun, &old))
        }
        _ if rest.len() <= 1 => Err(Refusal::wrong_verb(&ask.method)),
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// Filters some lists have and others do not.
fn noun_filter(noun: &Noun, ask: &Ask, doc: &Value) -> bool {
    match noun.path {
        "tenants" => {
            let tags = ask.list("tags");
            ask.query("projectId")
                .is_none_or(|p| doc["ProjectEnvironments"].as_object().is_some_and(|m| m.keys().any(|k| k.eq_ignore_ascii_case(p))))
                && (tags.is_empty() || super::tags::all(doc, &tags))
        }
        "runbooks" => {
            let projects = ask.list("projectIds");
            projects.is_empty() || projects.iter().any(|p| p.eq_ignore_ascii_case(str_of(doc, "ProjectId")))
        }
        "artifacts" => ask.query("regarding").is_none_or(|r| {
            doc["_Related"].as_array().is_some_and(|a| a.iter().any(|x| x.as_str().is_some_and(|x| x.eq_ignore_ascii_case(r))))
        }),
        "machines" => {
            let environments = ask.list("environmentIds");
            environments.is_empty()
                || doc["EnvironmentIds"].as_array().is_some_and(|a| a.iter().any(|x| environments.iter().any(|e| x == e)))
        }
        "libraryvariablesets" => ask.query("contentType").is_none_or(|c| str_of(doc, "ContentType").eq_ignore_ascii_case(c)),
        "users" => ask.query("filter").is_none_or(|f| str_of(doc, "Username").to_lowercase().contains(&f.to_lowercase())),
        _ => true,
    }
}

/// The document of an id or slug, or 404.
pub(crate) fn get<'s>(state: &'s State, ask: &Ask, noun: &Noun, id: &str) -> Result<&'s Arc<Document>, Refusal> {
    let found = state.store.find(noun.path, ask.space.as_deref().filter(|_| noun.spaced), id);
    // What the caller may not see is not there.
    found.filter(|d| state.sees(noun, d)).ok_or_else(|| Refusal::missing(id))
}

/// The project a document belongs to: whoever may not see it may not see what happens to its documents either.
pub(crate) fn project_of(doc: &Value) -> Option<String> {
    doc.get("ProjectId").and_then(Value::as_str).map(str::to_owned)
}

fn space_of(doc: &Value) -> Option<String> {
    doc.get("SpaceId").and_then(Value::as_str).map(str::to_owned)
}

/// A body as a document: an object without links.
pub(crate) fn clean(body: Value) -> Result<Value, Refusal> {
    let Value::Object(mut object) = body else { return Err(Refusal::invalid("The request body must be a JSON object.")) };
    object.shift_remove("Links");
    let upper = |k: &str| k.chars().next().map_or_else(String::new, |c| c.to_uppercase().chain(k.chars().skip(1)).collect());
    Ok(Value::Object(object.into_iter().map(|(k, v)| (upper(&k), v)).collect()))
}

/// What the server gives to a new document, whatever the body says: clients copy a document by posting what they read.
const GIVEN: [&str; 6] = ["Id", "SpaceId", "VariableSetId", "DeploymentProcessId", "RunbookProcessId", "PublishedRunbookSnapshotId"];

/// The slug itself, or with a number behind it when somebody has it.
fn free_slug(state: &State, noun: &Noun, space: Option<&str>, wanted: String) -> String {
    let taken = |slug: &str| state.store.of(noun.path).with("Slug", slug).any(|d| space.is_none_or(|s| str_of(d, "SpaceId") == s));
    // Names of channels and runbooks may repeat, so their slugs may.
    if matches!(noun.path, "channels" | "runbooks") || !taken(&wanted) {
        return wanted;
    }
    let most = state.store.of(noun.path).iter().count();
    (1..=most).map(|n| format!("{wanted}-{n}")).find(|s| !taken(s)).unwrap_or(wanted)
}

fn create(state: &mut State, ask: &Ask, noun: &'static Noun) -> Handled {
    let source = clones::source(state, ask, noun)?;
    let mut body = clean(ask.body.clone())?;
    if let Some(source) = &source {
        body = clones::body(noun, source, &body);
    }
    let space = noun.spaced.then(|| ask.space.clone().unwrap_or_else(|| state.default_space().to_owned()));
    let of_project = body.get("ProjectId").and_then(Value::as_str);
    state.demand(needs(noun)[1], &Thing { space: space.as_deref(), project: of_project, ..Thing::default() })?;
    let name = str_of(&body, "Name").to_owned();
    if name.is_empty() && !matches!(noun.path, "users" | "artifacts" | "runbookSnapshots" | "scopeduserroles") {
        return Err(Refusal::invalid("The Name field is required."));
    }
    let taken = noun.path != "channels"
        && noun.path != "runbooks"
        && noun.path != "runbookSnapshots"
        && !name.is_empty()
        && state.store.of(noun.path).with("Name", &name).any(|d| space.as_deref().is_none_or(|s| str_of(d, "SpaceId") == s));
    if taken {
        return Err(Refusal::invalid(format!("The name '{name}' is already in use. Please choose a different name.")));
    }
    let id = state.store.next_id(noun.prefix);
    let mut doc = json!({ "Id": id });
    if let Some(space) = &space {
        doc["SpaceId"] = json!(space);
    } else if noun.mixed {
        // A team or its role belongs to the space it names, or else to the system.
        doc["SpaceId"] = ask.text("SpaceId").or_else(|| ask.space.clone()).map_or(Value::Null, |s| json!(s));
    }
    if let (Value::Object(doc), Value::Object(body)) = (&mut doc, body) {
        for (k, v) in body {
            if !GIVEN.contains(&k.as_str()) {
                doc.insert(k, v);
            }
        }
    }
    if !name.is_empty() {
        let wanted = Some(str_of(&doc, "Slug")).filter(|s| !s.is_empty()).map_or_else(|| slug(&name), str::to_owned);
        doc["Slug"] = json!(free_slug(state, noun, space.as_deref(), wanted));
    }
    state.complete(noun.path, &mut doc);
    if noun.path == "spaces" {
        super::feeds::add_builtin(&mut state.store, &id);
    }
    if noun.path == "projects" {
        let channel = super::build::channel(&mut state.store, space.as_deref().unwrap_or_default(), &id, "Default", true);
        state.store.of_mut("channels").put(channel);
    }
    let answer = present(noun, &doc);
    state.event(
        "Created",
        &ask.user,
        format!("{} {name} was created", noun.item),
        [Some(id.clone()), project_of(&doc)].into_iter().flatten().collect(),
        space,
    );
    state.store.of_mut(noun.path).put(doc);
    if let Some(source) = &source {
        clones::below(state, noun, source, &id);
    }
    Answer::created(answer)
}
