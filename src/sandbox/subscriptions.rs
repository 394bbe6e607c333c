//! Subscriptions with a webhook: events are posted to an address, in batches (octopus-api.md §22).
//!
//! A job of the server looks about every 30 s; what it finds is a batch, and each event of it a request of its own. A request that fails ends its
//! batch, and what is left of it is never sent; one that takes too long is sent again. Nobody is told that an event was posted already.

use super::{
    answer::{str_of, text, texts},
    audit::SYSTEM,
    event_categories::is_in_group,
    events,
    hooks::{Batch, Post},
    nouns::{Noun, named},
    state::{State, stamp},
    tags,
    world::hooks::HookFault,
};
use crate::clock::later;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

const SUBSCRIPTIONS: &Noun = named("subscriptions");
/// How often the job looks.
const EVERY: SignedDuration = SignedDuration::from_secs(30);
/// How long a receiver may take when the subscription says nothing that can be read.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether there are any.
pub(crate) fn any(state: &State) -> bool {
    state.store.of(SUBSCRIPTIONS.path).iter().next().is_some()
}

/// When the job next has something to do: at the look that a late event waits for, or at the first one behind what has happened or is due.
pub(crate) fn next_look(state: &State) -> Option<Timestamp> {
    let late = state.hooks.late.values().filter_map(|looks| looks.keys().next().copied()).min();
    let open = enabled(state).filter_map(|doc| first_unseen(state, doc)).map(|i| state.events.entries[i].occurred).min();
    let found = open.or_else(|| state.agenda.first_due()).map(|at| look_after(state, at.max(state.now)));
    [late, found].into_iter().flatten().min()
}

/// The first look of the job behind a moment.
fn look_after(state: &State, at: Timestamp) -> Timestamp {
    let start = state.plan.start.0;
    let looks = at.duration_since(start).as_millis().max(0) / EVERY.as_millis() + 1;
    later(start, EVERY.saturating_mul(i32::try_from(looks).unwrap_or(i32::MAX)))
}

/// The subscriptions that post.
fn enabled(state: &State) -> impl Iterator<Item = &Value> {
    let posts = |doc: &&Value| doc["IsDisabled"] != true && !str_of(&doc["EventNotificationSubscription"], "WebhookURI").is_empty();
    state.store.of(SUBSCRIPTIONS.path).iter().filter(posts)
}

/// The place of the first event that a subscription has not looked at.
fn first_unseen(state: &State, doc: &Value) -> Option<usize> {
    let seen = doc["EventNotificationSubscription"]["WebhookLastProcessedEventAutoId"].as_u64().map(|n| n as usize);
    let before = || state.events.naming(str_of(doc, "Id")).first().map_or(state.first_event, |made| made + 1);
    let first = seen.unwrap_or_else(before);
    (first < state.events.entries.len()).then_some(first)
}

/// Everything that the job has found at its looks up to now, the oldest look first.
pub(crate) fn batches(state: &mut State) -> Vec<Batch> {
    let docs: Vec<Value> = enabled(state).cloned().collect();
    let mut found: BTreeMap<(Timestamp, String), Batch> = BTreeMap::new();
    for doc in docs {
        let id = str_of(&doc, "Id").to_owned();
        let mut by_look: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
        let mut last = None;
        for i in first_unseen(state, &doc).into_iter().flat_map(|first| first..state.events.entries.len()) {
            let look = look_after(state, state.events.entries[i].occurred);
            if look > state.now {
                break;
            }
            last = Some((look, i));
            by_look.entry(look).or_default().extend(fits(state, &doc, i).then_some(i));
        }
        if let Some((look, i)) = last {
            state.store.of_mut(SUBSCRIPTIONS.path).change(&id, |doc| {
                let notification = &mut doc["EventNotificationSubscription"];
                notification["WebhookLastProcessed"] = json!(stamp(look));
                notification["WebhookLastProcessedEventAutoId"] = json!(i + 1);
            });
        }
        let mut late = state.hooks.late.remove(&id).unwrap_or_default();
        let mut ready: BTreeMap<Timestamp, Vec<Post>> = BTreeMap::new();
        for (look, events) in by_look {
            for post in posts(state, &doc, look, &events) {
                let is_late = post.fault == Some(HookFault::Late);
                let of_look = if is_late { late.entry(later(look, EVERY)) } else { ready.entry(look) };
                of_look.or_default().push(post);
            }
        }
        let (due, kept): (BTreeMap<_, _>, BTreeMap<_, _>) = late.into_iter().partition(|(look, _)| *look <= state.now);
        if !kept.is_empty() {
            state.hooks.late.insert(id.clone(), kept);
        }
        for (look, posts) in due {
            // They come behind what that look finds.
            ready.entry(look).or_default().extend(posts);
        }
        found.extend(ready.into_iter().map(|(look, posts)| ((look, id.clone()), batch(&doc, posts))));
    }
    found.into_values().collect()
}

