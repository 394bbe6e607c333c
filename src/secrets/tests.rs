//! Spellings of secrets, and what is left of them.

use super::*;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use std::fmt::Write as _;

const SECRET: &str = "API-Köln/\"7&x<y";

fn knows(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        redactor.learn(secret);
    }
    redactor
}

/// What .NET's JSON writer escapes, with digits of either case.
fn dotnet(text: &str, upper: bool) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(|c| c.is_ascii_graphic() && !"+&<>'\"`\\".contains(*c)) {
            Some(c) => out.push(c),
            None if upper => drop(write!(out, "\\u{unit:04X}")),
            None => drop(write!(out, "\\u{unit:04x}")),
        }
    }
    out
}

fn json(text: &str) -> String {
    let text = Value::from(text).to_string();
    text[1..text.len() - 1].to_owned()
}

fn html(text: &str, slash: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;");
    escaped.replace('/', slash)
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `%2F` → `%2f`, nothing else.
fn lower(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let first = parts.next().unwrap_or_default();
    let rest = parts.fold(String::new(), |rest, part| format!("{rest}%{}{}", part[..2].to_lowercase(), &part[2..]));
    format!("{first}{rest}")
}

/// A secret as texts write it.
fn written(secret: &str) -> Vec<String> {
    let basic = base64_kinds::STANDARD.encode(format!("user:{secret}"));
    let shifted = base64_kinds::STANDARD.encode(format!("user7:{secret}!"));
    let shifted_more = base64_kinds::URL_SAFE.encode(format!("user77:{secret}!!"));
    let mut all = vec![
        secret.to_owned(),
        json(secret),
        json(&json(secret)),
        json(&json(&json(secret))),
        format!("{secret:?}"),
        format!("{:?}", format!("{secret:?}")),
        secret.escape_default().to_string(),
        secret.escape_unicode().to_string(),
        format!("b\"{}\"", secret.as_bytes().escape_ascii()),
        dotnet(secret, true),
        dotnet(secret, false),
        json(&dotnet(secret, true)),
        percent(secret),
        lower(&percent(secret)),
        percent(&percent(secret)),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        html(secret, "/"),
        html(secret, "&#x2f;"),
        html(&html(secret, "&#47;"), "/"),
        secret.replace('"', "\"\""),
        secret.replace('|', "\\|").replace('*', "\\*").replace('[', "\\["),
        secret.split_whitespace().collect::<Vec<_>>().join(" "),
        secret.replace('\n', "<br>").replace('\t', " "),
        hex::encode(secret),
        hex::encode_upper(secret),
    ];
    // Some characters one way, some another.
    let mixed = |number: usize, c: char| match number % 4 {
        0 => c.to_string(),
        1 => dotnet(&c.to_string(), number.is_multiple_of(3)),
        2 => percent(&c.to_string()),
        _ => html(&c.to_string(), "&#x2F;"),
    };
    all.push(secret.chars().enumerate().map(|(number, c)| mixed(number, c)).collect());
    if secret.len() >= 8 {
        all.extend([base64_kinds::STANDARD.encode(secret), basic, shifted, shifted_more]);
    }
    all
}

/// The pieces of eight characters of a text, and a shorter text itself.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.trim().chars().collect();
    if chars.len() <= 8 { vec![chars.into_iter().collect()] } else { chars.windows(8).map(|window| window.iter().collect()).collect() }
}

#[test]
fn a_secret_is_masked_however_it_is_written() {
    for secret in
        [SECRET, "a+b+c+d+e", "tab\there|and \"there\"", "two\nlines of a key", "\\\"back\\slash\\\n", "#{not} a 'binding'", "🔑 ключ é"]
    {
        let redactor = knows(&[secret]);
        for shown in written(secret) {
            let clean = redactor.clean(&format!("before {shown} after")).into_owned();
            assert!(clean.starts_with("before ") && clean.ends_with(" after"), "{shown} became {clean}");
            assert!(clean.contains(MASK), "{shown} became {clean}");
            let coded = shown.len() >= 8 && !shown.contains(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c));
            let left = if coded { 16 } else { 8 };
            assert!(clean.len() <= "before *** after".len() + left, "{shown} became {clean}");
            assert!(redactor.is_in(&shown), "{shown}");
        }
    }
}

