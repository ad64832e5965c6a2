"""The measure of notebook 10: a judge that knows one thing more."""

import numpy as np
import pytest
import torch

from course_utils.training import evaluate_flooble as measure
from course_utils.training.attributes import CLASSES, UNNAMED
from course_utils.training.flooble import flooble
from course_utils.training.judge import load_judge
from course_utils.world import sample


def test_the_wider_judge_starts_as_the_old_one():
    pictures = np.stack([np.asarray(sample(seed).picture) for seed in range(6)])
    old, new = load_judge(), measure.wider_judge().eval()
    seen = new.classes(pictures)
    assert all(torch.equal(seen[name], one) for name, one in old.classes(pictures).items())
    assert new.heads["subject"].out_features == len(CLASSES["subject"]) + 1 == measure.CLASS + 1


def test_what_is_known_of_a_flooble():
    seen = [flooble(1, "beach", "night"), flooble(2, "park bench", "day")]
    classes = measure.flooble_classes(seen)
    assert classes["subject"].tolist() == [measure.CLASS] * 2
    assert classes["color"].tolist() == [UNNAMED] * 2
    assert [CLASSES["place"][n] for n in classes["place"]] == ["beach", "park bench"]
    assert [CLASSES["time"][n] for n in classes["time"]] == ["night", "day"]
    assert CLASSES["style"][classes["style"][0]] == "photo"


def test_a_judge_that_is_not_fit_judges_nothing(monkeypatch):
    monkeypatch.setattr(measure, "train_wider_judge", lambda: None)
    monkeypatch.setattr(measure, "fitness", lambda judge: {"floobles": 0.99, "world": 0.9})
    with pytest.raises(RuntimeError, match="0.98 is needed"):
        measure.evaluate_flooble()


def test_shares(monkeypatch):
    class Judge:
        def classes(self, pictures):
            return {"subject": torch.tensor([measure.CLASS, 0]), "place": torch.tensor([-1, -1])}

    monkeypatch.setattr(measure, "drawn", lambda pipe, prompts: np.zeros((2, 1)))
    found = measure.shares(Judge(), None, 2)
    assert found["flooble"] == 0.5 and found["place"] == 0
