"""A graph that breaks a rule is named; one that keeps them can be shown."""

from __future__ import annotations

import numpy as np
import pytest
from trace_law import trace_call

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.graph import Graph
from xpaccel.graph.interpret import interpret
from xpaccel.graph.node import Builder, Node
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.graph.show import show
from xpaccel.graph.verify import GraphError, verify

N = Affine.symbol(0, 0)


def broken():
    b = Builder()
    u = b.input(0, "float64", (N, 4))
    m = b.astype(u, "bool")
    one = b.const(1.0, "float64")
    yield "another shape", b.make("add", (u, one), (), "float64", u.shape)
    yield "different dtypes", b.make("add", (u, m), (), "float64", u.shape)
    yield "takes floating", b.make("sqrt", (m,), (), "bool", u.shape)
    yield "gives bool", b.make("less", (u, u), (), "float64", u.shape)
    yield "inputs, not 2", b.make("add", (u,), (), "float64", u.shape)
    yield "not bool", b.make("where", (u, u, u), (), "float64", u.shape)
    yield "not a primitive", b.make("fft", (u,), (), "float64", u.shape)
    yield "on an axis of", b.make("slice", (u,), ((Affine(), 1), (Affine(2), 1)), "float64", (N, 3))
    yield "on an axis of", b.make("update", (u, u), ((Affine(1), 1), (Affine(), 1)), "float64", u.shape)
    yield "not of size 1", b.make("axes", (u,), (0,), "float64", (N,))
    yield "twice", b.make("axes", (u,), (0, 0), "float64", (N, N))
    yield "stretches", b.make("broadcast", (u,), (), "float64", (N, 5))
    yield "number of elements", b.make("reshape", (u,), (), "float64", (7,))
    yield "than its parts", b.make("concat", (u, u), (0,), "float64", (N, 4))
    yield "shift beyond", b.make("roll", (u,), (1, Affine(4)), "float64", u.shape)
    yield "unknown kind", b.make("reduce", (u,), ("median", (0,)), "float64", (4,))
    yield "takes bool", b.make("reduce", (u,), ("any", (0,)), "float64", (4,))
    yield "takes numbers", b.make("reduce", (m,), ("sum", (0,)), "bool", (4,))
    yield "than its axes say", b.make("reduce", (u,), ("sum", (0,)), "float64", (N,))
    yield "changes the dtype", b.make("roll", (u,), (1, Affine(1)), "float32", u.shape)
    yield "not 0-d", b.make("const", (), ("1.0",), "float64", (4,))
    yield "do not compute with", b.make("astype", (u,), (), "float16", u.shape)
    yield "unknown symbols", b.make("iota", (), (), "int64", (Affine.symbol(3, 0),))
    yield "negative size", b.make("iota", (), (), "int64", (N - 9,))
    yield "not a constant", b.make("iota", (), (), "int64", (N - 4,))


@pytest.mark.parametrize(("rule", "node"), list(broken()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_broken_rule_is_named(rule, node):
    inputs = [n for n in (*node.inputs, *(i for n in node.inputs for i in n.inputs)) if n.op == "input"]
    graph = Graph(tuple(dict.fromkeys(inputs)), (node,), (), Guards({(0, 0): 5}))
    with pytest.raises(GraphError, match=rule) as caught:
        verify(graph, after="a pass")
    assert "after a pass" in str(caught.value)


def test_order_inputs_and_writes():
    b = Builder()
    u = b.input(0, "float64", (N,))
    v = b.elementwise("negative", u)
    guards = Guards({(0, 0): 5})
    late = Node("negative", (Node("negative", (u,), (), "float64", u.shape, 9),), (), "float64", u.shape, 4)
    with pytest.raises(GraphError, match="defined later"):
        verify(Graph((u,), (late,), (), guards))
    with pytest.raises(GraphError, match="not listed"):
        verify(Graph((), (v,), (), guards))
    with pytest.raises(GraphError, match="no update of it"):
        verify(Graph((u,), (), ((0, v),), guards))
    assert verify(Graph((u,), (v,), (), guards)).outputs == (v,)


def test_show():
    def kernel(u, t):
        u[1:-1] = (u[2:] + u[:-2]) * t
        return u.sum(), u[::-1] + 1

    text = show(trace_call(kernel, np.ones(9), 0.5).graph)
    for part in (
        "input 0",
        "[2:n0_0]",
        "number a[0]",
        "with [1:n0_0-1]",
        "sum(",
        "writes argument 0",
        "guard n0_0-4 >= 0",
        "test_verify.py:",
    ):
        assert part in text, text


def test_interpret_leaves_its_arguments_alone_and_checks_boxes():
    b = Builder()
    u = b.input(0, "float64", (N,))
    cut = b.slice(u, [Affine(2)], [1], [Affine(3)])
    graph = Graph((u,), (u, cut), (), Guards({(0, 0): 5}))
    array = np.arange(5.0)
    outputs, _ = interpret(graph, [array])
    outputs[0][0] = 9
    assert array[0] == 0
    with pytest.raises(AssertionError, match="on an axis of 4"):
        interpret(graph, [np.arange(4.0)])


def test_interpret_refuses_numbers_that_do_not_fit():
    b = Builder()
    u = b.input(0, "uint8", (N,))
    graph = Graph((u,), (b.scalar(ScalarExpr.arg(0), "uint8"),), (), Guards({(0, 0): 5}))
    assert interpret(graph, [np.zeros(5, "uint8")], [200])[0][0] == 200
    with pytest.raises(OverflowError):
        interpret(graph, [np.zeros(5, "uint8")], [300])


def test_constants_are_kept_apart():
    b = Builder()
    values = [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-320]
    nodes = [b.const(value, "float64") for value in values]
    assert len(set(nodes)) == len(values)
    outputs, _ = interpret(Graph((), tuple(nodes), (), Guards({})), [])
    assert [repr(float(value)) for value in outputs] == [repr(value) for value in values]
    z = b.const(complex("nan-infj"), "complex128")
    assert repr(complex(interpret(Graph((), (z,), (), Guards({})), [])[0][0])) == "(nan-infj)"
