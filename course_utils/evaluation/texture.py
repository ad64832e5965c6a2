"""Fine detail: how much of it drawn pictures have, how much the autoencoder keeps, and whether it
is the same in every picture."""

import numpy as np
from scipy.ndimage import gaussian_filter

from course_utils.evaluation.material import ARTICLE, WORLD, Material, of_style
from course_utils.evaluation.tables import Row, Tables, share
from course_utils.training.attributes import classes_of
from course_utils.training.autoencoder import held_out_photographs, measures, reconstructed
from course_utils.training.judge import Judge
from course_utils.world3d.vocabulary import STYLES

FINE = 1.5  # pixels: what is finer than a blur of this standard deviation


def high_pass(pictures: np.ndarray) -> np.ndarray:
    """What a blur leaves out of pictures (N, H, W, 3) uint8; float32, −1 to 1."""
    x = np.asarray(pictures, np.float32) / 255
    return x - gaussian_filter(x, (0, FINE, FINE, 0))


def energy(pictures: np.ndarray) -> float:
    """The mean square of what `high_pass` leaves, over all pictures (N, H, W, 3) uint8."""
    return float(np.mean([np.square(high_pass(one[None])).mean() for one in pictures]))


def fixed_texture(pictures: np.ndarray) -> float:
    """The share of fine detail that is the same in every picture.

    Args:
        pictures: (N, H, W, 3) uint8.
    Returns:
        the energy of the mean `high_pass` over the mean energy of one: 1 for a texture that never
        changes; about 1 / N where pictures have nothing in common.
    """
    mean = np.mean([high_pass(one[None])[0] for one in pictures], axis=0)
    return float(np.square(mean).mean() / energy(pictures))


def texture(material: Material) -> Tables:
    """Fine detail of drawn pictures over that of renders; of the autoencoder's round trip over
    that of its originals; and how much of a style's detail is the same in every render."""
    return {
        "Fine detail of drawn pictures over that of renders, same scenes": drawn_rows(material),
        "Round trip through the autoencoder": round_trip_rows(material),
        "Fine detail that is the same in every render": fixed_rows(material),
    }


def drawn_rows(material: Material) -> list[Row]:
    """For each style: high-pass energy of pictures at the article's settings over renders'."""
    scenes, rows = material.renders.scenes, []
    drawn, renders = material.drawn(ARTICLE), material.renders.pictures
    for style in STYLES:
        these, those = of_style(drawn, scenes, style), of_style(renders, scenes, style)
        if len(these):
            rows.append({"style": style, "N": len(these), "detail": energy(these) / energy(those)})
    return rows


def round_trip_rows(material: Material) -> list[Row]:
    """For each style, and for photographs: PSNR in decibels, SSIM, high-pass energy over that of
    the originals, and how often the judge names the style before and after."""
    pictures, scenes = material.renders.pictures, material.renders.scenes
    rows = []
    for style in STYLES:
        these = of_style(pictures, scenes, style)
        if len(these):
            again = reconstructed(material.pipe.vae, these)
            named = {
                f"style named {when}": style_named(material.judge, seen, style)
                for when, seen in (("before", these), ("after", again))
            }
            rows.append({"pictures": style} | round_trip(these, again) | named)
    photographs = held_out_photographs()
    again = reconstructed(material.pipe.vae, photographs)
    unjudged = {"style named before": share([]), "style named after": share([])}
    return [*rows, {"pictures": "photographs"} | round_trip(photographs, again) | unjudged]


def round_trip(pictures: np.ndarray, again: np.ndarray) -> Row:
    """How close pictures (N, H, W, 3) uint8 come back."""
    told = measures(pictures, again)
    detail = energy(again) / energy(pictures)
    return {"N": len(pictures), "PSNR": told["psnr"], "SSIM": told["ssim"], "detail": detail}


def style_named(judge: Judge, pictures: np.ndarray, style: str) -> dict:
    """The share of pictures in which the judge sees a style."""
    number = classes_of(WORLD)["style"].index(style)
    return share((judge.classes(pictures)["style"] == number).tolist())


def fixed_rows(material: Material) -> list[Row]:
    """For each style: `fixed_texture` of reference renders, and what chance would leave."""
    rows = []
    for style in STYLES:
        these = of_style(material.reference.pictures, material.reference.scenes, style)
        if len(these):
            same = fixed_texture(these)
            rows.append({"style": style, "N": len(these), "same": same, "chance": 1 / len(these)})
    return rows
