"""How far drawn pictures are from renders, and how different from each other, as the judge's
features tell."""

import numpy as np

from course_utils.evaluation.material import ARTICLE, SETTINGS, Material, draw
from course_utils.evaluation.tables import Row, Tables
from course_utils.world3d.sample import render

SEEDS = 8  # pictures of one prompt
PROMPTS = 24  # that are drawn so often
SMALLEST = 15  # pictures that a Fréchet distance is computed from


def frechet(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """The Fréchet distance of two Gaussians: |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½).

    Args:
        mean_a, mean_b: (D,).
        covariance_a, covariance_b: (D, D), symmetric, without negative eigenvalues.
    Source: Heusel et al. 2017, eq. 6.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    both = np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)  # those of Σ_a Σ_b
    apart = np.square(mean_a - mean_b).sum()
    return float(apart + np.trace(covariance_a + covariance_b) - 2 * np.sqrt(both).sum())


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Fréchet distance of Gaussians with the mean and covariance of features.

    Args:
        a, b: (N, D) and (M, D), N and M at least 2.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return frechet(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def sizes(count: int) -> list[int]:
    """`count`, and its half, quarter, …, down to SMALLEST; from the smallest on."""
    found = [count]
    while found[0] // 2 >= SMALLEST:
        found.insert(0, found[0] // 2)
    return found


def frechet_rows(drawn: np.ndarray, one: np.ndarray, two: np.ndarray) -> list[Row]:
    """Fréchet distances for several numbers of pictures: few make every distance larger.

    Args:
        drawn: features of drawn pictures, (N, D).
        one, two: features of renders of different scenes, (N, D) each.
    Returns:
        "N"; "floor", between the renders; "drawn", from drawn pictures to the first renders;
        "ratio", of the two.
    """
    rows = []
    for count in sizes(len(drawn)):
        a, b, c = (features[:count] for features in (one, two, drawn))
        floor, distance = frechet_distance(b, a), frechet_distance(c, a)
        rows.append({"N": count, "floor": floor, "drawn": distance, "ratio": distance / floor})
    return rows


def frechet_tables(material: Material) -> Tables:
    """Fréchet distances of drawn pictures from held-out renders, at each setting."""
    renders = material.judge.features(material.reference.pictures)
    halves = renders[: material.count], renders[material.count :]
    return {
        f"Fréchet distance from renders: {setting.name}": frechet_rows(
            material.judge.features(material.drawn(setting)), *halves
        )
        for setting in SETTINGS
    }


def mean_distance(vectors: np.ndarray) -> float:
    """The mean over all pairs of the root mean square difference; vectors (N, D), N at least 2."""
    first, second = np.triu_indices(len(vectors), k=1)
    squares = np.square(vectors[first] - vectors[second]).mean(axis=1)
    return float(np.sqrt(squares).mean())


def diversity(material: Material) -> Tables:
    """How different eight pictures of one prompt are, beside eight renders of the same scene:
    the mean distance of two, in the judge's features and in pixels (0 to 1)."""
    scenes = material.scenes[:PROMPTS]
    every = [scene for scene in scenes for _ in range(SEEDS)]
    renders = [np.asarray(render(scene, seed).picture) for seed, scene in enumerate(every)]
    rows = [
        {"pictures": name} | differences(material, pictures)
        for name, pictures in (
            ("renders", np.stack(renders)),
            (ARTICLE.name, draw(material.pipe, every, ARTICLE)),
        )
    ]
    ratio = {kind: rows[1][kind] / rows[0][kind] for kind in ("features", "pixels")}
    title = f"Mean distance of two of {SEEDS} pictures of one prompt, over {len(scenes)} prompts"
    return {title: [*rows, {"pictures": "ratio"} | ratio]}


def differences(material: Material, pictures: np.ndarray) -> Row:
    """The mean over prompts of `mean_distance`, in features and in pixels.

    Args:
        pictures: SEEDS pictures of each prompt, one prompt after the other, (N, H, W, 3) uint8.
    """
    vectors = {
        "features": material.judge.features(pictures),
        "pixels": pictures.reshape(len(pictures), -1) / np.float32(255),
    }
    return {
        kind: float(np.mean([mean_distance(v) for v in np.split(values, len(values) // SEEDS)]))
        for kind, values in vectors.items()
    }
