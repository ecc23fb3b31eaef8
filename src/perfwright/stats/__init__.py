"""The statistics of decisions: pure functions of numbers, no clock, no I/O, no third-party code."""

from perfwright.stats.blocks import (
    BLOCK,
    block_scores,
    pair_ratios,
    smallest_tail,
    upper_tail,
    z_score,
)
from perfwright.stats.change_points import ChangePoint, change_points
from perfwright.stats.interval import BlockData, RatioInterval, ratio_interval
from perfwright.stats.multiplicity import FalseKeepControl
from perfwright.stats.sequential import Look, conditional_power, first_look, plan_looks

__all__ = [
    "BLOCK",
    "BlockData",
    "ChangePoint",
    "FalseKeepControl",
    "Look",
    "RatioInterval",
    "block_scores",
    "change_points",
    "conditional_power",
    "first_look",
    "pair_ratios",
    "plan_looks",
    "ratio_interval",
    "smallest_tail",
    "upper_tail",
    "z_score",
]
