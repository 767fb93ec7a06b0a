//! What an answer from Twilio means. In: the HTTP status and Twilio's own code, or how the transport failed. Out: what
//! became of the text (pure; the tables below are the whole of it).

use chrono::TimeDelta;

use super::codes::{Class, code_rule};

/// What came back from a POST to Twilio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer was read.
    Http(HttpAnswer),
    /// The request never left the machine: no name, no connection, no TLS.
    NotSent,
    /// The request may have been taken in: timeout, or a reset after bytes were sent.
    Unknown,
}

/// The parts of an HTTP answer that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Twilio's error code, when the body has one.
    pub code: Option<i64>,
    /// The message's sid, when the body has one.
    pub sid: Option<String>,
    /// The message's status at the provider, when the body has one.
    pub message_status: Option<String>,
    /// How long the provider asks us to wait.
    pub retry_after: Option<TimeDelta>,
}

/// What became of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Twilio has it.
    Accepted {
        /// Twilio's id of the message.
        sid: String,
        /// Its status there.
        status: Option<String>,
    },
    /// Nobody was asked: there are no credentials.
    Simulated,
    /// It never left the machine: try again, however often.
    NotSent,
    /// It was not processed: try again, not before `after` has passed.
    Retry {
        /// What the provider asked for.
        after: Option<TimeDelta>,
    },
    /// It was not processed because a queue or an allowance is full: wait long.
    Capacity,
    /// It may have been processed, and a repeat may text twice: look for it first.
    Ambiguous,
    /// It will never be taken like this.
    Permanent,
    /// The account's credentials are refused: none of its texts will go.
    Credentials,
}

impl Outcome {
    /// The word kept with the attempt and used in metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Simulated => "simulated",
            Self::NotSent | Self::Retry { .. } | Self::Capacity => "retry",
            Self::Ambiguous => "ambiguous",
            Self::Permanent => "permanent",
            Self::Credentials => "credentials",
        }
    }
}

/// What became of the text.
#[must_use]
pub fn classify(answer: &Answer) -> Outcome {
    let http = match answer {
        Answer::NotSent => return Outcome::NotSent,
        Answer::Unknown => return Outcome::Ambiguous,
        Answer::Http(http) => http,
    };
    let retry = Outcome::Retry {
        after: http.retry_after,
    };
    if (200..300).contains(&http.status) {
        return match &http.sid {
            Some(sid) => Outcome::Accepted {
                sid: sid.clone(),
                status: http.message_status.clone(),
            },
            None => Outcome::Ambiguous,
        };
    }
    let class = code_rule(http.code).map(|rule| rule.class);
    if class == Some(Class::NotProcessed) {
        return retry;
    }
    match http.status {
        // A redirect is not followed, so nothing was made of the text.
        429 | 300..=399 => retry,
        // A server error says nothing certain, whatever its body says.
        408 | 500.. | ..200 => Outcome::Ambiguous,
        401 => Outcome::Credentials,
        _ => match class {
            Some(Class::Capacity) => Outcome::Capacity,
            Some(Class::Credentials) => Outcome::Credentials,
            Some(Class::Ambiguous) => Outcome::Ambiguous,
            _ => Outcome::Permanent,
        },
    }
}

/// Whether the answer says that the provider itself, not this text, is in trouble: what the breaker counts.
#[must_use]
pub fn provider_is_failing(answer: &Answer) -> bool {
    match answer {
        Answer::NotSent | Answer::Unknown => true,
        Answer::Http(http) => matches!(http.status, 300..=399 | 408 | 500..),
    }
}

/// What happened, in our own words: no number, no text, nothing the provider wrote.
#[must_use]
pub fn meaning(answer: &Answer) -> &'static str {
    let http = match answer {
        Answer::NotSent => return "Twilio could not be reached",
        Answer::Unknown => return "the connection broke before Twilio's answer was read",
        Answer::Http(http) => http,
    };
    if let Some(rule) = code_rule(http.code) {
        return rule.meaning;
    }
    match http.status {
        200..=299 if http.sid.is_some() => "Twilio has taken the text",
        200..=299 => "Twilio's answer could not be read",
        300..=399 => "Twilio answered with a redirect, which is not followed",
        401 => "Twilio refuses the account's credentials",
        429 => "Twilio has too many requests from this account",
        400..=499 => "Twilio refuses the text",
        _ => "Twilio failed inside",
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
        let retry = Outcome::Retry { after: None };
        let table = [
            (Answer::NotSent, Outcome::NotSent),
            (Answer::Unknown, Outcome::Ambiguous),
            (http(429, None), retry.clone()),
            (http(429, Some(20429)), retry.clone()),
            (http(400, Some(20429)), retry.clone()),
            (http(302, None), retry.clone()),
            (http(307, None), retry),
            (http(500, None), Outcome::Ambiguous),
            (http(500, Some(21211)), Outcome::Ambiguous),
            (http(503, Some(20500)), Outcome::Ambiguous),
            (http(201, None), Outcome::Ambiguous),
            (http(200, None), Outcome::Ambiguous),
            (http(408, None), Outcome::Ambiguous),
            (http(401, None), Outcome::Credentials),
            (http(401, Some(20003)), Outcome::Credentials),
            (http(403, Some(20003)), Outcome::Credentials),
            (http(400, Some(21611)), Outcome::Capacity),
            (http(400, Some(30001)), Outcome::Capacity),
            (http(400, Some(63038)), Outcome::Capacity),
            (http(400, None), Outcome::Permanent),
            (http(404, Some(20404)), Outcome::Permanent),
            (http(422, Some(99999)), Outcome::Permanent),
        ];
        for (answer, expected) in table {
            assert_eq!(classify(&answer), expected, "{answer:?}");
        }
        for code in [
            21211, 21212, 21408, 21602, 21603, 21604, 21606, 21608, 21610, 21612, 21614, 21617, 90007,
        ] {
            assert_eq!(classify(&http(400, Some(code))), Outcome::Permanent, "{code}");
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
        let expected = Outcome::Accepted {
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
