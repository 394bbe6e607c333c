//! Triggers of projects: by a schedule or a webhook they run a runbook or deploy the latest release (octopus-api.md §11.3).

use super::{
    access::Access,
    agenda::Due,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text, texts},
    audit::SYSTEM,
    collection,
    deployments::{self, NewExecution},
    nouns::{Noun, PROJECTS, named},
    releases,
    repetition::days_of_week,
    routing::{By, Endpoint, Find, Of, OfBy, Whole, delete, get, post, put},
    runbooks,
    state::State,
    store::Document,
    tags, variables,
    world::server_version::Generation,
};
use crate::clock::{cron::CronSchedule, text::zone as zone_called};
use axum::body::Bytes;
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) const TRIGGERS: &Noun = named("projecttriggers");

/// The largest body that a webhook takes.
const LARGEST: usize = 5 << 20;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/projecttriggers", "TriggerCreate", &Whole(create)).keeps().like(TRIGGERS),
    put("S/projecttriggers/{id}", "TriggerEdit", &Of(TRIGGERS, change)).keeps().like(TRIGGERS),
    delete("S/projecttriggers/{id}", "TriggerDelete", &Of(TRIGGERS, remove)).like(TRIGGERS),
    get("S/projects/{id}/triggers/{trigger}", "TriggerView", &OfBy(PROJECTS, |state, ask, project, [id]| Answer::ok(of_project(state, ask, &project, id)?.shown()))).like(TRIGGERS),
    post("S/projects/{id}/triggers", "TriggerCreate", &Of(PROJECTS, |state, ask, _| create(state, ask))).keeps().like(TRIGGERS),
    put("S/projects/{id}/triggers/{trigger}", "TriggerEdit", &OfBy(PROJECTS, |state, ask, project, [id]| {
        let old = of_project(state, ask, &project, id)?;
        change(state, ask, old)
    })).keeps().like(TRIGGERS),
    delete("S/projects/{id}/triggers/{trigger}", "TriggerDelete", &OfBy(PROJECTS, |state, ask, project, [id]| {
        let old = of_project(state, ask, &project, id)?;
        remove(state, ask, old)
    })).like(TRIGGERS),
    post("S/webhook/{id}", "", &By(called)).public().of_file().since(Generation::V2026_3).partly("what its body says reaches no runbook"),
];

fn of_project(state: &State, ask: &Ask, project: &Value, id: &str) -> Result<Arc<Document>, Refusal> {
    let found = TRIGGERS.find(state, ask, id)?;
    if found["ProjectId"] == project["Id"] { Ok(found) } else { Err(Refusal::missing(id)) }
}

fn create(state: &mut State, ask: &Ask) -> Handled {
    check(state, &ask.body)?;
    let made = collection::create(state, ask, TRIGGERS, |_, _, _| {})?;
    plan_ahead(state);
    Ok(made)
}

fn change(state: &mut State, ask: &Ask, old: Arc<Document>) -> Handled {
    check(state, &ask.body)?;
    state.triggers.next.remove(str_of(&old, "Id"));
    let changed = collection::replace(state, ask, TRIGGERS, old)?;
    plan_ahead(state);
    Ok(changed)
}

fn remove(state: &mut State, ask: &Ask, old: Arc<Document>) -> Handled {
    let removed = collection::remove(state, ask, TRIGGERS, old)?;
    plan_ahead(state);
    Ok(removed)
}

