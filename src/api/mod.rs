//! The typed Octopus client, usable as a library by itself.
//!
//! [`Client`] is the only door to the network; [`Client::space`] gives a [`SpaceClient`], which has the nouns, one file
//! each. All share `decode` and `encode` (JSON), `address` (paths) and `resource` (paging), `meant` (which one a name, a slug or an id stands for).

pub mod action_templates;
mod address;
mod answer;
pub mod artifacts;
mod bounded;
pub mod channels;
mod children;
pub mod client;
pub mod dashboards;
pub mod decode;
pub mod deployments;
pub mod encode;
pub mod environments;
pub mod events;
pub mod freezes;
pub mod id;
pub mod interruptions;
pub mod keys;
pub mod lifecycles;
pub mod machines;
pub mod marked;
pub mod meant;
mod moment;
pub mod oidc;
pub mod poller;
pub mod previews;
pub mod processes;
pub mod projects;
mod read;
pub mod releases;
mod repeated;
pub mod resource;
mod retry;
pub mod runbooks;
pub mod server;
pub mod spaces;
mod stats;
pub mod tape;
pub mod tasks;
pub mod tenants;
mod tls;
pub mod users;
pub mod variables;
pub mod version;

pub use action_templates::{ActionTemplate, TemplateUse};
pub use address::{Route, base_address, web_url};
pub use artifacts::Artifact;
pub(crate) use bounded::weight;
pub use channels::Channel;
pub use client::{BeforeWrite, Client, Dry, OnRetry, Settings};
pub use dashboards::{Dashboard, DashboardItem, Progression, ReleaseProgression};
pub use deployments::{Deployment, DeploymentQuery, NewDeployment};
pub use environments::Environment;
pub use events::{Event, EventQuery};
pub use freezes::Freeze;
pub use id::*;
pub use interruptions::Interruption;
pub use keys::ApiKey;
pub use lifecycles::{Lifecycle, Phase};
pub use poller::{Poller, Watch};
pub use previews::{DeploymentTemplate, Preview, Prompt, ReleaseTemplate, TemplatePackage};
pub use processes::Process;
pub use projects::{Project, ProjectGroup, ProjectQuery};
pub use releases::{Defect, GitReference, NewRelease, Release, SelectedPackage};
pub use resource::{Other, pick};
pub use retry::patiently;
pub use runbooks::{NewRunbookRun, Runbook, RunbookRun, RunbookRunQuery};
pub use server::ServerInfo;
pub use spaces::{Space, SpaceClient};
pub use stats::Stats;
pub use tasks::{Activity, ActivityStatus, LogLine, Task, TaskDetails, TaskQuery, TaskState};
pub use tenants::{TagSet, Tenant, TenantQuery};
pub use users::{Permissions, User};
pub use variables::{LibraryVariableSet, Variable, VariableSet};
pub use version::{Version, VersionRange};

/// How to log in. Never printed.
#[derive(Clone)]
pub enum Credential {
    /// Header `X-Octopus-ApiKey`.
    ApiKey(String),
    /// Header `Authorization: Bearer`.
    AccessToken(String),
}
