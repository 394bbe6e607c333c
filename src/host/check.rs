//! Conditions that end a script when they do not hold.

use super::prelude::*;
use super::{
    deployments::live_in,
    references::{EnvironmentRef, ProjectRef, TenantRef},
};
use crate::{
    api::version::{Version, VersionRange},
    engine::thrown::exit,
};

crate::functions! {
    group "check";

    /// Goes on when `condition` is true; otherwise ends the script with `message` (error kind `failed`, exit code 1).
    ///
    /// ```rhai
    /// require(deployed("Project A", "Test") != (), "Project A was never deployed to Test");
    /// ```
    fn require(call, condition: bool, message: Shown) -> "nothing" raises "failed" {
        let held: HostResult<()> = if condition { Ok(()) } else { Err(raise(Error::new(Kind::Failed, message.0))) };
        held
    }

    /// Ends the script with `message` (error kind `failed`, exit code 1).
    ///
    /// ```rhai
    /// try { fail("not today"); } catch (err) { print(err.kind); }
    /// ```
    fn fail(call, message: Shown) -> "nothing" raises "failed" {
        let no: HostResult<()> = Err(raise(Error::new(Kind::Failed, message.0)));
        no
    }

    /// Ends the script here, also from inside of functions and closures: well when `code` is 0 or left out, and nothing is undone
    /// then; otherwise as `fail` does. The exit code of a run says what kind of error ended it, so `code` only goes into the message.
    ///
    /// ```rhai
    /// if deployed("Project A", "Test") != () { exit(); }
    /// deploy("Project A", "latest", "Test");
    /// ```
    fn exit(_call; code: Option<i64>) -> "nothing" raises "failed" {
        let end: HostResult<()> = Err(match code {
            None | Some(0) => exit(),
            Some(code) => raise(Error::new(Kind::Failed, format!("the script ended itself with `exit({code})`")).help("`fail(\"...\")` says why")),
        });
        end
    }

    /// Goes on when the release of `project` that is live in `env` lies in a version range; otherwise ends the script
    /// (error kind `failed`). Ranges: `"2.4.*"`, `">=2.4 <3"`, `"[1.0,2.0)"`, or one version. Returns the version.
    ///
    /// ```rhai
    /// require_deployed("Project B", ">=1.0 <3", "Test");
    /// ```
    fn require_deployed(host: Host, project: ProjectRef, range: VersionRange, env: EnvironmentRef; tenant: Option<TenantRef>) -> "text" raises "failed, not_found, ambiguous, request" {
        let place = host.place();
        let (live, is_in) = host.block(live_in(&place, &project, &env, tenant.as_deref(), &range))?;
        match live.version() {
            Some(version) if is_in => Ok(version.to_owned()),
            other => Err(Error::new(Kind::Failed, match other {
                    Some(version) => format!("{} in {} is {version}, not in `{range}`", live.project, live.environment),
                    None => format!("{} was never deployed to {}, and must be in `{range}` there", live.project, live.environment),
                })
                .with("project", live.project.clone())
                .with("environment", live.environment.clone())
                .with("range", range.to_string())
                .with("version", other.map(str::to_owned)).into()),
        }
    }

    /// Whether a version lies in a range, in Octopus's version order.
    ///
    /// | range | holds |
    /// |---|---|
    /// | `2.4.1` | that version, however it is written: `2.4.1.0`, `v2.4.1`, `2.4.1+build.5` |
    /// | `2.4.*`, `2.x`, `*` | each number at the place of the wildcard, and all after it |
    /// | `>=2.4 <3`, `>=2.4, <3` | what all of the bounds let in: `<`, `<=`, `>`, `>=`, `=` |
    /// | `^2.1`, `~2.1` | from 2.1 to below 3; from 2.1 to below 2.2 |
    /// | `[1.0,2.0)`, `(,1.0]`, `[1.5]` | as NuGet writes it: square brackets take the bound in, round ones leave it out |
    /// | `1.* \|\| >=3` | what one of them holds |
    ///
    /// Anything else is an error. A pre-release (`5.4.0-beta.1`) comes before its release, and lies in a range only when the range names
    /// a pre-release itself: it is not in `>=5.3.0`, but in `>=5.3.0-0` and in `5.*-*`. What follows `+` never counts.
    ///
    /// ```rhai
    /// print(version_in("2.4.1", "2.4.*"));
    /// ```
    fn version_in(call, version: Version, range: VersionRange) -> "true or false" {
        Ok(range.matches(&version))
    }

    /// Whether a value is missing: `()`, empty text, an empty list or an empty map.
    ///
    /// ```rhai
    /// if missing(param("Ticket", "")) { print("no ticket given"); }
    /// ```
    fn missing(call, value: Dynamic) -> "true or false" {
        Ok(value.is_unit()
            || value.read_lock::<rhai::ImmutableString>().is_some_and(|s| s.is_empty())
            || value.read_lock::<Array>().is_some_and(|a| a.is_empty())
            || value.read_lock::<Map>().is_some_and(|m| m.is_empty()))
    }
}
