"""Uploaded models: run names, refused files, limits, and no heavy imports."""

import json
import signal
import subprocess
import sys

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from convnet_core.errors import ModelError
from convnet_core.jobs import upload
from convnet_core.onnx_files import model_file
from convnet_core.runs.run import Run
from tests.conftest import ROOT, convnet, python


def model(op="Relu", domain=""):
    """A model x float32 [n, 3] → y with one node of type `op` and an Add of a weight."""
    nodes = [helper.make_node(op, ["x"], ["h"], "first", domain=domain), helper.make_node("Add", ["h", "w"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    weights = [numpy_helper.from_array(np.arange(3, dtype=np.float32), "w")]
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("resnet18.onnx", "resnet18"),
        ("../../etc/passwd.onnx", "passwd"),
        ("..\\..\\evil.onnx", "evil"),
        ("<script>alert(1)<b>.onnx", "script-alert-1-b"),
        ("网络 v2.onnx", "网络-v2"),
        ("cafe\u0301_größe.onnx", "café-größe"),
        ("हिन्दी.onnx", "हिन्दी"),
        ("\u202exnno\u0000\ud800.onnx", "xnno"),
        ("🙂.onnx", "model"),
        ("n" * 300 + ".onnx", "n" * 60),
        ("网" * 300 + ".onnx", "网" * 40),
    ],
)
def test_the_run_name_keeps_only_safe_characters_of_the_file_name(tmp_path, name, label):
    run, file = upload.receive(tmp_path, name, memoryview(b"content"))
    assert run.path.parent == tmp_path
    assert run.name.split("-", 2)[2] == label
    assert file.read_bytes() == b"content"
    assert file.is_relative_to(run.path)
    assert run.is_model
    assert upload.is_refused(run)


def test_files_of_the_same_name_become_separate_runs(tmp_path):
    assert len({upload.receive(tmp_path, "a.onnx", memoryview(b"x"))[0].name for _ in range(3)}) == 3


def test_an_empty_file_is_refused_and_leaves_no_files(tmp_path):
    with pytest.raises(ModelError, match="is an empty file"):
        upload.receive(tmp_path, "a.onnx", memoryview(b""))
    assert not list(tmp_path.iterdir())


def test_a_too_large_file_is_refused_with_the_command_to_use(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "MAX_MB", 0)
    with pytest.raises(ModelError, match="the app accepts up to 0") as caught:
        upload.receive(tmp_path, "a.onnx", memoryview(b"xx"))
    assert "convert --onnx" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is an empty file"),
        (b"plain text, no model\n" * 9, "is a text file"),
        (model().SerializeToString()[:-9], "is cut off"),
    ],
    ids=["empty", "text", "cut off"],
)
def test_a_file_that_is_not_a_model_is_refused_with_a_reason(tmp_path, content, reason):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=rf"^a\.onnx {reason}"):
        model_file.open_untrusted(tmp_path / "a.onnx")


def test_external_weights_are_refused_anywhere_in_the_model(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(12))
    outside = numpy_helper.from_array(np.zeros(3, np.float32), "stolen")
    external_data_helper.set_external_data(outside, "secret", 0, 12)
    outside.ClearField("raw_data")
    top, inside, nested = model(), model(), model()
    top.graph.initializer.append(outside)
    constant = helper.make_node("Constant", [], ["c"], value=outside)
    inside.graph.node.append(constant)
    body = helper.make_graph([constant], "body", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [3])])
    nested.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=body, else_branch=body))
    for case in (top, inside, nested):
        (tmp_path / "a.onnx").write_bytes(case.SerializeToString())
        with pytest.raises(ModelError, match="stores weights in another file"):
            model_file.open_untrusted(tmp_path / "a.onnx")


def test_the_node_limit_counts_nodes_in_subgraphs(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "MAX_NODES", 4)
    nested = model()
    ports = [helper.make_tensor_value_info("c", TensorProto.FLOAT, [3])]
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["c"])], "body", [], ports)
    nested.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=body, else_branch=body))
    (tmp_path / "a.onnx").write_bytes(nested.SerializeToString())
    with pytest.raises(ModelError, match="has 5 nodes; the limit is 4"):
        model_file.open_untrusted(tmp_path / "a.onnx")


