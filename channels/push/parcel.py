"""What one browser is sent: a few words as JSON, encrypted so that only it can read them, with the headers that push services ask for."""

import base64
import hashlib
import json
import math
from datetime import datetime

from pywebpush import WebPusher

from warnd.channel import Message, Outgoing
from warnd.model.push import Subscription

PLAIN_MAX = (
    3_993  # Of the 4,096 bytes that every service takes (RFC 8030 §7.2), 103 go to the encryption (RFC 8188 §2).
)
_TTL_MAX_S = 2_419_200  # Four weeks: the most that push services keep anything.
_TOPIC_CHARS = 32  # RFC 8030 §5.4.


def plain(outgoing: Outgoing) -> bytes:
    """Return what the browser will read, within `PLAIN_MAX` bytes."""
    (text,) = outgoing.texts
    message = outgoing.message
    said = {
        "title": text.subject,
        "body": text.text,
        "lang": text.lang,
        "tag": message.chain_id,
        "url": f"/w/{message.id}",
    }
    packed = _packed(said)
    while (
        len(packed) > PLAIN_MAX
    ):  # Only quotes and line ends by the hundred can be that much longer than the text was cut to.
        said["body"] = said["body"][: len(said["body"]) // 2] + "…"
        packed = _packed(said)
    return packed


def encrypted(subscription: Subscription, words: bytes) -> bytes:
    """Return the words for this browser alone (RFC 8291)."""
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    body: bytes = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(words)["body"]
    return body


def headers(message: Message, *, now: datetime, authorization: str) -> dict[str, str]:
    """Return the headers: kept for the warning's life and not a second longer, urgent, and one per chain in the queue of who is away."""
    left_s = math.floor((message.expires_at - now).total_seconds())
    topic = base64.urlsafe_b64encode(hashlib.sha256(message.chain_id.encode()).digest()).decode()
    return {
        "Authorization": authorization,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(min(max(left_s, 0), _TTL_MAX_S)),
        "Topic": topic[:_TOPIC_CHARS],
        "Urgency": "high",
    }


def _packed(said: dict[str, str]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
