prices = Prix
prices-about = Saisissez les nouveaux prix, puis enregistrez. Les appelants ne les entendent qu’après la publication.
prices-read-only = Voici les règles en vigueur. Votre clé permet de les lire, mais pas de les changer.
prices-new = Nouveau
prices-pick = Choisir
prices-pick-row = Choisir { $row }
prices-price = prix
prices-from = prix le plus bas
prices-to = prix le plus haut
prices-amount = montant
prices-rate = taux
prices-percent = Changer de %
prices-percent-about = Remplit les nouvelles valeurs des lignes choisies. Les taux restent tels quels.
prices-percent-range = Entrez un pourcentage de −100 à 1 000.
prices-percent-none = Choisissez au moins une ligne qui a un prix.
prices-over = Pour
prices-over-picked = lignes choisies
prices-over-services = tous les services
prices-over-adjustments = tous les ajustements
prices-step = Arrondir à
prices-fill = Remplir
prices-filled = { $count ->
    [one] Un champ est rempli. Rien n’est encore enregistré.
   *[other] { $count } champs sont remplis. Rien n’est encore enregistré.
  }
prices-paste = Coller d’un tableur
prices-paste-label = Une ligne par rangée : son code ou son nom, une tabulation, le prix
prices-paste-fill = Remplir et comparer
prices-paste-empty = Il n’y a rien à remplir : collez au moins une ligne.
prices-paste-columns = il faut deux colonnes : un code et un prix
prices-paste-unknown = aucun service ni ajustement n’a ce code ou ce nom
prices-paste-twice = figure deux fois
prices-paste-refused = est refusé et n’a pas de prix
prices-pasted = { $count ->
    [0] Aucune ligne ne correspond.
    [one] Une rangée est remplie. Rien n’est encore enregistré.
   *[other] { $count } rangées sont remplies. Rien n’est encore enregistré.
  }
prices-misses = { $count ->
    [one] Une ligne ne correspond à rien :
   *[other] { $count } lignes ne correspondent à rien :
  }
prices-miss-line = Ligne { $line } :
prices-comment = C’est pour quoi? (facultatif)
prices-comment-default = Prix : { $rows }
prices-changed = { $count ->
    [one] 1 rangée changée
   *[other] { $count } rangées changées
  }
prices-save = Enregistrer
prices-try = Enregistrer et tester
prices-in-set = Vous ajoutez au lot de changements « { $set } ».
prices-to-set = Retour au lot
prices-own-set = Vous avez un lot de changements ouvert : « { $set } ».
prices-continue = Le poursuivre
prices-offline = Connexion perdue. Ce que vous avez saisi est encore ici; envoyez-le quand la connexion sera revenue.
prices-faults = { $count ->
    [one] Un champ demande une autre valeur. Rien n’a été enregistré.
   *[other] { $count } champs demandent une autre valeur. Rien n’a été enregistré.
  }
prices-nothing = Rien n’a été enregistré : aucun prix n’est différent.
prices-clashes = { $count ->
    [one] Quelqu’un a changé une rangée que vous avez changée aussi. Choisissez, puis enregistrez de nouveau.
   *[other] Quelqu’un a changé { $count } rangées que vous avez changées aussi. Choisissez, puis enregistrez de nouveau.
  }
prices-moved = Quelqu’un a changé ces règles pendant l’enregistrement. Regardez les rangées, puis enregistrez de nouveau.
prices-refused = Ceci n’a pas été enregistré. Voyez pourquoi ci-dessous.
prices-clash = La même rangée a été changée entre-temps
prices-clash-before = Avant
prices-clash-theirs = Leur valeur
prices-clash-yours = La vôtre
prices-clash-keep = Garder la leur
prices-fault-missing = Entrez un prix.
prices-fault-number = Ce n’est pas un nombre.
prices-fault-cents = Un prix a au plus deux décimales.
prices-fault-digits = Un taux a au plus six décimales.
prices-fault-negative = Un prix ne doit pas être sous zéro.
prices-fault-high = Ce nombre est trop grand.
prices-fault-crossed = Le prix le plus bas dépasse le plus haut.
prices-guards = Changements qui attendent une deuxième personne
prices-guard-low = Sous { $limit }, un prix attend une approbation.
prices-guard-high = Au-dessus de { $limit }, un prix attend une approbation.
prices-guard-large = Un changement de plus de { $limit } attend une approbation.
services = Services
adjustments = Ajustements
taxes = Taxes
offer = Offre
offer-offered = offert
offer-refused = refusé
offer-assessment = après une évaluation
base-price = Prix de base
adjustment = Ajustement
condition = Quand
always = toujours
effect = Effet
kind-add = ajoute
kind-percent = pour cent
kind-multiply = fois
kind-floor = au moins
kind-cap = au plus
kind-set = fixe à
