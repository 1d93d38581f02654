"""A database as text and back: one line of canonical Extended JSON per collection, `{"collection", "options", "indexes", "documents"}`, nothing lost (integer widths,
binary subtypes, key order). The databases of other programs that the tests open are kept this way, so that the tests need none of these programs.

    python dump.py URI DATABASE > database.jsonl
"""
import json
import sys

from bson import json_util
from bson.codec_options import CodecOptions
from bson.son import SON

AS_STORED = CodecOptions(document_class=SON)  # keeps the order of keys; UUIDs stay Binary of their subtype


def dump(database):
    lines = []
    for info in sorted(database.list_collections(), key=lambda info: info["name"]):
        if info["name"].startswith("system."):
            continue
        collection = database.get_collection(info["name"], codec_options=AS_STORED)
        indexes = [{key: value for key, value in index.items() if key not in ("v", "ns")} for index in collection.list_indexes()]
        content = {
            "collection": info["name"],
            "options": info.get("options", {}),
            "indexes": [index for index in indexes if index["name"] != "_id_"],
            "documents": list(collection.find().sort("_id", 1)),
        }
        lines.append(json_util.dumps(content, json_options=json_util.CANONICAL_JSON_OPTIONS))
    return "\n".join(lines) + "\n"


def load(database, text):
    """Into an empty database."""
    options = json_util.JSONOptions(document_class=SON, json_mode=json_util.JSONMode.CANONICAL)
    for line in text.splitlines():
        content = json_util.loads(line, json_options=options)
        name = content["collection"]
        database.command(SON([("create", name), *content["options"].items()]))
        if content["indexes"]:
            database.command("createIndexes", name, indexes=content["indexes"])
        if content["documents"]:
            database[name].insert_many(content["documents"])


if __name__ == "__main__":
    from pymongo import MongoClient

    sys.stdout.write(dump(MongoClient(sys.argv[1])[sys.argv[2]]))
