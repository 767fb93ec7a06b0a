vocabulary = Words
vocabulary-live = The phrase is in the rules now. The next call uses it.
vocabulary-waits = The change goes beyond the guard rails: it waits for a second person to approve it.
vocabulary-in-set = The phrase is in the change set. The phrase takes effect when the change set is published.
vocabulary-wrong = Decisions that somebody marked as wrong
vocabulary-unmatched = Calls that matched no service
vocabulary-days = { $days } days
vocabulary-summary = { $without } of { $decisions } decisions in { $days } days found no service. These are the newest calls without a service.
vocabulary-all-matched = Every call found a service. Simulated calls are not counted.
vocabulary-singles = Other calls, which share no words
vocabulary-more = { $count ->
    [one] and one more call
   *[other] and { $count } more calls
  }
vocabulary-calls = { $count ->
    [one] one call
   *[other] { $count } calls
  }
vocabulary-silent = (The caller said nothing.)
vocabulary-make-rule = Make a rule of this
vocabulary-add = Add a phrase
vocabulary-concepts = Concepts
vocabulary-concept = Concept
vocabulary-phrases = Phrases
vocabulary-phrase = Phrase
vocabulary-phrase-count = { $count ->
    [one] One phrase:
   *[other] { $count } phrases:
  }
vocabulary-counted = Counted in { $days } days
vocabulary-used-by = Named by
vocabulary-used-by-none = no rule
vocabulary-no-concepts = There are no concepts yet.
vocabulary-unused = Rules that matched no call
vocabulary-unused-about = These rules have not changed for 90 days, and no decision used them.
vocabulary-unused-none = No unused rule is known. Ringbook needs 90 days of counts to find an unused rule.
vocabulary-looked-at = { $count ->
    [one] Counted in the newest call of the last 90 days.
   *[other] Counted in the newest { $count } calls of the last 90 days.
  }
vocabulary-except = Phrases that look similar but mean something else
vocabulary-english = English
vocabulary-french = French
vocabulary-said-in = Calls that contain the phrase
vocabulary-counts-in = Calls where it counts
vocabulary-phrase-about = Accents and case do not matter. flood* finds every word that begins with “flood”. Between the words in water .. basement, up to two other words may occur.
vocabulary-target = What it means
vocabulary-choose = Choose …
vocabulary-new-concept = A new concept
vocabulary-new-about = A concept is a list of phrases with the same meaning. A concept has an effect only if a rule names it.
vocabulary-name = Name of the new concept
vocabulary-service = Service that these callers want
vocabulary-no-service = no service yet
vocabulary-when = When
vocabulary-at-once = At once
vocabulary-new-set = In a new change set
vocabulary-save = Save
vocabulary-look = Look at past calls
vocabulary-comment = Phrase: { $phrase }
vocabulary-fault-phrase = Write the words to listen for.
vocabulary-fault-known = This phrase is there already.
vocabulary-fault-target = Choose what the phrase means.
vocabulary-fault-target-gone = Your choice was removed meanwhile. Choose another.
vocabulary-fault-language = Choose a language.
vocabulary-fault-name = Write a name with letters, for example water heater.
vocabulary-fault-name-taken = There is a concept of this name: choose it above.
vocabulary-changed = Somebody changed the same row while you were writing.
vocabulary-changed-added = New in the row: { $phrases }
vocabulary-changed-removed = No longer in the row: { $phrases }
vocabulary-changed-do = Your phrase is still here. Save again to add it to the current row.
vocabulary-refused = This was not saved:
vocabulary-preview = Past calls that contain the phrase
vocabulary-preview-none = Write a phrase to see which past calls contain it.
vocabulary-preview-sum = { $calls } of the newest { $all } calls contain the phrase. The phrase counts in { $counting } of these calls.
vocabulary-does-not-count = does not count here
