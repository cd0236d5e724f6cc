"""A real daemon on the shipped cloud example: one call for all, reports before the answer and by number, a reply."""

from pathlib import Path

import httpx

from tests.fakes.gateways_over_http import TOKEN, Cloud, as_json, cloud_toml, open_box
from tests.fakes.texting_centre import (
    CHIEF,
    CHIEFS_PHONE,
    OFFICER,
    OFFICERS_PHONE,
    PEOPLE,
    TextingCentre,
    texting_centre,
)
from tests.waiting import until

PUSH = f"/receipts/sms/{TOKEN}"


async def push(county: TextingCentre, path: str, *told: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=county.served.url) as gateway:
        answer = await gateway.post(path, content=as_json(told))
    assert (answer.status_code, answer.text) == (200, '{"code":0}')


def report(phone: str, status: str, batch: str = "b1") -> dict[str, str]:
    return {"batchId": batch, "mobile": phone, "status": status, "time": "2026-07-03 15:30:12"}


async def test_reports_by_number_find_their_texts_also_before_the_answer(tmp_path: Path) -> None:
    cloud = Cloud(mischief="slow")
    async with (
        open_box(cloud),
        texting_centre(tmp_path, cloud_toml(cloud, tmp_path, calls="1", timeout_s="20")) as county,
    ):
        warning = await county.release()
        await until(lambda: cloud.calls)
        await push(county, PUSH, *(report(CHIEFS_PHONE, "DELIVRD", f"b{number}") for number in range(1, PEOPLE + 1)))
        cloud.release.set()
        await until(lambda: len(cloud.taken) == PEOPLE)
        await county.until_evidence(warning, CHIEF, "delivered")
        assert (await county.deliveries(warning))[OFFICER]["evidence"] == "accepted"

        (taken,) = (taken for taken in cloud.taken if taken.number == OFFICERS_PHONE)
        await push(county, PUSH, report(OFFICERS_PHONE, "DELIVRD", taken.id))
        await county.until_evidence(warning, OFFICER, "delivered")
        digit = taken.text.rpartition("回复")[2][0]
        await push(
            county, f"{PUSH}/replies", {"mobile": OFFICERS_PHONE, "content": digit, "time": "2026-07-03 15:31:40"}
        )
        await county.until_evidence(warning, OFFICER, "acknowledged")
    assert cloud.calls < PEOPLE
