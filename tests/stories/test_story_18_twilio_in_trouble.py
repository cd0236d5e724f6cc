"""Scenarios 13, 14 and 18 with a real daemon, real HTTP, and a Twilio that does what it likes."""

from pathlib import Path

from tests.fakes.twilio import Kept
from tests.fakes.twilio_centre import TwilioCentre, twilio_centre
from tests.simulation.documents import flood
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.model.cap import Alert

OFFICER, OFFICERS_PHONE = "officer-519999101201", "+8613800000000"
CHIEF, CHIEFS_PHONE = "chief", "+8613500000000"
PEOPLE = 9  # Six officers, two township leaders, the chief.


def warning(identifier: str = "QH-1", *, level: str = "yellow") -> Alert:
    return flood(identifier=identifier, level=level, sent=SystemClock().now().replace(microsecond=0))


async def all_out(centre: TwilioCentre) -> None:
    await until(lambda: len(centre.twilio.heard()) + len(centre.spooled()) >= PEOPLE)


async def test_reports_early_late_in_disorder_and_forged(tmp_path: Path) -> None:
    async with twilio_centre(tmp_path) as centre:
        centre.twilio.early = "delivered"
        early = await centre.release(warning())
        await all_out(centre)
        for one in ("chief", OFFICER):
            await centre.until_evidence(early, one, "delivered")
        (text,) = centre.texts_to(OFFICERS_PHONE)
        for status in ("sent", "delivered", "sent"):
            assert (await centre.twilio.call_back(text, status)).status_code == 204
        assert (await centre.evidence(early))[OFFICER] == "delivered"

        centre.twilio.early = None
        red = await centre.release(warning("QH-2", level="red"))
        await until(lambda: len(centre.texts_to(OFFICERS_PHONE)) == 2)
        await _forgers_try(centre, centre.texts_to(OFFICERS_PHONE)[1])
        await _a_failed_part_is_sent_again(centre, red)
        await _an_answer_acknowledges(centre, red)


async def _forgers_try(centre: TwilioCentre, text: Kept) -> None:
    """A stranger, one who guesses the token, and one who shouts."""
    form = {"AccountSid": "AC" + "0" * 32, "MessageSid": text.sid, "MessageStatus": "delivered"}
    url = text.form["StatusCallback"]
    assert (await centre.twilio.post(url, form, signature="")).status_code == 403
    assert (await centre.twilio.post(url, form, token="guessed")).status_code == 403
    assert (await centre.twilio.post(url, b"x" * 200_000, signature="AAAA")).status_code in {413, 415}


async def _a_failed_part_is_sent_again(centre: TwilioCentre, red: str) -> None:
    text = centre.texts_to(OFFICERS_PHONE)[1]
    assert (await centre.evidence(red))[OFFICER] == "accepted", "what forgers said proved nothing"
    assert (await centre.twilio.call_back(text, "undelivered", code=30003)).status_code == 204
    await until(lambda: len(centre.texts_to(OFFICERS_PHONE)) == 3)
    again = centre.texts_to(OFFICERS_PHONE)[2]
    assert "（重发）" in again.form["Body"]
    assert again.form["StatusCallback"] != text.form["StatusCallback"]
    await centre.twilio.call_back(again, "delivered")
    await centre.until_evidence(red, OFFICER, "delivered")


async def _an_answer_acknowledges(centre: TwilioCentre, red: str) -> None:
    digit = centre.texts_to(OFFICERS_PHONE)[2].form["Body"].rpartition("回复")[2][0]
    answer = await centre.twilio.bring(centre.twilio.keep_inbound(digit, sender=OFFICERS_PHONE))
    assert answer.status_code == 204
    await centre.until_evidence(red, OFFICER, "acknowledged")


async def test_the_second_gateway_takes_what_twilio_certainly_did_not(tmp_path: Path) -> None:
    async with twilio_centre(tmp_path, fallback=True) as centre:
        centre.twilio.faults.extend(["lost", "503", 21408, 21211, "429"])
        await centre.release(warning())
        posted = centre.twilio.forms
        await until(lambda: len(posted) >= 5)
        lost, unavailable, barred, wrong, throttled = (form["To"] for form in posted[:5])
        await until(lambda: {unavailable, barred, throttled} <= {text["to"] for text in centre.spooled()})
        await until(lambda: len(centre.twilio.heard()) + len(centre.spooled()) == PEOPLE - 1)
        assert [one.form["To"] for one in centre.texts_to(lost)] == [lost]
        told = [one.form["To"] for one in centre.twilio.heard()] + [text["to"] for text in centre.spooled()]
        assert len(set(told)) == len(told), "nobody is told twice"
        assert lost not in {text["to"] for text in centre.spooled()}, "what may have left is not sent again"
        assert wrong not in told, "a number that does not exist is not tried by anybody else"
        assert not any("（重发）" in text["text"] for text in centre.spooled()), "what never left is no repeat"
        ready = (await centre.http.get("/readyz")).json()
        assert [problem for problem in ready["problems"] if problem.startswith("sms")] == []
