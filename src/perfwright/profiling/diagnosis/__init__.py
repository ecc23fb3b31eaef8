"""From what probes saw to causes: own code, charging, kinds and their ranking; pure."""

from perfwright.profiling.diagnosis.own import OwnCode
from perfwright.profiling.diagnosis.ranking import diagnose

__all__ = ["OwnCode", "diagnose"]
