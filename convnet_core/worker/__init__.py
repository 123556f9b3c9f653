"""Work in a child process, so that native code that crashes, hangs or eats the memory takes only that process along.

    worker = Worker()
    content, arrays = worker.run(task, {"path": "model.tflite"}, feeds, tell=print, seconds=60)

`task` is a function at the top level of a module: it gets the content (JSON) and the arrays, may report with `tell`
while it works, and returns content and arrays. `client.py` is the side that asks, `__main__.py` the process that does
the work, `messages.py` what goes between them. Nothing here knows what the work is.
"""

from convnet_core.worker.client import Worker, end_of, shared
from convnet_core.worker.messages import Content, Message, Task, Tell

__all__ = ["Content", "Message", "Task", "Tell", "Worker", "end_of", "shared"]
