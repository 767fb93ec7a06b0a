//! Explains each error code on its page: what happened, and what to do. The match is exhaustive, so that every code has
//! an explanation.

use super::Code;

/// The explanation of a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeMeaning {
    /// What happened.
    pub means: &'static str,
    /// What the client can do.
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
    /// The explanation of the code.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list of texts")]
    pub const fn meaning(self) -> CodeMeaning {
        match self {
            Self::BadRequest => meaning(
                "The request is not valid HTTP, or cannot be parsed. Nothing else was checked.",
                "See `detail`. Often the cause is an incomplete body.",
                "The body is incomplete: the connection ended early.",
            ),
            Self::InvalidBody => at(
                meaning(
                    "The body was parsed but does not match the operation. `errors` lists every error with its JSON pointer.",
                    "Correct each error and send the body again. The OpenAPI document describes each field.",
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
                    "A parameter of the URL, or a header, is not valid for the operation. `errors` names it in `pointer`.",
                    "Correct the parameter. Each list has its own filters and sort orders.",
                    "`limit` must be a whole number from 1 to 200.",
                ),
                (
                    "limit",
                    "invalid_value",
                    "`limit` must be a whole number from 1 to 200.",
                ),
            ),
            Self::Unauthorized => meaning(
                "The request has no key, or its key does not exist, has expired or was revoked. Or the request is a webhook message \
                 without a valid signature. Only the log contains the reason, because the client is not authenticated.",
                "Send `Authorization: Bearer KEY`. An administrator creates keys with `create_api_key`; the first key is printed at \
                 the first start.",
                "Send `Authorization: Bearer KEY` with an admin key that is neither revoked nor expired.",
            ),
            Self::Forbidden => meaning(
                "The key is valid but does not allow the request. Its role is not sufficient, or the key is for one rulebook only, \
                 or somebody would approve their own change.",
                "Use a key with the role that `detail` names, or ask somebody who has such a key.",
                "This needs a key with the role `editor`; the key `reports` has the role `viewer`.",
            ),
            Self::SignatureInvalid => meaning(
                "The signature of Twilio's callback is missing or does not match.",
                "Set `RINGBOOK_PUBLIC_URL` to the URL that Twilio calls, and the auth token of the account that sends. \
                 `ringbook doctor` checks both.",
                "The signature is missing or does not match.",
            ),
            Self::NotFound => meaning(
                "There is nothing at this URL, or the key gives no access to it. A key for one rulebook gives no access to other rulebooks.",
                "Check the codes and ids in the URL. The list of the same resource contains all existing codes and ids.",
                "There is no row `services/camera` here.",
            ),
            Self::MethodNotAllowed => meaning(
                "The URL exists but does not allow this method.",
                "Use one of the methods in the header `Allow`.",
                "This URL exists but does not allow this method; see Allow.",
            ),
            Self::NotAcceptable => meaning(
                "The header `Accept` allows none of the operation's media types. Nothing was done.",
                "Accept one of the media types that `detail` names, or `*/*`, or send no `Accept`.",
                "`Accept` allows none of this operation's media types: `application/json`. Send one of them, or `*/*`.",
            ),
            Self::RequestTimeout => meaning(
                "The body took longer to arrive than the server waits.",
                "Send the request again, over a better connection or in smaller parts.",
                "The body did not arrive within 10 seconds.",
            ),
            Self::Conflict => meaning(
                "The current state does not allow the request. The resource already exists or is in another state, or another \
                 request changed it first. `detail` contains the reason.",
                "Read the resource again, then decide what to send.",
                "The change set is scheduled: cancel its schedule first.",
            ),
            Self::QuotaReached => meaning(
                "The rulebook or the installation has reached a limit. `detail` states the limit. Nothing was \
                 changed.",
                "Do what `detail` says: publish, discard or revoke something that nobody needs, or wait until the next day.",
                "The rulebook has 200 change sets that are neither published nor discarded, and can have no more: publish or \
                 discard some.",
            ),
            Self::StaleVersion => meaning(
                "Somebody changed the row, the change set or the head of the rulebook after the client read it. `conflicts` shows the \
                 old and the current rows. Nothing was changed.",
                "Read the data again, repeat the change on the current state, and send it with the new `version`. Each response to a \
                 write has the new `version`. Use that `version` for a second edit in the same form.",
                "The row `services/camera_inspection` is at version 4, not 3: it was changed since you read it, perhaps by your own \
                 last request. Read it again; if your change still fits, send it with `version` 4.",
            ),
            Self::PayloadTooLarge => meaning(
                "The body is larger than the limit of the URL: 1 MiB in the admin API, 8 MiB for a sheet, 5 MiB for a message.",
                "Send the body in parts: split a sheet by its rows, and a change set by its changes.",
                "The body is larger than the limit of 1048576 bytes.",
            ),
            Self::UnsupportedMediaType => meaning(
                "The header `Content-Type` names a media type that the operation does not accept.",
                "Send a media type that the header `Accept-Post`, `Accept-Patch` or `Accept` of the response lists.",
                "the `Content-Type` requested by the client is not supported: text/plain",
            ),
            Self::Unprocessable => at(
                meaning(
                    "Each part of the request is readable, but the parts contradict each other or existing data. Examples: the body \
                     and a header name different versions, a cursor belongs to another list, a row contradicts its URL, or a name \
                     does not exist in the rulebook. In a sheet, the pointer of an error is its row and column.",
                    "`errors` names the parts that contradict each other. Correct or omit one of these parts.",
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
                    "The body is well formed, but the rulebook would not work with it. Examples: a condition does not compile, a row \
                     refers to a missing row, a case would fail, or a rule could never apply. Nothing was changed.",
                    "`errors` lists every error with its position, and `cases` lists the failing cases with their decisions. Correct the \
                     row, or change it together with the other rows in one change set.",
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
                "Use a new key for a new request. If a request is repeated with the same key, it gets the first response again.",
                "Another request was sent under this `Idempotency-Key`; use a new key for a new request.",
            ),
            Self::VersionRequired => meaning(
                "A write to an existing resource must name the version that the client read. Otherwise it could overwrite a change that \
                 the client has not seen.",
                "Read the resource, and send its `version` in the body or its ETag as `If-Match`.",
                "The row `services/camera_inspection` exists: bring the `version` that was read, in the body or as `If-Match: \
                 \"version\"`.",
            ),
            Self::RateLimited => meaning(
                "The address of the client exceeded its limit or sent wrong keys. Or many wrong keys with the same prefix were \
                 sent. Or this key has too many concurrent requests, or too much work for its rulebook is queued.",
                "Wait for the seconds in `Retry-After`, then send the request again.",
                "This address sends more than is allowed; wait and send again.",
            ),
            Self::Internal => meaning(
                "The program has a bug. The request had no effect.",
                "Send the `request_id` to the operator. The log contains the cause under this id.",
                "Ringbook failed to answer. The operator finds the cause in the log under this request id.",
            ),
            Self::Unavailable => meaning(
                "The database, or another service, is unavailable. The request had no effect.",
                "Send the request again after the seconds in `Retry-After`.",
                "Ringbook cannot accept this right now; send it again after the time in Retry-After.",
            ),
        }
    }
}