def with_functions(*bodies):
    """A model x → y that calls the function F0 of domain f; `bodies` give F0, F1 … (a → b) in ONNX's text format."""
    opsets = 'opset_import: ["": 20, "f": 1]'
    graph = f"<ir_version: 10, {opsets}> g (float[n, 3] x) => (float[n, 3] y) {{ y = f.F0 (x) }}"
    functions = [f'<domain: "f", {opsets}> F{place} (a) => (b) {{ {body} }}' for place, body in enumerate(bodies)]
    return onnx.parser.parse_model("\n".join([graph, *functions]))


def save_and_load(folder, content):
    (folder / "a.onnx").write_bytes(content.SerializeToString())
    return model_file.open_untrusted(folder / "a.onnx").model


SEQUENTIAL_CALLS = "c = f.{0} (a) b = f.{0} (c)"
CALLS_IN_BRANCHES = """
k = Constant <value = bool {{1}}> ()
b = If (k) <
    then_branch = t () => (float[n, 3] p) {{ p = f.{0} (a) }},
    else_branch = e () => (float[n, 3] q) {{ q = f.{0} (a) }}
>
"""


@pytest.mark.parametrize("body", [SEQUENTIAL_CALLS, CALLS_IN_BRANCHES], ids=["nodes", "branches"])
def test_functions_count_once_per_call(tmp_path, body):
    doubling = [body.format(f"F{place}") for place in range(1, 41)]
    few = with_functions(*doubling[:5], *["b = Relu (a)"] * 36)
    model_file.check(save_and_load(tmp_path, few))
    with pytest.raises(ModelError, match=r"the function 'f:F2\d' expands to [\d,]+ nodes; the limit is 50,000"):
        save_and_load(tmp_path, with_functions(*doubling, "b = Relu (a)"))


def test_the_node_limit_applies_to_the_sum_over_all_calls(tmp_path, monkeypatch):
    twice = with_functions("b = Relu (a)")
    twice.graph.node.extend([helper.make_node("F0", ["x"], [name], domain="f") for name in "uvw"])
    monkeypatch.setattr(model_file, "MAX_NODES", 8)
    save_and_load(tmp_path, twice)
    monkeypatch.setattr(model_file, "MAX_NODES", 7)
    with pytest.raises(ModelError, match=r"has 8 nodes after its functions are inlined; the limit is 7"):
        save_and_load(tmp_path, twice)


@pytest.mark.parametrize(
    ("bodies", "message"),
    [
        (["b = f.F0 (a)"], "the function 'f:F0' calls itself$"),
        (["b = f.F1 (a)", "b = f.F0 (a)"], r"the function 'f:F\d' calls itself, through 'f:F\d'"),
        ([CALLS_IN_BRANCHES.format("F0")], "the function 'f:F0' calls itself$"),
    ],
    ids=["itself", "each other", "in a branch"],
)
def test_recursion_is_refused(tmp_path, bodies, message):
    with pytest.raises(ModelError, match=message):
        save_and_load(tmp_path, with_functions(*bodies))


def test_recursion_is_found_despite_ambiguous_function_names(tmp_path):
    """ONNX's checker joins domain, name and overload with two colons, its inliner with one."""
    hidden = with_functions("b = f.F1 (a)", "b = Relu (a)")
    hidden.functions[0].name, hidden.graph.node[0].op_type, hidden.graph.node[0].overload = "F0::o", "F0", "o"
    hidden.functions[1].node[0].op_type, hidden.functions[1].node[0].domain = "o", "f::F0"
    hidden.functions[0].node[0].op_type = "F1"
    with pytest.raises(ModelError, match="calls itself, through"):
        save_and_load(tmp_path, hidden)


def test_a_long_chain_of_functions_is_counted_quickly(tmp_path):
    count = 10_000
    chain = with_functions(*[f"b = f.F{place} (a)" for place in range(1, count)], "b = Relu (a)")
    assert len(save_and_load(tmp_path, chain).functions) == count


