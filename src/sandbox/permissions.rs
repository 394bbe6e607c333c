//! The permissions of Octopus and the user roles that come with a server.
//!
//! Names, levels and restrictions are those of a server's `permissions/all`; the roles are those of the page "Default permissions
//! for built-in user roles" of Octopus's documentation.

/// Where a permission applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Space,
    System,
    Both,
}
use Level::{Both, Space, System};

/// A permission: its name, what it allows, where, and what a role that grants it can be restricted to: `P`rojects,
/// `E`nvironments, `T`enants, project `G`roups.
pub(crate) struct Permission(pub(crate) &'static str, pub(crate) &'static str, pub(crate) Level, pub(crate) &'static str);

impl Permission {
    /// The restrictions in the server's words.
    pub(crate) fn restrictions(&self) -> Vec<&'static str> {
        let words = [('P', "projects"), ('E', "environments"), ('T', "tenants"), ('G', "projectgroups")];
        words.iter().filter(|(letter, _)| self.3.contains(*letter)).map(|(_, word)| *word).collect()
    }
}

/// Every permission.
#[rustfmt::skip]
pub(crate) const PERMISSIONS: &[Permission] = &[
    Permission("AccountCreate", "Create accounts", Space, "ET"),
    Permission("AccountDelete", "Delete accounts", Space, "ET"),
    Permission("AccountEdit", "Edit accounts", Space, "ET"),
    Permission("AccountView", "View accounts", Space, "ET"),
    Permission("ActionTemplateCreate", "Create step templates", Space, ""),
    Permission("ActionTemplateDelete", "Delete step templates", Space, ""),
    Permission("ActionTemplateEdit", "Edit step templates", Space, ""),
    Permission("ActionTemplateView", "View step templates", Space, ""),
    Permission("AdministerSystem", "Perform system-level functions like configuring HTTP web hosting, the public URL, server nodes, maintenance mode, and server diagnostics", System, ""),
    Permission("ArtifactCreate", "Manually create artifacts", Space, "PET"),
    Permission("ArtifactDelete", "Delete artifacts", Space, "PET"),
    Permission("ArtifactEdit", "Edit the details describing artifacts", Space, "PET"),
    Permission("ArtifactView", "View the artifacts created manually and during deployment", Space, "PET"),
    Permission("BuildInformationAdminister", "Replace or delete build information", Space, "P"),
    Permission("BuildInformationPush", "Create/update build information", Space, "P"),
    Permission("BuiltInFeedAdminister", "Replace or delete packages in the built-in package repository", Space, "P"),
    Permission("BuiltInFeedDownload", "Retrieve the contents of packages in the built-in package repository", Space, "P"),
    Permission("BuiltInFeedPush", "Push new packages to the built-in package repository", Space, "P"),
    Permission("CertificateCreate", "Create certificates", Space, "ET"),
    Permission("CertificateDelete", "Delete certificates", Space, "ET"),
    Permission("CertificateEdit", "Edit certificates", Space, "ET"),
    Permission("CertificateExportPrivateKey", "Export certificate private-keys", Space, "ET"),
    Permission("CertificateView", "View certificates", Space, "ET"),
    Permission("ConfigureServer", "Configure server settings like Authentication, SMTP, and HTTP Security Headers", System, ""),
    Permission("DefectReport", "Block a release from progressing to the next lifecycle phase", Space, "P"),
    Permission("DefectResolve", "Unblock a release so it can progress to the next phase", Space, "P"),
    Permission("DeploymentCreate", "Deploy releases to target environments", Space, "PET"),
    Permission("DeploymentDelete", "Delete deployments", Space, "PET"),
    Permission("DeploymentFreezeAdminister", "Administer deployment freezes", Space, "PET"),
    Permission("DeploymentView", "View deployments", Space, "PET"),
    Permission("EnvironmentCreate", "Create environments", Space, "E"),
    Permission("EnvironmentDelete", "Delete environments", Space, "E"),
    Permission("EnvironmentEdit", "Edit environments", Space, "E"),
    Permission("EnvironmentView", "View environments", Space, "E"),
    Permission("EventRetentionDelete", "Delete archived event files", System, ""),
    Permission("EventRetentionView", "View/list archived event files", System, ""),
    Permission("EventView", "View release and deployment events", Both, "PET"),
    Permission("FeedEdit", "Edit feeds", Space, ""),
    Permission("FeedView", "View package feeds and the packages in them", Space, ""),
    Permission("GitCredentialEdit", "Edit Git credentials", Space, ""),
    Permission("GitCredentialView", "View Git credentials", Space, ""),
    Permission("InterruptionSubmit", "Take responsibility for and submit interruptions generated during deployments", Space, "PET"),
    Permission("InterruptionView", "View interruptions generated during deployments", Space, "PET"),
    Permission("InterruptionViewSubmitResponsible", "Take responsibility for and submit interruptions generated during deployments when the user is in a designated responsible team", Space, "PET"),
    Permission("LibraryVariableSetCreate", "Create library variable sets", Space, ""),
    Permission("LibraryVariableSetDelete", "Delete library variable sets", Space, ""),
    Permission("LibraryVariableSetEdit", "Edit library variable sets", Space, ""),
    Permission("LibraryVariableSetView", "View library variable sets", Space, ""),
    Permission("LifecycleCreate", "Create lifecycles", Space, ""),
    Permission("LifecycleDelete", "Delete lifecycles", Space, ""),
    Permission("LifecycleEdit", "Edit lifecycles", Space, ""),
    Permission("LifecycleView", "View lifecycles", Space, ""),
    Permission("MachineCreate", "Create machines", Space, "ET"),
    Permission("MachineDelete", "Delete machines", Space, "ET"),
    Permission("MachineEdit", "Edit machines", Space, "ET"),
    Permission("MachinePolicyCreate", "Create health check policies", Space, ""),
    Permission("MachinePolicyDelete", "Delete health check policies", Space, ""),
    Permission("MachinePolicyEdit", "Edit health check policies", Space, ""),
    Permission("MachinePolicyView", "View health check policies", Space, ""),
    Permission("MachineView", "View machines", Space, "ET"),
    Permission("ProcessEdit", "Edit the deployment process and channels associated with a project", Space, "P"),
    Permission("ProcessView", "View the deployment process and channels associated with a project", Space, "P"),
    Permission("ProjectCreate", "Create projects", Space, "G"),
    Permission("ProjectDelete", "Delete projects", Space, "PT"),
    Permission("ProjectEdit", "Edit project details", Space, "PT"),
    Permission("ProjectGroupCreate", "Create project groups", Space, "G"),
    Permission("ProjectGroupDelete", "Delete project groups", Space, "G"),
    Permission("ProjectGroupEdit", "Edit project groups", Space, "G"),
    Permission("ProjectGroupView", "View project groups", Space, "G"),
    Permission("ProjectView", "View the details of projects", Space, "PT"),
    Permission("ProxyCreate", "Create proxies", Space, ""),
    Permission("ProxyDelete", "Delete proxies", Space, ""),
    Permission("ProxyEdit", "Edit proxies", Space, ""),
    Permission("ProxyView", "View proxies", Space, ""),
    Permission("ReleaseCreate", "Create a release for a project", Space, "PT"),
    Permission("ReleaseDelete", "Delete a release of a project", Space, "PT"),
    Permission("ReleaseEdit", "Edit a release of a project", Space, "PT"),
    Permission("ReleaseView", "View a release of a project", Space, "PT"),
    Permission("RunbookEdit", "Edit runbooks", Space, "P"),
    Permission("RunbookRunCreate", "Create runbook runs", Space, "PET"),
    Permission("RunbookRunDelete", "Delete runbook runs", Space, "PET"),
    Permission("RunbookRunView", "View runbook runs", Space, "PET"),
    Permission("RunbookView", "View runbooks", Space, "P"),
    Permission("SpaceCreate", "Create spaces", System, ""),
    Permission("SpaceDelete", "Delete spaces", System, ""),
    Permission("SpaceEdit", "Edit spaces", System, ""),
    Permission("SpaceView", "View spaces", System, ""),
    Permission("SubscriptionCreate", "Create subscriptions", Space, ""),
    Permission("SubscriptionDelete", "Delete subscriptions", Space, ""),
    Permission("SubscriptionEdit", "Edit subscriptions", Space, ""),
    Permission("SubscriptionView", "View subscriptions", Space, ""),
    Permission("TagSetCreate", "Create tag sets", Space, ""),
    Permission("TagSetDelete", "Delete tag sets", Space, ""),
    Permission("TagSetEdit", "Edit tag sets", Space, ""),
    Permission("TaskCancel", "Cancel server tasks", Both, "PET"),
    Permission("TaskCreate", "Explicitly create (run) server tasks", Both, "PET"),
    Permission("TaskEdit", "Edit server tasks", Both, "PET"),
    Permission("TaskPrioritize", "Move queued server tasks to the top of the queue", Space, "PET"),
    Permission("TaskView", "View summary-level information associated with a task", Both, "PET"),
    Permission("TeamCreate", "Create teams", Both, ""),
    Permission("TeamDelete", "Delete teams", Both, ""),
    Permission("TeamEdit", "Edit teams", Both, ""),
    Permission("TeamView", "View teams", Both, ""),
    Permission("TenantCreate", "Create tenants", Space, "T"),
    Permission("TenantDelete", "Delete tenants", Space, "T"),
    Permission("TenantEdit", "Edit tenants", Space, "T"),
    Permission("TenantView", "View tenants", Space, "T"),
    Permission("TriggerCreate", "Create triggers", Space, "P"),
    Permission("TriggerDelete", "Delete triggers", Space, "P"),
    Permission("TriggerEdit", "Edit triggers", Space, "P"),
    Permission("TriggerView", "View triggers", Space, "P"),
    Permission("UserEdit", "Edit users", System, ""),
    Permission("UserInvite", "Invite users to register accounts", System, ""),
    Permission("UserRoleEdit", "Edit user role definitions", System, ""),
    Permission("UserRoleView", "View other user's roles", System, ""),
    Permission("UserView", "View users", System, ""),
    Permission("VariableEdit", "Edit variables belonging to a project", Space, "PET"),
    Permission("VariableEditUnscoped", "Edit non-environment scoped variables belonging to a project or library variable set", Space, "P"),
    Permission("VariableView", "View variables belonging to a project or library variable set", Space, "PET"),
    Permission("VariableViewUnscoped", "View non-environment scoped variables belonging to a project or library variable set", Space, "P"),
    Permission("WorkerEdit", "Edit workers and worker pools", Space, ""),
    Permission("WorkerView", "View the workers in worker pools", Space, ""),
];

