"""Visitors of the app that act like people: they look at runs, move sliders and draw, with pauses."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from streamlit.proto.Slider_pb2 import Slider

from testing.browser import PAGES, Server
from testing.drawings import DIGITS
from testing.trials.visitor import Stroke, Visitor

_PAUSE = 10.0  # average seconds between two actions of a person
_EACH_WATCHES = 25  # one in so many visitors only watches the training


@dataclass
class Seen:
    """What the visitors experienced: seconds by kind of action, seconds of automatic reruns, and errors."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    repeats: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, action: str, seconds: float) -> None:
        self.waits.setdefault(action, []).append(seconds)


def digit(luck: random.Random) -> list[Stroke]:
    """Strokes of a randomly drawn digit."""
    strokes = luck.choice(DIGITS[luck.randrange(10)])
    size, x, y = luck.uniform(0.4, 0.7), luck.uniform(0.1, 0.3), luck.uniform(0.1, 0.3)
    return [[(x + size * point[0], y + size * point[1]) for point in stroke] for stroke in strokes]


async def tour(visitor: Visitor, luck: random.Random, seen: Seen) -> AsyncIterator[None]:
    """Visit every page once, move every slider on it, and draw on the pad. Yields after each action."""
    for page in luck.sample(PAGES, len(PAGES)):
        seen.add(page, await visitor.open(page))
        yield
        for label in visitor.sliders():
            if slider := visitor.sliders().get(label):  # another slider may have removed it
                await move(visitor, slider, luck, seen)
                yield
        if page == "sketchpad":
            await draw(visitor, luck, seen)
            yield


async def act(visitor: Visitor, luck: random.Random, seen: Seen) -> None:
    """One action: go to a page, move a slider on it, or draw on its pad."""
    sliders = list(visitor.sliders().values())
    action = luck.choice(("page", "slider", "draw"))
    if action == "draw" and visitor.page == "sketchpad":
        await draw(visitor, luck, seen)
    elif action == "page" or not sliders:
        page = luck.choice(PAGES)
        seen.add(page, await visitor.open(page))
    else:
        await move(visitor, luck.choice(sliders), luck, seen)


async def draw(visitor: Visitor, luck: random.Random, seen: Seen) -> None:
    """Draw a digit on the sketchpad."""
    seen.add("sketchpad, a drawing", await visitor.draw(digit(luck)))


async def move(visitor: Visitor, slider: Slider, luck: random.Random, seen: Seen) -> None:
    """Move a slider to a random value."""
    steps = list(slider.options)
    count = int((slider.max - slider.min) / slider.step + 1e-9)
    value = luck.choice(steps) if steps else slider.min + slider.step * luck.randint(0, count)
    seen.add(f"{visitor.page}, a slider", await visitor.move_slider(slider.label, value))


async def person(server: Server, number: int, until: float, seen: Seen) -> None:
    """One visitor from arriving to leaving. After an error, which is recorded, the person starts a new session.

    The full tour comes first: Streamlit keeps the state of every widget that a session has used, and the pad's drawing,
    so a session grows until the tour ends and not after.
    """
    luck = random.Random(number)
    watching = number % _EACH_WATCHES == 0
    await asyncio.sleep(luck.uniform(0, min(_PAUSE, (until - time.monotonic()) / 4)))
    while time.monotonic() < until:
        visitor = Visitor(server.address, seen.errors, seen.repeats)
        try:
            async with visitor:
                first = "train" if watching else luck.choice(PAGES)
                seen.add(first, await visitor.open(first, run="training" if watching else "demo"))
                touring = tour(visitor, luck, seen)
                while (seconds_left := until - time.monotonic()) > 0:
                    await asyncio.sleep(min(seconds_left, max(1.0, luck.expovariate(1 / _PAUSE))))
                    if watching or time.monotonic() >= until:
                        continue
                    if await anext(touring, "done") == "done":
                        await act(visitor, luck, seen)
        except Exception as error:
            seen.errors.append(f"{visitor.page}: {type(error).__name__}: {error}")
