"""What an operator decides in files: settings, plans, authority. Checked at start, with file, line, cause and fix."""

from warnd.settings.authority import load_authority
from warnd.settings.load import find, load
from warnd.settings.plans import load_plans
from warnd.settings.problem import Problem, SettingsError
from warnd.settings.shape import Http, Intake, Log, Mqtt, MqttDrill, MqttLink, Node, Settings, Sms, Spool, Store, Web

__all__ = [
    "Http",
    "Intake",
    "Log",
    "Mqtt",
    "MqttDrill",
    "MqttLink",
    "Node",
    "Problem",
    "Settings",
    "SettingsError",
    "Sms",
    "Spool",
    "Store",
    "Web",
    "find",
    "load",
    "load_authority",
    "load_plans",
]
