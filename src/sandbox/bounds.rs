//! How much clients may make the sandbox keep. Whoever goes beyond it is refused; what is there stays usable.

use std::collections::HashMap;

/// The largest body of one request, in bytes.
pub(crate) const BODY: usize = 64 << 20;
/// The largest body of one that brings no key: enough for the exchange of a token.
pub(crate) const BODY_WITHOUT_KEY: usize = 64 << 10;
/// The largest body on the sandbox's own endpoints.
pub(crate) const BODY_OF_CONTROL: usize = 1 << 20;
/// All bodies that are being received together.
pub(crate) const BODIES: usize = 512 << 20;
/// All files that are kept: packages, artifacts, logos.
const FILES: usize = 512 << 20;
/// All documents that clients sent, as they were sent.
const DOCUMENTS: usize = 256 << 20;
/// What a request that changes something costs beside its body: an event at least, and what is made of it.
const MADE: usize = 1 << 10;
const CHANGED: usize = 512;
/// Faults that were added, and marks.
pub(crate) const NOTES: usize = 100_000;
/// The log of one task in characters, above which its steps' lines are dropped.
pub(crate) const LOG: usize = 64 << 20;
/// The largest file that a step may leave as an artifact.
pub(crate) const ARTIFACT: u64 = 64 << 20;
/// What may be extracted from one package: bytes, and entries.
pub(crate) const EXTRACTED: (u64, usize) = (1 << 30, 100_000);

/// What documents cost so far. What is replaced counts once, what was deleted counts on: it is in the events and in snapshots.
#[derive(Default)]
pub(crate) struct Weight {
    sum: usize,
    put: HashMap<String, usize>,
}

impl Weight {
    /// Counts a request that changes something in; `files` is what packages and artifacts take now, for one that brings a file.
    ///
    /// # Errors
    /// With a sentence when there would be too much.
    pub(crate) fn admit(&mut self, method: &str, path: &str, size: usize, files: Option<usize>) -> Result<(), String> {
        if files.is_some_and(|there| there.saturating_add(size) > FILES) {
            return Err(format!("The sandbox keeps at most {} MiB of packages and artifacts: delete some.", FILES >> 20));
        }
        let size = if files.is_some() { 0 } else { size };
        let cost = match method {
            "GET" | "HEAD" | "OPTIONS" => return Ok(()),
            "PUT" => CHANGED + size.saturating_sub(self.put.get(path).copied().unwrap_or(0)),
            "DELETE" => CHANGED,
            _ => MADE + size,
        };
        if self.sum.saturating_add(cost) > DOCUMENTS {
            return Err(format!("The sandbox keeps at most {} MiB of what clients send: start it anew.", DOCUMENTS >> 20));
        }
        self.sum += cost;
        if method == "PUT" && size > 0 {
            let known = self.put.entry(path.to_owned()).or_default();
            *known = size.max(*known);
        }
        Ok(())
    }

    /// Counts so many bytes of a document that is kept beside the one that took its place.
    pub(crate) fn keep(&mut self, size: usize) {
        self.sum = self.sum.saturating_add(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mib = 1 << 20;
        let fill = |method: &str, is_one: bool, size: usize| {
            let mut weight = Weight::default();
            let path = |n: usize| if is_one { "/a".to_owned() } else { format!("/{n}") };
            (0..1_000_000).take_while(|n| weight.admit(method, &path(*n), size, None).is_ok()).count()
        };
        let (one, each) = (true, false);
        assert_eq!(fill("POST", one, mib), 255, "each makes something new");
        assert_eq!(fill("POST", one, 0), 262_144, "an empty one too");
        assert_eq!(fill("PUT", each, mib), 255);
        assert_eq!(fill("PUT", one, mib), (DOCUMENTS - mib) / CHANGED, "the same document counts once");
        assert_eq!(fill("GET", one, mib), 1_000_000);
        let files = |there: usize| Weight::default().admit("PUT", "/a", mib, Some(there)).is_ok();
        assert_eq!([files(0), files(FILES - mib), files(FILES - mib + 1)], [true, true, false]);
    }
}
