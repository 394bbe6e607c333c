//! The template language that Octopus evaluates each variable, parameter and script body with, as far as we must know it: how a text
//! is kept from it, and what it leaves of a variable that does not exist.

/// Evaluates to nothing, whatever variables there are.
const NOTHING: &str = "#{if _}#{/if}";

/// `text` so that one evaluation gives it back, whatever variables there are: as a value of its own, and inside of other texts.
///
/// Octopus reads the `#` before a `{` in pairs: an even number of them comes out with one less, so that an odd number is kept by one more.
/// An even number is made odd: `##` before an expression is one `#`.
///
/// Not kept is a member that is read out of a text in JSON (`#{Octopus.Action[A].Output.Name.Member}`): Octopus evaluates that once more.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("#{") {
        let (before, run) = rest[..=at].split_at(rest[..=at].trim_end_matches('#').len());
        out.push_str(before);
        if run.len() % 2 == 0 {
            out.push_str("##");
            out.push_str(NOTHING);
        } else {
            out.push('#');
        }
        out.push_str(run);
        out.push('{');
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

/// The first expression in a value that Octopus could not evaluate, and left as it was: of a variable that does not exist, or in a text
/// that is no template.
///
/// A value that is meant to hold such a text is written with `##{` in Octopus, and then holds it too: the two cannot be told apart.
/// A box that holds one is refused: a name, an address, a time, a number or a version never does, and in a message a wrong name is the
/// likelier reason.
pub fn unresolved(value: &str) -> Option<&str> {
    value.match_indices("#{").find_map(|(at, _)| {
        let inside = expression(&value[at + 2..])?;
        Some(&value[at..=at + 2 + inside])
    })
}

/// Whether a value is exactly one expression: what Octopus leaves of `#{Octopus.Deployment.Tenant.Name}` where there is no tenant.
pub fn is_unresolved(value: &str) -> bool {
    unresolved(value).is_some_and(|found| found == value.trim())
}

/// How long the inside of the expression is that begins here, up to its `}`: a path with its indexes, filters with their options, or a sum.
fn expression(text: &str) -> Option<usize> {
    let (mut brackets, mut filters, mut quoted, mut named) = (0_usize, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if filters && brackets == 0 => quoted = !quoted,
            _ if quoted => {}
            '[' => brackets += 1,
            ']' => brackets = brackets.checked_sub(1)?,
            _ if brackets > 0 => {}
            '}' => return named.then_some(at),
            '|' => filters = true,
            '.' | '+' | '*' | '\\' => {}
            '#' | '{' if filters => {}
            _ if c.is_alphanumeric() || "_-:/~()@".contains(c) => named = true,
            _ if c.is_whitespace() => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_of_hashes_is_escaped_by_its_length() {
        let cases = [
            ("a #{b} #{ c: 1 } # {", "a ##{b} ##{ c: 1 } # {"),
            ("##{b}", "###{if _}#{/if}##{b}"),
            ("###{b}", "####{b}"),
            ("####{b}##", "###{if _}#{/if}####{b}##"),
            ("## #", "## #"),
            ("#{#{", "##{##{"),
        ];
        for (text, wanted) in cases {
            assert_eq!(escape(text), wanted, "{text}");
        }
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
        for text in ["#{Octopus.Deployment.Tenant.Name}", " #{A} ", "#{Octopus.Action[A b].Output.X}", "#{A | ToLower}"] {
            assert!(is_unresolved(text), "{text}");
        }
        for text in ["", "#{}", "a #{A}", "#{A} #{B}", "#{if A}x#{/if}", "#{ \"k\": 1 }", "##{A}"] {
            assert!(!is_unresolved(text), "{text}");
        }
    }

    #[test]
    fn an_expression_that_is_left_is_found_inside_of_a_text() {
        let cases = [
            ("Project #{Typo}", Some("#{Typo}")),
            ("#{My.Porject}", Some("#{My.Porject}")),
            ("a #{ \"k\": 1 } #{B[x y].c:d}!", Some("#{B[x y].c:d}")),
            ("v#{A | Truncate \"3}\" | ToLower}.", Some("#{A | Truncate \"3}\" | ToLower}")),
            ("#{A+2}", Some("#{A+2}")),
            ("x #{A[#{B}].C}", Some("#{A[#{B}].C}")),
            ("#{if A | Nope}x#{/if}", Some("#{if A | Nope}")),
            ("# {A} #{} #{ } #{a, b} {b} $1", None),
            ("#{unclosed", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(unresolved(text), wanted, "{text}");
        }
    }
}
