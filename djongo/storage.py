"""Files in GridFS: a storage for FileField, ImageField and STORAGES, with the layout that djongo always had.

    manuals = GridFSStorage(collection="manuals", base_url="/manuals/")
    FileField(storage=manuals, upload_to="2021")     ->  collections manuals.2021.files, manuals.2021.chunks

Directories are sub-collections, so a dot in the name of a directory separates like a slash. A URL is base_url and the file's _id. Reading and writing are
PyMongo's: they take no part in the transaction of atomic(), as with files on a disk.
"""

import io
import mimetypes
import posixpath
import tempfile
from datetime import timezone as datetime_timezone
from urllib.parse import urljoin

from bson import ObjectId
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.deconstruct import deconstructible

# Above this, what is written through open(name, "wb") waits on the disk for its close().
IN_MEMORY = 1 << 20


@deconstructible(path="djongo.storage.GridFSStorage")
class GridFSStorage(Storage):
    def __init__(self, location="", collection="storage", database="default", base_url=None):
        if not collection:
            raise ImproperlyConfigured("'collection' may not be empty.")
        if base_url and not base_url.endswith("/"):
            raise ImproperlyConfigured("If set, 'base_url' must end with a slash.")
        self.location = location.strip("/")
        self.collection = collection
        self.database = database
        self.base_url = base_url

    # -- Django's storage API

    def _open(self, name, mode="rb"):
        return GridFSFile(self, name, mode)

    def _save(self, name, content):
        while True:
            bucket, filename = self._bucket(name)
            file_id = self._write(bucket, filename, content)
            # Who looks last sees all others: of several that write one name at the same moment, at most one keeps it.
            if not bucket.exists({"filename": filename, "_id": {"$ne": file_id}}):
                return name
            bucket.delete(file_id)
            name = self.get_available_name(name)
            content.seek(0)

    def delete(self, name):
        if not name:
            raise ValueError("The name must be given to delete().")
        bucket, filename = self._bucket(name)
        for found in bucket.find({"filename": filename}, no_cursor_timeout=False):
            bucket.delete(found._id)

    def exists(self, name):
        bucket, filename = self._bucket(name)
        return bool(filename) and bucket.exists(filename=filename)

    def listdir(self, path):
        prefix = self._prefix(path)
        names = self._database.list_collection_names(filter={"name": {"$regex": r"\.files\Z"}})
        directories = {name[len(prefix) + 1 : -len(".files")].split(".")[0] for name in names if name.startswith(prefix + ".") and name != prefix + ".files"}
        return sorted(directories), sorted(self._gridfs(prefix).list())

    def size(self, name):
        return self._stored(name).length

    def url(self, name):
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        try:
            file_id = self._stored(name)._id
        except FileNotFoundError:
            # djongo took an _id for a name as well, and answered None where there is no file.
            if not ObjectId.is_valid(name) or not self._gridfs(self._prefix("")).exists(ObjectId(name)):
                return None
            file_id = name
        return urljoin(self.base_url, str(file_id))

    def get_created_time(self, name):
        uploaded = self._stored(name).upload_date
        if uploaded.tzinfo is None:
            uploaded = uploaded.replace(tzinfo=datetime_timezone.utc)
        return uploaded if settings.USE_TZ else timezone.make_naive(uploaded, timezone.get_default_timezone())

    # A file that is written again is a new one.
    get_modified_time = created_time = get_created_time

    # -- where files lie

    @property
    def _database(self):
        from .pymongo import database

        return database(self.database)

    def _prefix(self, directory):
        parts = [part for part in posixpath.join(self.location, directory.replace("\\", "/").strip("/")).split("/") if part not in ("", ".")]
        if ".." in parts or any("$" in part or "\0" in part for part in parts):
            raise SuspiciousFileOperation(f"{directory!r} can't be a directory of a GridFSStorage.")
        return ".".join([self.collection, *(part.strip(".") for part in parts)])

    def _gridfs(self, prefix):
        from gridfs import GridFS

        return GridFS(self._database, prefix)

    def _bucket(self, name):
        directory, filename = posixpath.split(str(name).replace("\\", "/"))
        return self._gridfs(self._prefix(directory)), filename

    def _stored(self, name):
        """The newest file of that name: a gridfs.GridOut."""
        from gridfs import NoFile

        bucket, filename = self._bucket(name)
        try:
            return bucket.get_last_version(filename)
        except NoFile:
            raise FileNotFoundError(f"There is no file {name!r} in the GridFS collection {self.collection!r}.") from None

    def _write(self, bucket, filename, content):
        content_type = getattr(content, "content_type", None) or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        with bucket.new_file(filename=filename, contentType=content_type) as stored:  # aborted when the block raises
            for chunk in content.chunks():
                stored.write(chunk.encode() if isinstance(chunk, str) else chunk)
        return stored._id

    def _replace(self, name, content):
        """Writes a file in place of those of that name."""
        bucket, filename = self._bucket(name)
        file_id = self._write(bucket, filename, content)
        for found in bucket.find({"filename": filename, "_id": {"$ne": file_id}}):
            bucket.delete(found._id)


class GridFSFile(File):
    """An open file. What is written is stored by close(), whole or not at all."""

    def __init__(self, storage, name, mode):
        self.name, self.mode = name, mode
        self._storage, self._writes = storage, bool(set(mode) & set("wax+"))
        stored = None
        if "w" not in mode and "x" not in mode:
            try:
                stored = storage._stored(name)
            except FileNotFoundError:
                if "a" not in mode:
                    raise
        elif "x" in mode and storage.exists(name):
            raise FileExistsError(f"There is a file {name!r} already.")
        if self._writes:
            self._buffer = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
            if stored is not None:
                self._buffer.writelines(iter(lambda: stored.read(IN_MEMORY), b""))
                if "a" not in mode:
                    self._buffer.seek(0)
        else:
            self._buffer = stored
        self.file = self._buffer if "b" in mode else io.TextIOWrapper(self._buffer, encoding="utf-8", write_through=True)

    @property
    def size(self):
        if not self._writes:
            return self._buffer.length
        position = self._buffer.tell()
        size = self._buffer.seek(0, io.SEEK_END)
        self._buffer.seek(position)
        return size

    def close(self):
        if self.file is None or self.file.closed:
            return
        if self._writes:
            self.file.flush()
            self._buffer.seek(0)
            self._storage._replace(self.name, File(self._buffer, self.name))
        self.file.close()

    def __exit__(self, exc_type, exc_value, tb):
        if exc_type is not None and self._writes:
            self.file.close()  # an exception leaves what was there
        else:
            self.close()
