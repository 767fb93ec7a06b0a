//! Builds reports as complete HTTP requests with Vapi's signature. Each report is about a different call. It contains
//! sixteen turns and the assistant's prompt, about ten kilobytes. Every second report is urgent, so that about half of
//! them cause an SMS message.

use anyhow::{Context as _, Result};
use base::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use intake::auth::verify::{HmacSettings, Payload, Scheme, Secret, sign};
use serde_json::{Value, json};
use simulate::callers::SimulatedCaller;
use simulate::dice::Dice;

const PATH: &str = "/webhooks/vapi";
/// Number of turns in a report, without the prompt.
pub const TURNS: usize = 16;

const PROMPT: &str = "Vous êtes Paul, réceptionniste virtuel d'une entreprise de drains. Parlez français par défaut, \
    anglais si l'appelant parle anglais. Recueillez: nom, téléphone, adresse, code postal, description, urgence. Demandez \
    toujours s'il y a une inondation ou un refoulement. N'annoncez jamais un prix ferme: dites la fourchette que l'outil \
    vous donne, et rien d'autre. Ne promettez jamais une heure d'arrivée. Si l'appelant demande une personne, transférez \
    l'appel. Restez bref et poli; une question à la fois. Répétez le code postal pour le confirmer.";

/// The assistant's words, in French and in English. These sentences mention water, but must not count as the caller's
/// words.
const ASSISTANT: [[&str; TURNS / 2]; 2] = [
    [
        "Bonjour, ici Paul, le réceptionniste virtuel. Comment puis-je vous aider aujourd'hui, et où se trouve la propriété?",
        "Je comprends. Depuis quand avez-vous ce problème, et est-ce que quelqu'un a déjà essayé de le régler?",
        "Est-ce qu'il y a une inondation ou un refoulement en ce moment, ou est-ce que l'eau s'écoule encore un peu?",
        "Merci. Pouvez-vous me donner l'adresse complète, avec le numéro de porte et la ville, s'il vous plaît?",
        "Et le code postal? Prenez votre temps, je le note au fur et à mesure, puis je vais vous le répéter.",
        "À quel nom dois-je ouvrir le dossier, et quel est le meilleur numéro pour vous rejoindre pendant la journée?",
        "Est-ce une maison, un condo ou un commerce, et y a-t-il une place pour notre camion devant l'immeuble?",
        "Parfait, tout est noté. Quelqu'un vous rappelle pour confirmer le rendez-vous. Merci de votre appel, bonne journée!",
    ],
    [
        "Hello, this is Paul, the virtual receptionist. How can I help you today, and where is the property, please?",
        "I understand. How long have you had this problem, and has anybody already tried to do something about it?",
        "Is there a flood or a sewer backup right now, or does the water still drain a little bit when you wait?",
        "Thank you. Could you give me the full address please, with the door number and the city that it is in?",
        "And the postal code? Take your time, I write it down as you speak and then I will repeat it back to you.",
        "Under what name should I open the file, and what is the best number to reach you at during the day?",
        "Is it a house, a condo or a business, and is there a place for our truck in front of the building?",
        "Perfect, I have everything. Somebody will call you back to confirm the appointment. Thank you and goodbye!",
    ],
];

/// Builds complete requests about `count` different calls.
pub fn requests(seed: u64, count: u64, host: &str, secret: &str) -> Result<Vec<Vec<u8>>> {
    let clock = Clock::system();
    let (scheme, secret) = (
        Scheme::Hmac(HmacSettings::default()),
        Secret::new("report_path", secret),
    );
    let request = |index: u64| -> Result<Vec<u8>> {
        let body = report(Dice::new(seed, index), index.is_multiple_of(2), clock.now()).to_string();
        let payload = Payload {
            method: "POST",
            url: PATH,
            body: body.as_bytes(),
            ..Payload::default()
        };
        let mut request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in sign(&scheme, &secret, payload, clock.now()).context("the secret is not a valid key")? {
            request.extend([&name, ": ", &value, "\r\n"]);
        }
        request.push_str("\r\n");
        request.push_str(&body);
        Ok(request.into_bytes())
    };
    (0..count).map(request).collect()
}

