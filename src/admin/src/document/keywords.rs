//! Adds search words for operations at `/docs` to the document, as `x-keywords`. The words are English and French.

use serde_json::{Value, json};

/// The search words of each group of operations.
const OF_TAGS: &[(&str, &str)] = &[
    (
        "rulebooks",
        "business, company, branch, settings, currency, time zone, language, languages, rounding, quiet hours, night, daily cap, \
         entreprise, langue, devise, fuseau horaire, réglages, arrondi",
    ),
    (
        "evaluate",
        "quote, price, cost, estimate, how much, try, test, simulate, why, explain, soumission, prix, coût, combien, essayer, \
         pourquoi",
    ),
    (
        "services",
        "price, prices, cost, fee, rate, quote, minimum, maximum, job, work, refuse, offer, duration, lead time, prix, tarif, \
         coût, travaux, soumission",
    ),
    (
        "areas",
        "zone, city, cities, town, postal code, zip, region, territory, distance, travel, ville, code postal, région, secteur, \
         déplacement",
    ),
    (
        "adjustments",
        "price, discount, rebate, promotion, coupon, sale, surcharge, extra, fee, travel, evening, weekend, holiday, after \
         hours, percent, minimum, maximum, prix, rabais, remise, promotion, solde, supplément, frais, soir, fin de semaine, férié",
    ),
    ("taxes", "GST, QST, HST, VAT, sales tax, TPS, TVQ, TVH, TVA, taxe"),
    (
        "priority-rules",
        "urgent, urgency, emergency, danger, safety, P1, P2, gas, flood, alert, who is told, response time, sla, urgence, \
         urgent, priorité, danger, gaz, inondation, délai",
    ),
    (
        "statements",
        "month, monthly, invoice, bill, minutes, cost, report, revenue, total, figures, mois, mensuel, facture, relevé, coût, \
         chiffres",
    ),
    (
        "rulebook-health",
        "agency, businesses, overview, dashboard, entreprises, vue d'ensemble",
    ),
    (
        "setup",
        "doctor, check, diagnose, connect, configuration, vérifier, diagnostic, installation, brancher",
    ),
    ("scripts", "code, program, formula, calculation, Rhai, formule, calcul"),
    (
        "templates",
        "text, SMS, message, wording, alert, texto, modèle, texte, libellé",
    ),
    (
        "contacts",
        "technician, employee, staff, team, phone, phone number, on-call, on duty, shift, rotation, week, transfer, alert, \
         technicien, employé, équipe, téléphone, numéro, garde, de garde, quart, appel d'urgence",
    ),
    (
        "calendars",
        "holiday, holidays, hours, open, closed, vacation, evening, weekend, day off, schedule, on-call, shift, congé, férié, \
         jour férié, horaire, heures, ouvert, fermé, vacances, soir, fin de semaine, calendrier",
    ),
    (
        "shift-overrides",
        "on-call, on duty, replace, replacement, substitute, stand in, swap, vacation, sick, day off, holiday, de garde, remplacer, \
         remplacement, échanger, vacances, congé, malade",
    ),
    (
        "shifts",
        "on-call, on duty, who is on, schedule, rotation, roster, gap, de garde, qui est de garde, horaire, rotation, quart",
    ),
    (
        "calendar-feeds",
        "iCalendar, ics, Google Calendar, Outlook, Apple, subscribe, agenda, calendrier, abonnement, s'abonner",
    ),
    (
        "fact-mappings",
        "field, address, name, structured data, structured output, champ, adresse, nom, donnée",
    ),
    (
        "concepts",
        "words, phrase, synonym, vocabulary, hear, listen, keyword, language, french, mots, synonyme, expression, écoute, langue",
    ),
    (
        "classifiers",
        "words, learn, weights, likely, hear, listen, model, mots, apprendre, poids, écoute",
    ),
    (
        "cues",
        "words, no, not, negation, past, hear, listen, keyword, mots, négation, écoute",
    ),
    (
        "tools",
        "function, assistant, book, booking, appointment, Vapi, outil, fonction, rendez-vous, réservation",
    ),
    (
        "assistant-rules",
        "assistant, answer, transfer, refuse, block, blocked, spam, forward, greeting, assistant, transfert, bloquer, indésirable, \
         accueil",
    ),
    (
        "cases",
        "test, example, expect, check, regression, proof, essai, exemple, vérifier, preuve",
    ),
    ("script-quarantines", "script, error, failed, stopped, blocked, erreur"),
    (
        "vocabulary",
        "facts, fields, names, functions, condition, language, faits, champs, fonctions",
    ),
    (
        "change-sets",
        "draft, batch, publish, schedule, scheduled, later, tomorrow, approve, review, cancel, brouillon, publier, planifier, \
         approuver, demain",
    ),
    (
        "lint",
        "check, mistake, warning, error, problem, contradiction, vérifier, erreur, avertissement",
    ),
    ("rule-hits", "usage, used, unused, count, never, utilisation, inutilisé"),
    (
        "unmatched-calls",
        "missed, unknown, no service, no area, outside, manqué, inconnu, hors zone",
    ),
    (
        "phrase-matches",
        "words, said, hear, listen, find, search, mots, écoute, chercher",
    ),
    (
        "revisions",
        "history, version, undo, revert, restore, previous, before, back, roll back, rollback, compare, changes, export, backup, \
         historique, annuler, rétablir, précédent, avant, revenir",
    ),
    (
        "backtests",
        "what if, compare, impact, past calls, simulate, try, effet, comparer, simuler, essayer",
    ),
    (
        "webhook-auth",
        "Vapi, signature, security, connect, header, sécurité, connexion",
    ),
    (
        "secrets",
        "Twilio, Vapi, password, token, account, signature, security, rotate, mot de passe, jeton, compte, sécurité",
    ),
    (
        "guard-rails",
        "limit, approval, minimum, maximum, safety, price, too high, too low, limite, approbation, plafond, plancher",
    ),
    (
        "retention",
        "delete, privacy, personal data, days, purge, storage, Law 25, GDPR, vie privée, données personnelles, conservation, \
         loi 25, supprimer",
    ),
    (
        "sms-delivery",
        "send, text, Twilio, simulate, live, test, envoyer, texto, simuler",
    ),
    (
        "profile",
        "rename, name, display name, archive, close, deactivate, delete, restore, bring back, agency, client, business, \
         renommer, nom, archiver, fermer, désactiver, supprimer, rétablir, agence, client, entreprise",
    ),
    (
        "erasures",
        "delete, forget, privacy, personal data, customer, Law 25, GDPR, vie privée, effacer, oublier, supprimer, loi 25",
    ),
    (
        "calls",
        "today, yesterday, recording, transcript, conversation, caller, customer, phone, who called, csv, excel, spreadsheet, \
         aujourd'hui, hier, appel, appels, transcription, client, qui a appelé",
    ),
    (
        "feedback",
        "wrong, mistake, correct, complaint, should have been, report, faux, erreur, corriger, aurait dû, signaler",
    ),
    (
        "decisions",
        "today, yesterday, quote, price, why, explain, customer, aujourd'hui, hier, soumission, prix, pourquoi, décision",
    ),
    (
        "leads",
        "today, yesterday, customer, client, caller, call back, callback, follow up, name, address, phone, urgent, csv, excel, \
         spreadsheet, aujourd'hui, hier, cliente, rappel, rappeler, suivi, nom, adresse, urgence",
    ),
    (
        "sms-messages",
        "text, sent, delivered, failed, technician, alert, today, csv, excel, spreadsheet, texto, envoyé, livré, échoué, \
         aujourd'hui",
    ),
    (
        "inbound-sms-messages",
        "reply, answer, STOP, OK, texto, réponse, répondre",
    ),
    (
        "sms-suppressions",
        "STOP, opt out, unsubscribe, blocked, désabonner, arrêt, bloqué",
    ),
    (
        "webhook-events",
        "Vapi, raw, message, log, failed, lost, poisoned, journal, perdu, échoué",
    ),
    (
        "notices",
        "alert, warning, problem, wrong, alerte, avertissement, problème",
    ),
    (
        "audit-log",
        "history, who, who changed, log, changes, security, user, tampering, historique, qui, journal, modifications",
    ),
    (
        "api-keys",
        "password, login, access, user, users, role, account, permission, mot de passe, clé, accès, utilisateur, compte",
    ),
    (
        "console-sessions",
        "signed in, login, log out, session, cookie, console, connexion, connecté, déconnecter, console",
    ),
    (
        "events",
        "live, stream, sse, subscribe, watch, news, direct, flux, suivre, nouveautés",
    ),
    (
        "stats",
        "today, report, dashboard, count, totals, how many, statistics, aujourd'hui, rapport, tableau de bord, statistiques, combien",
    ),
];

