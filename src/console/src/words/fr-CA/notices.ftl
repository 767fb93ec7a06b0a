notices = Avis
notices-none = Il n’y a rien à faire. Ringbook montre ici ce qu’une personne doit faire.
notices-resolved = Réglés récemment
notices-resolved-by = Réglé par { $who }
notices-resolved-itself = Réglé de lui-même
notices-details = Détails
notices-comment = Ce qui a été fait (facultatif)
notices-resolve = C’est fait
notices-times = { $count ->
    [one] Une fois, d’abord
   *[other] { $count } fois, d’abord
  }
notices-done-resolved = L’avis est réglé.
notices-done-resent = Le message repart. Son avis disparaît quand Twilio l’accepte.
notices-done-released = Le script s’exécute de nouveau dès le prochain appel.
notices-done-replayed = { $count ->
    [0] Aucun message n’a pu être traité. Les détails disent pourquoi.
    [one] Un message a été traité.
   *[other] { $count } messages ont été traités.
  }
notices-change-set = Lire la modification
notices-leads = Voir les demandes
notices-dead = Voir ce qui n’est pas parti
notices-setup = Vérifier l’installation
notices-last-message = Message
notices-resend-anyway = Renvoyer, même s’il est peut-être arrivé
notices-more-dead = { $count ->
    [one] Un autre n’est pas parti
   *[other] { $count } autres ne sont pas partis
  }
notices-release = Le remettre en marche
notices-replay = Traiter de nouveau ces messages
severity-urgent = urgent
severity-warning = bientôt
severity-info = pour information
notice-sms-refused = Un message à { $about } a été refusé
notice-sms-given-up = Un message à { $about } n’est pas parti
notice-sms-unknown = On ignore si un message à { $about } est arrivé
notice-sms-undelivered = Un message n’a pas été livré à { $about }
notice-sms-suppressed = { $about } ne reçoit aucun message : réponse ARRÊT
notice-contact-opted-out = { $about } a répondu ARRÊT et ne reçoit plus de messages
notice-sms-provider-down = Twilio est injoignable : les messages attendent
notice-sms-credentials-refused = Twilio refuse le compte : les messages attendent
notice-sms-account-capped = Le compte Twilio a atteint sa limite du jour
notice-sms-account-incomplete = Il manque un secret au compte Twilio : les messages attendent
notice-sms-no-account = Aucun compte Twilio : personne ne reçoit de message
notice-sms-cap-near = Les quatre cinquièmes des messages du jour sont utilisés
notice-sms-cap-reached = Les messages du jour sont épuisés : seuls les P1 partent encore
notice-p1-not-taken = Personne n’a pris un P1
notice-p1-contested = Deux personnes ne s’entendent pas sur un P1
notice-change-set-waits = Une modification attend une approbation
notice-scheduled-publish-refused = Une modification prévue n’a pas été publiée
notice-script-quarantined = Le script { $about } a échoué trop souvent et est mis de côté
notice-script-failed = Le script { $about } a échoué
notice-message-set-aside = Des messages du type { $about } n’ont pas pu être traités
notice-spool-in-use = Des appels ont été traités sans la base de données
notice-spool-refused = Des messages sont perdus : le disque était plein
notice-spool-message-set-aside = Un message n’a pas pu être enregistré
notice-vapi-unreachable = Vapi ne répond pas
notice-vapi-key-refused = Vapi refuse la clé
notice-vapi-key-shared = Deux entreprises ont la même clé Vapi
notice-late-call = Un appel a été signalé trop tard ({ $about }) : personne n’a été avisé
notice-restored = La base de données a été restaurée d’une sauvegarde
advice-sms-refused = Corrigez le numéro du contact s’il est faux, puis renvoyez le message. Si cela presse, appelez.
advice-sms-given-up = Joignez le contact autrement si c’est encore utile. Renvoyez le message quand Twilio répond.
advice-sms-unknown = Demandez au contact, puis renvoyez le message s’il n’est pas arrivé.
advice-sms-undelivered = Appelez le contact si c’est encore utile, ou renvoyez le message.
advice-sms-suppressed = Demandez-lui de répondre START, ou nommez un autre contact. Puis renvoyez le message.
advice-contact-opted-out = Demandez si c’était bien cette personne, car un numéro peut être falsifié. Elle peut répondre START, ou vous pouvez la remplacer par un autre contact.
advice-sms-provider-down = D’ici à ce que Twilio réponde, joignez les personnes de garde autrement. L’envoi reprend ensuite de lui-même.
advice-sms-credentials-refused = Corrigez le SID du compte et le jeton. L’envoi reprend ensuite de lui-même.
advice-sms-account-capped = Joignez les personnes de garde autrement aujourd’hui, et demandez à Twilio une limite plus haute.
advice-sms-account-incomplete = Ajoutez le secret qui manque. L’envoi reprend ensuite de lui-même.
advice-sms-no-account = Branchez Twilio, ou choisissez de seulement noter les messages. Ceux qui attendent sont abandonnés après six heures.
advice-sms-cap-near = Augmentez la limite du jour si ces messages sont voulus ; sinon, cherchez ce qui les envoie.
advice-sms-cap-reached = Rappelez les demandes dont personne n’a été avisé. Augmentez la limite, puis renvoyez ce qui compte encore.
advice-p1-not-taken = Rappelez le client maintenant, puis dites qui s’en occupe.
advice-p1-contested = Appelez les deux contacts. Assurez-vous que quelqu’un rappelle le client.
advice-change-set-waits = Une personne qui n’a pas travaillé à la modification doit la lire, puis l’approuver ou la rejeter.
advice-scheduled-publish-refused = La modification dit pourquoi. Corrigez-la et publiez-la de nouveau, ou abandonnez-la.
advice-script-quarantined = Pendant dix minutes, les appels sont traités sans le script. Corrigez-le, ou remettez-le en marche.
advice-script-failed = Les appels sont traités sans le script. Corrigez-le ou supprimez-le.
advice-message-set-aside = Les messages sont gardés tels quels. Une fois la cause réglée, un administrateur peut les traiter de nouveau.
advice-spool-in-use = Ringbook enregistre ces appels maintenant. Cherchez pourquoi la base de données était inaccessible.
advice-spool-refused = Faites de la place sur le disque, et voyez dans le journal de Vapi quels appels manquent.
advice-spool-message-set-aside = Le journal en donne la raison. Ringbook réessaie à son prochain démarrage.
advice-vapi-unreachable = Consultez la page d’état de Vapi. Ringbook réessaie de lui-même.
advice-vapi-key-refused = Mettez une clé privée valide. Sans elle, Ringbook ne peut pas retrouver les appels dont le rapport n’est pas arrivé.
advice-vapi-key-shared = Donnez à chaque entreprise la clé de sa propre organisation Vapi.
advice-late-call = Regardez ces demandes, les plus récentes d’abord, et rappelez.
advice-restored = Ringbook n’a pas renvoyé les messages de cette période. Renvoyez ceux qui servent encore.
