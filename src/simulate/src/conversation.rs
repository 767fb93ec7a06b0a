//! Builds the messages of one simulated call, as Vapi would send them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::callers::SimulatedCaller;
use super::dice::Dice;
use intake::SIMULATED_PREFIX;

/// A step of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallStep {
    /// Vapi reports that the call moves to this state.
    Status(&'static str),
    /// An assistant request.
    AssistantRequest,
    /// The assistant speaks.
    Agent(String),
    /// The caller speaks.
    Caller(String),
    /// The assistant calls a tool.
    Tool(&'static str),
    /// The end-of-call report.
    Report,
}

impl CallStep {
    /// The message's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status-update",
            Self::AssistantRequest => "assistant-request",
            Self::Agent(_) | Self::Caller(_) => "transcript",
            Self::Tool(_) => "tool-calls",
            Self::Report => "end-of-call-report",
        }
    }
}

/// A call and its progress.
#[derive(Debug)]
pub struct Conversation {
    dice: Dice,
    wish: SimulatedCaller,
    call_id: String,
    started: DateTime<Utc>,
    elapsed_ms: u32,
    status: &'static str,
    turns: Vec<Value>,
}

impl Conversation {
    /// Creates a call that starts at `started`. The call's id marks the call as simulated.
    #[must_use]
    pub fn new(dice: Dice, started: DateTime<Utc>) -> Self {
        Self::of(SimulatedCaller::draw, dice, started)
    }

    /// Creates the first call of a run. This call is about the service whose price the README changes.
    #[must_use]
    pub fn first(dice: Dice, started: DateTime<Utc>) -> Self {
        Self::of(SimulatedCaller::first, dice, started)
    }

    fn of(wish: impl FnOnce(&mut Dice) -> SimulatedCaller, mut dice: Dice, started: DateTime<Utc>) -> Self {
        let wish = wish(&mut dice);
        let call_id = format!("{SIMULATED_PREFIX}{}", dice.id());
        Self {
            dice,
            wish,
            call_id,
            started,
            elapsed_ms: 0,
            status: "queued",
            turns: vec![json!({
                "role": "system", "secondsFromStart": 0,
                "message": "Vous êtes Paul, réceptionniste d'une entreprise de drains. Demandez s'il y a une inondation.",
            })],
        }
    }

    /// Returns all steps of the call. The dice choose between variants.
    pub fn steps(&mut self) -> Vec<CallStep> {
        let wish = self.wish.clone();
        let say = |french: &str, english: &str| if wish.french { french } else { english }.to_owned();
        let mut steps = vec![
            CallStep::Status("queued"),
            CallStep::AssistantRequest,
            CallStep::Status("ringing"),
            CallStep::Status("in-progress"),
            CallStep::Agent("Bonjour, ici Paul, comment puis-je vous aider? / Hello, how can I help?".to_owned()),
            CallStep::Caller(wish.problem.clone()),
            // This question tests that the agent's words about water never count as the caller's words.
            CallStep::Agent(say("Est-ce qu'il y a une inondation?", "Is it flooding?")),
            CallStep::Caller(if wish.job.flood {
                say("Oui, il y a deux pouces d'eau.", "Yes, there are two inches of water.")
            } else {
                say("Non, rien ne presse.", "No, there is no rush.")
            }),
            CallStep::Tool("validateServiceRequest"),
            CallStep::Agent(say("À quelle adresse?", "At which address?")),
            CallStep::Caller(format!("{}, {}, {}", wish.address, wish.city, wish.postal_code)),
            CallStep::Tool("classifyPriority"),
            CallStep::Tool("calculateQuote"),
            CallStep::Agent(say("Voici notre estimation.", "Here is our estimate.")),
        ];
        if wish.job.flood || self.dice.chance(70) {
            steps.extend([
                CallStep::Tool("evaluateScheduling"),
                CallStep::Caller(say(
                    "Parfait, je prends ce rendez-vous.",
                    "Fine, I take that appointment.",
                )),
                CallStep::Tool("bookAppointment"),
            ]);
        } else {
            steps.push(CallStep::Caller(say(
                "Merci, je vais y penser.",
                "Thanks, I will think about it.",
            )));
        }
        steps.push(CallStep::Agent(say(
            "Merci de votre appel. Bonne journée!",
            "Thank you for calling. Goodbye!",
        )));
        // Vapi does not guarantee the order of these two messages.
        if self.dice.chance(80) {
            steps.extend([CallStep::Status("ended"), CallStep::Report]);
        } else {
            steps.extend([CallStep::Report, CallStep::Status("ended")]);
        }
        steps
    }

