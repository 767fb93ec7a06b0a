messages = Messages
messages-empty = Aucun message texte.
message = Message texte
state = État
state-queued = en attente
state-sending = envoi en cours
state-accepted = accepté
state-delivered = livré
state-ambiguous = résultat inconnu
state-dead = non envoyé
state-simulated = simulé
segments = { $count ->
    [one] Un segment
   *[other] { $count } segments
  }
to-the-call = Vers l’appel
attempts = Essais
attempts-none = Rien n’a encore été envoyé.
outcome-accepted = accepté
outcome-simulated = simulé
outcome-retry = échec, nouvel essai
outcome-ambiguous = résultat inconnu
outcome-permanent = échec définitif
outcome-credentials = identifiants Twilio erronés
outcome-running = en cours
resend-about = Le message est renvoyé au numéro actuel du contact.
resend-force = Même s’il a peut-être déjà été livré
resend = Renvoyer
