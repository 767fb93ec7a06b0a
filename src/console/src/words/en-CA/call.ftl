calls = Calls
calls-empty = No call matches. Change the filters.
call = Call
status-scheduled = scheduled
status-queued = queued
status-ringing = ringing
status-in-progress = in progress
status-forwarding = forwarding
status-ended = ended
transcript = What was said
transcript-empty = There is no transcript: the call has none yet, or its retention time is over.
caller = Caller
agent = Agent
role-tool-calls = tool call
role-tool-call-result = tool result
role-system = instructions
heard = What Ringbook heard
heard-counts = counts
tools = { $count ->
    [one] One tool call
   *[other] { $count } tool calls
  }
decision = What was decided
decision-none = Nothing was decided about this call yet.
urgency = Urgency
default-priority = No rule matched: default priority
service = Service
said-to-caller = Said to the caller
receipt = Price
no-price = There is no price.
before-tax = Before tax
besides = Once for the job
rounding = Rounding
total = Total
quoted-otherwise = The caller was quoted this price earlier:
revision = Decided by revision { $revision } of the rules.
took-part = { $count ->
    [one] Why: one rule took part
   *[other] Why: { $count } rules took part
  }
left-out = { $count ->
    [one] One rule took no part
   *[other] { $count } rules took no part
  }
resource-services = service
resource-adjustments = adjustment
resource-areas = area
resource-taxes = tax
resource-priority-rules = priority
resource-concepts = phrase
resource-classifiers = classifier
resource-fact-mappings = fact
resource-scripts = script
resource-settings = settings
