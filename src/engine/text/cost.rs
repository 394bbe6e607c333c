//! What a text costs to compile.

use super::Reading;

/// A walk over a compiled script looks at a case with alternatives (`1 | 2`) once for each of them, and Rhai's optimizer, which is switched
/// off, looks at the last case twice: a `switch` in such a case doubles the work with each level, so that a few hundred characters would
/// take hours.
const MOST: usize = 4096;

/// The piece of the first `switch` that is nested too deeply to be compiled in a reasonable time.
pub fn too_deep(reading: &Reading<'_>) -> Option<usize> {
    let switches = reading.words.get("switch")?;
    // How often each piece is looked at because of the `switch` around it.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for at in switches.iter().copied().filter(|at| !reading.is_member(*at)) {
        open.retain(|(end, _)| *end > at);
        let Some(body) = reading.find_beside(at + 1, |next| reading.is_sign(next, "{")) else { continue };
        let end = reading.end_of(body);
        let bars = reading.top(body + 1..end).filter(|next| reading.is_sign(*next, "|")).count();
        let times = open.last().map_or(1, |(_, times)| *times).saturating_mul(2 + bars);
        if times > MOST {
            return Some(at);
        }
        open.push((end, times));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_nested_eleven_deep_at_most() {
        let nested = |depth: usize| (0..depth).fold("1".to_owned(), |inner, _| format!("switch x {{ _ => {inner} }}"));
        let long = "switch x { 1 => 2, _ => 3 };".repeat(200);
        assert_eq!(too_deep(&Reading::new(&nested(11))), None);
        assert_eq!(too_deep(&Reading::new(&long)), None);
        assert!(too_deep(&Reading::new(&nested(26))).is_some());
    }
}
