board = Tableau
board-empty = Personne n’attend de rappel.
board-urgent = { $count ->
    [one] Un P1 que personne n’a pris
   *[other] { $count } P1 que personne n’a pris
  }
board-open = { $count ->
    [one] Une autre demande ouverte
   *[other] { $count } autres demandes ouvertes
  }
board-taken = Prises depuis hier
board-about = Le tableau montre les 7 derniers jours. Les demandes plus anciennes se trouvent sous
waiting = Attend depuis l’appel
waiting-now = à l’instant
due = Rappeler avant
due-left = dans { $time }
due-now = maintenant
due-late = { $time } de retard
notified = Avisés
notified-nobody = personne
notified-late = personne : le rapport est arrivé trop tard
escalation = Escalade
escalation-next = Prochaine étape à
step-first = Les premiers contacts ont été avisés
step-next = Le contact suivant a été avisé
step-all = Tous les contacts ont été avisés
step-nobody-left = Il ne reste personne à aviser
take = Je m’en occupe
take-other = Quelqu’un d’autre s’en occupe
take-who = Qui
take-comment = Commentaire (facultatif)
take-done = Confier
taken-by = Prise par { $who }
how-api = ici
how-reply = par réponse texto
