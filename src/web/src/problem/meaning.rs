//! The meaning of each kind of error and what to do about it, for its page.
//!
//! In: a [`Code`]. Out: texts for people. A code without texts does not compile.

use super::Code;

/// The explanation of a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeMeaning {
    /// What happened.
    pub means: &'static str,
    /// What the caller can do.
    pub what_to_do: &'static str,
    /// An example of the `detail`.
    pub example: &'static str,
    /// An example of an entry in `errors`, if the code has any: pointer, code and detail.
    pub fault: Option<(&'static str, &'static str, &'static str)>,
}

const fn meaning(means: &'static str, what_to_do: &'static str, example: &'static str) -> CodeMeaning {
    CodeMeaning {
        means,
        what_to_do,
        example,
        fault: None,
    }
}

const fn at(meaning: CodeMeaning, fault: (&'static str, &'static str, &'static str)) -> CodeMeaning {
    CodeMeaning {
        fault: Some(fault),
        ..meaning
    }
}

impl Code {
    /// The meaning of the code and what to do about it.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list of texts")]
    pub const fn meaning(self) -> CodeMeaning {
        match self {
            Self::BadRequest => meaning(
                "The request could not be read as HTTP or as what the operation takes, before anything else was looked at.",
                "Look at `detail`; often the body broke off on its way.",
                "The body broke off before its end.",
            ),
            Self::InvalidBody => at(
                meaning(
                    "The body was read and is not what the operation takes. `errors` lists every fault with its JSON pointer.",
                    "Correct each place that is named and send it again. The document says what each field takes.",
                    "unknown field `prise_from`, expected one of `code`, `names`, `price_from`.",
                ),
                (
                    "/prise_from",
                    "unknown_field",
                    "unknown field `prise_from`, expected one of `code`, `names`, `price_from`.",
                ),
            ),
            Self::InvalidParameter => at(
                meaning(
                    "A parameter of the address or a header is not what the operation takes. `errors` names it in `pointer`.",
                    "Correct it. Lists know their filters and sorts only.",
                    "`limit` must be a whole number from 1 to 200.",
                ),
                (
                    "limit",
                    "invalid_value",
                    "`limit` must be a whole number from 1 to 200.",
                ),
            ),
            Self::Unauthorized => meaning(
                "There is no key in the request, or it was never made, has expired or was revoked. A message to a webhook lacks a \
                 valid signature. Which of these it is is not told to strangers; the log says it.",
                "Send `Authorization: Bearer KEY`. An administrator makes keys with `create_api_key`; the first key is printed at \
                 the first start.",
                "Send `Authorization: Bearer KEY` with an admin key that is neither revoked nor expired.",
            ),
            Self::Forbidden => meaning(
                "The key is valid and may not do this: its role is not enough, or it is for one rulebook only, or it would approve \
                 its own change.",
                "Use a key with the role that `detail` names, or ask somebody who has one.",
                "This needs a key with the role `editor`; the key `reports` has the role `viewer`.",
            ),
            Self::SignatureInvalid => meaning(
                "A callback of Twilio's lacks its signature, or has another.",
                "Set `RINGBOOK_PUBLIC_URL` to the address that Twilio calls, and the auth token of the account that sends. \
                 `ringbook doctor` looks at both.",
                "The signature is missing or does not match.",
            ),
            Self::NotFound => meaning(
                "There is nothing at this address, or not for this key: a key for one rulebook sees no other.",
                "Check the codes and ids in the address; the list of the same resource has those that are there.",
                "There is no row `services/camera` here.",
            ),
            Self::MethodNotAllowed => meaning(
                "The address exists and does not take this method.",
                "Use one of those in the header `Allow`.",
                "This address exists but does not take this method; see Allow.",
            ),
            Self::NotAcceptable => meaning(
                "The header `Accept` takes none of the media types that the operation can answer with. Nothing was done.",
                "Send one of those that `detail` names, `*/*`, or no `Accept`.",
                "`Accept` allows none of this operation's media types: `application/json`. Send one of them, or `*/*`.",
            ),
            Self::RequestTimeout => meaning(
                "The body took longer to arrive than the server waits.",
                "Send it again, over a better connection or in smaller parts.",
                "The body did not arrive within 10 seconds.",
            ),
            Self::Conflict => meaning(
                "What is stored does not allow it: it exists already, is in another state, or somebody else was first. `detail` says \
                 which.",
                "Read it again and decide anew.",
                "The change set is scheduled: cancel its schedule first.",
            ),
            Self::QuotaReached => meaning(
                "The rulebook, or the installation, holds as much of this as it may. `detail` says how much that is. Nothing was \
                 changed.",
                "Do what `detail` says: publish, discard or revoke what nobody needs, or wait until the day is over.",
                "The rulebook has 200 change sets that are neither published nor discarded, and can have no more: publish or \
                 discard some.",
            ),
            Self::StaleVersion => meaning(
                "Somebody changed the row, the change set or the head of the rulebook after it was read. `conflicts` shows rows as \
                 they were and as they stand. Nothing was changed.",
                "Read it again, make the change on what stands, and send it with the new `version`. Each answer to a write has the \
                 new `version`: a second edit of the same form needs that one.",
                "The row `services/camera_inspection` is at version 4, not 3: it was changed since you read it, perhaps by your own \
                 last request. Read it again; if your change still fits, send it with `version` 4.",
            ),
            Self::PayloadTooLarge => meaning(
                "The body is larger than the address takes: 1 MiB in the admin API, 8 MiB for a sheet, 5 MiB for a message.",
                "Send it in parts: a sheet by its rows, a change set by its changes.",
                "The body is larger than the limit of 1048576 bytes.",
            ),
            Self::UnsupportedMediaType => meaning(
                "The header `Content-Type` names a kind of body that the operation does not read.",
                "Send one of those in the header `Accept-Post`, `Accept-Patch` or `Accept` of the answer.",
                "the `Content-Type` requested by the client is not supported: text/plain",
            ),
            Self::Unprocessable => at(
                meaning(
                    "Each part of the request can be read, but not together, or not here: the body and a header name different \
                     versions, a cursor belongs to another list, a row contradicts its address, a name is of nothing that is here. The \
                     pointer of a fault in a sheet is its row and column.",
                    "`errors` names the parts. Make them agree, or leave one out.",
                    "The body says version 3 and `If-Match` says 4.",
                ),
                (
                    "/version",
                    "contradiction",
                    "The body says version 3 and `If-Match` says 4.",
                ),
            ),
            Self::RuleFault => at(
                meaning(
                    "The body is well formed and the rulebook would not work with it: a condition does not compile, a row names what \
                     is not there, a case would no longer hold, or a rule could never apply. Nothing was changed.",
                    "`errors` lists every fault with its place, `cases` the cases with their decision. Correct the row, or change the \
                     other rows with it in a change set.",
                    "unknown fact `are`; is it `area`?",
                ),
                (
                    "/condition",
                    "unknown_fact",
                    "line 1, column 1: unknown fact `are`; is it `area`?",
                ),
            ),
            Self::IdempotencyKeyReused => meaning(
                "Another request was sent under this `Idempotency-Key` within the last day.",
                "Take a new key for a new request. The same request under its own key is answered as it was the first time.",
                "Another request was sent under this `Idempotency-Key`; take a new key for a new request.",
            ),
            Self::VersionRequired => meaning(
                "A write to what exists must say which version of it was read, so that nobody overwrites what they have not seen.",
                "Read it, and bring its `version` in the body or its ETag as `If-Match`.",
                "The row `services/camera_inspection` exists: bring the `version` that was read, in the body or as `If-Match: \
                 \"version\"`.",
            ),
            Self::RateLimited => meaning(
                "The address sent more than it may, or keys that are not valid, or somebody sent many wrong keys that begin like this \
                 one; or this key has too many requests on their way at once, or too much work for its rulebook waits already.",
                "Wait for the seconds in `Retry-After`, then send it again.",
                "This address sends more than is allowed; wait and send again.",
            ),
            Self::Internal => meaning(
                "The program made a mistake. Nothing of the request remains.",
                "Tell the operator the `request_id`: the log has the cause under it.",
                "Ringbook failed to answer. The operator finds the cause in the log under this request id.",
            ),
            Self::Unavailable => meaning(
                "The database, or something else that is needed, does not answer at the moment. Nothing of the request remains.",
                "Send it again after the seconds in `Retry-After`.",
                "Ringbook cannot take this right now; send it again after the time in Retry-After.",
            ),
        }
    }
}
