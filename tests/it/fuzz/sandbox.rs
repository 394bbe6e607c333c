//! Requests to the sandbox: bodies, queries and packages that nobody sends on purpose. It answers each, and none with 500.

use super::{Reader, fuzz};
use octorhai::{
    clock::Clock,
    sandbox::{Sandbox, World, endpoints},
};
use std::{io::Write, net::SocketAddr};

fn start() -> (tokio::runtime::Runtime, Sandbox) {
    // As the program does first thing; another test may have done it.
    let _there = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let world = World::from_toml("shop", &World::builtin_toml("shop").expect("a world")).expect("a world");
    let clock = Clock::virtual_at("2026-03-02T08:00:00Z".parse().expect("a time"));
    let sandbox = runtime.block_on(Sandbox::start(world, clock, SocketAddr::from(([127, 0, 0, 1], 0)))).expect("it listens");
    (runtime, sandbox)
}

/// The first line is the method and the path, the rest the body.
#[test]
fn requests_are_answered() {
    let (runtime, sandbox) = start();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let bodies = [
        r#"{"Id": "X-1", "Name": "x", "Version": "1.0.0", "ProjectId": "Projects-1", "ReleaseId": "Releases-1", "EnvironmentId": "Environments-1", "Links": {}}"#,
        r#"{"Name": "Deploy", "SpaceId": "Spaces-1", "Arguments": {"DeploymentId": "Deployments-1"}, "QueueTime": "2026-03-02T09:00:00Z"}"#,
        r#"{"Variables": [{"Id": "", "Name": "a", "Value": "b", "Scope": {"Environment": ["Environments-1"]}, "Prompt": {}}], "ScopeValues": {}, "Version": 0}"#,
        r#"{"Steps": [{"Name": "s", "Actions": [{"Name": "a", "ActionType": "Octopus.Script", "Properties": {"Octopus.Action.Script.ScriptBody": "x"}}]}]}"#,
        "",
    ];
    let mut seeds = Vec::new();
    for (number, endpoint) in endpoints().enumerate() {
        let path = endpoint["path"]
            .as_str()
            .expect("a path")
            .replace("{space}", "Spaces-1")
            .replace("{id}", ["1", "Projects-1", "Releases-1"][number % 3]);
        seeds.push(
            format!(
                "{} /api/{}\n{}",
                endpoint["method"].as_str().expect("a method"),
                path.trim_start_matches("/api/").trim_start_matches('/'),
                bodies[number % bodies.len()]
            )
            .into_bytes(),
        );
    }
    let words = &[
        "GET /api/Spaces-1/",
        "POST /api/Spaces-1/",
        "PUT /api/",
        "DELETE /api/",
        "projects/Projects-1",
        "releases/",
        "tasks",
        "deployments",
        "variables/variableset-Projects-1",
        "?skip=-1",
        "?take=99999999999",
        "&ids=a,,b",
        "?fromDate=x",
        "null",
        "[]",
        "{}",
        "\"\"",
        "-1",
        "Projects-1",
        "Environments-1",
        "Releases-1",
        "Tenants-1",
        "1.0.0",
        "projects/Projects-1/deploymentprocesses",
        "runbooks",
        "interruptions",
        "deploymentfreezes",
        "/sandbox/faults",
        "%2e%2e",
        "%00",
    ];
    fuzz(Reader {
        name: "sandbox-request",
        seeds,
        words,
        usual: 1200,
        read: Box::new(move |input| {
            let text = String::from_utf8_lossy(input);
            let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
            let (method, path) = head.split_once(' ').unwrap_or(("GET", head));
            let Ok(method) = reqwest::Method::from_bytes(method.as_bytes()) else { return Ok(()) };
            // Steps and clocks of the control endpoints are no matter of readers.
            if path.contains("advance") || path.contains("shutdown") {
                return Ok(());
            }
            let url = format!("{}/{}", sandbox.url().trim_end_matches('/'), path.trim_start_matches('/'));
            let sent = client.request(method, url).header("X-Octopus-ApiKey", sandbox.api_key()).body(body.to_owned());
            match runtime.block_on(sent.send()) {
                Ok(answer) if answer.status() == 500 => Err(format!("500 {}", runtime.block_on(answer.text()).unwrap_or_default())),
                Ok(answer) => runtime.block_on(answer.bytes()).map(|_| ()).map_err(|error| format!("breaks off: {error}")),
                Err(error) if error.is_builder() => Ok(()),
                Err(error) => Err(format!("no answer: {error:?}")),
            }
        }),
    });
}

#[test]
fn packages_are_taken_or_refused() {
    let (runtime, sandbox) = start();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a.txt", zip::write::SimpleFileOptions::default()).expect("begun");
    zip.write_all(&b"hello ".repeat(100)).expect("written");
    zip.start_file("Acme.Web.nuspec", zip::write::SimpleFileOptions::default()).expect("begun");
    zip.write_all(b"<package><metadata><id>Acme.Web</id><version>1.2.3</version></metadata></package>").expect("written");
    let zip = zip.finish().expect("a package").into_inner();
    let form = |name: &str, content: &[u8]| {
        let mut body = format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--b--\r\n");
        body
    };
    let seeds = vec![
        form("Acme.Web.1.2.3.zip", &zip),
        form("Acme.Web.1.2.3.nupkg", &zip),
        form("Acme.Web.1.2.3.tar.gz", b"\x1f\x8b\x08"),
        form("x", b""),
    ];
    fuzz(Reader {
        name: "package",
        seeds,
        words: &[
            "--b\r\n",
            "--b--",
            "filename=\"",
            "\r\n\r\n",
            "Content-Disposition: form-data",
            "PK\x03\x04",
            "PK\x01\x02",
            "PK\x05\x06",
            "..",
            "/",
        ],
        usual: 400,
        read: Box::new(move |input| {
            let url = format!("{}/api/Spaces-1/packages/raw?overwriteMode=OverwriteExisting", sandbox.url().trim_end_matches('/'));
            let sent =
                client.post(url).header("X-Octopus-ApiKey", sandbox.api_key()).header("Content-Type", "multipart/form-data; boundary=b");
            match runtime.block_on(sent.body(input.to_vec()).send()) {
                Ok(answer) if answer.status() == 500 => Err("500".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => Err(format!("no answer: {error:?}")),
            }
        }),
    });
}
