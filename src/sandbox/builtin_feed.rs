//! The feed that every space has, and what is in it (octopus-api.md §24).

use super::{
    answer::{Ask, Refusal, str_of},
    store::Store,
};
use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// The built-in feed of a space, as a document.
pub(crate) fn builtin_document(id: &str, space: &str) -> Value {
    json!({
        "Id": id, "SpaceId": space, "Name": "Octopus Server (built-in)", "Slug": "octopus-server-built-in", "FeedType": "BuiltIn",
        "DownloadAttempts": 5, "DownloadRetryBackoffSeconds": 10, "DeleteUnreleasedPackagesAfterDays": null,
        "DeletePackagesAssociatedWithReleases": false, "IsBuiltInRepoSyncEnabled": false, "PackageAcquisitionLocationOptions": ["Server"],
    })
}

/// Gives a new space its built-in feed: `feeds-builtin` is the first space's, further ones are numbered.
pub(crate) fn add_builtin(store: &mut Store, space: &str) {
    let id = if store.of("feeds").get("feeds-builtin").is_none() { "feeds-builtin".to_owned() } else { store.next_id("Feeds-") };
    store.of_mut("feeds").put(builtin_document(&id, space));
}

pub(crate) fn is_builtin(feed: &Value) -> bool {
    str_of(feed, "FeedType") == "BuiltIn"
}

/// The id of a space's built-in feed.
pub(crate) fn builtin<'s>(store: &'s Store, space: &str) -> &'s str {
    store.of("feeds").iter().find(|f| is_builtin(f) && str_of(f, "SpaceId") == space).map_or("feeds-builtin", |f| str_of(f, "Id"))
}

/// One version of a package, in the built-in feed of one space.
pub(crate) struct Package {
    pub(crate) space: String,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) extension: String,
    pub(crate) bytes: Bytes,
    /// SHA-1, as servers send it.
    pub(crate) hash: String,
    pub(crate) published: Timestamp,
}

impl Package {
    pub(crate) fn new(space: &str, id: String, version: String, extension: String, bytes: Bytes, published: Timestamp) -> Self {
        let hash = hex::encode(Sha1::digest(&bytes));
        Self { space: space.to_owned(), id, version, extension, bytes, hash, published }
    }

    /// A package of a world: an archive with nothing in it but its own name.
    pub(crate) fn empty(space: &str, id: &str, version: &str, published: Timestamp) -> Self {
        let name = format!("{id} {version}");
        let mut bytes = b"PK\x05\x06".to_vec();
        bytes.resize(20, 0);
        bytes.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(name.bytes());
        Self::new(space, id.to_owned(), version.to_owned(), ".zip".into(), bytes.into(), published)
    }

    pub(crate) fn document_id(&self) -> String {
        format!("packages-{}.{}", self.id, self.version)
    }

    /// What was pushed, and how its file ends: `.zip`.
    pub(crate) fn content(&self) -> (Bytes, &str) {
        (self.bytes.clone(), &self.extension)
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// What happens to a package or its build information when there is one already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Fail,
    Replace,
    Ignore,
}

impl Overwrite {
    /// From the query or the body; servers before 2019.8 knew `replace` only.
    pub(crate) fn of(ask: &Ask) -> Result<Self, Refusal> {
        match ask.query("overwriteMode").map(str::to_owned).or_else(|| ask.text("OverwriteMode")) {
            None if ask.flag("replace") == Some(true) => Ok(Self::Replace),
            None => Ok(Self::Fail),
            Some(mode) => match mode.to_lowercase().as_str() {
                "failifexists" => Ok(Self::Fail),
                "overwriteexisting" => Ok(Self::Replace),
                "ignoreifexists" => Ok(Self::Ignore),
                _ => Err(Refusal::invalid(format!(
                    "The value '{mode}' is not valid for overwriteMode. It is one of FailIfExists, OverwriteExisting and IgnoreIfExists."
                ))),
            },
        }
    }

    /// 409 with the server's words.
    pub(crate) fn conflict(what: &str) -> Refusal {
        let message = format!("{what} already exists. To proceed anyway, specify an overwriteMode of OverwriteExisting or IgnoreIfExists.");
        Refusal::said(409, message)
    }
}
