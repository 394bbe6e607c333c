//! Git in a world: the repository of a project, and repositories that steps take files from.

use super::values::Ref;

fn main_branch() -> String {
    "main".into()
}

plans! {
    /// The repository in which a project keeps its process.
    struct GitPlan {
        #[serde(default = "main_branch")]
        default_branch: String;
        /// Branches beside the default one.
        branches: Vec<Ref>,
        tags: Vec<Ref>,
        /// Hashes of commits beside those that branches and tags point to.
        commits: Vec<Ref>,
        /// Whether variables that are not sensitive are there as well.
        variables: bool,
        /// Whether runbooks are there as well.
        runbooks: bool,
    }

    /// A repository that a step takes files from.
    struct GitSourcePlan {
        repository: Ref,
        /// The branch that is taken when a release names none.
        #[serde(default = "main_branch")]
        branch: String;
        /// What distinguishes several of one step.
        name: String,
    }
}
