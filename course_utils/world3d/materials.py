"""What surfaces are made of: how they shine, reflect and are textured."""

from typing import NamedTuple


class Material(NamedTuple):
    """How a surface answers to light.

    Attributes:
        shine: strength of the highlight, 0 to 1.
        sharpness: how small the highlight is (the exponent of Blinn and Phong).
        mirror: share of light that is reflected at a right angle; more at grazing ones.
        mottle: strength of the irregular change of brightness over the surface, 0 to 1.
        grain: size of that change, metres, along the shape's own x, y and z.
        glow: how much light of its own it emits, in colours of its own.
        soft: share of light that wraps around the edge of the shadow (fur, leaves, snow).
    """

    shine: float = 0.08
    sharpness: float = 16.0
    mirror: float = 0.0
    mottle: float = 0.0
    grain: tuple[float, float, float] = (0.2, 0.2, 0.2)
    glow: float = 0.0
    soft: float = 0.0


MATERIALS = {
    "matte": Material(),
    "gloss": Material(shine=0.55, sharpness=60, mirror=0.04),
    "metal": Material(shine=0.5, sharpness=40, mirror=0.12, mottle=0.05, grain=(0.3, 0.1, 0.3)),
    "glow": Material(glow=1.0),
    "wood": Material(shine=0.12, mottle=0.32, grain=(0.9, 0.05, 0.08)),
    "leaf": Material(mottle=0.5, grain=(0.13, 0.13, 0.13), soft=0.35),
    "snow": Material(mottle=0.05, grain=(0.3, 0.3, 0.3), soft=0.4),
    "stone": Material(mottle=0.2, grain=(0.15, 0.15, 0.15)),
    "fur": Material(mottle=0.14, grain=(0.09, 0.14, 0.09), soft=0.25),
    "cloth": Material(shine=0.03, mottle=0.1, grain=(0.2, 0.3, 0.2), soft=0.12),
    "brick": Material(mottle=0.3, grain=(0.18, 0.08, 0.18)),
    "water": Material(shine=0.9, sharpness=90, mirror=0.3, mottle=0.1, grain=(0.9, 0.12, 0.3)),
    "breaker": Material(shine=0.25, sharpness=120, soft=0.6),
    "foam": Material(shine=0.02, mottle=0.12, grain=(0.1, 0.1, 0.1), soft=0.8),
    "facade": Material(shine=0.03, mottle=0.12, grain=(0.5, 0.2, 0.5)),
    "glass": Material(shine=0.9, sharpness=120, mirror=0.25),
}
