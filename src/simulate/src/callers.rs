//! The callers of simulated calls to a drain contractor in Montréal, in French and English.
//!
//! Names and numbers are fictional: +1 514 555 01xx belongs to nobody.

use super::dice::Dice;

/// A type of work, in callers' words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    /// The code of the service.
    pub code: &'static str,
    /// Names that an assistant may use instead of the code.
    pub words: &'static [&'static str],
    /// The caller's sentences in French. The number of metres replaces `{m}`.
    pub french: &'static [&'static str],
    /// The caller's sentences in English.
    pub english: &'static [&'static str],
    /// The relative frequency of this type of work.
    pub weight: u32,
    /// Whether there is water in the house.
    pub flood: bool,
}

/// The code of the sample's first service. The README changes the price of this service.
const FIRST: &str = "camera_inspection";

/// The types of work that the sample rulebook offers or refuses, and an emergency with water in the house.
pub const JOBS: &[Job] = &[
    Job {
        code: "drain_unblocking_camera",
        words: &["débouchage", "drain bouché"],
        french: &[
            "Mon drain de cuisine est bouché depuis hier.",
            "L'évier s'écoule très lentement, il faut un débouchage.",
        ],
        english: &[
            "My kitchen drain is clogged since yesterday.",
            "The tub drains very slowly, I think it is blocked.",
        ],
        weight: 28,
        flood: false,
    },
    Job {
        code: "camera_inspection",
        words: &["inspection", "caméra"],
        french: &["J'achète un duplex et la banque veut une inspection par caméra."],
        english: &["I am buying a duplex and the bank wants a camera inspection."],
        weight: 14,
        flood: false,
    },
    Job {
        code: "root_removal",
        words: &["racines", "alésage"],
        french: &["Des racines bouchent l'égout tous les printemps."],
        english: &["Tree roots get into the sewer every spring."],
        weight: 10,
        flood: false,
    },
    Job {
        code: "pipe_lining",
        words: &["gainage"],
        french: &["La conduite est fissurée, on m'a parlé de gainage."],
        english: &["The pipe is cracked, someone mentioned relining."],
        weight: 7,
        flood: false,
    },
    Job {
        code: "french_drain",
        words: &["drain français"],
        french: &["Il faut refaire {m} mètres de drain français."],
        english: &["I need about {m} metres of French drain."],
        weight: 9,
        flood: false,
    },
    Job {
        code: "cleanout_installation",
        words: &["cheminée", "cleanout"],
        french: &["Je voudrais faire installer une cheminée de nettoyage."],
        english: &["I would like a cleanout installed."],
        weight: 5,
        flood: false,
    },
    Job {
        code: "under_slab",
        words: &["sous-dalle"],
        french: &["La conduite sous-dalle est percée, le plombier l'a vue."],
        english: &["There is a broken pipe under slab, the plumber saw it."],
        weight: 4,
        flood: false,
    },
    Job {
        code: "septic_tank",
        words: &["fosse septique", "septic tank"],
        french: &["Ma fosse septique est pleine, pouvez-vous la vider?"],
        english: &["My septic tank is full, can you empty it?"],
        weight: 5,
        flood: false,
    },
    Job {
        code: "gutters",
        words: &["gouttières", "gutters"],
        french: &["Mes gouttières sont pleines de feuilles."],
        english: &["My gutters are full of leaves."],
        weight: 3,
        flood: false,
    },
    Job {
        code: "drain_unblocking_camera",
        words: &["débouchage"],
        french: &[
            "C'est une urgence, j'ai une inondation, l'eau monte dans le sous-sol!",
            "J'ai un refoulement d'égout, il y a de l'eau dans le sous-sol.",
        ],
        english: &[
            "It is an emergency, my basement is in a flood and the water rises!",
            "I have a sewer backup in the basement.",
        ],
        weight: 15,
        flood: true,
    },
];

#[derive(Clone, Copy, Debug, Default)]
struct JobPlace {
    city: &'static str,
    postal_code: &'static str,
    street: &'static str,
}

