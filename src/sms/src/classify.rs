//! Classifies Twilio's responses, and transport errors, by what happened to the SMS message (pure).

use chrono::TimeDelta;

use super::error_codes::{Class, code_rule};

/// The result of a POST to Twilio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP response was read.
    Http(HttpAnswer),
    /// The request never left the machine: DNS, connection or TLS failed.
    NotSent,
    /// The request may have been processed: a timeout, or a reset after bytes were sent.
    Unknown,
}

/// The relevant parts of an HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Twilio's error code, if the body has one.
    pub code: Option<i64>,
    /// The message's SID, if the body has one.
    pub sid: Option<String>,
    /// The message's status at the provider, if the body has one.
    pub message_status: Option<String>,
    /// The delay that the provider asks for.
    pub retry_after: Option<TimeDelta>,
}

/// What happened to the SMS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Twilio accepted the message.
    Accepted {
        /// Twilio's SID of the message.
        sid: String,
        /// The message's status at Twilio.
        status: Option<String>,
    },
    /// The message never left the machine: retry without a limit on attempts.
    NotSent,
    /// The message was not processed: retry.
    Retry {
        /// The minimum delay that the provider asked for.
        after: Option<TimeDelta>,
    },
    /// The message was not processed, because a queue or an allowance is full: retry after a long delay.
    Capacity,
    /// The message may have been processed, and a retry could send it twice: search for it first.
    Ambiguous,
    /// Twilio refused the message for good.
    Permanent,
    /// The account's credentials are refused: no SMS message of the account can be sent.
    Credentials,
}

impl SendOutcome {
    /// Returns the name of the outcome, which is stored with the attempt and used in metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::NotSent | Self::Retry { .. } | Self::Capacity => "retry",
            Self::Ambiguous => "ambiguous",
            Self::Permanent => "permanent",
            Self::Credentials => "credentials",
        }
    }
}

/// Classifies a response.
#[must_use]
pub fn classify(answer: &Answer) -> SendOutcome {
    let http = match answer {
        Answer::NotSent => return SendOutcome::NotSent,
        Answer::Unknown => return SendOutcome::Ambiguous,
        Answer::Http(http) => http,
    };
    let retry = SendOutcome::Retry {
        after: http.retry_after,
    };
    if (200..300).contains(&http.status) {
        return match &http.sid {
            Some(sid) => SendOutcome::Accepted {
                sid: sid.clone(),
                status: http.message_status.clone(),
            },
            None => SendOutcome::Ambiguous,
        };
    }
    let class = code_rule(http.code).map(|rule| rule.class);
    if class == Some(Class::NotProcessed) {
        return retry;
    }
    match http.status {
        // The client follows no redirects, so the message was not processed.
        429 | 300..=399 => retry,
        // A server error is ambiguous, whatever its body says.
        408 | 500.. | ..200 => SendOutcome::Ambiguous,
        401 => SendOutcome::Credentials,
        _ => match class {
            Some(Class::Capacity) => SendOutcome::Capacity,
            Some(Class::Credentials) => SendOutcome::Credentials,
            Some(Class::Ambiguous) => SendOutcome::Ambiguous,
            _ => SendOutcome::Permanent,
        },
    }
}

/// Whether the response shows that the provider is failing, and not only this message. The circuit breaker counts such
/// responses.
#[must_use]
pub fn provider_is_failing(answer: &Answer) -> bool {
    match answer {
        Answer::NotSent | Answer::Unknown => true,
        Answer::Http(http) => matches!(http.status, 300..=399 | 408 | 500..),
    }
}

/// Returns the description that is stored with the attempt. It contains no phone number, no message content, and no
/// text from the provider.
#[must_use]
pub fn meaning(answer: &Answer) -> &'static str {
    let http = match answer {
        Answer::NotSent => return "Twilio could not be reached",
        Answer::Unknown => return "the connection broke before Twilio's response was read",
        Answer::Http(http) => http,
    };
    if let Some(rule) = code_rule(http.code) {
        return rule.meaning;
    }
    match http.status {
        200..=299 if http.sid.is_some() => "Twilio accepted the SMS message",
        200..=299 => "Twilio's response could not be read",
        300..=399 => "Twilio answered with a redirect, which is not followed",
        401 => "Twilio refuses the account's credentials",
        429 => "Twilio got too many requests from this account",
        400..=499 => "Twilio refuses the SMS message",
        _ => "Twilio had an internal error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, code: Option<i64>) -> Answer {
        Answer::Http(HttpAnswer {
            status,
            code,
            ..HttpAnswer::default()
        })
    }

    #[test]
    fn every_line_of_the_table_is_what_it_says() {
        let retry = SendOutcome::Retry { after: None };
        let table = [
            (Answer::NotSent, SendOutcome::NotSent),
            (Answer::Unknown, SendOutcome::Ambiguous),
            (http(429, None), retry.clone()),
            (http(429, Some(20429)), retry.clone()),
            (http(400, Some(20429)), retry.clone()),
            (http(302, None), retry.clone()),
            (http(307, None), retry),
            (http(500, None), SendOutcome::Ambiguous),
            (http(500, Some(21211)), SendOutcome::Ambiguous),
            (http(503, Some(20500)), SendOutcome::Ambiguous),
            (http(201, None), SendOutcome::Ambiguous),
            (http(200, None), SendOutcome::Ambiguous),
            (http(408, None), SendOutcome::Ambiguous),
            (http(401, None), SendOutcome::Credentials),
            (http(401, Some(20003)), SendOutcome::Credentials),
            (http(403, Some(20003)), SendOutcome::Credentials),
            (http(400, Some(21611)), SendOutcome::Capacity),
            (http(400, Some(30001)), SendOutcome::Capacity),
            (http(400, Some(63038)), SendOutcome::Capacity),
            (http(400, None), SendOutcome::Permanent),
            (http(404, Some(20404)), SendOutcome::Permanent),
            (http(422, Some(99999)), SendOutcome::Permanent),
        ];
        for (answer, expected) in table {
            assert_eq!(classify(&answer), expected, "{answer:?}");
        }
        for code in [
            21211, 21212, 21408, 21602, 21603, 21604, 21606, 21608, 21610, 21612, 21614, 21617, 90007,
        ] {
            assert_eq!(classify(&http(400, Some(code))), SendOutcome::Permanent, "{code}");
            assert!(code_rule(Some(code)).is_some(), "{code} has advice");
        }
    }

    #[test]
    fn only_a_readable_sid_is_acceptance() {
        let answer = Answer::Http(HttpAnswer {
            status: 201,
            sid: Some("SM1".to_owned()),
            message_status: Some("queued".to_owned()),
            ..HttpAnswer::default()
        });
        let expected = SendOutcome::Accepted {
            sid: "SM1".to_owned(),
            status: Some("queued".to_owned()),
        };
        assert_eq!(classify(&answer), expected);
    }

    #[test]
    fn the_breaker_counts_the_provider_s_troubles_and_not_the_text_s() {
        for answer in [
            Answer::NotSent,
            Answer::Unknown,
            http(500, None),
            http(503, None),
            http(302, None),
        ] {
            assert!(provider_is_failing(&answer), "{answer:?}");
        }
        for answer in [
            http(201, None),
            http(400, Some(21211)),
            http(429, None),
            http(401, None),
        ] {
            assert!(!provider_is_failing(&answer), "{answer:?}");
        }
    }
}
