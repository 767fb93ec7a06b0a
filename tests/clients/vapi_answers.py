"""Vapi's own SDK can parse Ringbook's responses. The test signs every sample of tests/data/vapi like Vapi, posts it to a running
server, and parses each response with the SDK's type. The type must know every field and lose none.

It reads RINGBOOK_URL and RINGBOOK_VAPI_SECRET. The argument is the file into which it writes the responses as TypeScript, for the
SDK of that language. It prints a line for each type of message whose response Vapi reads.
"""

import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path

import httpx
import pydantic
import vapi

URL, SECRET = os.environ["RINGBOOK_URL"], os.environ["RINGBOOK_VAPI_SECRET"].encode()
SAMPLES = Path(__file__).parents[1] / "data" / "vapi"
# The messages whose response Vapi reads; it ignores all other responses.
READ = {
    "assistant-request": "AssistantRequest",
    "tool-calls": "ToolCalls",
    "transfer-destination-request": "TransferDestinationRequest",
    "handoff-destination-request": "HandoffDestinationRequest",
    "knowledge-base-request": "KnowledgeBaseRequest",
    "call.endpointing.request": "CallEndpointingRequest",
    "campaign.predial": "CampaignPredial",
}


def post(body):
    timestamp = str(int(time.time() * 1000))
    signature = hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-timestamp": timestamp, "x-signature": signature}
    return httpx.post(f"{URL}/webhooks/vapi", content=body, headers=headers, timeout=30)


def unknown(model, at=""):
    """The fields that the SDK does not know, each with its path."""
    if isinstance(model, pydantic.BaseModel):
        yield from (f"{at}/{name}" for name in model.model_extra or {})
        for name in type(model).model_fields:
            yield from unknown(getattr(model, name), f"{at}/{name}")
    elif isinstance(model, list):
        for index, item in enumerate(model):
            yield from unknown(item, f"{at}/{index}")


literals, seen = ["import type { Vapi } from '@vapi-ai/server-sdk';"], set()
samples = [path for path in sorted(SAMPLES.glob("*.json")) if not path.name.endswith(".schema.json")]
for path in samples:
    body = path.read_bytes()
    kind = json.loads(body)["message"]["type"]
    answer = post(body)
    if kind == "voice-request":
        # Ringbook answers this message with an error, because Vapi would play the body of a 200.
        assert answer.status_code == 400, f"{path.name}: {answer.status_code} {answer.text}"
        continue
    assert answer.status_code == 200, f"{path.name}: {answer.status_code} {answer.text}"
    content = answer.json() if answer.content else {}
    if kind not in READ:
        assert content == {}, f"{path.name}: Vapi ignores the response, but it is {content}"
        continue
    seen.add(kind)
    name = f"ServerMessageResponse{READ[kind]}"
    read = getattr(vapi, name).model_validate(content)
    assert not list(unknown(read)), f"{path.name}: Vapi does not know {list(unknown(read))} of {content}"
    assert json.loads(read.json()) == content, f"{path.name}: {content} is read as {read.json()}"
    literal = json.dumps(content, ensure_ascii=False, indent=2)
    literals.append(f"export const answer{len(literals)}: Vapi.{name} = {literal};")
    print(f"ok  Vapi's SDK parses the response to {kind}: {json.dumps(content, ensure_ascii=False)[:120]}")
assert len(seen) >= 6, f"samples are missing: {sorted(READ.keys() - seen)}"
print(f"ok  {len(samples)} samples are accepted; the SDK parses the responses to {len(seen)} types")
Path(sys.argv[1]).write_text("\n".join(literals) + "\n")
