"""From an entry of DATABASES to what the core connects with.

In:  the settings dictionary of one alias: Django's own keys, djongo's CLIENT, ENFORCE_SCHEMA and LOGGING, the flat names of djongo 1.2.
Out: ConnectionSettings: a complete MongoDB URI, the name of the database, enforce_schema, further arguments of connect().
Every wrong key or value raises ImproperlyConfigured that names the place, the key and what is expected there; no message ever
contains a user name, a password or a URI. This module opens no connection and starts no server.

    {"NAME": "shop", "HOST": "db1,db2", "USER": "ann", "PASSWORD": "p@ss", "CLIENT": {"replicaSet": "rs0"}}
    -> mongodb://ann:p%40ss@db1,db2/shop?authSource=admin&replicaSet=rs0   (authSource: as drivers do, "admin" unless given)

Where one option is given twice: CLIENT and OPTIONS override a URI (as keyword arguments of a driver do);
the same option with different values outside the URI is an error.
"""

import difflib
import os
import pathlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

DEFAULT_PORT = 27017

DJANGO_KEYS = {
    "ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS", "TEST", "TIME_ZONE", "ATOMIC_REQUESTS", "AUTOCOMMIT",
    "CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS",
}  # fmt: skip
DJONGO_KEYS = {"CLIENT", "ENFORCE_SCHEMA", "LOGGING"}
# djongo 1.2's names at the top level of the entry.
FLAT_KEYS = {
    "AUTH_SOURCE": "authSource",
    "AUTH_MECHANISM": "authMechanism",
    "REPLICASET": "replicaSet",
    "SSL": "tls",
    "SSL_CERTFILE": "tlsCertificateKeyFile",
    "SSL_CA_CERTS": "tlsCAFile",
    "READ_PREFERENCE": "readPreference",
}

INT, BOOL, TEXT, LIST, PAIRS, WRITE = (
    "a whole number that isn't negative",
    "True or False",
    "a text",
    "a list of texts",
    "a dictionary",
    "a whole number or a text such as 'majority'",
)
URI_OPTIONS = {
    "appName": TEXT,
    "authMechanism": TEXT,
    "authMechanismProperties": PAIRS,
    "authSource": TEXT,
    "compressors": LIST,
    "connectTimeoutMS": INT,
    "directConnection": BOOL,
    "gssapiServiceName": TEXT,
    "heartbeatFrequencyMS": INT,
    "journal": BOOL,
    "loadBalanced": BOOL,
    "localThresholdMS": INT,
    "maxConnecting": INT,
    "maxIdleTimeMS": INT,
    "maxPoolSize": INT,
    "maxStalenessSeconds": INT,
    "minPoolSize": INT,
    "readConcernLevel": TEXT,
    "readPreference": TEXT,
    "readPreferenceTags": LIST,
    "replicaSet": TEXT,
    "retryReads": BOOL,
    "retryWrites": BOOL,
    "serverMonitoringMode": TEXT,
    "serverSelectionTimeoutMS": INT,
    "serverSelectionTryOnce": BOOL,
    "socketTimeoutMS": INT,
    "srvMaxHosts": INT,
    "srvServiceName": TEXT,
    "tls": BOOL,
    "tlsAllowInvalidCertificates": BOOL,
    "tlsAllowInvalidHostnames": BOOL,
    "tlsCAFile": TEXT,
    "tlsCRLFile": TEXT,
    "tlsCertificateKeyFile": TEXT,
    "tlsCertificateKeyFilePassword": TEXT,
    "tlsDisableCertificateRevocationCheck": BOOL,
    "tlsDisableOCSPEndpointCheck": BOOL,
    "tlsInsecure": BOOL,
    "w": WRITE,
    "waitQueueTimeoutMS": INT,
    "wTimeoutMS": INT,
    "zlibCompressionLevel": INT,
}
# Other drivers' and older names of the same options.
OPTION_ALIASES = {
    "j": "journal",
    "read_preference": "readPreference",
    "replicaset": "replicaSet",
    "ssl": "tls",
    "ssl_ca_certs": "tlsCAFile",
    "ssl_certfile": "tlsCertificateKeyFile",
    "ssl_crlfile": "tlsCRLFile",
    "ssl_pem_passphrase": "tlsCertificateKeyFilePassword",
    "wtimeout": "wTimeoutMS",
}
CHOICES = {
    "authMechanism": (
        "SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509", "MONGODB-AWS", "GSSAPI", "PLAIN",
    ),  # fmt: skip
    "readPreference": ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"),
    "readConcernLevel": ("local", "majority", "linearizable", "available", "snapshot"),
}
# OPTIONS of djongo's own: arguments of the extension's connect().
CONNECT_OPTIONS = {
    "lock_timeout_ms": INT,  # how long a write conflict is waited for
    "work_mem": INT,  # bytes that joins, sorts and groups of one statement may hold in this process
}
# Arguments of PyMongo's MongoClient that djongo 1.3 passed on: they tune PyMongo, which is not on the query path.
WITHOUT_EFFECT = {
    "connect", "datetime_conversion", "document_class", "server_api", "type_registry", "tz_aware", "tzinfo",
    "unicode_decode_error_handler", "uuidrepresentation",
}  # fmt: skip
SECRET = {"password", "tlscertificatekeyfilepassword", "authmechanismproperties", "ssl_pem_passphrase"}
_OPTION_BY_LOWER = {name.lower(): name for name in URI_OPTIONS} | {name: target for name, target in OPTION_ALIASES.items()}