/// Refuses what would not happen here, or makes no sense.
fn check(state: &State, trigger: &Value) -> Result<(), Refusal> {
    let (filter, action) = (field(trigger, "Filter"), field(trigger, "Action"));
    let absent = |member: &str, value: Option<String>| match value {
        None => Refusal::required(member),
        Some(value) => Refusal::said(501, format!("The sandbox does not simulate triggers whose {member} is '{value}'.")),
    };
    if text(filter, "FilterType").as_deref() == Some("WebhookFilter") {
        if state.plan.version.generation < Generation::V2026_3 {
            return Err(Refusal::invalid("The filter type WebhookFilter is not known."));
        }
    } else if Schedule::of(filter)?.is_none() {
        return Err(absent("FilterType", text(filter, "FilterType")));
    }
    match text(action, "ActionType").as_deref() {
        Some("RunRunbook") => {
            let runbook = text(action, "RunbookId").ok_or_else(|| Refusal::required("RunbookId"))?;
            state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?;
            if texts(field(action, "EnvironmentIds")).is_empty() {
                return Err(Refusal::required("EnvironmentIds"));
            }
        }
        Some("DeployLatestRelease") => {
            text(action, "DestinationEnvironmentId").ok_or_else(|| Refusal::required("DestinationEnvironmentId"))?;
        }
        other => return Err(absent("ActionType", other.map(str::to_owned))),
    }
    Ok(())
}

/// When a trigger comes.
enum Schedule {
    Cron(Box<CronSchedule>),
    /// On these days, in this zone, each so often between two times of the day.
    Continuous {
        days: Vec<Weekday>,
        zone: TimeZone,
        from: Time,
        until: Time,
        every: SignedDuration,
    },
}

impl Schedule {
    /// The schedule of a filter; none of a filter that is something else.
    fn of(filter: &Value) -> Result<Option<Self>, Refusal> {
        let kind = text(filter, "FilterType").unwrap_or_default();
        let no = |name: &str| Refusal::invalid(format!("The value '{}' is not valid for Filter.{name}.", field(filter, name)));
        let zone = || match text(filter, "Timezone") {
            None => Ok(TimeZone::UTC),
            Some(name) => zone_called(&name).map_err(|_| no("Timezone")),
        };
        let at = |name: &str| time_of_day(filter, name).ok_or_else(|| no(name));
        let days = || days_of_week(filter).filter(|days| !days.is_empty()).ok_or_else(|| no("DaysOfWeek"));
        let cron = |expression: &str, name: &str| CronSchedule::read(expression, zone()?).map(Box::new).map_err(|_| no(name));
        Ok(Some(match &*kind {
            "CronExpressionSchedule" => {
                Self::Cron(cron(&text(filter, "CronExpression").ok_or_else(|| no("CronExpression"))?, "CronExpression")?)
            }
            "OnceDailySchedule" => {
                let (days, at) = (days()?, at("StartTime")?);
                let days: Vec<String> = days.iter().map(|day| day.to_sunday_zero_offset().to_string()).collect();
                Self::Cron(cron(&format!("{} {} {} * * {}", at.second(), at.minute(), at.hour(), days.join(",")), "StartTime")?)
            }
            "DaysPerMonthSchedule" => {
                let at = at("StartTime")?;
                let (date, day) = if text(filter, "MonthlyScheduleType").as_deref() == Some("DateOfMonth") {
                    (text(filter, "DateOfMonth").ok_or_else(|| no("DateOfMonth"))?, "*".to_owned())
                } else {
                    let day = days_of_week(&json!({ "DaysOfWeek": [field(filter, "DayOfWeek")] })).ok_or_else(|| no("DayOfWeek"))?;
                    let day = day.first().ok_or_else(|| no("DayOfWeek"))?.to_sunday_zero_offset();
                    ("*".to_owned(), format!("{day}#{}", text(filter, "DayNumberOfMonth").ok_or_else(|| no("DayNumberOfMonth"))?))
                };
                Self::Cron(cron(&format!("{} {} {} {date} * {day}", at.second(), at.minute(), at.hour()), "DateOfMonth")?)
            }
            "ContinuousDailySchedule" => {
                let number = |name: &str| field(filter, name).as_i64().filter(|n| (1..=1440).contains(n)).ok_or_else(|| no(name));
                let every = match text(filter, "Interval").as_deref() {
                    Some("OnceHourly") => SignedDuration::from_hours(number("HourInterval")?),
                    Some("OnceEveryMinute" | "OnceEveryMinutes") => SignedDuration::from_mins(number("MinuteInterval")?),
                    _ => return Err(no("Interval")),
                };
                Self::Continuous { days: days()?, zone: zone()?, from: at("RunAfter")?, until: at("RunUntil")?, every }
            }
            _ => return Ok(None),
        }))
    }

    fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let (days, zone, from, until, every) = match self {
            Self::Cron(cron) => return cron.after(now),
            Self::Continuous { days, zone, from, until, every } => (days, zone, from, until, every),
        };
        let today = now.to_zoned_datetime(zone.clone()).date();
        for date in (0..8).filter_map(|day| today.checked_add(day.days()).ok()).filter(|date| days.contains(&date.weekday())) {
            let (mut at, end) = (date.to_datetime(*from), date.to_datetime(*until));
            while at <= end {
                let next = zone.to_ambiguous_zoned_datetime(at).compatible().ok()?.timestamp();
                if next > now {
                    return Some(next);
                }
                at = at.checked_add(*every).ok()?;
            }
        }
        None
    }
}

/// The time of the day in a member that holds a date and a time; a zone that it names says nothing.
fn time_of_day(filter: &Value, name: &str) -> Option<Time> {
    let written = text(filter, name)?;
    let date_and_time = written.get(..19).and_then(|at| at.parse::<DateTime>().ok()).map(DateTime::time);
    date_and_time.or_else(|| written.parse().ok())
}

/// Puts the next time of each schedule onto the agenda.
pub(crate) fn plan_ahead(state: &mut State) {
    let is_enabled = |t: &&Value| {
        let project = state.store.of(PROJECTS.path).get(str_of(t, "ProjectId"));
        t["IsDisabled"] != true && project.is_some_and(|p| p["IsDisabled"] != true)
    };
    let all = state.store.of(TRIGGERS.path).iter().filter(is_enabled);
    let next = |t: &Value| Some((str_of(t, "Id").to_owned(), Schedule::of(&t["Filter"]).ok()??.after(state.now)?));
    let next: BTreeMap<String, Timestamp> = all.filter_map(next).collect();
    for at in next.values() {
        state.agenda.add(*at, Due::Trigger);
    }
    state.triggers.next = next;
}

/// Starts what is due now.
pub(crate) fn happen(state: &mut State) {
    let due: Vec<String> = state.triggers.next.iter().filter(|(_, at)| **at <= state.now).map(|(id, _)| id.clone()).collect();
    if due.is_empty() {
        return;
    }
    let caller = std::mem::replace(&mut state.access, Access::unlimited());
    for id in due {
        if let Some(trigger) = state.store.of(TRIGGERS.path).document(&id).cloned() {
            // What cannot be started now is not started; the trigger comes again.
            let _ = fire(state, &trigger, SYSTEM);
        }
    }
    state.access = caller;
    plan_ahead(state);
}

/// `POST webhook/{id}`: somebody outside of the server says that it is time.
fn called(state: &mut State, ask: &Ask, [id]: [&str; 1]) -> Handled {
    state.triggers.calls.take(state.now)?;
    if ask.raw.len() > LARGEST {
        return Err(Refusal::too_large(LARGEST));
    }
    let space = state.space_of(ask);
    let is_it = |t: &&Arc<Document>| str_of(&t["Filter"], "WebhookId").eq_ignore_ascii_case(id) && str_of(t, "SpaceId") == space;
    let trigger = state.store.of(TRIGGERS.path).documents().find(is_it).cloned().ok_or_else(|| Refusal::missing(id))?;
    let secret = trigger["_Secret"].as_str().filter(|secret| !secret.is_empty());
    let knows_secret = trigger["Filter"]["RequireApiKey"] != true && secret.is_some() && secret == ask.webhook_secret.as_deref();
    if ask.user == SYSTEM && !knows_secret {
        let message =
            format!("A call of the webhook of the trigger {} was refused: its secret is wrong or missing", str_of(&trigger, "Name"));
        state.event("LoginFailed", SYSTEM, message, vec![str_of(&trigger, "Id").to_owned()], Some(space));
        return Err(Refusal::unauthorized());
    }
    if trigger["IsDisabled"] == true {
        return Err(Refusal::invalid(format!("The trigger '{}' is disabled.", str_of(&trigger, "Name"))));
    }
    fire(state, &trigger, &ask.user)?;
    Ok(Answer::Bytes(200, "application/json".into(), Bytes::new()))
}

