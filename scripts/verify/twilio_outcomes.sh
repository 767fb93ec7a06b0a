#!/usr/bin/env bash
# Proves: of 1,000 texts through a Twilio that accepts, refuses, stalls, hangs, resets, answers half and redirects, with
# workers that die on the way and statuses out of order, no P1 or P2 is lost (each is taken or given to a person), none is
# sent more than three times, no other text is sent twice, and its log agrees with our records.
set -euo pipefail

RINGBOOK_TEST_OUTCOMES=${RINGBOOK_TEST_OUTCOMES:-1000} cargo test --locked --quiet --lib -- outbox::tests::outcomes --nocapture
