//! Writing documents back: what was changed in the typed view is put into the JSON it was read from, and nothing else.
//!
//! Octopus takes whole documents with PUT, and a member that is left out is a member set to nothing. So what is written
//! starts from `raw`: members without a type, the order of members, and the spelling of values that still read the same
//! (`null` or `""` or absent, `"True"` or `true`) stay as the server sent them.

use super::address::Route;
use super::client::Client;
use super::decode::{Document, FromJson, Links, maybe};
use crate::error::Result;
use crate::json::JsonText;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What can be written as JSON.
pub trait ToJson: FromJson + PartialEq {
    /// Writes this over `place`, which holds what was there before, or null.
    fn write(&self, place: &mut Value);

    /// This as JSON.
    fn to_json(&self) -> Value {
        let mut place = Value::Null;
        self.write(&mut place);
        place
    }
}

/// Whether what stands there reads as `value` already.
fn reads_as<T: ToJson>(there: Option<&Value>, value: &T) -> bool {
    let there = there.map(JsonText::from);
    maybe::<T>(there.as_ref().map(JsonText::json)).is_ok_and(|read| read == *value)
}

/// Sets member `name`, unless it reads as `value` already.
pub fn set<T: ToJson>(object: &mut Map<String, Value>, name: &str, value: &T) {
    if !reads_as(object.get(name), value) {
        value.write(object.entry(name).or_insert(Value::Null));
    }
}

/// A time as Octopus writes it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string()
}

impl ToJson for Value {
    fn write(&self, place: &mut Value) {
        *place = self.clone();
    }
}

impl ToJson for String {
    fn write(&self, place: &mut Value) {
        *place = self.as_str().into();
    }
}

impl ToJson for bool {
    fn write(&self, place: &mut Value) {
        *place = (*self).into();
    }
}

impl ToJson for i64 {
    fn write(&self, place: &mut Value) {
        *place = (*self).into();
    }
}

impl ToJson for Timestamp {
    fn write(&self, place: &mut Value) {
        *place = stamp(*self).into();
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, place: &mut Value) {
        match self {
            Some(value) => value.write(place),
            None => *place = Value::Null,
        }
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, place: &mut Value) {
        let before = place.take();
        let kept = |index: usize, item: &T| before.get(index).filter(|there| reads_as(Some(there), item)).cloned();
        *place = self.iter().enumerate().map(|(index, item)| kept(index, item).unwrap_or_else(|| item.to_json())).collect();
    }
}

impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn write(&self, place: &mut Value) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(members) = place.as_object_mut() else { return };
        members.retain(|name, there| there.is_null() || self.contains_key(name));
        for (name, value) in self {
            match members.get_mut(name) {
                Some(there) if reads_as(Some(there), value) => {}
                Some(there) => value.write(there),
                None => drop(members.insert(name.clone(), value.to_json())),
            }
        }
    }
}

/// Links are the server's: they are sent back as they came.
impl ToJson for Links {
    fn write(&self, _: &mut Value) {}
}

