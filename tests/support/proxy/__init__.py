"""A TCP proxy before PostgreSQL that loses what a test wants to be lost."""

from tests.support.proxy.proxy import Proxy
from tests.support.proxy.weather import Side, Way

__all__ = ["Proxy", "Side", "Way"]
