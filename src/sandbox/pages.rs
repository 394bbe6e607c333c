//! One page of a list.

use super::answer::{All, Ask, Tell};
use serde_json::{Map, Value, json};

/// One page of a list, as a collection document (octopus-api.md §6).
pub(crate) struct ListPage<T> {
    head: Value,
    items: All<T>,
    /// What stands behind the items.
    pub(crate) rest: Map<String, Value>,
}

impl<T: Tell> Tell for ListPage<T> {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        self.head.tell(to)?;
        // Its members go on.
        to.pop();
        to.extend_from_slice(b",\"Items\":");
        self.items.tell(to)?;
        for (key, value) in &self.rest {
            to.push(b',');
            key.tell(to)?;
            to.push(b':');
            value.tell(to)?;
        }
        to.push(b'}');
        Ok(())
    }
}

/// So many items are on a page where neither the request nor its endpoint says another number.
pub(crate) const USUAL_TAKE: u64 = 30;

/// One page of `all` (already filtered and sorted).
pub(crate) fn page<T, R>(ask: &Ask, item_type: &str, all: &[T], render: impl FnMut(&T) -> R) -> ListPage<R> {
    page_taking(ask, USUAL_TAKE, item_type, all, render)
}

/// The same, with so many items where the request does not say how many.
pub(crate) fn page_taking<T, R>(ask: &Ask, usual: u64, item_type: &str, all: &[T], render: impl FnMut(&T) -> R) -> ListPage<R> {
    let number = |name: &str, otherwise: u64| ask.query(name).and_then(|v| v.parse::<i64>().ok()).map_or(otherwise, |v| v.max(0) as u64);
    let total = all.len() as u64;
    let (skip, take) = (number("skip", 0), number("take", usual).max(1));
    let from = skip.min(total) as usize;
    let to = skip.saturating_add(take).min(total) as usize;
    let items = All(all[from..to].iter().map(render).collect());
    let pages = total.div_ceil(take).max(1);
    let filters: String = ask.query.iter().filter(|(k, _)| !["skip", "take", "apikey"].iter().any(|x| k.eq_ignore_ascii_case(x))).fold(
        String::new(),
        |mut all, (k, v)| {
            all.push('&');
            all.push_str(k);
            all.push('=');
            all.extend(percent_encoding::utf8_percent_encode(v, percent_encoding::NON_ALPHANUMERIC));
            all
        },
    );
    let path = ask.path.trim_end_matches('/');
    let at = |skip: u64, take: u64| json!(format!("{path}?skip={skip}&take={take}{filters}"));
    let mut links = Map::new();
    links.insert("Self".into(), at(skip, take));
    links.insert("Template".into(), json!(format!("{path}{{?skip,take}}")));
    links.insert("Page.All".into(), at(0, 2_147_483_647));
    links.insert("Page.Current".into(), at(skip, take));
    if skip.saturating_add(take) < total {
        links.insert("Page.Next".into(), at(skip + take, take));
    }
    if skip > 0 {
        links.insert("Page.Previous".into(), at(skip.saturating_sub(take), take));
    }
    links.insert("Page.Last".into(), at((pages - 1).saturating_mul(take), take));
    let head =
        json!({"ItemType": item_type, "TotalResults": total, "ItemsPerPage": take, "NumberOfPages": pages, "LastPageNumber": pages - 1});
    ListPage { head, items, rest: Map::from_iter([("Links".to_owned(), Value::Object(links))]) }
}
