"""The vocabulary of the synthetic triage task: findings, systems and actions.

Everything the model can ever answer is listed here, and so is every wording it
is taught to recognise.  A *finding* is one canonical flag, the body system it
belongs to, the urgency it carries alone (1 = immediate .. 5 = routine) and the
noun phrases that may stand for it in a note.  All phrases are noun phrases, so
that one grammar ("reports X", "denies X", "X since Monday") fits all of them.

The urgencies and actions are invented for a language-modelling exercise.  They
follow no published triage scale and must not be used for care.
"""

from typing import NamedTuple


class Finding(NamedTuple):
    """One canonical finding and the wordings that stand for it."""

    flag: str
    system: str
    level: int
    phrases: tuple[str, ...]


# flag | level | phrases, grouped by system; parsed once below.
_TABLE = {
    "cardiac": """
        chest-pain | 2 | chest pain; crushing chest pain; central chest tightness; pressure across the chest; retrosternal pain; CP
        diaphoresis | 2 | diaphoresis; profuse sweating; cold sweats; clammy skin
        syncope | 2 | syncope; a fainting episode; collapse with brief loss of consciousness; passing out
        palpitations | 3 | palpitations; a racing heart; an irregular heartbeat; fluttering in the chest
        leg-swelling | 4 | ankle swelling; swollen legs; bilateral leg oedema; pitting oedema
        cardiac-arrest | 1 | cardiac arrest; pulselessness; absent pulse with ongoing CPR""",
    "respiratory": """
        dyspnea | 2 | shortness of breath; dyspnoea; difficulty breathing; breathlessness at rest; SOB
        wheeze | 3 | wheeze; audible wheezing; a whistling chest; tight wheezy breathing
        haemoptysis | 2 | haemoptysis; coughing up blood; blood-stained sputum
        cough | 4 | cough; a productive cough; a dry hacking cough; persistent coughing
        stridor | 1 | stridor; noisy breathing on inspiration; an obstructed airway
        sore-throat | 5 | sore throat; a scratchy throat; mild throat irritation; runny nose and sore throat""",
    "neuro": """
        facial-droop | 2 | facial droop; drooping of one side of the face; an asymmetric smile
        arm-weakness | 2 | arm weakness; loss of power in one arm; sudden one-sided weakness; unilateral weakness
        slurred-speech | 2 | slurred speech; garbled speech; word-finding difficulty; dysarthria
        seizure | 1 | an ongoing seizure; continuous convulsions; status epilepticus
        thunderclap-headache | 2 | thunderclap headache; sudden worst-ever headache; explosive onset headache
        headache | 4 | headache; a dull headache; throbbing head pain; migraine-type headache
        confusion | 3 | new confusion; disorientation; muddled thinking; an altered mental state
        dizziness | 4 | dizziness; light-headedness; vertigo; a spinning sensation""",
    "gastro": """
        abdominal-pain | 3 | abdominal pain; belly ache; stomach cramps; right lower quadrant pain; epigastric pain
        rigid-abdomen | 2 | a rigid abdomen; board-like abdomen; guarding with rebound tenderness
        haematemesis | 2 | haematemesis; vomiting blood; coffee-ground vomit
        melaena | 2 | melaena; black tarry stools; rectal bleeding
        vomiting | 4 | vomiting; repeated emesis; throwing up; persistent vomiting
        diarrhoea | 4 | diarrhoea; loose stools; watery stools; frequent loose motions
        heartburn | 5 | heartburn; acid reflux; indigestion after meals""",
    "trauma": """
        head-injury | 2 | head injury; a blow to the head; scalp wound after a fall; knock to the head
        open-fracture | 2 | open fracture; bone protruding from the wound; compound fracture
        haemorrhage | 1 | uncontrolled bleeding; massive haemorrhage; spurting arterial bleed
        deformity | 3 | obvious wrist deformity; a deformed forearm; suspected ankle fracture; dislocated shoulder
        laceration | 4 | laceration; a deep cut; gash to the hand; cut finger
        sprain | 5 | ankle sprain; a twisted knee; minor bruising; a grazed elbow
        burn | 3 | scald to the arm; a thermal burn; blistering burn; hot-oil burn""",
    "infectious": """
        rigors | 3 | rigors; shaking chills; uncontrollable shivering
        reported-fever | 4 | fever at home; feeling feverish; high temperature overnight; fever
        neck-stiffness | 2 | neck stiffness; a stiff neck; photophobia with neck pain
        mottled-skin | 2 | mottled skin; non-blanching rash; purple spots that do not fade
        cellulitis | 3 | spreading redness of the leg; hot swollen shin; suspected cellulitis
        earache | 5 | earache; ear pain; a blocked painful ear""",
    "renal": """
        flank-pain | 3 | flank pain; loin pain; loin-to-groin pain; colicky side pain
        haematuria | 3 | haematuria; blood in the urine; pink urine
        retention | 3 | urinary retention; inability to pass urine; failure to pass urine
        dysuria | 4 | dysuria; burning on urination; painful urination; stinging when passing urine
        frequency | 5 | urinary frequency; needing the toilet often; nocturia""",
    "allergy": """
        tongue-swelling | 1 | tongue swelling; swelling of the tongue and lips; throat closing
        facial-swelling | 2 | facial swelling; puffy eyelids and lips; angioedema
        hives | 3 | hives; an urticarial rash; widespread itchy welts; raised itchy wheals
        itch | 5 | itching; mild itch; itchy skin; localised itching""",
    "mental": """
        suicidal-intent | 2 | suicidal intent; a plan to end their life; active suicidal thoughts
        overdose | 2 | intentional overdose; an overdose of tablets; excess paracetamol ingestion
        agitation | 3 | severe agitation; aggressive behaviour; pacing and shouting
        low-mood | 4 | low mood; tearfulness; feeling hopeless; persistent sadness
        insomnia | 5 | insomnia; poor sleep; trouble sleeping""",
}


