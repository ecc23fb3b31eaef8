"""An OpenAI-compatible HTTP server with the whole pipeline behind it."""

from perfwright.llm.gateway.keys import GatewayKey, KeyRing, new_secret, sha256_of
from perfwright.llm.gateway.runtime import PieceStream, Runtime
from perfwright.llm.gateway.server import GatewayServer
from perfwright.llm.gateway.service import Gateway
from perfwright.llm.gateway.serving import Stop, serve
from perfwright.llm.gateway.settings import (
    DEFAULT_PORT,
    GatewaySettings,
    refuse_open_door,
)

__all__ = [
    "DEFAULT_PORT",
    "Gateway",
    "GatewayKey",
    "GatewayServer",
    "GatewaySettings",
    "KeyRing",
    "PieceStream",
    "Runtime",
    "Stop",
    "new_secret",
    "refuse_open_door",
    "serve",
    "sha256_of",
]
