"""The composition root: builds every part from the settings, hands each what it needs, runs them, and stops them in order.

The only place that knows which channels exist, and where the machine's clock and randomness enter the daemon.
"""

from warnd.daemon.daemon import Daemon
from warnd.daemon.files import ConfigurationError, Files, read_files
from warnd.daemon.service import run

__all__ = ["ConfigurationError", "Daemon", "Files", "read_files", "run"]
