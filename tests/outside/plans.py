"""Plans of the outside tests: the shape of the shipped ones, one hazard with short waits beside the general one."""

LEVELS = ("red", "orange", "yellow", "blue")
QUICK = "快测"
LEADERS = '["township_leader", "county_leader", "city_leader", "province_leader", "duty_officer", "duty_leader"]'
_PROOF = {"red": "acknowledged", "orange": "acknowledged", "yellow": "delivered", "blue": "accepted"}


def plans_toml() -> str:
    return "\n".join(
        [*(_plan(level, "*", tries=2, wait_s=600) for level in LEVELS), _plan("red", QUICK, tries=4, wait_s=2)]
    )


def _plan(level: str, hazard: str, *, tries: int, wait_s: int) -> str:
    urgent = level in {"red", "orange"}
    person = f'channels = ["sms"]\nproof = "{_PROOF[level]}"\ntries = {tries}\nwait_s = {wait_s}\nwithin_s = 600'
    return f"""
[[plan]]
name = "{level}-{"quick" if hazard == QUICK else "any"}"
hazards = ["{hazard}"]
levels = ["{level}"]
statuses = ["Actual", "Exercise", "Test"]
cancel_tries = {tries}
cancel_wait_s = {wait_s}

[plan.village]
terminal = "{"both" if urgent else "either"}"
bare = "{"officer_and_door" if urgent else "officer"}"
within_s = 600

[plan.loudspeaker]
repeat = {3 if urgent else 1}
{"every_s = 600" if level == "red" else ""}
volume = 90

[[plan.audience]]
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
{person}

[[plan.audience]]
name = "leaders"
kind = "seats"
roles = {LEADERS}
where = ["targeted", "ancestors"]
{person}

[[plan.audience]]
name = "terminals"
kind = "terminals"
channels = ["mqtt"]
proof = "presented"
tries = {tries}
wait_s = {wait_s}
within_s = 600

[[plan.audience]]
name = "public"
kind = "public"
channels = ["sms"]
proof = "accepted"
tries = 1
wait_s = 60
"""
