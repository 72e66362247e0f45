"""The wizard's cutover screen fed by the real watch, which asks 60 caching resolvers eight questions each.

`python -m tests.benchmarks.live_watch PORT`; `tests.benchmarks.key_to_paint` presses its keys.
"""

from __future__ import annotations

import asyncio
import sys
import time

from screens.app import WizardApp
from tests.screens import scenes
from wizard.clock import LiveClock
from wizard.dns.asking import Asker
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import Vantage
from wizard.dns.view import WatchView
from wizard.dns.watch import Watch
from wizard.dns.watch_target import Flip, target
from wizard.endpoints import SocketAddress
from wizard.engine.events import Detail

RESOLVERS, QUESTIONS = 60, 8


def name_of(column: int) -> str:
    return f"Cache {column + 1:02}"


async def follow(port: int, app: WizardApp) -> None:
    """Watch for as long as the screen is there."""
    session, client, clock = app.session, DnsClient(), LiveClock()

    def show(view: WatchView) -> None:
        session.at = time.time()  # type: ignore[attr-defined]
        session.publish(Detail(view.at, "cutover.watch", "watch", view))  # type: ignore[attr-defined]
        session._history.clear()  # type: ignore[attr-defined]

    vantages = [
        Vantage(name_of(column), SocketAddress(f"127.9.0.{column + 1}", port), listed=False)
        for column in range(RESOLVERS)
    ]
    targets = [target(f"n{n}.shop.test", "A", ("192.0.2.2",), ("192.0.2.1",)) for n in range(QUESTIONS)]
    watch = Watch(Asker(client, clock), clock, targets, vantages, flip=Flip(clock.now(), 300.0), publish=show)
    await watch.begin()
    while True:
        moment = await watch.attend(patience=2.0, limit=5.0)
        await asyncio.sleep(max(0.0, moment - clock.now()))


async def main(port: int) -> None:
    app = WizardApp(scenes.running(), ascii_only=False, start=False)
    watching = asyncio.create_task(follow(port, app))
    await app.run_async()
    watching.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
