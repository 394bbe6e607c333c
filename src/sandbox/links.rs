//! The links of every document, and the root documents that tell clients where everything is.

use super::{answer::str_of, nouns::Noun};
use serde_json::{Map, Value, json};

/// `(name, path behind the document's own address)` for what hangs below a document.
fn below(noun: &Noun) -> &'static [(&'static str, &'static str)] {
    match noun.path {
        "environments" => &[
            (
                "Machines",
                "/machines{?skip,take,partialName,roles,isDisabled,healthStatuses,commStyles,tenantIds,tenantTags,shellNames,deploymentTargetTypes}",
            ),
            ("SinglyScopedVariableDetails", "/singlyScopedVariableDetails"),
            ("Metadata", "/metadata"),
        ],
        "projectgroups" => &[("Projects", "/projects")],
        "projects" => &[
            ("Releases", "/releases{/version}{?skip,take,searchByVersion}"),
            ("Channels", "/channels{?skip,take,partialName}"),
            ("Triggers", "/triggers{?skip,take,partialName,triggerActionType,triggerActionCategory,runbooks}"),
            ("ScheduledTriggers", "/triggers/scheduled{?skip,take,partialName,ids}"),
            ("OrderChannels", "/channels/order"),
            ("DeploymentProcess", "/deploymentprocesses"),
            ("DeploymentSettings", "/deploymentsettings"),
            ("Runbooks", "/runbooks{?skip,take,partialName}"),
            ("RunbookSnapshots", "/runbookSnapshots{/name}{?skip,take,searchByName}"),
            ("Summary", "/summary"),
            ("Identity", "/identity"),
            ("Metadata", "/metadata"),
            ("Logo", "/logo"),
        ],
        "lifecycles" => &[("Preview", "/preview"), ("Projects", "/projects")],
        "channels" => &[("Releases", "/releases{?skip,take,searchByVersion}")],
        "tenants" => &[("Variables", "/variables"), ("Logo", "/logo")],
        "runbooks" => &[
            ("RunbookSnapshotTemplate", "/runbookSnapshotTemplate"),
            ("RunbookEnvironments", "/environments"),
            ("CreateRunbookRun", "/run"),
        ],
        "runbookSnapshots" => &[("RunbookRuns", "/runbookRuns{?skip,take}"), ("RunbookRunTemplate", "/runbookRuns/template")],
        "libraryvariablesets" | "accounts" => &[("Usages", "/usages")],
        "users" => &[
            ("Permissions", "/permissions{?spaces,includeSystem}"),
            ("PermissionsConfiguration", "/permissions/configuration{?spaces,includeSystem}"),
            ("ApiKeys", "/apikeys{/id}{?skip,take,ids}"),
            ("Avatar", "/avatar"),
            ("Spaces", "/spaces"),
            ("Teams", "/teams{?spaces,includeSystem}"),
        ],
        "teams" => &[("ScopedUserRoles", "/scopeduserroles{?skip,take}")],
        "artifacts" => &[("Content", "/content")],
        "actiontemplates" => {
            &[("Versions", "/versions{/version}"), ("ActionsUpdate", "/actionsUpdate"), ("Usage", "/usage"), ("Logo", "/logo")]
        }
        "feeds" => &[
            ("SearchPackagesTemplate", "/packages/search{?term,take,skip}"),
            (
                "SearchPackageVersionsTemplate",
                "/packages/versions{?packageId,take,skip,includePreRelease,versionRange,preReleaseTag,filter,includeReleaseNotes}",
            ),
            ("NotesTemplate", "/packages/notes{?packageId,version}"),
        ],
        "machines" => &[
            ("TasksTemplate", "/tasks{?skip,take,type}"),
            ("Connection", "/connection"),
            ("SinglyScopedVariableDetails", "/singlyScopedVariableDetails"),
        ],
        "workers" => &[("Connection", "/connection")],
        "workerpools" => &[("Workers", "/workers{?skip,take,partialName,isDisabled,healthStatuses,commStyles}")],
        "octopusservernodes" => &[("Details", "/details")],
        _ => &[],
    }
}

