"""Draw the picture of the board in the README: `python -m tests.cli.board.picture`.

It runs `bkjob demo` with a terminal that does not exist, and writes what that shows after some seconds.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from bkjob_async.cli.board.app import BoardApp
from bkjob_async.cli.board.consumer import BoardConsumer
from bkjob_async.cli.board.drawing.lines_widget import BACKGROUND
from bkjob_async.cli.board.drawing.signs import UNICODE
from bkjob_async.cli.demo.run import run_demo

PICTURE = Path(__file__).parents[3] / "bkjob_async" / "docs" / "pictures" / "board.svg"
SIZE = (100, 27)
SECONDS = 15.0
LARGEST = 60_000


def compact(svg: str) -> str:
    """Return a picture that loads nothing from elsewhere: with a font that the reader has, in few bytes."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(
        r"font-family: ?[^;]*;",
        "font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace;",
        svg,
    )
    svg = re.sub(rf'<rect fill="{BACKGROUND}"[^>]*/>', "", svg).replace(
        'fill="#292929"', f'fill="{BACKGROUND}"'
    )
    svg = re.sub(r"terminal-\d+-", "t", svg).replace("&#160;", "\u00a0")
    return re.sub(r"\n\s+", "\n", svg)


async def draw(seconds: float) -> str:
    """Return the picture of a demonstration after so many seconds."""
    drawn: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def run(app: BoardApp) -> asyncio.Task[None]:
        async def show() -> None:
            async with app.run_test(size=SIZE):
                await asyncio.sleep(seconds)
                drawn.set_result(app.export_screenshot(title="bkjob demo"))
                app.is_left = True

        return asyncio.create_task(show())

    await run_demo(BoardConsumer(signs=UNICODE, run=run))
    return compact(await drawn)


def main(seconds: float = SECONDS, file: Path = PICTURE) -> None:
    """Write the picture; refuse one that is too large for a README."""
    picture = asyncio.run(draw(seconds))
    if len(picture.encode()) > LARGEST:
        raise SystemExit(f"the picture has {len(picture.encode())} bytes, more than {LARGEST}")
    file.parent.mkdir(exist_ok=True)
    file.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else SECONDS, Path(sys.argv[2]) if sys.argv[2:] else PICTURE)
