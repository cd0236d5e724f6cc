import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from warnd.model.level import Level
from warnd.resources import shipped
from warnd.settings import Settings, SettingsError, find, load

KEYS = ("live.pem", "drill.pem", "password")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a settings file, with the files that settings may name."""
    for name in KEYS:
        (tmp_path / name).write_text(f"the {name}\n")
    return tmp_path


def loaded(folder: Path, text: str, **env: str) -> Settings:
    config = folder / "warnd.toml"
    config.write_text(text, "utf-8")
    return load(config, env)


def refused(folder: Path, text: str, **env: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text, **env)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_three_lines_are_enough(folder: Path) -> None:
    settings = loaded(folder, '[node]\nname = "county"\njurisdiction = ["340000"]\n')
    assert (settings.node.name, settings.node.jurisdiction) == ("county", ("340000",))
    assert settings.store.url == f"sqlite:///{folder.resolve()}/warnd.sqlite"
    assert (settings.http.listen.host, settings.http.listen.port) == ("127.0.0.1", 8080)
    assert settings.plans_file == shipped("config") / "plans.toml"
    assert settings.web.site


def test_a_channel_without_a_section_is_off(folder: Path) -> None:
    settings = loaded(folder, "")
    assert settings.sms is None
    assert settings.mqtt is None


def test_the_shipped_example_works_as_it_stands() -> None:
    settings = load(shipped("config") / "warnd.toml", {})
    assert settings.intake.level_of("anybody", "Severe") is Level.ORANGE


def test_every_key_of_the_shipped_example_is_known(folder: Path) -> None:
    """The example's commented keys are settings, too: uncommented, only the files that they name are missing."""
    text = (shipped("config") / "warnd.toml").read_text("utf-8")
    uncommented = re.sub(r"^# (\[|\w+ = |\"\S+ = )", r"\1", text, flags=re.MULTILINE)
    problems = refused(folder, uncommented)
    files = [problem.split(": ")[1] for problem in problems if "There is no f" in problem]
    assert len(files) == len(problems)
    assert "mqtt.drill.signing_key_file" in files


def test_relative_paths_start_at_the_files_folder(folder: Path) -> None:
    text = '[intake]\nwatch_dir = "in"\n[sms.spool]\ndir = "spool"\n[store]\nurl = "sqlite:///store/w.db"\n'
    settings = loaded(folder, text)
    assert settings.intake.watch_dir == folder / "in"
    assert settings.sms is not None
    assert settings.sms.spool is not None
    assert settings.sms.spool.dir == folder / "spool"
    assert settings.store.url == f"sqlite:///{folder.resolve()}/store/w.db"


def test_without_a_file_relative_paths_start_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"WARND_SMS__SPOOL__DIR": "spool", "WARND_CONFIG": ""})
    assert settings.sms is not None
    assert settings.sms.spool is not None
    assert settings.sms.spool.dir == tmp_path / "spool"


def test_an_absolute_store_stays_where_it_is(folder: Path) -> None:
    assert loaded(folder, '[store]\nurl = "sqlite:////srv/warnd.db"').store.url == "sqlite:////srv/warnd.db"