fn batch(doc: &Value, posts: Vec<Post>) -> Batch {
    let notification = &doc["EventNotificationSubscription"];
    let key = text(notification, "WebhookHeaderKey").filter(|key| !key.is_empty());
    // `00:00:10`
    let timeout = str_of(notification, "WebhookTimeout").split(':').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    let seconds = |parts: Vec<u64>| parts.into_iter().fold(0, |sum: u64, part| sum.saturating_mul(60).saturating_add(part));
    let timeout = timeout.filter(|parts| parts.len() == 3).map(|parts| Duration::from_secs(seconds(parts)));
    Batch {
        url: str_of(notification, "WebhookURI").to_owned(),
        header: key.map(|key| (key, str_of(doc, "_WebhookHeaderValue").to_owned())),
        timeout: timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(USUAL_TIMEOUT),
        posts,
    }
}

/// The requests for the events of a look.
fn posts(state: &mut State, doc: &Value, look: Timestamp, events: &[usize]) -> Vec<Post> {
    let id = str_of(doc, "Id");
    let batch = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{id} {look}").as_bytes());
    let plan = state.plan.clone();
    let faults =
        plan.subscriptions.iter().find(|plan| plan.name.get_ref().eq_ignore_ascii_case(str_of(doc, "Name"))).map(|plan| &plan.faults);
    let space = str_of(doc, "SpaceId");
    let server = (state.url != format!("http://{}", super::UNHEARD)).then(|| state.url.clone());
    let categories = texts(&doc["EventNotificationSubscription"]["Filter"]["EventCategories"]).join(",");
    let audit = server.as_ref().map(|server| {
        let [from, to] = [later(look, -EVERY), look].map(|at| stamp(at).replace(':', "%3a").replace('+', "%2b"));
        format!("{server}/app#/{space}/configuration/audit?eventCategories={categories}&from={from}&to={to}")
    });
    let mut shown = doc.clone();
    if let Some(members) = shown.as_object_mut() {
        members.retain(|member, _| !member.starts_with('_'));
    }
    shown["Links"] = json!({"Self": format!("/api/{space}/subscriptions/{id}")});
    let mut posts = Vec::new();
    for (n, event) in events.iter().enumerate() {
        let nth = state.hooks.found.entry(id.to_owned()).or_default();
        *nth += 1;
        let fault = faults.and_then(|faults| faults.iter().find(|fault| fault.fires(*nth))).map(|fault| fault.action);
        let body = json!({
            "Timestamp": stamp(look), "EventType": "SubscriptionPayload",
            "Payload": {
                "ServerUri": server, "ServerAuditUri": audit, "BatchProcessingDate": stamp(look), "Subscription": shown,
                "Event": serde_json::to_value(events::render(state, *event)).unwrap_or_default(),
                "BatchId": batch.to_string(), "TotalEventsInBatch": events.len(), "EventNumberInBatch": n + 1,
            },
        });
        posts.push(Post { body, fault });
    }
    posts
}

/// Whether a subscription is for an event: any that its filter names of each kind.
fn fits(state: &State, doc: &Value, index: usize) -> bool {
    let event = &state.events.entries[index];
    let filter = &doc["EventNotificationSubscription"]["Filter"];
    let wanted = |kind: &str| texts(&filter[kind]);
    let any = |kind: &str, has: &dyn Fn(&str) -> bool| wanted(kind).is_empty() || wanted(kind).iter().any(|one| has(one));
    let related = events::related(state, event);
    let is_about = |id: &str| related.iter().any(|one| one.eq_ignore_ascii_case(id));
    let group = |id: &str| {
        let projects = related.iter().filter_map(|one| state.store.of("projects").get(one));
        projects.into_iter().any(|project| str_of(project, "ProjectGroupId").eq_ignore_ascii_case(id))
    };
    let tag = |tag: &str| {
        let mut tenants = related.iter().filter_map(|one| state.store.of("tenants").get(one));
        tenants.any(|tenant| tags::all(tenant, &[tag.to_owned()]))
    };
    let space = events::space(state, event);
    (space.is_none() || space == Some(str_of(doc, "SpaceId")))
        && any("EventCategories", &|category| event.category.eq_ignore_ascii_case(category))
        && any("EventGroups", &|group| is_in_group(event.category, group))
        && any("Users", &|id| event.user.eq_ignore_ascii_case(id))
        && any("EventAgents", &|agent| event.user == SYSTEM && agent.eq_ignore_ascii_case("Server"))
        && any("DocumentTypes", &|kind| events::names_type(&related, kind))
        && ["Projects", "Environments", "Tenants"].iter().all(|kind| any(kind, &is_about))
        && any("ProjectGroups", &group)
        && any("Tags", &tag)
}
