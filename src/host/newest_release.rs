//! The latest release by another measure than its version: when it was created, or when its packages were published.

use super::prelude::*;
use super::space::Space;
use crate::api::version::VersionRange;

crate::words! {
    /// What makes a release the latest.
    pub enum LatestBy {
        /// The highest version, in Octopus's order.
        Version = "version",
        /// The release whose newest package was published last.
        Published = "published",
        /// The release that was created last.
        Created = "created",
    }
}

/// The latest release of a channel by a date, and the rule by which it was chosen.
///
/// # Errors
/// `ambiguous` when several have the same date, `not_found` when none has one.
pub async fn by_date(
    place: &Space,
    project: &api::Project,
    channel: &api::Channel,
    range: Option<&VersionRange>,
    by: LatestBy,
) -> Result<(api::Release, String)> {
    let mut all = place.space.releases_of_channel(channel, None).await?;
    all.retain(|release| range.is_none_or(|range| range.holds(&release.version)));
    let published = if by == LatestBy::Published { Some(published(place, project, channel).await?) } else { None };
    let date = |release: &api::Release| match &published {
        None => release.assembled,
        Some(packages) => release.selected_packages.iter().filter_map(|one| packages.get(&key(one, &one.version)).copied()).max(),
    };
    let dated: Vec<(Timestamp, api::Release)> = all.into_iter().filter_map(|release| Some((date(&release)?, release))).collect();
    let Some(last) = dated.iter().map(|(at, _)| *at).max() else {
        let what = if published.is_some() { "a package whose date of publication is known" } else { "a date" };
        let within = range.map_or_else(String::new, |range| format!(" in `{range}`"));
        let message = format!("no release of {}{within} in channel {} has {what}", project.name, channel.name);
        return Err(Error::new(Kind::NotFound, message).help("look at another channel with #{channel: \"...\"}, or by \"version\""));
    };
    let mut found: Vec<api::Release> = dated.into_iter().filter(|(at, _)| *at == last).map(|(_, release)| release).collect();
    let rule = if published.is_some() { "newest package was published last" } else { "was created last" };
    if found.len() > 1 {
        let versions: Vec<String> = found.iter().map(|release| format!("`{}`", release.version)).collect();
        let both = if published.is_some() { "share their newest package" } else { "were created at the same moment" };
        let message =
            format!("several releases of {} in channel {} are the latest: {} {both}", project.name, channel.name, versions.join(" and "));
        return Err(Error::new(Kind::Ambiguous, message).help("name one, or choose by \"version\""));
    }
    let release = found.swap_remove(0);
    let whose = if published.is_some() { "the release whose" } else { "the release that" };
    let told = format!("the latest of {} is {}: {whose} {rule}, in channel {}", project.name, release.version, channel.name);
    Ok((release, told))
}

/// A package of a step in a version.
type PackageOfStep = (String, String, String);

fn key(one: &api::SelectedPackage, version: &str) -> PackageOfStep {
    (one.action_name.to_lowercase(), one.package_reference_name.to_lowercase(), version.to_lowercase())
}

/// When each version of each package that the project takes was published.
async fn published(place: &Space, project: &api::Project, channel: &api::Channel) -> Result<HashMap<PackageOfStep, Timestamp>> {
    let template = place.space.release_template(project, Some(channel), project.default_branch()).await?;
    let mut known = HashMap::new();
    for package in template.packages.iter().filter(|package| package.is_resolvable != Some(false)) {
        let place_of = |name: &str| api::SelectedPackage {
            package_reference_name: package.reference.clone(),
            ..api::SelectedPackage::new(name, String::new())
        };
        for version in place.space.package_versions(package).await? {
            let Some(at) = version.published else { continue };
            for name in [&package.action_name, &package.step_name] {
                known.insert(key(&place_of(name), &version.version), at);
            }
        }
    }
    Ok(known)
}