def test_the_named_file_wins_over_the_variable_and_the_variable_over_the_places(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config").mkdir()
    (folder / "config" / "warnd.toml").write_text("")
    monkeypatch.chdir(folder)
    assert find(Path("named"), {"WARND_CONFIG": "variable"}) == Path("named")
    assert find(None, {"WARND_CONFIG": "variable"}) == Path("variable")
    assert find(None, {}) == Path("config/warnd.toml")


def test_a_named_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: There is no such file\."):
        load(None, {"WARND_CONFIG": str(tmp_path / "absent.toml")})


def test_a_variable_wins_over_the_file(folder: Path) -> None:
    text = '[http]\nlisten = "0.0.0.0:80"\n[sms]\nrate_per_s = 5\n[sms.spool]\ndir = "a"\n'
    settings = loaded(folder, text, WARND_HTTP__LISTEN="[::1]:0", WARND_SMS__SPOOL__DIR="b")
    assert str(settings.http.listen) == "[::1]:0"
    assert settings.sms is not None
    assert settings.sms.spool is not None
    assert (settings.sms.spool.dir, settings.sms.rate_per_s) == (folder / "b", 5)


def test_a_whole_table_in_a_variable_is_json(folder: Path) -> None:
    levels = loaded(folder, "", WARND_INTAKE__LEVELS='{"*": {"Extreme": "red"}}').intake
    assert levels.level_of("anybody", "Extreme") is Level.RED


def test_a_whole_table_in_a_variable_replaces_the_files(folder: Path) -> None:
    text = '[intake.levels."*"]\nExtreme = "purple"\nMinor = "blue"\n'
    intake = loaded(folder, text, WARND_INTAKE__LEVELS='{"*": {"Extreme": "red"}}').intake
    assert intake.level_of("anybody", "Extreme") is Level.RED
    assert intake.level_of("anybody", "Minor") is None


def test_a_variable_wins_over_the_variable_of_its_table(folder: Path) -> None:
    spool = {"WARND_SMS__SPOOL__DIR": "b", "WARND_SMS__SPOOL": '{"dir": "a"}', "WARND_SMS": '{"rate_per_s": 5}'}
    sms = loaded(folder, "", **spool).sms
    assert sms is not None
    assert sms.spool is not None
    assert (sms.spool.dir, sms.rate_per_s) == (folder / "b", 5)


def test_only_the_environment_that_was_handed_in_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARND_NODE__NAME", "of this process")
    monkeypatch.setenv("WARND_FOO", "1")
    assert loaded(folder, '[node]\nname = "county"').node.name == "county"


def test_people_know_a_sender_by_a_name(folder: Path) -> None:
    names = {"flood@county.example": "County Flood Office", "a@b": "清河县防汛办"}
    text = "[intake.sender_names]\n" + "".join(f'"{sender}" = "{name}"\n' for sender, name in names.items())
    assert loaded(folder, text).intake.sender_names == names
    assert loaded(folder, text, WARND_INTAKE__SENDER_NAMES='{"C@d": "D"}').intake.sender_names == {"C@d": "D"}


def test_an_empty_variable_is_an_empty_list(folder: Path) -> None:
    assert loaded(folder, '[node]\njurisdiction = ["34"]', WARND_NODE__JURISDICTION="").node.jurisdiction == ()


def test_a_channel_keeps_up_with_a_county_unless_told_to_go_slower(folder: Path) -> None:
    settings = loaded(folder, '[sms.spool]\ndir = "s"\n[mqtt]\nsigning_key_file = "live.pem"\n')
    assert settings.sms is not None
    assert settings.mqtt is not None
    assert (settings.sms.rate_per_s, settings.sms.concurrency) == (500, 200)
    assert (settings.mqtt.rate_per_s, settings.mqtt.concurrency) == (500, 50)


@pytest.mark.parametrize("written", ["34, 35", '["34", "35"]'])
def test_a_list_in_a_variable_is_written_with_commas_or_as_json(folder: Path, written: str) -> None:
    assert loaded(folder, "", WARND_NODE__JURISDICTION=written).node.jurisdiction == ("34", "35")


def test_a_secret_is_read_from_its_file_and_never_shown(folder: Path) -> None:
    text = '[mqtt]\nusername = "w"\npassword_file = "password"\nsigning_key_file = "live.pem"\n'
    settings = loaded(folder, text)
    assert settings.mqtt is not None
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.get_secret_value() == "the password"
    assert "the password" not in repr(settings)


def test_a_secret_where_none_belongs_is_not_quoted(folder: Path) -> None:
    key = 'signing_key_file = "live.pem"'
    problems = refused(folder, f'[mqtt]\n{key}\npassword = "hunter2"\n', WARND_SMS__TOKEN="hunter3")
    assert "hunter" not in "\n".join(problems)
    assert 'warnd.toml:3: mqtt.password: There is no such key. Did you mean "password_file"?' in problems


def test_the_drill_link_uses_the_live_broker_but_its_own_key_and_name(folder: Path) -> None:
    text = '[mqtt]\nhost = "broker"\ntls = true\nsigning_key_file = "live.pem"\n[mqtt.drill]\nsigning_key_file = "drill.pem"\n'
    mqtt = loaded(folder, text).mqtt
    assert mqtt is not None
    assert mqtt.drill is not None
    assert (mqtt.drill.host, mqtt.drill.port, mqtt.drill.tls) == ("broker", 8883, True)
    assert (mqtt.client_id, mqtt.drill.client_id) == ("warnd", "warnd-drill")


def test_a_drill_with_the_live_key_is_refused(folder: Path) -> None:
    text = '[mqtt]\nsigning_key_file = "live.pem"\n[mqtt.drill]\nsigning_key_file = "./live.pem"\n'
    assert "would sound real" in refused(folder, text)[0]


def test_two_links_with_one_client_id_are_refused(folder: Path) -> None:
    text = '[mqtt]\nsigning_key_file = "live.pem"\n[mqtt.drill]\nsigning_key_file = "drill.pem"\nclient_id = "warnd"\n'
    assert "same client id" in refused(folder, text)[0]


def test_a_senders_own_levels_replace_those_of_everybody(folder: Path) -> None:
    text = '[intake.levels."*"]\nExtreme = "red"\nMinor = "blue"\n[intake.levels."a@b"]\nExtreme = "orange"\n'
    intake = loaded(folder, text).intake
    assert intake.level_of("a@b", "Extreme") is Level.ORANGE
    assert intake.level_of("other", "Extreme") is Level.RED
    assert intake.level_of("a@b", "Minor") is None


TWILIO = """[sms]
provider = "twilio"
twilio.account_sid = "{sid}"
twilio.auth_token_file = "password"
twilio.from = "{sender}"
"""
MISTAKES = {
    "colour = 1": "warnd.toml:1: colour: There is no such key. Take it out; known here: alarms, apprise, authority_file, email,",
    '[alarms]\nheartbeat_topic = "warnd/#"': 'warnd.toml:2: alarms.heartbeat_topic: "warnd/#" is no topic that can be published to.',
    '[alarms]\nheartbeat_topic = "warnd/v1/terminal/T-1/state"': (
        'warnd.toml:2: alarms.heartbeat_topic: "warnd/v1/terminal/T-1/state" belongs to loudspeakers.'
    ),
    '[alarms]\nurl = "http://watch.example.org"': 'warnd.toml:2: alarms.url: "http://watch.example.org" is not https.',
    "[nodes]": 'warnd.toml:1: nodes: There is no such key. Did you mean "node"?',
    "[node]\nname = 5": "warnd.toml:2: node.name: Found 5; it should be a valid string. Write the name of this",
    'node = "county"': 'warnd.toml:1: node: Found "county"; a table is expected here.',
    '[node]\njurisdiction = "34"': 'warnd.toml:2: node.jurisdiction: Found "34"; a list is expected here. Write region codes',
    '[node]\njurisdiction = [\n"34",\n35]': "warnd.toml:4: node.jurisdiction[2]: Found 35; it should be a valid string.",
    '[node]\njurisdiction = ["34", "34"]': 'warnd.toml:2: node.jurisdiction: "34" stands here twice.',
    '[node]\ntimezone = "Mars/One"': 'warnd.toml:2: node.timezone: Found "Mars/One"; no such time zone is known here.',
    '[node]\nlanguages = ["../x"]': 'warnd.toml:2: node.languages[1]: Found "../x"; it should be a language tag.',
    '[store]\nurl = "postgresql://h"': 'warnd.toml:2: store.url: "postgresql://h" names no PostgreSQL database.',
    '[store]\nurl = "sqlite:///:memory:"': 'warnd.toml:2: store.url: "sqlite:///:memory:" names no SQLite file.',
    '[http]\nlisten = "8080"': 'warnd.toml:2: http.listen: Found "8080"; it should be "HOST:PORT".',
    '[http]\nlisten = "a:70000"': 'warnd.toml:2: http.listen: Found "a:70000"; it should be "HOST:PORT".',
    '[http]\npublic_url = "here"': 'warnd.toml:2: http.public_url: Found "here"; it should be a web address.',
    '[intake.levels."*"]\nExtreme = "purple"': 'warnd.toml:2: intake.levels."*".Extreme: Found "purple"; it should be a level.',
    '[intake.sender_names]\n"a@b" = ""': 'warnd.toml:2: intake.sender_names."a@b": Found ""; it should not be empty.',
    '[email]\nhost = "a"\nsender = "Wang"': 'warnd.toml:3: email.sender: Found "Wang"; it should be a mail address.',
    '[email]\nhost = "a"\nsender = "Wang <w@x.y"': 'warnd.toml:3: email.sender: Found "Wang <w@x.y"; it should be a mail',
    '[sms]\nprovider = "spool"': "warnd.toml:1: sms.spool: It is missing. Write a table [sms.spool] with dir.",
    '[sms]\nprovider = "pigeon"\nspool.dir = "s"': "warnd.toml:2: sms.provider: Found \"pigeon\"; it should be 'spool', 'twilio',",
    '[sms]\nprovider = "twilio"': "warnd.toml:1: sms.twilio: It is missing. Write a table [sms.twilio] with account_sid,",
    '[sms]\nfallback = "spool"\nspool.dir = "s"': 'warnd.toml:2: sms.fallback: "spool" is the provider already.',
    '[sms]\nfallback = "smpp"\nspool.dir = "s"': "warnd.toml:1: sms.smpp: It is missing. Write a table [sms.smpp] with",
    TWILIO.format(sid="AC" + "0" * 31, sender="+15005550006"): 'warnd.toml:3: sms.twilio.account_sid: "AC0000',
    TWILIO.format(
        sid="AC" + "0" * 32, sender="【清河】"
    ): 'warnd.toml:5: sms.twilio.from: "【清河】" can be no sender at Twilio.',
    '[sms]\nsignature = "【county】"\nspool.dir = "s"': 'warnd.toml:2: sms.signature: "【county】" has brackets.',
    '[sms]\nspool.dir = "s"\nrate_per_s = true': "warnd.toml:3: sms.rate_per_s: Found true; it should be a number.",
    '[sms]\nspool.dir = "s"\nrate_per_s = 0': "warnd.toml:3: sms.rate_per_s: Found 0; it should be greater than 0.",
    '[sms]\nspool.dir = ""': "warnd.toml:2: sms.spool.dir: The path is empty.",
    "[mqtt]": "warnd.toml:1: mqtt.signing_key_file: It is missing. Write a file with an unencrypted PEM PKCS#8 Ed25519",
    '[mqtt]\nsigning_key_file = "no.pem"': "warnd.toml:2: mqtt.signing_key_file: There is no file no.pem.",
    '[mqtt]\nport = "many"\nsigning_key_file = "live.pem"': 'warnd.toml:2: mqtt.port: Found "many"; it should be a valid',
    '[mqtt]\nsigning_key_file = "live.pem"\nca_file = "live.pem"': "warnd.toml:1: mqtt: ca_file without tls checks nothing.",
    '[mqtt]\nsigning_key_file = "live.pem"\npassword_file = "password"': "warnd.toml:1: mqtt: password_file without username",
    '[log]\nlevel = "loud"': "warnd.toml:2: log.level: Found \"loud\"; it should be 'debug', 'info', 'warning' or 'error'.",
    'plans_file = "no.toml"': "warnd.toml:1: plans_file: There is no file no.toml.",
    'templates_dir = "nowhere"': "warnd.toml:1: templates_dir: There is no folder nowhere.",
    '[node]\nname = "a\n': "warnd.toml:2: This is not TOML: Illegal character '\\n'.",
    '[node]\nname = "a"\nname = "b"': "warnd.toml:3: This is not TOML: Cannot overwrite a value.",
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.items())
def test_a_mistake_is_told_with_line_cause_and_fix(folder: Path, text: str, problem: str) -> None:
    (told,) = refused(folder, text)
    assert told.startswith(problem)
    assert told.endswith((".", "?"))


VARIABLES = {
    ("WARND_FOO", "1"): "environment variable WARND_FOO: foo: There is no such key.",
    (
        "WARND_HTTP__LISTE",
        "1",
    ): 'environment variable WARND_HTTP__LISTE: http.liste: There is no such key. Did you mean "listen"?',
    ("WARND_LOG__LEVEL", "loud"): 'environment variable WARND_LOG__LEVEL: log.level: Found "loud"; it should be',
    (
        "WARND_NODE__JURISDICTION",
        "[34",
    ): "environment variable WARND_NODE__JURISDICTION: node.jurisdiction: It begins like a JSON list",
    ("WARND_INTAKE__LEVELS", "{"): "environment variable WARND_INTAKE__LEVELS: intake.levels: It begins like JSON",
    (
        "WARND_NODE__NAME__FIRST",
        "x",
    ): 'environment variable WARND_NODE__NAME__FIRST: node.name.first: "name" is given as a value',
    ("WARND_FOO__BAR", "1"): "environment variable WARND_FOO__BAR: foo: There is no such key.",
    ("WARND_NODE____X", "1"): 'environment variable WARND_NODE____X: node."": There is no such key.',
    ("WARND_SMS__PROVIDER", "spool"): "environment variable WARND_SMS__PROVIDER: sms.spool: It is missing.",
    (
        "WARND_HTTP",
        '{"listen": "x"}',
    ): 'environment variable WARND_HTTP: http.listen: Found "x"; it should be "HOST:PORT".',
}


@pytest.mark.parametrize(("variable", "problem"), VARIABLES.items())
def test_a_mistaken_variable_is_named(folder: Path, variable: tuple[str, str], problem: str) -> None:
    (told,) = refused(folder, '[node]\nname = "a"', **dict([variable]))
    assert told.startswith(problem)


@pytest.mark.parametrize(
    ("table", "value"), [("WARND_SMS", "text"), ("WARND_SMS__SPOOL", "text"), ("WARND_SMS", '{"spool": "text"}')]
)
def test_a_variable_inside_the_value_of_another_is_not_overlooked(folder: Path, table: str, value: str) -> None:
    (told,) = refused(folder, "", **{table: value, "WARND_SMS__SPOOL__DIR": "d"})
    assert told.startswith("environment variable WARND_SMS__SPOOL__DIR: sms.spool.dir: ")
    assert "is given as a value, not as a table" in told


def test_the_drills_copy_of_a_wrong_value_is_not_told_again(folder: Path) -> None:
    text = '[mqtt]\nsigning_key_file = "live.pem"\n[mqtt.drill]\nsigning_key_file = "drill.pem"\n'
    (told,) = refused(folder, text, WARND_MQTT__PORT="many")
    assert told.startswith("environment variable WARND_MQTT__PORT: mqtt.port: ")


STEPS = (
    "NODE",
    "NAME",
    "JURISDICTION",
    "SMS",
    "SPOOL",
    "DIR",
    "MQTT",
    "DRILL",
    "PORT",
    "INTAKE",
    "LEVELS",
    "*",
    "FOO",
    "",
)
VALUES = (
    "{",
    "{}",
    "[",
    '{"dir": "a"}',
    '{"spool": {"dir": "a"}}',
    '{"drill": {"port": 1}}',
    '{"a": "b"}',
    "null",
    "1",
)


@given(
    env=st.dictionaries(
        st.lists(st.sampled_from(STEPS), min_size=1, max_size=4).map(lambda steps: "WARND_" + "__".join(steps)),
        st.one_of(st.text(max_size=8), st.sampled_from(VALUES)),
        max_size=4,
    )
)
@hypothesis_settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_variables_say_they_are_taken_or_named(folder: Path, env: dict[str, str]) -> None:
    try:
        loaded(folder, '[node]\nname = "a"\n[sms]\nspool.dir = "s"\n', **env)
    except SettingsError as error:
        places = {problem.place for problem in error.problems}
        assert places <= {f"environment variable {name}" for name in env}


def test_variables_of_the_commands_are_no_settings(folder: Path) -> None:
    names = ("WARND_CONFIG", "WARND_URL", "WARND_TOKEN", "WARND_TERMINAL_PASSWORD", "WARND_CAP_SAMPLES", "PATH")
    assert loaded(folder, "", **dict.fromkeys(names, "x")) == loaded(folder, "")


def test_every_problem_is_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    problems = refused(folder, "[log]\nlevel = 1\n[http]\nlisten = 2\n[node]\nname = 3\n")
    assert [problem.split(":")[1] for problem in problems] == ["2", "4", "6"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"two\nlines\n", b"x" * 5000])
