//! When a deployment may begin: the first minute outside of freezes, and inside of a window where one is given.

use super::prelude::*;
use super::{
    space::Space,
    time::{Moment, WindowText},
};
use crate::api::freezes::FreezeAt;

crate::words! {
    /// When a deployment may begin.
    pub enum Begin {
        /// The first minute outside of freezes.
        NextAllowed = "next allowed",
    }
}

/// How far ahead a minute is looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366);
/// How long the server may be away when the minute has come.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);
/// How many times a freeze or a closed window may follow another one: those of a year in which each day has two of each.
const STEPS: usize = 1500;

/// What a deployment would be of, where to, and for which tenant.
pub(super) struct FreezeScope<'p> {
    pub(super) project: &'p api::ProjectId,
    pub(super) environment: &'p api::EnvironmentId,
    pub(super) tenant: Option<&'p api::TenantId>,
}

/// A minute at which a deployment may begin.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) at: Timestamp,
    /// What it has to wait for, in words; empty when it may begin at once.
    after: Vec<String>,
}

impl Allowed {
    /// `begins Mon 06:00, after freeze "Month end"`, as of `now`.
    pub(super) fn shown(&self, host: &Host, now: Timestamp) -> String {
        let Moment(at) = Moment::of(host, self.at);
        let is_near = self.at.duration_since(now) < SignedDuration::from_hours(6 * 24);
        let at = at.strftime(if is_near { "%a %H:%M" } else { "%Y-%m-%d %H:%M" });
        std::iter::once(format!("begins {at}")).chain(self.after.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

/// The same moment, or the start of the next minute.
pub(super) fn whole_minute(at: Timestamp) -> Timestamp {
    let into = at.as_second().rem_euclid(60);
    if into == 0 && at.subsec_nanosecond() == 0 { at } else { Timestamp::from_second(at.as_second() + 60 - into).unwrap_or(Timestamp::MAX) }
}

/// The first minute from `from` on that no freeze covers and, if there is a window, at which it is open.
pub(super) async fn first_allowed(
    place: &Space,
    scope: &FreezeScope<'_>,
    from: Timestamp,
    window: Option<&text::Window>,
) -> Result<Allowed> {
    let mut allowed = Allowed { at: from, after: Vec::new() };
    let mut freezes = place.client.freezes(from).await?;
    let concerns = |freeze: &api::Freeze| freeze.covers(scope.project, scope.environment, scope.tenant);
    let does_recur = freezes.iter().any(|freeze| freeze.is_recurring() && concerns(freeze));
    let too_far = |after: &[String]| {
        let text = format!("no minute of the next year may be begun in: {}", after.join(", "));
        Error::new(Kind::Refused, text)
            .help("a freeze ends when it is changed in Octopus; `override_freeze` says why it may be passed over")
    };
    for _ in 0..STEPS {
        let mut frozen: Option<(Timestamp, &str)> = None;
        for freeze in &freezes {
            match freeze.stops(allowed.at, scope.project, scope.environment, scope.tenant) {
                FreezeAt::Open => {}
                FreezeAt::Unclear(why) => return Err(unclear(&freeze.name, &why)),
                FreezeAt::Frozen(occurrence) => {
                    let end = occurrence.end.unwrap_or(Timestamp::MAX);
                    frozen = frozen.filter(|(latest, _)| *latest >= end).or(Some((end, &freeze.name)));
                }
            }
        }
        let (at, why) = match (frozen, window) {
            (Some((end, name)), _) => (whole_minute(end), format!("after freeze \"{name}\"")),
            (None, Some(window)) if !window.contains(allowed.at) => {
                (window.next_start(allowed.at).unwrap_or(Timestamp::MAX), format!("in window \"{window}\""))
            }
            _ => return Ok(allowed),
        };
        allowed.after.retain(|known| *known != why);
        allowed.after.push(why);
        if at.duration_since(from) > AHEAD {
            break;
        }
        allowed.at = at;
        if does_recur {
            freezes = place.client.freezes(at).await?;
        }
    }
    Err(too_far(&allowed.after))
}

/// The error for a freeze of which nobody can say when it holds.
fn unclear(name: &str, why: &str) -> Error {
    Error::new(
        Kind::Refused,
        format!("cannot tell when the deployment may begin: deployment freeze `{name}` comes again by a rule that is not known: {why}"),
    )
    .help("give the time yourself (`at`), or say why the freeze may be passed over (`override_freeze`)")
}

impl Host {
    /// Waits until something may begin that people know by `title`. Whether it had to wait: what was looked at before may have changed.
    pub(super) fn wait_to_begin(
        &self,
        place: &Space,
        scope: &FreezeScope<'_>,
        window: Option<&WindowText>,
        title: &str,
    ) -> HostResult<bool> {
        let window = window.map(|window| window.in_zone(&self.zone)).transpose().raise()?;
        let mut waited = false;
        loop {
            let look = async {
                // The server decides by its own clock.
                let now = place.client.moment();
                Ok((now, first_allowed(place, scope, now, window.as_ref()).await?))
            };
            // What has waited for hours does not end because the server is away at the very minute.
            let (now, allowed) =
                if waited { self.patiently(later(self.clock.now(), PATIENCE), || self.block(look))? } else { self.block(look)? };
            if allowed.at <= now {
                return Ok(waited);
            }
            self.emit(What::Waiting { task: None, title: title.to_owned(), why: allowed.shown(self, now), url: None });
            self.sleep_until(later(self.now(), allowed.at.duration_since(now)))?;
            waited = true;
        }
    }
}