/// Places in Montréal, north of it and on the South Shore.
const PLACES: &[JobPlace] = &[
    JobPlace {
        city: "Montréal",
        postal_code: "H2X 1Y4",
        street: "rue Saint-Denis",
    },
    JobPlace {
        city: "Montréal",
        postal_code: "H4G 2B7",
        street: "rue de Verdun",
    },
    JobPlace {
        city: "Westmount",
        postal_code: "H3Z 1Y5",
        street: "Sherbrooke Street West",
    },
    JobPlace {
        city: "Laval",
        postal_code: "H7N 5Y5",
        street: "boul. des Laurentides",
    },
    JobPlace {
        city: "Repentigny",
        postal_code: "J5Y 2M6",
        street: "rang Saint-François",
    },
    JobPlace {
        city: "Longueuil",
        postal_code: "J4L 5K1",
        street: "chemin de Chambly",
    },
    JobPlace {
        city: "Brossard",
        postal_code: "J4W 3T8",
        street: "boul. Taschereau",
    },
    JobPlace {
        city: "Saint-Lambert",
        postal_code: "J4P 2K3",
        street: "avenue Victoria",
    },
];

const NAMES: &[&str] = &[
    "Marie-Ève Tremblay",
    "Jean-François Gagnon-Roy",
    "Zoé Bélanger",
    "Guylaine O'Neill",
    "D'Arcy Singh",
    "Thị Hồng Nguyễn",
    "Étienne Côté",
    "Rosa Di Marco",
];

const TOWNS: &[&str] = &[
    "Ville de Brossard",
    "Ville de Longueuil",
    "Municipalité de Sainte-Julie",
    "City of Westmount",
];

/// A caller.
#[derive(Clone, Debug)]
pub struct SimulatedCaller {
    pub job: Job,
    /// The word that the assistant uses for the work in a tool call.
    pub service_type: &'static str,
    /// Whether the caller speaks French; otherwise the caller speaks English.
    pub french: bool,
    /// The problem in the caller's own words.
    pub problem: String,
    /// Metres of French drain, if known.
    pub metres: Option<u32>,
    /// The caller's name, or the town's name for a municipal caller.
    pub name: &'static str,
    /// The caller's number.
    pub number: String,
    /// The address of the job.
    pub address: String,
    /// The city of the job.
    pub city: &'static str,
    /// The postal code of the job.
    pub postal_code: &'static str,
    /// `immediate`, `within_24h`, `this_week` or `flexible`.
    pub urgency: &'static str,
    /// `simple`, `complex` or `very_complex`.
    pub complexity: &'static str,
    /// The wanted hours of the appointment, which may be in the evening.
    pub slot: &'static str,
    /// Whether the caller is a town.
    pub municipal: bool,
}

impl SimulatedCaller {
    /// Draws a caller.
    pub fn draw(dice: &mut Dice) -> Self {
        let job = draw_job(dice);
        Self::about(job, dice)
    }

    /// Creates a caller who wants the service whose price the README changes. The assistant names the service by its
    /// code.
    pub fn first(dice: &mut Dice) -> Self {
        let job = JOBS.iter().find(|job| job.code == FIRST).copied().unwrap_or_default();
        Self {
            service_type: job.code,
            complexity: "simple",
            municipal: false,
            ..Self::about(job, dice)
        }
    }

    fn about(job: Job, dice: &mut Dice) -> Self {
        let place = dice.pick(PLACES);
        let french = dice.chance(65);
        let metres = (job.code == "french_drain").then(|| dice.between(6, 40));
        let municipal = dice.chance(8);
        let sentence = dice.pick(if french { job.french } else { job.english });
        let said_metres = metres.map_or_else(String::new, |metres| metres.to_string());
        let name = dice.pick(if municipal { TOWNS } else { NAMES });
        let introduction = match (municipal, french) {
            (true, true) => format!("Ici la {name}. "),
            (true, false) => format!("This is the {name}. "),
            _ => String::new(),
        };
        Self {
            job,
            service_type: if dice.chance(60) {
                job.code
            } else {
                dice.pick(job.words)
            },
            french,
            problem: format!("{introduction}{}", sentence.replace("{m}", &said_metres)),
            metres,
            name,
            number: format!("+151455501{:02}", dice.between(0, 99)),
            address: format!("{} {}", dice.between(10, 9999), place.street),
            city: place.city,
            postal_code: place.postal_code,
            urgency: if job.flood {
                "immediate"
            } else {
                dice.pick(&["within_24h", "this_week", "this_week", "flexible", "flexible"])
            },
            complexity: dice.pick(&["simple", "simple", "simple", "complex", "very_complex"]),
            slot: dice.pick(&["08:00-12:00", "13:00-16:00", "18:00-21:00"]),
            municipal,
        }
    }
}

fn draw_job(dice: &mut Dice) -> Job {
    let total: u32 = JOBS.iter().map(|job| job.weight).sum();
    let mut left = dice.between(1, total);
    for job in JOBS {
        if left <= job.weight {
            return *job;
        }
        left -= job.weight;
    }
    Job::default()
}