_URI_RE = re.compile(r"^(mongodb(?:\+srv)?)://(?:([^/?]*)@)?([^/?@]*)(?:/([^?]*))?(?:\?(.*))?$", re.DOTALL)


class CredentialsError(ImproperlyConfigured, OperationalError):
    """Credentials that no server would take. Who handles failed logins handles this one too: it is also what a database would raise."""


@dataclass(frozen=True)
class ConnectionSettings:
    uri: str
    database: str
    enforce_schema: bool
    connect_options: dict

    def __repr__(self):  # the URI may hold a password
        return f"<ConnectionSettings database={self.database!r}>"


@dataclass
class _Target:
    """A URI taken to pieces."""

    scheme: str = "mongodb"
    username: str = ""
    password: str = ""
    hosts: str = ""
    database: str = ""
    options: dict = None

    def text(self):
        user = ""
        if self.username:
            user = quote(self.username, safe="")
            if self.password:
                user += ":" + quote(self.password, safe="")
            user += "@"
        query = "&".join(
            f"{name}={quote(value, safe='*:,=/-_.')}" for name, values in self.options.items() for value in values
        )
        return f"{self.scheme}://{user}{self.hosts}/{quote(self.database, safe='')}" + (f"?{query}" if query else "")


def has_host(settings):
    """True when the entry says where the server is: such a server is never replaced by an embedded one."""
    client = settings.get("CLIENT")
    client = client if isinstance(client, dict) else {}
    keys = {str(key).lower() for key, value in client.items() if value is not None}
    return bool(settings.get("HOST") or settings.get("PORT") or keys & {"host", "port"})


