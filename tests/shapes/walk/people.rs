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
    walk.refused(Method::GET, "/api/Spaces-1/projects/Projects-1/git/branches", None, 501).await;
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
