"""The HTTP door: the API with its documents, and the public site. It decides nothing and writes nothing but what the desk does."""

from warnd.web.app import create_app
from warnd.web.desk import Desk
from warnd.web.doors import Node
from warnd.web.server import CannotListen, bind, serve

__all__ = ["CannotListen", "Desk", "Node", "bind", "create_app", "serve"]