def connection_settings(settings, *, alias="default", default_uri=None):
    """Check the whole entry. default_uri: where the server is when the entry has no host (None: localhost)."""
    where = f"DATABASES[{alias!r}]"
    _check_keys(settings, where)
    client = _mapping(settings, "CLIENT", where)
    options = _mapping(settings, "OPTIONS", where)
    for name in ("host", "port", "username", "password"):
        for key in options:
            if str(key).lower() == name:
                raise ImproperlyConfigured(f"{where}['OPTIONS'][{key!r}]: put {name!r} into CLIENT or use {_django_key(name)!r}.")

    given = {}  # option name -> (texts, place)
    for key, target in FLAT_KEYS.items():
        if settings.get(key) not in (None, ""):
            _give(given, target, settings[key], f"{where}[{key!r}]")
    parts = {}  # host, port, username, password -> (value, place)
    for name in ("host", "port", "username", "password"):
        if settings.get(_django_key(name)) not in (None, ""):
            parts[name] = (settings[_django_key(name)], f"{where}[{_django_key(name)!r}]")
    connect_options = {}
    for name in CONNECT_OPTIONS.keys() & options.keys():
        connect_options[name] = _whole_number(options[name], f"{where}['OPTIONS'][{name!r}]")
    options = {key: value for key, value in options.items() if key not in CONNECT_OPTIONS}
    for place, mapping in ((f"{where}['CLIENT']", client), (f"{where}['OPTIONS']", options)):
        for key, value in mapping.items():
            _read_option(given, parts, key, value, place)

    target = _target(parts, where, None if has_host(settings) else default_uri)
    for name, (texts, _) in given.items():
        target.options[name] = texts
    _credentials(target, parts)
    target.options.setdefault("appName", ["djongo"])
    mechanism = target.options.get("authMechanism", [""])[0]
    if (target.username or mechanism) and "authSource" not in target.options:
        # Said explicitly because the URI's path will be NAME, while users live in "admin" unless somebody says otherwise.
        external = mechanism in ("MONGODB-X509", "MONGODB-AWS", "GSSAPI", "PLAIN")
        target.options["authSource"] = ["$external" if external else target.database or "admin"]
    database = _database_name(settings, target, where)
    target.database = database
    enforce_schema = settings.get("ENFORCE_SCHEMA", False)
    if not isinstance(enforce_schema, bool):
        raise ImproperlyConfigured(f"{where}['ENFORCE_SCHEMA'] must be {BOOL}, not {_shown(enforce_schema)}.")
    return ConnectionSettings(target.text(), database, enforce_schema, connect_options)


def check_logging(settings, alias):
    config = settings.get("LOGGING")
    if config is not None and not isinstance(config, dict):
        raise ImproperlyConfigured(
            f"DATABASES[{alias!r}]['LOGGING'] must be a dictionary for logging.config.dictConfig, not {_shown(config)}."
        )
    return config


def _django_key(name):
    return {"username": "USER"}.get(name, name.upper())


def _shown(value):
    return f"{type(value).__name__} {value!r}" if not isinstance(value, str) else repr(value)


def _check_keys(settings, where):
    known = DJANGO_KEYS | DJONGO_KEYS | set(FLAT_KEYS)
    for key in settings:
        if key in known:
            continue
        message = f"{where}: unknown key {key!r}."
        if isinstance(key, str):
            close = difflib.get_close_matches(key.upper(), sorted(known), 1)
            if key.lower() in _OPTION_BY_LOWER:
                message += f" It is an option of the client: put it into {where}['CLIENT']."
            elif close:
                message += f" Perhaps you meant {close[0]!r}?"
        raise ImproperlyConfigured(message + f" Expected are {', '.join(sorted(known - set(FLAT_KEYS)))}.")


def _mapping(settings, key, where):
    value = settings.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{where}[{key!r}] must be a dictionary of options, not {type(value).__name__}.")
    return value


def _read_option(given, parts, key, value, place):
    if not isinstance(key, str):
        raise ImproperlyConfigured(f"{place}: the key {key!r} must be a text.")
    lower = key.lower()
    if lower in WITHOUT_EFFECT or value is None:
        return
    if lower in ("host", "port", "username", "password"):
        if lower in parts and parts[lower][0] != value:
            raise ImproperlyConfigured(f"{place}[{key!r}] contradicts {parts[lower][1]}: give only one of them.")
        parts[lower] = (value, f"{place}[{key!r}]")
        return
    _give(given, _option_name(key, place), value, f"{place}[{key!r}]")


def _option_name(key, place):
    name = _OPTION_BY_LOWER.get(key.lower())
    if name is None:
        close = difflib.get_close_matches(key.lower(), sorted(_OPTION_BY_LOWER) + ["host", "port", "username", "password"], 1)
        hint = f" Perhaps you meant {_OPTION_BY_LOWER.get(close[0], close[0])!r}?" if close else ""
        raise ImproperlyConfigured(
            f"{place}: unknown option {key!r}.{hint} Expected are host, port, username, password and the options of a MongoDB URI."
        )
    return name


def _give(given, name, value, place):
    texts = _option_texts(name, value, place)
    if name in given and given[name][0] != texts:
        raise ImproperlyConfigured(f"{place} contradicts {given[name][1]}: give only one of them.")
    given[name] = (texts, place)


