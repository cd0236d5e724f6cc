"""Reasons that only intake can give, because they need the ledger, the directory or who is asking."""

from warnd.model.reason import Reason, Verdict, shorten


def _reason(code: str, element: str, *, cause: str, fix: str, verdict: Verdict) -> Reason:
    return Reason(code=code, element=element, cause=shorten(cause, 300), fix=fix, verdict=verdict)


def not_your_sender(sender: str, who: str) -> Reason:
    """The one who brings it may not speak for its sender."""
    return _reason(
        "sender_not_allowed",
        "sender",
        cause=f"{who} may not bring in messages of the sender {sender}",
        fix="Use the token of that sender, or have one made with --sender.",
        verdict=Verdict.REFUSE,
    )


def not_your_scope(who: str) -> Reason:
    """The one who brings it may only read."""
    return _reason(
        "scope_not_allowed",
        "",
        cause=f"{who} may not bring in warnings",
        fix="Use a token of scope submit or release.",
        verdict=Verdict.REFUSE,
    )


def not_your_region(code: str, region: str) -> Reason:
    """The area reaches beyond the subtree of the one who brings it."""
    return _reason(
        "region_not_allowed",
        "area",
        cause=f"the area names {code}, which is not within {region}",
        fix="Shorten the area, or use a token for the region above.",
        verdict=Verdict.REFUSE,
    )


def not_your_chain(sender: str, chain_sender: str) -> Reason:
    """Only the chain's sender or its superior may update or cancel."""
    return _reason(
        "chain_not_allowed",
        "references",
        cause=f"{sender} is neither {chain_sender}, who began the chain, nor above it",
        fix="Let the first sender or its superior send it, or enter the superior in authority.toml.",
        verdict=Verdict.REFUSE,
    )


def key_reused(warning_id: str) -> Reason:
    """Sender and identifier are known with other content."""
    return _reason(
        "key_reused",
        "identifier",
        cause=f"sender and identifier are those of warning {warning_id}, but the content differs",
        fix="Give a new message a new identifier; find out who sent this one.",
        verdict=Verdict.HOLD,
    )


def no_plan(level: str, status: str) -> Reason:
    """No plan matches."""
    return _reason(
        "no_plan",
        "event",
        cause=f"no plan matches this hazard with level {level} and status {status}",
        fix="Add a plan to the plans file, then approve the warning.",
        verdict=Verdict.HOLD,
    )


def drills_off() -> Reason:
    """Drills need their own connection and key."""
    return _reason(
        "drill_not_configured",
        "status",
        cause="the status is Exercise or Test, and this node has no [mqtt.drill] section",
        fix="Configure [mqtt.drill] with its own user and signing key, so that a drill cannot sound like the real thing.",
        verdict=Verdict.REFUSE,
    )


def chain_cancelled(warning_id: str) -> Reason:
    """An Update of something that was cancelled."""
    return _reason(
        "chain_cancelled",
        "references",
        cause=f"it updates a chain that {warning_id} has cancelled",
        fix="Send a new Alert if there is a new danger.",
        verdict=Verdict.HOLD,
    )


def overtaken(warning_id: str) -> Reason:
    """A newer version is known."""
    return _reason(
        "overtaken",
        "sent",
        cause=f"warning {warning_id} of the same chain was sent at the same time or later",
        fix="Nothing; the newer version stands.",
        verdict=Verdict.NOTE,
    )


def outside(codes: tuple[str, ...]) -> Reason:
    """Parts of the area belong to somebody else."""
    return _reason(
        "outside_jurisdiction",
        "area",
        cause=f"{len(codes)} of its regions are outside this node's jurisdiction: {', '.join(codes[:10])}",
        fix="Offer it to the neighbour or to the common superior; nobody there is told from here.",
        verdict=Verdict.NOTE,
    )
