"""GridFSStorage: Django's storage API over the layout that djongo 1.3 has."""

import datetime
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.migrations.writer import MigrationWriter
from django.test import override_settings

from djongo.pymongo import database
from djongo.storage import GridFSStorage

LARGE = bytes(range(256)) * 3000  # three chunks


@pytest.fixture
def storage():
    yield GridFSStorage(collection="manuals", base_url="/manuals/")
    for name in database().list_collection_names():
        if name.startswith("manuals"):
            database().drop_collection(name)


def test_settings():
    with pytest.raises(ImproperlyConfigured, match="may not be empty"):
        GridFSStorage(collection="")
    with pytest.raises(ImproperlyConfigured, match="must end with a slash"):
        GridFSStorage(base_url="/x")
    text, imports = MigrationWriter.serialize(GridFSStorage(collection="manuals", base_url="/manuals/"))
    assert text == "djongo.storage.GridFSStorage(base_url='/manuals/', collection='manuals')" and imports == {"import djongo.storage"}


def test_save_and_read(storage):
    assert storage.save("2021/safety.txt", SimpleUploadedFile("safety.txt", b"Fasten.", "text/x-rules")) == "2021/safety.txt"
    assert {"manuals.2021.files", "manuals.2021.chunks"} <= set(database().list_collection_names())
    found = database()["manuals.2021.files"].find_one()
    assert found["filename"] == "safety.txt" and found["contentType"] == "text/x-rules"
    assert storage.exists("2021/safety.txt") and not storage.exists("safety.txt") and not storage.exists("2021/")
    assert storage.size("2021/safety.txt") == 7
    assert storage.url("2021/safety.txt") == f"/manuals/{found['_id']}"
    with storage.open("2021/safety.txt") as file:
        assert file.read() == b"Fasten." and file.size == 7 and file.name == "2021/safety.txt"
    with storage.open("2021/safety.txt", "r") as file:
        assert list(file) == ["Fasten."]
    storage.delete("2021/safety.txt")
    storage.delete("2021/safety.txt")
    assert not storage.exists("2021/safety.txt") and database()["manuals.2021.chunks"].count_documents({}) == 0


def test_content_without_a_type(storage):
    storage.save("a.png", ContentFile(LARGE))
    storage.save("text.unknown", ContentFile("Zürich"))
    assert storage.open("a.png").read() == LARGE and storage.size("a.png") == len(LARGE)
    assert storage.open("text.unknown", "r").read() == "Zürich"
    types = {found["filename"]: found["contentType"] for found in database()["manuals.files"].find()}
    assert types == {"a.png": "image/png", "text.unknown": "application/octet-stream"}
    with storage.open("a.png") as file:
        assert b"".join(file.chunks(1000)) == LARGE
        file.seek(256 * 1500)
        assert file.read(2) == b"\0\1"


def test_names(storage):
    names = {storage.save("a/x.txt", ContentFile(b"%d" % i)) for i in range(3)}
    assert len(names) == 3 and "a/x.txt" in names
    with pytest.raises(SuspiciousFileOperation):
        storage.save("../x.txt", ContentFile(b""))
    with pytest.raises(SuspiciousFileOperation):
        storage.exists("a/../../x.txt")
    with pytest.raises(SuspiciousFileOperation):
        storage.exists("$a/x.txt")
    with pytest.raises(NotImplementedError):
        storage.path("a/x.txt")


def test_a_name_is_given_once(storage):
    names, barrier = [], threading.Barrier(6)

    def save(i):
        barrier.wait()
        names.append(storage.save("same.txt", ContentFile(b"%d" % i)))

    threads = [threading.Thread(target=save, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(set(names)) == 6
    assert sorted(storage.open(name).read() for name in names) == [b"%d" % i for i in range(6)]


def test_directories(storage):
    for name in ("top.txt", "a/one.txt", "a/two.txt", "a/deep/er/x.txt", "b/y.txt"):
        storage.save(name, ContentFile(b"x"))
    GridFSStorage(collection="manuals2").save("z.txt", ContentFile(b"x"))
    assert storage.listdir("") == (["a", "b"], ["top.txt"])
    assert storage.listdir("a") == storage.listdir("/a/") == (["deep"], ["one.txt", "two.txt"])
    assert storage.listdir("a/deep") == (["er"], [])
    assert GridFSStorage(collection="manuals", location="/a").listdir("") == (["deep"], ["one.txt", "two.txt"])


def test_missing(storage):
    for ask in (storage.open, storage.size, storage.get_created_time):
        with pytest.raises(FileNotFoundError, match="no file 'no.txt'"):
            ask("no.txt")
    assert storage.url("no.txt") is None
    with pytest.raises(ValueError, match="not accessible via a URL"):
        GridFSStorage().url("no.txt")
    with pytest.raises(NotImplementedError):
        storage.get_accessed_time("no.txt")


def test_times(storage):
    storage.save("t.txt", ContentFile(b""))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(storage.get_created_time("t.txt") - now) < datetime.timedelta(seconds=60)
    assert storage.get_modified_time("t.txt") == storage.created_time("t.txt") == storage.get_created_time("t.txt")
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
        local = storage.get_created_time("t.txt")
        assert local.tzinfo is None
        assert abs(local - datetime.timedelta(hours=9) - now.replace(tzinfo=None)) < datetime.timedelta(seconds=60)


def test_writing(storage):
    with storage.open("w.txt", "wb") as file:
        file.write(b"one")
        assert not storage.exists("w.txt")
    assert storage.open("w.txt").read() == b"one"
    with storage.open("w.txt", "a") as file:
        file.write(" zwö")
    assert storage.open("w.txt").read().decode() == "one zwö"
    with storage.open("w.txt", "rb+") as file:
        file.write(b"O")
    assert storage.open("w.txt").read().decode() == "One zwö"
    with pytest.raises(ZeroDivisionError), storage.open("w.txt", "wb") as file:
        file.write(b"lost")
        1 / 0
    assert storage.open("w.txt").read().decode() == "One zwö"
    with pytest.raises(FileExistsError):
        storage.open("w.txt", "xb")
    assert database()["manuals.files"].count_documents({}) == 1