/// A role that comes with the server: its name, and the permissions it grants at system level and in a space: its own, and those of the role
/// that it extends.
pub(crate) struct Role(pub(crate) &'static str, pub(crate) &'static [&'static str], pub(crate) &'static [&'static [&'static str]]);

/// The name of the role that may do everything.
pub(crate) const ADMINISTRATOR: &str = "System administrator";

#[rustfmt::skip]
const ENVIRONMENT_VIEWER: &[&str] = &[
    "EnvironmentView", "MachineView", "TaskView", "TeamView", "AccountView", "MachinePolicyView", "CertificateView",
    "ProxyView", "WorkerView",
];
#[rustfmt::skip]
const PROJECT_CONTRIBUTOR: &[&str] = &[
    "ArtifactCreate", "ActionTemplateView", "ActionTemplateCreate", "ActionTemplateEdit", "ActionTemplateDelete",
    "ProcessEdit", "ProjectEdit", "FeedView", "LibraryVariableSetCreate", "LibraryVariableSetEdit",
    "LibraryVariableSetDelete", "TaskCreate", "InterruptionViewSubmitResponsible", "MachineView", "DefectReport",
    "DefectResolve", "VariableView", "VariableEdit", "TriggerCreate", "TriggerDelete", "TriggerEdit", "RunbookView",
    "RunbookEdit", "ReleaseView", "ProjectView", "DeploymentView", "ProcessView", "EnvironmentView", "ArtifactView",
    "EventView", "ProjectGroupView", "LibraryVariableSetView", "TeamView", "TaskView", "InterruptionView",
    "LifecycleView", "MachinePolicyView", "TenantView", "TriggerView", "CertificateView", "RunbookRunView",
];
#[rustfmt::skip]
const PROJECT_VIEWER: &[&str] = &[
    "ReleaseView", "ProjectView", "DeploymentView", "ProcessView", "EnvironmentView", "ArtifactView", "EventView",
    "ProjectGroupView", "LibraryVariableSetView", "TeamView", "TaskView", "InterruptionView", "LifecycleView",
    "MachinePolicyView", "TenantView", "TriggerView", "CertificateView", "RunbookView", "RunbookRunView",
];
#[rustfmt::skip]
const RUNBOOK_CONSUMER: &[&str] = &[
    "ProjectView", "EnvironmentView", "ArtifactView", "EventView", "ProjectGroupView", "LibraryVariableSetView",
    "TeamView", "FeedView", "TaskView", "InterruptionView", "MachinePolicyView", "TenantView", "TriggerView",
    "CertificateView", "MachineView", "RunbookView", "RunbookRunView", "RunbookRunCreate",
];

