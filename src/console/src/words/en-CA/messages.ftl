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
resend-about = The message is sent again, to the current number of the contact.
resend-force = Resend even if the message may have been delivered already
resend = Resend