/// The links of a document.
pub(crate) fn of(noun: &Noun, doc: &Value) -> Value {
    let (id, space) = (str_of(doc, "Id"), str_of(doc, "SpaceId"));
    let at = if noun.spaced { format!("/api/{space}") } else { "/api".to_owned() };
    let own = format!("{at}/{}/{id}", noun.path);
    let mut links = Map::new();
    links.insert("Self".into(), json!(own));
    for (name, path) in below(noun) {
        links.insert((*name).into(), json!(format!("{own}{path}")));
    }
    let mut add = |name: &str, to: String| links.insert(name.into(), json!(to));
    match noun.path {
        "spaces" => {
            add("SpaceHome", format!("/api/{id}"));
            add("Web", format!("/app#/{id}"));
            add("Logo", format!("/api/spaces/{id}/logo"));
            add("Search", format!("/api/spaces/{id}/search"));
        }
        "projects" => {
            add("Variables", format!("{at}/variables/variableset-{id}"));
            add("Progression", format!("{at}/progression/{id}{{?aggregate,releaseHistoryCount}}"));
            add(
                "RunbookTaskRunDashboardItemsTemplate",
                format!("{at}/progression/runbooks/taskRuns{{?skip,take,ids,projectIds,runbookIds,environmentIds,tenantIds,taskIds}}"),
            );
            add("Web", format!("/app#/{space}/projects/{}", str_of(doc, "Slug")));
        }
        "channels" | "runbooks" | "runbookSnapshots" | "projecttriggers" => {
            add("Project", format!("{at}/projects/{}", str_of(doc, "ProjectId")));
            if noun.path == "runbooks" {
                add("RunbookProcesses", format!("{at}/runbookProcesses/RunbookProcess-{id}"));
                add(
                    "RunbookSnapshots",
                    format!(
                        "{at}/projects/{}/runbooks/{id}/runbookSnapshots{{/name}}{{?skip,take,searchByName}}",
                        str_of(doc, "ProjectId")
                    ),
                );
            }
        }
        "tenants" => {
            add("Web", format!("/app#/{space}/tenants/{id}/overview"));
        }
        "libraryvariablesets" => {
            add("Variables", format!("{at}/variables/variableset-{id}"));
        }
        _ => {}
    }
    Value::Object(links)
}

