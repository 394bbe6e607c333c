//! Takes secrets out of everything that is shown, in every encoding we can think of.
//!
//! The one [`Redactor`] of a process learns the API key, the access token, the password in the SMTP address and
//! the values of secret parameters before the first line is written; [`super::ui::Ui`] asks it for each text.

use base64::{Engine as _, engine::general_purpose as base64_kinds};
use parking_lot::RwLock;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{borrow::Cow, sync::Arc};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Shorter texts are not taken for secrets: masking `ab` everywhere would make the output unreadable and hide nothing.
const SHORTEST: usize = 4;

/// Knows the secrets; clones know the same ones.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl Redactor {
    /// A redactor that knows no secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a secret. Of a secret of several lines (a private key) each longer line is one too.
    pub fn learn(&self, secret: &str) {
        let mut known = self.0.write();
        let lines = if secret.contains('\n') { secret.lines().filter(|line| line.trim().len() >= 8).collect() } else { Vec::new() };
        for part in [secret, secret.trim()].into_iter().chain(lines) {
            for shape in shapes(part) {
                if !known.contains(&shape) {
                    known.push(shape);
                }
            }
        }
        // The longest first, so that a secret that contains another is masked as a whole.
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// Learns the password in an address, as it is written there and as it is meant.
    pub fn learn_password(&self, url: &url::Url) {
        if let Some(password) = url.password() {
            self.learn(password);
            self.learn(&percent_encoding::percent_decode_str(password).decode_utf8_lossy());
        }
    }

    /// `text` with each known secret replaced by `***`.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.0.read();
        let mut out = String::new();
        let mut rest = text;
        // Each shape's next place is looked up again only when it was passed: one pass over the text for each shape.
        let mut next: Vec<Option<usize>> = known.iter().map(|shape| text.find(shape.as_str())).collect();
        if next.iter().all(Option::is_none) {
            return Cow::Borrowed(text);
        }
        let mut done = 0;
        while let Some((at, shape)) =
            next.iter().zip(known.iter()).filter_map(|(at, shape)| at.map(|at| (at, shape))).min_by_key(|(at, _)| *at)
        {
            out.push_str(&text[done..at]);
            out.push_str(MASK);
            done = at + shape.len();
            rest = &text[done..];
            for (place, shape) in next.iter_mut().zip(known.iter()) {
                if place.is_some_and(|at| at < done) {
                    *place = rest.find(shape.as_str()).map(|at| at + done);
                }
            }
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

/// The texts in which a secret may show up.
fn shapes(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::Value::from(secret).to_string();
    let hex = hex::encode(secret);
    let mut all = vec![
        secret.to_owned(),
        lower_escapes(&percent),
        percent,
        // What the URL standard leaves alone in a user name or query, as reqwest and browsers write it.
        url::Url::parse("http://x/")
            .ok()
            .and_then(|mut url| url.set_password(Some(secret)).ok().map(|()| url))
            .and_then(|url| url.password().map(str::to_owned))
            .unwrap_or_default(),
        lower_escapes(&form),
        form,
        inner(&json).to_owned(),
        // JSON inside of JSON, as in a server's answer that is quoted in an event.
        inner(&serde_json::Value::from(inner(&json)).to_string()).to_owned(),
        inner(&format!("{secret:?}")).to_owned(),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;"),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;"),
        hex.to_uppercase(),
        hex,
    ];
    all.extend(base64_shapes(secret.as_bytes()));
    all.retain(|shape| shape.len() >= SHORTEST);
    all.sort_unstable();
    all.dedup();
    all
}

/// The letters of base64 that depend on the secret alone, for each of its three places in a longer text
/// (`user:password` in an `Authorization` header), in both alphabets.
fn base64_shapes(secret: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3_usize {
        let mut padded = vec![0_u8; before];
        padded.extend_from_slice(secret);
        // Letters that also hold bits of a neighbour are left out: 6 bits a letter.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        if last < first + 5 {
            continue; // too short to tell from chance
        }
        for engine in [&base64_kinds::STANDARD_NO_PAD, &base64_kinds::URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            if before == 0 {
                all.push(text.clone());
            }
            all.push(text[first..last].to_owned());
        }
    }
    all
}

/// `%2F` → `%2f`, nothing else.
fn lower_escapes(text: &str) -> String {
    let mut left = 0;
    text.chars()
        .map(|letter| {
            if letter == '%' {
                left = 2;
                return letter;
            }
            let escape = left > 0;
            left = if escape { left - 1 } else { 0 };
            if escape { letter.to_ascii_lowercase() } else { letter }
        })
        .collect()
}

/// Without the quotes around it.
fn inner(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "API-Köln/\"7&x<y";

    fn redactor() -> Redactor {
        let redactor = Redactor::new();
        redactor.learn(SECRET);
        redactor
    }

    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let redactor = redactor();
        let basic = base64_kinds::STANDARD.encode(format!("user:{SECRET}"));
        let shifted = base64_kinds::STANDARD.encode(format!("user7:{SECRET}!"));
        let shifted_more = base64_kinds::URL_SAFE.encode(format!("user77:{SECRET}!!"));
        for shown in [
            SECRET.to_owned(),
            format!("header {SECRET} twice {SECRET}"),
            serde_json::Value::from(SECRET).to_string(),
            format!("{SECRET:?}"),
            utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string(),
            lower_escapes(&utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string()),
            url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
            "API-Köln/&quot;7&amp;x&lt;y".to_owned(),
        ] {
            let clean = redactor.clean(&shown);
            assert!(clean.contains(MASK), "{shown} became {clean}");
            assert!(!clean.contains("API") && !clean.contains("lt;y") && !clean.contains('7'), "{shown} became {clean}");
        }
        for shown in [base64_kinds::STANDARD.encode(SECRET), basic, shifted, shifted_more] {
            let clean = redactor.clean(&shown);
            assert!(clean.contains(MASK) && clean.len() < shown.len() / 2 + 8, "{shown} became {clean}");
        }
    }

    #[test]
    fn other_text_is_left_alone_and_not_copied() {
        assert!(matches!(redactor().clean("Project A 2.0.0 → Test"), Cow::Borrowed("Project A 2.0.0 → Test")));
        let redactor = Redactor::new();
        redactor.learn("");
        redactor.learn("a");
        assert_eq!(redactor.clean("a banana"), "a banana");
    }

    #[test]
    fn of_overlapping_secrets_nothing_is_left() {
        let redactor = Redactor::new();
        redactor.learn("secret");
        redactor.learn("secret-and-more");
        assert_eq!(redactor.clean("x secret-and-more y secret z"), "x *** y *** z");
    }

    #[test]
    fn the_lines_of_a_key_are_secrets_too() {
        let redactor = Redactor::new();
        redactor.learn("-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----");
        assert_eq!(redactor.clean("line: abcdefghijkl"), "line: ***");
    }
}
