//! Releases: find, compare, create, block and unblock them.

use super::channels::Channel;
use super::decode::{FromJson, document};
use super::encode::{ToJson, editable};
use super::id::{ChannelId, ProjectId, ReleaseId};
use super::meant::same_word;
use super::projects::Project;
use super::repeatable_writes::is_doubt;
use super::spaces::SpaceClient;
use super::version::{Version, VersionRange};
use crate::error::{Error, Kind, Result, suggestion};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

editable! {
    /// A release (octopus-api.md §12.1).
    Release, "release" {
        /// Id as the server wrote it.
        id: ReleaseId = "Id",
        /// Project that it belongs to.
        project_id: ProjectId = "ProjectId",
        /// Its channel; absent on servers before 3.
        channel_id: Option<ChannelId> = "ChannelId",
        /// Version.
        version: String = "Version",
        /// When it was created.
        assembled: Option<Timestamp> = "Assembled",
        /// Release notes.
        release_notes: String = "ReleaseNotes",
        /// The packages it is made of.
        selected_packages: Vec<SelectedPackage> = "SelectedPackages",
        /// Where in Git its deployment process is from; absent for projects whose process is not kept there.
        version_control: Option<GitReference> = "VersionControlReference",
        /// What its variable snapshot is known by: another text whenever it is taken anew; absent on servers before 2026.3.
        snapshot_token: Option<String> = "VariableSnapshotConcurrencyToken",
        /// The references of repositories that its steps take files from.
        git_resources: Vec<SelectedGitResource> = "SelectedGitResources",
        /// Custom fields, by name.
        custom_fields: BTreeMap<String, String> = "CustomFields",
    }
}

editable! {
    /// A place in Git.
    GitReference {
        /// The reference: `refs/heads/main`.
        git_ref: String = "GitRef",
        /// The commit.
        git_commit: String = "GitCommit",
    }
}

editable! {
    /// Which version of a package a release holds.
    SelectedPackage {
        /// The action that uses it.
        action_name: String = "ActionName",
        /// The package of that action, when it has several.
        package_reference_name: String = "PackageReferenceName",
        /// The version.
        version: String = "Version",
    }
}

editable! {
    /// Which reference of a repository a release holds, for a step that takes files from it.
    SelectedGitResource {
        /// The action that uses it.
        action_name: String = "ActionName",
        /// Which of that action's repositories, when it has several.
        name: String = "GitResourceReferenceName",
        /// The reference.
        at: Option<GitReference> = "GitReferenceResource",
    }
}

impl SelectedPackage {
    /// A version for the package of an action that has only one.
    pub fn new(action_name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { action_name: action_name.into(), version: version.into(), ..Self::default() }
    }
}

document! {
    /// Why a release may not go on to further environments.
    Defect, "defect" {
        /// `Unresolved` or `Resolved`.
        status: String = "Status",
    }
}

/// A release to be created.
#[derive(Clone, Debug, Default)]
pub struct NewRelease {
    /// The project.
    pub project: ProjectId,
    /// The channel; the default channel when absent.
    pub channel: Option<ChannelId>,
    /// The version; the server does not work it out here (octopus-api.md §12.2).
    pub version: String,
    /// Release notes.
    pub release_notes: Option<String>,
    /// Package versions.
    pub packages: Vec<SelectedPackage>,
    /// Whether the channel's version rules count.
    pub ignore_channel_rules: bool,
    /// For projects in git: the reference (`refs/heads/main`) and, if it matters, the commit.
    pub git: Option<(String, Option<String>)>,
    /// References of the repositories that steps take files from.
    pub git_resources: Vec<SelectedGitResource>,
    /// Custom fields.
    pub custom_fields: BTreeMap<String, String>,
}

impl NewRelease {
    /// A release with what it must have.
    pub fn new(project: &ProjectId, version: impl Into<String>) -> Self {
        Self { project: project.clone(), version: version.into(), ..Self::default() }
    }

    /// Whether a release is what was asked for: what was left to the server may be anything.
    pub fn is(&self, release: &Release) -> bool {
        let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        let holds = |wanted: &SelectedPackage| {
            release.selected_packages.iter().any(|one| {
                one.action_name == wanted.action_name
                    && one.package_reference_name == wanted.package_reference_name
                    && one.version == wanted.version
            })
        };
        let same_commit = |(_, commit): &(String, Option<String>)| {
            let at = release.version_control.as_ref().map(|at| at.git_commit.as_str());
            commit.as_deref().is_none_or(|commit| at.is_none_or(|its| same_word(its, commit)))
        };
        self.project == release.project_id
            && self.git.as_ref().is_none_or(same_commit)
            && self.custom_fields.iter().all(|(name, value)| release.custom_fields.get(name).is_none_or(|its| its == value))
            && self.channel.as_ref().is_none_or(|channel| release.channel_id.as_ref().is_none_or(|its| its == channel))
            && self.release_notes.as_ref().is_none_or(|notes| lines(notes) == lines(&release.release_notes))
            && self.packages.iter().all(holds)
    }

