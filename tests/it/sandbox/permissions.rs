//! Who may do what on the sandbox: roles and their restrictions, hidden documents, keys that expire or only read, rate limits.

use crate::support::server::Server;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

/// `shop` with people of all kinds.
async fn server() -> Server {
    let people = r#"
[[tenants]]
name = "Nobody"
[[users]]
name = "deployer"
key = "API-DEPLOYER"
roles = [ { role = "Project deployer", projects = ["Project A"], environments = ["Test"] } ]
[[users]]
name = "viewer"
key = "API-VIEWER"
roles = [ { role = "Project viewer" } ]
[[users]]
name = "publisher"
keys = [ { key = "API-PUBLISHER" } ]
roles = [ { role = "Only projects" } ]
[[users]]
name = "gone"
key = "API-GONE"
disabled = true
[[users]]
name = "boss"
keys = [
  { key = "API-SHORT", purpose = "a day", expires = "2026-03-03T08:00:00Z" },
  { key = "API-READER", purpose = "a dashboard", read_only = true },
]
[[users]]
name = "approver"
key = "API-APPROVER"
[[users]]
name = "stranger"
key = "API-STRANGER"
[[teams]]
name = "Approvers"
members = ["approver"]
roles = [ { role = "Project contributor" } ]
[[teams]]
name = "Strangers"
members = ["stranger"]
roles = [ { role = "Project contributor" } ]
[[roles]]
name = "Only projects"
permissions = ["ProjectView"]
"#;
    let shop = octorhai::sandbox::World::builtin_toml("shop").expect("a world");
    let shop = shop.replace(
        "{ name = \"Drain queue\",         takes = \"4m\" }",
        "{ name = \"Ask\", manual = { instructions = \"Now?\", teams = [\"Approvers\"] } }",
    );
    Server::toml(&format!("{shop}{people}")).await
}

fn message(body: &Value) -> &str {
    body["ErrorMessage"].as_str().unwrap_or_default()
}

async fn get(s: &Server, key: &str, path: &str) -> (u16, Value) {
    s.send_as(key, Method::GET, path, None).await
}

#[tokio::test]
async fn a_key_that_is_unknown_disabled_or_expired_is_401() {
    let s = server().await;
    for key in ["", "API-NOBODY", "API-GONE"] {
        let (status, body) = get(&s, key, "/api/users/me").await;
        assert_eq!(status, 401, "{key}");
        assert!(message(&body).starts_with("You must be logged in to perform this action."), "{body}");
        assert!(body.get("Errors").is_none(), "clients read any Errors as a failed validation: {body}");
    }
    assert_eq!(get(&s, "API-SHORT", "/api/users/me").await.0, 200);
    s.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(get(&s, "API-SHORT", "/api/users/me").await.0, 401);
}

#[tokio::test]
async fn a_missing_permission_is_403_and_named() {
    let s = server().await;
    let (status, body) = s.send_as("API-VIEWER", Method::POST, "/api/Spaces-1/deployments", Some(json!({}))).await;
    assert_eq!(status, 403);
    assert_eq!(
        message(&body),
        "You do not have permission to perform this action. Please contact your Octopus administrator. Missing permission: DeploymentCreate"
    );
    let (status, body) = get(&s, "API-PUBLISHER", "/api/Spaces-1/tasks").await;
    assert_eq!((status, message(&body).ends_with("Missing permission: TaskView")), (403, true));
    assert_eq!(get(&s, "API-PUBLISHER", "/api/Spaces-1/projects").await.0, 200);
    let (status, body) = get(&s, "API-VIEWER", "/api/smtpconfiguration").await;
    assert_eq!((status, message(&body).ends_with("Missing permission: ConfigureServer")), (403, true));
}

