history = History
history-more = More of the history
history-done = Rolled back: revision { $number } is live now.
history-revision = Revision { $number }
history-head = in force
history-equals = back to { $number }
history-import = import
history-from = From revision
history-to = To revision
history-compare = Compare
history-what = What it changed
history-with-head = Compare with now
history-first = Revision { $to }
history-compared = Revision { $from } → { $to }
history-compare-head = Compare { $from } with the revision in force
history-same = Nothing is different.
history-more-rows = { $count ->
    [one] One more row is different.
   *[other] { $count } more rows are different.
  }
history-field = Field
history-before = Before
history-after = After
history-back = Go back to revision { $number }
history-back-about = Going back undoes the changes shown here: it publishes a new revision that equals revision { $number }. Nothing is lost, and you can go back again.
history-comment = Comment (optional)
history-stale = Somebody published meanwhile. Nothing was rolled back.
history-stale-do = Below you see what going back would undo now. Press the button again if you still want to go back.
history-audit = Audit log
history-audit-empty = No entry matches. Change the filters.
history-check = Check whether anybody altered the log
history-check-about = Every entry is chained to the entry before it.
history-intact = Nobody has altered the log: { $count } entries.
history-broken = Somebody has altered the log.
history-chain-end = End of the chain. Note it for a later check:
history-who = Who
history-kind = What
history-row = Code
history-fields = { $count ->
    [one] One field
   *[other] { $count } fields
  }
revised-added = new
revised-changed = changed
revised-removed = removed
revised-settings = Settings
revised-services = { $count ->
    [one] One service
   *[other] { $count } services
  }
revised-areas = { $count ->
    [one] One area
   *[other] { $count } areas
  }
revised-calendars = { $count ->
    [one] One calendar
   *[other] { $count } calendars
  }
revised-adjustments = { $count ->
    [one] One adjustment
   *[other] { $count } adjustments
  }
revised-taxes = { $count ->
    [one] One tax
   *[other] { $count } taxes
  }
revised-priority-rules = { $count ->
    [one] One priority rule
   *[other] { $count } priority rules
  }
revised-contacts = { $count ->
    [one] One contact
   *[other] { $count } contacts
  }
revised-templates = { $count ->
    [one] One template
   *[other] { $count } templates
  }
revised-concepts = { $count ->
    [one] One concept
   *[other] { $count } concepts
  }
revised-classifiers = { $count ->
    [one] One classifier
   *[other] { $count } classifiers
  }
revised-cues = { $count ->
    [one] One cue
   *[other] { $count } cues
  }
revised-fact-mappings = { $count ->
    [one] One fact mapping
   *[other] { $count } fact mappings
  }
revised-tools = { $count ->
    [one] One tool
   *[other] { $count } tools
  }
revised-assistant-rules = { $count ->
    [one] One assistant rule
   *[other] { $count } assistant rules
  }
revised-scripts = { $count ->
    [one] One script
   *[other] { $count } scripts
  }
revised-cases = { $count ->
    [one] One case
   *[other] { $count } cases
  }
action-create = created
action-update = changed
action-delete = deleted
action-publish = published
action-roll-back = rolled back
action-import = imported
action-acknowledge = took
action-resolve = resolved
action-resend = resent
action-release = released
action-replay = processed again
action-revoke = revoked
action-retire = retired
action-approve = approved
action-reject = rejected
action-refuse = was refused
action-wait = waits
action-lift = lifted
action-erase = erased