def _option_texts(name, value, place):
    """The value as it stands in a URI: a list, since readPreferenceTags may be repeated."""
    kind = URI_OPTIONS[name]
    text = None
    if kind is BOOL:
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, str) and value.lower() in ("true", "false"):
            text = value.lower()
    elif kind is INT:
        if isinstance(value, (int, str)) and not isinstance(value, bool) and str(value).isascii() and str(value).isdigit():
            text = str(value)
    elif kind is WRITE:
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            text = str(value)
    elif kind is TEXT:
        # PyMongo's read preferences are objects that know their name.
        mode = getattr(value, "mongos_mode", value)
        if isinstance(mode, str) and mode:
            text = mode
    elif kind is LIST:
        if isinstance(value, str):
            text = value
        elif isinstance(value, (list, tuple)):
            tags = [
                ",".join(f"{k}:{v}" for k, v in item.items()) if isinstance(item, dict) else item for item in value
            ]
            if all(isinstance(item, str) for item in tags):
                if name == "readPreferenceTags":
                    return tags
                text = ",".join(tags)
    elif kind is PAIRS:
        if isinstance(value, str):
            text = value
        elif isinstance(value, dict):
            text = ",".join(f"{k}:{str(v).lower() if isinstance(v, bool) else v}" for k, v in value.items())
    if text is None:
        got = f"not {type(value).__name__}" if name.lower() in SECRET else f"not {_shown(value)}"
        raise ImproperlyConfigured(f"{place} must be {kind}, {got}.")
    if name in CHOICES:
        for choice in CHOICES[name]:
            if choice.lower() == text.lower():
                return [choice]
        raise ImproperlyConfigured(f"{place} must be one of {', '.join(CHOICES[name])}, not {_shown(text)}.")
    return [text]


def _whole_number(value, place):
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ImproperlyConfigured(f"{place} must be {INT}, not {_shown(value)}.")
    return value


def _target(parts, where, default_uri):
    host, host_place = parts.get("host", (None, f"{where}['HOST']"))
    port = _port(*parts["port"]) if "port" in parts else None
    if isinstance(host, (list, tuple)) and all(isinstance(item, str) for item in host):
        host = host[0] if len(host) == 1 else ",".join(host)
    if host is not None and not isinstance(host, str):
        raise ImproperlyConfigured(f"{host_place} must be a text or a list of texts, not {type(host).__name__}.")
    if host is None and default_uri:
        host, host_place = default_uri, "the URI of the embedded server"
    if host is not None and "://" in host:
        target = _split_uri(host, host_place)
        if port is not None:
            if target.scheme == "mongodb+srv":
                raise ImproperlyConfigured(f"{parts['port'][1]}: a mongodb+srv:// URI takes no port.")
            target.hosts = _with_port(target.hosts, port, host_place)
        return target
    hosts = _with_port(host.strip() if host else "localhost", port, host_place)
    return _Target(hosts=hosts, options={})


def _port(value, place):
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not (text.isascii() and text.isdigit()):
        raise ImproperlyConfigured(f"{place} must be a port number, not {_shown(value)}.")
    if not 1 <= int(text) <= 65535:
        raise ImproperlyConfigured(f"{place} must be a port number from 1 to 65535, not {text}.")
    return int(text)


def _with_port(hosts, port, place):
    """Give the port to every host that has none; write socket paths as a URI needs them."""
    result = []
    for host in hosts.split(","):
        host = host.strip()
        if not host:
            raise ImproperlyConfigured(f"{place} names an empty host: expected is 'name', 'name:port' or several with commas.")
        if "@" in host or any(char.isspace() for char in host):
            raise ImproperlyConfigured(
                f"{place} must be a host name, a list of host names or a URI starting with mongodb:// or mongodb+srv://."
            )
        if host.startswith("/"):
            result.append(quote(host, safe=""))
            continue
        if "%2f" in host.lower():
            result.append(host)
            continue
        if host.count(":") > 1 and not host.startswith("["):
            host = f"[{host}]"
        bare, _, own_port = host.rpartition(":") if re.search(r":[^\]]*$", host) else (host, "", "")
        if "/" in host:
            raise ImproperlyConfigured(f"{place} must be a host name or a URI starting with mongodb:// or mongodb+srv://.")
        if own_port or host.endswith(":"):
            # What follows the colon isn't shown: where a URI lost its '@' or '/', it is a password.
            if not (own_port.isascii() and own_port.isdigit() and 1 <= int(own_port) <= 65535):
                raise ImproperlyConfigured(f"{place}: what follows ':' in a host must be a port number from 1 to 65535.")
            result.append(f"{bare}:{own_port}")
        else:
            result.append(f"{host}:{port}" if port else host)
    return ",".join(result)


