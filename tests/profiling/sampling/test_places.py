import sys
from types import FrameType

from perfwright.profiling.sampling.places import MAX_DEPTH, TRUNCATED, Places


def here() -> FrameType:
    return sys._getframe()


class Shop:
    def total(self) -> FrameType:
        return here()


def deep(left: int) -> FrameType:
    return here() if left == 0 else deep(left - 1)


def test_a_frame_names_function_first_line_and_position() -> None:
    places = Places()
    frames = places.frames(places.walk(Shop().total()))
    method = frames[-2]
    assert method.function.name == "Shop.total"
    assert method.function.file == __file__
    assert method.function.line == Shop.total.__code__.co_firstlineno
    assert method.line == method.function.line + 1


def test_two_visits_of_one_place_are_one_key() -> None:
    places = Places()
    first, second = (places.walk(deep(3)) for _ in range(2))
    assert first == second


def test_a_very_deep_stack_loses_its_middle() -> None:
    places = Places()
    frames = places.frames(places.walk(deep(MAX_DEPTH + 50)))
    assert len(frames) == MAX_DEPTH + 1
    assert frames[MAX_DEPTH // 2] == TRUNCATED
    assert frames[-1].function.name == "here"
    assert frames[0].function.name == "<module>" or frames[0].function.file != __file__


def test_a_file_that_is_none_keeps_its_name() -> None:
    places, space = Places(), {"here": here}
    exec("def made():\n    return here()", space)
    made = space["made"]
    frames = places.frames(places.walk(made()))
    assert (frames[-2].function.file, frames[-2].function.name) == ("<string>", "made")
