"""Several calls at a time over a stream of work, of which no more is held than is being worked on."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

MAX_IN_FLIGHT = 16  # requests at a time: beyond a few a proxy only queues them


def require_between(name: str, value: int, most: int) -> None:
    """Refuse a number that is not between 1 and ``most``."""
    if not 1 <= value <= most:
        raise ValueError(f"{name} is {value}, expected 1 to {most:,}.")


def map_in_flight[Item, Result](
    function: Callable[[Item], Result], items: Iterable[Item], *, limit: int, stop: Callable[[], None]
) -> Generator[Result]:
    """Yield ``function(item)`` of every item as it is done, with at most ``limit`` calls running.

    ``items`` is read by the calling thread only, one item at a time, when a call can start. The first error, here or
    in the caller (who therefore closes the generator), ends it all: no further item is read, ``stop`` is called so
    that running calls may end early, and they are waited for.
    """
    with ThreadPoolExecutor(max_workers=limit, thread_name_prefix="in-flight") as pool:
        running: set[Future[Result]] = set()
        try:
            for item in items:
                running.add(pool.submit(function, item))
                if len(running) == limit:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            stop()
            raise
