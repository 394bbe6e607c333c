//! A plain-text alternative of an HTML body: good enough to read, not a browser.

/// The text of `html`: blocks on their own lines, cells of a table divided by two blanks, links followed by their address.
pub(super) fn from_html(html: &str) -> String {
    let mut out = Text::default();
    let mut rest = html;
    let mut link: Option<String> = None;
    while !rest.is_empty() {
        let Some(start) = rest.find('<') else {
            out.words(rest);
            break;
        };
        out.words(&rest[..start]);
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        let Some(end) = rest.find('>').filter(|_| is_tag) else {
            out.words("<");
            rest = &rest[1..];
            continue;
        };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let closing = tag.starts_with('/');
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        match name.as_str() {
            "style" | "script" | "head" | "title" if !closing => {
                let close = format!("</{name}");
                let at = rest.to_ascii_lowercase().find(&close).unwrap_or(rest.len());
                rest = &rest[at..];
            }
            "li" if !closing => {
                out.line(1);
                out.words("- ");
            }
            "p" | "table" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "pre" => out.line(2),
            "br" | "div" | "tr" | "li" | "section" | "caption" | "hr" => out.line(1),
            "td" | "th" if closing => out.cell = true,
            "a" if !closing => link = attribute(tag, "href").filter(|to| to.starts_with("http")),
            "a" => {
                if let Some(to) = link.take().filter(|to| !out.done.ends_with(to.as_str())) {
                    out.words(&format!(" ({to})"));
                }
            }
            _ => {}
        }
    }
    let done = out.done.trim_end();
    if done.is_empty() { String::new() } else { format!("{done}\n") }
}

#[derive(Default)]
struct Text {
    done: String,
    blank: bool,
    cell: bool,
    lines: usize,
}

impl Text {
    /// Asks for a line break (2: an empty line) before the next word.
    fn line(&mut self, count: usize) {
        self.lines = self.lines.max(count);
        (self.blank, self.cell) = (false, false);
    }

    fn words(&mut self, html: &str) {
        for c in decoded(html).chars() {
            // Not the unbreakable blank: it is meant.
            if c.is_whitespace() && c != '\u{a0}' {
                self.blank = true;
                continue;
            }
            if self.done.is_empty() {
                // Nothing to stand apart from.
            } else if self.lines > 0 {
                self.done.extend(std::iter::repeat_n('\n', self.lines));
            } else if self.cell {
                self.done.push_str("  ");
            } else if self.blank {
                self.done.push(' ');
            }
            (self.blank, self.cell, self.lines) = (false, false, 0);
            self.done.push(if c == '\u{a0}' { ' ' } else { c });
        }
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.find(&format!(" {name}="))? + name.len() + 2;
    let value = &tag[at..];
    let quote = value.chars().next()?;
    let value = if matches!(quote, '"' | '\'') { value[1..].split(quote).next()? } else { value.split_whitespace().next()? };
    Some(decoded(value))
}

fn decoded(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').filter(|end| *end <= 10).and_then(|end| Some((entity(&rest[1..end])?, end)));
        if let Some((c, end)) = entity {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "ndash" => '\u{2013}',
        "mdash" => '\u{2014}',
        "hellip" => '\u{2026}',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "szlig" => 'ß',
        _ => {
            let code = name.strip_prefix('#')?;
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => code.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::from_html;

    #[test]
    fn html_becomes_readable_text() {
        let html = "<html><head><style>p { color: red }</style><title>x</title></head><body><!-- no --><h1>Live</h1>\n\
                    <p>A &amp; B are\n <b>live</b>.<br>See <a href=\"https://octo.example/x?a=1&amp;b=2\">the task</a>.</p>\
                    <table><tr><th>Project</th><th>State</th></tr><tr><td>A</td> <td>Success &lt;3</td></tr></table>\
                    <ul><li>one</li><li>2 < 3</li></ul></body></html>";
        let text =
            "Live\n\nA & B are live.\nSee the task (https://octo.example/x?a=1&b=2).\n\nProject  State\nA  Success <3\n\n- one\n- 2 < 3\n";
        assert_eq!(from_html(html), text);
    }

    #[test]
    fn broken_html_does_not_stop_it() {
        for html in ["", "<", "<p", "a < b", "&", "&#xFFFFFFFF;", "<!-- x", "<style>x", "<a href=>x</a>", "<a href=\"", "ü<ü>ü&ü;"] {
            let _ = from_html(html);
        }
        assert_eq!(from_html("a < b &amp c &unknown; d"), "a < b &amp c &unknown; d\n");
    }
}
