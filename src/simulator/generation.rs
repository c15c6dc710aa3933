//! Which generation of the API a path speaks.

/// A generation of CAMARA's Quality on Demand API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the version that its name says")]
pub enum Generation {
    V0_8,
    V0_9,
    V0_10,
    V0_11,
    V1_0,
    V1_1,
    V1_2,
}

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 7] = [Self::V0_8, Self::V0_9, Self::V0_10, Self::V0_11, Self::V1_0, Self::V1_1, Self::V1_2];
}
