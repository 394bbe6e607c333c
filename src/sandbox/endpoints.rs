//! Every endpoint the sandbox knows: how deeply it is simulated, and which permission it needs.
//!
//! One list, so that the check of permissions, the request log, the answer 501 and the table in docs/sandbox.md say the same.

use super::collection::{NOUNS, Noun};
use std::{collections::HashMap, sync::LazyLock};

/// How much of an endpoint is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// As a server does it.
    Simulated,
    /// With the said difference.
    Partly(&'static str),
    /// Answered with 501, for the said reason.
    Absent(&'static str),
}

/// A method and a path.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// `/api/{space}/…` also answers at `/api/…` (the default space) and `/api/spaces/{space}/…`.
    pub(crate) path: String,
    /// Permissions of which one is needed, separated by `|`; empty: whoever is signed in may.
    pub(crate) needs: &'static str,
    pub(crate) depth: Depth,
}

impl Endpoint {
    /// `GET /api/{space}/projects/{id}`
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// `simulated`, `partly` or `501`, and what is to be said about it.
    pub(crate) fn depth(&self) -> (&'static str, &'static str) {
        match self.depth {
            Depth::Simulated => ("simulated", ""),
            Depth::Partly(difference) => ("partly", difference),
            Depth::Absent(why) => ("501", why),
        }
    }
}

struct Row(&'static str, &'static str, Depth);

/// Simulated; a path that begins with `S/` belongs to a space.
const fn at(route: &'static str, needs: &'static str) -> Row {
    Row(route, needs, Depth::Simulated)
}
const fn partly(route: &'static str, needs: &'static str, difference: &'static str) -> Row {
    Row(route, needs, Depth::Partly(difference))
}
const fn absent(route: &'static str, why: &'static str) -> Row {
    Row(route, "", Depth::Absent(why))
}

const NOW: &str = "shows it as it is now: there are no snapshots";
const GIT: &str = "version-controlled projects are not simulated";
const ONE_LOGO: &str = "the same for everything: pictures are not kept";
/// Real documents link there, so ours do.
const LINK: &str = "only its link is published";
const EMPTY: &str = "always empty";
const WHOLE: &str = "packages are sent whole";
const BUILT_IN: &str = "the built-in feed only; what others hold is answered with 501";