/// Every built-in role.
#[rustfmt::skip]
pub(crate) const ROLES: &[Role] = &[
    Role("Build server", &[], &[&[
        "BuiltInFeedAdminister", "BuiltInFeedDownload", "BuiltInFeedPush", "DeploymentCreate", "DeploymentView",
        "EnvironmentView", "FeedView", "LibraryVariableSetView", "LifecycleView", "BuildInformationPush",
        "BuildInformationAdminister", "ProcessView", "ProjectView", "ReleaseCreate", "ReleaseView", "TaskView",
        "TenantView", "RunbookView", "RunbookEdit", "RunbookRunView", "RunbookRunCreate",
    ]]),
    Role("Certificate manager", &[], &[&[
        "CertificateView", "CertificateCreate", "CertificateEdit", "CertificateDelete", "CertificateExportPrivateKey",
        "EnvironmentView", "TenantView",
    ]]),
    Role("Deployment creator", &[], &[&[
        "DeploymentCreate", "DeploymentView", "EnvironmentView", "LifecycleView", "ProcessView", "ProjectView",
        "ReleaseView", "TaskView", "TenantView", "LibraryVariableSetView", "RunbookView", "RunbookRunView",
        "RunbookRunCreate",
    ]]),
    Role("Environment manager", &["TeamView"], &[&[
        "EnvironmentCreate", "EnvironmentEdit", "EnvironmentDelete", "MachineCreate", "MachineEdit", "MachineDelete",
        "TaskCreate", "TaskCancel", "AccountCreate", "AccountEdit", "AccountDelete", "ProxyCreate", "ProxyEdit",
        "ProxyDelete", "MachinePolicyCreate", "MachinePolicyEdit", "MachinePolicyDelete", "WorkerEdit",
    ], ENVIRONMENT_VIEWER]),
    Role("Environment viewer", &["TeamView"], &[ENVIRONMENT_VIEWER]),
    Role("Package publisher", &[], &[&[
        "BuiltInFeedAdminister", "BuiltInFeedDownload", "BuiltInFeedPush", "FeedView", "BuildInformationPush",
        "BuildInformationAdminister",
    ]]),
    Role("Project contributor", &["TeamView", "UserView", "UserRoleView"], &[PROJECT_CONTRIBUTOR]),
    Role("Project deployer", &["TeamView", "UserView", "UserRoleView"], &[&["DeploymentCreate", "InterruptionSubmit", "TaskCancel", "RunbookRunCreate"], PROJECT_CONTRIBUTOR]),
    Role("Project initiator", &["TeamView", "UserView", "UserRoleView"], &[&["ProjectCreate", "ProjectEdit", "ProjectDelete", "DefectReport", "DefectResolve"], PROJECT_VIEWER]),
    Role("Project lead", &["TeamView", "UserView", "UserRoleView"], &[&["ReleaseCreate", "ReleaseEdit", "ReleaseDelete", "ArtifactEdit", "ArtifactDelete"], PROJECT_CONTRIBUTOR]),
    Role("Project viewer", &["TeamView", "UserView", "UserRoleView"], &[PROJECT_VIEWER]),
    Role("Release creator", &[], &[&[
        "EnvironmentView", "FeedView", "ProcessView", "ProjectView", "ReleaseCreate", "ReleaseView", "RunbookView",
        "RunbookEdit",
    ]]),
    Role("Runbook consumer", &[], &[RUNBOOK_CONSUMER]),
    Role("Runbook producer", &[], &[&[
        "ProjectCreate", "ProjectEdit", "ProjectDelete", "LifecycleView", "ActionTemplateView", "ActionTemplateCreate",
        "ActionTemplateEdit", "ActionTemplateDelete", "LibraryVariableSetCreate", "LibraryVariableSetEdit",
        "LibraryVariableSetDelete", "TaskCreate", "TaskCancel", "InterruptionViewSubmitResponsible", "VariableView",
        "VariableEdit", "TriggerCreate", "TriggerDelete", "TriggerEdit", "RunbookEdit", "RunbookRunDelete",
        "ArtifactCreate", "ArtifactEdit", "ArtifactDelete", "InterruptionSubmit",
    ], RUNBOOK_CONSUMER]),
    Role("Space manager", &["TeamView", "UserView", "UserRoleView"], &[&[
        "ProjectEdit", "ProjectView", "ProjectCreate", "ProjectDelete", "ProcessView", "ProcessEdit", "VariableEdit",
        "VariableEditUnscoped", "VariableView", "VariableViewUnscoped", "ReleaseCreate", "ReleaseView", "ReleaseEdit",
        "ReleaseDelete", "DefectReport", "DefectResolve", "DeploymentCreate", "DeploymentDelete", "DeploymentView",
        "EnvironmentView", "EnvironmentCreate", "EnvironmentEdit", "EnvironmentDelete", "MachineCreate", "MachineEdit",
        "MachineView", "MachineDelete", "ArtifactView", "ArtifactCreate", "ArtifactEdit", "ArtifactDelete", "FeedView",
        "FeedEdit", "GitCredentialView", "GitCredentialEdit", "EventView", "LibraryVariableSetView",
        "LibraryVariableSetCreate", "LibraryVariableSetEdit", "LibraryVariableSetDelete", "ProjectGroupView",
        "ProjectGroupCreate", "ProjectGroupEdit", "ProjectGroupDelete", "TeamCreate", "TeamView", "TeamEdit",
        "TeamDelete", "TaskView", "TaskCreate", "TaskCancel", "TaskEdit", "TaskPrioritize", "InterruptionView",
        "InterruptionSubmit", "InterruptionViewSubmitResponsible", "BuiltInFeedPush", "BuiltInFeedAdminister",
        "BuiltInFeedDownload", "ActionTemplateView", "ActionTemplateCreate", "ActionTemplateEdit",
        "ActionTemplateDelete", "LifecycleCreate", "LifecycleView", "LifecycleEdit", "LifecycleDelete", "AccountView",
        "AccountEdit", "AccountCreate", "AccountDelete", "TenantCreate", "TenantEdit", "TenantView", "TenantDelete",
        "TagSetCreate", "TagSetEdit", "TagSetDelete", "MachinePolicyCreate", "MachinePolicyView", "MachinePolicyEdit",
        "MachinePolicyDelete", "ProxyCreate", "ProxyView", "ProxyEdit", "ProxyDelete", "SubscriptionCreate",
        "SubscriptionView", "SubscriptionEdit", "SubscriptionDelete", "TriggerCreate", "TriggerView", "TriggerEdit",
        "TriggerDelete", "CertificateView", "CertificateCreate", "CertificateEdit", "CertificateDelete",
        "CertificateExportPrivateKey", "WorkerView", "WorkerEdit", "BuildInformationPush",
        "BuildInformationAdminister", "RunbookView", "RunbookEdit", "RunbookRunView", "RunbookRunDelete",
        "RunbookRunCreate", "DeploymentFreezeAdminister",
    ]]),
    Role("System administrator", &[
        "AdministerSystem", "ConfigureServer", "EventRetentionDelete", "EventRetentionView", "EventView", "TeamCreate",
        "TeamView", "TeamEdit", "TeamDelete", "TaskView", "TaskCreate", "TaskCancel", "TaskEdit", "SpaceView",
        "SpaceEdit", "SpaceCreate", "SpaceDelete", "UserView", "UserInvite", "UserRoleView", "UserRoleEdit",
        "UserEdit",
    ], &[]),
    Role("System manager", &[
        "ConfigureServer", "EventRetentionDelete", "EventRetentionView", "EventView", "TeamCreate", "TeamView",
        "TeamEdit", "TeamDelete", "TaskView", "TaskCreate", "TaskCancel", "TaskEdit", "SpaceView", "SpaceEdit",
        "SpaceCreate", "SpaceDelete", "UserView", "UserInvite", "UserRoleView", "UserRoleEdit", "UserEdit",
    ], &[]),
    Role("Tenant manager", &[], &[&["TenantCreate", "TenantEdit", "TenantDelete", "TenantView"]]),
];

/// Whether a permission applies at system level only.
pub(crate) fn is_system(name: &str) -> bool {
    PERMISSIONS.iter().any(|p| p.2 == System && p.0.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grant_permissions_that_exist() {
        for Role(name, system, space) in ROLES {
            for p in system.iter().chain(space.iter().copied().flatten()) {
                assert!(PERMISSIONS.iter().any(|known| known.0 == *p), "{name} grants {p}");
            }
        }
    }
}
