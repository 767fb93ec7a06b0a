setup = Set-up
setup-businesses = Businesses
setup-open-p1 = Open P1
setup-not-sent = Not sent
setup-last-call = Last call
setup-no-call = none in 30 days
setup-health-about = Open P1 calls and SMS messages that were not sent are counted for the last 7 days.
setup-hidden = An administrator or the owner sees here whether everything is connected: server, public URL, keys, Vapi and Twilio.
setup-late = The checks took too long.
setup-again = Check again
setup-steps = Is everything connected?
setup-checked = Checked at
setup-server = Server and database
setup-address = Public URL
setup-keys = Rules and keys
setup-vapi = Vapi
setup-twilio = Twilio
setup-good = { $count ->
    [one] One check succeeds
   *[other] { $count } checks succeed
  }
setup-change = To change these settings, use Swagger UI:
setup-webhook-url = Server URL for Vapi
setup-no-url = Set the public URL first. Vapi then gets the server URL that appears here.
setup-values = Values to copy to Vapi
setup-server-object = Server object for the assistant or the phone number
setup-structured-output = The structured output
setup-prompt = Lines for the assistant’s prompt
level-ok = ✓ well
level-warning = ! look at it
level-wrong = ✗ wrong
