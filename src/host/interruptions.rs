//! Functions of interruptions: answer them.

use super::interruption::Interruption;
use super::prelude::*;

crate::functions! {
    group "people";

    /// Takes responsibility and lets the task go on. `note` is kept with the answer.
    ///
    /// ```rhai
    /// for i in pending() { i.approve("checked by the release train"); }
    /// ```
    fn approve[interruption: Interruption](host: Host, note: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "ManualIntervention", "guide(\"retry\")")?;
        interruption.proceed(&host, &note)
    }

    /// Takes responsibility and lets the task fail.
    ///
    /// ```rhai
    /// for i in pending() { i.reject("not today"); }
    /// ```
    fn reject[interruption: Interruption](host: Host, note: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "ManualIntervention", "guide(\"fail\")")?;
        interruption.answer(&host, &[("Notes", &note), ("Result", "Abort")], "rejected")
    }

    /// Takes responsibility and says what to do after a failure: `"retry"`, `"ignore"`, `"fail"` or `"exclude"` (the
    /// deployment target).
    ///
    /// ```rhai
    /// for i in pending() { if i.kind == "GuidedFailure" { i.guide("retry"); } }
    /// ```
    fn guide[interruption: Interruption](host: Host, guidance: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "GuidedFailure", "approve(note)` or `.reject(note)")?;
        let word = match guidance.to_lowercase().as_str() {
            "retry" => "Retry",
            "ignore" => "Ignore",
            "fail" => "Fail",
            "exclude" => "Exclude",
            _ => {
                return Err(raise(Error::new(Kind::Script, format!("guidance cannot be `{guidance}`")).help("it can be \"retry\", \"ignore\", \"fail\" or \"exclude\"")));
            }
        };
        interruption.answer(&host, &[("Notes", ""), ("Guidance", word)], word)
    }
}

fn expect_kind(interruption: &Interruption, kind: &str, instead: &str) -> HostResult<()> {
    let is = &interruption.document().kind;
    if !interruption.document().is_for_people() {
        let text = format!("nobody answers `{}`: it {}", interruption.document().title, interruption.waits_for());
        return Err(raise(Error::new(Kind::Refused, text).help("the deployment goes on by itself then")));
    }
    // Old servers do not say the kind (payloads, "Interruptions").
    if is.is_empty() || is == kind {
        return Ok(());
    }
    Err(Error::new(Kind::Script, format!("`{}` is a {is}", interruption.document().title))
        .help(format!("answer it with `.{instead}`"))
        .into())
}
