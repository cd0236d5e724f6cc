"""Terminals as users of the broker, in whichever way the settings say: enrolled, given other passwords, shut out."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from warnd.cli.broker_dynsec import Admin, Login, enrol, expel
from warnd.cli.broker_passwords import change
from warnd.cli.broker_rights import ROOTS, daemon_rights, terminal_rights, user_of
from warnd.cli.stop import Exit, Stop
from warnd.model.loudspeaker import DRILL_ROOT
from warnd.settings import Settings
from warnd.settings.sections.mqtt import Mqtt, MqttLink


@dataclass(frozen=True, slots=True)
class Passwords:
    """What one terminal logs in with; `drill` is None where there are no drills."""

    terminal: str
    live: str = field(repr=False)
    drill: str | None = field(repr=False)


class BrokerUsers:
    """The users of the broker that `[mqtt]` names.

    Raises:
        Stop: `[mqtt]` or `[mqtt.admin]` is missing.
    """

    def __init__(self, settings: Settings) -> None:
        mqtt = settings.mqtt
        if mqtt is None or mqtt.admin is None:
            missing = "[mqtt]" if mqtt is None else "[mqtt.admin]"
            cause = (
                f"{missing} is missing in the settings, so the broker's users cannot be changed; see docs/terminals.md"
            )
            raise Stop(cause, code=Exit.USAGE)
        self._mqtt = mqtt
        self._admin = mqtt.admin
        self.dynamic = mqtt.admin.username is not None
        self.drills = mqtt.drill is not None if self.dynamic else mqtt.admin.drill_passwords is not None

    def login_of(self, terminal: str, *, drill: bool) -> str:
        """Return under which user a terminal logs in."""
        return user_of(terminal, DRILL_ROOT) if drill and self.dynamic else terminal

    def enrol(self, all_passwords: Sequence[Passwords]) -> None:
        """Let terminals in with these passwords; repeating it changes nothing."""
        if self.dynamic:
            enrol(self._administrator(), [login for one in all_passwords for login in _logins(one)])
            return
        self._change_files({one.terminal: one.live for one in all_passwords}, _drill_passwords(all_passwords))

    def enrol_daemon(self) -> list[str]:
        """Let the daemon in with the users and passwords of `[mqtt]` and `[mqtt.drill]`; return the users.

        Raises:
            Stop: A link has no user or password, or both have the same user where one store holds them.
        """
        links = {"live": self._mqtt, **({"drill": self._mqtt.drill} if self._mqtt.drill else {})}
        words = {name: _account(name, link) for name, link in links.items()}
        if self.dynamic:
            if len({user for user, _ in words.values()}) < len(words):
                cause = "[mqtt] and [mqtt.drill] have the same username; with dynamic security a drill needs its own, as warnd-drill"
                raise Stop(cause, code=Exit.USAGE)
            logins = [Login(user, word, daemon_rights(ROOTS[name])) for name, (user, word) in words.items()]
            enrol(self._administrator(), logins)
        else:
            self._change_files(dict([words["live"]]), dict([words["drill"]] if "drill" in words else []))
        return [user for user, _ in words.values()]

    def expel(self, terminals: Sequence[str]) -> None:
        """Let terminals in no more."""
        if self.dynamic:
            expel(self._administrator(), [user_of(one, root) for one in terminals for root in ROOTS.values()])
            return
        self._change_files({}, {}, gone=tuple(terminals))

    def _change_files(self, live: dict[str, str], drill: dict[str, str], *, gone: tuple[str, ...] = ()) -> None:
        assert self._admin.passwords is not None
        change(self._admin.passwords, enrol=live, expel=gone)
        if self._admin.drill_passwords is not None:
            change(self._admin.drill_passwords, enrol=drill, expel=gone)

    def _administrator(self) -> Admin:
        mqtt, admin = self._mqtt, self._admin
        assert admin.username is not None
        assert admin.password is not None
        return Admin(mqtt.host, mqtt.port, admin.username, admin.password.get_secret_value(), _context(mqtt))


def _account(name: str, link: MqttLink) -> tuple[str, str]:
    if link.username is None or link.password is None:
        section = "[mqtt]" if name == "live" else "[mqtt.drill]"
        raise Stop(f"{section} has no username and password_file, so there is no account to make", code=Exit.USAGE)
    return link.username, link.password.get_secret_value()


def _logins(one: Passwords) -> list[Login]:
    words = {"live": one.live, "drill": one.drill}
    return [
        Login(user_of(one.terminal, root), word, terminal_rights(one.terminal, root))
        for name, root in ROOTS.items()
        if (word := words[name]) is not None
    ]


def _drill_passwords(all_passwords: Sequence[Passwords]) -> dict[str, str]:
    return {one.terminal: one.drill for one in all_passwords if one.drill is not None}


def _context(mqtt: Mqtt) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=mqtt.ca_file) if mqtt.tls else None