/// Does what the action of a trigger says, for a user or for the server itself.
///
/// # Errors
/// The first refusal; of a runbook nothing is run then.
fn fire(state: &mut State, trigger: &Value, user: &str) -> Result<(), Refusal> {
    let action = &trigger["Action"];
    let mut tenants: Vec<Option<String>> = texts(&action["TenantIds"]).into_iter().map(Some).collect();
    let wanted = texts(&action["TenantTags"]);
    if !wanted.is_empty() {
        let tagged = state.store.of("tenants").iter().filter(|t| t["SpaceId"] == trigger["SpaceId"] && tags::all(t, &wanted));
        tenants.extend(tagged.map(|t| Some(str_of(t, "Id").to_owned())).filter(|t| !tenants.contains(t)).collect::<Vec<_>>());
    } else if tenants.is_empty() {
        tenants.push(None);
    }
    let new = |environment: &str, tenant: &Option<String>| NewExecution {
        environment: environment.to_owned(),
        tenant: tenant.clone(),
        user: user.to_owned(),
        debug: "None".to_owned(),
        ..NewExecution::default()
    };
    if action["ActionType"] == "RunRunbook" {
        let id = str_of(action, "RunbookId");
        let runbook = state.store.of("runbooks").document(id).cloned().ok_or_else(|| Refusal::missing(id))?;
        let places = texts(&action["EnvironmentIds"]).into_iter().flat_map(|e| tenants.iter().map(move |tenant| (e.clone(), tenant)));
        let wanted: Vec<NewExecution> = places.map(|(environment, tenant)| new(&environment, tenant)).collect();
        // In all of them, or in none: the caller must be allowed everywhere.
        let asked = || variables::of_project(state, str_of(&runbook, "ProjectId"));
        wanted.iter().try_for_each(|new| runbooks::check_place(state, &runbook, new, asked()).map(drop))?;
        return wanted.into_iter().try_for_each(|new| runbooks::run(state, id, None, new).map(drop));
    }
    let (project, to) = (str_of(trigger, "ProjectId"), str_of(action, "DestinationEnvironmentId"));
    for tenant in &tenants {
        let sources = texts(&action["SourceEnvironmentIds"]);
        let found = latest(state, project, text(action, "ChannelId").as_deref(), &sources, tenant.as_ref());
        let Some(release) = found else { return Err(Refusal::invalid("There is no release that the trigger could deploy.")) };
        let is_current = live(state, project, to, tenant.as_ref()) == Some(release);
        if !is_current || action["ShouldRedeployWhenReleaseIsCurrent"] == true {
            deployments::deploy(state, release, new(to, tenant))?;
        }
    }
    Ok(())
}

/// The release that was last deployed successfully to an environment.
fn live(state: &State, project: &str, environment: &str, tenant: Option<&String>) -> Option<usize> {
    deployments::live(state, state.slots.get(&(project.to_owned(), environment.to_owned(), tenant.cloned()))?)
}

/// The newest release that is live in one of these environments; of all releases where none is named.
fn latest(state: &State, project: &str, channel: Option<&str>, sources: &[String], tenant: Option<&String>) -> Option<usize> {
    let among: Vec<usize> = if sources.is_empty() {
        releases::of_project(state, project)
    } else {
        sources.iter().filter_map(|source| live(state, project, source, tenant)).collect()
    };
    let fits = |i: &usize| state.release(*i).is_some_and(|r| channel.is_none_or(|c| r.channel.eq_ignore_ascii_case(c)));
    among.into_iter().filter(fits).max_by_key(|i| state.release(*i).map(|r| (r.assembled, *i)))
}
