"""What an operator decides in files: settings, plans, authority. Checked at start, with file, line, cause and fix."""

from warnd.settings.authority import load_authority
from warnd.settings.load import find, load
from warnd.settings.plans import load_plans
from warnd.settings.problem import Problem, SettingsError
from warnd.settings.sections.apprise import Apprise
from warnd.settings.sections.email import Email, Imap
from warnd.settings.sections.mqtt import Mqtt, MqttDrill, MqttLink
from warnd.settings.sections.push import Push
from warnd.settings.sections.sms import Sms, Spool, Twilio
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_smpp import SmsSmpp
from warnd.settings.sections.speech import Speech
from warnd.settings.sections.store import Store
from warnd.settings.sections.web import Web
from warnd.settings.sections.webhook import Webhook, WebhookEndpoint
from warnd.settings.shape import Http, Intake, Log, Node, Settings

__all__ = [
    "Apprise",
    "Email",
    "Http",
    "Imap",
    "Intake",
    "Log",
    "Mqtt",
    "MqttDrill",
    "MqttLink",
    "Node",
    "Problem",
    "Push",
    "Settings",
    "SettingsError",
    "Sms",
    "SmsHttp",
    "SmsSmpp",
    "Speech",
    "Spool",
    "Store",
    "Twilio",
    "Web",
    "Webhook",
    "WebhookEndpoint",
    "find",
    "load",
    "load_authority",
    "load_plans",
]