def _split_uri(uri, place):
    match = _URI_RE.match(uri.strip())
    if not match or "@" in (match[4] or "") + (match[5] or ""):
        scheme = uri.split("://", 1)[0]
        if scheme not in ("mongodb", "mongodb+srv"):
            raise ImproperlyConfigured(f"{place}: a URI must start with mongodb:// or mongodb+srv://.")
        raise ImproperlyConfigured(
            f"{place}: this URI can't be read. Expected is mongodb://user:password@host:port/?option=value, with"
            " '/', '?', '@', ':' and '%' in user and password percent-encoded."
        )
    scheme, userinfo, hosts, database, query = match.groups()
    if userinfo and ("@" in userinfo or userinfo.count(":") > 1 or re.search(r"%(?![0-9A-Fa-f]{2})", userinfo)):
        raise ImproperlyConfigured(f"{place}: '@', ':', '/', '?' and '%' in the URI's user or password must be percent-encoded.")
    username, _, password = (userinfo or "").partition(":")
    if scheme == "mongodb+srv" and ("," in hosts or ":" in hosts):
        raise ImproperlyConfigured(f"{place}: a mongodb+srv:// URI names exactly one host, without a port.")
    target = _Target(scheme, unquote(username), unquote(password), hosts, unquote(database or ""), {})
    if scheme == "mongodb":
        target.hosts = _with_port(hosts, None, place)
    elif not hosts:
        raise ImproperlyConfigured(f"{place}: the URI names no host.")
    for pair in re.split("[&;]", query or ""):
        if not pair:
            continue
        key, equals, value = pair.partition("=")
        if not equals:
            raise ImproperlyConfigured(f"{place}: the URI's options must be written name=value.")
        if key.lower() in WITHOUT_EFFECT:
            continue
        name = _option_name(key, f"{place}, options of the URI")
        texts = _option_texts(name, unquote(value), f"{place}, option {name!r} of the URI")
        if name == "readPreferenceTags":
            texts = target.options.get(name, []) + texts
        target.options[name] = texts
    return target


def _credentials(target, parts):
    for name in ("username", "password"):
        if name in parts:
            value, place = parts[name]
            if not isinstance(value, str):
                raise ImproperlyConfigured(f"{place} must be a text, not {type(value).__name__}.")
            setattr(target, name, value)
    if target.password and not target.username:
        place = parts["password"][1] if "password" in parts else "The URI's password"
        raise CredentialsError(f"{place} is given without a user name ('USER' or CLIENT['username']).")


def _database_name(settings, target, where):
    name = settings.get("NAME", "")
    if name is None:  # Django's connection "to no database", for creating and dropping databases
        return "admin"
    if not isinstance(name, str):
        hint = ""
        if isinstance(name, os.PathLike):  # startproject's settings, with nothing changed but ENGINE
            hint = f" A path is what SQLite's backend wants: here it is, for example, 'NAME': {pathlib.Path(name).stem!r}."
        raise ImproperlyConfigured(f"{where}['NAME'] must be the name of a database, not {type(name).__name__}.{hint}")
    name = name or target.database
    if not name:
        raise ImproperlyConfigured(f"{where}['NAME'] must be the name of a database; it is empty.")
    wrong = sorted(set(name) & set('/\\. "$*<>:|?\0'))
    if wrong:
        raise ImproperlyConfigured(f"{where}['NAME'] is {name!r}: the name of a database can't contain {' '.join(map(repr, wrong))}.")
    if len(name.encode()) > 63:
        raise ImproperlyConfigured(f"{where}['NAME'] is {name!r}: the name of a database has at most 63 bytes, this has {len(name.encode())}.")
    if name.lower() in ("admin", "config", "local"):
        raise ImproperlyConfigured(f"{where}['NAME'] is {name!r}: MongoDB keeps that database for itself. Choose another name.")
    return name
