//! Approval rules, approvals and votes.

use super::{Walk, text, work::deploy};
use reqwest::Method;
use serde_json::{Value, json};

/// A rule from its beginning to its end, and a deployment that waits for it.
pub async fn of_octopus(walk: &mut Walk) {
    let (project, environment) = (walk.id("projects", "Shipyard").await, walk.id("environments", "Test").await);
    let ada = walk.say(Method::GET, "/api/users/me", None, "API-ADA").await.1;
    let rule = |more: Value| {
        let mut rule = json!({"Name": "Repairs", "IdScopes": [{"ProjectId": project, "EnvironmentIds": [environment]}], "ApprovingUserIds": [ada["Id"]]});
        for (key, value) in super::super::schema::members(&more) {
            rule[key] = value.clone();
        }
        rule
    };
    let rules = "/api/Spaces-1/approvalrules";
    walk.refused(Method::GET, rules, None, 400).await;
    for wrong in [
        json!({"MinimumApproversRequired": 0}),
        json!({"MinimumApproversRequired": 100}),
        json!({"ApprovingUserIds": []}),
        json!({"ApprovingUserIds": ["Users-99"]}),
        json!({"IdScopes": []}),
        json!({"TagScopes": [{"ProjectTags": ["Region/North"], "EnvironmentTags": []}]}),
        json!({"Name": "Launches"}),
        json!({"Name": ""}),
        json!({"TenantApprovalStrategy": "PerShip"}),
    ] {
        walk.refused(Method::POST, rules, Some(rule(wrong)), 400).await;
    }
    let made = walk.kept(Method::POST, rules, rule(json!({"Description": "keels"})), &["IdScopes"]).await;
    assert_eq!((&made["MinimumApproversRequired"], &made["ScopingStrategy"]), (&json!(2), &json!("Id")), "{made}");
    let at = format!("{rules}/{}", text(&made, "Id"));
    walk.get(&at).await;
    let tags = json!({"IdScopes": [], "TagScopes": [{"ProjectTags": ["Region/North"], "EnvironmentTags": []}], "IsDisabled": true});
    let changed = walk.kept(Method::PUT, &at, rule(tags), &["TagScopes"]).await;
    assert_eq!((&changed["Description"], &changed["ScopingStrategy"]), (&json!(""), &json!("Tag")), "{changed}");
    walk.get(&format!("{rules}?skip=0&take=10&partialName=repair")).await;
    walk.delete(&at).await;

    let task = deploy(walk, "Shipyard", "1.0.0", "Production", json!({})).await;
    let doc = walk.get(&format!("/api/tasks/{task}")).await;
    assert_eq!((&doc["HasPendingPreconditions"], &doc["PendingPreconditionTypes"]), (&json!(true), &json!(["Approval"])), "{doc}");
    assert_eq!(walk.get(&format!("/api/tasks/{task}/queued-behind")).await["TotalResults"], 0);
    assert_eq!(walk.get("/api/Spaces-1/tasks?hasPendingPreconditions=true").await["TotalResults"], 1);
    let progress = walk.get(&format!("/api/Spaces-1/tasks/{task}/servertaskapproval")).await;
    let at = format!("/api/Spaces-1/servertaskapprovals/{}", text(&progress["Resource"], "Id"));
    assert_eq!(walk.get(&at).await["ServerTaskId"], task.as_str());
    let vote = |status: &str| json!({"ServerTaskApprovalId": progress["Resource"]["Id"], "Status": status, "Notes": "seen"});
    walk.refused(Method::POST, &format!("{at}/approvals"), Some(vote("Maybe")), 400).await;
    let made = walk.kept(Method::POST, &format!("{at}/approvals"), vote("Approved"), &[]).await;
    walk.refused(Method::POST, &format!("{at}/approvals"), Some(vote("Approved")), 400).await;
    let own = format!("{at}/approvals/{}", text(&made, "Id"));
    walk.kept(Method::PUT, &own, vote("Approved"), &[]).await;
    walk.get(&own).await;
    assert_eq!(walk.say(Method::PUT, &own, Some(vote("Rejected")), "API-ROBOT").await.0, 403);
    assert_eq!(walk.get(&format!("{at}/approvals")).await.as_array().map(Vec::len), Some(1));
    walk.server.pass(2);
    let progress = walk.get(&format!("/api/Spaces-1/tasks/{task}/servertaskapproval")).await;
    assert_eq!(
        (&progress["Resource"]["ApprovalsCount"], &progress["Resource"]["ApprovalState"]),
        (&json!(2), &json!("Approved")),
        "{progress}"
    );
    walk.server.pass(2);
    assert_eq!(walk.get(&format!("/api/tasks/{task}")).await["State"], "Success");
    assert_eq!(walk.get(&at).await["ChangeRequest"]["ChangeRequestApprovalState"], "PostApproval");
    walk.get("/api/Spaces-1/servertaskapprovals?providerId=octopus&state=PostApproval").await;
    // One rejection ends it.
    let task = deploy(walk, "Shipyard", "1.0.0", "Production", json!({})).await;
    let at = walk.get("/api/Spaces-1/servertaskapprovals?state=PreApproval").await;
    let at = format!("/api/Spaces-1/servertaskapprovals/{}", text(&at["Items"][0], "Id"));
    walk.kept(Method::POST, &format!("{at}/approvals"), json!({"Status": "Rejected", "Notes": "seen"}), &[]).await;
    assert_eq!(walk.get(&format!("/api/tasks/{task}")).await["State"], "Failed");
}

/// A deployment that waits for a change request in ServiceNow.
pub async fn of_service_now(walk: &mut Walk) {
    let task = deploy(walk, "Shipyard", "1.0.0", "Dry Dock", json!({})).await;
    let progress = walk.get(&format!("/api/Spaces-1/tasks/{task}/servertaskapproval")).await;
    let at = format!("/api/Spaces-1/servertaskapprovals/{}", text(&progress["Resource"], "Id"));
    let doc = walk.get(&at).await;
    assert_eq!(doc["ChangeRequest"]["Description"], "Octopus: Deploy \"Shipyard\" version 1.0.0 to \"Dry Dock\"", "{doc}");
    walk.refused(Method::POST, &format!("{at}/approvals"), Some(json!({"Status": "Approved"})), 400).await;
    walk.server.pass(12);
    assert_eq!(walk.get(&format!("/api/tasks/{task}")).await["State"], "Success");
}
