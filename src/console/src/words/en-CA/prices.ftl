prices = Prices
prices-about = Type new prices, then save. Callers hear them only after you publish.
prices-read-only = These are the current rules. Your key may read them but not change them.
prices-new = New
prices-pick = Select
prices-pick-row = Select { $row }
prices-price = price
prices-from = lowest price
prices-to = highest price
prices-amount = amount
prices-rate = rate
prices-percent = Change by %
prices-percent-about = This fills in new prices in the selected rows. Rates do not change.
prices-percent-range = Enter a percentage from −100 to 1,000.
prices-percent-none = Select at least one row with a price.
prices-over = Of
prices-over-picked = selected rows
prices-over-services = all services
prices-over-adjustments = all adjustments
prices-step = Round to
prices-fill = Fill in
prices-filled = { $count ->
    [one] One field is filled in. Nothing is saved yet.
   *[other] { $count } fields are filled in. Nothing is saved yet.
  }
prices-paste = Paste from a spreadsheet
prices-paste-label = A line for each row: its code or name, a tab, the price
prices-paste-fill = Fill in and compare
prices-paste-empty = There is nothing to fill in: paste at least one line.
prices-paste-columns = needs two columns: a code and a price
prices-paste-unknown = no service and no adjustment has this code or name
prices-paste-twice = is in the list twice
prices-paste-refused = is refused and has no price
prices-pasted = { $count ->
    [0] No line matches a row.
    [one] One row is filled in. Nothing is saved yet.
   *[other] { $count } rows are filled in. Nothing is saved yet.
  }
prices-misses = { $count ->
    [one] One line does not match:
   *[other] { $count } lines do not match:
  }
prices-miss-line = Line { $line }:
prices-comment = What is this change for? (optional)
prices-comment-default = Prices: { $rows }
prices-changed = { $count ->
    [one] 1 row changed
   *[other] { $count } rows changed
  }
prices-save = Save
prices-try = Save and test
prices-in-set = Your changes go into the change set “{ $set }”.
prices-to-set = Back to the change set
prices-own-set = You have an open change set: “{ $set }”.
prices-continue = Continue with it
prices-offline = Connection lost. What you typed is still here; send it when the connection is back.
prices-faults = { $count ->
    [one] One field needs another value. Nothing was saved.
   *[other] { $count } fields need another value. Nothing was saved.
  }
prices-nothing = Nothing was saved: no price is different.
prices-clashes = { $count ->
    [one] Somebody changed a row that you changed as well. Choose, then save again.
   *[other] Somebody changed { $count } rows that you changed as well. Choose, then save again.
  }
prices-moved = Somebody changed these rules while you saved. Look at the rows, then save again.
prices-refused = This was not saved. See why below.
prices-clash = Somebody else changed the same row
prices-clash-before = Before
prices-clash-theirs = Theirs
prices-clash-yours = Yours
prices-clash-keep = Keep theirs
prices-fault-missing = Enter a price.
prices-fault-number = This is not a number.
prices-fault-cents = A price has at most two decimals.
prices-fault-digits = A rate has at most six decimals.
prices-fault-negative = A price must not be below zero.
prices-fault-high = This number is too high.
prices-fault-crossed = The lowest price is above the highest.
prices-guards = Changes that wait for a second person
prices-guard-low = Below { $limit }, a price waits for approval.
prices-guard-high = Above { $limit }, a price waits for approval.
prices-guard-large = A change of more than { $limit } waits for approval.
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
