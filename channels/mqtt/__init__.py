"""The daemon's side of the village loudspeakers: signed commands out over MQTT 5, signed receipts in (DESIGN §9)."""

from channels.mqtt import tls
from channels.mqtt.channel import Mqtt
from channels.mqtt.options import SESSION_EXPIRY_S, SHARED_SESSION_EXPIRY_S, LineOptions, MqttOptions
from warnd.channel import Context
from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, load_private_key
from warnd.settings import MqttLink, Settings

__all__ = ["LineOptions", "Mqtt", "MqttOptions", "build"]


def build(settings: Settings, context: Context) -> Mqtt | None:
    """Return the channel, or None if `[mqtt]` is missing.

    Raises:
        KeyFileError: A signing key cannot be used.
        CertificateError: A certificate or its key cannot be used.
    """
    if settings.mqtt is None:
        return None
    drill = settings.mqtt.drill
    return Mqtt(
        MqttOptions(
            live=_line_options(settings, settings.mqtt, root=LIVE_ROOT),
            drill=None if drill is None else _line_options(settings, drill, root=DRILL_ROOT),
        ),
        context,
    )


def _line_options(settings: Settings, link: MqttLink, *, root: str) -> LineOptions:
    shared = settings.store.shared and settings.node.worker is not None
    return LineOptions(
        root=root,
        host=link.host,
        port=link.port,
        client_id=link.client_id,
        signing_key=load_private_key(link.signing_key_file),
        username=link.username,
        password=None if link.password is None else link.password.get_secret_value(),
        tls=tls.context(ca_file=link.ca_file, cert_file=link.cert_file, key_file=link.key_file) if link.tls else None,
        window=link.concurrency,
        timeout_s=link.timeout_s,
        worker=settings.node.worker if shared else None,
        session_expiry_s=SHARED_SESSION_EXPIRY_S if shared else SESSION_EXPIRY_S,
    )
