"""Tells what a signal handler raised from the failures of the code that it came into."""

from __future__ import annotations


def is_of_handler(error: BaseException) -> bool:
    """Return whether a signal handler raised `error`, as time limits do: it is the program's.

    (What another thread sets by `PyThreadState_SetAsyncExc` looks as if the code had raised it.)
    """
    import signal

    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(getattr(each, "__func__", each), "__code__", None) for each in handlers}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False
