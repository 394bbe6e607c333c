//! Small values beside the locks: changed by compare-and-swap until the change is seen to have stayed.

use super::{Locks, Swap, spread};
use crate::error::{Error, Kind, Result};
use jiff::SignedDuration;
use serde_json::Value;

/// How often a change is tried before the register counts as out of order. Contenders step back further each time.
const ATTEMPTS: u32 = 200;

/// Changes a value: `next` gets what stands there and says what shall stand there, or that all is as wanted. Returns once
/// all is as wanted, seen after everything that was under way has settled.
pub async fn change(locks: &Locks, name: &str, mut next: impl FnMut(Option<&Value>) -> Result<Option<Value>>) -> Result<Option<Value>> {
    let register = &locks.register;
    let salt = locks.nonce(name);
    let mut wrote = false;
    for attempt in 0..ATTEMPTS {
        let found = register.read(name).await?;
        let Some(wanted) = next(found.value.as_ref())? else {
            if wrote || register.settle().is_zero() || attempt == 0 {
                return Ok(found.value);
            }
            wrote = true;
            locks.clock.sleep(register.settle()).await;
            continue;
        };
        wrote = register.swap(name, found.version, &wanted).await? != Swap::Lost;
        if wrote {
            locks.clock.sleep(register.settle()).await;
        } else {
            locks.clock.sleep(spread(pause(attempt), &salt, attempt)).await;
        }
    }
    Err(Error::new(Kind::Unreachable, format!("`{name}` could not be written to {}: somebody else changed it each time", register.place())))
}

/// Between two attempts: a fifth of a second, growing to five.
fn pause(attempt: u32) -> SignedDuration {
    SignedDuration::from_millis((200 * (i64::from(attempt) + 1)).min(5_000))
}
