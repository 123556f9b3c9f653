"""The messages that a browser keeps, so that the server need not send them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


@dataclass
class _Kept:
    message: ForwardMsg
    fragment: str
    used: int


class MessageCache:
    """As Streamlit 1.67's ForwardMessageCache in the browser.

    It tells the server the hashes of all that it keeps with each act, and the server holds them for as long: a visitor
    that forgot nothing would let the server grow.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._runs = 0

    def __iter__(self) -> Iterator[str]:
        """The hashes."""
        return iter(self._kept)

    def whole(self, message: ForwardMsg) -> ForwardMsg:
        """The message itself where it only refers to one from before; kept where it may be."""
        name = message.ref_hash if message.WhichOneof("type") == "ref_hash" else message.hash
        if name in self._kept:
            self._kept[name].used = self._runs
            return self._kept[name].message
        if message.metadata.cacheable:
            self._kept[name] = _Kept(message, message.delta.fragment_id, self._runs)
        return message

    def age(self, fragments: Collection[str], most: int) -> None:
        """After a run, of some fragments or of all: forget what has not been used in more than `most` runs."""
        self._runs += 1
        for name, kept in list(self._kept.items()):
            if self._runs - kept.used > most and (not fragments or kept.fragment in fragments):
                del self._kept[name]