/// Builds the report of a call that has just ended.
fn report(mut dice: Dice, urgent: bool, now: DateTime<Utc>) -> Value {
    let wish = caller(&mut dice, urgent);
    let call_id = dice.id();
    let started = now - TimeDelta::seconds(150);
    let said = said(&mut dice, &wish);
    let assistant = &ASSISTANT[usize::from(!wish.french)];
    let mut turns =
        vec![json!({"role": "system", "message": PROMPT, "time": started.timestamp_millis(), "secondsFromStart": 0})];
    let (mut formatted, mut transcript) = (Vec::new(), String::new());
    let mut elapsed_ms: u32 = 900;
    for (index, (question, answer)) in assistant.iter().zip(&said).enumerate() {
        for (role, open_ai, who, text) in [
            ("bot", "assistant", "AI", *question),
            ("user", "user", "User", answer.as_str()),
        ] {
            let duration = dice.between(1_200, 5_000);
            let time = started + TimeDelta::milliseconds(i64::from(elapsed_ms));
            turns.push(json!({"role": role, "message": text, "time": time.timestamp_millis(),
                "endTime": time.timestamp_millis() + i64::from(duration), "duration": duration,
                "secondsFromStart": f64::from(elapsed_ms) / 1000.0, "source": if index == 0 { "" } else { "model" }}));
            formatted.push(json!({"role": open_ai, "content": text}));
            transcript.extend([who, ": ", text, "\n"]);
            elapsed_ms += duration + dice.between(200, 900);
        }
    }
    let recording = |kind| format!("https://storage.example.invalid/{call_id}-{kind}.wav");
    let assistant_id = "22222222-aaaa-4bbb-8ccc-000000000002";
    json!({"message": {
        "type": "end-of-call-report", "timestamp": now.timestamp_millis(),
        "startedAt": started.to_rfc3339(), "endedAt": now.to_rfc3339(), "endedReason": "customer-ended-call",
        "cost": f64::from(elapsed_ms / 60) / 10_000.0, "durationMs": elapsed_ms, "durationSeconds": f64::from(elapsed_ms) / 1000.0,
        "call": {"id": call_id, "orgId": "11111111-aaaa-4bbb-8ccc-000000000001", "type": "inboundPhoneCall", "status": "ended",
            "createdAt": started.to_rfc3339(), "assistantId": assistant_id, "phoneCallProvider": "twilio",
            "phoneCallProviderId": format!("CA{}", call_id.replace('-', "")), "customer": {"number": wish.number}},
        "phoneNumber": {"number": "+15145550100", "name": "Ligne principale"},
        "customer": {"number": wish.number, "name": wish.name},
        "assistant": {"id": assistant_id, "name": "Paul - Réception"},
        "analysis": {"summary": format!("{} appelle du {} à {}: {}", wish.name, wish.address, wish.city, wish.problem),
            "successEvaluation": "true", "structuredData": structured(&wish)},
        "artifact": {"messages": turns, "messagesOpenAIFormatted": formatted, "transcript": transcript,
            "recordingUrl": recording("mono"), "stereoRecordingUrl": recording("stereo")},
        "recordingUrl": recording("mono"),
    }})
}

/// Draws a random caller. An urgent caller has water in the house, or calls for a town.
fn caller(dice: &mut Dice, urgent: bool) -> SimulatedCaller {
    loop {
        let wish = SimulatedCaller::draw(dice);
        if (wish.job.flood || wish.municipal) == urgent {
            return wish;
        }
    }
}

fn structured(wish: &SimulatedCaller) -> Value {
    let mut structured = json!({"serviceType": wish.service_type, "city": wish.city, "postalCode": wish.postal_code,
        "urgency": wish.urgency, "complexity": wish.complexity, "problemDescription": wish.problem,
        "address": wish.address, "customerName": wish.name, "customerPhone": wish.number,
        "customerEmail": "client@example.invalid", "wantedSlot": wish.slot});
    if let Some(metres) = wish.metres {
        structured["metres"] = metres.into();
    }
    structured
}

/// Draws the caller's words for each turn.
fn said(dice: &mut Dice, wish: &SimulatedCaller) -> [String; TURNS / 2] {
    let say = |french: &str, english: &str| if wish.french { french } else { english }.to_owned();
    let days = dice.between(2, 30);
    [
        format!("{} {}", say("Oui bonjour.", "Yes, hello."), wish.problem),
        if wish.french {
            format!(
                "Depuis {days} jours, et c'est de pire en pire. Mon beau-frère a essayé avec un produit, sans succès."
            )
        } else {
            format!(
                "For {days} days now, and it gets worse. My brother-in-law tried a product from the store, no luck."
            )
        },
        if wish.job.flood {
            say(
                "Oui, il y a deux pouces d'eau et ça monte encore.",
                "Yes, there are two inches of water and it still rises.",
            )
        } else {
            say(
                "Non, rien ne presse, mais je veux que ce soit réglé.",
                "No, there is no rush, but I want it to be done.",
            )
        },
        format!("{} {}, {}", say("C'est le", "It is"), wish.address, wish.city),
        format!(
            "{}. {}",
            wish.postal_code,
            say("Voulez-vous que je répète?", "Do you want me to say it again?")
        ),
        format!(
            "{}, {} {}.",
            wish.name,
            say("et mon numéro est le", "and my number is"),
            wish.number
        ),
        say(
            "C'est une maison. Le camion peut se mettre dans l'entrée, il y a assez de place pour deux.",
            "It is a house. The truck can stand in the driveway, there is enough room for two of them.",
        ),
        say(
            "Merci beaucoup, j'attends votre appel. Au revoir.",
            "Thank you very much, I wait for your call. Goodbye.",
        ),
    ]
}
