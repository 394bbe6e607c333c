//! Names that scripts give: of a project, an environment, a release, ..., as text or as a value got before.

use super::prelude::*;
use super::release::Release;
use crate::{
    api::{ProjectId, ReleaseId, meant::Meant},
    engine::{
        compare,
        options::{ListKind, wrong},
    },
};

/// A project, environment, tenant, ... as scripts give it: by name, slug or id, or as a value got before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref(
    /// The name, slug or id.
    pub String,
    /// What it is, when it was given as a value.
    pub Option<Given>,
);

/// What a [`Ref`] was read from, when it is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A project, an environment or a tenant: the text is its id.
    Noun,
    /// A release: the text is its version.
    Release {
        /// Its id.
        id: ReleaseId,
        /// Its project.
        project: ProjectId,
    },
}

impl Ref {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a Ref> for Meant<'a> {
    fn from(given: &'a Ref) -> Self {
        match given.1 {
            Some(Given::Noun) => Self::Id(&given.0),
            _ => Self::Written(&given.0),
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OptionValue for Ref {
    const KIND: &'static str = "name, slug or id";
    fn read(value: Dynamic) -> Result<Self, String> {
        if let Some(release) = value.clone().try_cast::<Release>() {
            let (id, project) = (release.release.id.clone(), release.release.project_id.clone());
            return Ok(Self(release.release.version.clone(), Some(Given::Release { id, project })));
        }
        match compare::named(&value) {
            Some(id) => Ok(Self(id, Some(Given::Noun))),
            None => String::read(value)
                .and_then(|text| if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text, None)) }),
        }
    }
}

impl Ref {
    /// [`OptionValue::read`] where only values of these script types, and text, can be meant.
    fn read_from(value: Dynamic, types: &[&str]) -> Result<Self, String> {
        let words = type_in_words(&value);
        let scripted = words.rsplit(' ').next().filter(|name| name.starts_with(|c: char| c.is_uppercase()));
        match scripted {
            Some(name) if !types.contains(&name) => Err(wrong(&value)),
            _ => Self::read(value),
        }
    }
}

macro_rules! references {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:literal or $list:literal, names $noun:literal, from [$($type:literal),*];)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Ref);

        impl std::ops::Deref for $name {
            type Target = Ref;
            fn deref(&self) -> &Ref {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'a> From<&'a $name> for Meant<'a> {
            fn from(given: &'a $name) -> Self {
                (&given.0).into()
            }
        }

        impl From<Ref> for $name {
            fn from(reference: Ref) -> Self {
                Self(reference)
            }
        }

        impl OptionValue for $name {
            const KIND: &'static str = $kind;
            const NAMES: Option<&'static str> = Some($noun);
            const TYPES: &'static [&'static str] = &[$($type),*];
            fn read(value: Dynamic) -> Result<Self, String> {
                Ref::read_from(value, Self::TYPES).map(Self)
            }
        }

        impl ListKind for $name {
            const LIST: &'static str = $list;
        }
    )+};
}

// What a parameter names is said once, by its type: reading, help, completion and checks take it from there.
references! {
    /// A project.
    ProjectRef: "project" or "project or list", names "project", from ["Project"];
    /// An environment.
    EnvironmentRef: "environment" or "environment or list", names "environment", from ["Environment"];
    /// A tenant.
    TenantRef: "tenant" or "tenant or list", names "tenant", from ["Tenant"];
    /// A project group.
    GroupRef: "project group" or "project group or list", names "project group", from [];
    /// A release: a version, a version range, or `latest`.
    ReleaseRef: "version, range or release" or "list of versions", names "release", from ["Release"];
    /// A channel of a project.
    ChannelRef: "channel" or "channel or list", names "channel", from [];
    /// A step of a project's deployment process.
    StepRef: "step" or "step or list", names "step", from [];
    /// A runbook of a project.
    RunbookRef: "runbook" or "runbook or list", names "runbook", from ["Runbook"];
    /// A deployment target.
    TargetRef: "deployment target" or "deployment target or list", names "deployment target", from [];
    /// A tag of deployment targets, as `Set/Tag`.
    TargetTagRef: "target tag" or "target tag or list", names "target tag", from [];
    /// A space.
    SpaceRef: "space" or "space or list", names "space", from [];
}