/// What is not a plain resource.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    at("GET /api", ""),
    at("GET /api/{space}", ""),
    at("GET /api/octopusservernodes/ping", ""),
    at("GET /api/octopusservernodes/summary", ""),
    at("GET /api/serverstatus", ""),
    at("GET /api/serverstatus/health", ""),
    partly("GET /api/serverstatus/system-info", "ConfigureServer", "the uptime is made up"),
    at("GET /api/smtpconfiguration", "ConfigureServer"),
    at("GET /api/smtpconfiguration/isconfigured", ""),
    at("GET /api/maintenanceconfiguration", ""),
    at("PUT /api/maintenanceconfiguration", "ConfigureServer"),
    partly("GET /api/configuration/feature-toggles", "", EMPTY),
    partly("GET /api/configuration/enabled-feature-toggles", "", EMPTY),
    partly("GET /api/capabilities", "", "one capability, so that clients can ask"),
    at("GET /api/permissions/all", ""),
    at("GET /api/ratelimitingpolicies", ""),
    at("GET /api/ratelimitingpolicies/{id}", ""),
    // People.
    at("GET /api/users/me", ""),
    at("GET /api/users/{id}/spaces", ""),
    at("GET /api/users/{id}/teams", ""),
    at("GET /api/users/{id}/permissions", ""),
    partly("GET /api/users/{id}/permissions/configuration", "", "the same as without `/configuration`"),
    at("GET /api/users/{id}/apikeys", ""),
    at("GET /api/users/{id}/apikeys/{key}", ""),
    at("POST /api/users/{id}/apikeys", ""),
    at("DELETE /api/users/{id}/apikeys/{key}", ""),
    at("POST /api/users/access-token", ""),
    partly("POST /api/users/login", "", "nobody has a password: refused"),
    at("POST /api/users/logout", ""),
    at("GET /api/teams/{id}/scopeduserroles", "TeamView"),
    at("GET /api/teammembership", ""),
    // Tasks.
    at("GET S/tasks", "TaskView"),
    partly("POST S/tasks", "TaskCreate", "every kind takes ten seconds and succeeds"),
    at("GET S/tasks/tasktypes", ""),
    at("POST S/tasks/rerun/{id}", "TaskCreate"),
    at("GET S/tasks/{id}", "TaskView"),
    partly("GET S/tasks/{id}/details", "TaskView", "`ranges` is ignored"),
    at("GET S/tasks/{id}/raw", "TaskView"),
    partly("GET S/tasks/{id}/status/messages", "TaskView", EMPTY),
    at("GET S/tasks/{id}/blockedby", "TaskView"),
    at("GET S/tasks/{id}/queued-behind", "TaskView"),
    partly("GET S/tasks/{id}/servertaskapproval", "TaskView", "there are no approvals"),
    at("POST S/tasks/{id}/cancel", "TaskCancel"),
    at("POST S/tasks/{id}/state", "TaskEdit"),
    at("POST S/tasks/{id}/prioritize", "TaskPrioritize"),
    partly("GET S/servertaskapprovals", "TaskView", EMPTY),
    // Releases.
    at("GET S/releases", "ReleaseView"),
    at("POST S/releases", "ReleaseCreate"),
    at("POST S/releases/create/v1", "ReleaseCreate"),
    at("GET S/releases/{id}", "ReleaseView"),
    at("PUT S/releases/{id}", "ReleaseEdit"),
    at("DELETE S/releases/{id}", "ReleaseDelete"),
    at("GET S/releases/{id}/deployments", "DeploymentView"),
    at("GET S/releases/{id}/progression", "ReleaseView"),
    at("GET S/releases/{id}/deployments/template", "DeploymentCreate"),
    at("GET S/releases/{id}/deployments/preview/{environment}", "DeploymentCreate"),
    at("GET S/releases/{id}/deployments/preview/{environment}/{tenant}", "DeploymentCreate"),
    at("POST S/releases/{id}/deployments/previews", "DeploymentCreate"),
    partly("POST S/releases/{id}/snapshot-variables", "ReleaseEdit", NOW),
    partly("POST S/releases/{id}/snapshot-variables-by-name", "ReleaseEdit", NOW),
    partly("GET S/releases/{id}/variables", "VariableView", NOW),
    at("GET S/releases/{id}/missingpackages", "ReleaseView"),
    at("GET S/releases/{id}/defects", "ReleaseView"),
    at("POST S/releases/{id}/defects", "DefectReport"),
    at("POST S/releases/{id}/defects/resolve", "DefectResolve"),
    // Deployments and runs.
    at("GET S/deployments", "DeploymentView"),
    at("POST S/deployments", "DeploymentCreate"),
    at("POST S/deployments/override", "DeploymentFreezeAdminister"),
    at("POST S/deployments/create/untenanted/v1", "DeploymentCreate"),
    at("POST S/deployments/create/tenanted/v1", "DeploymentCreate"),
    at("GET S/deployments/{id}", "DeploymentView"),
    at("DELETE S/deployments/{id}", "DeploymentDelete"),
    at("GET S/runbookRuns", "RunbookRunView"),
    at("POST S/runbookRuns", "RunbookRunCreate"),
    at("GET S/runbookRuns/{id}", "RunbookRunView"),
    at("POST S/runbook-runs/create/v1", "RunbookRunCreate"),
    absent("POST S/runbook-runs/git/create/v1", GIT),
    at("GET S/runbooks/{id}/environments", "RunbookView"),
    at("GET S/runbooks/{id}/runbookSnapshotTemplate", "RunbookView"),
    at("GET S/runbooks/{id}/runbookSnapshots", "RunbookView"),
    at("GET S/runbooks/{id}/runbookRuns/preview/{environment}", "RunbookRunCreate"),
    at("POST S/runbooks/{id}/runbookRuns/previews", "RunbookRunCreate"),
    at("POST S/runbooks/{id}/run", "RunbookRunCreate"),
    at("GET S/runbookSnapshots/{id}/runbookRuns", "RunbookRunView"),
    at("GET S/runbookSnapshots/{id}/runbookRuns/template", "RunbookRunCreate"),
    at("GET S/runbookSnapshots/{id}/runbookRuns/preview/{environment}", "RunbookRunCreate"),
    // Below projects.
    at("GET S/projects/{id}/releases", "ReleaseView"),
    at("GET S/projects/{id}/releases/{version}", "ReleaseView"),
    at("GET S/projects/{id}/channels", "ProcessView|ProjectView"),
    at("GET S/projects/{id}/channels/{channel}", "ProcessView|ProjectView"),
    at("GET S/projects/{id}/channels/{channel}/releases", "ReleaseView"),
    at("GET S/projects/{id}/runbooks", "RunbookView"),
    at("GET S/projects/{id}/runbooks/{runbook}", "RunbookView"),
    at("GET S/projects/{id}/runbooks/{runbook}/environments", "RunbookView"),
    at("GET S/projects/{id}/runbooks/{runbook}/runbookSnapshots", "RunbookView"),
    at("GET S/projects/{id}/runbooks/{runbook}/runbookSnapshotTemplate", "RunbookView"),
    at("GET S/projects/{id}/runbooks/{runbook}/runbookRuns/preview/{environment}", "RunbookRunCreate"),
    at("POST S/projects/{id}/runbooks/{runbook}/runbookRuns/previews", "RunbookRunCreate"),
    at("POST S/projects/{id}/runbooks", "RunbookEdit"),
    at("PUT S/projects/{id}/runbooks/{runbook}", "RunbookEdit"),
    at("DELETE S/projects/{id}/runbooks/{runbook}", "RunbookEdit"),
    at("GET S/projects/{id}/runbookSnapshots", "RunbookView"),
    at("POST S/projects/{id}/runbookSnapshots", "RunbookEdit"),
    at("GET S/projects/{id}/runbookSnapshots/{name}", "RunbookView"),
    at("GET S/projects/{id}/runbookProcesses/{process}", "RunbookView"),
    at("PUT S/projects/{id}/runbookProcesses/{process}", "RunbookEdit"),
    at("GET S/projects/{id}/triggers", "TriggerView"),
    at("GET S/projects/{id}/progression", "ProjectView"),
    at("GET S/projects/{id}/deploymentprocesses", "ProcessView"),
    at("PUT S/projects/{id}/deploymentprocesses", "ProcessEdit"),
    at("GET S/projects/{id}/deploymentprocesses/template", "ProcessView"),
    at("GET S/projects/{id}/variables", "VariableView"),
    at("PUT S/projects/{id}/variables", "VariableEdit"),
    at("GET S/projects/{id}/deploymentsettings", "ProcessView|ProjectView"),
    at("PUT S/projects/{id}/deploymentsettings", "ProcessEdit|ProjectEdit"),
    at("GET S/projects/{id}/summary", "ProjectView"),
    partly("GET S/projects/{id}/metadata", "ProjectView", EMPTY),
    absent("GET S/projects/{id}/git/branches", GIT),
    absent("GET S/projects/{id}/git/tags", GIT),
    absent("GET S/projects/{id}/git/commits/{hash}", GIT),
    absent("GET S/projects/{id}/{gitref}/deploymentprocesses", GIT),
    absent("GET S/projects/{id}/{gitref}/deploymentsettings", GIT),
    absent("GET S/projects/{id}/{gitref}/variables", GIT),
    absent("GET S/projects/{id}/{gitref}/runbooks", GIT),
    at("GET S/progression/{id}", "ProjectView"),
    at("GET S/deploymentprocesses", "ProcessView"),
    at("GET S/deploymentprocesses/{id}", "ProcessView"),
    at("GET S/deploymentprocesses/{id}/template", "ProcessView"),
    at("PUT S/deploymentprocesses/{id}", "ProcessEdit"),
    at("GET S/runbookProcesses", "RunbookView"),
    at("GET S/runbookProcesses/{id}", "RunbookView"),
    at("PUT S/runbookProcesses/{id}", "RunbookEdit"),
    at("GET S/projectgroups/{id}/projects", "ProjectView"),
    at("GET S/lifecycles/{id}/projects", "ProjectView"),
    at("GET S/lifecycles/{id}/preview", "LifecycleView"),
    at("GET S/lifecycles/previews", "LifecycleView"),
    at("GET S/channels/rule-test", ""),
    at("POST S/channels/rule-test", ""),
    at("GET S/channels/{id}/releases", "ReleaseView"),
    at("PUT S/environments/sortorder", "EnvironmentEdit"),
    at("GET S/environments/{id}/machines", "MachineView"),
    at("GET S/workerpools/{id}/workers", "WorkerView"),
    at("GET S/machineroles/all", "MachineView"),
    partly("GET S/useronboarding", "", EMPTY),
    at("GET S/environments/summary", "EnvironmentView"),
    partly("GET S/environments/v2", "EnvironmentView", "static environments only"),
    at("GET S/tenants/tag-test", "TenantView"),
    partly("GET S/tenants/variables-missing", "TenantView", EMPTY),
    at("GET S/tenants/status", ""),
    at("GET S/tenants/{id}/variables", "VariableView"),
    at("PUT S/tenants/{id}/variables", "VariableEdit"),
    at("POST S/tenants/{id}/variables", "VariableEdit"),
    partly("GET S/tenants/{id}/commonvariables", "VariableView", EMPTY),
    partly("GET S/tenants/{id}/projectvariables", "VariableView", EMPTY),
    at("PUT S/tagsets/sortorder", "TagSetEdit"),
    at("GET S/tenantvariables/all", "VariableView"),
    at("GET S/variables", "VariableView|LibraryVariableSetView"),
    at("GET S/variables/all", "VariableView|LibraryVariableSetView"),
    partly("GET S/variables/names", "VariableView", "without the built-in names"),
    partly("GET S/variables/preview", "VariableView", "by environment only"),
    at("GET S/variables/{id}", "VariableView|LibraryVariableSetView"),
    at("PUT S/variables/{id}", "VariableEdit|LibraryVariableSetEdit"),
    // Packages.
    at("GET S/packages", "FeedView"),
    at("GET S/packages/notes", "FeedView"),
    at("POST S/packages/raw", "BuiltInFeedPush"),
    at("DELETE S/packages/bulk", "BuiltInFeedAdminister"),
    at("GET S/packages/{id}", "FeedView"),
    at("GET S/packages/{id}/raw", "BuiltInFeedDownload"),
    at("DELETE S/packages/{id}", "BuiltInFeedAdminister"),
    absent("GET S/packages/{id}/{version}/delta-signature", WHOLE),
    absent("POST S/packages/{id}/{version}/delta", WHOLE),
    at("GET S/feeds/stats", "FeedView"),
    partly("GET S/feeds/{id}/packages/search", "FeedView", BUILT_IN),
    partly("GET S/feeds/{id}/packages/versions", "FeedView", BUILT_IN),
    partly("GET S/feeds/{id}/packages/notes", "FeedView", BUILT_IN),
    at("DELETE S/build-information/bulk", "BuildInformationAdminister"),
    // Step templates.
    partly("GET S/actiontemplates/categories", "ActionTemplateView", "of four built-in steps"),
    partly("GET S/actiontemplates/search", "ActionTemplateView", "the space's templates and four built-in steps"),
    partly("GET S/communityactiontemplates", "", EMPTY),
    at("GET S/actiontemplates/{id}/versions", "ActionTemplateView"),
    at("GET S/actiontemplates/{id}/versions/{version}", "ActionTemplateView"),
    at("GET S/actiontemplates/{id}/logo", "ActionTemplateView"),
    at("GET S/actiontemplates/{id}/versions/{version}/logo", "ActionTemplateView"),
    at("PUT S/actiontemplates/{id}/logo", "ActionTemplateEdit"),
    at("POST S/actiontemplates/{id}/logo", "ActionTemplateEdit"),
    at("POST S/actiontemplates/{id}/actionsUpdate", "ProcessEdit"),
    at("GET S/actiontemplates/{id}/usage", "ActionTemplateView"),
    // What happened, and who is asked.
    at("GET S/dashboard", "DeploymentView"),
    at("GET S/dashboard/dynamic", "DeploymentView"),
    partly("GET S/dashboardconfiguration", "", "nobody has chosen anything"),
    at("GET S/events", "EventView"),
    at("GET S/events/{id}", "EventView"),
    at("GET S/events/categories", ""),
    partly("GET S/events/groups", "", "the group of deployments only"),
    partly("GET S/events/agents", "", EMPTY),
    partly("GET S/events/documenttypes", "", EMPTY),
    at("GET S/interruptions", "InterruptionView|InterruptionViewSubmitResponsible"),
    at("GET S/interruptions/{id}", "InterruptionView|InterruptionViewSubmitResponsible"),
    at("GET S/interruptions/{id}/responsible", "InterruptionView|InterruptionViewSubmitResponsible"),
    at("PUT S/interruptions/{id}/responsible", "InterruptionSubmit|InterruptionViewSubmitResponsible"),
    at("POST S/interruptions/{id}/submit", "InterruptionSubmit|InterruptionViewSubmitResponsible"),
    at("GET S/artifacts/{id}/content", "ArtifactView"),
    at("PUT S/artifacts/{id}/content", "ArtifactCreate"),
    // Not simulated.
    absent("GET /api/scheduler", "the server's own jobs are not simulated"),
    absent("GET S/reporting/deployments-counted-by-week", "reports are not simulated"),
    absent("GET S/accounts/{id}/usages", "accounts are plain documents"),
    absent("GET S/certificates/{id}/usages", "certificates are plain documents"),
    partly("GET S/projects/{id}/logo", "ProjectView", ONE_LOGO),
    partly("GET S/tenants/{id}/logo", "TenantView", ONE_LOGO),
    partly("GET /api/spaces/{id}/logo", "SpaceView", ONE_LOGO),
    absent("GET S/projects/{id}/identity", LINK),
    absent("GET S/projects/{id}/channels/order", LINK),
    absent("GET S/projects/{id}/triggers/scheduled", LINK),
    absent("GET S/progression/runbooks/taskRuns", "runbooks have no dashboard of their own"),
    absent("GET S/environments/{id}/metadata", LINK),
    absent("GET S/environments/{id}/singlyScopedVariableDetails", LINK),
    absent("GET S/machines/{id}/singlyScopedVariableDetails", LINK),
    absent("GET /api/octopusservernodes/{id}/details", LINK),
    absent("GET /api/users/{id}/avatar", "pictures are not kept"),
    absent("GET /api/spaces/{id}/search", "the portal's search is not simulated"),
    absent("GET S/machines/{id}/tasks", "deployment targets do not work"),
    absent("GET S/machines/{id}/connection", "deployment targets do not work"),
];

