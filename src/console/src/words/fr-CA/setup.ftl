setup = Installation
setup-businesses = Entreprises
setup-open-p1 = P1 ouverts
setup-not-sent = Non envoyés
setup-last-call = Dernier appel
setup-no-call = aucun en 30 jours
setup-health-about = Les P1 ouverts et les textos non envoyés sont ceux des 7 derniers jours.
setup-hidden = Un administrateur ou le propriétaire voit ici si tout est branché : serveur, adresse publique, clés, Vapi et Twilio.
setup-late = Les vérifications ont pris trop de temps.
setup-again = Vérifier de nouveau
setup-steps = Tout est-il branché ?
setup-checked = Vérifié à
setup-server = Serveur et base de données
setup-address = Adresse publique
setup-keys = Règles et clés
setup-vapi = Vapi
setup-twilio = Twilio
setup-good = { $count ->
    [one] Un point est en ordre
   *[other] { $count } points sont en ordre
  }
setup-change = Pour le changer, utilisez Swagger UI :
setup-webhook-url = URL du serveur pour Vapi
setup-no-url = Définissez d’abord l’adresse publique. L’URL à donner à Vapi s’affichera ici.
setup-values = Valeurs à copier dans Vapi
setup-server-object = Le serveur de l’assistant ou du numéro
setup-structured-output = La sortie structurée
setup-prompt = Lignes pour l’invite de l’assistant
level-ok = ✓ en ordre
level-warning = ! à voir
level-wrong = ✗ en panne
