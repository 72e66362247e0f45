"""The world's process: `python -m wizard.rehearsal FOLDER SEED FAULTS SPEED IDLE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from wizard.rehearsal.world import serve

if __name__ == "__main__":
    folder, seed, faults, speed, idle = sys.argv[1:]
    asyncio.run(
        serve(Path(folder), seed=int(seed), faults=faults, speed=float(speed), idle_limit=float(idle))
    )