/// The permissions that list, get, create, change and delete documents of a kind.
pub(crate) fn needs(noun: &Noun) -> [&'static str; 4] {
    match noun.path {
        "spaces" => ["", "SpaceCreate", "SpaceEdit", "SpaceDelete"],
        "environments" => ["EnvironmentView", "EnvironmentCreate", "EnvironmentEdit", "EnvironmentDelete"],
        "projectgroups" => ["ProjectGroupView", "ProjectGroupCreate", "ProjectGroupEdit", "ProjectGroupDelete"],
        "projects" => ["ProjectView", "ProjectCreate", "ProjectEdit", "ProjectDelete"],
        "lifecycles" => ["LifecycleView", "LifecycleCreate", "LifecycleEdit", "LifecycleDelete"],
        "channels" => ["ProcessView|ProjectView", "ProcessEdit", "ProcessEdit", "ProcessEdit"],
        "tenants" => ["TenantView", "TenantCreate", "TenantEdit", "TenantDelete"],
        "tagsets" => ["", "TagSetCreate", "TagSetEdit", "TagSetDelete"],
        "runbooks" | "runbookSnapshots" => ["RunbookView", "RunbookEdit", "RunbookEdit", "RunbookEdit"],
        "libraryvariablesets" => {
            ["LibraryVariableSetView", "LibraryVariableSetCreate", "LibraryVariableSetEdit", "LibraryVariableSetDelete"]
        }
        "machines" => ["MachineView", "MachineCreate", "MachineEdit", "MachineDelete"],
        "machinepolicies" => ["MachinePolicyView", "MachinePolicyCreate", "MachinePolicyEdit", "MachinePolicyDelete"],
        "workers" | "workerpools" => ["WorkerView", "WorkerEdit", "WorkerEdit", "WorkerEdit"],
        "build-information" => ["FeedView", "BuildInformationPush", "AdministerSystem", "BuildInformationAdminister"],
        "feeds" => ["FeedView", "FeedEdit", "FeedEdit", "FeedEdit"],
        "proxies" => ["ProxyView", "ProxyCreate", "ProxyEdit", "ProxyDelete"],
        "accounts" => ["AccountView", "AccountCreate", "AccountEdit", "AccountDelete"],
        "certificates" => ["CertificateView", "CertificateCreate", "CertificateEdit", "CertificateDelete"],
        "projecttriggers" => ["TriggerView", "TriggerCreate", "TriggerEdit", "TriggerDelete"],
        "actiontemplates" => ["ActionTemplateView", "ActionTemplateCreate", "ActionTemplateEdit", "ActionTemplateDelete"],
        "subscriptions" => ["SubscriptionView", "SubscriptionCreate", "SubscriptionEdit", "SubscriptionDelete"],
        "artifacts" => ["ArtifactView", "ArtifactCreate", "ArtifactEdit", "ArtifactDelete"],
        "deploymentfreezes" => ["", "DeploymentFreezeAdminister", "DeploymentFreezeAdminister", "DeploymentFreezeAdminister"],
        "users" => ["UserView", "UserEdit", "UserEdit", "UserEdit"],
        "userroles" | "scopeduserroles" => ["UserRoleView", "UserRoleEdit", "UserRoleEdit", "UserRoleEdit"],
        "teams" => ["TeamView", "TeamCreate", "TeamEdit", "TeamDelete"],
        "octopusservernodes" => ["", "ConfigureServer", "ConfigureServer", "ConfigureServer"],
        _ => ["AdministerSystem"; 4],
    }
}

