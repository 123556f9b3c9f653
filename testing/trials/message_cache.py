"""A browser's cache of server messages, which saves the server from sending them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


@dataclass
class _Entry:
    message: ForwardMsg
    fragment: str
    used: int


class MessageCache:
    """Works like Streamlit 1.67's ForwardMessageCache in the browser.

    Each request sends the hashes of all cached messages, and the server keeps those messages. A visitor that never
    dropped a message would therefore make the server grow.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._runs = 0

    def __iter__(self) -> Iterator[str]:
        """The hashes."""
        return iter(self._entries)

    def resolve(self, message: ForwardMsg) -> ForwardMsg:
        """The full message: looks up a reference to an earlier one, and caches the message if it is cacheable."""
        name = message.ref_hash if message.WhichOneof("type") == "ref_hash" else message.hash
        if name in self._entries:
            self._entries[name].used = self._runs
            return self._entries[name].message
        if message.metadata.cacheable:
            self._entries[name] = _Entry(message, message.delta.fragment_id, self._runs)
        return message

    def age(self, fragments: Collection[str], most: int) -> None:
        """After a rerun of these fragments (empty: of the page), drop messages not used in the last `most` reruns."""
        self._runs += 1
        for name, entry in list(self._entries.items()):
            if self._runs - entry.used > most and (not fragments or entry.fragment in fragments):
                del self._entries[name]
