# What callers and contacts hear and read in English. Each language has a file with the same messages.

# -- said to a caller: a price
unknown-service = I am not sure what you need; someone will call you back.
refused-service = Sorry, we do not offer that service.
no-price = Someone will call you back with a price.
price = { $amount } { $currency }
price-range = Between { $from } and { $to } { $currency }
besides = , plus { $amount } { $currency } for the job
besides-less = , less { $amount } { $currency } for the job
before-taxes = before taxes
decimal-separator = .
currency-dollars = dollars
currency-euros = euros
currency-pounds = pounds
currency-francs = francs
lead-days = { $days } { $days ->
    [one] day
   *[other] days
  }
lead-days-range = { $from } to { $days } { $days ->
    [one] day
   *[other] days
  }
lead-working-days = { $days } { $days ->
    [one] working day
   *[other] working days
  }
lead-working-days-range = { $from } to { $days } { $days ->
    [one] working day
   *[other] working days
  }
lead-weeks = { $days } { $days ->
    [one] week
   *[other] weeks
  }
lead-weeks-range = { $from } to { $days } { $days ->
    [one] week
   *[other] weeks
  }

# -- said to a caller: tools and transfers
visit-on = We can come on { $from }.
visit-between = We can come between { $from } and { $to }.
visit-unknown = Somebody will call you back to agree on a time.
booking-noted = That is noted. Somebody will call you back to confirm the appointment.
booking-not-noted = I cannot note an appointment right now. Please call again a little later.
not-alerted = I cannot alert the team right now. If it is urgent, please call again in a few minutes.
say-again = I could not use those details. Could you tell me them again, please?
transfer = I am transferring you to { $name }.

# -- written to a contact in reply to an SMS message
reply-how = Reply 1 to take it. Otherwise the call goes to the next contact.
reply-taken = Noted: the call is yours.
reply-taken-by-you = The call is yours already.
reply-taken-by-other = Taken already by { $name }, { $minutes } min ago.
reply-nothing-open = There is nothing to take at present.
reply-several-open = { $count } emergencies wait: reply 1 with the reference: { $references }
reply-reopened = Noted: the call goes to the next contact.
others-taken = { $name } took the emergency. If that is wrong, reply: 0 { $reference }