/// The permission that shows documents of a kind.
pub(crate) fn views(noun: &Noun) -> &'static str {
    needs(noun)[0]
}

/// Lists of a kind that are not pages, and what of a kind cannot be made by hand.
fn has(noun: &Noun, method: &str, tail: &str) -> bool {
    !matches!(
        (noun.path, method, tail),
        ("octopusservernodes", "POST" | "DELETE", _)
            | ("build-information", "PUT", _)
            | ("build-information" | "deploymentfreezes" | "runbookSnapshots" | "artifacts" | "octopusservernodes", _, "/all")
    )
}

/// All of them, plain resources first.
pub(crate) static ALL: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for noun in NOUNS {
        let [view, create, edit, delete] = needs(noun);
        let base = if noun.spaced || noun.mixed { format!("/api/{{space}}/{}", noun.path) } else { format!("/api/{}", noun.path) };
        let mut add = |method: &'static str, tail: &str, needs| {
            if has(noun, method, tail) {
                all.push(Endpoint { method, path: format!("{base}{tail}"), needs, depth: depth_of(noun) });
            }
        };
        add("GET", "", view);
        add("GET", "/all", view);
        add("GET", "/{id}", view);
        add("POST", "", create);
        add("PUT", "/{id}", edit);
        add("DELETE", "/{id}", delete);
    }
    for Row(route, needs, depth) in ROWS {
        let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
        let path = path.strip_prefix("S/").map_or_else(|| path.to_owned(), |rest| format!("/api/{{space}}/{rest}"));
        all.push(Endpoint { method, path, needs, depth: *depth });
    }
    // What hangs below a document is named above, if it is absent.
    for (_, template) in super::elsewhere::ELSEWHERE.iter().filter(|(_, template)| !template.contains("/{")) {
        let path = template.split("{?").next().unwrap_or(template);
        let path = path.strip_prefix("S/").map_or_else(|| path.to_owned(), |rest| format!("/api/{{space}}/{rest}"));
        let mut paths = vec![path.replace("{/", "/{")];
        paths.extend(path.split_once("{/").map(|(list, _)| list.to_owned()));
        for path in paths {
            let link = Endpoint { method: "GET", path, needs: "", depth: Depth::Absent(LINK) };
            if !all.iter().any(|e| e.method == "GET" && pattern(e).eq(pattern(&link))) {
                all.push(link);
            }
        }
    }
    all
});

