//! Deployment freezes: times in which some projects are not deployed to some environments (octopus-api.md §20.1).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, texts, time},
    collection,
    environment_types::only_static,
    nouns::{Noun, named},
    repetition::{self, Repetition},
    routing::{By, Endpoint, Find, Whole, delete, get, post, put},
    state::{State, stamp},
    store::present,
    world::server_version::Generation,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const FREEZES: &Noun = named("deploymentfreezes");

/// The permission for freezes of all projects, and that for a freeze which belongs to a project.
const ADMINISTER: &str = "DeploymentFreezeAdminister";
const EITHER: &str = "DeploymentFreezeAdminister|ProjectEdit";

/// The first server on which a freeze may belong to a project.
const OWNED: Generation = Generation::V2026_1;
/// The first server that works out occurrences for its clients: `effectiveDate`, `StartDate` and `EndDate`.
const OCCURRENCES: Generation = Generation::V2026_3;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api/deploymentfreezes", "", &Whole(|state, ask| list(state, ask))),
    get("/api/deploymentfreezes/{id}", "", &By(|state, ask, [id]| {
        let found = FREEZES.find(state, ask, id)?;
        Answer::ok(shown(state, &found, state.now))
    })),
    post("/api/deploymentfreezes", EITHER, &Whole(|state, ask| {
        permit(state, ask.text("OwnerId").as_deref())?;
        check(state, ask)?;
        collection::create(state, ask, FREEZES, |_, _, _| {})?;
        let made = state.store.of(FREEZES.path).iter().last().map(|made| shown(state, made, state.now));
        Answer::created(made.unwrap_or_default())
    })).keeps(),
    put("/api/deploymentfreezes/{id}", EITHER, &By(|state, ask, [id]| {
        let old = FREEZES.find(state, ask, id)?;
        permit(state, old["OwnerId"].as_str())?;
        permit(state, ask.text("OwnerId").as_deref())?;
        check(state, ask)?;
        collection::replace(state, ask, FREEZES, old)?;
        let new = FREEZES.find(state, ask, id)?;
        Answer::ok(shown(state, &new, state.now))
    })).keeps(),
    delete("/api/deploymentfreezes/{id}", EITHER, &By(|state, ask, [id]| {
        let old = FREEZES.find(state, ask, id)?;
        permit(state, old["OwnerId"].as_str())?;
        collection::remove(state, ask, FREEZES, old)
    })),
];

/// Whether the caller may change a freeze that belongs to a project, or to none.
fn permit(state: &State, owner: Option<&str>) -> Result<(), Refusal> {
    let Some(owner) = owner else { return state.demand(ADMINISTER, &Thing::default()) };
    if state.allows(ADMINISTER, &Thing::default()) {
        return Ok(());
    }
    let space = state.store.of("projects").get(owner).map(|project| str_of(project, "SpaceId"));
    state.demand("ProjectEdit", &Thing { space, ..Thing::project(owner) })
}

/// What must be so of a freeze that is sent.
fn check(state: &State, ask: &Ask) -> Result<(), Refusal> {
    if ask.need("Name")?.chars().count() > 200 {
        return Err(Refusal::invalid("The field Name must be a string with a maximum length of 200."));
    }
    let start = ask.time("Start")?.ok_or_else(|| Refusal::required("Start"))?;
    let end = ask.time("End")?.ok_or_else(|| Refusal::required("End"))?;
    if end <= start {
        return Err(Refusal::invalid("The end of the deployment freeze must be after its start."));
    }
    Repetition::of(&ask.body)?;
    let sent = json!({
        "ProjectEnvironmentScope": ask.field("ProjectEnvironmentScope"), "TenantProjectEnvironmentScope": ask.field("TenantProjectEnvironmentScope"),
    });
    only_static(state, scoped_ids(&sent, "EnvironmentId"), "deployment freeze")?;
    let Some(owner) = ask.text("OwnerId").filter(|_| state.plan.version.generation >= OWNED) else { return Ok(()) };
    if state.store.of("projects").get(&owner).is_none() {
        return Err(Refusal::missing(&owner));
    }
    if scoped_ids(&sent, "ProjectId").iter().any(|project| !project.eq_ignore_ascii_case(&owner)) {
        return Err(Refusal::invalid("A deployment freeze that belongs to a project cannot be scoped to another project."));
    }
    Ok(())
}

