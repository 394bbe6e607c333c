//! Which Octopus Server a world is: its endpoints, members and refusals are those of this version.

use serde::{Deserialize, Deserializer, de::Error as _};

/// The versions that are simulated, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    V2025_1,
    V2026_1,
    V2026_3,
}

impl Generation {
    /// Its name; none of the oldest, which says nothing.
    pub(crate) fn name(self) -> Option<&'static str> {
        Self::ALL.iter().skip(1).find(|(generation, _)| *generation == self).map(|(_, name)| *name)
    }

    const ALL: [(Self, &str); 3] = [(Self::V2025_1, "2025.1"), (Self::V2026_1, "2026.1"), (Self::V2026_3, "2026.3")];
}

/// What a server calls itself, e.g. `2026.3.4242`, and what it therefore is.
#[derive(Clone, Debug)]
pub(crate) struct ServerVersion {
    pub(crate) generation: Generation,
    /// With its build.
    pub(crate) text: String,
}

impl Default for ServerVersion {
    fn default() -> Self {
        Self { generation: Generation::V2026_3, text: "2026.3.4242".to_owned() }
    }
}

impl<'de> Deserialize<'de> for ServerVersion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        let is_build = |build: &str| !build.is_empty() && build.bytes().all(|b| b.is_ascii_digit());
        let found = Generation::ALL.iter().find_map(|(generation, name)| match written.strip_prefix(name)? {
            "" => Some(Self { generation: *generation, text: format!("{name}.4242") }),
            rest => rest.strip_prefix('.').filter(|build| is_build(build)).map(|_| Self { generation: *generation, text: written.clone() }),
        });
        found.ok_or_else(|| {
            D::Error::custom(format!(
                "there is no simulation of Octopus Server `{written}`; simulated are \"2025.1\", \"2026.1\" and \"2026.3\", also with a build: \"2026.3.4242\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Plan;
    use super::*;

    #[test]
    fn a_version_says_what_the_server_is() {
        let read = |version: &str| toml::from_str::<Plan>(&format!("version = \"{version}\""));
        for (written, generation, text) in [
            ("2025.1", Generation::V2025_1, "2025.1.4242"),
            ("2026.1.7", Generation::V2026_1, "2026.1.7"),
            ("2026.3", Generation::V2026_3, "2026.3.4242"),
        ] {
            let version = read(written).expect(written).version;
            assert_eq!((version.generation, &*version.text), (generation, text));
        }
        assert_eq!(toml::from_str::<Plan>("").expect("a plan").version.generation, Generation::V2026_3);
        for wrong in ["2024.1", "2026.30", "2026.3.", "2026.3.x", "", "2026"] {
            let message = read(wrong).expect_err(wrong).message().to_owned();
            assert!(message.contains(&format!("`{wrong}`")) && message.contains("\"2026.3\""), "{message}");
        }
    }
}