fn depth_of(noun: &Noun) -> Depth {
    match noun.path {
        "accounts" | "certificates" | "machinepolicies" | "workers" | "workerpools" | "machines" | "projecttriggers" | "proxies" => {
            Depth::Partly("a plain document: nothing happens by it")
        }
        "feeds" => Depth::Partly("feeds other than the built-in one are plain documents"),
        "subscriptions" => Depth::Partly("a plain document: no webhook is sent"),
        _ => Depth::Simulated,
    }
}

/// Indexes of [`ALL`] by method and number of segments behind `/api` and the space.
static INDEX: LazyLock<HashMap<(&'static str, usize), Vec<usize>>> = LazyLock::new(|| {
    let mut index: HashMap<_, Vec<usize>> = HashMap::new();
    for (i, e) in ALL.iter().enumerate() {
        index.entry((e.method, pattern(e).count())).or_default().push(i);
    }
    index
});

/// The segments behind `/api` and the space.
fn pattern(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    let path = endpoint.path.strip_prefix("/api").unwrap_or(&endpoint.path);
    let path = path.strip_prefix("/{space}").unwrap_or(path);
    path.split('/').filter(|s| !s.is_empty())
}

/// The space that a path behind `/api` names, by its id or as `spaces/{id or slug}`, and the segments behind it.
pub(crate) fn behind_space(segments: &[String]) -> (Option<&String>, &[String]) {
    match segments {
        [space, rest @ ..] if space.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("spaces-")) => (Some(space), rest),
        [spaces, space, rest @ ..]
            if spaces.eq_ignore_ascii_case("spaces")
                && rest.first().is_some_and(|s| !["logo", "search"].iter().any(|own| s.eq_ignore_ascii_case(own))) =>
        {
            (Some(space), rest)
        }
        all => (None, all),
    }
}

