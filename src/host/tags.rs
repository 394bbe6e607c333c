//! Tags of tag sets, as scripts write them.

use super::prelude::*;
use super::{references::TargetTagRef, space::unknown};
use crate::api::{
    meant::{Keys, same_word, the_one},
    tenants::{Tag, TagSet},
};

/// Whether all of the wanted tags are among those that something has.
pub(super) fn has_all(own: &[String], wanted: &[String]) -> bool {
    wanted.iter().all(|tag| own.iter().any(|has| same_word(has, tag)))
}

/// The tags that are meant, of those that there are. One that no set has is an error: a slip would silently choose other things.
fn find<'t>(
    what: &'static str,
    written: impl Iterator<Item = &'t str>,
    known: &'t [Tag],
    keys: fn(&Tag) -> Keys<'_>,
) -> Result<Vec<&'t Tag>> {
    let one = |tag| the_one(what, tag, known, keys)?.ok_or_else(|| unknown(what, tag, known.iter().map(|tag| tag.canonical_name.as_str())));
    written.map(one).collect()
}

/// The tags of the sets that are meant.
async fn known(space: &api::SpaceClient, is_meant: impl Fn(&TagSet) -> bool) -> Result<Vec<Tag>> {
    Ok(space.tag_sets().await?.into_iter().filter(is_meant).flat_map(|set| set.tags).collect())
}

/// Tags as their sets write them, of sets for a kind of thing (`what` in words, `scope` in the server's), or of any set.
pub(super) async fn tags(space: &api::SpaceClient, what: &'static str, scope: Option<&str>, written: &[Name]) -> Result<Vec<String>> {
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let known = known(space, |set| scope.is_none_or(|scope| set.is_for(scope))).await?;
    let found = find(what, written.iter().map(|tag| &**tag), &known, |tag| Keys::name(&tag.canonical_name))?;
    Ok(found.into_iter().map(|tag| tag.canonical_name.clone()).collect())
}

/// The ids of tags of deployment targets, of each list.
pub(super) async fn target_tags<const N: usize>(space: &api::SpaceClient, written: [&[TargetTagRef]; N]) -> Result<[Vec<String>; N]> {
    let mut ids = [const { Vec::new() }; N];
    if written.iter().all(|list| list.is_empty()) {
        return Ok(ids);
    }
    let known = known(space, |set| set.is_for("Target")).await?;
    for (list, ids) in written.into_iter().zip(&mut ids) {
        let found = find("target tag", list.iter().map(|tag| tag.as_str()), &known, |tag| Keys {
            names: [&tag.canonical_name, &tag.name],
            slug: "",
            id: &tag.id,
        })?;
        ids.extend(found.into_iter().map(|tag| tag.id.clone()));
    }
    Ok(ids)
}