def _parse() -> tuple[Finding, ...]:
    found = []
    for system, block in _TABLE.items():
        for line in block.strip().splitlines():
            flag, level, phrases = (part.strip() for part in line.split("|"))
            wordings = tuple(p.strip() for p in phrases.split(";"))
            found.append(Finding(flag, system, int(level), wordings))
    return tuple(found)


FINDINGS = _parse()
SYSTEMS = tuple(_TABLE)

# Vital-sign flags: (flag, level it forces).  Always listed in this order.
VITAL_FLAGS = (("low-spo2", 2), ("low-bp", 2), ("fast-pulse", 3), ("high-temp", 4))

# What to do at levels 2 and 3 depends on the system; the other levels do not.
_ACTIONS = {
    "cardiac": ("ecg-now", "ecg-within-30min"),
    "respiratory": ("oxygen-now", "peak-flow"),
    "neuro": ("stroke-team", "neuro-obs"),
    "gastro": ("surgical-review", "bloods-and-lipase"),
    "trauma": ("trauma-team", "x-ray"),
    "infectious": ("sepsis-screen", "blood-cultures"),
    "renal": ("urology-review", "urine-test"),
    "allergy": ("anaphylaxis-protocol", "observe-4h"),
    "mental": ("continuous-watch", "crisis-team"),
    "general": ("doctor-now", "doctor-within-1h"),
}


def action_for(level: int, system: str) -> str:
    """The one action that goes with a level and a system."""
    if level == 0:
        return "human-review"
    if level == 1:
        return "resus-now"
    if level in (2, 3):
        return _ACTIONS[system][level - 2]
    return "clinic-today" if level == 4 else "self-care-advice"


def format_answer(level: int, system: str, flags: list[str]) -> str:
    """Render the one-line answer; the only place that knows the format."""
    shown = ",".join(flags) or "none"
    action = action_for(level, system)
    return f"level={level} | system={system} | flags={shown} | action={action}"
