//! Approval rules: which deployments and runbook runs wait until people approve them, and who may (octopus-api.md §20.2).

use super::{
    answer::{Answer, Ask, Handled, Refusal, is_called, str_of, texts},
    change_requests::Approvers,
    pages::page,
    routing::{Endpoint, Of, Whole, delete, get, post, put},
    state::State,
    tags,
    world::{model::ProjectPlan, server_version::Generation},
};
use serde_json::{Value, json};

/// The kind of documents.
const RULES: &str = "approvalrules";
const ADMINISTER: &str = "ApprovalPolicyAdminister";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/approvalrules", ADMINISTER, &Whole(|state, ask| list(state, ask))).since(Generation::V2026_3),
    post("S/approvalrules", ADMINISTER, &Whole(|state, ask| {
        let id = state.store.next_id("ApprovalRules-");
        let rule = read(state, ask, &id, &Value::Null)?;
        save(state, ask, "Created", rule, Answer::created)
    })).since(Generation::V2026_3).keeps(),
    get("S/approvalrules/{id}", ADMINISTER, &Of(find, |_, _, rule| Answer::ok(shown(&rule)))).since(Generation::V2026_3),
    put("S/approvalrules/{id}", ADMINISTER, &Of(find, |state, ask, old| {
        let rule = read(state, ask, str_of(&old, "Id"), &old)?;
        save(state, ask, "Modified", rule, Answer::ok)
    })).since(Generation::V2026_3).keeps(),
    delete("S/approvalrules/{id}", ADMINISTER, &Of(find, |state, ask, rule| {
        state.store.of_mut(RULES).remove(str_of(&rule, "Id"));
        event(state, ask, "Deleted", &rule);
        Answer::ok(shown(&rule))
    })).since(Generation::V2026_3),
];

fn list(state: &State, ask: &Ask) -> Handled {
    ask.need_query("skip").and(ask.need_query("take"))?;
    let (space, words) = (state.space_of(ask), ask.query("partialName").unwrap_or_default().to_lowercase());
    let here = |rule: &&Value| str_of(rule, "SpaceId") == space && str_of(rule, "Name").to_lowercase().contains(&words);
    let mut found: Vec<&Value> = state.store.of(RULES).iter().filter(here).collect();
    found.sort_by_key(|rule| str_of(rule, "Name").to_lowercase());
    Answer::ok(page(ask, "ApprovalRule", &found, |rule| shown(rule)))
}

fn find(state: &State, ask: &Ask, id: &str) -> Result<Value, Refusal> {
    let space = state.space_of(ask);
    state.store.of(RULES).get(id).filter(|rule| str_of(rule, "SpaceId") == space).cloned().ok_or_else(|| Refusal::missing(id))
}

/// A rule as it goes out; what begins with `_` is ours.
fn shown(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Some(members) = rule.as_object_mut() {
        members.retain(|name, _| !name.starts_with('_'));
    }
    rule
}

fn event(state: &mut State, ask: &Ask, category: &'static str, rule: &Value) {
    let (id, space) = (str_of(rule, "Id").to_owned(), str_of(rule, "SpaceId").to_owned());
    let done = category.to_lowercase();
    state.event(category, &ask.user, format!("Approval rule {} was {done}", str_of(rule, "Name")), vec![id], Some(space));
}

fn save(state: &mut State, ask: &Ask, category: &'static str, rule: Value, answer: fn(Value) -> Handled) -> Handled {
    event(state, ask, category, &rule);
    let text = shown(&rule);
    state.store.of_mut(RULES).put(rule);
    answer(text)
}

