"""What people who pick the project up rely on: locked requirements, links that lead somewhere, true documents."""

import re
import tomllib
from pathlib import Path

import pytest

from app.core.operations import metrics

REPOSITORY = Path(__file__).parents[1]
OPERATIONS = (REPOSITORY / "docs/operations.md").read_text()
DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
LONGEST_README = 130
LOCKED = {
    "requirements.in": "requirements.txt",
    "requirements-dev.in": "requirements-dev.txt",
    "requirements-export.in": "requirements-export.txt",
    "tests/requirements-s3.in": "tests/requirements-s3.txt",
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def chosen(file_name: str) -> dict[str, str]:
    """The packages of an .in file, each with the reason beside it."""
    found = {}
    for line in (REPOSITORY / file_name).read_text().splitlines():
        if line and not line.startswith(("#", "-")):
            requirement, _, reason = line.partition("#")
            found[canonical(re.split(r"[\[;\s]", requirement)[0])] = reason.strip()
    return found


def pinned(file_name: str) -> dict[str, str]:
    """The block of each package in a locked file: its version, markers and hashes."""
    blocks = re.split(r"\n(?=[A-Za-z])", (REPOSITORY / file_name).read_text())
    return {canonical(re.split(r"[\[=]", block)[0]): block for block in blocks}


@pytest.mark.parametrize("source", LOCKED)
def test_every_package_that_we_chose_has_a_reason_and_is_locked(source: str):
    reasons = chosen(source)
    assert [name for name, reason in reasons.items() if not reason] == []
    assert reasons.keys() - pinned(LOCKED[source]).keys() == set()


@pytest.mark.parametrize("locked", LOCKED.values())
def test_everything_that_is_installed_has_one_version_and_hashes(locked: str):
    for name, block in pinned(locked).items():
        assert re.match(r"[\w.\-]+(\[\w+\])?==\d", block), name
        assert "--hash=sha256:" in block, name


def test_development_has_the_versions_of_production():
    development = pinned("requirements-dev.txt")
    for name, block in pinned("requirements.txt").items():
        assert development[name].split()[0] == block.split()[0]


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= LONGEST_README


@pytest.mark.parametrize("locked", LOCKED.values())
def test_locked_requirements_name_no_registry(locked: str):
    text = (REPOSITORY / locked).read_text()
    assert "://" not in text
    assert "index-url" not in text


def links() -> list[tuple[Path, str]]:
    targets = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
    found = [(document, target) for document in DOCUMENTS for target in targets.findall(document.read_text())]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_is_whole(document: Path):
    text = document.read_text()
    assert len(re.findall(r"\]\([^()\s]+\)", text)) == text.count("](")
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0


@pytest.mark.parametrize(("document", "target"), links(), ids=lambda part: getattr(part, "name", part))
def test_a_link_leads_to_a_file_and_to_a_heading(document: Path, target: str):
    path, _, fragment = target.partition("#")
    file = (document.parent / path).resolve() if path else document
    assert file.exists()
    if fragment:
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
        assert fragment in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_every_metric_is_documented_and_no_other():
    names = {value for name, value in vars(metrics).items() if name.isupper()}
    assert set(re.findall(r"^\| `(prompt_analytics_\w+)` \|", OPERATIONS, re.MULTILINE)) == names


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(
        each
        for document in DOCUMENTS
        for each in re.findall(r"```.*?```|`[^`\n]+`", document.read_text(), re.DOTALL)
        if not each.startswith("```json")
    )
    named = set(re.findall(r"\bmake ([a-z]+)", code))
    assert named >= {"run", "demo", "test", "lint", "bench", "lock"}
    assert named - targets == set()


def test_every_module_that_the_map_names_is_there():
    text = (REPOSITORY / "docs/architecture.md").read_text()
    house = text.split("```")[1]
    folders: list[tuple[int, Path]] = []
    for line in house.strip().splitlines():
        indent = len(line) - len(line.lstrip())
        folders = [(depth, folder) for depth, folder in folders if depth < indent]
        parent = folders[-1][1] if folders else REPOSITORY
        for name in re.findall(r"(?<![\w/])(?:\w+/|\w+\.py)(?=\s|$)", line.strip().split("   ")[0].split("  ")[0]):
            assert (parent / name).exists(), f"{parent}/{name}"
            if name.endswith("/"):
                folders.append((indent, parent / name))


@pytest.mark.parametrize("folder", ["app", "app/core", "app/web", "app/web/pages", "worker", "config"])
def test_the_map_names_every_module_and_room(folder: str):
    house = (REPOSITORY / "docs/architecture.md").read_text().split("```")[1]
    inside = (REPOSITORY / folder).iterdir()
    names = {path.name + "/" * path.is_dir() for path in inside if path.suffix == ".py" or path.is_dir()}
    named = set(re.findall(r"(?<!\S)\w+(?:/|\.py)", house.replace("(", "")))
    assert names - named == {"__init__.py", "__pycache__/"} & names


def test_a_commit_and_ci_are_checked_as_by_hand():
    assert "entry: make lint\n" in (REPOSITORY / ".pre-commit-config.yaml").read_text()
    assert "bash .ci/run\n" in (REPOSITORY / ".github/workflows/ci.yaml").read_text()
    assert {"make lint", "make test"} <= set(re.findall(r"make \w+", (REPOSITORY / ".ci/run").read_text()))


def test_the_project_says_who_it_is():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']} - " in (REPOSITORY / "CHANGELOG.md").read_text()
    assert project["license"] in (REPOSITORY / "LICENSE").read_text().splitlines()[0]
