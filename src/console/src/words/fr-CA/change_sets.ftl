change-sets = Changements
change-sets-about = Un lot est un groupe de changements qu’on examine et qu’on publie ensemble.
change-sets-prices = Changer des prix
change-sets-states = État
change-sets-all = tous
change-sets-empty = Il n’y a aucun lot de changements ici.
change-set-unnamed = Sans nom
change-set-changes = { $count ->
    [0] aucun changement
    [one] un changement
   *[other] { $count } changements
  }
change-set-revision = révision { $revision }
change-set-at = le
change-set-by = Ouvert par { $who }
change-set-approved-by = approuvé par { $who }
set-state-open = ouvert
set-state-waiting = attend l’approbation
set-state-scheduled = planifié
set-state-refused = refusé
set-state-published = publié
set-state-discarded = abandonné
change-set-is-published = Publié comme révision { $revision }. Le prochain appel l’utilise.
change-set-is-scheduled = Il sera publié :
change-set-is-waiting = Il dépasse les garde-fous : une deuxième personne doit l’approuver avant qu’il entre en vigueur. Vous n’avez rien d’autre à faire.
change-set-is-discarded = Il a été abandonné et ne sera jamais publié.
change-set-is-refused = Il n’a pas été publié. Changez-le, puis publiez-le de nouveau.
change-set-what = Ce qui change
change-set-prices = Prix
change-set-priorities = Priorités et mots
change-set-people = Personnes et calendriers
change-set-messages = Messages
change-set-scripts = Scripts
change-set-settings = Réglages
change-set-empty = Il ne change encore rien.
change-set-nothing = rien
change-set-remove = Retirer
change-set-remove-row = Retirer le changement de { $row }
change-set-yes = oui
change-set-no = non
change-set-price = Prix
change-set-field = Champ
change-set-checks = Peut-on le publier?
change-set-compiles = Les règles vont ensemble.
change-set-cases = { $count ->
    [0] Il n’y a aucun cas à vérifier.
    [one] Le seul cas est décidé comme prévu.
   *[other] Les { $count } cas sont décidés comme prévu.
  }
change-set-lint = Aucun nouvel avertissement.
change-set-within = Il reste dans les garde-fous et entre donc en vigueur immédiatement.
change-set-beyond = Il dépasse les garde-fous : une deuxième personne doit l’approuver après votre demande.
change-set-fault = Erreur :
change-set-case-failed = Le cas « { $case } » échoue :
change-set-mismatch = prévu { $expected }, obtenu { $got }
change-set-limit-lowest-price = C’est sous le prix le plus bas permis.
change-set-limit-highest-price = C’est au-dessus du prix le plus haut permis.
change-set-limit-largest-change-percent = C’est un changement plus grand que ce qu’une seule publication permet.
change-set-not-judged = Ringbook n’a pas pu calculer à temps l’effet sur les prix; une deuxième personne doit donc approuver.
change-set-why = Pourquoi
change-set-conflicts = { $count ->
    [one] Quelqu’un a changé entre-temps une rangée de ce lot
   *[other] Quelqu’un a changé entre-temps { $count } rangées de ce lot
  }
change-set-conflict-table = La rangée avant, la leur et la vôtre
change-set-conflict-gone = La rangée a été supprimée entre-temps.
change-set-keep-theirs = Garder la leur
change-set-keep-mine = Garder la mienne
change-set-buttons = Que faire du lot
change-set-publish = Publier maintenant
change-set-ask = Demander l’approbation
change-set-later = Publier plus tard
change-set-when = Quand ({ $zone })
change-set-schedule = Planifier
change-set-unschedule = Annuler la planification
change-set-edit = Changer des prix
change-set-discard = Abandonner
change-set-approve = Approuver et publier
change-set-reject = Refuser
change-set-reason = Raison, pour l’auteur
change-set-reject-now = Le refuser
change-set-own = Personne n’approuve son propre changement. Quelqu’un d’autre doit approuver celui-ci.
change-set-fault-moved = Il a changé depuis votre lecture. La page montre son état actuel; rien n’a été fait.
change-set-fault-state = Ce n’est pas possible dans son état actuel. Rien n’a été fait.
change-set-fault-rules = On ne peut pas le publier ainsi. Voyez ci-dessous ce qui l’empêche.
change-set-fault-at = Choisissez un moment à venir, hors de l’heure qu’un changement d’heure saute ou répète.
change-set-test = Sur les appels passés
change-set-test-none = Voyez ce qu’il aurait fait aux appels passés avant de le publier.
change-set-test-never = Il n’a jamais été testé sur les appels passés.
change-set-test-days = Appels
change-set-test-span = des { $days } derniers jours
change-set-test-simulated = Aussi les appels simulés
change-set-test-start = Tester sur les appels passés
change-set-test-again = Tester de nouveau
change-set-test-running = { $count ->
    [0] Le test va commencer …
    [one] Un appel jusqu’ici …
   *[other] { $count } appels jusqu’ici …
  }