    fn body(&self) -> Value {
        let packages: Vec<Value> = self
            .packages
            .iter()
            .map(|p| json!({"ActionName": p.action_name, "PackageReferenceName": p.package_reference_name, "Version": p.version}))
            .collect();
        let mut body = json!({
            "ProjectId": self.project.as_str(),
            "Version": self.version,
            "SelectedPackages": packages,
            "IgnoreChannelRules": self.ignore_channel_rules,
        });
        if let Some(channel) = &self.channel {
            body["ChannelId"] = channel.into();
        }
        if let Some(notes) = &self.release_notes {
            body["ReleaseNotes"] = notes.as_str().into();
        }
        if let Some((reference, commit)) = &self.git {
            body["VersionControlReference"] = json!({"GitRef": reference, "GitCommit": commit});
        }
        if !self.git_resources.is_empty() {
            body["SelectedGitResources"] = self.git_resources.iter().map(ToJson::to_json).collect();
        }
        if !self.custom_fields.is_empty() {
            body["CustomFields"] = self.custom_fields.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect::<Map<_, _>>().into();
        }
        body
    }
}

/// How two releases of a project are ordered: by version, and by when they were made where the versions differ in metadata only. Only a
/// release and itself are equal: what is the same is decided by the id.
pub fn order(a: (&ReleaseId, &str), b: (&ReleaseId, &str)) -> Ordering {
    if a.0 == b.0 { Ordering::Equal } else { Version::parse(a.1).cmp(&Version::parse(b.1)).then_with(|| a.0.cmp(b.0)) }
}

/// The error for a release that somebody else made while ours was under way.
pub(crate) fn not_ours(version: &str) -> Error {
    Error::new(Kind::Refused, format!("release `{version}` was made by somebody else meanwhile, with other contents"))
        .help("look at its packages, channel and notes; `#{ignore_existing: true}` takes it as it is")
}

impl SpaceClient {
    /// A release by id.
    pub async fn release(&self, id: &ReleaseId) -> Result<Release> {
        self.client().fetch(&self.route("releases").then(id)).await
    }

    /// Those of the releases that the server knows, a hundred a request.
    pub async fn known_releases(&self, ids: &[ReleaseId]) -> Result<HashMap<ReleaseId, Release>> {
        let mut found = HashMap::new();
        self.each_known_release(ids, |release| drop(found.insert(release.id.clone(), release))).await?;
        Ok(found)
    }

    /// Gives those of the releases that the server knows to `take`, one after the other.
    pub async fn each_known_release(&self, ids: &[ReleaseId], take: impl FnMut(Release) + Send) -> Result<()> {
        self.client().each_by_id(&self.route("releases"), ids, None, &Release::read, take).await
    }

    /// A project's releases, newest first.
    pub async fn releases(&self, project: &ProjectId, limit: Option<usize>) -> Result<Vec<Release>> {
        self.client().list(&self.route("projects").then(project).then("releases"), limit).await
    }

    /// A channel's releases, newest first.
    pub async fn releases_of_channel(&self, channel: &Channel, limit: Option<usize>) -> Result<Vec<Release>> {
        self.client().list(&self.route("channels").then(&channel.id).then("releases"), limit).await
    }

    /// The release of `project` with exactly this version.
    pub async fn release_by_version(&self, project: &Project, version: &str) -> Result<Release> {
        let version = version.trim();
        if let Some(release) = self.find_release(&project.id, version).await? {
            return Ok(release);
        }
        let known = self.releases(&project.id, Some(100)).await?;
        let error = Error::new(Kind::NotFound, format!("project `{}` has no release `{version}`", project.name)).with("wanted", version);
        Err(match suggestion(version, known.iter().map(|r| r.version.as_str())) {
            Some(help) => error.help(help),
            None => match known.first() {
                Some(newest) => error.help(format!("the newest is `{}`", newest.version)),
                None => error.help("it has no release at all"),
            },
        })
    }

