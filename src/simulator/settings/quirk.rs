//! Ways in which some provider leaves the specification.

use serde::{Deserialize, Serialize};

/// Ways in which some provider leaves the specification. Each is off unless it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quirk {
    /// No `qosStatus` in answers.
    MissingStatus,
    /// `startedAt` and `expiresAt` also while REQUESTED, from 0.11 on.
    RequestedTimes,
    /// Times in epoch seconds from 0.11 on.
    EpochTimes,
    /// Times as RFC 3339 up to 0.10.
    TextTimes,
    /// Numbers in answers as text.
    TextNumbers,
    /// Fields that no document has.
    UnknownFields,
    /// `qosStatus`, `statusInfo` and a profile's `status` have values that no document has.
    UnknownValues,
    /// `null` for optional fields that would be left out.
    Nulls,
    /// GET answers with another device and server than the session's.
    ForeignFields,
    /// Callback secrets are repeated in answers.
    SecretsEchoed,
    /// The event of a network termination goes out only when the retention ends.
    LateTerminationEvent,
    /// An extend within 20 s of the end answers 404.
    NearEndNotExtended,
    /// An extend of a session that has its longest duration answers 400 OUT_OF_RANGE.
    ExtendAtMaximumRefused,
    /// The `code` of an error is its status as text: `"404"`.
    NumericCode,
    /// Errors have no `code`.
    MissingCode,
    /// A conflict has the code ALREADY_EXISTS.
    AlreadyExists,
    /// A conflict has the code INCOMPATIBLE_STATE.
    IncompatibleState,
    /// The message of a conflict says until when the other session lasts.
    ConflictTime,
    /// A creation answers 201 with an empty body and a `Location`.
    EmptyCreated,
    /// A creation answers 200.
    CreatedAsOk,
    /// A deletion answers 200 with an empty object.
    DeletedAsOk,
    /// A `sink` with http is taken from 1.1 on.
    HttpSinks,
    /// A malformed session id answers 404 from 0.10 on.
    MalformedIdNotFound,
    /// Device identifiers that are not supported answer 400 from 0.11 on.
    UnsupportedAsInvalid,
    /// An expired token has the code AUTHENTICATION_REQUIRED in 0.11 and 1.0.
    AuthenticationRequired,
    /// Another client's, or subject's, session has the code INVALID_TOKEN_CONTEXT in 0.11.
    ForeignTokenContext,
}
