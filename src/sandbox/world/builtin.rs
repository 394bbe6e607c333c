//! The worlds that come with the program.

/// The text of `shop`, `tenants`, `previews` or `fleet(n)`.
pub(super) fn toml(name: &str) -> Option<String> {
    match name {
        "shop" => Some(include_str!("../worlds/shop.toml").to_owned()),
        "previews" => Some(include_str!("../worlds/previews.toml").to_owned()),
        "tenants" => Some(include_str!("../worlds/tenants.toml").to_owned()),
        _ => {
            let n = if name == "fleet" { 200 } else { name.strip_prefix("fleet(")?.strip_suffix(')')?.trim().parse::<u32>().ok()? };
            (1..=100_000).contains(&n).then(|| include_str!("../worlds/fleet.toml").replace("copies = 200", &format!("copies = {n}")))
        }
    }
}
