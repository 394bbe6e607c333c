//! What a world file may say of triggers: what starts a runbook or a deployment without anybody at the keyboard.

use super::values::Ref;

plans! {
    /// A trigger of a project: by a schedule or by a webhook.
    struct TriggerPlan {
        name: Ref,
        project: Ref;
        space: Option<Ref>,
        /// When it comes: six fields, seconds first.
        cron: Option<Ref>,
        /// The zone in which the hours of `cron` count; UTC where none is given.
        zone: Option<Ref>,
        /// The secret of its webhook.
        webhook: Option<Ref>,
        /// A webhook that takes API keys only.
        needs_key: bool,
        /// The runbook that it runs, in `environments` and for `tenants`.
        runbook: Option<Ref>,
        environments: Vec<Ref>,
        tenants: Vec<Ref>,
        /// The environment to which it deploys the latest release, in which `from` has it.
        deploy_to: Option<Ref>,
        from: Vec<Ref>,
        /// Whether it deploys what is live there already.
        redeploy: bool,
        disabled: bool,
    }
}
