# What callers and contacts hear and read in French. Each language has a file with the same messages.

# -- said to a caller: a price
unknown-service = Je ne suis pas certain de ce qu'il vous faut; quelqu'un va vous rappeler.
refused-service = Désolé, nous n'offrons pas ce service.
no-price = Quelqu'un va vous rappeler avec un prix.
price = { $amount } { $currency }
price-range = Entre { $from } et { $to } { $currency }
besides = , plus { $amount } { $currency } pour les travaux
besides-less = , moins { $amount } { $currency } pour les travaux
before-taxes = avant taxes
decimal-separator = ,
currency-dollars = dollars
currency-euros = euros
currency-pounds = livres
currency-francs = francs
lead-days = { $days } { $days ->
    [one] jour
   *[other] jours
  }
lead-days-range = de { $from } à { $days } { $days ->
    [one] jour
   *[other] jours
  }
lead-working-days = { $days } { $days ->
    [one] jour ouvrable
   *[other] jours ouvrables
  }
lead-working-days-range = de { $from } à { $days } { $days ->
    [one] jour ouvrable
   *[other] jours ouvrables
  }
lead-weeks = { $days } { $days ->
    [one] semaine
   *[other] semaines
  }
lead-weeks-range = de { $from } à { $days } { $days ->
    [one] semaine
   *[other] semaines
  }

# -- said to a caller: tools and transfers
visit-on = Nous pouvons passer le { $from }.
visit-between = Nous pouvons passer entre le { $from } et le { $to }.
visit-unknown = Quelqu'un vous rappellera pour convenir d'un moment.
booking-noted = C'est noté. Quelqu'un vous rappellera pour confirmer le rendez-vous.
booking-not-noted = Je ne peux pas noter de rendez-vous en ce moment. Veuillez rappeler un peu plus tard.
not-alerted = Je ne peux pas prévenir l'équipe en ce moment. Si c'est urgent, veuillez rappeler dans quelques minutes.
say-again = Je n'ai pas pu utiliser ces renseignements. Pouvez-vous me les redire, s'il vous plaît?
transfer = Je vous transfère à { $name }.

# -- written to a contact in reply to an SMS message
reply-how = Répondez 1 si vous y allez. Sinon, l'appel passe au suivant.
reply-taken = C'est noté: l'appel est à vous.
reply-taken-by-you = L'appel est déjà à vous.
reply-taken-by-other = Déjà pris par { $name }, il y a { $minutes } min.
reply-nothing-open = Rien à prendre en ce moment.
reply-several-open = { $count } urgences attendent: répondez 1 avec la référence: { $references }
reply-reopened = C'est noté: l'appel passe au suivant.
others-taken = { $name } a pris l'urgence. Si c'est faux, répondez: 0 { $reference }
