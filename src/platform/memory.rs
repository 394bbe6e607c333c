//! The allocator of the process, and how much is taken from it.

use cap::Cap;
use mimalloc::MiMalloc;

/// Octopus's documents are many small texts: a continued run spends half of its time in the system's allocator. It counts and never refuses: a
/// refused allocation would abort the process, with locks held and nothing undone. Scripts ask for the sum and end in order.
#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// Bytes that the process has taken from its allocator and not given back. Cheap: three loads.
pub fn in_use() -> usize {
    ALLOCATOR.allocated()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_counts_until_it_is_given_back() {
        // Other tests take and give back at the same time, but not as much.
        const SIZE: usize = 64 << 20;
        let before = in_use();
        let taken: Vec<u8> = Vec::with_capacity(SIZE);
        let with = in_use();
        drop(taken);
        let after = in_use();
        assert!(with > before + SIZE / 2 && after < with - SIZE / 2, "{before}, {with}, {after}");
    }
}