/// Whether an endpoint needs nobody to be signed in, by its segments in lower case: those that the server's own description
/// (2019.6) gives no security.
pub(crate) fn is_public(method: &str, segments: &[String]) -> bool {
    let inner: Vec<&str> = behind_space(segments).1.iter().map(String::as_str).collect();
    match (method, inner.as_slice()) {
        ("GET", ["events", name]) => matches!(*name, "agents" | "categories" | "documenttypes" | "groups"),
        ("GET", [] | ["octopusservernodes", "ping"] | ["serverstatus", "health"] | ["tasks", "tasktypes"])
        | ("POST", ["users", "login" | "logout"]) => true,
        _ => false,
    }
}

/// The endpoint of a request; `segments` is what stands behind `/api` and the space, `spaced` whether there was one. Of two
/// that fit, the one that spells out more is meant: `/users/me` before `/users/{id}`.
pub(crate) fn find(method: &str, spaced: bool, segments: &[String]) -> Option<&'static Endpoint> {
    let method = ["GET", "POST", "PUT", "DELETE"].into_iter().find(|m| *m == method)?;
    let fits = |e: &Endpoint| {
        (!segments.is_empty() || e.path.ends_with("{space}") == spaced)
            && pattern(e).zip(segments).all(|(p, s)| p.starts_with('{') || p.eq_ignore_ascii_case(s))
    };
    let spelt = |e: &&Endpoint| pattern(e).filter(|p| !p.starts_with('{')).count();
    INDEX.get(&(method, segments.len()))?.iter().map(|i| &ALL[*i]).filter(|e| fits(e)).max_by_key(spelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<String> {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        find(method, true, &segments).map(|e| e.path.clone())
    }

    #[test]
    fn what_is_spelt_out_goes_before_what_is_not() {
        assert_eq!(found("GET", "users/me").as_deref(), Some("/api/users/me"));
        assert_eq!(found("GET", "users/Users-1").as_deref(), Some("/api/users/{id}"));
        assert_eq!(found("GET", "Tasks/ServerTasks-1/details").as_deref(), Some("/api/{space}/tasks/{id}/details"));
        assert_eq!(found("GET", "projects/Projects-1/git/tags").as_deref(), Some("/api/{space}/projects/{id}/git/tags"));
        assert_eq!(found("GET", "moon"), None);
        assert_eq!(found("PATCH", "users/me"), None);
    }

    #[test]
    fn the_two_roots_are_told_apart() {
        assert_eq!(find("GET", false, &[]).map(|e| e.path.as_str()), Some("/api"));
        assert_eq!(find("GET", true, &[]).map(|e| e.path.as_str()), Some("/api/{space}"));
    }

    #[test]
    fn each_is_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for e in ALL.iter() {
            assert!(seen.insert((e.method, e.path.to_lowercase())), "{} {} is there twice", e.method, e.path);
        }
    }
}