def test_a_function_with_a_graph_attribute_is_refused(tmp_path):
    """The graph may call the function again, which doubles the checker's work at each level."""
    passed = with_functions("b = Relu (a)")
    body = helper.make_graph([], "body", [], [])
    passed.graph.node[0].attribute.append(helper.make_attribute("body", body))
    by_default = with_functions("b = Relu (a)")
    by_default.functions[0].attribute_proto.append(helper.make_attribute("body", body))
    for case in (passed, by_default):
        with pytest.raises(ModelError, match="the function 'f:F0' takes a graph as an attribute"):
            save_and_load(tmp_path, case)


@pytest.mark.parametrize("dims", [[2**20, 2**20], [-1], [2**62, 4]])
def test_a_tensor_with_an_impossible_shape_is_refused_before_allocation(tmp_path, dims):
    liar = model()
    liar.graph.initializer[0].dims[:] = dims
    (tmp_path / "a.onnx").write_bytes(liar.SerializeToString())
    with pytest.raises(ModelError, match="'w' declares the shape"):
        model_file.open_untrusted(tmp_path / "a.onnx")


def test_an_upload_records_unsupported_nodes_and_removes_the_file(tmp_path):
    run, file = upload.receive(
        tmp_path / "runs", "strange.onnx", memoryview(model("Foo", "strange").SerializeToString())
    )
    convnet("upload", "--onnx", file, "--run", run.path)
    assert not file.exists()
    assert not upload.is_refused(run)
    (fault,) = Run.open(run.path).require("export").result["faults"]
    assert "strange.Foo-1" in fault
    assert onnx.load(run.path / "export/model.onnx").graph.node[0].op_type == "Foo"
    assert run.stages == ("export", "convert/native", "compare")


def model_with_missing_input():
    bad = model()
    bad.graph.node[1].input[1] = "nowhere"
    return bad.SerializeToString()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (model_with_missing_input(), "Add (node 'Add_1') reads 'nowhere', which nothing in the model produces"),
        (b"no model at all\n" * 20, "bad.onnx is a text file"),
    ],
    ids=["a broken model", "another file"],
)
def test_a_refused_upload_records_the_reason_and_removes_the_file(content, reason, tmp_path):
    run, file = upload.receive(tmp_path / "runs", "bad.onnx", memoryview(content))
    done = convnet("upload", "--onnx", file, "--run", run.path, "--job", "job", check=2)
    assert reason in done.stderr
    assert not file.exists()
    assert upload.is_refused(run)
    assert reason in json.loads((run.path / "jobs/job/job.json").read_text())["error"]


def test_uploads_are_opened_without_torch_or_tensorflow_and_within_limits(tmp_path):
    (tmp_path / "a.onnx").write_bytes(model().SerializeToString())
    python(f"""
import resource, signal, sys
from convnet_core.jobs import upload
from convnet_core.cli.main import main
assert main(["upload", "--onnx", {str(tmp_path / "a.onnx")!r}, "--run", {str(tmp_path / "run")!r}]) == 0
assert not {{"torch", "tensorflow", "streamlit"}} & set(sys.modules)
upload._MAX_MEMORY = 2**30
try:
    with upload.limit_resources():
        bytearray(2**31)
except upload.ModelError as error:
    assert "more than 1 GiB" in str(error), error
else:
    raise AssertionError("no limit on memory")
upload._MAX_SECONDS = 1
try:
    with upload.limit_resources():
        while True:
            pass
except upload.ModelError as error:
    assert "more than 1 s" in str(error), error
bytearray(2**31)
assert resource.getrlimit(resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY
assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
assert signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
""")


def test_a_library_that_never_returns_is_ended_with_the_process():
    """Python runs no signal handlers, not even for a stop, until the library returns."""
    code = """
import signal
from convnet_core.jobs import upload
signal.signal(signal.SIGTERM, lambda *_: None)
upload._MAX_SECONDS, upload._GRACE_SECONDS = 1, 1
with upload.limit_resources():
    sum(range(10**11))  # a single call that takes minutes
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == -signal.SIGPROF
