"""The reference village loudspeaker: obeys signed commands, speaks, proves what it did (DESIGN §9).

`Terminal` is the whole of it, with clock, randomness, connections and speaker handed in; `warnd terminal run`, the demo and the tests run
the same one. It knows nothing of the daemon but the protocol.
"""

from warnd.terminal.link import Access
from warnd.terminal.speaker import Speaker
from warnd.terminal.terminal import Place, Terminal

__all__ = ["Access", "Place", "Speaker", "Terminal"]
