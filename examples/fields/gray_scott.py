"""Patterns from two chemicals that feed on each other (Gray-Scott), on a torus, with an animation.

python gray_scott.py --animate spots.gif
xpaccel run -n 4 gray_scott.py --cells 512 --steps 5000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xpaccel as xpa


@xpa.kernel
def react(a, b, feed, kill, dt):
    """Return both concentrations a step later: diffusion and the reaction a + 2b -> 3b."""

    def lap(c):
        sides = np.roll(c, 1, 0) + np.roll(c, -1, 0) + np.roll(c, 1, 1) + np.roll(c, -1, 1)
        return sides - 4 * c

    reaction = a * b * b
    return (
        a + dt * (0.16 * lap(a) - reaction + feed * (1 - a)),
        b + dt * (0.08 * lap(b) + reaction - (feed + kill) * b),
    )


def simulate(cells: int, steps: int, every: int = 0) -> tuple[xpa.Field, list[np.ndarray]]:
    """Return the second concentration, and pictures of it (on rank 0) every so many steps."""
    grid = xpa.Grid((cells, cells), periodic=True)
    middle, radius = cells / 2, cells / 10

    def spot(x, y):
        return np.where((abs(x - middle) < radius) & (abs(y - middle) < radius), 1.0, 0.0)

    a, b = grid.field(init=lambda x, y: 1 - 0.5 * spot(x, y)), grid.field(init=lambda x, y: 0.25 * spot(x, y))
    frames = []
    for step in range(steps):
        a, b = react(a, b, 0.035, 0.065, 1.0)
        if every and step % every == 0:
            frame = b.gather(root=0)
            if frame is not None:
                frames.append(frame)
    return b, frames


def animate(frames: list[np.ndarray], path: Path) -> None:
    """Write a film."""
    from matplotlib import animation
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
    axes.axis("off")
    image = axes.imshow(frames[0], cmap="magma", vmin=0, vmax=max(frame.max() for frame in frames))
    film = animation.FuncAnimation(figure, lambda k: [image.set_data(frames[k])], frames=len(frames))
    film.save(path, writer="pillow", fps=20)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=128, help="along each side (128)")
    parser.add_argument("--steps", type=int, default=2000, help="time steps (2000)")
    parser.add_argument("--out", type=Path, default=Path("spots.npy"), help="where the result goes (spots.npy)")
    parser.add_argument("--animate", type=Path, help="where a film goes (.gif), if one is wanted")
    given = parser.parse_args()
    result, pictures = simulate(given.cells, given.steps, max(given.steps // 60, 1) if given.animate else 0)
    whole = result.gather(root=0)
    if whole is not None:
        np.save(given.out, whole)
        print(f"{result.grid!r}: {whole.min():.4f} to {whole.max():.4f}, in {given.out}")
    if pictures:
        animate(pictures, given.animate)
