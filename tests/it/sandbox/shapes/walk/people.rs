//! Users, and everybody who is refused.

use super::{Walk, text};
use reqwest::Method;
use serde_json::json;

/// Users and what they may.
pub async fn users(walk: &mut Walk) {
    let all = walk.get("/api/users").await;
    for user in all["Items"].as_array().into_iter().flatten() {
        let id = text(user, "Id");
        for tail in ["", "/spaces", "/teams", "/permissions", "/permissions/configuration", "/apikeys"] {
            walk.get(&format!("/api/users/{id}{tail}")).await;
        }
    }
    walk.get("/api/users/me").await;
    let (status, _) = walk.say(Method::GET, "/api/users/me", None, "API-ADA").await;
    assert_eq!(status, 200);
    walk.post("/api/users/access-token", json!({})).await;
    walk.post("/api/users/logout", json!({})).await;
}

/// Every way to be refused.
pub async fn refusals(walk: &mut Walk) {
    let (status, _) = walk.say(Method::GET, "/api/projects", None, "API-WRONG").await;
    assert_eq!(status, 401);
    let (status, answer) = walk.say(Method::POST, "/api/deployments", Some(json!({"ReleaseId": "Releases-1"})), "API-ADA").await;
    assert_eq!(status, 403);
    assert!(text(&answer, "ErrorMessage").contains("DeploymentCreate"));
    for path in [
        "/api/Spaces-1/projects/Projects-999",
        "/api/Spaces-1/projects/Projects-1/releases/9.9.9",
        "/api/Spaces-99/projects",
        "/api/tasks/ServerTasks-99999",
        "/api/Spaces-1/deployments/Deployments-99999",
        "/api/Spaces-1/artifacts/Artifacts-99",
        "/api/Spaces-1/variables/variableset-Projects-999",
    ] {
        walk.refused(Method::GET, path, None, 404).await;
    }
    walk.refused(Method::DELETE, "/api/Spaces-1/projects", None, 405).await;
    walk.refused(Method::PUT, "/api/Spaces-1/deployments/Deployments-1", Some(json!({})), 405).await;
    walk.refused(Method::GET, "/api/Spaces-1/projects/Projects-1/git/branches", None, 400).await;
    for (path, body) in [
        ("/api/Spaces-1/projects", json!({})),
        ("/api/Spaces-1/releases", json!({"ProjectId": "Projects-1"})),
        ("/api/Spaces-1/releases", json!({"ProjectId": "Projects-1", "Version": "1.0.0"})),
        ("/api/Spaces-1/deployments", json!({"ReleaseId": "Releases-1"})),
        ("/api/Spaces-1/deployments/override", json!({"FreezeIds": []})),
        ("/api/Spaces-1/tasks", json!({"Name": "Deploy"})),
        ("/api/users/login", json!({"Username": "ada", "Password": "x"})),
    ] {
        let answer = walk.refused(Method::POST, path, Some(body), 400).await;
        assert!(answer["Errors"].as_array().is_some_and(|e| !e.is_empty()), "{path}: {answer}");
    }
}

/// Users, roles, keys: made, changed, taken away.
pub async fn roles_and_keys(walk: &mut Walk) {
    let new =
        json!({"Username": "bo", "DisplayName": "Bo Builder", "EmailAddress": "bo@example.com", "IsActive": true, "IsService": false});
    let user = walk.post("/api/users", new).await;
    let user = format!("/api/users/{}", text(&user, "Id"));
    let mut read = walk.get(&user).await;
    read["DisplayName"] = json!("Bo");
    walk.put(&user, read).await;
    let key = walk.post("/api/users/me/apikeys", json!({"Purpose": "walk", "Expires": "2027-01-01T00:00:00.000+00:00"})).await;
    let me = text(&key, "UserId");
    let key = format!("/api/users/{me}/apikeys/{}", text(&key, "Id"));
    walk.get(&key).await;
    walk.get(&format!("/api/users/{me}/apikeys")).await;
    walk.delete(&key).await;
    let new = json!({"Name": "Server people", "Description": "may set up", "GrantedSpacePermissions": ["TaskView"], "GrantedSystemPermissions": ["ConfigureServer"]});
    let role = walk.post("/api/userroles", new).await;
    let role_at = format!("/api/userroles/{}", text(&role, "Id"));
    let mut read = walk.get(&role_at).await;
    read["Description"] = json!("may set up all");
    walk.put(&role_at, read).await;
    let team = walk.post("/api/teams", json!({"Name": "Server", "MemberUserIds": [me]})).await;
    let new = json!({"TeamId": team["Id"], "UserRoleId": role["Id"], "SpaceId": "Spaces-1", "ProjectIds": ["Projects-1"], "ProjectGroupIds": [], "EnvironmentIds": ["Environments-1"], "TenantIds": []});
    let given = walk.post("/api/scopeduserroles", new).await;
    let at = format!("/api/scopeduserroles/{}", text(&given, "Id"));
    let read = walk.get(&at).await;
    walk.put(&at, read).await;
    walk.get("/api/scopeduserroles/all").await;
    walk.get(&format!("/api/teams/{}/scopeduserroles", text(&team, "Id"))).await;
    walk.get("/api/userroles").await;
    walk.delete(&at).await;
    walk.delete(&role_at).await;
    walk.delete(&user).await;
    let policies = walk.get("/api/ratelimitingpolicies").await;
    if let Some(policy) = policies["Items"].get(0) {
        let at = format!("/api/ratelimitingpolicies/{}", text(policy, "Id"));
        let read = walk.get(&at).await;
        walk.put(&at, read).await;
    }
}