/// Declares a document, or a part of one when no noun is given, that can be changed and written back.
macro_rules! editable {
    ($(#[$meta:meta])* $name:ident, $noun:literal { $($fields:tt)* }) => {
        $crate::api::decode::document! { $(#[$meta])* $name, $noun { $($fields)* } }
        $crate::api::encode::written! { $name { $($fields)* } }
    };
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* }) => {
        $crate::api::decode::kept! { $(#[$meta])* $name { $($fields)* } }
        $crate::api::encode::written! { $name { $($fields)* } }
    };
}

macro_rules! written {
    ($name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $member:literal,)* }) => {
        impl $crate::api::encode::ToJson for $name {
            /// What stands there does not matter: parts may have been moved, so each knows the JSON it was read from.
            fn write(&self, place: &mut serde_json::Value) {
                let mut raw = self.raw.tree();
                if !raw.is_object() {
                    raw = serde_json::json!({});
                }
                if let Some(members) = raw.as_object_mut() {
                    $($crate::api::encode::set(members, $member, &self.$field);)*
                }
                *place = raw;
            }
        }
    };
}

pub(crate) use {editable, written};

impl Client {
    /// Sends a document back with PUT, with what was changed in it, and returns how it is now. Two who save the same
    /// document overwrite each other, unless it has a `Version` that the server compares. A lost answer is `in_doubt`.
    pub async fn save<T: Document + ToJson>(&self, route: &Route, document: &T) -> Result<T> {
        self.submit("PUT", route, Some(&document.to_json())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Channel, Freeze, Release, Tenant, channels::ChannelRule};
    use serde_json::json;

    fn read<T: Document>(body: &Value) -> T {
        T::decode(body.clone()).expect("it decodes")
    }

    #[test]
    fn null_empty_and_absent_stay_as_the_server_spelt_them() {
        for lifecycle in [json!({}), json!({"LifecycleId": null}), json!({"LifecycleId": ""})] {
            let mut body =
                json!({"Id": "channels-1", "Name": "Main", "ProjectId": {"Value": "Projects-1"}, "IsDefault": "True", "Later": 1.5});
            for (name, value) in lifecycle.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
            let mut channel: Channel = read(&body);
            assert_eq!(channel.to_json().to_string(), body.to_string());
            // The same id in another case is the same id.
            channel.project_id = "projects-1".into();
            assert_eq!(channel.to_json().to_string(), body.to_string());
            channel.lifecycle_id = Some("Lifecycles-2".into());
            body["LifecycleId"] = json!("Lifecycles-2");
            assert_eq!(channel.to_json().to_string(), body.to_string());
            let mut channel: Channel = read(&body);
            channel.lifecycle_id = None;
            body["LifecycleId"] = json!(null);
            assert_eq!(channel.to_json().to_string(), body.to_string());
        }
    }

    #[test]
    fn parts_keep_the_members_nobody_has_a_type_for() {
        let mut body = json!({"Id": "Channels-1", "Name": "Main", "ProjectId": "Projects-1", "Rules": [
            {"Id": "a", "VersionRange": "[1,2)", "Tag": null, "ActionPackages": [{"DeploymentAction": "Web", "PackageReference": ""}]},
            {"Id": "b", "VersionRange": "", "Tag": "^$", "Actions": ["Db"]},
        ]});
        let mut channel: Channel = read(&body);
        channel.rules[1].tag = "^beta".to_owned();
        body["Rules"][1]["Tag"] = json!("^beta");
        assert_eq!(channel.to_json().to_string(), body.to_string());

        let mut body = json!({"SelectedPackages": [{"StepName": "Old", "Version": "1.0"}, {"ActionName": "Web", "PackageReferenceName": null, "Version": "1.0"}],
            "Id": "Releases-1", "ProjectId": "Projects-1", "Version": "1.0", "SelectedGitResources": [{"GitReference": "main"}]});
        let mut release: Release = read(&body);
        release.selected_packages[1].version = "1.1".to_owned();
        body["SelectedPackages"][1]["Version"] = json!("1.1");
        assert_eq!(release.to_json().to_string(), body.to_string());
    }

    #[test]
    fn freezes_keep_their_recurrence_and_the_order_of_their_scope() {
        let mut body = json!({"Id": "DeploymentFreezes-2", "Start": "2026-03-28T10:00:00.0000000+10:00", "End": "2026-04-02T00:00:00.000+00:00",
            "ProjectEnvironmentScope": {"Projects-21": ["Environments-13"], "Projects-2": ["environments-13", "Environments-1"]},
            "TenantProjectEnvironmentScope": [{"TenantId": "Tenants-8", "ProjectId": "Projects-21", "EnvironmentId": "Environments-13", "New": 1}],
            "RecurringSchedule": {"Type": "Weekly", "Unit": 1, "DaysOfWeek": ["Friday"], "EndOnDate": null}, "Name": "Quarter close"});
        let mut freeze: Freeze = read(&body);
        assert_eq!(freeze.to_json().to_string(), body.to_string());
        freeze.end = Some("2026-04-03T00:00:00Z".parse().expect("a time"));
        freeze.scope.insert("Projects-1".to_owned(), vec!["Environments-1".into()]);
        freeze.scope.remove("Projects-21");
        body["End"] = json!("2026-04-03T00:00:00.000+00:00");
        body["ProjectEnvironmentScope"] = json!({"Projects-2": ["environments-13", "Environments-1"], "Projects-1": ["Environments-1"]});
        assert_eq!(freeze.to_json().to_string(), body.to_string());
    }

    #[test]
    fn lists_and_maps_may_be_new() {
        let mut tenant: Tenant = read(&json!({"Id": "Tenants-1", "Name": "T", "ProjectEnvironments": null}));
        tenant.project_environments.insert("Projects-1".to_owned(), Vec::new());
        tenant.tenant_tags.push("Ring/Early".to_owned());
        let expected = json!({"Id": "Tenants-1", "Name": "T", "ProjectEnvironments": {"Projects-1": []}, "TenantTags": ["Ring/Early"]});
        assert_eq!(tenant.to_json().to_string(), expected.to_string());
        let rule = ChannelRule::from_json(&json!({"VersionRange": "[1.0,2.0)"})).expect("it decodes");
        assert_eq!(ChannelRule { tag: "^$".to_owned(), ..rule }.to_json(), json!({"VersionRange": "[1.0,2.0)", "Tag": "^$"}));
    }
}
