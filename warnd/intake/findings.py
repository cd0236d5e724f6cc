"""Reasons that only intake can give, because they need the ledger, the directory or who is asking. One table, like the rules of CAP."""

from typing import NamedTuple

from warnd.model.reason import Reason, Verdict, shorten

_CAUSE_MAX = 300


class _Rule(NamedTuple):
    """Where a finding lies, what can be done about it, and what it does."""

    element: str
    fix: str
    verdict: Verdict


_RULES = {
    "sender_not_allowed": _Rule(
        "sender", "Use the token of that sender, or have one made with --sender.", Verdict.REFUSE
    ),
    "scope_not_allowed": _Rule("", "Use a token of scope submit or release.", Verdict.REFUSE),
    "region_not_allowed": _Rule("area", "Shorten the area, or use a token for the region above.", Verdict.REFUSE),
    "chain_not_allowed": _Rule(
        "references",
        "Let the first sender or its superior send it, or enter the superior in authority.toml.",
        Verdict.REFUSE,
    ),
    "key_reused": _Rule("identifier", "Give a new message a new identifier; find out who sent this one.", Verdict.HOLD),
    "no_plan": _Rule("event", "Add a plan to the plans file, then approve the warning.", Verdict.HOLD),
    "drill_not_configured": _Rule(
        "status",
        "Configure [mqtt.drill] with its own user and signing key, so that a drill cannot sound like the real thing.",
        Verdict.REFUSE,
    ),
    "chain_cancelled": _Rule("references", "Send a new Alert if there is a new danger.", Verdict.HOLD),
    "overtaken": _Rule("sent", "Nothing; the newer version stands.", Verdict.NOTE),
    "outside_jurisdiction": _Rule(
        "area", "Offer it to the neighbour or to the common superior; nobody there is told from here.", Verdict.NOTE
    ),
}


def _found(code: str, cause: str) -> Reason:
    rule = _RULES[code]
    return Reason(code=code, element=rule.element, cause=shorten(cause, _CAUSE_MAX), fix=rule.fix, verdict=rule.verdict)


def not_your_sender(sender: str, who: str) -> Reason:
    """The one who brings it may not speak for its sender."""
    return _found("sender_not_allowed", f"{who} may not bring in messages of the sender {sender}")


def not_your_scope(who: str) -> Reason:
    """The one who brings it may only read."""
    return _found("scope_not_allowed", f"{who} may not bring in warnings")


def not_your_region(code: str, region: str) -> Reason:
    """The area reaches beyond the subtree of the one who brings it."""
    return _found("region_not_allowed", f"the area names {code}, which is not within {region}")


def not_your_chain(sender: str, chain_sender: str) -> Reason:
    """Only the chain's sender or its superior may update or cancel."""
    return _found("chain_not_allowed", f"{sender} is neither {chain_sender}, who began the chain, nor above it")


def key_reused(warning_id: str) -> Reason:
    """Sender and identifier are known with other content."""
    return _found("key_reused", f"sender and identifier are those of warning {warning_id}, but the content differs")


def no_plan(level: str, status: str) -> Reason:
    """No plan matches."""
    return _found("no_plan", f"no plan matches this hazard with level {level} and status {status}")


def drills_off() -> Reason:
    """Drills need their own connection and key."""
    return _found("drill_not_configured", "the status is Exercise or Test, and this node has no [mqtt.drill] section")


def chain_cancelled(warning_id: str) -> Reason:
    """An Update of something that was cancelled."""
    return _found("chain_cancelled", f"it updates a chain that {warning_id} has cancelled")


def overtaken(warning_id: str) -> Reason:
    """A newer version is known."""
    return _found("overtaken", f"warning {warning_id} of the same chain was sent at the same time or later")


def outside(codes: tuple[str, ...]) -> Reason:
    """Parts of the area belong to somebody else."""
    named = ", ".join(codes[:10])
    return _found("outside_jurisdiction", f"{len(codes)} of its regions are outside this node's jurisdiction: {named}")
