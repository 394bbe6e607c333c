//! The template language that Octopus evaluates each variable, parameter and script body with (octopus-step-contract.md §1.3), as
//! far as we must know it: what it would change, and how to keep it from that.

/// `text` so that an evaluation gives it back; none when no writing does: two `#` before a `{` have no escape (measured).
pub fn escape(text: &str) -> Option<String> {
    (!text.contains("##{")).then(|| text.replace("#{", "##{"))
}

/// Whether a value is exactly one binding: what Octopus leaves of `#{Octopus.Deployment.Tenant.Name}` where there is no tenant.
pub fn is_unresolved(value: &str) -> bool {
    let inner = value.trim().strip_prefix("#{").and_then(|rest| rest.strip_suffix('}'));
    let letter = |c: char| c.is_alphanumeric() || " _-.:/~()@[]".contains(c);
    inner.is_some_and(|name| !name.is_empty() && name.chars().all(letter))
}

/// The first binding in a value that Octopus did not fill in; none when there is none. A value comes evaluated, so what is left of
/// `#{Name}` is a variable that does not exist.
pub fn unresolved(value: &str) -> Option<&str> {
    let mut rest = value;
    while let Some(at) = rest.find("#{") {
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        if is_unresolved(&rest[at..end]) {
            return Some(&rest[at..end]);
        }
        rest = &rest[at + 2..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_escaped_where_they_can_be() {
        assert_eq!(escape("a #{b} #{ c: 1 } # {").as_deref(), Some("a ##{b} ##{ c: 1 } # {"));
        assert_eq!(escape("##{b}"), None);
    }

    #[test]
    fn a_binding_is_found_wherever_it_is() {
        for (text, found) in [
            ("#{Typo}", Some("#{Typo}")),
            ("Shop #{My.Porject} ü", Some("#{My.Porject}")),
            ("#{ \"k\": 1 } #{Octopus.Action[A b].Output.X}", Some("#{Octopus.Action[A b].Output.X}")),
            ("# {A} #{} #{ \"a\": #{} }", None),
            ("", None),
        ] {
            assert_eq!(unresolved(text), found, "{text}");
        }
    }

    #[test]
    fn only_a_single_binding_counts_as_not_given() {
        for text in ["#{Octopus.Deployment.Tenant.Name}", " #{A} ", "#{Octopus.Action[A b].Output.X}"] {
            assert!(is_unresolved(text), "{text}");
        }
        for text in ["", "#{}", "a #{A}", "#{A} #{B}", "#{if A}x#{/if}", "#{ \"k\": 1 }", "##{A}"] {
            assert!(!is_unresolved(text), "{text}");
        }
    }
}
