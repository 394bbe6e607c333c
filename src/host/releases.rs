//! Releases: find, compare, create, block.

use super::prelude::*;
use super::{
    call::ScriptCall,
    git,
    newest_release::{LatestBy, by_date},
    references::{ChannelRef, ProjectRef, ReleaseRef},
    release::Release,
    release_fields::fields,
    rows::{Reach, RowLimit},
    space::Space,
};
use crate::{
    api::{
        meant::{Keys, same_word, the_one},
        version::{Version, VersionRange},
    },
    error::suggestion,
};

impl OptionValue for VersionRange {
    const KIND: &'static str = "version range";
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        // A release stands for its version.
        let text = match value.clone().try_cast::<Release>() {
            Some(release) => release.release.version.clone(),
            None => Name::read(value)?.into(),
        };
        Self::parse(&text).map_err(|error| error.message().to_owned())
    }
}

impl OptionValue for Version {
    const KIND: &'static str = "version";
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        let text = Name::read(value)?;
        match VersionRange::parse(&text).ok().and_then(|only| only.exact().map(Self::parse)) {
            Some(version) => Ok(version),
            None => Err(format!("`{text}` is not one version")),
        }
    }
}

/// The channel in which a release is looked for.
#[derive(Clone, Copy)]
pub enum ReleaseChannel<'a> {
    /// The project's default channel.
    Default,
    /// The project's channel for ephemeral environments.
    Ephemeral,
    /// The one that the script names.
    Named(&'a ChannelRef),
}

impl<'a> From<Option<&'a ChannelRef>> for ReleaseChannel<'a> {
    fn from(given: Option<&'a ChannelRef>) -> Self {
        given.map_or(Self::Default, Self::Named)
    }
}

/// The release that a version, a range or `"latest"` means, and the rule by which it was chosen.
pub async fn choose(
    place: &Space,
    project: &api::Project,
    version: &str,
    channel: ReleaseChannel<'_>,
) -> Result<(api::Release, Option<String>)> {
    let version = version.trim();
    let latest = same_word(version, "latest");
    let range = if latest { None } else { Some(VersionRange::parse(version)?) };
    if let Some(exact) = range.as_ref().and_then(VersionRange::exact) {
        let release = place.space.release_by_version(project, exact).await?;
        if let ReleaseChannel::Named(name) = channel {
            in_channel(place, project, &release, name).await?;
        }
        return Ok((release, None));
    }
    let channel = match channel {
        ReleaseChannel::Named(name) => place.space.find_channel(project, name.as_str()).await?,
        ReleaseChannel::Ephemeral => place.space.ephemeral_channel(project).await?,
        ReleaseChannel::Default => place.space.default_channel(project).await?,
    };
    let found = place.space.latest_release(project, Some(&channel), range.as_ref()).await?;
    let Some(release) = found else {
        let what = if latest { "release".to_owned() } else { format!("release in `{version}`") };
        let error = Error::new(Kind::NotFound, format!("{} has no {what} in channel {}", project.name, channel.name));
        let known = place.space.releases(&project.id, Some(12)).await.unwrap_or_default();
        return Err(match suggestion(version, known.iter().map(|r| r.version.as_str())) {
            Some(help) if !latest => error.help(help),
            _ => error.help("name another channel with #{channel: \"...\"}, or create a release first"),
        });
    };
    let rule = if latest { "highest version" } else { "highest fitting version" };
    let told = format!("`{version}` of {} is {}: the {rule} in channel {}", project.name, release.version, channel.name);
    Ok((release, Some(told)))
}

/// Fails unless a release is one of the channel that the script names.
async fn in_channel(place: &Space, project: &api::Project, release: &api::Release, name: &ChannelRef) -> Result<()> {
    let channel = place.space.find_channel(project, name.as_str()).await?;
    let Some(own) = release.channel_id.as_ref().filter(|own| **own != channel.id) else { return Ok(()) };
    let own = place.space.channel(own).await?.name;
    Err(Error::new(Kind::NotFound, format!("{} {} is in channel {own}, not in {}", project.name, release.version, channel.name))
        .help("leave `channel` out where the version is written out"))
}