change-set-test-progress = Avancement du test
change-set-test-stop = Arrêter
change-set-test-reload = Recharger la page pour voir où il en est
change-set-test-old = Le lot a été changé après ce test. Testez de nouveau.
change-set-test-calls = { $count ->
    [0] Aucun appel
    [one] Un appel
   *[other] { $count } appels
  }
change-set-test-since = depuis
change-set-test-by = testé par { $who }
change-set-test-no-calls = Il n’y avait aucun appel pour le test.
change-set-test-include = Tester sur les appels simulés
test-state-failed = Le test a échoué.
test-state-cancelled = Le test a été arrêté. Le résultat porte sur les appels jusque-là.
test-state-interrupted = Le test a été interrompu parce que le serveur s’est arrêté. Recommencez-le.
change-set-dearer = Plus chers
change-set-cheaper = Moins chers
change-set-sum = Tous les prix ensemble
change-set-priorities-moved = Autre priorité
change-set-picture = Ancien et nouveau prix de chaque appel
change-set-picture-about = Sur la ligne pointillée, rien ne change; au-dessus, un appel devient plus cher, au-dessous, moins cher. Appuyez sur une marque pour ouvrir l’appel.
change-set-picture-text = Sur { $quotes } appels avec un prix, { $dearer } deviennent plus chers, { $cheaper } moins chers et { $same } restent pareils.
change-set-drawn = { $drawn } appels sur { $all } sont dessinés : ceux qui changent et les plus récents des autres.
change-set-axis-before = Ancien prix (milieu de la fourchette, avant taxes)
change-set-axis-after = Nouveau prix
change-set-mark-dearer = plus cher
change-set-mark-cheaper = moins cher
change-set-mark-moved = autre priorité
change-set-mark-same = pareil
change-set-by-service = Par service
change-set-calls = { $count ->
    [one] un appel
   *[other] { $count } appels
  }
change-set-move = De { $from } à { $to }
change-set-more-messages = Plus de textos
change-set-fewer-messages = Moins de textos
change-set-lost-service = Plus aucun service trouvé
change-set-gained-service = Un service trouvé désormais
change-set-lost-price = Plus de prix
change-set-gained-price = Un prix désormais
change-set-most = Appels qui changent le plus
change-set-before = Avant
change-set-after = Après
diff-what-added = nouveau
diff-what-removed = supprimé
diff-row-services = service
diff-row-adjustments = ajustement
diff-row-taxes = taxe
diff-row-areas = secteur
diff-row-priority-rules = règle de priorité
diff-row-concepts = concept
diff-row-cues = indice
diff-row-classifiers = classeur
diff-row-contacts = contact
diff-row-calendars = calendrier
diff-row-templates = modèle
diff-row-tools = outil
diff-row-assistant-rules = règle d’assistant
diff-row-scripts = script
diff-row-settings = réglages
diff-row-fact-mappings = fait
diff-row-cases = cas
diff-column-names = Nom
diff-column-name = Nom
diff-column-price-from = Prix le plus bas
diff-column-price-to = Prix le plus haut
diff-column-amount = Montant
diff-column-rate = Taux
diff-column-kind = Effet
diff-column-condition = Quand
diff-column-rank = Ordre
diff-column-offer = Offre
diff-column-reason = Raison
diff-column-unit = Unité
diff-column-quantity-fact = Quantité
diff-column-keywords = Expressions
diff-column-weak-keywords = Expressions faibles
diff-column-phrases = Expressions
diff-column-notify = Qui est averti
diff-column-priority = Priorité
diff-column-services = Services
diff-column-stacking-group = Groupe
diff-column-valid-from = À partir de
diff-column-valid-until = Jusqu’à
diff-column-phone = Téléphone
diff-column-language = Langue
diff-column-on-call = De garde
diff-column-on-call-calendar = Calendrier de garde
diff-column-hours = Heures
diff-column-days = Jours
diff-column-text = Texte
diff-column-texts = Texte
diff-column-body = Texte
diff-column-source = Script
diff-column-postal-prefixes = Codes postaux
diff-column-cities = Villes
diff-column-cool-down-s = Pause (secondes)
diff-column-escalate-after-s = Escalade après (secondes)
diff-column-sla-seconds = Rappeler en (secondes)
diff-column-currency = Devise
diff-column-time-zone = Fuseau horaire
diff-column-rounding = Arrondi
diff-column-rounding-step = Pas d’arrondi
diff-column-default-priority = Priorité usuelle
diff-column-quiet-from = Silence dès
diff-column-quiet-until = Silence jusqu’à
diff-column-daily-sms-cap = Textos par jour
diff-column-expect = Attendu
diff-column-facts = Faits
