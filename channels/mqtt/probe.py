"""Tries a broker for real without alarming anyone: a connection and a client id of its own, and one command that no terminal reads.

The daemon's own session is left alone: whoever connects under its client id would throw it out.
"""

from dataclasses import replace

from channels.mqtt.fate import Answered, Fate, Parcel, fate_of
from channels.mqtt.options import LineOptions
from channels.mqtt.puback import outcome_of
from channels.mqtt.session import ConnectError, connected
from warnd.channel import Accepted, Failed, Finding
from warnd.model.loudspeaker import terminal_command_topic

_EXPIRY_S = 5
_SESSION_EXPIRY_S = 0  # Nothing of it stays at the broker.


async def probe(options: LineOptions, *, name: str) -> Finding:
    """Connect, subscribe as the daemon does, and publish an empty command to a terminal that does not exist.

    Args:
        options: Of the line that is to be tried.
        name: Unused by any terminal and any client; fresh for each call.
    """
    about = f"broker {options.where}, {options.root}"
    own = replace(options, client_id=name, session_expiry_s=_SESSION_EXPIRY_S)
    try:
        async with connected(own, lambda arrival: arrival.session.confirm(arrival)) as session:
            await session.subscribe(own.heard)  # A share of its own takes nothing from anybody.
            topic = terminal_command_topic(own.root, name)
            # The session settles it within its own time-out.
            fate = await fate_of(session.submit, lambda: Parcel(topic, b"", retain=False, expiry_s=_EXPIRY_S))
    except ConnectError as error:
        return Finding(about, wrong=f"{error}.")
    return _finding(about, fate, topic)


def _finding(about: str, fate: Fate, topic: str) -> Finding:
    if not isinstance(fate, Answered):
        return Finding(
            about, wrong=f"it took the connection and did not answer a publish to {topic}; look into its log."
        )
    outcome = outcome_of(fate.code)
    if isinstance(outcome, Accepted):
        return Finding(about, told="logged in, may read receipts and states, may command terminals")
    assert isinstance(outcome, Failed)
    return Finding(about, wrong=f"it refuses a command to a terminal: {outcome.reason}.")
