"""The picture of layers: `python docs/layers.py` writes docs/layers.svg, from pyproject.toml."""

import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT, GAP, MARGIN = 640, 34, 14, 8
BOX, ARROW = 'rx="4" fill="#e8eef6" stroke="#456"', 'fill="none" stroke="#456"'


def layers() -> list[list[str]]:
    """From the top down; packages of one layer do not import each other."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    (contract,) = (c for c in settings["contracts"] if c["type"] == "layers")
    return [
        [name.strip().removeprefix("snap_al.") for name in line.split("|")]
        for line in contract["layers"]
    ]


def picture() -> str:
    """SVG: one row of boxes for each layer, an arrow from each to the next."""
    rows = layers()
    height = len(rows) * (HEIGHT + GAP) - GAP + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        f'  width="{WIDTH}" height="{height}"',
        '  font-family="sans-serif" font-size="14" text-anchor="middle">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for n, names in enumerate(rows):
        y = MARGIN + n * (HEIGHT + GAP)
        width = (WIDTH - 2 * MARGIN - (len(names) - 1) * GAP) / len(names)
        for k, name in enumerate(names):
            x = MARGIN + k * (width + GAP)
            parts += [
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" {BOX}/>',
                f'<text x="{x + width / 2:.1f}" y="{y + HEIGHT / 2 + 5:.0f}">{name}</text>',
            ]
        if n + 1 < len(rows):
            bottom = y + HEIGHT
            parts.append(f'<path d="M{WIDTH / 2} {bottom}v{GAP - 4}m-4 -4l4 4l4 -4" {ARROW}/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (HERE / "layers.svg").write_text(picture(), encoding="utf-8")
