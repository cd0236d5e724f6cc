"""A file of one plan for every hazard and level, for tests in which only its audiences and waits matter."""

_HEAD = """
[[plan]]
name = "any"
hazards = ["*"]
levels = ["red", "orange", "yellow", "blue"]
statuses = ["Actual"]
cancel_tries = {cancel_tries}
cancel_wait_s = {cancel_wait_s}

[plan.village]
terminal = "{terminal}"
bare = "officer"
within_s = {within_s}

[plan.loudspeaker]
repeat = 1
"""


def one_plan(*audiences: str, cancel_tries: int, cancel_wait_s: int, within_s: int, terminal: str = "either") -> str:
    """Return the file; each audience is what stands below its [[plan.audience]]."""
    head = _HEAD.format(cancel_tries=cancel_tries, cancel_wait_s=cancel_wait_s, within_s=within_s, terminal=terminal)
    return head + "".join(f"\n[[plan.audience]]\n{each.strip()}\n" for each in audiences)
