"""`[alarms]`: how it is noticed outside that warnd itself is in trouble."""

from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator

from warnd.model.loudspeaker import parse_topic
from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Seconds, Table, Whole
from warnd.settings.sections.webhook import receiver

_TOPIC_MAX = 200


def _topic(value: str) -> str:
    if not value or len(value) > _TOPIC_MAX or set(value) & set("+#\0") or value.startswith("$"):
        cause = f'"{value}" is no topic that can be published to.'
        raise UnfitError(cause, 'Write one without "+" and "#", like "warnd/v1/centre/county/alive".')
    if parse_topic(value) is not None:
        raise UnfitError(f'"{value}" belongs to loudspeakers.', 'Write another, like "warnd/v1/centre/county/alive".')
    return value


Address = Annotated[str, PlainValidator(receiver)]


class Alarms(Table):
    """Signs of life outward, and alarms about the daemon itself.

    Attributes:
        heartbeat_url: Called for as long as all is well; whoever answers there notices when the calls stop.
        heartbeat_topic: On the broker of [mqtt]; published also when something is wrong, and says so.
    """

    heartbeat_url: Address | None = Field(
        default=None, description="an https address that is called regularly while all is well"
    )
    heartbeat_topic: Annotated[str, AfterValidator(_topic)] | None = Field(
        default=None, description='an MQTT topic for signs of life, like "warnd/v1/centre/county/alive"'
    )
    heartbeat_every_s: Annotated[Whole, Field(ge=1, le=3600)] = Field(
        default=60, description="seconds between two signs of life, 1 to 3600"
    )
    stalled_after_s: Annotated[Whole, Field(ge=1, le=3600)] = Field(
        default=120, description="seconds in which something must move while work is due, 1 to 3600"
    )
    url: Address | None = Field(default=None, description="an https address that alarms are posted to")
    repeat_every_s: Seconds = Field(
        default=900, description="seconds after which an alarm that goes on is posted again"
    )
    timeout_s: Annotated[Whole, Field(ge=1, le=60)] = Field(
        default=10, description="seconds that each of these calls may take, 1 to 60"
    )