    /// Returns the body of a step's message, and the tool call's id if the step is a tool call. This also advances the
    /// call's clock.
    pub fn body(&mut self, step: &CallStep) -> (Value, Option<String>) {
        self.elapsed_ms += self.dice.between(400, 6000);
        let mut tool_call_id = None;
        let mut own = match step {
            CallStep::Status(status) => {
                self.status = status;
                json!({"status": status})
            }
            CallStep::AssistantRequest => json!({}),
            CallStep::Agent(text) => self.said("assistant", text),
            CallStep::Caller(text) => self.said("user", text),
            CallStep::Tool(name) => {
                let id = format!("call_{}", self.dice.id().replace('-', "").get(..24).unwrap_or("0"));
                let call = self.tool_call(&id, name);
                tool_call_id = Some(id);
                json!({"toolCallList": [call], "toolCalls": [call], "toolWithToolCallList": [
                    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
                     "server": {"timeoutSeconds": 20}, "messages": [], "toolCall": call}]})
            }
            CallStep::Report => self.report(),
        };
        if let Some(own) = own.as_object_mut() {
            self.envelope(step.type_name(), own);
        }
        (json!({ "message": own }), tool_call_id)
    }

    /// Adds a tool's result to the call's history, as Vapi does.
    pub fn returned(&mut self, tool_call_id: &str, name: &str, result: &str) {
        self.elapsed_ms += 400;
        let turn = json!({"role": "tool_call_result", "toolCallId": tool_call_id, "name": name, "result": result,
            "time": self.now().timestamp_millis(), "secondsFromStart": self.seconds()});
        self.turns.push(turn);
    }

    fn now(&self) -> DateTime<Utc> {
        self.started + TimeDelta::milliseconds(i64::from(self.elapsed_ms))
    }

    fn seconds(&self) -> f64 {
        f64::from(self.elapsed_ms) / 1000.0
    }

    fn said(&mut self, role: &str, text: &str) -> Value {
        let in_messages = if role == "assistant" { "bot" } else { role };
        let turn = json!({"role": in_messages, "message": text, "time": self.now().timestamp_millis(),
            "secondsFromStart": self.seconds(), "duration": 60 * text.len()});
        self.turns.push(turn);
        json!({"role": role, "transcriptType": "final", "transcript": text, "isFiltered": false, "detectedThreats": []})
    }

    fn tool_call(&mut self, id: &str, name: &str) -> Value {
        let wish = &self.wish;
        let mut arguments = json!({"serviceType": wish.service_type, "city": wish.city, "postalCode": wish.postal_code,
            "problemDescription": wish.problem, "urgency": wish.urgency});
        let more = match name {
            "classifyPriority" => json!({"description": wish.problem, "waterPresent": wish.job.flood,
                "municipal": wish.municipal, "customerName": wish.name}),
            "calculateQuote" => json!({"complexity": wish.complexity, "metres": wish.metres}),
            "evaluateScheduling" => json!({"preferredSlot": wish.slot}),
            "bookAppointment" => {
                json!({"customerName": wish.name, "customerPhone": wish.number, "address": wish.address,
                "date": (self.started + TimeDelta::days(3)).date_naive().to_string(), "timeSlot": wish.slot})
            }
            _ => json!({}),
        };
        if let (Some(arguments), Value::Object(more)) = (arguments.as_object_mut(), more) {
            arguments.extend(more);
            arguments.retain(|_, value| !value.is_null());
        }
        // In the call's history, Vapi sends the arguments as a string. In a tool request, Vapi sends the arguments as
        // an object or a string.
        let text =
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
        let turn = json!({"role": "tool_calls", "message": "", "toolCalls": [text],
            "time": self.now().timestamp_millis(), "secondsFromStart": self.seconds()});
        self.turns.push(turn);
        if self.dice.chance(50) {
            text
        } else {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        }
    }

    fn report(&mut self) -> Value {
        let wish = &self.wish;
        let mut structured = json!({"serviceType": wish.service_type, "city": wish.city, "postalCode": wish.postal_code,
            "urgency": wish.urgency, "complexity": wish.complexity, "problemDescription": wish.problem,
            "address": wish.address, "customerName": wish.name, "customerPhone": wish.number,
            "metres": wish.metres, "municipal": wish.municipal});
        if let Some(structured) = structured.as_object_mut() {
            structured.retain(|_, value| !value.is_null());
        }
        let recording = format!("https://storage.example.invalid/{}-mono.wav", self.call_id);
        // The cost in dollars is ten cents a minute, rounded down to a ten-thousandth of a dollar.
        let cost = f64::from(self.elapsed_ms / 60) / 10_000.0;
        json!({
            "analysis": {"summary": format!("Appel pour: {}", wish.problem), "successEvaluation": "8",
                "structuredData": structured},
            "startedAt": self.started.to_rfc3339(), "endedAt": self.now().to_rfc3339(),
            "endedReason": "customer-ended-call", "cost": cost, "costs": [], "durationMs": self.elapsed_ms,
            "durationSeconds": self.seconds(), "recordingUrl": recording,
        })
    }

    fn envelope(&self, type_name: &str, own: &mut Map<String, Value>) {
        let wish = &self.wish;
        let (assistant, customer) = (
            "22222222-aaaa-4bbb-8ccc-000000000002",
            json!({"number": wish.number, "name": wish.name}),
        );
        let fields = [
            ("type", json!(type_name)),
            ("timestamp", json!(self.now().timestamp_millis())),
            ("artifact", json!({"messages": self.turns})),
            (
                "call",
                json!({"id": self.call_id, "type": "inboundPhoneCall", "status": self.status,
                "createdAt": self.started.to_rfc3339(), "assistantId": assistant, "phoneCallProvider": "twilio",
                "customer": {"number": wish.number}}),
            ),
            (
                "phoneNumber",
                json!({"number": "+15145550100", "name": "Ligne principale"}),
            ),
            ("customer", customer),
            ("assistant", json!({"id": assistant, "name": "Paul - Réception"})),
        ];
        for (name, value) in fields {
            own.insert(name.to_owned(), value);
        }
    }
}
