//! The typed Octopus client, usable as a library by itself.
//!
//! [`Client`] is the only door to the network; [`Client::space`] gives a [`SpaceClient`], which has the nouns, one file
//! each. All share `decode` (JSON), `address` (paths) and `resource` (paging, finding by id, slug or name).

mod address;
mod answer;
pub mod channels;
pub mod client;
pub mod decode;
pub mod deployments;
pub mod environments;
pub mod id;
pub mod marked;
pub mod projects;
pub mod releases;
pub mod resource;
pub mod spaces;
mod stats;
pub mod tasks;
mod tls;
pub mod version;

pub use address::Route;
pub use channels::Channel;
pub use client::{Client, OnRetry, Settings};
pub use deployments::{Deployment, DeploymentQuery, NewDeployment};
pub use environments::Environment;
pub use id::*;
pub use projects::{Project, ProjectGroup, ProjectQuery};
pub use releases::{Defect, NewRelease, Release, SelectedPackage};
pub use spaces::{Space, SpaceClient};
pub use stats::Stats;
pub use tasks::{Activity, ActivityStatus, LogLine, Task, TaskDetails, TaskQuery, TaskState};
pub use version::{Version, VersionRange};

/// How to log in. Never printed.
#[derive(Clone)]
pub enum Credential {
    /// Header `X-Octopus-ApiKey`.
    ApiKey(String),
    /// Header `Authorization: Bearer`.
    AccessToken(String),
}
