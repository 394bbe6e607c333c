//! Environments.

use super::prelude::*;

/// An environment.
#[derive(Clone)]
pub struct Environment(pub Arc<api::Environment>);

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::script_type! {
    /// An environment. Wherever a function takes an environment's name it also takes this.
    Environment as "Environment" shows [name, id, slug, description] {
        /// The name.
        name: "text" = |e| e.0.name.clone();
        /// The id, e.g. `Environments-11`.
        id: "text" = |e| e.0.id.to_string();
        /// The slug.
        slug: "text" = |e| e.0.slug.clone();
        /// What it is for.
        description: "text" = |e| e.0.description.clone();
        /// The whole document of the server.
        raw: "map" = |e| e.0.raw.clone();
    }
}

crate::functions! {
    group "query";

    /// The environments of the space, in their sort order.
    ///
    /// ```rhai
    /// for e in envs() { print(e.name); }
    /// ```
    fn envs(host: Host) -> "list of Environment" raises "request" {
        let place = host.place();
        let found = host.block(place.space.environments())?;
        Ok(found.into_iter().map(|e| Dynamic::from(Environment(e.into()))).collect::<Array>())
    }
}
