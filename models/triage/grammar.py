"""The note grammar: turns a drawn case into clinical-style text and its answer.

A case is drawn first (affirmed findings, negated findings, age, vital signs),
then the answer follows from the case by rule, and only then is the text
written.  So the label is exact by construction, whatever the wording.

Every random choice goes through the `random.Random` that the caller passes in,
which makes a corpus a pure function of its seed.
"""

import random
from dataclasses import dataclass, field

from lexicon import FINDINGS, SYSTEMS, VITAL_FLAGS, Finding, format_answer
from wording import (BACKGROUND, DURATIONS, HISTORY, INJECTED, NEGATIONS, OFF_A,
                     OFF_B, OFF_C, OFF_TOPIC, OPENINGS, PERSONS, SECOND,
                     SYSTEM_PROMPTS, VITAL_FORMS)


@dataclass
class Note:
    """One generated example and the choices that the split looks at."""

    text: str
    answer: str
    level: int
    # (opening template number, wording) pairs of the first sentence; see generate.held_out_pair
    pairs: list[tuple[int, str]] = field(default_factory=list)
    kind: str = "note"


def _join(items: list[str], last: str) -> str:
    """'a', 'a and b', 'a, b and c'."""
    if len(items) == 1:
        return items[0]
    return ", ".join(items[:-1]) + f" {last} " + items[-1]


def _draw_findings(rng: random.Random) -> list[Finding]:
    """One to three findings of a main system, at times a milder one of another.

    The second system must be strictly less urgent, so that "the system of the
    most urgent finding" is never a tie.
    """
    if rng.random() < 0.06:
        return []  # everything denied: the note of a well patient
    system = rng.choice(SYSTEMS)
    own = [f for f in FINDINGS if f.system == system]
    if rng.random() < 0.5:
        # Half the notes leave out the level 1 and 2 findings: otherwise the
        # minimum over several findings makes almost every case urgent.
        own = [f for f in own if f.level >= 3] or own
    found = rng.sample(own, min(len(own), rng.choices((1, 2, 3), (5, 4, 2))[0]))
    worst = min(f.level for f in found)
    milder = [f for f in FINDINGS if f.system != system and f.level > worst]
    if milder and rng.random() < 0.25:
        found.insert(rng.randint(0, len(found)), rng.choice(milder))
    return found


def _draw_vitals(rng: random.Random) -> tuple[dict[str, str], set[str]]:
    """Some vital signs as (name -> shown value), and the flags they raise."""
    low, shown, flags = rng.random() < 0.12, {}, set()
    for name in ("spo2", "bp", "hr", "temp", "rr"):
        if rng.random() < 0.45:
            continue
        bad = rng.random() < (0.4 if low else 0.07)
        if name == "spo2":
            value = rng.randint(78, 91) if bad else rng.randint(92, 100)
            shown[name], flag = str(value), "low-spo2"
        elif name == "bp":
            value = rng.randint(62, 89) if bad else rng.randint(90, 178)
            shown[name], flag = f"{value}/{int(value * rng.uniform(.55, .68))}", "low-bp"
        elif name == "hr":
            value = rng.randint(121, 175) if bad else rng.randint(52, 120)
            shown[name], flag = str(value), "fast-pulse"
        elif name == "temp":
            value = rng.randint(380, 404) if bad else rng.randint(360, 379)
            shown[name], flag = f"{value / 10:.1f}", "high-temp"
        else:
            shown[name], flag, bad = str(rng.randint(11, 30)), "", False
        if bad:
            flags.add(flag)
    return shown, flags


def _triage(findings: list[Finding], vital_flags: set[str], age: float) -> tuple[int, str, list[str]]:
    """The labelling rule: level, system and flags of a case."""
    raised = [(flag, level) for flag, level in VITAL_FLAGS if flag in vital_flags]
    levels = [f.level for f in findings] + [level for _, level in raised]
    level = min(levels, default=5)
    if level >= 3 and levels and (age < 2 or age >= 75):
        level -= 1  # the very young and the old are seen one step sooner
    # min() keeps the first of equals, that is the one mentioned first
    system = min(findings, key=lambda f: f.level).system if findings else "general"
    return level, system, [f.flag for f in findings] + [flag for flag, _ in raised]


