"""The watched folder: nothing half written is read, and every file ends where its name says what became of it."""

from pathlib import Path

from tests.outside.broker import needs_mosquitto
from tests.outside.cap import Cap, alert
from tests.outside.county import Village
from tests.outside.house import Api, House, until

pytestmark = needs_mosquitto


def put(house: House, name: str, content: bytes) -> Path:
    hidden = house.inbox / f".{name}.part"
    hidden.write_bytes(content)
    return hidden.rename(house.inbox / name)


def until_moved(house: House, name: str, folder: str) -> Path:
    found = until(lambda: list((house.inbox / folder).glob(f"{name}*")), f"{name} in {folder}/")
    return next(path for path in found if path.suffix == ".xml")


def words_beside(path: Path) -> str:
    beside = [each for each in path.parent.iterdir() if each.name.startswith(path.stem) and each != path]
    assert beside, f"no reason beside {path}"
    return "".join(each.read_text("utf-8") for each in beside)


def stored(api: Api, document: Cap) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.get("/api/v1/warnings", identifier=document.identifier)["warnings"]
    return found


def test_a_file_is_released_and_moved_to_done(house: House, api: Api, village: Village) -> None:
    document = alert([village.code], stem="folder")
    put(house, "good.xml", document.xml())
    until_moved(house, "good", "done")
    (made,) = stored(api, document)
    house.text(village.officer_phone, str(made["id"]))


def test_a_held_file_is_moved_to_held_with_its_reasons(house: House, api: Api, village: Village) -> None:
    document = alert([village.code], stem="folder", level=None)
    put(house, "unclear.xml", document.xml())
    words = words_beside(until_moved(house, "unclear", "held"))
    assert "level" in words
    (made,) = stored(api, document)
    assert made["state"] == "held"


def test_refused_files_are_moved_to_refused_with_their_reasons(house: House, api: Api, village: Village) -> None:
    no_end = alert([village.code], stem="folder", expires_s=None)
    files = (
        ("no-end", no_end.xml(), "expires"),
        ("no-xml", b"rubbish", ""),
        ("doctype", b"<!DOCTYPE a><a/>", "DOCTYPE"),
    )
    for name, content, _ in files:
        put(house, f"{name}.xml", content)
    for name, _, said in files:
        assert said in words_beside(until_moved(house, name, "refused"))
    assert all(each["state"] not in {"dispatching", "completed"} for each in stored(api, no_end))


def test_a_file_still_being_written_is_not_read(house: House, api: Api, village: Village) -> None:
    """Written in place, slowly, while others come and go: the first half alone would be refused."""
    document = alert([village.code], stem="folder")
    content = document.xml()
    path = house.inbox / "slow.xml"
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        put(house, "probe.xml", alert([village.code], stem="folder").xml())
        until_moved(house, "probe", "done")
        assert path.exists()
        file.write(content[len(content) // 2 :])
    until_moved(house, "slow", "done")
    assert len(stored(api, document)) == 1


def test_a_bad_file_blocks_nobody_behind_it(house: House, api: Api, village: Village) -> None:
    document = alert([village.code], stem="folder")
    put(house, "a-bad.xml", b"\x00" * 100)
    (house.inbox / "b-folder.xml").mkdir()
    put(house, "c-good.xml", document.xml())
    until_moved(house, "c-good", "done")
    assert len(stored(api, document)) == 1
