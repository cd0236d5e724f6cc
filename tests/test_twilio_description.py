"""What warnd asks of Twilio, held to the API description that Twilio publishes; prism answers and refuses by it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from channels.sms.twilio import Twilio, gateway, statuses
from channels.sms.twilio.callbacks import _SID
from tests.fakes.prism import Description, described
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER
from tests.fakes.twilio_stage import Stage, on_stage
from tests.waiting import until
from warnd.channel import Accepted, Unknown

SERVICE = "MG" + "ab" * 16


@pytest.fixture(scope="module")
def description() -> Iterator[Description]:
    with described() as served:
        yield served


@asynccontextmanager
async def at_prism(description: Description, *, sender: str = SENDER) -> AsyncIterator[tuple[Twilio, Stage]]:
    """Run a gateway against prism; the stage only gives texts and a clock."""
    async with on_stage(start=False) as stage, asyncio.TaskGroup() as group:
        served = Twilio(_options(description, sender), stage.context)
        task = group.create_task(served.run(stage.ledger))
        await until(lambda: served.problem() is None)
        yield served, stage
        task.cancel()


def _options(description: Description, sender: str) -> gateway.TwilioOptions:
    return gateway.TwilioOptions(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        sender=sender,
        base_url=description.url,
        public_url="https://warn.example.org",
        timeout_s=10,
        connections=5,
    )


@pytest.mark.parametrize("sender", [SENDER, SERVICE])
async def test_our_texts_are_taken(description: Description, sender: str) -> None:
    async with at_prism(description, sender=sender) as (twilio, stage):
        ((_, outcome),) = [each async for each in twilio.send([stage.outgoing()])]
        assert isinstance(outcome, Accepted)
        assert _SID.fullmatch(outcome.reference or "")
        assert outcome.segments == 1


async def test_our_look_at_the_account_and_our_questions_after_messages_are_answered(description: Description) -> None:
    async with at_prism(description) as (twilio, stage):
        assert (await twilio.probe())[0].wrong is None
        sent = twilio._recall.begin("a", to="+1", body="x", segments=1, at=stage.clock.now())
        twilio._lookup.doubted(sent)
        assert await twilio.find("a") == Unknown("not at Twilio yet"), "the example's messages are not ours"
        posted = await twilio._posted("SM" + "a" * 32)
        assert posted is not None
        assert posted.address


async def _our_form(*, sender: str = SENDER) -> dict[str, str]:
    async with on_stage(sender=sender) as stage:
        await stage.send_one()
        return stage.twilio.forms[0]


async def _status(
    description: Description, form: dict[str, str], *, account: str = ACCOUNT_SID, auth: bool = True
) -> int:
    async with httpx.AsyncClient(auth=(ACCOUNT_SID, AUTH_TOKEN) if auth else None) as client:
        answer = await client.post(f"{description.url}/2010-04-01/Accounts/{account}/Messages.json", data=form)
    return answer.status_code


async def test_the_description_refuses_what_would_be_a_mistake_of_ours(description: Description) -> None:
    """So that the tests above can fail."""
    form, by_service = await _our_form(), await _our_form(sender=SERVICE)
    assert await _status(description, form) == 201
    assert await _status(description, {name: form[name] for name in form if name != "To"}) == 422
    assert await _status(description, form | {"ValidityPeriod": "soon"}) == 422
    assert await _status(description, form | {"StatusCallback": "not an address"}) == 422
    assert await _status(description, by_service | {"MessagingServiceSid": "MG1"}) == 422
    assert await _status(description, form, account="AC1") == 422
    assert await _status(description, form, auth=False) == 401


async def test_every_field_of_ours_is_described(description: Description) -> None:
    assert set(await _our_form()) | set(await _our_form(sender=SERVICE)) <= set(description.form)


def test_our_bounds_are_those_of_the_description(description: Description) -> None:
    least, most = gateway._VALID_S
    assert f"integers from `{least}` to `{most}`" in description.form["ValidityPeriod"]["description"]
    assert f"up to {gateway._TEXT_MAX:,} characters" in description.form["Body"]["description"]


def test_every_state_of_a_message_is_known(description: Description) -> None:
    assert description.statuses - {"receiving", "received"} == statuses.KNOWN
