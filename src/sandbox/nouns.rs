//! The kinds of plain resources: what each needs, in which order its lists come, what is unique, filtered and simulated.

use super::{
    answer::{Ask, str_of, texts},
    tags,
};
use serde_json::Value;

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

/// In which order a list comes (octopus-api.md §6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Name,
    Position,
    Newest,
    Oldest,
}

/// What the names of a kind are in a space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// Each has one of its own.
    Unique,
    /// Each has one; others of the space may have the same, and the same slug.
    Repeated,
    /// None has to have one.
    Optional,
}

/// A kind of plain resource.
pub(crate) struct Noun {
    /// The path segment, as servers spell it.
    pub(crate) path: &'static str,
    pub(crate) item: &'static str,
    pub(crate) prefix: &'static str,
    /// The permissions that list, get, create, change and delete documents.
    pub(crate) needs: [&'static str; 4],
    /// Belongs to a space.
    pub(crate) spaced: bool,
    /// Lists at the root show every space.
    pub(crate) mixed: bool,
    pub(crate) order: Order,
    pub(crate) names: NameRule,
    pub(crate) depth: Depth,
    /// What is answered of list and document, `/all`, create, change and delete.
    pub(crate) verbs: &'static [&'static str],
    /// `?clone=` makes a copy.
    pub(crate) copies: bool,
    /// Whether documents have a `Slug` (octopus-api.md §9, §11.3, §20.1, §22).
    pub(crate) has_slug: bool,
    /// Members that answers do not show.
    pub(crate) hides: &'static [&'static str],
    /// Whether a list has a document, beside what every list asks for.
    pub(crate) filter: fn(&Ask, &Value) -> bool,
}

const EVERY: &[&str] = &["GET", "GET /all", "GET /{id}", "POST", "PUT /{id}", "DELETE /{id}"];
const WITHOUT_ALL: &[&str] = &["GET", "GET /{id}", "POST", "PUT /{id}", "DELETE /{id}"];
const PLAIN: Depth = Depth::Partly("a plain document: nothing happens by it");

const fn noun(path: &'static str, item: &'static str, prefix: &'static str, needs: [&'static str; 4]) -> Noun {
    Noun {
        path,
        item,
        prefix,
        needs,
        spaced: true,
        mixed: false,
        order: Order::Name,
        names: NameRule::Unique,
        depth: Depth::Simulated,
        verbs: EVERY,
        copies: false,
        has_slug: true,
        hides: &[],
        filter: |_, _| true,
    }
}

/// The same, of the whole server.
const fn global(path: &'static str, item: &'static str, prefix: &'static str, needs: [&'static str; 4]) -> Noun {
    Noun { spaced: false, ..noun(path, item, prefix, needs) }
}

