kept-login = Your session ended before the form was sent. Sign in; what you typed is kept.
kept-title = Nothing is lost
kept-about = Your session had ended, so the form was not sent. What you typed is still here.
kept-send = Send it now
kept-typed = What you typed
kept-leave = Discard the input and go to the board
