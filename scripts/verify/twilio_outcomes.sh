#!/usr/bin/env bash
# Sends 1,000 SMS messages to a Twilio stand-in that accepts, rejects, stalls, hangs, resets, sends partial responses and
# redirects. Workers die while sending, and statuses arrive out of order. Proves: no P1 or P2 is lost (each is accepted or
# reported to a person), and none is sent more than three times. No other message is sent twice. The stand-in's log agrees
# with the database.
set -euo pipefail

RINGBOOK_TEST_OUTCOMES=${RINGBOOK_TEST_OUTCOMES:-1000} \
    "$(dirname "$0")/../some_test.sh" cargo test --locked --package ringbook-sms --lib -- --nocapture tests::outcomes
