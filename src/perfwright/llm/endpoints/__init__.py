"""Endpoints of providers: limits known or learned, retries, breakers, fallbacks, hedging."""

from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.pool import EndpointPool
from perfwright.llm.endpoints.settings import CallSettings, HedgeSettings

__all__ = ["CallSettings", "Endpoint", "EndpointPool", "HedgeSettings"]
