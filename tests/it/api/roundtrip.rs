//! What the client reads it can send back without losing anything: every document that a real server sent goes through
//! the typed client over HTTP and back with PUT, as it came and with single changes.
//!
//! Compared is the text of the JSON: values, members nobody has a type for, and the order of members.

use crate::support::{
    http::{KEY, Reply, Server, client, spaces, virtual_clock},
    payloads::{files, folders, items, marks, member, payload, read},
};
use octorhai::api::decode::{Document, FromJson};
use octorhai::api::encode::ToJson;
use octorhai::api::variables::{Variable, VariableId};
use octorhai::api::*;
use octorhai::clock::Busy;
use octorhai::error::Error;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

/// A server that answers the first GET with a document, further ones with an empty page, and a PUT with what it got.
struct Stage {
    runtime: tokio::runtime::Runtime,
    server: Server,
    client: Client,
    next: Arc<Mutex<Option<(u16, Value)>>>,
    /// Changes that were made to some document, by type and place.
    made: Mutex<BTreeSet<String>>,
    _busy: Busy,
}

impl Stage {
    fn new() -> Self {
        let clock = virtual_clock();
        let next: Arc<Mutex<Option<(u16, Value)>>> = Arc::default();
        let served = next.clone();
        let server = Server::start(&clock, move |request| {
            if request.method == "PUT" {
                return Reply::Json(200, request.body.clone());
            }
            let (status, body) = served.lock().take().unwrap_or_else(|| (200, json!({"Items": []})));
            Reply::Json(status, body)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = client(&server.address, &clock);
        Self { runtime, server, client, next, made: Mutex::default(), _busy: clock.enter() }
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
        self.runtime.block_on(work).map_err(|error| error.to_string())
    }

    fn serve(&self, status: u16, body: &Value) {
        *self.next.lock() = Some((status, body.clone()));
    }

    /// The body of the last request.
    fn sent(&self) -> Value {
        self.server.requests.lock().last().map(|request| request.body.clone()).unwrap_or_default()
    }

    /// The documents of a body as the client reads them, each with the JSON it is of.
    fn documents<T: Document>(&self, body: &Value) -> Result<Vec<(T, Value)>, String> {
        self.serve(200, body);
        if body.is_array() || body.get("Items").is_some() {
            let read: Vec<T> = self.run(self.client.list(&route(), None))?;
            let items = items(body).map_err(|p| p.into_error("page").to_string())?;
            if read.len() != items.len() {
                return Err(format!("{} of {} documents were read", read.len(), items.len()));
            }
            return Ok(read.into_iter().zip(items).collect());
        }
        Ok(vec![(self.run(self.client.fetch(&route()))?, body.clone())])
    }

    /// Sends a document back as it is; what goes over the wire must be what came.
    fn back(&self, document: &Value, origin: &Value) -> Result<(), String> {
        self.run(self.client.raw("PUT", route().as_str(), Some(document)))?;
        same(&self.sent(), origin)
    }
}

fn route() -> Route {
    Route::new("/api/Spaces-1/documents").then("Documents-1")
}

fn text(json: &Value) -> String {
    json.to_string()
}

fn same(sent: &Value, origin: &Value) -> Result<(), String> {
    let (differ, order) = (differences(origin, sent), text(sent) == text(origin));
    if differ.is_empty() && order { Ok(()) } else { Err(format!("what was sent back differs at {differ:?}, same order: {order}")) }
}

/// The places where two documents differ; a member that came or went is one place.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    fn walk(before: &Value, after: &Value, at: &str, found: &mut Vec<String>) {
        match (before, after) {
            (Value::Object(old), Value::Object(new)) => {
                for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                    match (old.get(name), new.get(name)) {
                        (Some(old), Some(new)) => walk(old, new, &format!("{at}/{name}"), found),
                        _ => found.push(format!("{at}/{name}")),
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    walk(old, new, &format!("{at}/{index}"), found);
                }
            }
            _ if before == after => {}
            _ => found.push(at.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(before, after, "", &mut found);
    found
}

/// Whether the members that both have stand in the same order, all the way down.
fn in_order(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let both =
                |keys: Vec<&String>| keys.into_iter().filter(|k| old.contains_key(*k) && new.contains_key(*k)).cloned().collect::<Vec<_>>();
            both(old.keys().collect()) == both(new.keys().collect())
                && old.iter().all(|(name, value)| new.get(name).is_none_or(|new| in_order(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => old.iter().zip(new).all(|(old, new)| in_order(old, new)),
        _ => true,
    }
}

/// A change through the typed view, and the one place of the JSON where it must be seen. `None` when the document has
/// nothing there to be changed.
type Change<T> = (&'static str, fn(&mut T) -> Option<()>);

/// Documents that can be changed.
trait Changes: Document + ToJson + Clone + 'static {
    const CHANGES: &'static [Change<Self>];
}

macro_rules! changes {
    ($($type:ty { $($place:literal: $change:expr,)* })*) => {
        $(impl Changes for $type {
            const CHANGES: &'static [Change<Self>] = &[$(($place, $change),)*];
        })*
        /// All changes there are.
        fn all_changes() -> BTreeSet<String> {
            [$($(concat!(stringify!($type), " ", $place).to_owned(),)*)*].into()
        }
    };
}

#[expect(clippy::unnecessary_wraps, reason = "changes end with it")]
fn put<T>(place: &mut T, value: T) -> Option<()> {
    *place = value;
    Some(())
}

#[expect(clippy::unnecessary_wraps, reason = "changes end with it")]
fn flip(place: &mut bool) -> Option<()> {
    *place = !*place;
    Some(())
}

changes! {
    Channel {
        "/Name": |d| put(&mut d.name, "Other".into()),
        "/LifecycleId": |d| put(&mut d.lifecycle_id, Some("Lifecycles-99".into())),
        "/IsDefault": |d| flip(&mut d.is_default),
        "/TenantTags": |d| put(&mut d.tenant_tags, vec!["Ring/Early".to_owned(), "Ring/Late".to_owned()]),
    }
    Environment {
        "/Description": |d| put(&mut d.description, "other".into()),
        "/SortOrder": |d| put(&mut d.sort_order, 99),
        "/UseGuidedFailure": |d| flip(&mut d.use_guided_failure),
    }
    LibraryVariableSet { "/Description": |d| put(&mut d.description, "other".into()), }
    Other { "/Name": |d| put(&mut d.name, "Other".into()), }
    Process {
        "/Version": |d| put(&mut d.version, 77),
        "/Steps/0/Name": |d| put(&mut d.steps.first_mut()?.name, "Other".into()),
        "/Steps/0/Actions/0/IsDisabled": |d| flip(&mut d.steps.first_mut()?.actions.first_mut()?.is_disabled),
        "/Steps/1/Actions/0/Environments": |d| put(&mut d.steps.get_mut(1)?.actions.first_mut()?.environments, vec!["Environments-99".into()]),
    }
    Project {
        "/Name": |d| put(&mut d.name, "Other".into()),
        "/Description": |d| put(&mut d.description, "\u{201c}other\u{201d} \u{1f419}".into()),
        "/IsDisabled": |d| flip(&mut d.is_disabled),
        "/ProjectGroupId": |d| put(&mut d.project_group_id, None),
        "/TenantedDeploymentMode": |d| put(&mut d.tenanted_deployment_mode, "Tenanted".into()),
    }
    ProjectGroup { "/Description": |d| put(&mut d.description, "other".into()), }
    Release {
        "/ReleaseNotes": |d| put(&mut d.release_notes, "- other\n- lines".into()),
        "/Assembled": |d| put(&mut d.assembled, decode::timestamp("2031-02-03T04:05:06.789Z")),
    }
    Space { "/TaskQueueStopped": |d| flip(&mut d.task_queue_stopped), }
    Tenant {
        "/Name": |d| put(&mut d.name, "Other".into()),
        "/ProjectEnvironments/Projects-99": |d| d.project_environments.insert("Projects-99".to_owned(), vec!["A-1".into()]).map_or(Some(()), |_| None),
    }
    User {
        "/DisplayName": |d| put(&mut d.display_name, "Other".into()),
        "/IsActive": |d| flip(&mut d.is_active),
    }
    VariableSet {
        "/Version": |d| put(&mut d.version, 77),
        "/Variables/0/Value": |d| put(&mut d.variables.first_mut()?.value, Some("other".to_owned())),
        "/Variables/1/Scope/Environment": |d| {
            d.variables.get_mut(1)?.scope.insert("Environment".to_owned(), vec!["A-1".to_owned(), "A-2".to_owned(), "A-3".to_owned()]);
            Some(())
        },
    }
}

type Tried = Result<usize, String>;

/// Reads documents, sends them back as they are, and then with each of the changes of their type.
fn written<T: Changes>(stage: &Stage, body: &Value) -> Tried {
    let documents = stage.documents::<T>(body)?;
    for (document, origin) in &documents {
        let answer: T = stage.run(stage.client.save(&route(), document))?;
        same(&stage.sent(), origin)?;
        if answer != *document {
            return Err("the answer does not read as what was sent".to_owned());
        }
        for (place, change) in T::CHANGES {
            let mut changed = document.clone();
            if change(&mut changed).is_none() {
                continue;
            }
            let answer: T = stage.run(stage.client.save(&route(), &changed))?;
            let sent = stage.sent();
            let differ = differences(origin, &sent);
            if differ != [*place] || !in_order(origin, &sent) {
                return Err(format!("after a change at {place} what was sent differs at {differ:?}"));
            }
            if answer.raw() != &sent {
                return Err(format!("after a change at {place} the answer is another document"));
            }
            let name = std::any::type_name::<T>().rsplit(':').next().unwrap_or_default();
            stage.made.lock().insert(format!("{name} {place}"));
        }
    }
    Ok(documents.len())
}

/// Documents that the client never changes: the JSON that each keeps is sent back.
fn kept<T: Document>(stage: &Stage, body: &Value) -> Tried {
    let documents = stage.documents::<T>(body)?;
    documents.iter().try_for_each(|(document, origin)| stage.back(&document.raw().tree(), origin))?;
    Ok(documents.len())
}

/// A dashboard looks like a page, having items, and is none.
fn dashboard(stage: &Stage, body: &Value) -> Tried {
    stage.serve(200, body);
    let dashboard: Dashboard = stage.run(stage.client.fetch(&route()))?;
    stage.back(&dashboard.raw().tree(), body)?;
    Ok(dashboard.items.len())
}

/// What the client has no type for: read and sent back as JSON, also with one change.
fn raw(stage: &Stage, body: &Value) -> Tried {
    stage.serve(200, body);
    let read = stage.run(stage.client.get(route().as_str()))?;
    stage.back(&read, body)?;
    let mut changed = read;
    let place = changed.as_object().and_then(|members| members.keys().next().cloned());
    if let Some(name) = place {
        changed[&name] = json!("other");
        stage.back(&changed, &changed)?;
        let differ = differences(body, &stage.sent());
        if differ != [format!("/{name}")] {
            return Err(format!("after a change at /{name} what was sent differs at {differ:?}"));
        }
    }
    Ok(1)
}

fn webhook(stage: &Stage, body: &Value) -> Tried {
    let payload: Value = member(body, "Payload").map_err(|p| format!("{p:?}"))?;
    let events = match payload.get("Events") {
        Some(events) => Vec::<Event>::from_json(events).map_err(|p| format!("{p:?}"))?,
        None => vec![Event::from_json(&payload["Event"]).map_err(|p| format!("{p:?}"))?],
    };
    if events.iter().any(|event| event.raw().json().get("Id").is_none()) {
        return Err("an event lost its JSON".to_owned());
    }
    raw(stage, body)
}

/// Errors are not sent back, but every word of them reaches who asked.
fn refusal(stage: &Stage, body: &Value) -> Tried {
    stage.serve(400, body);
    let error = stage.run(stage.client.get(route().as_str())).expect_err("it is an error");
    let errors = body.get("Errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let words = errors.iter().filter_map(Value::as_str).chain(body["ErrorMessage"].as_str());
    match words.map(|words| words.trim().trim_end_matches('.')).find(|words| !error.contains(words)) {
        Some(words) => Err(format!("`{words}` is not in `{error}`")),
        None => Ok(1),
    }
}

type Reread = Result<Option<Value>, Error>;

/// Reads a document that can be written, and gives what would be sent back.
fn reread<T: Changes>(body: Value) -> Reread {
    T::decode(body).map(|document| Some(document.to_json())).map_err(|p| p.into_error(T::NOUN))
}

fn reread_only<T: Document>(body: Value) -> Reread {
    T::decode(body).map(|_| None).map_err(|p| p.into_error(T::NOUN))
}

type Way = (&'static str, fn(&Stage, &Value) -> Tried, Option<fn(Value) -> Reread>);

/// How each file is read: the first entry whose beginning fits.
const WAYS: &[Way] = &[
    ("channels/", written::<Channel>, Some(reread::<Channel>)),
    ("dashboards/dashboard-", dashboard, Some(reread_only::<Dashboard>)),
    ("dashboards/progression-", kept::<Other>, Some(reread_only::<Other>)),
    ("dashboards/octofx-", kept::<DashboardItem>, Some(reread_only::<DashboardItem>)),
    ("dashboards/runbook-", raw, None),
    ("deployments/", kept::<Deployment>, Some(reread_only::<Deployment>)),
    ("environments/", written::<Environment>, Some(reread::<Environment>)),
    ("errors/", refusal, None),
    ("events/", kept::<Event>, Some(reread_only::<Event>)),
    ("interruptions/", kept::<Interruption>, Some(reread_only::<Interruption>)),
    ("libraryvariablesets/", written::<LibraryVariableSet>, Some(reread::<LibraryVariableSet>)),
    ("lifecycles/", written::<Other>, Some(reread::<Other>)),
    ("processes/", written::<Process>, Some(reread::<Process>)),
    ("projectgroups/projectgroup-projects-", written::<Project>, Some(reread::<Project>)),
    ("projectgroups/", written::<ProjectGroup>, Some(reread::<ProjectGroup>)),
    ("projects/git-branches-", written::<Other>, Some(reread::<Other>)),
    ("projects/", written::<Project>, Some(reread::<Project>)),
    ("releases/go443-", raw, None),
    ("releases/", written::<Release>, Some(reread::<Release>)),
    ("root/", kept::<ServerInfo>, Some(reread_only::<ServerInfo>)),
    ("spaces/", written::<Space>, Some(reread::<Space>)),
    ("tasks/dd-task-details-", kept::<TaskDetails>, Some(reread_only::<TaskDetails>)),
    ("tasks/", kept::<Task>, Some(reread_only::<Task>)),
    ("tenants/tenant-variables-", raw, None),
    ("tenants/", written::<Tenant>, Some(reread::<Tenant>)),
    ("users/permissions-all-", raw, None),
    ("users/apikeys-", written::<Other>, Some(reread::<Other>)),
    ("users/userrole-", written::<Other>, Some(reread::<Other>)),
    ("users/", written::<User>, Some(reread::<User>)),
    ("variables/", written::<VariableSet>, Some(reread::<VariableSet>)),
    ("webhooks/", webhook, None),
    ("config/", raw, None),
    ("openapi-pruned.json", raw, None),
    // Nothing the client has a type for: what all resources have in common.
    ("artifacts/", written::<Other>, Some(reread::<Other>)),
    ("accounts/", written::<Other>, Some(reread::<Other>)),
    ("approvals/", written::<Other>, Some(reread::<Other>)),
    ("actiontemplates/", written::<Other>, Some(reread::<Other>)),
    ("feeds/", written::<Other>, Some(reread::<Other>)),
    ("machines/", written::<Other>, Some(reread::<Other>)),
    ("servernodes/", written::<Other>, Some(reread::<Other>)),
    ("teams/", written::<Other>, Some(reread::<Other>)),
    ("triggers/", written::<Other>, Some(reread::<Other>)),
    ("workers/", written::<Other>, Some(reread::<Other>)),
];

fn way(name: &str) -> Option<&'static Way> {
    WAYS.iter().find(|(start, ..)| name.starts_with(start))
}

/// Files that do not decode, and the reason: never one that is trusted to be as the server sent it.
const REFUSED: &[(&str, &str)] = &[("deployments/dd-deployment-2024.2.json", "its publisher damaged the date: \"2024-09-2T...\"")];

#[test]
fn every_document_goes_through_the_client_and_back_without_loss() {
    let stage = Stage::new();
    let (mut wrong, mut trusted, mut documents) = (Vec::new(), 0, 0);
    for folder in folders() {
        let (there, marks) = (files(&folder), marks(&folder));
        wrong.extend(marks.keys().filter(|name| !there.contains_key(*name)).map(|name| format!("{name}: it is listed, and not there")));
        for (name, path) in there {
            let Some(mark) = marks.get(&name) else {
                wrong.push(format!("{name}: it has no mark of trust"));
                continue;
            };
            let Some((_, there_and_back, _)) = way(&name) else {
                wrong.push(format!("{name}: nothing reads it"));
                continue;
            };
            trusted += usize::from(mark.starts_with('V'));
            match (there_and_back(&stage, &read(&path)), REFUSED.iter().find(|(refused, _)| *refused == name)) {
                (Ok(count), None) => documents += count,
                (Ok(_), Some((_, reason))) => wrong.push(format!("{name}: it can be read, although {reason}")),
                (Err(_), Some(_)) if !mark.starts_with('V') => {}
                (Err(error), _) => wrong.push(format!("{name} ({mark}): {error}")),
            }
        }
    }
    wrong.extend(all_changes().difference(&stage.made.lock()).map(|change| format!("no document was there for the change {change}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(trusted >= 51 && documents >= 167, "only {trusted} trusted files, {documents} documents");
}

#[test]
fn parts_that_are_moved_added_and_removed_keep_what_nobody_has_a_type_for() {
    let body = payload("variables/variableset-2018.11.json");
    let mut set = VariableSet::decode(body.clone()).expect("it decodes");
    assert!(set.variables.len() >= 3);
    set.variables.remove(0);
    set.variables.swap(0, 1);
    set.variables.push(Variable {
        id: VariableId::new("added").expect("an id"),
        name: "Added".into(),
        value: Some("v".into()),
        is_sensitive: false,
        scope: BTreeMap::from([("Role".into(), vec!["web".into()])]),
        prompt: None,
        raw: Value::Null.into(),
    });
    let mut expected = body;
    let variables = expected["Variables"].as_array_mut().expect("an array");
    variables.remove(0);
    variables.swap(0, 1);
    variables.push(json!({"Id": "added", "Name": "Added", "Value": "v", "Scope": {"Role": ["web"]}}));
    same(&set.to_json(), &expected).expect("all else is as it was");
}

/// The damage done to each member: it is gone, null, or of another kind.
const DAMAGES: [fn(&mut Value); 7] = [
    |v| *v = Value::Null,
    |v| *v = json!(""),
    |v| *v = json!("\u{1f419} no such word"),
    |v| *v = json!(-7),
    |v| *v = json!(1.5),
    |v| *v = json!([{}, null]),
    |v| *v = json!({"Unknown": [1, {"Deep": null}]}),
];

/// All places of a document as JSON pointers and as errors name them; of long lists the first two items and the last.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.push((pointer.clone(), path.clone()));
                places(member, &pointer, &path, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(index, _)| *index < 2 || index + 1 == items.len()) {
                let (pointer, path) = (format!("{pointer}/{index}"), format!("{path}[{index}]"));
                found.push((pointer.clone(), path.clone()));
                places(item, &pointer, &path, found);
            }
        }
        _ => {}
    }
}

/// The document with a member more in the object at a place, as a later server may send it.
fn with_more(body: &Value, pointer: &str) -> Option<Value> {
    let mut body = body.clone();
    body.pointer_mut(pointer)?.as_object_mut()?.insert("SinceNextYear".to_owned(), json!([{"Deep": 1.25}, null]));
    Some(body)
}

/// What reading a damaged document came to: written back it is the same, or the error names the place of the damage.
fn judge(outcome: Reread, body: &Value, path: &str) -> Result<bool, String> {
    match outcome {
        Ok(None) => Ok(true),
        Ok(Some(back)) if text(&back) == text(body) => Ok(true),
        Ok(Some(back)) => Err(format!("written back it differs at {:?}", differences(body, &back))),
        Err(error) => match error.fact("json_path").and_then(Value::as_str) {
            Some(named) if named.starts_with(path) && error.message().contains(&format!("`{named}`")) => Ok(false),
            named => Err(format!("the error names {named:?}: {error}")),
        },
    }
}

#[test]
fn a_document_with_one_member_gone_or_damaged_is_read_or_refused_by_name() {
    let (mut wrong, mut read_all_the_same, mut refused) = (Vec::new(), 0, 0);
    // The larger collection has the documents of the repository as well.
    let all: BTreeMap<_, _> = folders().iter().flat_map(|folder| files(folder)).collect();
    for (name, path) in all.iter().filter(|(name, _)| !REFUSED.iter().any(|(refused, _)| refused == name)) {
        let Some((_, _, Some(reread))) = way(name) else { continue };
        let body = read(path);
        let whole = name.starts_with("dashboards/dashboard-") || !(body.is_array() || body.get("Items").is_some());
        let items = if whole { vec![body] } else { items(&body).expect("a page") };
        for item in items.iter().take(2) {
            let mut all = Vec::new();
            places(item, "", "", &mut all);
            let more = with_more(item, "").expect("it is an object");
            wrong.extend(judge(reread(more.clone()), &more, "").err().map(|why| format!("{name} with a member more: {why}")));
            for (pointer, place) in all {
                let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
                let mut bodies = Vec::new();
                for damage in DAMAGES {
                    let mut body = item.clone();
                    damage(body.pointer_mut(&pointer).expect("the place is there"));
                    bodies.push(body);
                }
                let mut without = item.clone();
                if let Some(members) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
                    members.shift_remove(&last.replace("~1", "/").replace("~0", "~"));
                    bodies.push(without);
                }
                for body in bodies.into_iter().chain(with_more(item, &pointer)) {
                    match judge(reread(body.clone()), &body, &place) {
                        Ok(true) => read_all_the_same += 1,
                        Ok(false) => refused += 1,
                        Err(why) => {
                            wrong.push(format!("{name} at {place}, now {}: {why}", body.pointer(&pointer).unwrap_or(&json!("gone"))));
                        }
                    }
                }
            }
        }
    }
    wrong.truncate(40);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read_all_the_same > 10_000 && refused > 1_000, "{read_all_the_same} were read, {refused} refused");
}

/// Times as servers write them when nobody set one, or when somebody means "for ever".
const FAR: [&str; 6] = [
    "0001-01-01T00:00:00.000+00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.9999999+00:00",
    "9999-12-31T23:59:59.000-12:00",
    "9999-12-31T23:59:59",
];

#[test]
fn every_time_of_every_document_may_lie_far_away() {
    let (mut wrong, mut members) = (Vec::new(), BTreeSet::new());
    let all: BTreeMap<_, _> = folders().iter().flat_map(|folder| files(folder)).collect();
    for (name, path) in all.iter().filter(|(name, _)| !REFUSED.iter().any(|(refused, _)| refused == name)) {
        let Some((start, _, Some(reread))) = way(name) else { continue };
        let body = read(path);
        let whole = name.starts_with("dashboards/dashboard-") || !(body.is_array() || body.get("Items").is_some());
        let items = if whole { vec![body] } else { items(&body).expect("a page") };
        for item in items.iter().take(2) {
            let mut all = Vec::new();
            places(item, "", "", &mut all);
            for (pointer, place) in all {
                let is_time = |v: &Value| v.as_str().is_some_and(|text| text.contains('T') && decode::timestamp(text).is_some());
                if !item.pointer(&pointer).is_some_and(is_time) {
                    continue;
                }
                members.insert(format!("{start} {}", place.rsplit('.').next().unwrap_or_default()));
                for far in FAR {
                    let mut body = item.clone();
                    *body.pointer_mut(&pointer).expect("the place is there") = json!(far);
                    match reread(body.clone()) {
                        Ok(None) => {}
                        Ok(Some(back)) if text(&back) == text(&body) => {}
                        Ok(Some(back)) => {
                            wrong.push(format!("{name} at {place}, now {far}: written back it is {:?}", back.pointer(&pointer)));
                        }
                        Err(error) => wrong.push(format!("{name} at {place}, now {far}: {error}")),
                    }
                }
            }
        }
    }
    wrong.truncate(40);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(members.len() > 15, "only {members:?}");
}

/// A script has maps, whose members have no order; all else comes back.
#[test]
fn a_script_that_gets_a_document_and_puts_it_back_loses_nothing() {
    let kinds = |name: &String| way(name).is_some_and(|(start, ..)| !["errors/", "openapi-pruned.json"].contains(start));
    let bodies: BTreeMap<String, Value> =
        folders().iter().flat_map(|folder| files(folder)).filter(|(name, _)| kinds(name)).map(|(name, path)| (name, read(&path))).collect();
    let served = bodies.clone();
    let server = Server::start(&octorhai::clock::Clock::real(), move |request| match request.path.strip_prefix("/api/documents/") {
        Some(_) if request.method == "PUT" => Reply::Json(200, request.body.clone()),
        Some(name) => served.get(name).map_or(Reply::Json(404, json!({"ErrorMessage": "None."})), |body| Reply::Json(200, body.clone())),
        None if request.path == "/api/spaces" => spaces(),
        None => Reply::Json(200, json!({"Id": "Users-1", "Username": "me", "IsActive": true})),
    });
    let lines: Vec<String> = bodies.keys().map(|name| format!("put(\"/api/documents/{name}\", get(\"/api/documents/{name}\"));")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("x.rhai"), lines.join("\n")).expect("written");
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("octorhai"));
    let run = command.current_dir(folder.path()).env("OCTOPUS_API_KEY", KEY).env("OCTORHAI_STORE", "journal").args([
        "run",
        "--server",
        &server.address,
        "x.rhai",
    ]);
    let output = run.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut put = 0;
    for request in server.requests.lock().iter().filter(|request| request.method == "PUT") {
        let name = request.path.trim_start_matches("/api/documents/");
        assert_eq!(differences(&bodies[name], &request.body), [""; 0], "{name}");
        put += 1;
    }
    assert_eq!(put, bodies.len());
}
