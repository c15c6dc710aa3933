//! Whether a request names the device, or leaves that to the token.

use super::generation::Generation;

/// The setting of a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceInRequest {
    /// As the generation has it.
    #[default]
    Auto,
    /// In every request.
    Always,
    /// In none.
    Never,
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Legs {
    /// The client alone.
    Two,
    /// The client and the user of a device, which the token names.
    Three,
}

/// Whether a request names the device. Up to 0.10 the schema requires it. From 0.11 a three-legged token names it: with 0.11 it is
/// recommended to leave it out, and from 1.0 a provider refuses it (422 `UNNECESSARY_IDENTIFIER`). With a two-legged token it is
/// always needed.
pub const fn device_in_request(setting: DeviceInRequest, generation: Generation, legs: Legs) -> bool {
    match (setting, legs) {
        (DeviceInRequest::Always, _) | (DeviceInRequest::Auto, Legs::Two) => true,
        (DeviceInRequest::Never, _) => false,
        (DeviceInRequest::Auto, Legs::Three) => {
            matches!(generation, Generation::V0_8 | Generation::V0_9 | Generation::V0_10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_three_legged_token_since_v0_11_leaves_the_device_out_by_itself() {
        for generation in Generation::ALL {
            let auto = |legs| device_in_request(DeviceInRequest::Auto, generation, legs);
            assert!(auto(Legs::Two));
            assert_eq!(auto(Legs::Three), generation <= Generation::V0_10, "{generation}");
            for legs in [Legs::Two, Legs::Three] {
                assert!(device_in_request(DeviceInRequest::Always, generation, legs));
                assert!(!device_in_request(DeviceInRequest::Never, generation, legs));
            }
        }
    }
}
