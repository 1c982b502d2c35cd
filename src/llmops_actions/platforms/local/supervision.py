"""Who is to blame when a child died or no longer answers, as far as that can be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmops_actions.platforms.local import watchdog
from llmops_actions.platforms.local.hands import Hand
from llmops_actions.platforms.local.records import RowError


@dataclass(frozen=True)
class Findings:
    """By slot, the error of each ``guilty`` row.

    The other rows in flight did nothing wrong; where nobody is known to be guilty, each of them is a suspect.
    """

    guilty: Mapping[int, RowError]

    @property
    def conclusive(self) -> bool:
        """Whether the others are known to be innocent."""
        return bool(self.guilty)


def examine_dead(hand: Hand, how: str) -> Findings:
    """A child died, ``how`` says in which way: the row that the fatal error happened in, or the only one."""
    stacks = watchdog.parse_stacks(watchdog.read_stacks(hand.stacks))
    crashed = {stack.thread: stack for stack in stacks if stack.current}
    places = {
        slot: _place(hand, crashed[thread.thread])
        for slot, thread in hand.threads.items()
        if thread.thread in crashed and slot in hand.in_flight
    }
    if not places and len(hand.in_flight) == 1:
        places = dict.fromkeys(hand.in_flight)
    return _findings(places, "ChildDied", f"While this row ran, {how}")


def examine_stuck(hand: Hand, overdue: list[int], seconds: float) -> Findings:
    """A child did not end its ``overdue`` rows: the row whose thread keeps the processor, or the only one."""
    text = watchdog.dump_stacks(hand.stacks, hand.child.signal)
    stacks = {stack.thread: stack for stack in watchdog.parse_stacks(text)}
    natives = {hand.threads[slot].native: slot for slot in hand.in_flight if slot in hand.threads}
    busy = watchdog.busy_threads(hand.child.process or 0, natives)
    slots = [natives[native] for native in busy]
    if not slots and len(overdue) == len(hand.in_flight) == 1:
        slots = overdue
    places = {slot: _place(hand, stacks.get(hand.threads[slot].thread)) for slot in slots if slot in hand.threads}
    return _findings(places, "LineTimeout", f"The row took longer than {seconds:g} seconds and held up its process")


def _place(hand: Hand, stack: watchdog.ThreadStack | None) -> str | None:
    return watchdog.where(stack, hand.folder) if stack is not None else None


def _findings(places: Mapping[int, str | None], kind: str, text: str) -> Findings:
    return Findings(
        {slot: RowError(kind, f"{text}; it was at {place}." if place else f"{text}.") for slot, place in places.items()}
    )
