"""What an SMS gateway is: one way from warnd to the phones. It owns nothing of which gateway takes which text."""

from typing import Protocol

from warnd.channel import Channel, Finder, Prober

NAME = "sms"
"""Every gateway's `name`, and the `channel` of every receipt it brings: evidence belongs to the phone, not to who carried the text."""


class Gateway(Channel, Finder, Prober, Protocol):
    """A channel named "sms" that can also be asked about an attempt and be tried without alarming anyone.

    Its outcomes tell whoever chooses among gateways what to do, so they have one meaning everywhere:

    - `Accepted`: it has the text. `reference`, where it has one, begins with the gateway's own word ("smpp:1a2b"), for two gateways
      share one channel.
    - `Failed(retry="permanent")`: this *number* can never be reached by anybody (no such number, landline, stopped).
    - `Failed(retry="transient")`: certainly not taken, for any other reason: unreachable, overloaded, and also what only we can mend
      (wrong password, no funds, sender not allowed). Another gateway may try at once, and so may this one later.
    - `Failed(retry="throttled", retry_after_s=…)`: certainly not taken because of our pace; it wants no more until then.
    - `Unknown`: it may have been taken. No other gateway tries before the ledger decides to repeat.

    `problem` says why *this* gateway can take nothing now, judged without a network call. A gateway may need `run` to be able to send.
    """