/// Link templates at the root of every space (octopus-api.md §4.3); `S` stands for the space.
const TEMPLATES: &[(&str, &str)] = &[
    ("Accounts", "S/accounts{/id}{?skip,take,ids,partialName,accountType}"),
    ("AccessToken", "/api/users/access-token"),
    ("ActionTemplates", "S/actiontemplates{/id}{?skip,take,ids,partialName}"),
    ("ActionTemplatesCategories", "S/actiontemplates/categories"),
    ("ActionTemplatesSearch", "S/actiontemplates/search{?type}"),
    ("Artifacts", "S/artifacts{/id}{?skip,take,regarding,ids,partialName,order}"),
    ("ActionTemplateLogo", "S/actiontemplates/{typeOrId}/logo{?cb}"),
    ("ActionTemplateVersionedLogo", "S/actiontemplates/{typeOrId}/versions/{version}/logo{?cb}"),
    ("BuildInformation", "S/build-information{/id}{?packageId,filter,latest,skip,take,overwriteMode}"),
    ("BuildInformationBulk", "S/build-information/bulk{?ids}"),
    ("BuiltInFeedStats", "S/feeds/stats"),
    ("Certificates", "S/certificates{/id}{?skip,take,search,archived,tenant,firstResult,orderBy,ids,partialName}"),
    ("Channels", "S/channels{/id}{?skip,take,ids,partialName}"),
    ("CommunityActionTemplates", "/api/communityactiontemplates{/id}{?skip,take,ids}"),
    ("CurrentUser", "/api/users/me"),
    ("Dashboard", "S/dashboard{?projectId,releaseId,selectedTenants,selectedTags,showAll,highestLatestVersionPerProjectAndEnvironment}"),
    ("DashboardConfiguration", "S/dashboardconfiguration"),
    ("DashboardDynamic", "S/dashboard/dynamic{?projects,environments,includePrevious}"),
    (
        "DeploymentFreezes",
        "/api/deploymentfreezes{/id}{?skip,take,ids,partialName,projectIds,tenantIds,environmentIds,includeComplete,status}",
    ),
    ("DeploymentProcesses", "S/deploymentprocesses{/id}{?skip,take,ids}"),
    ("Deployments", "S/deployments{/id}{?skip,take,ids,projects,environments,tenants,channels,taskState,partialName}"),
    ("EnabledFeatureToggles", "/api/configuration/enabled-feature-toggles"),
    ("Environments", "S/environments{/id}{?name,skip,ids,take,partialName}"),
    ("EnvironmentSortOrder", "S/environments/sortorder"),
    (
        "EnvironmentsSummary",
        "S/environments/summary{?ids,partialName,machinePartialName,roles,isDisabled,healthStatuses,commStyles,tenantIds,tenantTags,hideEmptyEnvironments,shellNames,deploymentTargetTypes}",
    ),
    ("EventAgents", "/api/events/agents"),
    ("EventCategories", "/api/events/categories{?appliesTo}"),
    ("EventDocumentTypes", "/api/events/documenttypes"),
    ("EventGroups", "/api/events/groups{?appliesTo}"),
    (
        "Events",
        "/api/events{/id}{?skip,regarding,regardingAny,user,users,projects,projectGroups,environments,eventGroups,eventCategories,eventAgents,tags,tenants,from,to,internal,fromAutoId,toAutoId,documentTypes,asCsv,take,ids,spaces,includeSystem,excludeDifference}",
    ),
    ("Feeds", "S/feeds{/id}{?skip,take,ids,partialName,feedType,name}"),
    ("Interruptions", "S/interruptions{/id}{?skip,take,regarding,pendingOnly,ids}"),
    ("LibraryVariables", "S/libraryvariablesets{/id}{?skip,contentType,take,ids,partialName}"),
    ("Lifecycles", "S/lifecycles{/id}{?skip,take,ids,partialName}"),
    ("LifecyclePreviews", "S/lifecycles/previews{?ids}"),
    ("MachinePolicies", "S/machinepolicies{/id}{?skip,take,ids,partialName}"),
    (
        "Machines",
        "S/machines{/id}{?skip,take,name,ids,partialName,roles,isDisabled,healthStatuses,commStyles,tenantIds,tenantTags,environmentIds,thumbprint,deploymentId,shellNames,deploymentTargetTypes}",
    ),
    ("MachineRoles", "S/machineroles/all"),
    ("MaintenanceConfiguration", "/api/maintenanceconfiguration"),
    ("OctopusServerNodes", "/api/octopusservernodes{/id}{?skip,take,ids,partialName}"),
    ("OctopusServerClusterSummary", "/api/octopusservernodes/summary"),
    ("Packages", "S/packages{/id}{?nuGetPackageId,filter,latest,skip,take,includeNotes}"),
    ("PackageUpload", "S/packages/raw{?replace,overwriteMode}"),
    ("PackageNotesList", "S/packages/notes{?packageIds}"),
    ("PackagesBulk", "S/packages/bulk{?ids}"),
    ("PermissionDescriptions", "/api/permissions/all"),
    ("ProjectGroups", "S/projectgroups{/id}{?skip,take,ids,partialName}"),
    ("Projects", "S/projects{/id}{?name,skip,ids,clone,take,partialName,clonedFromProjectId}"),
    ("ProjectTriggers", "S/projecttriggers{/id}{?skip,take,ids,runbooks}"),
    ("Proxies", "S/proxies{/id}{?skip,take,ids,partialName}"),
    ("Releases", "S/releases{/id}{?skip,ignoreChannelRules,take,ids}"),
    ("RunbookProcesses", "S/runbookProcesses{/id}{?skip,take,ids}"),
    ("RunbookRuns", "S/runbookRuns{/id}{?skip,take,ids,projects,environments,tenants,runbooks,taskState,partialName}"),
    ("Runbooks", "S/runbooks{/id}{?skip,take,ids,partialName,clone,projectIds}"),
    ("RunbookSnapshots", "S/runbookSnapshots{/id}{?skip,take,ids,publish}"),
    ("ScopedUserRoles", "/api/scopeduserroles{/id}{?skip,take,ids,partialName,spaces,includeSystem}"),
    ("ServerStatus", "/api/serverstatus"),
    ("ServerHealthStatus", "/api/serverstatus/health"),
    ("SignIn", "/api/users/login{?returnUrl}"),
    ("SignOut", "/api/users/logout"),
    ("SmtpConfiguration", "/api/smtpconfiguration"),
    ("SmtpIsConfigured", "/api/smtpconfiguration/isconfigured"),
    ("Spaces", "/api/spaces{/id}{?skip,ids,take,partialName}"),
    ("Subscriptions", "S/subscriptions{/id}{?skip,take,ids,partialName,spaces}"),
    ("TagSets", "S/tagsets{/id}{?skip,take,ids,partialName}"),
    ("TagSetSortOrder", "S/tagsets/sortorder"),
    (
        "Tasks",
        "/api/tasks{/id}{?skip,active,environment,tenant,runbook,project,name,node,running,states,hasPendingInterruptions,hasWarningsOrErrors,take,ids,partialName,spaces,includeSystem,description,fromCompletedDate,toCompletedDate,fromQueueDate,toQueueDate,fromStartDate,toStartDate}",
    ),
    ("TaskTypes", "/api/tasks/tasktypes"),
    ("TeamMembership", "/api/teammembership{?userId,spaces,includeSystem}"),
    ("Teams", "/api/teams{/id}{?skip,take,ids,partialName,spaces,includeSystem}"),
    ("Tenants", "S/tenants{/id}{?skip,projectId,name,tags,take,ids,clone,partialName,clonedFromTenantId}"),
    ("TenantTagTest", "S/tenants/tag-test{?tenantIds,tags}"),
    ("TenantsMissingVariables", "S/tenants/variables-missing{?tenantId,projectId,environmentId,includeDetails}"),
    ("TenantsStatus", "S/tenants/status"),
    ("TenantVariables", "S/tenantvariables/all{?projectId}"),
    ("UserOnboarding", "S/useronboarding"),
    ("Users", "/api/users{/id}{?skip,take,ids,filter}"),
    ("UserRoles", "/api/userroles{/id}{?skip,take,ids,partialName}"),
    ("Variables", "S/variables{/id}{?ids}"),
    ("VariableNames", "S/variables/names{?project,runbook,projectEnvironmentsFilter,gitRef}"),
    ("VariablePreview", "S/variables/preview{?project,runbook,environment,channel,tenant,action,machine,role,gitRef}"),
    ("VersionRuleTest", "S/channels/rule-test{?version,versionRange,preReleaseTag,feetType}"),
    ("Web", "/app"),
    ("Workers", "S/workers{/id}{?skip,take,name,ids,partialName,isDisabled,healthStatuses}"),
    ("WorkerPools", "S/workerpools{/id}{?skip,take,ids,partialName,name}"),
];

/// `GET /api`.
pub(crate) fn root(space: &str, version: &str) -> Value {
    let mut links = templates(space);
    links.insert("Self".into(), json!("/api"));
    links.insert("SpaceHome".into(), json!("/api/{spaceId}"));
    json!({
        "Application": "Octopus Deploy", "Version": version, "ApiVersion": "3.0.0",
        "InstallationId": "3f0c2b1e-5a77-4c55-9a58-0c1d2e3f4a5b", "HasLongTermSupport": false, "Links": links,
    })
}

/// `GET /api/{space}`.
pub(crate) fn space_root(space: &str) -> Value {
    let mut links = templates(space);
    links.insert("Self".into(), json!(format!("/api/{space}")));
    json!({ "Links": links })
}

fn templates(space: &str) -> Map<String, Value> {
    let at = format!("/api/{space}/");
    TEMPLATES
        .iter()
        .chain(super::elsewhere::ELSEWHERE)
        .map(|(name, to)| ((*name).to_owned(), json!(to.strip_prefix("S/").map_or_else(|| (*to).to_owned(), |rest| format!("{at}{rest}")))))
        .collect()
}
