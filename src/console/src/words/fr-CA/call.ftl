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
