"""MongoDB servers of a test's own, which it may kill, and a TCP proxy whose connections it may cut."""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from djongo import embedded


class Mongod:
    """A mongod on a free port of 127.0.0.1. `replica_set`: a set with one member."""

    def __init__(self, replica_set=True):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="djongo-mongod-"))
        (self.directory / "data").mkdir()
        self.replica_set = replica_set
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.start()
        if replica_set:
            with self.client() as client:
                client.admin.command("replSetInitiate", {"_id": "rs", "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}], "settings": {"electionTimeoutMillis": 1000}})
        self.wait()

    def uri(self, port=None, **options):
        options = {"directConnection": "true", "serverSelectionTimeoutMS": "15000", **options}
        return f"mongodb://127.0.0.1:{port or self.port}/?" + "&".join(f"{key}={value}" for key, value in options.items())

    def start(self):
        arguments = ["--port", str(self.port), "--bind_ip", "127.0.0.1", "--dbpath", str(self.directory / "data"), "--logpath", str(self.directory / "log"), "--logappend",
                     "--wiredTigerCacheSizeGB", "0.25", "--unixSocketPrefix", str(self.directory), "--setParameter", "diagnosticDataCollectionEnabled=false"]
        arguments += ["--replSet", "rs"] if self.replica_set else []
        self.process = subprocess.Popen([str(embedded.find_mongod()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def client(self):
        import pymongo

        with pymongo.MongoClient("127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=30000) as client:
            yield client

    def wait(self):
        """Until it accepts writes."""
        deadline = time.monotonic() + 60
        with self.client() as client:
            while not client.admin.command("hello").get("isWritablePrimary"):
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Proxy:
    """Passes bytes on to a port of 127.0.0.1 until it is told to cut its connections, or to let them hang."""

    def __init__(self, port):
        self.target, self.pairs, self.open, self.hanging = port, [], True, False
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                while self.hanging:
                    time.sleep(0.05)
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.pairs = []

    def close(self):
        self.server.close()
        self.cut()
