"""Where a program loses its time and memory, and why.

Names are fetched on first use, so that a program pays only for what it touches.
"""

from typing import TYPE_CHECKING

from perfwright import _lazy

if TYPE_CHECKING:
    from perfwright.profiling._growth import Growth
    from perfwright.profiling.asynchronous import AsyncProbe, LookProbe
    from perfwright.profiling.attach import profile_pid
    from perfwright.profiling.bottleneck import Bottleneck, BottleneckKind
    from perfwright.profiling.call_sizes import CALL_SIZES, CallSizes, observe_sizes
    from perfwright.profiling.complexity import (
        Complexity,
        complexity_of_observations,
        estimate_complexity,
    )
    from perfwright.profiling.counting import CallCounter
    from perfwright.profiling.decorator import profile
    from perfwright.profiling.detector import BottleneckAlert, BottleneckDetector
    from perfwright.profiling.diagnosis import OwnCode, diagnose
    from perfwright.profiling.diff import ProfileDiff, compare
    from perfwright.profiling.memory import MemoryProbe
    from perfwright.profiling.model import Profile
    from perfwright.profiling.profiler import Mode, Profiler
    from perfwright.profiling.sampling import Sampler

__all__ = [
    "AsyncProbe",
    "Bottleneck",
    "BottleneckAlert",
    "BottleneckDetector",
    "BottleneckKind",
    "CALL_SIZES",
    "CallCounter",
    "CallSizes",
    "Complexity",
    "Growth",
    "LookProbe",
    "MemoryProbe",
    "Mode",
    "OwnCode",
    "Profile",
    "ProfileDiff",
    "Profiler",
    "Sampler",
    "compare",
    "complexity_of_observations",
    "diagnose",
    "estimate_complexity",
    "observe_sizes",
    "profile",
    "profile_pid",
]

_HOMES = {
    "AsyncProbe": "asynchronous",
    "Bottleneck": "bottleneck",
    "BottleneckAlert": "detector",
    "BottleneckDetector": "detector",
    "BottleneckKind": "bottleneck",
    "CALL_SIZES": "call_sizes",
    "CallCounter": "counting",
    "CallSizes": "call_sizes",
    "Complexity": "complexity",
    "Growth": "_growth",
    "LookProbe": "asynchronous",
    "MemoryProbe": "memory",
    "Mode": "profiler",
    "OwnCode": "diagnosis",
    "Profile": "model",
    "ProfileDiff": "diff",
    "Profiler": "profiler",
    "Sampler": "sampling",
    "compare": "diff",
    "complexity_of_observations": "complexity",
    "diagnose": "diagnosis",
    "estimate_complexity": "complexity",
    "observe_sizes": "call_sizes",
    "profile": "decorator",
    "profile_pid": "attach",
}

__getattr__ = _lazy.fetch_from(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
