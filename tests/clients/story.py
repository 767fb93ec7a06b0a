"""The README's steps with the generated Python client against a running server, the same as in story.ts.

It reads RINGBOOK_URL and RINGBOOK_ADMIN_KEY, and needs some simulated calls. It prints a line for each step.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "python"))

from ringbook_client import AuthenticatedClient
from ringbook_client.api.api_keys import create_api_key, revoke_api_key
from ringbook_client.api.audit_log import verify_audit_log
from ringbook_client.api.backtests import get_backtest, start_backtest
from ringbook_client.api.calls import get_call, list_calls
from ringbook_client.api.change_sets import (
    add_change,
    check_change_set,
    create_change_set,
    diff_change_set,
    publish_change_set,
)
from ringbook_client.api.decisions import get_decision, list_decisions
from ringbook_client.api.evaluate import evaluate
from ringbook_client.api.revisions import roll_back
from ringbook_client.api.services import delete_service, get_service, put_service
from ringbook_client.models import (
    Method,
    NewApiKey,
    NewBacktest,
    NewChange,
    NewChangeResource,
    NewChangeSet,
    Price,
    Problem,
    PublishRequest,
    EvaluateRequest,
    EvaluateRequestFacts,
    Role,
)
from ringbook_client.types import UNSET

URL, KEY = os.environ["RINGBOOK_URL"], os.environ["RINGBOOK_ADMIN_KEY"]
RULEBOOK, CODE = "default", "camera_inspection"
client = AuthenticatedClient(base_url=URL, token=KEY, timeout=60)


def told(text):
    print(f"ok  Python: {text}")


def good(answer):
    """Returns the response, or fails the test with the problem."""
    assert answer is not None and not isinstance(answer, Problem), answer
    return answer


def refused(answer, status, code):
    problem = answer.parsed
    assert isinstance(problem, Problem), answer
    assert (answer.status_code, problem.status, problem.code) == (status, status, code), problem
    assert problem.request_id and problem.detail and problem.title
    return problem


def quote():
    facts = EvaluateRequestFacts.from_dict({"service_text": "Camera inspection"})
    question = EvaluateRequest(facts=facts, at=datetime(2026, 11, 24, 15, tzinfo=UTC))
    price = good(evaluate.sync(RULEBOOK, client=client, body=question)).decision.price
    assert isinstance(price, Price)
    return price.from_, price.to


def a_price():
    service = good(get_service.sync(RULEBOOK, CODE, client=client))
    before = (service.price_from, service.price_to, service.version)
    service.price_from, service.price_to = "362.00", "398.00"
    changed = good(put_service.sync(RULEBOOK, CODE, client=client, body=service))
    assert changed.price_from == "362.00"
    assert quote() == ("362.00", "398.00")
    stale = refused(put_service.sync_detailed(RULEBOOK, CODE, client=client, body=service), 412, "stale_version")
    told(f"a price is changed and quoted; the old version is refused: {stale.detail}")
    return before


def a_change_set(before):
    from_, to, number = before
    opened = good(create_change_set.sync(RULEBOOK, client=client, body=NewChangeSet(comment="Inspection to 420")))
    version = good(get_service.sync(RULEBOOK, CODE, client=client)).version
    change = NewChange(
        resource=NewChangeResource.SERVICES,
        code=CODE,
        method=Method.PATCH,
        body={"price_to": "420.00"},
        version=version,
    )
    added = good(add_change.sync(RULEBOOK, opened.id, client=client, body=change, version=opened.version))
    diff = good(diff_change_set.sync(RULEBOOK, opened.id, client=client))
    (field,) = diff.rows[0].changes
    assert (field.column, field.before, field.after) == ("price_to", "398.00", "420.00")
    check = good(check_change_set.sync(RULEBOOK, opened.id, client=client))
    assert check.publishable, check

    backtest = good(start_backtest.sync(RULEBOOK, client=client, body=NewBacktest(change_set=opened.id, days=30)))
    while backtest.state in ("queued", "running"):
        backtest = good(get_backtest.sync(RULEBOOK, backtest.id, client=client))
    assert backtest.state == "done" and backtest.result.calls > 0, backtest

    publish = publish_change_set.sync(RULEBOOK, opened.id, client=client, body=PublishRequest(), version=added.version)
    head = good(publish).revision
    assert head
    assert quote() == ("362.00", "420.00")
    refused(roll_back.sync_detailed(RULEBOOK, number, client=client, version=head - 1), 412, "stale_version")
    good(roll_back.sync(RULEBOOK, number, client=client, version=head))
    assert quote() == (from_, to)
    told(f"a change set is read, tried on {backtest.result.calls} calls, published, and rolled back")


def lists():
    calls, cursor = [], UNSET
    while True:
        page = good(list_calls.sync(RULEBOOK, client=client, limit=2, cursor=cursor))
        calls += page.items
        cursor = page.next_cursor
        if not cursor:
            break
    assert len(calls) > 4 and len({call.id for call in calls}) == len(calls)
    first = good(list_decisions.sync(RULEBOOK, client=client, limit=1)).items[0]
    stored = good(get_decision.sync(RULEBOOK, first.id, client=client, explain=True))
    assert stored.decision.trace and stored.explanation and stored.decision.revision == stored.revision
    told(f"{len(calls)} calls in pages of two; a decision is read: {stored.decision.say or stored.decision.priority}")
    return calls


def keys(calls):
    made = good(create_api_key.sync(client=client, body=NewApiKey(name="front desk", role=Role.VIEWER, rulebook=RULEBOOK)))
    viewer = AuthenticatedClient(base_url=URL, token=made.key)
    whole = next(call for call in calls if call.customer_number)
    seen = good(get_call.sync(RULEBOOK, whole.id, client=viewer)).call
    assert seen.customer_number and seen.customer_number != whole.customer_number, "a viewer sees a whole phone number"
    refused(delete_service.sync_detailed(RULEBOOK, CODE, client=viewer), 403, "forbidden")
    assert revoke_api_key.sync_detailed(made.api_key.id, client=client).status_code == 204
    refused(get_call.sync_detailed(RULEBOOK, whole.id, client=viewer), 401, "unauthorized")
    told(f"a viewer sees {seen.customer_number}; its key is revoked")


def audit():
    verified = good(verify_audit_log.sync(client=client))
    assert verified.intact
    told(f"the audit log holds, {verified.entries} entries")


a_change_set(a_price())
keys(lists())
audit()
