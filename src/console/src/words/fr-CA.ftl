# Messages de la console en français du Canada. en-CA.ftl a les mêmes clés dans le même ordre.

language = Français
skip = Aller au contenu
navigation = Pages
business = Entreprise
open = Ouvrir
log-in = Connexion
log-out = Déconnexion
login-key = Clé d’API
login-about = La clé que vous utilisez aussi dans Swagger UI. Si vous n’en avez pas, demandez-en une à l’administrateur de Ringbook.
login-wrong = Cette clé n’est pas valide. Elle est peut-être mal saisie, révoquée ou expirée.
login-limited = Trop de clés erronées sont venues de votre réseau. Attendez quelques secondes et réessayez.
lost = Connexion perdue. Ce que vous voyez n’est peut-être plus à jour. Nouvel essai en cours …

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
board-about = Le tableau montre les 7 derniers jours. Le reste se trouve sous
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

leads = Demandes
leads-empty = Aucune demande ne correspond. Changez les filtres.
lead-open = Personne ne l’a encore prise
unknown-caller = Appelant inconnu
unknown-number = aucun numéro
unknown-service = Aucun service reconnu
simulated = simulé
erased = effacé
priority = Priorité
all = Tout
search = Rechercher
search-example = Nom, numéro ou adresse
search-in = Chercher dans
search-name = Nom, numéro
search-address = Adresse
days = Jours
days-all = Tous
days-today = Aujourd’hui
days-yesterday = Hier
days-week = 7 derniers jours
day = Un jour
filter = Afficher
pages = Suite
pages-older = Plus anciens
pages-newest = Plus récents
pages-csv = Télécharger en CSV

calls = Appels
calls-empty = Aucun appel ne correspond. Changez les filtres.
call = Appel
status-scheduled = prévu
status-queued = en attente
status-ringing = sonne
status-in-progress = en cours
status-forwarding = transfert
status-ended = terminé
transcript = Ce qui a été dit
transcript-empty = Il n’y a pas de transcription : l’appel n’en a pas encore, ou sa durée de conservation est passée.
caller = Appelant
agent = Agent
role-tool-calls = appel d’outil
role-tool-call-result = résultat d’outil
role-system = consignes
heard = Ce que Ringbook a entendu
heard-counts = compte
tools = { $count ->
    [one] Un appel d’outil
   *[other] { $count } appels d’outils
  }
decision = Ce qui a été décidé
decision-none = Rien n’a encore été décidé pour cet appel.
urgency = Urgence
default-priority = Aucune règle ne correspond : priorité par défaut
service = Service
said-to-caller = Dit à l’appelant
receipt = Prix
no-price = Il n’y a pas de prix.
before-tax = Avant taxes
besides = Une fois pour les travaux
rounding = Arrondi
total = Total
quoted-otherwise = Ce prix avait été donné plus tôt à l’appelant :
revision = Décidé par la révision { $revision } des règles.
took-part = { $count ->
    [one] Pourquoi : une règle a joué
   *[other] Pourquoi : { $count } règles ont joué
  }
left-out = { $count ->
    [one] Une règle n’a pas joué
   *[other] { $count } règles n’ont pas joué
  }
resource-services = service
resource-adjustments = ajustement
resource-areas = secteur
resource-taxes = taxe
resource-priority-rules = priorité
resource-concepts = expression
resource-classifiers = classificateur
resource-fact-mappings = fait
resource-scripts = script
resource-settings = réglages

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

prices = Prix
prices-about = Les règles en vigueur. Pour les changer, utilisez
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

back-to-board = Retour au tableau
refused-form = Ce formulaire n’est plus à jour
refused-form-do = Il appartient à une autre session. Retournez à la page, rechargez-la et envoyez le formulaire de nouveau.
refused-role = Votre clé ne permet pas cela
refused-role-do = Demandez à un administrateur une clé qui a le rôle nécessaire.
refused-missing = Cette page n’existe pas
refused-missing-do = Elle a été retirée, ou elle appartient à une entreprise que votre clé ne peut pas voir.
refused-conflict = Quelqu’un a été plus rapide
refused-conflict-do = Rien n’a été changé. Retournez voir ce qui s’est passé entre-temps.
refused-limit = Trop de demandes
refused-limit-do = Attendez un instant et réessayez.
refused-server = Ringbook ne peut pas répondre maintenant
refused-server-do = Réessayez dans un instant. Les appels sont toujours pris et enregistrés.
refused-input = Ceci ne peut pas être lu
refused-input-do = Vérifiez ce que vous avez saisi et réessayez.
