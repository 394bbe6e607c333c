//! Custom fields of releases: what a channel asks for, and what a script gives.

use super::prelude::*;
use crate::api::meant::{Keys, the_one};

/// The custom fields of a new release, by the names that its channel gives them.
///
/// # Errors
/// `not_found` for a field that the channel does not have, where it has any; `refused` when one that it asks for is missing.
pub fn fields(channel: &api::Channel, given: &Map) -> Result<BTreeMap<String, String>> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in given {
        let known = the_one("custom field", name, &channel.custom_fields, |field| Keys::name(&field.name))?;
        if known.is_none() && !channel.custom_fields.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("channel {} has no custom field `{name}`", channel.name))
                .suggest(name, channel.custom_fields.iter().map(|field| field.name.as_str())));
        }
        let text = Name::read(value.clone()).map_err(|why| Error::new(Kind::Script, format!("the custom field `{name}`: {why}")))?;
        let name = known.map_or(name.as_str(), |field| field.name.as_str());
        if fields.insert(name.to_owned(), text.into()).is_some() {
            return Err(Error::new(Kind::Script, format!("`fields` names the custom field `{name}` twice")).help("give it one value"));
        }
    }
    let missing: Vec<_> = channel.custom_fields.iter().filter(|field| !fields.contains_key(&field.name)).collect();
    let Some(first) = missing.first() else { return Ok(fields) };
    let named = |field: &&api::channels::CustomField| match field.description.trim() {
        "" => format!("`{}`", field.name),
        about => format!("`{}` ({about})", field.name),
    };
    let all: Vec<String> = missing.iter().map(named).collect();
    let message = format!("releases of channel {} need the custom field {}", channel.name, all.join(" and "));
    Err(Error::new(Kind::Refused, message).help(format!("give it: #{{fields: #{{\"{}\": \"...\"}}}}", first.name)))
}
