"""What receivers are told: one JSON document per message, the same bytes for every receiver and every try."""

import json
from datetime import UTC, datetime

from warnd.channel import Message
from warnd.model import cap

EMBEDDED_MAX = 262_144  # Characters of CAP; larger documents are fetched by their address.


def body(message: Message, *, public_url: str | None) -> bytes:
    """Return the document.

    `timestamp` is when the warning was issued, as Standard Webhooks has it; when it was posted stands in the headers.
    """
    alert = cap.parse(message.document)
    areas = [area.description for info in alert.infos for area in info.areas]
    document = message.document.decode()
    said = {
        "type": f"warning.{alert.msg_type.lower()}",
        "timestamp": _time(message.issued_at),
        "data": {
            "id": message.id,
            "chain_id": message.chain_id,
            "seq": message.seq,
            "sender": alert.sender,
            "identifier": alert.identifier,
            "sent": _time(message.issued_at),
            "status": message.status,
            "msg_type": alert.msg_type,
            "level": None if message.level is None else message.level.word,
            "event": message.event,
            "headline": message.headline,
            "areas": list(dict.fromkeys(areas)) or [message.area],
            "expires": _time(message.expires_at),
            "url": None if public_url is None else f"{public_url}/w/{message.id}",
            "cap_url": None if public_url is None else f"{public_url}/feed/{message.id}.xml",
            "cap": document if len(document) <= EMBEDDED_MAX else None,
        },
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
