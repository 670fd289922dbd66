"""The process that reads HDF5 files: it is reused, can crash, and ends with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pose_files import read_keypoints
from test_dlc_hdf5 import read, recording, write

from vame_pipe.core.errors import InputError
from vame_pipe.poses import hdf5_process
from vame_pipe.poses.readers import read_poses


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "p.h5", recording())


@pytest.fixture
def fresh():
    """No process before the test, and none with damaged memory after it."""
    hdf5_process._end()
    yield
    hdf5_process._end()


def process_id():
    return hdf5_process._child.process.pid


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ended(pid):
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False


def test_one_process_reads_all_files(path, fresh, tmp_path):
    assert hdf5_process._child is None
    read_keypoints(path)
    first = process_id()
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    with pytest.raises(InputError):
        read_poses(tmp_path / "bad.h5", 30)
    read_poses(path, 30)
    assert process_id() == first


def test_a_file_that_crashes_the_library_is_refused(path, fresh, monkeypatch):
    ask = hdf5_process._Child.ask

    def crash(child, **question):
        os.kill(child.process.pid, signal.SIGSEGV)
        child.process.wait()
        ask(child, **question)

    read_poses(path, 30)
    with monkeypatch.context() as patch:
        patch.setattr(hdf5_process._Child, "ask", crash)
        with pytest.raises(InputError, match=r"crashed the HDF5 library \(signal 11\)"):
            read_poses(path, 30)
    assert len(read(path).position) == 50


def test_a_crash_after_another_file_is_not_blamed_on_the_file(path, fresh):
    read_poses(path, 30)
    child = hdf5_process._child.process
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(child.pid, signal.SIGSEGV)  # arrives when it continues: during the next file
    with subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {child.pid}"]):
        assert len(read(path).position) == 50
    assert child.returncode == -signal.SIGSEGV


def test_a_file_that_takes_too_long_is_refused(fresh, monkeypatch, tmp_path):
    path = write(tmp_path / "long.h5", recording(n_frames=200_000))
    read_keypoints(path)
    monkeypatch.setattr(hdf5_process, "CPU_S", 1e-4)
    monkeypatch.setattr(hdf5_process, "CPU_S_PER_BYTE", 0)
    with pytest.raises(InputError, match="takes too long"):
        read_poses(path, 30)
    monkeypatch.undo()
    assert len(read(path).position) == 200_000


def test_an_interrupted_read_leaves_no_answer_for_the_next_file(path, fresh, monkeypatch):
    def interrupt(child):
        raise KeyboardInterrupt

    read_poses(path, 30)
    with monkeypatch.context() as patch:
        patch.setattr(hdf5_process._Child, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_keypoints(path)
    assert len(read(path).position) == 50


SCRIPT = """
import os, signal, sys
from vame_pipe.poses import hdf5_process, readers
print(len(readers.read_poses(sys.argv[1], 30)["id_0"].position))
print(hdf5_process._child.process.pid, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)"])
def test_it_ends_with_its_parent(path, end):
    command = [sys.executable, "-c", SCRIPT.format(end=end), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    n_frames, pid = done.stdout.split()
    assert n_frames == "50" and ended(int(pid)) and done.stderr == ""


def test_it_imports_the_package_of_its_parent_and_nothing_of_the_working_directory(path, tmp_path):
    """Run a script without a main guard, without PYTHONPATH, next to modules of the same names."""
    for name in ("h5py", "numpy", "json", "vame_pipe"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('this must not be imported')")
    elsewhere = tmp_path / "scripts"
    elsewhere.mkdir()
    first = f"import sys; sys.path[1:1] = {[p for p in sys.path if p]!r}\n"
    (elsewhere / "script.py").write_text(first + SCRIPT.format(end=""))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(elsewhere / "script.py"), path.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("50\n"), done.stderr


def test_it_imports_neither_pandas_nor_torch():
    code = "import sys, vame_pipe.poses.hdf5_answers, vame_pipe.poses.dlc_hdf5; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "torch", "mlflow", "pyarrow", "pydantic"} & set(done.stdout.split())
