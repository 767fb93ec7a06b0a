change-sets = Changes
change-sets-about = A change set is a group of changes that people review and publish together.
change-sets-prices = Change prices
change-sets-states = State
change-sets-all = all
change-sets-empty = There is no change set here.
change-set-unnamed = Without a name
change-set-changes = { $count ->
    [0] no change
    [one] one change
   *[other] { $count } changes
  }
change-set-revision = revision { $revision }
change-set-at = on
change-set-by = Opened by { $who }
change-set-approved-by = approved by { $who }
set-state-open = open
set-state-waiting = waits for approval
set-state-scheduled = scheduled
set-state-refused = rejected
set-state-published = published
set-state-discarded = discarded
change-set-is-published = Published as revision { $revision }. The next call uses this revision.
change-set-is-scheduled = This change set will be published:
change-set-is-waiting = This change set goes beyond the guard rails, so a second person must approve it before it goes live. You need to do nothing else.
change-set-is-discarded = This change set was discarded and will never be published.
change-set-is-refused = This change set was not published. Correct the change set, then publish it again.
change-set-what = What changes
change-set-prices = Prices
change-set-priorities = Priorities and words
change-set-people = People and calendars
change-set-messages = Messages
change-set-scripts = Scripts
change-set-settings = Settings
change-set-empty = This change set changes nothing yet.
change-set-nothing = nothing
change-set-remove = Remove
change-set-remove-row = Remove the change of { $row }
change-set-yes = yes
change-set-no = no
change-set-price = Price
change-set-field = Field
change-set-checks = Can this change set be published?
change-set-compiles = The rules fit together.
change-set-cases = { $count ->
    [0] There is no case to check.
    [one] The one case is decided as expected.
   *[other] All { $count } cases are decided as expected.
  }
change-set-lint = No new warning.
change-set-within = The change set stays within the guard rails, so it goes live as soon as you publish it.
change-set-beyond = The change set goes beyond the guard rails, so you must ask a second person to approve it.
change-set-fault = Error:
change-set-case-failed = The case “{ $case }” fails:
change-set-mismatch = expected { $expected }, got { $got }
change-set-limit-lowest-price = This price is below the lowest price that the guard rails allow.
change-set-limit-highest-price = This price is above the highest price that the guard rails allow.
change-set-limit-largest-change-percent = This change is larger than a single publish may make.
change-set-not-judged = Ringbook could not compute the effect on prices in time, so a second person must approve it.
change-set-why = Why
change-set-conflicts = { $count ->
    [one] Somebody changed a row of this change set meanwhile
   *[other] Somebody changed { $count } rows of this change set meanwhile
  }
change-set-conflict-table = The row before the changes, the other person’s version and your version
change-set-conflict-gone = Somebody removed the row.
change-set-keep-theirs = Keep theirs
change-set-keep-mine = Keep mine
change-set-buttons = What to do with this change set
change-set-publish = Publish now
change-set-ask = Ask for approval
change-set-later = Publish later
change-set-when = When ({ $zone })
change-set-schedule = Schedule
change-set-unschedule = Cancel the schedule
change-set-edit = Change prices
change-set-discard = Discard
change-set-approve = Approve and publish
change-set-reject = Reject
change-set-reason = Reason, for the author of the change set
change-set-reject-now = Reject it
change-set-own = Nobody approves their own change. Somebody else must approve this change set.
change-set-fault-moved = The change set changed since you read it. The page shows the current state of the change set. Nothing was done.
change-set-fault-state = This action is not possible in the current state of the change set. Nothing was done.
change-set-fault-rules = The change set cannot be published like this. See below what prevents it.
change-set-fault-at = Choose a time in the future, outside the hour that a clock change skips or repeats.
change-set-test = On past calls
change-set-test-none = See what this change set would have done to past calls before you publish it.
change-set-test-never = This change set was never tested on past calls.
change-set-test-days = Calls of
change-set-test-span = the last { $days } days
change-set-test-simulated = Also simulated calls
change-set-test-start = Test on past calls
change-set-test-again = Test again
change-set-test-running = { $count ->
    [0] The test is about to start …
    [one] One call so far …
   *[other] { $count } calls so far …
  }
