"""The embedded server: one per directory, private, found again, crash-safe. PyMongo looks at it from outside; each test has its own directory."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pymongo
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import OperationalError

from djongo import embedded

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_setting(monkeypatch):
    monkeypatch.delenv("DJONGO_EMBEDDED_DIR", raising=False)
    monkeypatch.delenv("DJONGO_MONGOD", raising=False)


@pytest.fixture
def project():
    """A project directory that every user may enter, so that what keeps others out is the server's own directory."""
    path = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-test-")))
    path.chmod(0o755)
    yield path
    for directory in [path / ".djongo", *path.glob("*/.djongo"), *path.glob("*/*/.djongo")]:
        embedded.stop(directory=directory)
    shutil.rmtree(path)


def client(uri):
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=10_000)


def start_in_a_process(project, *arguments):
    code = "import sys; from djongo import embedded; print(embedded.ensure_running(sys.argv[1]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, str(project)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def mongods_of(project):
    """The pids of the mongod processes on this project's data."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"--dbpath={project}/.djongo/data" in entry.joinpath("cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def wait_gone(pid):
    deadline = time.monotonic() + 20
    while embedded._arguments(pid):
        assert time.monotonic() < deadline, f"{pid} still lives"
        time.sleep(0.02)


def test_it_is_a_replica_set_with_transactions(project):
    uri = embedded.ensure_running(project)
    with client(uri) as mongo:
        assert mongo.admin.command("hello")["setName"] == "djongo"
        parameter = mongo.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        assert parameter["transactionLifetimeLimitSeconds"] == 3600
        mongo.shop.create_collection("book")
        with mongo.start_session() as session:
            with session.start_transaction():
                mongo.shop.book.insert_one({"_id": 1}, session=session)
                session.abort_transaction()
            with session.start_transaction():
                mongo.shop.book.insert_one({"_id": 2}, session=session)
        assert [row["_id"] for row in mongo.shop.book.find()] == [2]


def test_several_starts_at_once_make_one_server(project):
    starters = [start_in_a_process(project) for _ in range(5)]
    answers = [starter.communicate(timeout=120) for starter in starters]
    assert all(starter.returncode == 0 for starter in starters), answers
    assert len({out for out, _ in answers}) == 1
    assert len(mongods_of(project)) == 1


def test_it_outlives_its_starter_and_is_found_again(project):
    out, err = start_in_a_process(project).communicate(timeout=120)
    (pid,) = mongods_of(project)
    assert embedded.ensure_running(project) == out.strip(), err
    assert mongods_of(project) == [pid]
    started = time.perf_counter()
    for _ in range(20):
        embedded.ensure_running(project)
    assert (time.perf_counter() - started) / 20 < 0.05


def test_no_tcp_listener_and_only_our_socket(project):
    embedded.ensure_running(project)
    (pid,) = mongods_of(project)
    sockets = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    assert sockets
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            assert line.split()[9] not in sockets, f"{table}: {line}"
    names = set()
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in sockets and len(fields) > 7:
            names.add(fields[7])
    assert names == {str(project / ".djongo" / "m.sock")}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_user_is_refused(project):
    uri = embedded.ensure_running(project)
    attempt = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for what in (
    lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1] + "/.djongo/m.sock"),
    lambda: os.listdir(sys.argv[1] + "/.djongo"),
    lambda: open(sys.argv[1] + "/.djongo/data/WiredTiger.wt"),
    lambda: open(sys.argv[1] + "/.djongo/mongod.log"),
):
    try:
        what()
    except PermissionError:
        continue
    sys.exit("let in")
os.listdir(sys.argv[1])  # the project itself can be entered: it is the server's directory that refuses
"""
    done = subprocess.run([sys.executable, "-c", attempt, str(project)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with client(uri) as mongo:
        assert mongo.admin.command("ping")["ok"]
    # Nor does another user's process take over a server directory that isn't its own, or stop its server.
    for call in ("ensure_running", "stop", "status"):
        done = subprocess.run(
            [sys.executable, "-c",
             "import os, sys; from djongo import embedded; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
             "getattr(embedded, sys.argv[1])(sys.argv[2])", call, str(project)],
            capture_output=True, text=True, cwd=ROOT,
        )
        assert done.returncode != 0 and "is not a directory of this user" in done.stderr, done.stderr
    assert len(mongods_of(project)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_somebody_elses_directory_is_refused(project):
    directory = project / ".djongo"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    with pytest.raises(ImproperlyConfigured, match="not a directory of this user"):
        embedded.ensure_running(project)
    os.chown(directory, 0, 0)


def test_an_open_directory_is_closed_first(project):
    directory = project / ".djongo"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    embedded.ensure_running(project)
    assert directory.stat().st_mode & 0o777 == 0o700
    for path in directory.rglob("*"):
        if path.is_dir() or path.is_socket():
            assert path.stat().st_mode & 0o077 == 0, path


def test_kill_minus_nine_and_open_again_with_the_data(project):
    with client(embedded.ensure_running(project)) as mongo:
        mongo.shop.book.insert_many([{"_id": number} for number in range(1000)])
    (pid,) = mongods_of(project)
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    assert embedded.status(project)["running"] is False
    assert (project / ".djongo" / "server.json").exists()  # stale, and to be recognised as such
    with client(embedded.ensure_running(project)) as mongo:
        assert mongo.shop.book.count_documents({}) == 1000
        mongo.shop.book.insert_one({"_id": "more"})
    assert len(mongods_of(project)) == 1


def test_a_recorded_pid_that_is_another_process_is_left_alone(project):
    embedded.ensure_running(project)
    embedded.stop(project)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (project / ".djongo" / "mongod.pid").write_text(f"{bystander.pid}\n")
        (project / ".djongo" / "server.json").write_text(json.dumps({"socket": str(project / ".djongo" / "m.sock"), "pid": bystander.pid}))
        assert embedded.stop(project) is False
        assert bystander.poll() is None
        (project / ".djongo" / "mongod.pid").write_text(f"{bystander.pid}\n")
        embedded.ensure_running(project)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_starter_killed_in_the_middle_leaves_nothing_stuck(project):
    for delay in (0.15, 0.4, 0.7):
        starter = start_in_a_process(project)
        time.sleep(delay)
        starter.kill()
        starter.communicate()
        with client(embedded.ensure_running(project)) as mongo:
            mongo.shop.book.insert_one({})
        assert len(mongods_of(project)) == 1
        embedded.stop(project)


def test_stop_is_clean_and_status_tells(project):
    assert embedded.status(project)["running"] is False
    assert not (project / ".djongo").exists()
    uri = embedded.ensure_running(project)
    status = embedded.status(project)
    assert status["running"] and status["uri"] == uri and [status["pid"]] == mongods_of(project)
    assert embedded.stop(project) is True
    assert mongods_of(project) == []
    assert embedded.stop(project) is False
    assert embedded.status(project)["running"] is False
    assert not (project / ".djongo" / "m.sock").exists()
    log = (project / ".djongo" / "mongod.log").read_text()
    assert '"exitCode":0' in log


def test_start_stop_start_together(project):
    """Stops and starts from several processes at once: every starter gets a server or sees it stopped after, and the end is orderly."""
    embedded.ensure_running(project)
    starters = [start_in_a_process(project) for _ in range(3)]
    embedded.stop(project)
    for starter in starters:
        out, err = starter.communicate(timeout=120)
        assert starter.returncode == 0, err
    embedded.ensure_running(project)
    assert len(mongods_of(project)) == 1


def test_a_long_path_gets_its_socket_elsewhere(project):
    deep = project / ("long-directory-name-" * 4) / ("and another one " * 3)
    deep.mkdir(parents=True)
    uri = embedded.ensure_running(deep)
    path = pymongo.uri_parser.parse_uri(uri)["nodelist"][0][0]
    assert len(path) <= embedded.MAX_SOCKET_PATH
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    with client(uri) as mongo:
        mongo.shop.book.insert_one({"_id": 1})
    embedded.stop(deep)
    assert embedded.ensure_running(deep) == uri  # the same place again
    embedded.stop(deep)
    shutil.rmtree(os.path.dirname(path))  # a reboot empties /tmp
    with client(embedded.ensure_running(deep)) as mongo:
        assert mongo.shop.book.count_documents({}) == 1
    shutil.rmtree(pathlib.Path((deep / ".djongo" / "socket-dir").read_text()), ignore_errors=True)


def test_a_moved_project_opens_at_its_new_place(project):
    old, new = project / "old", project / "new"
    old.mkdir()
    with client(embedded.ensure_running(old)) as mongo:
        mongo.shop.book.insert_one({"_id": 1})
    embedded.stop(old)
    old.rename(new)
    uri = embedded.ensure_running(new)
    with client(uri) as mongo:
        assert mongo.shop.book.count_documents({}) == 1
        with mongo.start_session() as session, session.start_transaction():
            mongo.shop.book.insert_one({"_id": 2}, session=session)
        assert mongo.admin.command("hello")["me"] == str(new / ".djongo" / "m.sock")


def test_the_log_is_bounded(project, monkeypatch):
    monkeypatch.setattr(embedded, "MAX_LOG_BYTES", 2000)
    embedded.ensure_running(project)
    log = project / ".djongo" / "mongod.log"
    first = log.stat().st_ino
    embedded.ensure_running(project)
    deadline = time.monotonic() + 10
    while not log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert log.stat().st_ino != first
    assert sorted(path.name for path in log.parent.glob("mongod.log*")) == ["mongod.log", "mongod.log.1"]


def fake_mongod(project, script):
    path = project / "mongod"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)


def test_errors_say_what_to_do(project, monkeypatch):
    no_curl = fake_mongod(project, 'echo "$0: error while loading shared libraries: libcurl.so.4: cannot open shared object file" >&2; exit 127\n')
    with pytest.raises(ImproperlyConfigured, match=r"no libcurl\.so\.4 \(Debian and Ubuntu: apt-get install libcurl4\)"):
        embedded.ensure_running(project, mongod=no_curl)
    with pytest.raises(OperationalError, match="exit status 14.*disk on fire"):
        embedded.ensure_running(project, mongod=fake_mongod(project, "echo disk on fire; exit 14\n"))
    with pytest.raises(ImproperlyConfigured, match="DJONGO_MONGOD is '/nowhere/mongod'"):
        embedded.ensure_running(project, mongod="/nowhere/mongod")
    monkeypatch.setattr(embedded, "_packaged_mongod", lambda: None)
    monkeypatch.setenv("PATH", str(project / "empty"))
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'djongo\[embedded\]'"):
        embedded.find_mongod()
    # After all that, it still starts.
    monkeypatch.undo()
    embedded.ensure_running(project)


def test_a_broken_database_is_reported_with_the_servers_reason(project):
    embedded.ensure_running(project)
    embedded.stop(project)
    for path in (project / ".djongo" / "data").glob("WiredTiger*"):
        path.write_bytes(b"not a database")
    with pytest.raises(OperationalError, match="did not start.*mongod.log"):
        embedded.ensure_running(project)
    assert mongods_of(project) == []


def test_where_the_directory_is(project, monkeypatch):
    monkeypatch.chdir(project)
    assert embedded.server_directory() == project / ".djongo"
    monkeypatch.setenv("DJONGO_EMBEDDED_DIR", str(project / "elsewhere"))
    assert embedded.server_directory() == project / "elsewhere"
    assert embedded.server_directory(project) == project / "elsewhere"
    assert embedded.server_directory(directory=project / "x") == project / "x"


def test_the_command_line(project):
    def run(action):
        return subprocess.run(
            [sys.executable, "-m", "djongo.embedded", action, str(project / ".djongo")], capture_output=True, text=True, cwd=ROOT
        )

    assert run("status").returncode == 3
    assert "Running, pid" in run("start").stdout
    done = run("status")
    assert done.returncode == 0 and "m.sock" in done.stdout
    assert run("stop").stdout == "Stopped.\n"
    assert run("stop").stdout == "It was not running.\n"


def test_the_management_command(project):
    """djongo_server in a Django site: the directory follows BASE_DIR."""
    (project / "site_settings.py").write_text(
        f"BASE_DIR = {str(project)!r}\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['djongo']\nDATABASES = {{}}\n"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "django", "djongo_server", *arguments],
            capture_output=True, text=True, cwd=project,
            env={**os.environ, "PYTHONPATH": f"{project}:{ROOT}", "DJANGO_SETTINGS_MODULE": "site_settings"},
        )

    done = run("start")
    assert done.returncode == 0, done.stderr
    assert len(mongods_of(project)) == 1
    assert str(project / ".djongo") in run("status").stdout
    assert run("stop").returncode == 0
    assert run("status").returncode == 3
    assert mongods_of(project) == []


def test_nothing_is_left_listening_on_the_default_port_by_us(project):
    """27017 is never taken: a developer's own server there keeps it."""
    embedded.ensure_running(project)
    with socket.socket() as probe:
        probe.settimeout(1)
        reachable = probe.connect_ex(("127.0.0.1", 27017)) == 0
    (pid,) = mongods_of(project)
    assert not reachable or pid not in _owners_of_port(27017)


def _owners_of_port(port):
    done = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True)
    return {int(part.split("=")[1].split(",")[0]) for part in done.stdout.split(",") if part.startswith("pid=")}