impl Host {
    /// [`choose`], told to the reader when a rule chose.
    pub fn choose<'a>(
        &self,
        place: &Space,
        project: &api::Project,
        version: &str,
        channel: impl Into<ReleaseChannel<'a>>,
    ) -> HostResult<api::Release> {
        let (release, rule) = self.block(choose(place, project, version, channel.into()))?;
        if let Some(rule) = rule {
            self.note_once(rule);
        }
        Ok(release)
    }
}

crate::options! {
    /// Among which releases the highest is looked for.
    pub struct LatestOptions for ["latest"] {
        /// The channel; otherwise the project's default channel.
        channel: Option<ChannelRef> = None, "none";
        /// Only those in a version range, e.g. `"2.*"`.
        range: Option<VersionRange> = None, "none";
        /// What makes a release the latest. With a date, several that share it are an error.
        by: LatestBy = LatestBy::Version, "\"version\"";
    }
}

crate::options! {
    /// Which release.
    pub struct ReleaseOptions for ["release"] {
        /// The channel in which `"latest"` or a range is looked for, otherwise the project's default channel. A version that is
        /// written out must be in it.
        channel: Option<ChannelRef> = None, "none";
    }
}

crate::options! {
    /// Which releases.
    pub struct ReleaseFilter for ["releases"] {
        /// Only those of a channel.
        channel: Option<ChannelRef> = None, "none";
        /// Only those in a version range, e.g. `"2.*"`: all of them, unless `limit` says otherwise.
        range: Option<VersionRange> = None, "none";
        /// How many at most, from 1 to 100000. Without it and without `range` the newest 100; a warning tells when there are more, and
        /// `rows.more` is true.
        limit: Option<RowLimit> = None, "100";
    }
}

crate::options! {
    /// What the release is made of.
    pub struct CreateOptions for ["create_release"] {
        /// The version. Without it the server's next version is taken.
        version: Option<Name> = None, "none";
        /// The channel; otherwise the project's default channel.
        channel: Option<ChannelRef> = None, "none";
        /// Release notes.
        notes: Option<String> = None, "none";
        /// Package versions by step name, e.g. `#{"Deploy web": "1.8.0"}`; otherwise each package's newest.
        packages: Map = Map::new(), "#{}";
        /// For projects in Git: branch, tag or commit; otherwise the default branch. An error for other projects.
        git_ref: Option<Name> = None, "none";
        /// For projects in Git: the commit, when it is not the one that `git_ref` points to.
        git_commit: Option<Name> = None, "none";
        /// References of repositories that steps take files from, by step name, e.g. `#{"Deploy charts": "v2"}`; otherwise their default
        /// branches. A step with several repositories takes a map of them.
        git_resources: Map = Map::new(), "#{}";
        /// Custom fields by name, e.g. `#{Ticket: "OPS-1"}`. Those that the channel asks for must be there.
        fields: Map = Map::new(), "#{}";
        /// Return the release when the version is there already, instead of an error.
        ignore_existing: bool = false, "false";
        /// Ignore the version rules of the channel.
        ignore_channel_rules: bool = false, "false";
    }
}

