notices = Notices
notices-none = There is nothing to do. Ringbook shows here what a person should do.
notices-resolved = Done recently
notices-resolved-by = Done by { $who }
notices-resolved-itself = The notice resolved itself
notices-details = Details
notices-comment = What was done (optional)
notices-resolve = Done
notices-times = { $count ->
    [one] Once, first
   *[other] { $count } times, first
  }
notices-done-resolved = The notice is done.
notices-done-resent = The message is queued again. The notice closes when Twilio accepts the message.
notices-done-released = The script runs again from the next call on.
notices-done-replayed = { $count ->
    [0] No message could be processed. The details say why.
    [one] One message was processed.
   *[other] { $count } messages were processed.
  }
notices-change-set = Read the change set
notices-leads = See the leads
notices-dead = See what was not sent
notices-setup = Check the set-up
notices-last-message = Message
notices-resend-anyway = Resend, even if it may have arrived
notices-more-dead = { $count ->
    [one] One more message was not sent
   *[other] { $count } more messages were not sent
  }
notices-release = Let the script run again
notices-replay = Process the messages again
severity-urgent = urgent
severity-warning = soon
severity-info = for information
notice-sms-refused = A message to { $about } was refused
notice-sms-given-up = A message to { $about } was not sent
notice-sms-unknown = Nobody knows whether a message to { $about } arrived
notice-sms-undelivered = A message did not reach { $about }
notice-sms-suppressed = { $about } gets no messages: they replied STOP
notice-contact-opted-out = { $about } replied STOP and gets no more messages
notice-sms-provider-down = Twilio cannot be reached: messages wait
notice-sms-credentials-refused = Twilio refuses the account: messages wait
notice-sms-account-capped = The Twilio account has sent as much as it may today
notice-sms-account-incomplete = The Twilio account lacks a secret: messages wait
notice-sms-no-account = There is no Twilio account: nobody gets a message
notice-sms-cap-near = Four fifths of today’s messages are used up
notice-sms-cap-reached = Today’s messages are used up: only a P1 is still sent
notice-p1-not-taken = Nobody has taken a P1
notice-p1-contested = Two people disagree about who takes a P1
notice-change-set-waits = A change waits for approval
notice-scheduled-publish-refused = A scheduled change was not published
notice-script-quarantined = The script { $about } failed too often and is not used
notice-script-failed = The script { $about } failed
notice-message-set-aside = Messages of the type { $about } could not be processed
notice-spool-in-use = Calls were answered without the database
notice-spool-refused = Messages were lost: the disk was full
notice-spool-message-set-aside = A message could not be recorded
notice-vapi-unreachable = Vapi does not answer
notice-vapi-key-refused = Vapi refuses the key
notice-vapi-key-shared = Two businesses have the same Vapi key
notice-late-call = A call was reported too late ({ $about }): nobody was notified
notice-restored = The database was restored from a backup
advice-sms-refused = Correct the contact’s number if it is wrong, then resend the message. If the message is urgent, call the contact.
advice-sms-given-up = If the message still matters, reach the contact another way. Resend the message once Twilio answers.
advice-sms-unknown = Ask the contact, then resend the message if it did not arrive.
advice-sms-undelivered = If the message still matters, call the contact, or resend the message.
advice-sms-suppressed = Ask the contact to reply START, or replace the contact. Then resend the message.
advice-contact-opted-out = Ask whether the contact sent STOP, because a number can be forged. The contact can reply START, or you can replace the contact.
advice-sms-provider-down = Until Twilio answers again, reach the people on call another way. Sending then resumes automatically.
advice-sms-credentials-refused = Correct the account SID and the auth token. Sending then resumes automatically.
advice-sms-account-capped = Reach the people on call another way today, and ask Twilio for a higher limit.
advice-sms-account-incomplete = Store the missing secret. Sending then resumes automatically.
advice-sms-no-account = Connect Twilio, or choose to only record messages. Waiting messages are given up after six hours.
advice-sms-cap-near = If these messages are intended, raise the daily cap in the settings. If not, find out what sends the messages.
advice-sms-cap-reached = Call back the leads about which nobody was notified. Raise the daily cap, then resend what still matters.
advice-p1-not-taken = Call the customer back now, then say who takes the call.
advice-p1-contested = Call both contacts. Make sure that somebody calls the customer back.
advice-change-set-waits = Somebody who did not work on the change must review it, and then approve or reject it.
advice-scheduled-publish-refused = The change set says why. Correct the change set and publish it again, or discard it.
advice-script-quarantined = For ten minutes, calls are answered without the script. Correct the script, or let it run again.
advice-script-failed = Calls are answered without the script. Correct the script or delete it.
advice-message-set-aside = The messages are stored as received. After the cause is fixed, an administrator can process them again.
advice-spool-in-use = Ringbook is recording these calls now. Find out why the database was unavailable.
advice-spool-refused = Make room on the disk, and see in Vapi’s log which calls are missing.
advice-spool-message-set-aside = The log names the reason. Ringbook tries again at its next start.
advice-vapi-unreachable = Look at Vapi’s status page. Ringbook tries again automatically.
advice-vapi-key-refused = Set a valid private key. Without a valid key, Ringbook cannot find calls whose report did not arrive.
advice-vapi-key-shared = Give each business the key of its own Vapi organization.
advice-late-call = Look at these leads, the newest first, and call back.
advice-restored = Ringbook did not send the messages that were waiting when the backup was made. Resend the messages that are still needed.
