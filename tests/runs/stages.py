"""Small fake stages, written without doing any work."""

from convnet_core.runs import run as runs


def write(run, stage, text, inputs=()):
    with run.lock(), run.write_stage(stage, {"text": text}, inputs) as draft:
        (draft.path / "out.txt").write_text(text)


def chain(run, text="one"):
    write(run, "train", text)
    write(run, "export", text, ("train/out.txt",))
    write(run, "convert/native", text, ("export/out.txt",))
    write(run, "compare", text, ("export/out.txt", "convert/native/out.txt"))


def states(run):
    return {stage: run.state(stage).state for stage in runs.PIPELINE}