#[tokio::test]
async fn a_role_is_restricted_to_its_projects_and_environments() {
    let s = server().await;
    let (a, b) = (s.id("projects", "Project A").await, s.id("projects", "Project B").await);
    let (test, production) = (s.id("environments", "Test").await, s.id("environments", "Production").await);
    let names = |body: &Value| -> Vec<String> {
        body["Items"].as_array().expect("items").iter().map(|i| i["Name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let (_, projects) = get(&s, "API-DEPLOYER", "/api/Spaces-1/projects").await;
    assert_eq!(names(&projects), ["Project A"]);
    let (_, environments) = get(&s, "API-DEPLOYER", "/api/Spaces-1/environments").await;
    assert_eq!(names(&environments), ["Test"]);
    // What is hidden does not exist.
    for path in [format!("projects/{b}"), format!("projects/{b}/releases"), format!("environments/{production}")] {
        assert_eq!(get(&s, "API-DEPLOYER", &format!("/api/Spaces-1/{path}")).await.0, 404, "{path}");
    }
    let deploy = |release: String, environment: String| {
        let s = &s;
        async move {
            let body = json!({"ReleaseId": release, "EnvironmentId": environment});
            s.send_as("API-DEPLOYER", Method::POST, "/api/Spaces-1/deployments", Some(body)).await
        }
    };
    let (status, own) = deploy(s.release("Project A", "2.0.0").await, test.clone()).await;
    assert_eq!(status, 201, "{own}");
    assert_eq!(own["DeployedBy"], "deployer");
    let (status, body) = deploy(s.release("Project A", "1.1.0").await, production.clone()).await;
    assert_eq!((status, message(&body).ends_with("Missing permission: DeploymentCreate")), (403, true), "{body}");
    assert_eq!(deploy(s.release("Project B", "2.0.0").await, test.clone()).await.0, 403);
    // The same through the API by names, and what it says is that there is no such project.
    let by_name = json!({"spaceIdOrName": "Default", "projectName": "Project B", "releaseVersion": "2.0.0", "environmentNames": ["Test"]});
    let (status, body) = s.send_as("API-DEPLOYER", Method::POST, "/api/Spaces-1/deployments/create/untenanted/v1", Some(by_name)).await;
    assert_eq!((status, message(&body)), (404, "The project 'Project B' was not found."));
    // Tasks, deployments, the dashboard and what may be deployed next follow.
    let other = s.start("Project B", "2.0.0", "Test").await;
    assert_eq!(get(&s, "API-DEPLOYER", &format!("/api/tasks/{other}")).await.0, 404);
    assert_eq!(get(&s, "API-DEPLOYER", &format!("/api/tasks/{}", own["TaskId"].as_str().expect("an id"))).await.0, 200);
    let (_, tasks) = get(&s, "API-DEPLOYER", &format!("/api/tasks?ids={other},{}", own["TaskId"].as_str().expect("an id"))).await;
    assert_eq!(tasks["TotalResults"], 1);
    let (_, board) = get(&s, "API-DEPLOYER", "/api/Spaces-1/dashboard").await;
    assert_eq!(board["Projects"].as_array().map(Vec::len), Some(1));
    assert_eq!(board["Environments"].as_array().map(Vec::len), Some(1));
    assert!(board["Items"].as_array().expect("items").iter().all(|i| i["ProjectId"] == a.as_str() && i["EnvironmentId"] == test.as_str()));
    let release = s.release("Project A", "1.1.0").await;
    let (_, template) = get(&s, "API-DEPLOYER", &format!("/api/Spaces-1/releases/{release}/deployments/template")).await;
    assert!(template["PromoteTo"].as_array().expect("a list").iter().all(|e| e["Id"] == test.as_str()), "{template}");
}

/// What hangs below something hidden is as hidden: files, snapshots, what happened, what is connected.
#[tokio::test]
async fn what_belongs_to_a_hidden_project_is_hidden_too() {
    let s = server().await;
    let (test, other) = (s.id("environments", "Test").await, s.start("Project B", "2.0.0", "Test").await);
    let (_, file) = s.post("/api/Spaces-1/artifacts", json!({"Filename": "plan.txt", "ServerTaskId": other})).await;
    let file = format!("/api/Spaces-1/artifacts/{}", file["Id"].as_str().expect("an id"));
    let http = s.http.put(format!("{}{file}/content", s.sandbox.url())).header("X-Octopus-ApiKey", "API-SANDBOX").body("hidden");
    assert!(http.send().await.expect("an answer").status().is_success());
    let books = s.get("/api/Spaces-1/runbookSnapshots?take=100").await;
    let b = s.id("projects", "Project B").await;
    let snapshot = books["Items"].as_array().expect("items").iter().find(|d| d["ProjectId"] == b.as_str()).expect("one of Project B");
    let snapshot = format!("/api/Spaces-1/runbookSnapshots/{}/runbookRuns", snapshot["Id"].as_str().expect("an id"));
    for path in
        [file.clone(), format!("{file}/content"), snapshot.clone(), format!("{snapshot}/template"), format!("{snapshot}/preview/{test}")]
    {
        assert_eq!(get(&s, "API-DEPLOYER", &path).await.0, 404, "{path}");
    }
    for (method, path, body) in [
        (Method::PUT, format!("{file}/content"), json!({})),
        (Method::POST, "/api/Spaces-1/artifacts".into(), json!({"Filename": "x", "ServerTaskId": other})),
        (Method::POST, format!("/api/tasks/rerun/{other}"), json!({})),
    ] {
        assert_eq!(s.send_as("API-DEPLOYER", method, &path, Some(body)).await.0, 404, "{path}");
    }
    s.post("/api/Spaces-1/channels", json!({"Name": "Secret channel", "ProjectId": b})).await;
    let (_, events) = get(&s, "API-DEPLOYER", "/api/Spaces-1/events?take=1000").await;
    assert!(!events.to_string().contains("Secret channel") && s.get("/api/events?take=1000").await.to_string().contains("Secret channel"));
}

#[tokio::test]
async fn a_document_does_not_move_to_another_project() {
    let s = server().await;
    let (book, other) = (s.get("/api/Spaces-1/runbooks/all").await[0].clone(), s.id("projects", "Project C").await);
    let way = format!("/api/Spaces-1/runbooks/{}", book["Id"].as_str().expect("an id"));
    let mut moved = book.clone();
    moved["ProjectId"] = json!(other);
    assert_eq!(s.send(Method::PUT, &way, Some(moved)).await.1["ProjectId"], book["ProjectId"]);
}

#[tokio::test]
async fn permissions_can_be_read_and_teams_changed() {
    let s = server().await;
    let (_, me) = get(&s, "API-DEPLOYER", "/api/users/me").await;
    let way = format!("/api/users/{}/permissions", me["Id"].as_str().expect("an id"));
    let (_, set) = get(&s, "API-DEPLOYER", &way).await;
    let held = &set["SpacePermissions"]["DeploymentCreate"][0];
    assert_eq!(held["RestrictedToProjectIds"], json!([s.id("projects", "Project A").await]));
    assert_eq!(held["RestrictedToEnvironmentIds"], json!([s.id("environments", "Test").await]));
    assert_eq!(set["SystemPermissions"], json!(["TeamView", "UserRoleView", "UserView"]));
    // A team is given a role: its members may do more from the next request on.
    let (_, role) = s
        .post(
            "/api/userroles",
            json!({"Name": "Server people", "GrantedSpacePermissions": [], "GrantedSystemPermissions": ["ConfigureServer"]}),
        )
        .await;
    let (_, team) = s.post("/api/teams", json!({"Name": "Server", "MemberUserIds": [me["Id"]]})).await;
    assert_eq!(get(&s, "API-DEPLOYER", "/api/smtpconfiguration").await.0, 403);
    let (status, given) = s.post("/api/scopeduserroles", json!({"TeamId": team["Id"], "UserRoleId": role["Id"]})).await;
    assert_eq!(status, 201, "{given}");
    assert_eq!(get(&s, "API-DEPLOYER", "/api/smtpconfiguration").await.0, 200);
    let way = format!("/api/teams/{}/scopeduserroles", team["Id"].as_str().expect("an id"));
    assert_eq!(s.get(&way).await["TotalResults"], 1);
    let all = s.get("/api/permissions/all").await;
    assert_eq!(all["DeploymentCreate"]["SupportedRestrictions"], json!(["projects", "environments", "tenants"]));
}

#[tokio::test]
async fn a_read_only_key_reads_all_that_its_user_sees_and_changes_nothing() {
    let s = server().await;
    let a = s.id("projects", "Project A").await;
    assert_eq!(get(&s, "API-READER", &format!("/api/Spaces-1/projects/{a}")).await.0, 200);
    let release = s.release("Project A", "2.0.0").await;
    assert_eq!(get(&s, "API-READER", &format!("/api/Spaces-1/releases/{release}/deployments/template")).await.0, 200);
    let task = s.start("Project A", "2.0.0", "Test").await;
    for (method, path) in [
        (Method::POST, "/api/Spaces-1/deployments".to_owned()),
        (Method::POST, format!("/api/tasks/{task}/cancel")),
        (Method::PUT, format!("/api/Spaces-1/projects/{a}")),
        (Method::DELETE, format!("/api/Spaces-1/projects/{a}")),
        (Method::POST, "/api/users/me/apikeys".to_owned()),
    ] {
        let (status, body) = s.send_as("API-READER", method, &path, Some(json!({"Purpose": "more"}))).await;
        assert_eq!(status, 403, "{path}: {body}");
    }
    // A token made with it can do no more.
    let (_, token) = s.send_as("API-READER", Method::POST, "/api/users/access-token", None).await;
    let token = token["AccessToken"].as_str().expect("a token");
    assert_eq!(get(&s, token, "/api/users/me").await.1["Username"], "boss");
    assert_eq!(s.send_as(token, Method::POST, &format!("/api/tasks/{task}/cancel"), None).await.0, 403);
}

#[tokio::test]
async fn keys_are_made_shown_once_and_revoked() {
    let s = server().await;
    let (status, made) = s.post("/api/users/me/apikeys", json!({"Purpose": "CI", "Expires": "2026-03-02T09:00:00Z"})).await;
    assert_eq!(status, 200, "{made}");
    let secret = made["ApiKey"].as_str().expect("shown once").to_owned();
    assert!(secret.starts_with("API-") && secret[4..].chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{secret}");
    assert_eq!(get(&s, &secret, "/api/users/me").await.0, 200);
    let all = s.get("/api/users/me/apikeys").await;
    let shown = all["Items"].as_array().expect("items").iter().find(|k| k["Purpose"] == "CI").expect("in the list");
    assert_eq!((&shown["ApiKey"]["HasValue"], shown["ApiKey"]["Hint"].as_str()), (&json!(true), Some(&secret[..6])));
    let way = format!("/api/users/me/apikeys/{}", made["Id"].as_str().expect("an id"));
    assert_eq!(s.send(Method::DELETE, &way, None).await.0, 200);
    assert_eq!(get(&s, &secret, "/api/users/me").await.0, 401);
    assert_eq!(s.post("/api/users/me/apikeys", json!({})).await.0, 400);
    assert_eq!(s.post("/api/users/me/apikeys", json!({"Purpose": "late", "Expires": "2020-01-01T00:00:00Z"})).await.0, 400);
    // Nobody sees another's keys.
    assert_eq!(get(&s, "API-DEPLOYER", "/api/users/Users-1/apikeys").await.0, 403);
}

#[tokio::test]
async fn only_the_team_that_is_asked_answers() {
    let s = server().await;
    let task = s.start("Project C", "2.0.0", "Test").await;
    s.pass(5);
    let pending = s.get(&format!("/api/Spaces-1/interruptions?pendingOnly=true&regarding={task}")).await;
    let id = pending["Items"][0]["Id"].as_str().expect("one waits").to_owned();
    let take = |key: &'static str| {
        let (s, id) = (&s, id.clone());
        async move { s.send_as(key, Method::PUT, &format!("/api/Spaces-1/interruptions/{id}/responsible"), None).await }
    };
    assert_eq!(take("API-VIEWER").await.0, 403);
    assert_eq!(take("API-STRANGER").await.0, 403);
    assert_eq!(take("API-APPROVER").await.0, 200);
    let answer = json!({"Notes": "", "Result": "Proceed"});
    let (status, body) = s.send_as("API-APPROVER", Method::POST, &format!("/api/Spaces-1/interruptions/{id}/submit"), Some(answer)).await;
    assert_eq!((status, &body["IsPending"]), (200, &json!(false)));
}

/// Status, policy and state of the limit, and `Retry-After` of an answer to the holder of a key.
async fn limit(s: &Server, key: &str, path: &str) -> (u16, [String; 3]) {
    let answer = s.http.get(format!("{}{path}", s.sandbox.url())).header("X-Octopus-ApiKey", key).send().await.expect("an answer");
    let header = |name: &str| answer.headers().get(name).map_or_else(String::new, |value| value.to_str().expect("text").to_owned());
    (answer.status().as_u16(), [header("octopus-ratelimit-policy"), header("octopus-ratelimit"), header("retry-after")])
}

#[tokio::test]
async fn too_many_requests_are_429_until_the_bucket_fills() {
    let s =
        Server::toml("rate_limits = [ { per_minute = 60, burst = 3 }, { scope = \"Unauthenticated\", per_minute = 60, burst = 1 } ]").await;
    let told = |r: u32, t: u32, again: &str| ["l=3;rpm=60".to_owned(), format!("r={r};t={t}"), again.to_owned()];
    for n in [2, 1, 0] {
        assert_eq!(limit(&s, "API-SANDBOX", "/api/users/me").await, (200, told(n, 3 - n, "")));
    }
    assert_eq!(limit(&s, "API-SANDBOX", "/api/nothing").await, (429, told(0, 3, "1")));
    assert_eq!(limit(&s, "API-SANDBOX", "/sandbox/clock").await, (200, [const { String::new() }; 3]));
    assert_eq!(get(&s, "", "/api").await.0, 200);
    assert_eq!(get(&s, "", "/api").await.0, 429);
    s.clock.advance(SignedDuration::from_secs(2));
    let policies = get(&s, "API-SANDBOX", "/api/ratelimitingpolicies").await.1;
    let shown: Vec<Value> =
        policies["Items"].as_array().expect("a list").iter().map(|p| json!([p["Name"], p["IsEnabled"], p["BurstLimit"]])).collect();
    let wanted = json!([["Unauthenticated requests", true, 1], ["Authenticated requests", true, 3], ["AI Agent requests", true, 200]]);
    assert_eq!(json!(shown), wanted);
    let events = get(&s, "API-SANDBOX", "/api/events?eventCategories=RateLimitPolicyExceeded").await.1;
    assert_eq!(events["Items"][1]["Message"], "Rate limit policy Authenticated requests exceeded for sandbox");
}

#[tokio::test]
async fn agents_have_a_bucket_of_their_own_and_audit_mode_rejects_nothing() {
    let world = "rate_limits = [ { per_minute = 60, burst = 1, audit = true }, { scope = \"AuthenticatedAgent\", per_minute = 60, burst = 1, retry_after = false } ]\n\
        [[users]]\nname = \"ada\"\nkey = \"API-ADA\"\nkeys = [ { key = \"API-AGENT\", agent = true } ]\n";
    let s = Server::toml(world).await;
    let told = |r: u32| ["l=1;rpm=60".to_owned(), format!("r={r};t=1"), String::new()];
    for key in ["API-ADA", "API-AGENT", "API-ADA"] {
        assert_eq!(limit(&s, key, "/api/users/me").await, (200, told(0)), "{key}");
    }
    assert_eq!(limit(&s, "API-AGENT", "/api/users/me").await, (429, told(0)), "it may leave out when to come again");
}

#[tokio::test]
async fn a_policy_is_changed_by_a_put_of_all_its_members() {
    let s = Server::toml("").await;
    let at = "/api/ratelimitingpolicies/RateLimitingPolicies-2";
    let mut policy = s.get(at).await;
    assert_eq!((&policy["IsEnabled"], limit(&s, "API-SANDBOX", "/api").await.1[0].as_str()), (&json!(false), ""));
    policy["IsEnabled"] = json!(true);
    policy["BurstLimit"] = json!(2);
    assert_eq!(s.send(Method::PUT, at, Some(policy.clone())).await, (200, policy.clone()));
    assert_eq!(limit(&s, "API-SANDBOX", "/api").await.1[0], "l=2;rpm=600");
    for (member, value) in [("Name", json!("Mine")), ("BurstLimit", json!(0)), ("AuditMode", json!(null))] {
        s.clock.advance(SignedDuration::from_secs(10));
        let mut wrong = policy.clone();
        wrong[member] = value;
        assert_eq!(s.send(Method::PUT, at, Some(wrong)).await.0, 400, "{member}");
    }
    let older = Server::toml("version = \"2026.1\"").await;
    assert_eq!(get(&older, "API-SANDBOX", "/api/ratelimitingpolicies").await.0, 404);
}

#[test]
fn mistakes_in_a_world_are_told_with_their_place() {
    for (world, told) in [
        ("version = \"2026.1\"\nrate_limits = [ { per_minute = 60 } ]\n", "servers before 2026.3 do not limit requests"),
        ("rate_limits = [ { per_minute = 60 }, { per_minute = 6 } ]\n", "there are two rate limits for `AuthenticatedHuman`"),
        ("[[users]]\nname = \"a\"\npermissions = [\"DeploymentCreat\"]\n", "there is no permission `DeploymentCreat`"),
        ("[[users]]\nname = \"a\"\nroles = [ { role = \"Project deploier\" } ]\n", "there is no user role `Project deploier`"),
        ("[[users]]\nname = \"a\"\nroles = [ { role = \"Project viewer\", projects = [\"X\"] } ]\n", "there is no project `X`"),
        ("[[users]]\nname = \"a\"\nkey = \"API-SANDBOX\"\n", "a key of user `a` is somebody else's, too"),
        ("[[roles]]\nname = \"project viewer\"\npermissions = []\n", "there is already a user role"),
        ("[[users]]\nname = \"Sandbox\"\n", "is always there"),
        ("[[users]]\nname = \"a\"\nkey = \"\"\n", "has an empty key"),
        ("[[users]]\nname = \"a\"\npermissions = []\nroles = [ { role = \"Project viewer\" } ]\n", "say one of them"),
        ("rate_limits = [ { per_minute = 0 } ]\n", "nonzero"),
        ("rate_limits = [ { scope = \"Anybody\", per_minute = 1 } ]\n", "Anybody"),
    ] {
        let error = octorhai::sandbox::World::from_toml("w.toml", world).err().expect("a mistake").to_string();
        assert!(error.contains(told) && error.contains("--> w.toml:"), "{error}");
    }
}
