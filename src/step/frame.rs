//! The frame: what a launcher writes on our pipe before anything else (octopus-step-contract.md §6.1).
//!
//! Pairs of name and value, each ended by NUL, in UTF-8, until the end of file. A name that is absent is not set; an empty value is one.
//! Names that begin with `@` are ours, all others are variables of Octopus. Names of variables are matched without case.

/// The only value of [`PROTOCOL`] so far.
pub const VERSION: &str = "1";
/// The first pair, so that a later launcher is not misread.
pub const PROTOCOL: &str = "@protocol";
/// Names of variables whose values are secret, a line each: Octopus does not tell a script which ones are.
pub const SECRETS: &str = "@secrets";
/// Id and version of the step template.
pub const TEMPLATE: &str = "@template";
/// What stands before the names of the script's parameters, without the dot: `Octorhai.MasterProject`.
pub const PREFIX: &str = "@prefix";
/// The name of the script, for messages: `master-project.rhai`.
pub const NAME: &str = "@name";
/// The text of the script in base64: nothing on the way touches that.
pub const SCRIPT: &str = "@script";
/// Followed by the path of an imported file as an import names it (`@file:lib/rings.rhai`): its text in base64.
pub const FILE: &str = "@file:";

/// Members of a template's own parameters that say where the server is and who we are, behind the prefix and a dot.
pub mod connection {
    /// The address of the server; without one it is what Octopus says of itself.
    pub const URL: &str = "Server.Url";
    /// A secret: an API key.
    pub const API_KEY: &str = "Server.ApiKey";
    /// A secret: an access token.
    pub const ACCESS_TOKEN: &str = "Server.AccessToken";
    /// An OpenID Connect account; its members are `.Audience` and `.OpenIdConnect.Jwt`.
    pub const ACCOUNT: &str = "Server.Account";
}

/// The variables of Octopus that a launcher hands on: what a run must know of its step, and nothing else.
pub const SYSTEM_VARIABLES: &[&str] = &[
    "Octopus.Action.ExecutionTimeout.Minutes",
    "Octopus.Action.FailScriptOnErrorOutput",
    "Octopus.Action.Id",
    "Octopus.Action.Name",
    "Octopus.Deployment.CreatedBy.DisplayName",
    "Octopus.Deployment.CreatedBy.Username",
    "Octopus.Deployment.Id",
    "Octopus.Deployment.Tenant.Id",
    "Octopus.Deployment.Tenant.Name",
    "Octopus.Environment.Id",
    "Octopus.Environment.Name",
    "Octopus.Machine.Id",
    "Octopus.Machine.Name",
    "Octopus.Project.Id",
    "Octopus.Project.Name",
    "Octopus.Release.Channel.Name",
    "Octopus.Release.Id",
    "Octopus.Release.Number",
    "Octopus.RunbookRun.Id",
    "Octopus.Runbook.Name",
    "Octopus.Space.Id",
    "Octopus.Space.Name",
    "Octopus.Step.Name",
    "Octopus.Task.ConcurrencyTag",
    "Octopus.Task.Id",
    "Octopus.Web.BaseUrl",
    "Octopus.Web.ServerUri",
    "Octopus.WorkerPool.Id",
    "OctopusBypassDeploymentMutex",
];