change-set-test-progress = Progress of the test
change-set-test-stop = Stop
change-set-test-reload = Reload the page to see the progress of the test
change-set-test-old = The change set was changed after this test. Test again.
change-set-test-calls = { $count ->
    [0] No call
    [one] One call
   *[other] { $count } calls
  }
change-set-test-since = since
change-set-test-by = tested by { $who }
change-set-test-no-calls = There were no calls to test on.
change-set-test-include = Test on simulated calls
test-state-failed = The test failed.
test-state-cancelled = The test was stopped. The result covers the calls that were tested until then.
test-state-interrupted = The test was interrupted because the server stopped. Start it again.
change-set-dearer = Dearer
change-set-cheaper = Cheaper
change-set-sum = All quotes together
change-set-priorities-moved = Other priority
change-set-picture = Old price and new price of each call
change-set-picture-about = On the dashed line nothing changes. Above the line a call becomes dearer, below the line cheaper. Press a mark to open the call.
change-set-picture-text = Of { $quotes } quoted calls, { $dearer } become dearer, { $cheaper } become cheaper, and { $same } stay the same.
change-set-drawn = { $drawn } of { $all } calls are drawn: the newest calls that change, and the newest calls that stay the same.
change-set-axis-before = Old price (middle of the range, before tax)
change-set-axis-after = New price
change-set-mark-dearer = dearer
change-set-mark-cheaper = cheaper
change-set-mark-moved = other priority
change-set-mark-same = same
change-set-by-service = By service
change-set-calls = { $count ->
    [one] one call
   *[other] { $count } calls
  }
change-set-move = From { $from } to { $to }
change-set-more-messages = More SMS messages
change-set-fewer-messages = Fewer SMS messages
change-set-lost-service = No service found any more
change-set-gained-service = A service found now
change-set-lost-price = No price any more
change-set-gained-price = A price now
change-set-most = Calls that change most
change-set-before = Before
change-set-after = After
diff-what-added = new
diff-what-removed = removed
diff-row-services = service
diff-row-adjustments = adjustment
diff-row-taxes = tax
diff-row-areas = area
diff-row-priority-rules = priority rule
diff-row-concepts = concept
diff-row-cues = cue
diff-row-classifiers = classifier
diff-row-contacts = contact
diff-row-calendars = calendar
diff-row-templates = template
diff-row-tools = tool
diff-row-assistant-rules = assistant rule
diff-row-scripts = script
diff-row-settings = settings
diff-row-fact-mappings = fact
diff-row-cases = case
diff-column-names = Name
diff-column-name = Name
diff-column-price-from = Lowest price
diff-column-price-to = Highest price
diff-column-amount = Amount
diff-column-rate = Rate
diff-column-kind = Effect
diff-column-condition = When
diff-column-rank = Order
diff-column-offer = Offer
diff-column-reason = Reason
diff-column-unit = Unit
diff-column-quantity-fact = Quantity
diff-column-keywords = Phrases
diff-column-weak-keywords = Weak phrases
diff-column-phrases = Phrases
diff-column-notify = Who is notified
diff-column-priority = Priority
diff-column-services = Services
diff-column-stacking-group = Group
diff-column-valid-from = From
diff-column-valid-until = Until
diff-column-phone = Phone
diff-column-language = Language
diff-column-on-call = On call
diff-column-on-call-calendar = On-call calendar
diff-column-hours = Hours
diff-column-days = Days
diff-column-text = Text
diff-column-texts = Text
diff-column-body = Text
diff-column-source = Script
diff-column-postal-prefixes = Postal codes
diff-column-cities = Cities
diff-column-cool-down-s = Pause (seconds)
diff-column-escalate-after-s = Escalates after (seconds)
diff-column-sla-seconds = Call back within (seconds)
diff-column-currency = Currency
diff-column-time-zone = Time zone
diff-column-rounding = Rounding
diff-column-rounding-step = Rounding step
diff-column-default-priority = Usual priority
diff-column-quiet-from = Quiet from
diff-column-quiet-until = Quiet until
diff-column-daily-sms-cap = SMS messages a day
diff-column-expect = Expected
diff-column-facts = Facts