/// Every plain resource.
#[rustfmt::skip]
pub(crate) const NOUNS: &[Noun] = &[
    global("spaces", "Space", "Spaces-", ["", "SpaceCreate", "SpaceEdit", "SpaceDelete"]),
    // Parent and ephemeral ones are in the lists of version 2 only.
    Noun { order: Order::Position, filter: |_, doc| doc.get("_Type").is_none(), ..noun("environments", "Environment", "Environments-", ["EnvironmentView", "EnvironmentCreate", "EnvironmentEdit", "EnvironmentDelete"]) },
    noun("projectgroups", "ProjectGroup", "ProjectGroups-", ["ProjectGroupView", "ProjectGroupCreate", "ProjectGroupEdit", "ProjectGroupDelete"]),
    Noun { copies: true, ..noun("projects", "Project", "Projects-", ["ProjectView", "ProjectCreate", "ProjectEdit", "ProjectDelete"]) },
    noun("lifecycles", "Lifecycle", "Lifecycles-", ["LifecycleView", "LifecycleCreate", "LifecycleEdit", "LifecycleDelete"]),
    Noun { order: Order::Oldest, names: NameRule::Repeated, ..noun("channels", "Channel", "Channels-", ["ProcessView|ProjectView", "ProcessEdit", "ProcessEdit", "ProcessEdit"]) },
    Noun { copies: true, filter: tenant_fits, ..noun("tenants", "Tenant", "Tenants-", ["TenantView", "TenantCreate", "TenantEdit", "TenantDelete"]) },
    Noun { has_slug: false, ..noun("tagsets", "TagSet", "TagSets-", ["", "TagSetCreate", "TagSetEdit", "TagSetDelete"]) },
    Noun {
        names: NameRule::Repeated, copies: true,
        filter: |ask, doc| doc["_InGit"] != true && ask.only("projectIds").has(Some(str_of(doc, "ProjectId"))),
        ..noun("runbooks", "Runbook", "Runbooks-", ["RunbookView", "RunbookEdit", "RunbookEdit", "RunbookEdit"])
    },
    Noun {
        order: Order::Newest, names: NameRule::Repeated, verbs: WITHOUT_ALL,
        has_slug: false, ..noun("runbookSnapshots", "RunbookSnapshot", "RunbookSnapshots-", ["RunbookView", "RunbookEdit", "RunbookEdit", "RunbookEdit"])
    },
    Noun {
        filter: |ask, doc| ask.query("contentType").is_none_or(|c| str_of(doc, "ContentType").eq_ignore_ascii_case(c)),
        has_slug: false, ..noun("libraryvariablesets", "LibraryVariableSet", "LibraryVariableSets-", ["LibraryVariableSetView", "LibraryVariableSetCreate", "LibraryVariableSetEdit", "LibraryVariableSetDelete"])
    },
    Noun {
        depth: PLAIN, filter: |ask, doc| ask.only("environmentIds").has_any(texts(&doc["EnvironmentIds"]).iter()),
        ..noun("machines", "Machine", "Machines-", ["MachineView", "MachineCreate", "MachineEdit", "MachineDelete"])
    },
    Noun { depth: PLAIN, ..noun("workers", "Worker", "Workers-", ["WorkerView", "WorkerEdit", "WorkerEdit", "WorkerEdit"]) },
    Noun { depth: PLAIN, ..noun("workerpools", "WorkerPool", "WorkerPools-", ["WorkerView", "WorkerEdit", "WorkerEdit", "WorkerEdit"]) },
    Noun { depth: PLAIN, ..noun("machinepolicies", "MachinePolicy", "MachinePolicies-", ["MachinePolicyView", "MachinePolicyCreate", "MachinePolicyEdit", "MachinePolicyDelete"]) },
    Noun { depth: PLAIN, ..noun("proxies", "Proxy", "Proxies-", ["ProxyView", "ProxyCreate", "ProxyEdit", "ProxyDelete"]) },
    Noun {
        depth: Depth::Partly("feeds other than the built-in one are plain documents"),
        filter: |ask, doc| ask.only("feedType").has(Some(str_of(doc, "FeedType"))),
        ..noun("feeds", "Feed", "Feeds-", ["FeedView", "FeedEdit", "FeedEdit", "FeedEdit"])
    },
    Noun {
        order: Order::Newest, verbs: &["GET /{id}"], hides: &["SpaceId"],
        ..noun("build-information", "OctopusPackageVersionBuildInformationMapped", "BuildInformation-", ["FeedView", "BuildInformationPush", "AdministerSystem", "BuildInformationAdminister"])
    },
    Noun { depth: PLAIN, ..noun("accounts", "Account", "Accounts-", ["AccountView", "AccountCreate", "AccountEdit", "AccountDelete"]) },
    Noun { depth: PLAIN, ..noun("certificates", "Certificate", "Certificates-", ["CertificateView", "CertificateCreate", "CertificateEdit", "CertificateDelete"]) },
    Noun {
        depth: Depth::Partly("those by a schedule or a webhook, that run a runbook or deploy the latest release"),
        verbs: &["GET", "GET /all", "GET /{id}"], has_slug: false,
        ..noun("projecttriggers", "ProjectTrigger", "ProjectTriggers-", ["TriggerView", "TriggerCreate", "TriggerEdit", "TriggerDelete"])
    },
    noun("actiontemplates", "ActionTemplate", "ActionTemplates-", ["ActionTemplateView", "ActionTemplateCreate", "ActionTemplateEdit", "ActionTemplateDelete"]),
    Noun {
        mixed: true, depth: Depth::Partly("webhooks are sent, mail and Slack messages are not"),
        has_slug: false, ..noun("subscriptions", "Subscription", "Subscriptions-", ["SubscriptionView", "SubscriptionCreate", "SubscriptionEdit", "SubscriptionDelete"])
    },
    Noun {
        mixed: true, order: Order::Newest, names: NameRule::Optional, verbs: &["GET", "GET /{id}", "PUT /{id}", "DELETE /{id}"],
        filter: |ask, doc| ask.query("regarding").is_none_or(|r| texts(&doc["_Related"]).iter().any(|x| x.eq_ignore_ascii_case(r))),
        has_slug: false, ..noun("artifacts", "Artifact", "Artifacts-", ["ArtifactView", "ArtifactCreate", "ArtifactEdit", "ArtifactDelete"])
    },
    Noun { verbs: WITHOUT_ALL, has_slug: false, ..global("deploymentfreezes", "DeploymentFreeze", "DeploymentFreezes-", ["", "DeploymentFreezeAdminister|ProjectEdit", "DeploymentFreezeAdminister|ProjectEdit", "DeploymentFreezeAdminister|ProjectEdit"]) },
    Noun {
        names: NameRule::Optional, hides: &["Name", "Slug"],
        filter: |ask, doc| ask.query("filter").is_none_or(|f| str_of(doc, "Username").to_lowercase().contains(&f.to_lowercase())),
        has_slug: false, ..global("users", "User", "Users-", ["UserView", "UserEdit", "UserEdit", "UserEdit"])
    },
    Noun { has_slug: false, ..global("userroles", "UserRole", "userroles-", ["UserRoleView", "UserRoleEdit", "UserRoleEdit", "UserRoleEdit"]) },
    Noun { mixed: true, order: Order::Oldest, names: NameRule::Optional, has_slug: false, ..global("scopeduserroles", "ScopedUserRole", "ScopedUserRoles-", ["UserRoleView", "UserRoleEdit", "UserRoleEdit", "UserRoleEdit"]) },
    Noun { mixed: true, ..global("teams", "Team", "Teams-", ["TeamView", "TeamCreate", "TeamEdit", "TeamDelete"]) },
    Noun { verbs: &["GET", "GET /all", "GET /{id}", "PUT /{id}"], has_slug: false, ..global("octopusservernodes", "OctopusServerNode", "OctopusServerNodes-", ["", "ConfigureServer", "ConfigureServer", "ConfigureServer"]) },
];

fn tenant_fits(ask: &Ask, doc: &Value) -> bool {
    let tags = ask.list("tags");
    let connected =
        |project: &str| doc["ProjectEnvironments"].as_object().is_some_and(|m| m.keys().any(|k| k.eq_ignore_ascii_case(project)));
    ask.query("projectId").is_none_or(connected) && (tags.is_empty() || tags::all(doc, &tags))
}

pub(crate) const PROJECTS: &Noun = named("projects");

/// The noun of a path segment, whatever its case.
pub(crate) fn noun_of(segment: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|n| n.path.eq_ignore_ascii_case(segment))
}

/// The noun that is called so. For constants: a name that none has is a mistake the compiler finds.
pub(crate) const fn named(path: &str) -> &'static Noun {
    let mut at = 0;
    while at < NOUNS.len() {
        if same(NOUNS[at].path.as_bytes(), path.as_bytes()) {
            return &NOUNS[at];
        }
        at += 1;
    }
    panic!("no such noun")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
