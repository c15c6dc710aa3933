//! Which generation of the API, and whose form of it, a path speaks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::Flavour;

/// A generation of CAMARA's Quality on Demand API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
pub enum Generation {
    /// v0.8.1 (2023-01)
    #[serde(rename = "v0.8")]
    #[value(name = "v0.8")]
    V0_8,
    /// v0.9.0 (2023-07)
    #[serde(rename = "v0.9")]
    #[value(name = "v0.9")]
    V0_9,
    /// v0.10.1 (2024-04)
    #[serde(rename = "v0.10")]
    #[value(name = "v0.10")]
    V0_10,
    /// r1.3, API version 0.11.1 (2024-12)
    #[serde(rename = "v0.11")]
    #[value(name = "v0.11")]
    V0_11,
    /// r2.2, API version 1.0.0 (2025-03)
    #[serde(rename = "v1.0")]
    #[value(name = "v1.0")]
    V1_0,
    /// r3.2, API version 1.1.0 (2025-09)
    #[serde(rename = "v1.1")]
    #[value(name = "v1.1")]
    V1_1,
    /// r4.1, API version 1.2.0-rc.3 (2026-08)
    #[serde(rename = "v1.2")]
    #[value(name = "v1.2")]
    V1_2,
}

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 7] = [Self::V0_8, Self::V0_9, Self::V0_10, Self::V0_11, Self::V1_0, Self::V1_1, Self::V1_2];

    /// Its name, as in `v0.10`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0_8 => "v0.8",
            Self::V0_9 => "v0.9",
            Self::V0_10 => "v0.10",
            Self::V0_11 => "v0.11",
            Self::V1_0 => "v1.0",
            Self::V1_1 => "v1.1",
            Self::V1_2 => "v1.2",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A generation in somebody's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The generation.
    pub generation: Generation,
    /// Whose form. Telefónica documents 0.8, 0.10 and 1.1 only; any other generation is CAMARA's under either name.
    pub flavour: Flavour,
}

impl Dialect {
    /// CAMARA's form of `generation`.
    pub const fn camara(generation: Generation) -> Self {
        Self { generation, flavour: Flavour::Camara }
    }

    /// Telefónica's form of `generation`.
    pub const fn telefonica(generation: Generation) -> Self {
        Self { generation, flavour: Flavour::Telefonica }
    }

    /// All that are served side by side.
    pub fn all() -> impl Iterator<Item = Self> {
        let telefonica = [Generation::V0_8, Generation::V0_10, Generation::V1_1].map(Self::telefonica);
        Generation::ALL.map(Self::camara).into_iter().chain(telefonica)
    }

    /// The prefix under which it is served beside the others: `/v1.1`, `/telefonica/v0.10`.
    pub fn prefix(self) -> String {
        match self.flavour {
            Flavour::Camara => format!("/{}", self.generation),
            Flavour::Telefonica => format!("/telefonica/{}", self.generation),
        }
    }
}
