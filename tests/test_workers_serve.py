"""Two real `warnd serve` share a store: what one did, the other can answer for."""

from pathlib import Path

import httpx

from tests import invariants
from tests.fakes.sms_twilio import twilio_toml
from tests.fakes.twilio import AUTH_TOKEN, PUBLIC_URL, fake_twilio
from tests.fakes.workers import Centre, centre
from tests.simulation.documents import flood
from tests.waiting import until
from warnd.clock import SystemClock

HOUSEHOLDS = 3  # In each of six villages.
PEOPLE = HOUSEHOLDS * 6
SOON_S = 5.0


def _sms(url: str) -> str:
    """Return the gateway's settings without the section that every worker has of its own."""
    return twilio_toml(url).replace(f'[http]\npublic_url = "{PUBLIC_URL}"\n', "")


async def _started(made: Centre, url: str) -> None:
    (made.folder / "token").write_text(AUTH_TOKEN)
    for name in ("alpha", "beta"):
        await made.start(name, _sms(url), ["warnd", "serve", "--config", "{config}"], public_url=PUBLIC_URL)
    await made.all_answer()


async def test_callbacks_pages_and_streams_are_served_by_whoever_is_asked(tmp_path: Path) -> None:
    async with fake_twilio() as site, centre(tmp_path, households=HOUSEHOLDS) as made:
        await _started(made, site.twilio.url)
        alpha, beta = made.workers["alpha"], made.workers["beta"]
        async with beta.http.stream("GET", "/events", timeout=httpx.Timeout(SOON_S, read=SOON_S)) as stream:
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("id:"):
                pass
            warning = await alpha.release(
                flood(identifier="QH-1", level="orange", sent=SystemClock().now().replace(microsecond=0))
            )
            while warning not in await anext(lines):
                pass  # Over in time, or the stream's own time-out ends the test.
        assert (await beta.http.get(f"/w/{warning}")).status_code == httpx.codes.OK
        await until(lambda: len(site.twilio.heard()) == PEOPLE)
        site.twilio.proxied_to = str(beta.http.base_url)
        for one in site.twilio.heard():
            assert (await site.twilio.call_back(one, "delivered")).status_code == httpx.codes.NO_CONTENT
        await until(lambda: made.number("SELECT count(*) FROM delivery WHERE evidence >= 2") == PEOPLE)
        assert _texts_by(made, "alpha") > 0, "whoever took the warning did not send at once"
        assert _texts_by(made, "alpha") + _texts_by(made, "beta") == PEOPLE
        made.check(invariants.check)


def _texts_by(made: Centre, name: str) -> int:
    return made.number(
        "SELECT count(*) FROM event e, jsonb_array_elements(CAST(e.data AS jsonb)->'legs') WHERE e.kind = 'attempt.submitting' "
        "AND e.data LIKE '%\"sms\"%' AND e.writer = (SELECT writer FROM worker WHERE name = :name)",
        name=name,
    )