#[test]
fn other_text_is_left_alone_and_not_copied() {
    assert!(matches!(knows(&[SECRET]).clean("Project A 2.0.0 → Test"), Cow::Borrowed("Project A 2.0.0 → Test")));
    assert_eq!(knows(&["", "a", "abc", " a\t", "\u{1}\u{2}\u{3}\u{4}"]).clean("a banana abc\u{1}"), "a banana abc\u{1}");
    for text in ["\\u00", "%", "%2", "&#", "&#x", "&amp", "\\", "\\\\\\\\", "\\u{", "\\ud83d\\u0041", "=", "API-", "..."] {
        assert!(matches!(knows(&[SECRET, "\\%&=<b"]).clean(text), Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn of_overlapping_secrets_nothing_is_left() {
    assert_eq!(knows(&["secret", "secret-and-more"]).clean("x secret-and-more y secret z"), "x *** y *** z");
    assert_eq!(knows(&["abcdefgh", "efghijkl"]).clean("abcdefghijkl abcdefgh"), "*** ***");
    assert_eq!(knows(&["secret"]).clean("secretsecret"), "******");
}

#[test]
fn the_lines_of_a_key_are_secrets_too() {
    let redactor = knows(&["-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----"]);
    assert_eq!(redactor.clean("line: abcdefghijkl"), "line: ***");
}

#[test]
fn what_looks_like_a_key_of_octopus_is_masked_though_nobody_knows_it() {
    let key = "API-ABCDEFGHIJ0123456789";
    assert_eq!(Redactor::new().clean(&format!("key={key}, {key}Z.")), "key=***, ***.");
    assert_eq!(Redactor::new().clean("API-ABCDEFGHIJ012345678 API-lower"), "API-ABCDEFGHIJ012345678 API-lower");
    assert!(Redactor::new().is_in(key));
}

#[test]
fn what_a_cut_leaves_of_a_secret_is_masked_for_people_and_is_no_reason_to_refuse_data() {
    let redactor = knows(&["correct/horse\"battery"]);
    for (shown, expected) in [
        ("it said `correct/hor…`", "it said `***…`"),
        ("it said `correct/horse\\...", "it said `***\\..."),
        ("it said `correct%2Fhorse%...", "it said `***%..."),
        ("it said `correct…`", "it said `correct…`"),
    ] {
        assert_eq!(redactor.clean(shown), expected);
        assert!(!redactor.is_in(shown));
        assert_eq!(redactor.clean_whole(shown), shown);
    }
}

#[test]
fn a_document_is_cleaned_in_its_texts_names_and_numbers() {
    let redactor = knows(&["hunter22", "48151623"]);
    let document = serde_json::json!({"hunter22": ["x hunter22", 48_151_623, 7, null, true], "plain": {"a": "b"}});
    assert_eq!(redactor.clean_value(document), serde_json::json!({"***": ["x ***", "***", 7, null, true], "plain": {"a": "b"}}));
}

#[test]
fn a_secret_that_the_script_has_revealed_may_be_sent() {
    let redactor = knows(&["hunter22", "swordfish"]);
    assert_eq!(redactor.clean_but("hunter22 swordfish", &["Bearer hunter22".to_owned()]), "hunter22 ***");
}

fn hard_secret() -> impl Strategy<Value = String> {
    let hard = prop_oneof![
        Just("/"),
        Just("\""),
        Just("|"),
        Just("\t"),
        Just("\n"),
        Just("<"),
        Just(">"),
        Just("&"),
        Just("'"),
        Just("%"),
        Just("#{"),
        Just("}"),
        Just("\\"),
        Just("ü"),
        Just("ключ"),
        Just("🔑"),
        Just("e\u{301}"),
        Just(" "),
        Just("+"),
        Just("="),
        Just("%2F"),
        Just("&amp;"),
        Just("\\n"),
        Just("a"),
        Just("B7"),
        Just("xyz"),
        Just("-"),
        Just("*"),
        Just("`"),
        Just("$"),
    ];
    proptest::collection::vec(hard, 4..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 200, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_piece_of_a_hard_secret_is_left(secret in hard_secret()) {
        let redactor = knows(&[&secret]);
        prop_assume!(Spelling::of(&secret, SHORTEST).is_some());
        for shown in written(&secret) {
            let clean = redactor.clean(&format!("~~~~ {shown} ~~~~")).into_owned();
            prop_assert!(clean.contains(MASK), "{:?} became {:?}", shown, clean);
            for piece in pieces(&secret).into_iter().filter(|piece| piece.chars().count() >= 8) {
                prop_assert!(!clean.contains(&piece), "{:?} became {:?}", shown, clean);
            }
        }
    }

    #[test]
    fn any_text_can_be_cleaned(secret in hard_secret(), text in "[\\\\%&=ua-f0-9{}#x;\u{e9}\u{1f511}.…< +\n]{0,80}") {
        let clean = knows(&[&secret, SECRET]).clean(&text).into_owned();
        prop_assert!(clean.len() <= text.len() + MASK.len() * text.len());
    }
}

#[test]
fn a_big_text_with_twenty_secrets_is_cleaned() {
    let secrets: Vec<String> = (0..20).map(|n| format!("{}key-{n}/\"very\\secret", ["a", "e", "\"", "\\", "{"][n % 5])).collect();
    let redactor = knows(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
    let line = r#"{"Id":"ServerTasks-12","Name":"Deploy","Description":"Deploy \"Project A\" release 2.0.0 to Test","Links":{"Self":"/api/tasks/ServerTasks-12"}},"#;
    let text = line.repeat((1 << 18) / line.len());
    assert!(matches!(redactor.clean(&text), Cow::Borrowed(_)));
    // Texts that are made to be slow.
    for slow in ["\\".repeat(1 << 18), "%25".repeat(1 << 16), "&amp;".repeat(1 << 16), "akey-0 ".repeat(1 << 15), " ".repeat(1 << 18)] {
        assert!(matches!(redactor.clean(&slow), Cow::Borrowed(_)));
    }
    assert_eq!(redactor.clean(&format!("{text}{}", secrets[7])).len(), text.len() + MASK.len());
}
