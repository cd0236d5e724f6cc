"""One hash per content, so that the same warning arriving by two roads is recognised and a forged twin is too."""

import hashlib

from warnd.model.cap.alert import Alert
from warnd.model.cap.write import to_tree


def canonical_hash(alert: Alert) -> str:
    """Return the SHA-256, in hex, of what the alert says.

    White space between and inside values, prefixes, comments, encoding, a signature, the version (1.1 or 1.2) and how a
    number is written (8.50 for 8.5) make no difference; every name, value and the order of elements do.
    """
    digest = hashlib.sha256()
    for element in to_tree(alert).iter():
        depth = sum(1 for _ in element.iterancestors())
        text = " ".join((element.text or "").split()).encode()
        # The length keeps two neighbouring values from being read as one with the border elsewhere.
        digest.update(f"{depth} {element.tag} {len(text)} ".encode() + text)
    return digest.hexdigest()
