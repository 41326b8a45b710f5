"""What the Dockerfile says, its steps run in a folder that stands for the image; compose.yaml, as Compose reads it."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.local.children import REPOSITORY

STEP_SECONDS = 1_200
_PATHS = re.compile(r"(?<![\w.$}/])/(?=(?:opt|srv|build|var/lib)/?\b)")
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@dataclass(frozen=True)
class Instruction:
    name: str
    text: str

    def words(self) -> list[str]:
        """Of the exec form, or of what a shell would read."""
        return list(json.loads(self.text)) if self.text.startswith("[") else shlex.split(self.text)

    def operands(self) -> list[str]:
        """Without its flags."""
        return [word for word in self.words() if not word.startswith("--")]


def instructions(path: Path = REPOSITORY / "Dockerfile") -> list[Instruction]:
    """In their order, without comments, each on one line."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in joined]


def last(name: str) -> Instruction:
    """The one that counts for the image."""
    return [each for each in instructions() if each.name == name][-1]


def health_check() -> list[str]:
    """The command of HEALTHCHECK."""
    return list(json.loads(last("HEALTHCHECK").text.partition("CMD ")[2]))


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the repository out of the build: the last line that fits decides.

    Of its syntax only what ours uses: `*`, names at the top, and `**/name` anywhere, each also with `!`.
    """
    ignored = False
    for line in (REPOSITORY / ".dockerignore").read_text().split("\n"):
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        assert pattern == "*" or re.fullmatch(r"(\*\*/)?[\w.-]+", pattern), line
        parts = path.split("/")
        fits = parts[0] if "**/" not in pattern else next((part for part in parts if part == pattern[3:]), "")
        if fnmatch.fnmatch(fits, pattern.removeprefix("**/")):
            ignored = not line.startswith("!")
    return ignored


@dataclass
class Image:
    """A build in `root`, by the Python that stands for the base image's. Only paths are changed, to be below `root`."""

    root: Path
    python: Path
    environment: dict[str, str]
    stages: dict[str, Path] = field(default_factory=dict)
    stage: str = ""
    folder: str = "/"

    def inside(self, text: str) -> str:
        """With the paths of the image as they are here."""
        return _PATHS.sub(f"{self.root}/", text)

    def build(self) -> None:
        """Run every step; AssertionError, with what it wrote, for one that fails or that is not known here."""
        for step in instructions():
            getattr(self, f"_{step.name.lower()}")(step)

    def _from(self, step: Instruction) -> None:
        """Every stage has the same path while it is built: environments of Python cannot be moved."""
        base, *name = step.words()
        assert base.startswith("python:")
        if self.root.exists():
            self.stages[self.stage] = self.root.rename(self.root.with_name(self.stage))
        self.root.mkdir()
        self.stage = name[-1] if name else ""
        self.folder = "/"
        programs = self.root / "bin"
        programs.mkdir()
        (programs / "python").symlink_to(self.python)
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def _workdir(self, step: Instruction) -> None:
        self.folder = step.text
        self.working_folder().mkdir(parents=True, exist_ok=True)

    def working_folder(self) -> Path:
        return self.root / self.folder.lstrip("/")

    def _env(self, step: Instruction) -> None:
        for word in step.words():
            name, _, value = word.partition("=")
            self.environment[name] = self.inside(value).replace("$PATH", self.environment["PATH"])

    def _run(self, step: Instruction) -> None:
        self.run(["sh", "-c", self.inside(step.text)])

    def _copy(self, step: Instruction) -> None:
        *sources, target = step.operands()
        origin = REPOSITORY
        if (stage := re.search(r"--from=(\w+)", step.text)) is not None:
            origin = self.stages[stage[1]]
        for source in sources:
            found = origin / source.lstrip("/")
            destination = self.working_folder() / self.inside(target)
            if found.is_dir():
                ignore = _ignored if origin == REPOSITORY else None
                shutil.copytree(found, destination, symlinks=True, ignore=ignore, dirs_exist_ok=True)
            else:
                assert not is_ignored(source)
                shutil.copy(found, destination)

    def _nothing_to_run(self, step: Instruction) -> None:
        """What says how to run the image."""

    _user = _expose = _healthcheck = _cmd = _nothing_to_run

    def run(self, command: list[str], **environment: str) -> str:
        """What a command that must succeed prints in the image."""
        done = subprocess.run(
            command,
            cwd=self.working_folder(),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def _ignored(folder: str, names: list[str]) -> list[str]:
    place = Path(folder).relative_to(REPOSITORY)
    return [name for name in names if is_ignored(str(place / name))]


def services(variables: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Those of compose.yaml, with `${NAME:-default}` from `variables`, and `$$` as the dollar that it stands for."""
    given = variables or {}

    def read(value: Any) -> Any:
        if isinstance(value, str):
            replaced = _VARIABLE.sub(lambda found: given.get(found[1]) or found[2], value)
            return replaced.replace("$$", "$")
        if isinstance(value, list):
            return [read(each) for each in value]
        return {name: read(each) for name, each in value.items()} if isinstance(value, dict) else value

    found: dict[str, dict[str, Any]] = read(yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"])
    return found
