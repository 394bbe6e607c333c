//! A release as scripts hold it.

use super::prelude::*;
use super::space::Space;

/// A release.
#[derive(Clone)]
pub struct Release {
    /// Where it is.
    pub place: Space,
    /// The project's name.
    pub project: String,
    /// The document, which clones share.
    pub release: Arc<api::Release>,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.project, self.release.version)
    }
}

crate::script_type! {
    /// A release. Wherever a function takes a version it also takes this.
    ///
    /// Beside a text it is its version: `latest("Project A") == "2.0.0"` as it is written, `latest("Project A") >= "1.10"` in Octopus's order.
    /// Releases of one project have that order too. Versions themselves are texts; `<`, `<=`, `>`, `>=` and `sort` go by Octopus's order where a
    /// text looks like a version (`"1.10.0" > "1.9.0"`), and a pre-release comes before its release.
    Release as "Release" shows [project, version, created] {
        /// The version.
        version: "text" = |r| r.release.version.clone();
        /// The id, e.g. `Releases-501`.
        id: "text" = |r| r.release.id.to_string();
        /// The project's name.
        project: "text" = |r| r.project.clone();
        /// The channel's name. Asks the server.
        channel: "text" = |r, host: Host| {
            match &r.release.channel_id { Some(id) => Some(host.block(r.place.space.channel(id))?.name), None => None }
        };
        /// The release notes; empty when there are none.
        notes: "text" = |r| r.release.release_notes.clone();
        /// Custom fields by name.
        fields: "map" = |r| r.release.custom_fields.iter().map(|(name, value)| (name.as_str().into(), value.clone().into())).collect::<Map>();
        /// Branch or tag in Git that it was made of, e.g. `refs/heads/main`; `()` for a project that is not in Git.
        git_ref: "text or ()" = |r| r.release.version_control.as_ref().map(|at| at.git_ref.clone());
        /// Commit in Git that it was made of; `()` for a project that is not in Git.
        git_commit: "text or ()" = |r| r.release.version_control.as_ref().map(|at| at.git_commit.clone());
        /// When it was created.
        created: "Moment" = |r, host: Host| host.moment(r.release.assembled);
        /// Whether its progression is blocked. Asks the server.
        blocked: "true or false" = |r, host: Host| host.block(r.place.space.is_blocked(&r.release.id))?;
        /// The whole document of the server.
        raw: "map" = |r| r.release.raw.clone();
    }
}
