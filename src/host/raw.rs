//! The raw API, for what has no function of its own.

use super::Host;
use crate::engine::thrown::to_json;
use rhai::Dynamic;

crate::functions! {
    group "query";

    /// Asks the API: a path of the space (`"projects"`) or of the server (`"/api/serverstatus"`). Returns maps and lists.
    /// Reserved words of Rhai are read with `["default"]`.
    ///
    /// ```rhai
    /// print(get("projects?take=1").TotalResults);
    /// ```
    fn get(call, path: String) -> "map" raises "not_found, request" {
        let host = Host::of(call)?;
        let place = host.place();
        host.block(place.space.raw("GET", &path, None))
    }

    /// Sends a document to the API with POST. Not repeated when the answer is lost: that is an error of kind `in_doubt`.
    ///
    /// ```rhai
    /// post("projectgroups", #{Name: "Made by a script"});
    /// ```
    fn post(call, path: String; body: Option<Dynamic>) -> "map" raises "not_found, refused, in_doubt, request" {
        send(&Host::of(call)?, "POST", &path, body.as_ref())
    }

    /// Sends a whole document to the API with PUT: get it, change it, put it back.
    ///
    /// ```rhai
    /// let g = get("projectgroups/ProjectGroups-1");
    /// g.Description = "seen";
    /// put("projectgroups/ProjectGroups-1", g);
    /// ```
    fn put(call, path: String, body: Dynamic) -> "map" raises "not_found, refused, in_doubt, request" {
        send(&Host::of(call)?, "PUT", &path, Some(&body))
    }

    /// Deletes something through the API.
    ///
    /// ```rhai
    /// let g = post("projectgroups", #{Name: "Not for long"});
    /// delete(`projectgroups/${g.Id}`);
    /// ```
    fn delete(call, path: String) -> "map" raises "not_found, refused, in_doubt, request" {
        send(&Host::of(call)?, "DELETE", &path, None)
    }
}

fn send(host: &Host, method: &str, path: &str, body: Option<&Dynamic>) -> crate::engine::thrown::HostResult<serde_json::Value> {
    let place = host.place();
    let body = body.map(to_json);
    let arguments = serde_json::json!({"method": method, "path": path, "body": body});
    host.effect("raw", &arguments, |attempt| async move {
        attempt.once(&format!("`{method} {path}`"))?;
        place.space.raw(method, path, body.as_ref()).await
    })
}
