"""Every rule a warning is judged by, in one table: code, what it may do, what it means, what to do about it.

Documents and tests walk `RULES`. The rules that need the directory or the ledger are applied by intake, but named here.
"""

from dataclasses import dataclass

from warnd.model.reason import Reason, Verdict, shorten

_REFUSE = (Verdict.REFUSE,)
_HOLD = (Verdict.HOLD,)
_NOTE = (Verdict.NOTE,)
_REFUSE_OR_NOTE = (Verdict.REFUSE, Verdict.NOTE)
_HOLD_OR_NOTE = (Verdict.HOLD, Verdict.NOTE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: Its name in problem details and logs.
        verdicts: What it can do; where it can do two things, the graver is first and `meaning` says when which.
        meaning: What it finds.
        fix: What whoever made the warning can do.
    """

    code: str
    verdicts: tuple[Verdict, ...]
    meaning: str
    fix: str


_STRUCTURE = (
    Rule(
        "too_large", _REFUSE, "The document has more than 2 MiB.", "Put large files behind a uri instead of a derefUri."
    ),
    Rule(
        "doctype",
        _REFUSE,
        "The document has a DOCTYPE.",
        "Leave out the DOCTYPE and write characters instead of entities.",
    ),
    Rule(
        "not_xml", _REFUSE, "The document is not well-formed XML.", "Check the document with any XML tool at that line."
    ),
    Rule(
        "not_cap",
        _REFUSE,
        "The root is not a CAP alert.",
        "Send each <alert> by itself, not the feed or envelope around it.",
    ),
    Rule("version_unsupported", _REFUSE, "It is CAP, but not 1.1 or 1.2.", "Send CAP 1.2."),
    Rule(
        "element_unexpected",
        _REFUSE,
        "An element stands where CAP has no place for it.",
        "Write the elements in CAP's order.",
    ),
    Rule("element_missing", _REFUSE, "An element that CAP requires is missing.", "Add the element at this place."),
    Rule(
        "value_not_allowed",
        _REFUSE,
        "A value is not one of those CAP allows there.",
        "Write one of the values that CAP lists.",
    ),
    Rule(
        "time_form",
        _REFUSE,
        "A time is not written as its version of CAP wants it.",
        "Write it like 2026-07-01T08:00:00+08:00: whole seconds and a numeric offset, no Z.",
    ),
    Rule("time_unreadable", _REFUSE, "A time lies outside the calendar.", "Write a time within the years 1 to 9999."),
    Rule("structure", _REFUSE, "The structure is otherwise not CAP's.", "Compare the element with the CAP standard."),
)

_IDENTITY = (
    Rule("sender_unusable", _REFUSE, "`sender` is blank or longer than 500 characters.", "Name the sender."),
    Rule(
        "identifier_unusable", _REFUSE, "`identifier` is blank or longer than 500 characters.", "Give it an identifier."
    ),
    Rule(
        "key_characters",
        _NOTE,
        "`sender` or `identifier` has a space, comma, < or &, which CAP 1.2 §3.2.1 forbids.",
        "Leave these characters out, so that references to it can be read.",
    ),
    Rule(
        "not_dispatched_status",
        _REFUSE,
        "Status Draft or System is never dispatched.",
        "Send it as Actual, Exercise or Test.",
    ),
    Rule(
        "not_dispatched_type",
        _REFUSE,
        "Message types Ack and Error speak to senders, not to the public.",
        "Send an Alert, Update or Cancel.",
    ),
    Rule(
        "references_missing",
        _REFUSE,
        "An Update or Cancel names no other message.",
        "Add sender,identifier,sent of each.",
    ),
    Rule(
        "reference_unreadable",
        _NOTE,
        "A part of `references` is no sender,identifier,sent triple; the others count.",
        "Write each as sender,identifier,sent, with spaces between them.",
    ),
    Rule(
        "restriction_missing",
        _NOTE,
        "Scope Restricted without a `restriction`.",
        "Say in `restriction` who may have it.",
    ),
    Rule("addresses_missing", _NOTE, "Scope Private without `addresses`.", "Name the recipients in `addresses`."),
    Rule(
        "cancel_kind_unknown",
        _NOTE,
        "`warnd:cancel` is neither lift nor retract; the texts stay neutral.",
        "Write lift (the danger has passed) or retract (it was sent by mistake).",
    ),
)

_TIMES = (
    Rule(
        "time_without_zone",
        _REFUSE_OR_NOTE,
        "A time has no zone (CAP 1.1) and could mean any of 27 hours; noted only in a Cancel, which needs no times.",
        "Add the offset, like +08:00.",
    ),
    Rule("expires_missing", _REFUSE, "An info does not say when it ends.", "Add `expires` to each info."),
    Rule("expires_past", _REFUSE, "The warning has already ended.", "Send a new warning if the danger lasts."),
    Rule(
        "expires_not_after_sent", _REFUSE, "The warning ends no later than it was sent.", "Correct `expires` or `sent`."
    ),
    Rule("info_expired", _NOTE, "One info has ended while another goes on.", "Send an Update without the ended info."),
    Rule("effective_after_expires", _NOTE, "`effective` or `onset` is not before `expires`.", "Correct the times."),
    Rule(
        "sent_in_future", _HOLD, "`sent` is later than now by more than the tolerance.", "Set the clock of the sender."
    ),
)

_TEXTS = (
    Rule("info_missing", _REFUSE, "An Alert or Update has no info.", "Add an info with at least one area."),
    Rule(
        "language_missing",
        _HOLD,
        "An info does not name its language; the standard then takes en-US, which it may well not be.",
        "Add `language`, like zh-CN.",
    ),
    Rule("event_blank", _NOTE, "`event` is blank: texts cannot name the danger.", "Name the danger in `event`."),
    Rule(
        "instruction_missing",
        _NOTE,
        "An info does not say what to do.",
        "Add `instruction`, or supply it before release.",
    ),
    Rule(
        "level_unknown",
        _HOLD_OR_NOTE,
        "No level can be told; noted only if the same warning in another language has one.",
        "Send it with the parameter warnd:level (red, orange, yellow, blue) under a new identifier, "
        "or map the sender's values in [intake] and approve it.",
    ),
)

_AREAS = (
    Rule(
        "area_missing", _REFUSE, "No info of an Alert or Update has an area.", "Add an area with a geocode or polygon."
    ),
    Rule(
        "info_without_area", _NOTE, "An info has no area; those of the others count.", "Repeat the area in each info."
    ),
    Rule("area_description_blank", _NOTE, "`areaDesc` is blank: texts cannot name the place.", "Name the place."),
    Rule(
        "polygon_unreadable",
        _REFUSE_OR_NOTE,
        "A polygon's text is no list of lat,lon pairs; noted if another part of the area is usable.",
        "Write lat,lon pairs with spaces between them.",
    ),
    Rule(
        "polygon_empty",
        _REFUSE_OR_NOTE,
        "A polygon encloses nothing; noted if another part of the area is usable.",
        "Give at least three corners and the first one again.",
    ),
    Rule(
        "polygon_open",
        _REFUSE_OR_NOTE,
        "A polygon does not end where it began; noted if another part of the area is usable.",
        "Repeat the first point at the end.",
    ),
    Rule(
        "polygon_crossing",
        _REFUSE_OR_NOTE,
        "A polygon crosses itself; noted if another part of the area is usable.",
        "Draw it so that no two sides cross.",
    ),
    Rule(
        "polygon_off_earth",
        _REFUSE_OR_NOTE,
        "A coordinate lies beyond ±90, ±180; noted if another part of the area is usable.",
        "Write latitude first, then longitude, in degrees.",
    ),
    Rule(
        "polygon_too_wide",
        _REFUSE_OR_NOTE,
        "A polygon spans more than half the globe, as one across the 180th meridian seems to; noted as above.",
        "Cut it in two at the 180th meridian.",
    ),
    Rule(
        "circle_unreadable",
        _REFUSE_OR_NOTE,
        "A circle's text is not lat,lon radius; noted if another part of the area is usable.",
        "Write lat,lon, a space and the radius in kilometres.",
    ),
    Rule(
        "circle_off_earth",
        _REFUSE_OR_NOTE,
        "A circle's centre lies beyond ±90, ±180; noted if another part of the area is usable.",
        "Write latitude first, then longitude, in degrees.",
    ),
    Rule(
        "circle_radius_zero",
        _HOLD_OR_NOTE,
        "A circle has radius 0; noted beside another usable part, held where it is all the area there is.",
        "Give the radius in kilometres, or the area by geocode or polygon.",
    ),
    Rule(
        "altitude_unreadable", _NOTE, "A height is no number and does not go out in CAP 1.2.", "Write feet as a number."
    ),
)

_INTAKE = (
    Rule(
        "reference_unknown",
        _HOLD,
        "An Update refers to a message this node never had.",
        "Send the Alert first, or release it.",
    ),
    Rule(
        "area_unresolved",
        _HOLD,
        "No area resolves to a region known here.",
        "Use region_code geocodes, or extend the alias table.",
    ),
    Rule("geocode_unknown", _NOTE, "One geocode of several is unknown here.", "Extend the alias table."),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in (*_STRUCTURE, *_IDENTITY, *_TIMES, *_TEXTS, *_AREAS, *_INTAKE)}


def finding(code: str, element: str, cause: str, *, verdict: Verdict | None = None) -> Reason:
    """Return the reason for one breach of the rule `code`.

    Args:
        code: A key of `RULES`.
        element: Where, as `Reason.element` has it.
        cause: What was found, with its value; cut to 300 characters.
        verdict: One of the rule's verdicts; by default its first.
    """
    rule = RULES[code]
    chosen = rule.verdicts[0] if verdict is None else verdict
    assert chosen in rule.verdicts, f"{code} never does {chosen}"
    return Reason(code=code, element=element, cause=shorten(cause, 300), fix=rule.fix, verdict=chosen)