crate::functions! {
    group "query";

    /// The release with the highest version, in Octopus's version order, of the project's default channel (or of
    /// `channel`); or by a date, of its creation or of its packages. Which one, and why, is printed.
    ///
    /// ```rhai
    /// print(latest("Project A").version);
    /// print(latest("Project A", #{by: "created"}).version);
    /// ```
    fn latest(host: Host, project: ProjectRef; options: LatestOptions) -> "Release" raises "not_found, ambiguous, request" {
        let place = host.place();
        let project = host.block(place.project(&project))?;
        let release = if options.by == LatestBy::Version {
            let range = options.range.as_ref().map(ToString::to_string);
            host.choose(&place, &project, range.as_deref().unwrap_or("latest"), options.channel.as_ref())?
        } else {
            let (release, rule) = host.block(async {
                let channel = match &options.channel {
                    Some(name) => place.space.find_channel(&project, name.as_str()).await?,
                    None => place.space.default_channel(&project).await?,
                };
                by_date(&place, &project, &channel, options.range.as_ref(), options.by).await
            })?;
            host.note_once(rule);
            release
        };
        Ok(Release { place, project: project.name.clone(), release: release.into() })
    }

    /// The releases of a project, newest first: with `range` all in it, otherwise the newest 100.
    ///
    /// ```rhai
    /// for r in releases("Project A", #{range: ">=1 <2"}) { print(r.version); }
    /// ```
    fn releases(host: Host, project: ProjectRef; options: ReleaseFilter) -> "list of Release" raises "not_found, ambiguous, request" {
        let place = host.place();
        let reach = Reach::new(options.limit, options.range.is_some());
        // A range must be looked for among all of them.
        let asked = if options.range.is_none() { reach.asked() } else { None };
        let (project, mut found) = host.block(async {
            let project = place.project(&project).await?;
            let found = match &options.channel {
                Some(name) => place.space.releases_of_channel(&place.space.find_channel(&project, name.as_str()).await?, asked).await?,
                None => place.space.releases(&project.id, asked).await?,
            };
            Ok((project, found))
        })?;
        if let Some(range) = &options.range {
            found.retain(|r| range.holds(&r.version));
        }
        let found = reach.cut(&host, "releases", "`range` returns all in a version range", found);
        Ok(found.map(|release| Release { place: place.clone(), project: project.name.clone(), release: release.into() }))
    }

    /// One release by its version, a version range, or `"latest"`.
    ///
    /// ```rhai
    /// print(release("Project A", "1.1.0").created);
    /// ```
    fn release(host: Host, project: ProjectRef, version: ReleaseRef; options: ReleaseOptions) -> "Release" raises "not_found, ambiguous, request" {
        let place = host.place();
        let project = host.block(place.project(&project))?;
        let release = host.choose(&place, &project, version.as_str(), options.channel.as_ref())?;
        Ok(Release { place, project: project.name.clone(), release: release.into() })
    }

    group "act";

    /// Creates a release of a project and returns it.
    ///
    /// ```rhai
    /// let r = create_release("Project A", #{version: "2.1.0", notes: "made by a script"});
    /// wait(deploy("Project A", r, "Development"));
    /// ```
    fn create_release(host: Host, project: ProjectRef; options: CreateOptions) -> "Release" raises "not_found, ambiguous, refused, in_doubt, request" {
        let place = host.place();
        let project = host.block(place.project(&project))?;
        let there = match &options.version {
            Some(version) if options.ignore_existing => host.block(existing(&place, &project, version, &options))?,
            _ => None,
        };
        let release = match there {
            Some(release) => release,
            None => made(&host, &place, &project, &options)?,
        };
        Ok(Release { place, project: project.name.clone(), release: release.into() })
    }

    /// Changes the notes of a release and nothing else of it, and returns it as it is now; an empty text clears them.
    ///
    /// ```rhai
    /// print(set_notes(latest("Project A"), "approved by the board").notes);
    /// ```
    fn set_notes(host: ScriptCall, release: Dynamic, notes: String) -> "Release" raises "not_found, refused, in_doubt, request" {
        let release = expect_release(host.function(), release)?;
        let arguments = serde_json::json!({"release": release.release.id.to_string(), "notes": notes});
        let changed = host.effect("set notes", &arguments, |_| async { release.place.space.set_release_notes(&release.release.id, &notes).await })?;
        Ok(Release { release: changed.into(), ..release })
    }

    /// Blocks a release: it may not be deployed to further environments until `unblock`. Give a `Release`, such as
    /// `release("Project A", "1.1.0")`.
    ///
    /// ```rhai
    /// block(latest("Project A"), "memory leak, see ticket 4711");
    /// ```
    fn block(host: ScriptCall, release: Dynamic, reason: Name) -> "nothing" raises "not_found, refused, in_doubt, request" {
        let release = expect_release(host.function(), release)?;
        host.effect("block", &release.release.id.to_string().into(), |_| async { release.place.space.block(&release.release.id, &reason).await })
    }

    /// Lets a blocked release go on to further environments.
    ///
    /// ```rhai
    /// let r = latest("Project A");
    /// block(r, "wait for the fix");
    /// unblock(r);
    /// ```
    fn unblock(host: ScriptCall, release: Dynamic) -> "nothing" raises "not_found, refused, in_doubt, request" {
        let release = expect_release(host.function(), release)?;
        host.effect("unblock", &release.release.id.to_string().into(), |_| async { release.place.space.unblock(&release.release.id).await })
    }
}