    /// The release of a project with exactly this version; none when there is none.
    pub async fn find_release(&self, project: &ProjectId, version: &str) -> Result<Option<Release>> {
        if version.is_empty() {
            return Ok(None);
        }
        self.client().fetch_opt(&self.route("projects").then(project).then("releases").then(version)).await
    }

    /// Whether `release` lies in `range`. One version means the release of exactly that version: others may differ from it in their
    /// metadata only.
    pub async fn is_in(&self, release: &Release, range: &VersionRange) -> Result<bool> {
        if !range.matches(&Version::parse(&release.version)) {
            return Ok(false);
        }
        let Some(exact) = range.exact() else { return Ok(true) };
        if same_word(exact, &release.version) {
            return Ok(true);
        }
        match self.find_release(&release.project_id, exact).await? {
            Some(other) => Ok(other.id == release.id),
            // `1.0` means `1.0.0` where there is no release `1.0`; who names metadata means these.
            None => Ok(!exact.contains('+')),
        }
    }

    /// The release with the highest version, in Octopus's order of versions, among those of `channel` (all channels when
    /// absent) that lie in `range`. None when there is none.
    pub async fn latest_release(
        &self,
        project: &Project,
        channel: Option<&Channel>,
        range: Option<&VersionRange>,
    ) -> Result<Option<Release>> {
        let all = match channel {
            Some(channel) => self.releases_of_channel(channel, None).await?,
            None => self.releases(&project.id, None).await?,
        };
        let fits = |v: &Version| range.is_none_or(|range| range.matches(v));
        // Newest last, so that the newest wins among versions that differ in their metadata only.
        Ok(all
            .into_iter()
            .rev()
            .map(|r| (Version::parse(&r.version), r))
            .filter(|(v, _)| fits(v))
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, r)| r))
    }

    /// Creates a release.
    ///
    /// A lost answer is no doubt here, because versions are unique in a project (octopus-api.md §12.2): the release is
    /// looked for, and created again when it is not there; if the first request arrives late after all, or the request was delivered
    /// twice, one of the two is refused. A release that was not there before and has what was asked for is ours; one of that version
    /// with other contents is somebody else's.
    ///
    /// # Errors
    /// `refused` when a release of that version is there, or comes from somebody else meanwhile.
    pub async fn create_release(&self, new: &NewRelease) -> Result<Release> {
        let route = self.route("releases");
        let route = if new.ignore_channel_rules { route.with("ignoreChannelRules", true) } else { route };
        let was_there = self.find_release(&new.project, &new.version).await?.is_some();
        for _ in 0..3 {
            match self.client().submit::<Release>("POST", &route, Some(&new.body())).await {
                Err(error) if is_doubt(&error) || error.kind().is_refusal() => {
                    self.client().cancel().check()?;
                    match self.find_release(&new.project, &new.version).await? {
                        Some(release) if !was_there && new.is(&release) => return Ok(release),
                        Some(_) if is_doubt(&error) => return Err(not_ours(&new.version)),
                        _ if error.kind().is_refusal() => return Err(error),
                        _ => {}
                    }
                }
                other => return other,
            }
        }
        Err(Error::new(Kind::Unreachable, format!("release `{}` could not be created: three answers were lost", new.version)))
    }

    /// Takes the variables of a release anew, where the project's are others than those it has taken. Returns whether they were.
    ///
    /// What was compared is what is changed: the token of the snapshot is sent with it, where the server has one. A lost answer is looked
    /// for: the release has the project's variables then.
    ///
    /// # Errors
    /// `conflict` when somebody else took them anew meanwhile and the project's are others again; `forbidden` without ReleaseEdit.
    pub async fn renew_variables(&self, release: &ReleaseId) -> Result<bool> {
        let route = self.route("releases").then(release);
        let before: Release = self.client().fetch(&route).await?;
        let is_current = async || Ok(!self.deployment_template(release).await?.has_other_variables());
        if is_current().await? {
            return Ok(false);
        }
        let mut body = json!({"ReleaseId": release.as_str(), "SpaceId": self.space().id.as_str()});
        if let Some(token) = &before.snapshot_token {
            body["VariableSnapshotConcurrencyToken"] = token.as_str().into();
        }
        let post = route.then("snapshot-variables");
        let send = async || self.client().send("POST", post.as_str(), Some(&body)).await.map(drop);
        self.client().repeat(send, async || Ok(is_current().await?.then_some(()))).await.map_err(|error| match error.kind() {
            Kind::Conflict => error.context(format!(
                "the variables of release {} were taken anew by somebody else meanwhile, and the project's were changed again",
                before.version
            )),
            _ => error,
        })?;
        Ok(true)
    }

    /// Changes the notes of a release. Servers before 2026.3 take the whole release instead, in which somebody else's change at the same
    /// moment is lost.
    pub async fn set_release_notes(&self, release: &ReleaseId, notes: &str) -> Result<Release> {
        let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        let look = async || Ok(Some(self.release(release).await?).filter(|now| lines(&now.release_notes) == lines(notes)));
        let own = self.route("releases").then(release);
        let route = self.route("releases").then(release).then("release-notes");
        let body = json!({"ReleaseId": release.as_str(), "SpaceId": self.space().id.as_str(), "ReleaseNotes": notes});
        match self.client().repeat(async || self.client().submit::<Release>("POST", &route, Some(&body)).await, look).await {
            Err(error) if error.kind() == Kind::NotFound => {
                let mut whole = self.release(release).await?;
                notes.clone_into(&mut whole.release_notes);
                self.client().repeat(async || self.client().save(&own, &whole).await, look).await
            }
            other => other,
        }
    }

    /// The defects of a release, resolved ones too.
    pub async fn defects(&self, release: &ReleaseId) -> Result<Vec<Defect>> {
        self.client().list(&self.route("releases").then(release).then("defects"), None).await
    }

    /// Keeps a release from going on to further environments; a release that is blocked already stays as it is.
    pub async fn block(&self, release: &ReleaseId, reason: &str) -> Result<()> {
        if self.is_blocked(release).await? {
            return Ok(());
        }
        let (route, body) = (self.route("releases").then(release).then("defects"), json!({"Description": reason}));
        let send = async || self.client().send("POST", route.as_str(), Some(&body)).await.map(drop);
        self.client().repeat(send, async || Ok(self.is_blocked(release).await?.then_some(()))).await
    }

    /// Lets a blocked release go on; one that is not blocked stays as it is.
    pub async fn unblock(&self, release: &ReleaseId) -> Result<()> {
        if !self.is_blocked(release).await? {
            return Ok(());
        }
        let route = self.route("releases").then(release).then("defects").then("resolve");
        let send = async || self.client().send("POST", route.as_str(), Some(&json!({}))).await.map(drop);
        self.client().repeat(send, async || Ok((!self.is_blocked(release).await?).then_some(()))).await
    }

    /// Whether a release has an unresolved defect.
    pub async fn is_blocked(&self, release: &ReleaseId) -> Result<bool> {
        Ok(self.defects(release).await?.iter().any(|d| same_word(&d.status, "Unresolved")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::decode::Document as _;

    #[test]
    fn releases_that_differ_in_metadata_are_ordered_by_when_they_were_made() {
        let release = |number: u64, version: &'static str| (ReleaseId::from(format!("Releases-{number}").as_str()), version);
        let cases = [
            (release(7, "1.0.0+b2"), release(9, "1.0.0+b1"), Ordering::Less),
            (release(10, "1.0.0+b1"), release(9, "1.0.0+b2"), Ordering::Greater),
            (release(7, "2.0.0"), release(9, "1.0.0"), Ordering::Greater),
            (release(7, "1.0.0"), release(7, "1.0.0"), Ordering::Equal),
        ];
        for ((a, a_version), (b, b_version), expected) in cases {
            assert_eq!(order((&a, a_version), (&b, b_version)), expected, "{a} {a_version} and {b} {b_version}");
        }
    }

    #[test]
    fn a_release_is_ours_when_it_has_what_was_asked_for() {
        let made = |notes: &str, version: &str| {
            Release::decode(json!({
                "Id": "Releases-7", "ProjectId": "Projects-1", "ChannelId": "Channels-1", "Version": "3.0.0", "ReleaseNotes": notes,
                "SelectedPackages": [{"ActionName": "Deploy", "PackageReferenceName": "", "Version": version}],
            }))
            .expect("a release")
        };
        let mut new = NewRelease::new(&"Projects-1".into(), "3.0.0");
        new.packages = vec![SelectedPackage::new("Deploy", "1.8.0")];
        assert!(new.is(&made("what the server writes by itself", "1.8.0")));
        assert!(!new.is(&made("", "1.9.0")));
        new.release_notes = Some("one\ntwo".to_owned());
        assert!(new.is(&made("one\r\ntwo\r\n", "1.8.0")) && !new.is(&made("one", "1.8.0")));
        new.channel = Some("Channels-2".into());
        assert!(!new.is(&made("one\ntwo", "1.8.0")));
    }
}