def test_a_secret_file_without_one_line_of_text_is_refused(folder: Path, content: bytes) -> None:
    (folder / "password").write_bytes(content)
    text = '[mqtt]\nusername = "w"\nsigning_key_file = "live.pem"\npassword_file = "password"\n'
    (told,) = refused(folder, text)
    assert told.startswith("warnd.toml:4: mqtt.password_file: password ")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(folder: Path) -> None:
    config = folder / "warnd.toml"
    config.write_bytes(b"[node]\nname = '\xb0\xb2'\n")
    with pytest.raises(SettingsError, match=r"warnd\.toml:2: This is not UTF-8 text\."):
        load(config, {})


def test_a_folder_in_place_of_the_file_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="It cannot be read: is a directory"):
        load(folder, {})


def test_settings_cannot_be_changed(folder: Path) -> None:
    settings = loaded(folder, "")
    with pytest.raises(ValueError, match="frozen"):
        settings.node.name = "other"


def test_the_operators_guide_names_every_key_and_no_other() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "operators.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([a-z_.]+)` \|", guide.partition("\n## Settings\n")[2], flags=re.MULTILINE))
    assert told == set(keys_of(Settings))


_LIKE_OTHERS = {"mqtt.drill", *(f"sms.senders.{provider}" for provider in ("spool", "twilio", "http", "smpp"))}


def keys_of(shape: type[BaseModel], at: str = "") -> Iterator[str]:
    """Every key of a table and of the tables in it, as the guide writes them, but for tables that are like others."""
    for name, known in shape.model_fields.items():
        key = at + (known.alias or name)
        parts = [known.annotation, *get_args(known.annotation)]
        inner = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
        if inner is None or key in _LIKE_OTHERS:
            yield key
        else:
            yield from keys_of(inner, f"{key}.")
