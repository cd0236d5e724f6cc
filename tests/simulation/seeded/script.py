"""What happens when in a scenario: everything is drawn from the seed, and nothing from anywhere else."""

from dataclasses import dataclass
from random import Random

from tests.simulation.seeded.ground import COUNTIES
from tests.simulation.seeded.providers import MOODS
from tests.simulation.seeded.stage import Cast
from tests.simulation.seeded.store import TROUBLES

PEOPLE, KILL, STOP, TROUBLE, CLOCK, BROKER, SPEAKER, MOOD, DOWN, LOOK = (
    "people",
    "kill",
    "stop",
    "trouble",
    "clock",
    "broker",
    "speaker",
    "mood",
    "down",
    "look",
)
_HOW_OFTEN = {KILL: 2.0, STOP: 0.7, TROUBLE: 2.0, CLOCK: 0.8, BROKER: 0.7, SPEAKER: 1.2, MOOD: 1.0, DOWN: 0.6}


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """One thing that happens at a moment of simulated time."""

    at_s: float
    what: str


def cast_of(seed: int) -> Cast:
    """Return who plays."""
    dice = Random(f"{seed} cast")
    moods = ["human", "human", "sick", "calm", "mute", "dead"]
    return Cast(
        county=dice.randrange(COUNTIES),
        workers=dice.choice([1, 1, 1, 2, 2, 3]),
        moods={channel: dice.choice(moods) for channel in ("sms", "email", "mqtt")},
        asked=dice.random() < 0.3,
    )


def turns_of(seed: int) -> list[Turn]:
    """Return what happens when."""
    dice = Random(f"{seed} turns")
    length_s = dice.choice([20.0, 45.0, 45.0, 80.0, 120.0])
    turns = [Turn(dice.uniform(0, 1.5), PEOPLE)]
    turns += [Turn(_moment(dice, length_s), PEOPLE) for _ in range(dice.randrange(1, 7))]
    for what in dice.choices(list(_HOW_OFTEN), list(_HOW_OFTEN.values()), k=dice.choice([0, 1, 2, 3, 4, 6])):
        turns.append(Turn(_moment(dice, length_s), what))
    turns.append(Turn(_moment(dice, length_s), LOOK))
    return [*sorted(turns), Turn(length_s, LOOK)]


def _moment(dice: Random, length_s: float) -> float:
    """Most things happen close together: that is where they meet."""
    return dice.uniform(0, length_s) if dice.random() < 0.5 else min(length_s, dice.expovariate(1 / 8))


def troubles() -> tuple[str, ...]:
    """Return what can be wrong with the store."""
    return TROUBLES


def moods() -> list[str]:
    """Return what providers can be like."""
    return list(MOODS)
