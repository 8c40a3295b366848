"""The law of fields: a kernel on fields is that kernel on the whole array, continued beyond its edges, bit for bit."""

from __future__ import annotations

from itertools import product

import hypothesis
import numpy as np
import pytest
from domain.pads import continued
from domain.team import Team
from hypothesis import strategies as st

import xpaccel as xpa

CONDITIONS = {
    "value": lambda parameter: xpa.Value(parameter),
    "reflect": lambda parameter: xpa.Reflect(),
    "odd": lambda parameter: xpa.Reflect(odd=True),
    "repeat": lambda parameter: xpa.Extrapolate(0),
    "linear": lambda parameter: xpa.Extrapolate(1),
}


@st.composite
def domains(draw, axes=None, least=1):
    """A grid: shape, ranks, periodicity, boundary conditions."""
    axes = axes or draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(least, (24, 9, 6)[axes - 1])) for _ in range(axes))
    periodic = tuple(draw(st.booleans()) for _ in range(axes))
    ranks = draw(st.sampled_from((1, 2, 3, 4, 6)))
    boundary = tuple((draw(st.sampled_from(sorted(CONDITIONS))), draw(st.integers(-3, 3)) / 2) for _ in range(axes))
    return shape, periodic, ranks, boundary


def enough(domain):
    """Whether there are two points where a condition goes on with a slope."""
    shape, periodic, _, boundary = domain
    return all(
        size > 1 or wraps or kind != "linear" for size, wraps, (kind, _) in zip(shape, periodic, boundary, strict=True)
    )


@st.composite
def stencils(draw, axes, width=2):
    """A stencil: coefficients by offset, and how far it reaches along each axis and side."""
    reach = [(draw(st.integers(0, width)), draw(st.integers(0, width))) for _ in range(axes)]
    places = list(product(*(range(-low, high + 1) for low, high in reach)))
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=5, unique=True))
    # The ends must be read, or the arrays would be longer than the stencil reaches.
    chosen += [tuple(-low for low, _ in reach), tuple(high for _, high in reach)]
    return {place: draw(st.integers(-4, 4)) / 4 for place in chosen}, reach


def box(place, reach):
    """Return the slices of an array, for a stencil's offset."""
    return tuple(slice(low + k, -(high - k) or None) for k, (low, high) in zip(place, reach, strict=True))


def applied(u, coefficients, reach):
    """Apply a stencil to an array; the result is smaller."""
    total = None
    for place, factor in coefficients.items():
        term = factor * u[box(place, reach)]
        total = term if total is None else total + term
    return total


def mapping(boundary, periodic):
    return {
        "xyz"[axis]: CONDITIONS[kind](parameter)
        for axis, (kind, parameter) in enumerate(boundary)
        if not periodic[axis]
    }


def on_ranks(domain, work, **options):
    """Run ``work(grid, boundary)`` on the ranks of a domain, unless it is too narrow for them."""
    shape, periodic, ranks, boundary = domain

    def rank(comm):
        grid = xpa.Grid(shape, periodic=periodic, comm=comm, **options)
        return work(grid, mapping(boundary, periodic))

    try:
        return Team(ranks).run(rank)
    except xpa.DomainError as error:
        text = str(error)
        if "cannot be cut" in text:
            assert ranks > 1
        else:
            assert "some rank has only" in text, text
        hypothesis.reject()


def random(shape, seed=0):
    return np.random.default_rng(seed).integers(-64, 64, shape) / 8


@hypothesis.given(st.data())
def test_any_stencil_with_an_origin(data):
    domain = data.draw(domains().filter(enough))
    shape, periodic, _, boundary = domain
    coefficients, reach = data.draw(stencils(len(shape)))
    stencil = xpa.kernel(lambda u: applied(u, coefficients, reach), origin=tuple(low for low, _ in reach))
    whole = random(shape)
    results = on_ranks(domain, lambda grid, conditions: stencil(grid.field(init=whole, boundary=conditions)).gather())
    wanted = applied(continued(whole, reach, periodic, (False,) * len(shape), boundary), coefficients, reach)
    for result in results:
        np.testing.assert_array_equal(result, wanted)


@hypothesis.given(st.data())
def test_centred_stencils_need_no_origin(data):
    domain = data.draw(domains().filter(enough))
    shape, periodic, _, boundary = domain
    axes = len(shape)
    coefficients, reach = data.draw(stencils(axes))
    width = [max(sides) for sides in reach]
    reach = [(w, w) for w in width]
    even = {
        place: 0.0
        for signs in product((-1, 1), repeat=axes)
        for place in [tuple(s * k for s, k in zip(signs, p, strict=True)) for p in coefficients]
    }
    for place in even:
        even[place] = coefficients.get(tuple(map(abs, place)), 0.5)
    stencil = xpa.kernel(lambda u: applied(u, even, reach))
    whole = random(shape)
    results = on_ranks(domain, lambda grid, conditions: stencil(grid.field(init=whole, boundary=conditions)).gather())
    wanted = applied(continued(whole, reach, periodic, (False,) * axes, boundary), even, reach)
    np.testing.assert_array_equal(results[0], wanted)


