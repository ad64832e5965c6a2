"""What GitHub reads: workflows, issue templates, the citation; and the changelog."""

import re
from pathlib import Path

import pytest
import yaml

from course_utils.authoring.source import tomllib

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_tests_run_what_the_house_runs_on_oldest_newest_and_exact_versions():
    job = read(GITHUB / "workflows" / "tests.yml")["jobs"]["tests"]
    assert job["steps"][-1] == {"run": ".ci/run"}
    rows = {row["python"]: row["constraints"] for row in job["strategy"]["matrix"]["include"]}
    assert rows == {"3.11": "constraints.txt", "3.10": "", "3.13": ""}
    assert PROJECT["requires-python"] == f">={min(rows)}"
    assert job["env"]["CONSTRAINTS"] == "${{ matrix.constraints }}"
    assert re.search(r"^CONSTRAINTS \?=", (ROOT / "Makefile").read_text(), re.M)


def test_pages_are_published_after_the_tests():
    jobs = read(GITHUB / "workflows" / "pages.yml")["jobs"]
    called = ROOT / jobs["tests"]["uses"]
    assert "workflow_call" in read(called)[True]  # YAML takes the word on for True
    assert (jobs["build"]["needs"], jobs["deploy"]["needs"]) == ("tests", "build")


@pytest.mark.parametrize("name", ["bug", "question"])
def test_issue_templates_are_forms(name):
    form = read(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea") and field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_citation_says_what_the_project_says():
    cited = read(ROOT / "CITATION.cff")
    assert cited["version"] == PROJECT["version"] and cited["license"] == PROJECT["license"]
    assert cited["repository-code"] == PROJECT["urls"]["Repository"]
    assert cited["title"] == PROJECT["description"].partition(":")[0]
    assert {"cff-version", "message", "authors"} <= cited.keys()


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(.*?)\](?: - \d{4}-\d{2}-\d{2})?$", text, re.M)
    assert versions[0] == "Unreleased"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= kinds
