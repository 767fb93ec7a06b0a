#!/usr/bin/env bash
# Proves: 1,000 SMS messages go through a Twilio stand-in that accepts, rejects, stalls, hangs, resets, sends partial responses
# and redirects, with workers that die while sending and statuses out of order. No P1 or P2 is lost (each is accepted or reported
# to a person), none is sent more than three times, no other message is sent twice, and the stand-in's log agrees with the
# database.
set -euo pipefail

RINGBOOK_TEST_OUTCOMES=${RINGBOOK_TEST_OUTCOMES:-1000} cargo test --locked --quiet --lib -- outbox::tests::outcomes --nocapture
