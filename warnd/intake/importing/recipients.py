"""What a row of recipients says: `id,kind,name,region,roles,lang,phone,email,lat,lon,public_key,apprise`."""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass

from warnd.chats import SERVICES, BadChatAddress, open_chat
from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problems
from warnd.intake.importing.row import Fields, Row
from warnd.ledger.enrolment.recipients import RecipientFacts, Seats
from warnd.model.reason import shorten
from warnd.model.region import stored_code

HEADER = Header(
    needed=("id", "kind", "name", "region"),
    optional=("roles", "lang", "phone", "email", "lat", "lon", "public_key", "apprise"),
)
KINDS = ("person", "household", "organisation", "terminal")
_NAME_MAX = 200
_ID = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_EMAIL = re.compile(r"[^\s@,;<>()\"\\]{1,64}@[^\s@,;<>()\"\\]+\.[^\s@,;<>()\"\\.]{2,}")
_EMAIL_MAX = 254  # RFC 5321 §4.5.3.1.3, without the brackets.
_PHONE_PAUSES = str.maketrans("", "", " -()")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MAINLAND_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SHORT = re.compile(r"[0-9]{3,8}")
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class RecipientEntry:
    """A recipient as the file has it, ready for the directory."""

    id: str
    facts: RecipientFacts
    seats: Seats


def read_recipient(
    row: Row, problems: Problems, *, language: str, services: Collection[str] = SERVICES
) -> RecipientEntry | None:
    """Return what the row says, or None if it has faults.

    Args:
        row: As read.
        problems: Where faults go.
        language: Whose texts a recipient gets who names none.
        services: The chat services that may be used.
    """
    fields = Fields(row, problems)
    kind = _kind(fields)
    entry_id, region = _id(fields, terminal=kind == "terminal"), fields.code("region")
    lat, lon = fields.point() or (None, None)
    facts = RecipientFacts(
        kind=kind,
        name=fields.text("name", longest=_NAME_MAX, needed=True),
        region=region,
        lang=_language(fields) or language,
        phone=_phone(fields),
        email=_email(fields),
        lat=lat,
        lon=lon,
        public_key=_public_key(fields, terminal=kind == "terminal"),
        apprise=_apprise(fields, services),
    )
    seats = _seats(fields, region=region)
    return RecipientEntry(entry_id, facts, seats) if fields.sound else None


def _kind(fields: Fields) -> str:
    kind = fields.get("kind").casefold()
    if kind not in KINDS:
        fields.fail("kind", f"'{shorten(kind)}' is no kind of recipient", f"Use one of {', '.join(KINDS)}.")
    return kind


def _id(fields: Fields, *, terminal: bool) -> str:
    value = fields.get("id")
    if not value:
        fields.fail("id", "is empty", "Give an id that stays the same from import to import.")
    elif not _ID.fullmatch(value):
        fields.fail("id", f"'{shorten(value)}' is no id", "Use 1 to 64 characters without spaces.")
    elif terminal and any(sign in value for sign in "/+#"):
        # The id is a level of MQTT topics, where these three mean something else (MQTT 5 §4.7.1).
        fields.fail("id", f"'{shorten(value)}' cannot be a terminal's MQTT id", "Leave out / + and #.")
    return value


def _language(fields: Fields) -> str:
    value = fields.get("lang")
    if value and not _LANGUAGE.fullmatch(value):
        fields.fail("lang", f"'{shorten(value)}' is no language", "Use a BCP 47 tag such as zh or en-GB.")
    return value


def _phone(fields: Fields) -> str | None:
    value = fields.get("phone").translate(_PHONE_PAUSES)
    if not value:
        return None
    if _MAINLAND_MOBILE.fullmatch(value):
        return f"+86{value}"
    if not _E164.fullmatch(value) and not _SHORT.fullmatch(value):
        fields.fail(
            "phone",
            f"'{shorten(fields.get('phone'))}' is no phone number",
            "Write + and country code, an 11-digit mainland mobile, or a short code of 3 to 8 digits; "
            "in a spreadsheet, format the column as text.",
        )
    return value


def _email(fields: Fields) -> str | None:
    value = fields.get("email")
    if value and (len(value) > _EMAIL_MAX or not _EMAIL.fullmatch(value)):
        fields.fail("email", f"'{shorten(value)}' is no e-mail address", "Write one address such as li@example.org.")
    return value or None


def _apprise(fields: Fields, services: Collection[str]) -> str | None:
    """Return the address of a chat; a fault never repeats it, because it holds a secret."""
    value = fields.get("apprise")
    if not value:
        return None
    try:
        open_chat(value, services)
    except BadChatAddress as error:
        fields.fail("apprise", error.cause, error.fix)
    return value


def _public_key(fields: Fields, *, terminal: bool) -> str | None:
    value = fields.get("public_key")
    if not terminal:
        if value:
            fields.fail("public_key", "only a terminal has one", "Leave it empty.")
        return None
    if not value:
        fields.fail("public_key", "is empty: no receipt of this terminal could be believed", _KEY_FIX)
    elif not _is_key(value):
        fields.fail("public_key", f"'{shorten(value)}' is no key of {_KEY_BYTES} bytes", _KEY_FIX)
    return value


_KEY_FIX = (
    "Write its Ed25519 public key as base64url without padding, 43 characters, as `warnd terminal keys` prints it."
)


def _is_key(value: str) -> bool:
    try:
        raw = base64.b64decode(f"{value}=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    # Written again it must be the same text: "+" and "/" or stray last bits would make two spellings of one key.
    return len(raw) == _KEY_BYTES and base64.urlsafe_b64encode(raw).decode().rstrip("=") == value


def _seats(fields: Fields, *, region: str) -> Seats:
    seats = set()
    for part in filter(None, (each.strip() for each in fields.get("roles").split(";"))):
        role, at, code = (each.strip() for each in part.partition("@"))
        if not _ROLE.fullmatch(role):
            fields.fail(
                "roles",
                f"'{shorten(part)}' is no role",
                "Write role or role@region_code, parted by ;, roles in lower case.",
            )
        elif at:
            fields.judge_code("roles", code)
        seats.add((role, stored_code(code) if at else region))
    return tuple(sorted(seats))