/// The search words of single operations.
const OF_OPERATIONS: &[(&str, &str)] = &[
    (
        "roll_back",
        "undo, revert, restore, cancel, mistake, annuler, rétablir, défaire, erreur",
    ),
    (
        "create_rulebook",
        "new business, add, second business, copy, branch, nouveau, ajouter, copier",
    ),
    ("get_calendar_days", "today, tomorrow, open now, aujourd'hui, demain"),
    (
        "acknowledge_lead",
        "taken, take the call, dispatch, assign, on-call, prendre, assigner",
    ),
    ("create_case_of_call", "test from a call"),
    ("export_revision", "download, files, backup, télécharger, sauvegarde"),
];

/// Adds the search words to the groups and the operations.
pub fn add(document: &mut Value) {
    for tag in document["tags"].as_array_mut().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default().to_owned();
        put(tag, OF_TAGS, &name);
    }
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (_, operation) in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten()) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        put(operation, OF_OPERATIONS, &id);
        if id.ends_with("_csv") {
            operation["x-keywords"] = json!(["excel", "csv", "download", "upload", "tableur", "télécharger"]);
        }
    }
}

fn put(at: &mut Value, words: &[(&str, &str)], name: &str) {
    if let Some((_, words)) = words.iter().find(|(of, _)| *of == name) {
        at["x-keywords"] = words.split(", ").collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{OF_OPERATIONS, OF_TAGS};
    use crate::document::document;

    #[test]
    fn every_group_has_words_and_every_word_has_its_place() {
        let document = document();
        let tags = document["tags"].as_array().unwrap().iter();
        let tags: BTreeSet<_> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
        let with_words: BTreeSet<_> = OF_TAGS.iter().map(|(tag, _)| *tag).chain(["webhooks"]).collect();
        assert_eq!(tags, with_words);
        let items = document["paths"].as_object().unwrap().values();
        let ids: BTreeSet<_> = items
            .flat_map(|item| item.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        for (id, _) in OF_OPERATIONS {
            assert!(ids.contains(id), "{id}");
        }
    }
}
