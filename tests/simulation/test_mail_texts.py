"""A mail has a place for its reader's link where they are asked to answer, and nowhere else; one body serves all of them."""

from pathlib import Path

from tests.simulation.acts import answering, reporting
from tests.simulation.county import VILLAGES, recipients_csv
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import running
from warnd.channel import ANSWER_LINK, Accepted

V = VILLAGES
_KIND, _EMAIL = 1, 7  # Columns.


def _everybody_by_mail() -> str:
    """Return the county's people, those with a duty with a mail address beside the phone."""
    head, *lines = recipients_csv().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[_EMAIL] = f"{row[0]}@qinghe.example" if row[_KIND] == "person" else ""
    return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"


def test_a_warning_asks_by_link_and_its_cancel_asks_for_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        people = _everybody_by_mail()
        async with running(
            tmp_path, loop=loop, phones=reporting, mail=answering(Accepted()), recipients=people
        ) as world:
            alert = flood(codes=(V[0], V[1]))
            await world.release(alert)
            await world.clock.sleep(5)
            await world.release(cancel_of(alert))
            await world.clock.sleep(5)
            assert world.mail is not None
            warnings = [one for one in world.mail.sent if one.message.kind == "warning"]
            cancels = [one for one in world.mail.sent if one.message.kind == "cancel"]
            assert len(warnings) >= 2
            assert cancels
            assert {one.recipient for one in cancels} == {one.recipient for one in warnings}
            for one in warnings:
                text = one.texts[0]
                assert one.answer_url is not None
                assert text.text.count(ANSWER_LINK) == 1
                assert text.html.count(ANSWER_LINK) == 3, "the button, the plain link, and its words"
            languages = {one.texts[0].lang for one in warnings}
            assert len({id(one.texts) for one in warnings}) == len(languages), "made once for all who read one language"
            for one in cancels:
                assert one.answer_url is None
                assert ANSWER_LINK not in one.texts[0].text + one.texts[0].html
            await world.check_invariants()

    run(story(), loop)
