history = Historique
history-more = Suite de l’historique
history-done = Retour fait : la révision { $number } est en vigueur.
history-revision = Révision { $number }
history-head = en vigueur
history-equals = retour à { $number }
history-import = importation
history-from = De la révision
history-to = À la révision
history-compare = Comparer
history-what = Ce qu’elle a changé
history-with-head = Comparer avec maintenant
history-first = Révision { $to }
history-compared = Révision { $from } → { $to }
history-compare-head = Comparer { $from } avec ce qui est en vigueur
history-same = Rien n’est différent.
history-more-rows = { $count ->
    [one] Une autre ligne est différente.
   *[other] { $count } autres lignes sont différentes.
  }
history-field = Champ
history-before = Avant
history-after = Après
history-back = Revenir à la révision { $number }
history-back-about = Revenir annule les changements montrés ici : une nouvelle révision, égale à la révision { $number }, est publiée. Rien n’est perdu, et on peut revenir de nouveau.
history-comment = Commentaire (facultatif)
history-stale = Quelqu’un a publié entre-temps. Rien n’a été annulé.
history-stale-do = Vous voyez ci-dessous ce que le retour annulerait maintenant. Appuyez de nouveau sur le bouton si vous voulez encore revenir.
history-audit = Journal d’audit
history-audit-empty = Aucune entrée ne correspond. Changez les filtres.
history-check = Vérifier que personne n’a modifié le journal
history-check-about = Chaque entrée est liée à la précédente.
history-intact = Personne n’a modifié le journal : { $count } entrées.
history-broken = Quelqu’un a modifié le journal.
history-chain-end = Fin de la chaîne. Notez-la pour une vérification future :
history-who = Qui
history-kind = Quoi
history-row = Code
history-fields = { $count ->
    [one] Un champ
   *[other] { $count } champs
  }
revised-added = nouveau
revised-changed = changé
revised-removed = supprimé
revised-settings = Réglages
revised-services = { $count ->
    [one] Un service
   *[other] { $count } services
  }
revised-areas = { $count ->
    [one] Un secteur
   *[other] { $count } secteurs
  }
revised-calendars = { $count ->
    [one] Un calendrier
   *[other] { $count } calendriers
  }
revised-adjustments = { $count ->
    [one] Un ajustement
   *[other] { $count } ajustements
  }
revised-taxes = { $count ->
    [one] Une taxe
   *[other] { $count } taxes
  }
revised-priority-rules = { $count ->
    [one] Une règle d’urgence
   *[other] { $count } règles d’urgence
  }
revised-contacts = { $count ->
    [one] Un contact
   *[other] { $count } contacts
  }
revised-templates = { $count ->
    [one] Un modèle
   *[other] { $count } modèles
  }
revised-concepts = { $count ->
    [one] Une notion
   *[other] { $count } notions
  }
revised-classifiers = { $count ->
    [one] Un classificateur
   *[other] { $count } classificateurs
  }
revised-cues = { $count ->
    [one] Un indice
   *[other] { $count } indices
  }
revised-fact-mappings = { $count ->
    [one] Une source de fait
   *[other] { $count } sources de faits
  }
revised-tools = { $count ->
    [one] Un outil
   *[other] { $count } outils
  }
revised-assistant-rules = { $count ->
    [one] Une règle d’assistant
   *[other] { $count } règles d’assistant
  }
revised-scripts = { $count ->
    [one] Un script
   *[other] { $count } scripts
  }
revised-cases = { $count ->
    [one] Un cas
   *[other] { $count } cas
  }
action-create = a créé
action-update = a changé
action-delete = a supprimé
action-publish = a publié
action-roll-back = est revenu
action-import = a importé
action-acknowledge = a pris
action-resolve = a réglé
action-resend = a renvoyé
action-release = a remis en marche
action-replay = a traité de nouveau
action-revoke = a révoqué
action-retire = a retiré
action-approve = a approuvé
action-reject = a rejeté
action-refuse = a été refusé
action-wait = attend
action-lift = a levé
action-erase = a effacé