/// What a client sends, as a rule. What it leaves out is cleared, also where it was there before.
fn read(state: &mut State, ask: &Ask, id: &str, old: &Value) -> Result<Value, Refusal> {
    let space = state.space_of(ask);
    let name = ask.need("Name")?;
    let same_name = |rule: &Value| str_of(rule, "SpaceId") == space && str_of(rule, "Id") != id;
    if state.store.of(RULES).with("Name", &name).any(same_name) {
        return Err(Refusal::invalid(format!("The name '{name}' is already in use. Please choose a different name.")));
    }
    let minimum = match ask.field("MinimumApproversRequired") {
        Value::Null => 2,
        number => number.as_i64().unwrap_or(-1),
    };
    if !(1..=99).contains(&minimum) {
        return Err(Refusal::invalid("MinimumApproversRequired must be between 1 and 99."));
    }
    let known = |kind: &'static str, ids: Vec<String>| -> Result<Vec<String>, Refusal> {
        let unknown = ids.iter().find(|id| state.store.of(kind).get(id).is_none());
        unknown.map_or(Ok(ids.clone()), |id| Err(Refusal::invalid(format!("The resource '{id}' was not found."))))
    };
    let (users, teams) = (known("users", ask.texts("ApprovingUserIds"))?, known("teams", ask.texts("ApprovingTeamIds"))?);
    if users.is_empty() && teams.is_empty() {
        return Err(Refusal::invalid("At least one approving user or team is required."));
    }
    let strategy = ask.text("TenantApprovalStrategy").unwrap_or_else(|| "PerRelease".to_owned());
    if !["PerRelease", "PerTenant"].contains(&strategy.as_str()) {
        return Err(Refusal::invalid(format!("The value '{strategy}' is not valid for TenantApprovalStrategy.")));
    }
    let sent = |name: &str| ask.field(name).as_array().cloned().unwrap_or_default();
    let (ids, tagged) = (sent("IdScopes"), sent("TagScopes"));
    let disabled = ask.field("IsDisabled") == true;
    if !ids.is_empty() && !tagged.is_empty() {
        return Err(Refusal::invalid("A rule is scoped by tags or by ids, not by both."));
    }
    if ids.is_empty() && tagged.is_empty() && !disabled {
        return Err(Refusal::invalid("An enabled rule needs at least one scope."));
    }
    for scope in &ids {
        known("projects", vec![str_of(scope, "ProjectId").to_owned()])?;
        known("environments", texts(&scope["EnvironmentIds"]))?;
    }
    let mut number = |prefix: &str| state.store.next_id(prefix);
    let ids: Vec<Value> = ids
        .iter()
        .map(|scope| json!({"Id": number("ApprovalRuleIdScopes-"), "ProjectId": scope["ProjectId"], "EnvironmentIds": texts(&scope["EnvironmentIds"])}))
        .collect();
    let tagged: Vec<Value> = tagged
        .iter()
        .map(|scope| json!({"Id": number("ApprovalRuleTagScopes-"), "ProjectTags": texts(&scope["ProjectTags"]), "EnvironmentTags": texts(&scope["EnvironmentTags"])}))
        .collect();
    let mut rule = json!({
        "SpaceId": space, "Id": id, "Name": name, "Description": ask.text("Description").unwrap_or_default(),
        "ScopingStrategy": if tagged.is_empty() { "Id" } else { "Tag" }, "TenantApprovalStrategy": strategy, "TagScopes": tagged, "IdScopes": ids,
        "MinimumApproversRequired": minimum, "AllowSelfApproval": ask.field("AllowSelfApproval") == true, "IsDisabled": disabled,
        "ApprovingUserIds": users, "ApprovingTeamIds": teams,
    });
    if let Some(plan) = old.get("_Plan") {
        rule["_Plan"] = plan.clone();
    }
    Ok(rule)
}