/// A freeze as it goes out, with the occurrence at a moment or else the next one.
fn shown(state: &State, freeze: &Value, at: Timestamp) -> Value {
    let mut doc = present(FREEZES, freeze);
    let generation = state.plan.version.generation;
    if let Some(members) = doc.as_object_mut()
        && generation < OWNED
    {
        members.shift_remove("OwnerId");
    }
    if !doc["RecurringSchedule"].is_object() {
        return doc;
    }
    let occurrence = Repetition::of(freeze).ok().flatten().and_then(|repetition| repetition.at_or_after(at));
    let days = repetition::days_of_week(&doc["RecurringSchedule"]).unwrap_or_default();
    let schedule = &mut doc["RecurringSchedule"];
    let end_on = time(schedule, "EndOnDate").ok().flatten();
    for member in repetition::MEMBERS {
        schedule[member] = field(schedule, member).clone();
    }
    if schedule["EndType"].is_null() {
        schedule["EndType"] = json!("Never");
    }
    if schedule["UserUtcOffsetInMinutes"].is_null() {
        schedule["UserUtcOffsetInMinutes"] = json!(0);
    }
    schedule["DaysOfWeek"] = json!(repetition::day_names(&days));
    schedule["EndOnDate"] = json!(end_on.map(stamp));
    if let Some(members) = schedule.as_object_mut() {
        members.shift_remove("StartDate");
        members.shift_remove("EndDate");
    }
    if generation >= OCCURRENCES {
        schedule["StartDate"] = json!(occurrence.map(|(start, _)| stamp(start)));
        schedule["EndDate"] = json!(occurrence.map(|(_, end)| stamp(end)));
    }
    doc
}

/// Whether a freeze is over for good at a moment. An end that lies beyond what we can reckon with is still to come.
fn is_over(freeze: &Value, at: Timestamp) -> bool {
    match Repetition::of(freeze) {
        Ok(Some(repetition)) => repetition.at_or_after(at).is_none(),
        _ => time(freeze, "End").is_ok_and(|end| end.is_some_and(|end| end <= at)),
    }
}

fn list(state: &State, ask: &Ask) -> Handled {
    if let Some(status) = ask.query("status") {
        return Err(Refusal::absent(&ask.method, &ask.path, &format!("which words `status` takes is not known, and `{status}` is one")));
    }
    let does_occurrences = state.plan.version.generation >= OCCURRENCES;
    if does_occurrences {
        ask.need_query("skip").and(ask.need_query("take"))?;
    }
    // Older servers do not know the parameter, and pass over it.
    let at = ask.query("effectiveDate").filter(|_| does_occurrences);
    // A plus sign that was not written as %2B arrives as a space.
    let at = at.map(|text| time(&json!({"effectiveDate": text.replace(' ', "+")}), "effectiveDate")).transpose()?.flatten();
    let at = at.unwrap_or(state.now);
    let (projects, environments, tenants) = (ask.only("projectIds"), ask.only("environmentIds"), ask.only("tenantIds"));
    let complete = ask.flag("includeComplete") != Some(false);
    let found = collection::select(state, FREEZES, ask, |f| {
        (complete || !is_over(f, at))
            && projects.has_any(scoped_ids(f, "ProjectId").iter())
            && environments.has_any(scoped_ids(f, "EnvironmentId").iter())
            && tenants.has_any(scoped_ids(f, "TenantId").iter())
    });
    let number = |name: &str| ask.query(name).and_then(|n| n.parse::<usize>().ok());
    let (skip, take) = (number("skip").unwrap_or(0), number("take").unwrap_or(usize::MAX));
    let page: Vec<Value> = found.iter().skip(skip).take(take).map(|f| shown(state, f, at)).collect();
    Answer::ok(json!({"DeploymentFreezes": page, "Count": found.len()}))
}

