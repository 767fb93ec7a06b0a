# Messages of the console in Canadian English. fr-CA.ftl has the same keys in the same order.

language = English
skip = Skip to the content
navigation = Pages
business = Business
open = Open
log-in = Sign in
log-out = Sign out
login-key = API key
login-about = The key that you also use in Swagger UI. Ask an administrator of Ringbook if you have none.
login-wrong = This key is not valid. It may be mistyped, revoked or expired.
login-limited = Too many wrong keys came from your network. Wait a few seconds and try again.
lost = Connection lost. What you see may be old. Trying again …

board = Board
board-empty = Nobody waits for a call back.
board-urgent = { $count ->
    [one] One P1 that nobody has taken
   *[other] { $count } P1 that nobody has taken
  }
board-open = { $count ->
    [one] One more open lead
   *[other] { $count } more open leads
  }
board-taken = Taken since yesterday
board-about = The board shows the last 7 days. What is older is under
waiting = Waiting since the call
waiting-now = just now
due = Call back by
due-left = in { $time }
due-now = now
due-late = { $time } late
notified = Notified
notified-nobody = nobody
notified-late = nobody: the report came too late
escalation = Escalation
escalation-next = Next step at
step-first = The first contacts were notified
step-next = The next contact was notified
step-all = All contacts were notified
step-nobody-left = Nobody is left to notify
take = I take it
take-other = Somebody else takes it
take-who = Who
take-comment = Comment (optional)
take-done = Hand on
taken-by = Taken by { $who }
how-api = here
how-reply = by SMS reply

leads = Leads
leads-empty = No lead matches. Change the filters.
lead-open = Nobody has taken it yet
unknown-caller = Unknown caller
unknown-number = no number
unknown-service = No service found
simulated = simulated
erased = erased
priority = Priority
all = All
search = Search
search-example = Name, number or address
search-in = Search in
search-name = Name, number
search-address = Address
days = Days
days-all = All
days-today = Today
days-yesterday = Yesterday
days-week = Last 7 days
day = One day
filter = Show
pages = More
pages-older = Older
pages-newest = Newest
pages-csv = Download as CSV

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

messages = Messages
messages-empty = No SMS message.
message = SMS message
state = State
state-queued = waiting
state-sending = sending
state-accepted = accepted
state-delivered = delivered
state-ambiguous = outcome unknown
state-dead = not sent
state-simulated = simulated
segments = { $count ->
    [one] One segment
   *[other] { $count } segments
  }
to-the-call = To the call
attempts = Attempts
attempts-none = Nothing was sent yet.
outcome-accepted = accepted
outcome-simulated = simulated
outcome-retry = failed, tried again
outcome-ambiguous = outcome unknown
outcome-permanent = failed for good
outcome-credentials = wrong Twilio credentials
outcome-running = running
resend-about = The message is sent again, to the present number of the contact.
resend-force = Also if it may have been delivered already
resend = Resend

prices = Prices
prices-about = The rules in force. To change them, use
services = Services
adjustments = Adjustments
taxes = Taxes
offer = Offer
offer-offered = offered
offer-refused = refused
offer-assessment = after an assessment
base-price = Base price
adjustment = Adjustment
condition = When
always = always
effect = Effect
kind-add = add
kind-percent = percent
kind-multiply = times
kind-floor = at least
kind-cap = at most
kind-set = set to

back-to-board = Back to the board
refused-form = This form is out of date
refused-form-do = It belongs to another session. Go back to the page, reload it, and send the form again.
refused-role = Your key may not do this
refused-role-do = Ask an administrator for a key with the role that this needs.
refused-missing = This page does not exist
refused-missing-do = It was removed, or it belongs to a business that your key may not see.
refused-conflict = Somebody was faster
refused-conflict-do = Nothing was changed. Go back to see what happened meanwhile.
refused-limit = Too many requests
refused-limit-do = Wait a moment and try again.
refused-server = Ringbook cannot answer now
refused-server-do = Try again in a moment. Calls are still answered and recorded.
refused-input = This cannot be read
refused-input-do = Check what you entered, and try again.
