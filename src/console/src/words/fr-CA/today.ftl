today = Aujourd’hui
today-days = Jours
today-yesterday = Hier
today-before = Jour précédent
today-after = Jour suivant
today-late = Répondu en retard
today-late-about = après l’heure prévue du rappel
today-sent = envoyés
today-not-sent = { $number } non envoyés
today-sms-simulated = { $number } simulés
today-quoted = Prix annoncés
today-statement = Relevé du mois
today-simulated = Les chiffres comprennent des appels simulés.
today-open = { $count ->
    [one] Une demande est encore ouverte
   *[other] { $count } demandes sont encore ouvertes
  }
today-more-open = { $count ->
    [one] Une autre
   *[other] { $count } autres
  }
today-diary = La journée
today-found = Trouvé ce jour-là
today-empty = Personne n’a appelé ce jour-là.
today-not-found = Rien ne correspond ce jour-là.
today-search-all = Chercher dans tous les jours
today-later = Plus tard
today-earlier = Plus tôt
today-all-calls = Tous les appels du jour