def _person(rng: random.Random) -> tuple[float, dict[str, str]]:
    """An age in years and the ways a template may speak of the patient."""
    months = 0
    if rng.random() < 0.08:
        months = rng.randint(2, 23)
        age = months / 12
    else:
        age = rng.choice((rng.randint(2, 17), rng.randint(18, 74), rng.randint(18, 74), rng.randint(75, 97)))
    woman = rng.random() < 0.5
    if months:
        noun = "girl" if woman else "boy"
        short, phrase = f"{months}mo {'F' if woman else 'M'}", f"{months}-month-old {noun}"
    else:
        noun = rng.choice(PERSONS[("child" if age < 16 else "adult", woman)])
        short = f"{age}{'F' if woman else 'M'}"
        phrase = f"{age}-year-old {noun}"
    subject = "she" if woman else "he"
    return age, {"short": short, "phrase": phrase, "sub": subject, "Sub": subject.capitalize(),
                 "pos": "her" if woman else "his"}


def clinical_note(rng: random.Random) -> Note:
    """Draw one case and write it up."""
    findings = _draw_findings(rng)
    vitals, vital_flags = _draw_vitals(rng)
    age, person = _person(rng)
    level, system, flags = _triage(findings, vital_flags, age)

    said = [rng.choice(f.phrases) for f in findings]
    split = rng.randint(1, len(said)) if len(said) > 1 and rng.random() < 0.35 else len(said)
    style = rng.randrange(len(OPENINGS))
    opening, bare = OPENINGS[style]
    if said:
        first = opening.format(x=_join(said[:split], "and"), d=rng.choice(DURATIONS), **person)
    else:
        first = bare.format(**person)
    body = []
    if said[split:]:
        body.append(rng.choice(SECOND).format(x=_join(said[split:], "and"), **person))

    # Things that must not become flags: denied, past, a relative's, small talk.
    rest = [f for f in FINDINGS if f not in findings]
    if not findings or rng.random() < 0.6:
        denied = [rng.choice(f.phrases) for f in rng.sample(rest, rng.choices((1, 2, 3), (4, 3, 2))[0])]
        body.append(rng.choice(NEGATIONS).format(x=_join(denied, "or"), **person))
    if rng.random() < 0.2:
        body.append(rng.choice(HISTORY).format(x=rng.choice(rng.choice(rest).phrases), **person))
    for chance, lines in ((0.35, BACKGROUND), (0.05, INJECTED)):
        if rng.random() < chance:
            body.append(rng.choice(lines).format(n=rng.randint(2, 99), **person))
    # The shuffle cannot change the order of mention: only the opening and the
    # one SECOND sentence affirm anything.
    rng.shuffle(body)
    if vitals:
        form, names = rng.choice(VITAL_FORMS)
        parts = [names[key].format(v=value) for key, value in vitals.items()]
        rng.shuffle(parts)
        body.insert(rng.choice((len(body), len(body), rng.randint(0, len(body)))), form.format(x=", ".join(parts)))

    text = " ".join(_sentence(s) for s in [first, *body])
    if rng.random() < 0.08:
        text = text.lower()
    return Note(text, format_answer(level, system, flags), level,
                [(style, phrase) for phrase in said[:split]])


def off_topic(rng: random.Random) -> Note:
    """Text that is no clinical note, with the abstention as its answer."""
    text = _filled(rng, rng.choice(OFF_TOPIC))
    if rng.random() < 0.3:
        text += " " + _sentence(_filled(rng, rng.choice(OFF_TOPIC)))
    return Note(text, format_answer(0, "unknown", []), 0, kind="off-topic")


def system_prompt(rng: random.Random) -> str:
    """A made-up system message; the model learns that it changes nothing."""
    lines = rng.sample(SYSTEM_PROMPTS, rng.randint(1, 4))
    return " ".join(_filled(rng, line) for line in lines)


def _filled(rng: random.Random, line: str) -> str:
    return line.format(a=rng.choice(OFF_A), b=rng.choice(OFF_B), c=rng.choice(OFF_C), n=rng.randint(2, 99))


def _sentence(text: str) -> str:
    """Capitalise the first letter and close with a full stop."""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."
