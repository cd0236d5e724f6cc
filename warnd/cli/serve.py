"""`warnd serve`: runs the daemon in the foreground, as systemd wants it."""

import sys

from warnd import daemon
from warnd.cli.logs import write_logs
from warnd.cli.output import say
from warnd.cli.settled import ConfigFile, load_settings
from warnd.cli.stop import Exit, Stop
from warnd.ledger.store import StoreError
from warnd.model.loudspeaker import KeyFileError
from warnd.settings import SettingsError


def serve(*, config: ConfigFile = None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    settings = load_settings(config)
    write_logs(settings.log)
    try:
        daemon.run(settings, ready=_tell)
    except (SettingsError, daemon.ConfigurationError) as wrong:
        raise Stop(str(wrong), code=Exit.USAGE) from wrong
    except (StoreError, KeyFileError, OSError) as closed:
        raise Stop(str(closed), code=Exit.UNREACHABLE) from closed


def _tell(url: str) -> None:
    say(f"warnd serves {url}")
    sys.stdout.flush()  # Whoever waits for this line may be reading a pipe.
