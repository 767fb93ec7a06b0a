vocabulary = Mots
vocabulary-live = L’expression est maintenant dans les règles. Le prochain appel l’utilise.
vocabulary-waits = La modification dépasse les garde-fous : une deuxième personne doit l’approuver.
vocabulary-in-set = L’expression est dans le lot. Elle entre en vigueur à la publication du lot.
vocabulary-wrong = Décisions que quelqu’un dit mauvaises
vocabulary-unmatched = Appels sans correspondance
vocabulary-days = { $days } jours
vocabulary-summary = { $without } décisions sur { $decisions } en { $days } jours n’ont trouvé aucun service. Voici leurs appels les plus récents.
vocabulary-all-matched = Chaque appel a trouvé un service. Les appels simulés ne comptent pas.
vocabulary-singles = Les autres, chacun dans ses mots
vocabulary-more = { $count ->
    [one] et un autre appel
   *[other] et { $count } autres appels
  }
vocabulary-calls = { $count ->
    [one] un appel
   *[other] { $count } appels
  }
vocabulary-silent = (L’appelant n’a rien dit.)
vocabulary-make-rule = En faire une règle
vocabulary-add = Ajouter une expression
vocabulary-concepts = Concepts
vocabulary-concept = Concept
vocabulary-phrases = Expressions
vocabulary-phrase = Expression
vocabulary-phrase-count = { $count ->
    [one] Une expression :
   *[other] { $count } expressions :
  }
vocabulary-counted = A compté en { $days } jours
vocabulary-used-by = Utilisé par
vocabulary-used-by-none = aucune règle
vocabulary-no-concepts = Il n’y a pas encore de concepts.
vocabulary-unused = Règles qu’aucun appel n’a touchées
vocabulary-unused-about = Ces règles n’ont pas changé depuis 90 jours et n’ont joué dans aucune décision.
vocabulary-unused-none = Aucune règle de ce genre n’est connue. Ringbook doit compter pendant 90 jours pour le savoir.
vocabulary-looked-at = { $count ->
    [one] Compté dans l’appel le plus récent des 90 derniers jours.
   *[other] Compté dans les { $count } appels les plus récents des 90 derniers jours.
  }
vocabulary-except = Expressions semblables qui veulent dire autre chose
vocabulary-english = Anglais
vocabulary-french = Français
vocabulary-said-in = Appels qui la disent
vocabulary-counts-in = Appels où elle compte
vocabulary-phrase-about = Les accents et la casse ne comptent pas. inond* trouve tous les mots qui commencent par « inond »; eau .. sous-sol laisse jusqu’à deux mots entre les deux.
vocabulary-target = Ce qu’elle veut dire
vocabulary-choose = Choisir …
vocabulary-new-concept = Un nouveau concept
vocabulary-new-about = Un concept est une liste d’expressions pour une même chose. Il n’agit que si une règle le nomme.
vocabulary-name = Nom du nouveau concept
vocabulary-service = Service que veulent ces appelants
vocabulary-no-service = encore aucun service
vocabulary-when = Quand
vocabulary-at-once = Tout de suite
vocabulary-new-set = Dans un nouveau lot
vocabulary-save = Enregistrer
vocabulary-look = Voir les appels passés
vocabulary-comment = Expression : { $phrase }
vocabulary-fault-phrase = Écrivez les mots à reconnaître.
vocabulary-fault-known = Cette expression y est déjà.
vocabulary-fault-target = Choisissez ce que l’expression veut dire.
vocabulary-fault-target-gone = Cela a été retiré entre-temps. Choisissez autre chose.
vocabulary-fault-language = Choisissez une langue.
vocabulary-fault-name = Écrivez un nom avec des lettres, par exemple chauffe-eau.
vocabulary-fault-name-taken = Un concept porte déjà ce nom : choisissez-le plus haut.
vocabulary-changed = Quelqu’un a modifié la même ligne pendant que vous écriviez.
vocabulary-changed-added = Nouveau : { $phrases }
vocabulary-changed-removed = N’y est plus : { $phrases }
vocabulary-changed-do = Votre expression est toujours là. Enregistrez de nouveau pour l’ajouter à ce qui s’y trouve maintenant.
vocabulary-refused = Ceci n’a pas été enregistré :
vocabulary-preview = Appels passés qui la disent
vocabulary-preview-none = Écrivez une expression et voyez quels appels passés la disent.
vocabulary-preview-sum = { $calls } des { $all } appels les plus récents disent l’expression. Elle compte dans { $counting } d’entre eux.
vocabulary-does-not-count = ne compte pas ici
