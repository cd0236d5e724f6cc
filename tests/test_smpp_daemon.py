"""A real daemon on a message centre: receipts by part, a kill between answer and receipt, an answer from a phone."""

from pathlib import Path

from tests.fakes.message_centre import Centre, Submitted, listening
from tests.fakes.texting_centre import CHIEF, CHIEFS_PHONE, OFFICER, OFFICERS_PHONE, PEOPLE, texting_centre
from tests.waiting import until

TOML = """
[sms]
provider = "smpp"
[sms.smpp]
host = "127.0.0.1"
port = {port}
system_id = "county"
password_file = "password"
parts_file = "parts"
"""


async def test_receipts_find_their_texts_across_a_kill(tmp_path: Path) -> None:
    ids: dict[str, list[str]] = {}
    texts: dict[str, str] = {}

    def take(centre: Centre, one: Submitted) -> None:
        phone = one.pdu.destination_addr.removeprefix("86")
        ids.setdefault(phone, []).append(f"m{len(centre.submitted)}")
        body = one.pdu.short_message[6:] if one.pdu.esm_class else one.pdu.short_message
        texts[phone] = texts.get(phone, "") + body.decode("utf-16-be")
        centre.answer(one, message_id=ids[phone][-1])

    (tmp_path / "password").write_text("secret\n")
    async with (
        listening(Centre(on_submit=take)) as centre,
        texting_centre(tmp_path, TOML.format(port=centre.port)) as county,
    ):
        warning = await county.release()
        await until(lambda: len(ids) == PEOPLE and all("1确认" in text or "confirm" in text for text in texts.values()))
        assert (len(ids[OFFICERS_PHONE]), len(ids[CHIEFS_PHONE])) == (1, 3), (
            "the story needs a short text and a long one"
        )
        for message_id in ids[CHIEFS_PHONE][:2]:
            centre.receipt(message_id)
        await until(lambda: centre.told == [0, 0])
        assert (await county.deliveries(warning))[CHIEF]["evidence"] == "accepted", (
            "two of three parts are not the text"
        )

        await county.crash()
        await until(lambda: len(centre.binds) == 2)
        centre.receipt(ids[CHIEFS_PHONE][2])
        centre.receipt(ids[OFFICERS_PHONE][0])
        await county.until_evidence(warning, CHIEF, "delivered")
        await county.until_evidence(warning, OFFICER, "delivered")

        centre.deliver(b"1", source=f"86{OFFICERS_PHONE}")
        await county.until_evidence(warning, OFFICER, "acknowledged")
        assert len(centre.submitted) == PEOPLE + 2, "nothing was sent again"