fn expect_release(function: &str, value: Dynamic) -> HostResult<Release> {
    value.clone().try_cast::<Release>().ok_or_else(|| {
        raise(
            Error::new(Kind::Script, format!("`{function}` takes a Release; got {}", type_in_words(&value)))
                .help("get one with `latest(project)` or `release(project, version)`"),
        )
    })
}

fn made(host: &Host, place: &Space, project: &api::Project, options: &CreateOptions) -> HostResult<api::Release> {
    let plan = host.block(plan(place, project, options))?;
    plan.told.iter().for_each(|told| host.note(Level::Info, told.clone()));
    let packages: Vec<_> = plan.packages.iter().map(|p| (&p.action_name, &p.version)).collect();
    let mut arguments = serde_json::json!({"project": project.id.to_string(), "version": plan.version, "channel": options.channel.as_ref().map(ToString::to_string), "packages": packages});
    // What older records do not know is left out where it says nothing.
    if let Some(at) = &plan.git {
        arguments["git"] = json!(at);
    }
    if !plan.fields.is_empty() {
        arguments["fields"] = json!(plan.fields);
    }
    let release = host.effect("create release", &arguments, |attempt| create(place, project, plan, options, attempt.may_be_done()))?;
    host.note(Level::Info, format!("release {} of {}", release.version, project.name));
    Ok(release)
}

/// What a release is made of, found out before anything is made, and what is to be told of it.
struct PlannedParts {
    channel: api::Channel,
    version: String,
    packages: Vec<api::SelectedPackage>,
    /// Reference and commit in Git.
    git: Option<(String, Option<String>)>,
    resources: Vec<api::SelectedGitResource>,
    fields: BTreeMap<String, String>,
    told: Vec<String>,
}

async fn plan(place: &Space, project: &api::Project, options: &CreateOptions) -> Result<PlannedParts> {
    let commit = options.git_commit.as_deref();
    let git_ref = git::of_release(project, options.git_ref.as_deref().or(commit.filter(|_| project.default_branch().is_none())))?;
    let channel = match &options.channel {
        Some(name) => place.space.find_channel(project, name.as_str()).await?,
        None => place.space.default_channel(project).await?,
    };
    let fields = fields(&channel, &options.fields)?;
    let template = place.space.release_template(project, Some(&channel), git_ref.as_deref()).await;
    let template = match &git_ref {
        Some(git_ref) => git::asked_at(place, project, git_ref, template).await?,
        None => template?,
    };
    let given = given_packages(project, &template, options)?;
    let resources = git::resources(&template.git_resources, &options.git_resources, &project.name)?;
    let (mut packages, mut told) = (Vec::new(), Vec::new());
    if let Some(branch) = git_ref.as_deref().filter(|_| options.git_ref.is_none()) {
        told.push(format!("the release of {} is made of `{branch}`, the default branch", project.name));
    }
    let rules = (!options.ignore_channel_rules).then_some(&channel);
    for package in &template.packages {
        let named = [&package.action_name, &package.step_name].into_iter().find_map(|name| given.get(name.as_str()));
        let version = match named {
            Some(version) => version.clone(),
            None if !package.fixed_version.is_empty() => package.fixed_version.clone(),
            None => {
                let newest = match package.is_resolvable {
                    // The name is made of variables: only a person knows.
                    Some(false) => None,
                    _ => place.space.newest_package(package, rules).await?,
                };
                let newest = newest.ok_or_else(|| no_package(package, &channel))?;
                told.push(format!(
                    "package {} of step {} is {newest}: the newest that channel {} lets in",
                    package.package_id, package.step_name, channel.name
                ));
                newest
            }
        };
        packages.push(api::SelectedPackage {
            package_reference_name: package.reference.clone(),
            ..api::SelectedPackage::new(&package.action_name, version)
        });
    }
    let donor = || {
        let decides = |p: &&api::TemplatePackage| p.step_name == template.versioning_step && p.reference == template.versioning_reference;
        let place = template.packages.iter().position(|p| decides(&p))?;
        packages.get(place).map(|p| p.version.clone())
    };
    let next = Some(template.next_version.clone()).filter(|v| !v.is_empty());
    let Some(version) = options.version.clone().map(String::from).or(next).or_else(donor) else {
        let error = Error::new(Kind::Refused, format!("the server does not say the next version of {}", project.name));
        return Err(error.help("name it with #{version: \"...\"}"));
    };
    let git = git_ref.map(|git_ref| (git_ref, commit.map(str::to_owned)));
    Ok(PlannedParts { channel, version, packages, git, resources, fields, told })
}

