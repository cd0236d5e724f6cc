"""What the other side of every SMS gateway has in common for the contract suite: phones that drills reach, too, and reports by attempt."""

from warnd.channel import Outgoing, Receipt, Report
from warnd.model.evidence import Evidence


class TextingSide:
    """Part of an `OtherSide`."""

    drills = True
    receipts = True

    def announce(self, message_id: str) -> None:
        """Fail: there is no public site here."""
        raise AssertionError(f"the sms channel announced {message_id}")

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        """Tell by the attempt."""
        match receipt:
            case Report(attempt=attempt, evidence=evidence):
                return attempt == outgoing.attempt and evidence is Evidence.DELIVERED
        return False
