"""Write targets of a traced graph, with progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from convnet_core.convert.signature import Signature
from convnet_core.convert.targets.table import Target, TracedModel
from convnet_core.errors import ConversionError
from convnet_core.events import Message, Monitor, Progress
from convnet_core.language import _


def write(
    targets: Iterable[Target], model: TracedModel, folder: Path, monitor: Monitor, every: Sequence[Target]
) -> tuple[Signature, dict[str, str]]:
    """Write some of a conversion's targets into `folder`; `every` target counts for the progress.

    Returns the signature with the dtypes of the int8 file, and by file why a target could not be written.
    """
    signature, failed = model.signature, dict[str, str]()
    for target in targets:
        monitor.emit(
            Progress(label=_("writing {file}", file=target.file), done=1 + every.index(target), total=1 + len(every))
        )
        try:
            signature = signature.with_int8(target.write(model, folder / target.file))
        except ConversionError as error:
            failed[target.file] = str(error)
            monitor.emit(Message(text=_("{file} could not be written: {reason}", file=target.file, reason=error)))
    return signature, failed
