//! Functions of approvals: approve and reject.

use super::approval::Approval;
use super::prelude::*;

crate::functions! {
    group "people";

    /// Approves a change request as the user of the API key, with a note. Each user has one vote: a second call changes nothing, and neither
    /// does approving what was decided meanwhile. A user who may not approve, as a rule the one who started the deployment, gets an error of kind `refused`.
    ///
    /// ```rhai
    /// for a in pending(#{project: "Project A"}) { a.approve("checked by the release train"); }
    /// ```
    fn approve[approval: Approval](host: Host, note: String) -> "Approval" raises "refused, in_doubt, request" {
        approval.vote(&host, true, &note)
    }

    /// Rejects a change request as the user of the API key, with a note. All deployments and runbook runs that wait for it end at once.
    ///
    /// ```rhai
    /// for a in pending(#{project: "Project A"}) { a.reject("not today"); }
    /// ```
    fn reject[approval: Approval](host: Host, note: String) -> "Approval" raises "refused, in_doubt, request" {
        approval.vote(&host, false, &note)
    }
}
