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
board-about = The board shows the last 7 days. Older leads are under
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
take-done = Assign
taken-by = Taken by { $who }
how-api = here
how-reply = by SMS reply
