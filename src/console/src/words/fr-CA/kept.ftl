kept-login = Votre session s’est terminée avant l’envoi. Connectez-vous; ce que vous avez saisi est gardé.
kept-title = Rien n’est perdu
kept-about = Votre session était terminée; ceci n’a donc pas été envoyé. Ce que vous avez saisi est encore ici.
kept-send = L’envoyer maintenant
kept-typed = Ce que vous avez saisi
kept-leave = L’abandonner et aller au tableau
