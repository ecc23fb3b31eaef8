"""What calls cost: prices, token estimates, bookings, and budgets that hold."""

from perfwright.llm.cost.alerts import BudgetAlert
from perfwright.llm.cost.book import CostBook
from perfwright.llm.cost.budget import Budget
from perfwright.llm.cost.control import CostControl, Hold
from perfwright.llm.cost.estimator import TokenEstimator
from perfwright.llm.cost.places import in_redis, in_sqlite
from perfwright.llm.cost.price import Price, PriceTier
from perfwright.llm.cost.prices import Prices

__all__ = [
    "Budget",
    "BudgetAlert",
    "CostBook",
    "CostControl",
    "Hold",
    "Price",
    "PriceTier",
    "Prices",
    "TokenEstimator",
    "in_redis",
    "in_sqlite",
]