/// The versions of packages that were given, by the name of the step (or of its action) as the server writes it.
fn given_packages(project: &api::Project, template: &api::ReleaseTemplate, options: &CreateOptions) -> Result<BTreeMap<String, String>> {
    let mut steps: Vec<&str> = template.packages.iter().flat_map(|p| [p.action_name.as_str(), p.step_name.as_str()]).collect();
    steps.sort_unstable();
    steps.dedup();
    let mut given = BTreeMap::new();
    for (step, version) in &options.packages {
        let Some(name) = the_one("step", step, &steps, |name| Keys::name(name))? else {
            let error = Error::new(Kind::NotFound, format!("no step `{step}` of {} needs a package version", project.name));
            return Err(match suggestion(step, steps) {
                Some(help) => error.help(help),
                None => error.help("`packages` names steps and their versions, like #{\"Deploy web\": \"1.8.0\"}"),
            });
        };
        if given.insert((*name).to_owned(), version.to_string()).is_some() {
            let message = format!("`packages` names the step `{name}` of {} twice", project.name);
            return Err(Error::new(Kind::Script, message).help("give it one version"));
        }
    }
    Ok(given)
}

fn no_package(package: &api::TemplatePackage, channel: &api::Channel) -> Error {
    let feed = if package.feed_name.is_empty() { &package.feed_id } else { &package.feed_name };
    Error::new(
        Kind::NotFound,
        format!(
            "feed {feed} has no version of package `{}` that channel {} lets in, and step `{}` needs one",
            package.package_id, channel.name, package.step_name
        ),
    )
    .help(format!("push one, or name a version: #{{packages: #{{\"{}\": \"1.0.0\"}}}}", package.step_name))
}

/// The release of a version that is there already; none when there is none.
///
/// # Errors
/// `refused` when it is in another channel than the one that is asked for.
async fn existing(place: &Space, project: &api::Project, version: &str, options: &CreateOptions) -> Result<Option<api::Release>> {
    let Some(release) = place.space.find_release(&project.id, version.trim()).await? else { return Ok(None) };
    let wanted = match &options.channel {
        Some(name) => place.space.find_channel(project, name.as_str()).await?,
        None => place.space.default_channel(project).await?,
    };
    match &release.channel_id {
        Some(id) if *id != wanted.id => {
            let channel = place.space.channel(id).await.map_or_else(|_| id.to_string(), |channel| channel.name);
            let asked = if options.channel.is_some() { "" } else { ", the default channel" };
            let message = format!(
                "release `{}` of {} is there already, but in channel {channel}, not in {}{asked}",
                release.version, project.name, wanted.name
            );
            let error = Error::new(Kind::Refused, message).with("release", release.version.clone()).with("channel", channel.clone());
            Err(error.help(format!("take it with #{{channel: \"{channel}\"}}, or create one with another version")))
        }
        _ => Ok(Some(release)),
    }
}

async fn create(
    place: &Space,
    project: &api::Project,
    plan: PlannedParts,
    options: &CreateOptions,
    may_be_done: bool,
) -> Result<api::Release> {
    let mut new = api::NewRelease::new(&project.id, plan.version.clone());
    new.channel = Some(plan.channel.id);
    new.release_notes = options.notes.clone();
    new.ignore_channel_rules = options.ignore_channel_rules;
    new.git = plan.git;
    new.packages = plan.packages;
    new.git_resources = plan.resources;
    new.custom_fields = plan.fields;
    let there = async || match place.space.release_by_version(project, &plan.version).await {
        Ok(release) => Ok(Some(release)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    // An earlier start of the run may have made it.
    if may_be_done && let Some(made) = there().await?.filter(|made| new.is(made)) {
        return Ok(made);
    }
    match place.space.create_release(&new).await {
        Err(error) if error.kind().is_refusal() && options.ignore_existing => {
            existing(place, project, &plan.version, options).await?.ok_or(error)
        }
        other => other,
    }
}