/// The ids of projects, environments or tenants that a freeze names in either scope.
pub(crate) fn scoped_ids(freeze: &Value, member: &str) -> Vec<String> {
    let scope = freeze["ProjectEnvironmentScope"].as_object().into_iter().flatten();
    let mut ids: Vec<String> = match member {
        "ProjectId" => scope.map(|(project, _)| project.clone()).collect(),
        "EnvironmentId" => scope.flat_map(|(_, environments)| texts(environments)).collect(),
        _ => Vec::new(),
    };
    let tenanted = freeze["TenantProjectEnvironmentScope"].as_array().into_iter().flatten();
    ids.extend(tenanted.map(|one| str_of(one, member).to_owned()));
    ids
}

/// Whether a freeze is about a project, an environment and, if there is one, a tenant.
fn is_about(freeze: &Value, project: &str, environment: &str, tenant: Option<&str>) -> bool {
    let is = |id: &str, other: &str| id.eq_ignore_ascii_case(other);
    let scope = freeze["ProjectEnvironmentScope"].as_object();
    let tenanted = freeze["TenantProjectEnvironmentScope"].as_array();
    scope.is_some_and(|scope| {
        scope.iter().any(|(id, environments)| is(id, project) && texts(environments).iter().any(|e| is(e, environment)))
    }) || tenanted.is_some_and(|scopes| {
        scopes.iter().any(|one| {
            tenant.is_some_and(|tenant| is(str_of(one, "TenantId"), tenant))
                && is(str_of(one, "ProjectId"), project)
                && is(str_of(one, "EnvironmentId"), environment)
        })
    })
}

/// Whether a freeze holds now.
fn holds(state: &State, freeze: &Value) -> bool {
    let now = state.now;
    if let Ok(Some(repetition)) = Repetition::of(freeze) {
        return repetition.covers(now);
    }
    let side = |name: &str| time(freeze, name).ok().flatten();
    let has_begun = state.plan.future_freezes_stop || side("Start").is_none_or(|start| start <= now);
    has_begun && side("End").is_none_or(|end| end > now)
}

/// Freezes that are active now for a deployment: `(id, name)`.
pub(crate) fn active(state: &State, project: &str, environment: &str, tenant: Option<&str>) -> Vec<(String, String)> {
    let about = state.store.of(FREEZES.path).iter().filter(|f| is_about(f, project, environment, tenant) && holds(state, f));
    about.map(|f| (str_of(f, "Id").to_owned(), str_of(f, "Name").to_owned())).collect()
}

/// Refuses a reason that is none for anything.
pub(crate) const NOTHING_TO_OVERRIDE: &str =
    "A deployment freeze override reason is specified, but no deployment freezes to override are specified.";
/// Refuses names and ids of which none is a freeze.
const NOTHING_VALID: &str = "Unable to override freezes, no valid freezes were specified.";

/// The ids of freezes that a request overrides, which it names by `named` and gives a reason for: a reason needs freezes, and freezes need one.
pub(crate) fn overridden(state: &State, named: &[String], reason: &Value, member: &str) -> Result<Vec<String>, Refusal> {
    let reason = reason.as_str().unwrap_or_default();
    if named.is_empty() {
        return if reason.is_empty() { Ok(Vec::new()) } else { Err(Refusal::invalid(NOTHING_TO_OVERRIDE)) };
    }
    if reason.trim().is_empty() {
        return Err(Refusal::invalid("A reason is required to override deployment freezes."));
    }
    let is_named = |f: &Value| named.iter().any(|name| name.eq_ignore_ascii_case(str_of(f, member)));
    let found: Vec<String> = state.store.of(FREEZES.path).iter().filter(|f| is_named(f)).map(|f| str_of(f, "Id").to_owned()).collect();
    if found.is_empty() { Err(Refusal::invalid(NOTHING_VALID)) } else { Ok(found) }
}

/// The same for the executions API, whose members have names of their own.
pub(crate) fn overridden_by_name(state: &State, ask: &Ask) -> Result<Vec<String>, Refusal> {
    overridden(state, &ask.texts("deploymentFreezeNames"), field(&ask.body, "deploymentFreezeOverrideReason"), "Name")
}