/// The rules that the world begins with.
pub(crate) fn of_world(state: &mut State) {
    let plan = state.plan.clone();
    for (index, rule) in plan.approval_rules.iter().enumerate() {
        let store = &mut state.store;
        let space = rule.space.as_ref().and_then(|space| store.of("spaces").with("Name", space.get_ref()).next());
        let space = space.map_or_else(|| "Spaces-1".to_owned(), |space| str_of(space, "Id").to_owned());
        let environments = store.ids_of("environments", &rule.environments);
        let is_named = |name: &str| rule.projects.iter().any(|wanted| wanted.get_ref().eq_ignore_ascii_case(name));
        let named = plan.projects.iter().filter(|project| is_named(project.name.get_ref())).flat_map(ProjectPlan::names);
        let projects: Vec<String> = named
            .filter_map(|name| store.of("projects").with("Name", &name).next().map(|project| str_of(project, "Id").to_owned()))
            .collect();
        let scopes: Vec<Value> = projects
            .iter()
            .map(|project| json!({"Id": store.next_id("ApprovalRuleIdScopes-"), "ProjectId": project, "EnvironmentIds": environments}))
            .collect();
        let is_one = |user: &&Value| rule.approvers.iter().any(|name| is_called(user, &["Username"], name.get_ref()));
        let users: Vec<String> = store.of("users").iter().filter(is_one).map(|user| str_of(user, "Id").to_owned()).collect();
        let teams = store.ids_of("teams", &rule.teams);
        let id = store.next_id("ApprovalRules-");
        store.of_mut(RULES).put(json!({
            "SpaceId": space, "Id": id, "Name": rule.name.get_ref(), "Description": "", "ScopingStrategy": "Id",
            "TenantApprovalStrategy": if rule.per_tenant { "PerTenant" } else { "PerRelease" }, "TagScopes": [], "IdScopes": scopes,
            "MinimumApproversRequired": rule.minimum.unwrap_or(2), "AllowSelfApproval": rule.self_approval, "IsDisabled": rule.disabled,
            "ApprovingUserIds": users, "ApprovingTeamIds": teams, "_Plan": index,
        }));
    }
}

/// What all rules together ask of a deployment or run.
pub(crate) struct MergedRule {
    pub(crate) approvers: Approvers,
    pub(crate) per_tenant: bool,
    /// Those of the world file whose people vote.
    pub(crate) plans: Vec<usize>,
}

/// The rules for a project in an environment as one: everybody of each may approve, the highest minimum counts, each tenant is approved
/// alone when one of them says so, and nobody approves their own when one of them forbids it. None when no rule is for it.
pub(crate) fn merged(state: &State, space: &str, project: &str, environment: &str) -> Option<MergedRule> {
    let mut merged: Option<MergedRule> = None;
    for rule in state.store.of(RULES).iter().filter(|rule| str_of(rule, "SpaceId") == space && covers(state, rule, project, environment)) {
        let first =
            MergedRule { approvers: Approvers { self_approval: true, ..Approvers::default() }, per_tenant: false, plans: Vec::new() };
        let all = merged.get_or_insert(first);
        all.approvers.minimum = all.approvers.minimum.max(rule["MinimumApproversRequired"].as_u64().unwrap_or(2) as usize);
        all.approvers.self_approval &= rule["AllowSelfApproval"] == true;
        for (own, name) in [(&mut all.approvers.users, "ApprovingUserIds"), (&mut all.approvers.teams, "ApprovingTeamIds")] {
            for id in texts(&rule[name]) {
                if !own.contains(&id) {
                    own.push(id);
                }
            }
        }
        all.per_tenant |= str_of(rule, "TenantApprovalStrategy") == "PerTenant";
        all.plans.extend(rule["_Plan"].as_u64().map(|plan| plan as usize));
    }
    merged
}

fn covers(state: &State, rule: &Value, project: &str, environment: &str) -> bool {
    let each = |scopes: &str| rule[scopes].as_array().cloned().unwrap_or_default();
    let by_id = |scope: &Value| {
        is_called(scope, &["ProjectId"], project) && texts(&scope["EnvironmentIds"]).iter().any(|e| e.eq_ignore_ascii_case(environment))
    };
    let has = |kind: &'static str, id: &str, member: &str, wanted: Vec<String>| {
        state.store.of(kind).get(id).is_some_and(|doc| tags::fit(&texts(&doc[member]), &wanted))
    };
    let by_tag = |scope: &Value| {
        has("projects", project, "ProjectTags", texts(&scope["ProjectTags"]))
            && has("environments", environment, "EnvironmentTags", texts(&scope["EnvironmentTags"]))
    };
    rule["IsDisabled"] != true && (each("IdScopes").iter().any(by_id) || each("TagScopes").iter().any(by_tag))
}
