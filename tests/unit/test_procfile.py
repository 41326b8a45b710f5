import pytest

from app.local.errors import CannotRun
from app.local.procfile import process_environment, read_procfile


def test_our_procfile_names_the_three_processes():
    assert set(read_procfile()) == {"release", "web", "worker"}


def test_comments_and_empty_lines_are_no_processes(tmp_path):
    path = tmp_path / "Procfile"
    path.write_text('# about\n\nweb: serve --name "a:b"\n')
    assert read_procfile(path) == {"web": 'serve --name "a:b"'}


@pytest.mark.parametrize("line", ["web", "web:", "web serve"])
def test_a_line_that_is_no_process_is_refused(tmp_path, line):
    (tmp_path / "Procfile").write_text(line)
    with pytest.raises(CannotRun, match='is not "name: command"'):
        read_procfile(tmp_path / "Procfile")


def test_a_missing_procfile_is_named(tmp_path):
    with pytest.raises(CannotRun, match="Procfile is missing"):
        read_procfile(tmp_path / "Procfile")


def test_settings_win_over_what_was_there():
    assert (
        process_environment({"PORT": "1", "HOME": "/home/me"}, port="2").items()
        >= {
            "PORT": "2",
            "HOME": "/home/me",
        }.items()
    )