@hypothesis.given(st.data())
def test_stencils_of_stencils_in_place_with_two_fields(data):
    domain = data.draw(domains().filter(enough))
    shape, periodic, _, boundary = domain
    axes = len(shape)
    one, first = data.draw(stencils(axes, 1))
    other, second = data.draw(stencils(axes, 1))
    both = [(a + c, b + d) for (a, b), (c, d) in zip(first, second, strict=True)]
    inside = tuple(slice(low, -high or None) for low, high in both)

    def step(new, u, factor):
        inner = applied(u, one, first)
        costly = np.sqrt(np.sqrt(1 + inner * inner) / (2 + inner * inner)) / np.sqrt(3 + inner * inner)  # in memory
        new[inside] = new[inside] + factor * applied(costly, other, second)

    whole, before = random(shape), random(shape, 1)
    kernel = xpa.kernel(step)

    def work(grid, conditions):
        u, new = grid.field(init=whole, boundary=conditions), grid.field(init=before)
        for _ in range(2):
            assert kernel(new, u, 0.5) is None
        return new.gather(), u.gather()

    results = on_ranks(domain, work)
    padded = continued(whole, both, periodic, (False,) * axes, boundary)
    new = np.pad(before, both)
    for _ in range(2):
        step(new, padded, 0.5)
    for result, kept in results:
        np.testing.assert_array_equal(result, new[inside])
        np.testing.assert_array_equal(kept, whole)


@hypothesis.given(st.data())
def test_rolling_along_periodic_axes(data):
    shape, _, ranks, boundary = data.draw(domains())
    domain = shape, (True,) * len(shape), ranks, boundary
    shifts = data.draw(st.lists(st.integers(-2, 2), min_size=1, max_size=3))
    axis = data.draw(st.integers(0, len(shape) - 1))

    def turned(u):
        total = u * 0.5
        for k, shift in enumerate(shifts):
            total = total - (k + 1) * np.roll(u, shift, axis)
        return total

    whole = random(shape)
    kernel = xpa.kernel(turned)
    results = on_ranks(domain, lambda grid, conditions: kernel(grid.field(init=whole)).gather())
    np.testing.assert_array_equal(results[0], turned(whole))


@hypothesis.given(st.data())
def test_staggered_fields(data):
    """Cells to faces, faces to cells, and faces in place, along each axis."""
    domain = data.draw(domains(least=2))
    shape, periodic, _, boundary = domain
    axis = data.draw(st.integers(0, len(shape) - 1))
    low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(len(shape)))
    high = tuple(slice(1, None) if k == axis else slice(None) for k in range(len(shape)))
    inside = tuple(slice(1, -1) if k == axis else slice(None) for k in range(len(shape)))
    origin = tuple(0.5 if k == axis else 0 for k in range(len(shape)))
    gradient = xpa.kernel(lambda h: h[high] - h[low], origin=origin)
    divergence = xpa.kernel(lambda h, q: h - 0.25 * (q[high] - q[low]))

    def accelerate(q, h):
        q[inside] -= 0.5 * (h[high] - h[low])

    in_place = xpa.kernel(accelerate)
    whole = random(shape)
    name = f"face {'xyz'[axis]}"

    def work(grid, conditions):
        h = grid.field(init=whole, boundary=conditions)
        faces = gradient(h)
        assert faces.at.name == name
        closed = grid.field(at=name, init=1.0, boundary=0.0)
        in_place(closed, h)
        return faces.gather(), divergence(h, faces).gather(), closed.gather()

    results = on_ranks(domain, work)
    pads = [(1, 1 - periodic[k]) if k == axis else (0, 0) for k in range(len(shape))]
    faces = gradient.python(continued(whole, pads, periodic, (False,) * len(shape), boundary))
    ring = np.concatenate([faces, np.take(faces, [0], axis)], axis) if periodic[axis] else faces
    closed = 1.0 - 0.5 * faces
    if not periodic[axis]:
        np.moveaxis(closed, axis, 0)[[0, -1]] = 0.0
    for result in results:
        np.testing.assert_array_equal(result[0], faces)
        np.testing.assert_array_equal(result[1], divergence.python(whole, ring))
        np.testing.assert_array_equal(result[2], closed)


@pytest.mark.parametrize(
    "formula",
    [
        lambda u: u[1:] - u[:-1],
        lambda u: u[1:-1] - u[:-2],
        lambda u: 3 * u[2:] - 4 * u[1:-1] + u[:-2],
        lambda u: u[1:-1] - 0.1 * (3 * u[2:] - 4 * u[1:-1] + u[:-2]),
        lambda u: (3 * u[3:-1] + 6 * u[2:-2] - u[1:-3]) / 8 + 0 * u[:-4] + 0 * u[4:],
        lambda u: u[2:] + 0 * u[:-2],
    ],
    ids=["upwind", "upwind of even width", "second order", "in a step", "QUICK", "shifted"],
)
def test_what_is_in_doubt_is_refused(formula):
    grid = xpa.Grid((12,))
    with pytest.raises(xpa.TraceError, match="origin"):
        xpa.kernel(formula)(grid.field(boundary="reflect"))
