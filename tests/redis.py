"""A real Redis server for the tests that need one; skipped where the program is not installed.

`redis_server` is shared by the session and emptied before each test; a test that kills, pauses or
fills its server takes `own_redis`, or `start_redis` to choose the options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from benchmarks._redis import NoServerError, PrivateRedis, private_redis

StartRedis = Callable[..., PrivateRedis]
"""Takes the server's options, such as "--maxmemory", "2mb"."""


@pytest.fixture(scope="session")
def session_redis() -> Iterator[PrivateRedis]:
    """One server for all tests that leave it as it was."""
    try:
        with private_redis() as running:
            yield running
    except NoServerError as error:
        pytest.skip(str(error))


@pytest.fixture
def redis_server(session_redis: PrivateRedis) -> PrivateRedis:
    """The session's server, emptied."""
    flush(session_redis)
    return session_redis


@pytest.fixture
def start_redis() -> Iterator[StartRedis]:
    """Start servers with options; all of them end with the test."""
    with ExitStack() as running:

        def start(*options: str) -> PrivateRedis:
            try:
                return running.enter_context(private_redis(*options))
            except NoServerError as error:
                pytest.skip(str(error))

        yield start


@pytest.fixture
def own_redis(start_redis: StartRedis) -> PrivateRedis:
    """A server that this test may kill, pause and restart."""
    return start_redis()


def flush(server: PrivateRedis) -> None:
    """Empty all of its databases."""
    import redis

    with redis.Redis(port=server.port) as admin:
        admin.flushall()
