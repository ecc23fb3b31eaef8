"""What is searched: the values that each setting may take, as far as the memory allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

from perfwright.agents.database.postgresql.knobs import KIB, KNOBS, MEMORY_KNOBS, Knob
from perfwright.agents.database.server import ServerState

WORK_SHARE = 0.25  # of the memory, for the sorts and hashes of all connections together
CACHE_SHARE = 0.75  # of the memory, at most, that `effective_cache_size` may claim
NODES = 2  # sorts and hashes of one statement that hold their memory at the same time
BUSY_SHARE = 0.1  # of the allowed connections, at least, that are taken to run such a statement
MIN_BUSY = 4
PEAK = 2.0  # how many times the active connections that were seen there may be
MEMORY_PRICE = 0.005  # of the reads' time that a doubling of the memory must win
GUESSED_MEMORY = 2 * 2**30
BUFFERS_SHARE = 0.25  # of the memory that administrators usually give to `shared_buffers`

Config = tuple[int, ...]
"""A place on each ladder of a space; 0 is the present value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The memory that sorts and hashes may take."""

    memory_bytes: float
    """Of the machine that the server runs on; a low guess where it cannot be seen."""
    busy: float
    """Connections that are taken to run a large statement at the same time."""

    @property
    def each_kib(self) -> float:
        """What one sort or hash may take."""
        return WORK_SHARE * self.memory_bytes / 1024 / (self.busy * NODES)


def room_of(server: ServerState, *, memory_bytes: float | None) -> Room:
    """Work out the memory for sorts and hashes.

    Args:
        server: Its connections, and what its administrator says of its memory.
        memory_bytes: Memory of its machine; None: unknown, so that its settings must tell.
    """
    active = sum(c.count for c in server.connections if c.state == "active")
    allowed = server.max_connections or 100
    busy = min(float(allowed), max(MIN_BUSY, PEAK * active, BUSY_SHARE * allowed))
    return Room(memory_bytes=memory_bytes or _told_memory(server), busy=busy)


def _told_memory(server: ServerState) -> float:
    """The memory that the settings of a server speak of; what nobody set says nothing."""
    found = [GUESSED_MEMORY]
    for name, share in (("shared_buffers", BUFFERS_SHARE), ("effective_cache_size", CACHE_SHARE)):
        setting = server.setting(name)
        if setting is not None and setting.number and setting.source != "default":
            kib = setting.number * KIB.get(setting.unit.lower(), 8.0)
            found.append(int(kib * 1024 / share))
    # The smaller one of two that were set: a wrong guess must not fill the memory.
    return float(min(found[1:]) if len(found) > 2 else max(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """One knob with the values that are tried, the present one first."""

    knob: Knob
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What is searched."""

    ladders: tuple[Ladder, ...]
    room: Room
    hash_factor: float = 2.0
    """The present `hash_mem_multiplier`, where it is not searched."""
    work_kib: float = 4096.0
    """The present `work_mem`, where it is not searched."""

    @property
    def start(self) -> Config:
        """The present values."""
        return (0,) * len(self.ladders)

    @property
    def size(self) -> int:
        """How many configurations there are."""
        total = 1
        for ladder in self.ladders:
            total *= len(ladder.values)
        return total

    def values(self, config: Config) -> dict[str, float]:
        """The values of a configuration, by name."""
        pairs = zip(self.ladders, config, strict=True)
        return {ladder.knob.name: ladder.values[rung] for ladder, rung in pairs}

    def texts(self, config: Config) -> dict[str, str]:
        """What a configuration changes, by name, as SET takes it."""
        pairs = zip(self.ladders, config, strict=True)
        return {
            ladder.knob.name: ladder.knob.text(ladder.values[rung])
            for ladder, rung in pairs
            if rung
        }

    def takes_kib(self, config: Config) -> float:
        """The memory of one hash, which is at least that of one sort."""
        values = self.values(config)
        factor = values.get("hash_mem_multiplier", self.hash_factor)
        return values.get("work_mem", self.work_kib) * max(1.0, factor)

    def price(self, config: Config) -> float:
        """What the memory of a configuration must win, as a share of the reads' time."""
        return MEMORY_PRICE * log2(self.takes_kib(config) / self.takes_kib(self.start))

    def fit(self, config: Config) -> Config:
        """Lower the memory of a configuration until it fits; the present values always do."""
        while self.takes_kib(config) > max(self.room.each_kib, self.takes_kib(self.start)):
            place = max(
                (p for p, ladder in enumerate(self.ladders) if ladder.knob.name in MEMORY_KNOBS),
                key=lambda p: config[p],
            )
            config = moved(config, place, to=config[place] - 1)
        return config

    def first_guess(self) -> Config:
        """The configuration that experience suggests."""
        return self.fit(tuple(map(_guess, self.ladders)))


def moved(config: Config, place: int, *, to: int) -> Config:
    """The same with another rung on one ladder."""
    return (*config[:place], to, *config[place + 1 :])


def _guess(ladder: Ladder) -> int:
    first = ladder.knob.first
    return min(range(1, len(ladder.values)), key=lambda rung: abs(ladder.values[rung] - first))


def space_for(names: Iterable[str], *, values: Mapping[str, float], room: Room) -> Space:
    """Build the space of some knobs around the present values; what cannot move is left out."""
    start_kib = values.get("work_mem", 4096.0)
    factor = values.get("hash_mem_multiplier", 2.0)
    limits = {
        "work_mem": max(start_kib, room.each_kib / max(1.0, factor)),
        "hash_mem_multiplier": max(factor, room.each_kib / start_kib),
        "effective_cache_size": CACHE_SHARE * room.memory_bytes / 1024,
    }
    ladders = []
    for name in dict.fromkeys(names):
        knob, now = KNOBS[name], values.get(name)
        if now is None:
            continue
        steps = [v for v in knob.beyond(now) if v <= limits.get(name, v)]
        if steps:
            ladders.append(Ladder(knob=knob, values=(now, *steps)))
    return Space(ladders=tuple(ladders), room=room, hash_factor=factor, work_kib=start_kib)
