//! What a world file may say of parent environments.

use super::values::{Ref, Span};
use jiff::SignedDuration;

plans! {
    /// An environment that gives scope to ephemeral ones. Nothing is deployed to it.
    struct ParentEnvironmentPlan {
        name: Ref,
        /// How long nothing may happen in an ephemeral environment below it before that is removed, in whole hours.
        #[serde(default = "seven_days")]
        idle: Span;
        space: Option<Ref>,
        description: String,
        guided_failure: bool,
        /// Ephemeral environments stay, however idle they are.
        keep_idle: bool,
    }
}

fn seven_days() -> Span {
    Span(SignedDuration::from_hours(7 * 24))
}
