"""Alerts: rules over what a monitor sees, and the delivery of what they find."""

from perfwright.monitoring.alerts.absence import Absence
from perfwright.monitoring.alerts.burn_rate import BurnRate
from perfwright.monitoring.alerts.change_point import ChangePoint
from perfwright.monitoring.alerts.courier import Courier
from perfwright.monitoring.alerts.delivery import Destination
from perfwright.monitoring.alerts.engine import Alerts
from perfwright.monitoring.alerts.notices import Alert, Notice
from perfwright.monitoring.alerts.rule import Rule
from perfwright.monitoring.alerts.threshold import Threshold

__all__ = [
    "Absence",
    "Alert",
    "Alerts",
    "BurnRate",
    "ChangePoint",
    "Courier",
    "Destination",
    "Notice",
    "Rule",
    "Threshold",
]
