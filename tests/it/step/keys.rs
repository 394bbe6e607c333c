//! Which key a step logs in with, and where: what its boxes hold belongs together, and so does what a worker's environment holds.
#![cfg(unix)]

use crate::support::{
    ground::Ground,
    listening::Listening,
    step::{Heard, Step},
};

const SCRIPT: &str = "print(\"in\");";

/// A step whose boxes for a key are empty.
fn without_key(url: &str) -> Step {
    Step::new(url, SCRIPT, &[("T.Server.ApiKey!", "")])
}

#[test]
fn key_of_a_worker_is_for_the_address_beside_it() {
    let ground = Ground::new();
    let (x, y) = (Listening::before(&ground.sandbox.url), Listening::refusing());
    let refused = |heard: &Heard, parts: &[&str]| {
        heard.ended(2);
        let told = heard.at("error").join("\n");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert_eq!((x.heard(), y.heard()), (String::new(), String::new()), "{told}");
    };
    let names = format!("the step names `{}`", x.url);
    let of_y = without_key(&x.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTOPUS_URL", &y.url).run();
    refused(&of_y, &[&format!("OCTOPUS_API_KEY is for `{}`, as OCTOPUS_URL says", y.url), &names, "`T.Server.ApiKey`"]);
    let of_none = without_key(&x.url).env("OCTOPUS_ACCESS_TOKEN", "e30.e30").run();
    refused(&of_none, &["OCTOPUS_ACCESS_TOKEN is for no server", &names, &format!("OCTOPUS_URL={}", x.url)]);
    without_key(&x.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTOPUS_URL", &format!("{}/", x.url)).run().ended(0);
    assert!(x.heard().contains("API-SANDBOX"));
    // What the boxes hold counts, whatever the worker's environment says.
    let boxes = [("T.Server.ApiKey!", "API-SANDBOX"), ("T.Server.Url", x.url.as_str())];
    let step = Step::new(&y.url, SCRIPT, &boxes).env("OCTOPUS_API_KEY", "API-OFTHEWORKER").env("OCTOPUS_URL", &y.url);
    step.run().ended(0);
    let heard = x.heard();
    assert!(heard.contains("API-SANDBOX") && !heard.contains("OFTHEWORKER") && y.heard().is_empty(), "{heard}");
}

#[test]
fn address_in_a_box_is_told_without_its_password() {
    for url in ["https://me:hunter22@h:bad/", "https://me:hunter22@h"] {
        let heard = Step::new(url, SCRIPT, &[]).run();
        heard.ended(2);
        assert!(
            heard.at("error").join("\n").contains("is not the address of an Octopus Server") && !heard.raw.contains("hunter22"),
            "{heard:?}"
        );
    }
}

#[test]
fn certificates_of_a_worker_are_looked_at_before_the_first_request() {
    let y = Listening::refusing();
    let heard = Step::new(&y.url, SCRIPT, &[]).env("OCTORHAI_CA_CERT", "/nowhere/ca.pem").run();
    heard.ended(2);
    assert!(
        heard.at("error").join("\n").contains("the certificate file `/nowhere/ca.pem` cannot be used: there is no such file"),
        "{heard:?}"
    );
    assert_eq!(y.heard(), "");
}
