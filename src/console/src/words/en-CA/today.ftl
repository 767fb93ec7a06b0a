today = Today
today-days = Days
today-yesterday = Yesterday
today-before = Day before
today-after = Day after
today-late = Answered late
today-late-about = past the time to call back
today-sent = sent
today-not-sent = { $number } not sent
today-sms-simulated = { $number } simulated
today-quoted = Quoted
today-statement = Statement of the month
today-simulated = The figures include simulated calls.
today-open = { $count ->
    [one] One lead is still open
   *[other] { $count } leads are still open
  }
today-more-open = { $count ->
    [one] One more
   *[other] { $count } more
  }
today-diary = The day
today-found = Found on this day
today-empty = Nobody called on this day.
today-not-found = Nothing on this day matches your search.
today-search-all = Search all days
today-later = Later
today-earlier = Earlier
today-all-calls = All calls of the day
