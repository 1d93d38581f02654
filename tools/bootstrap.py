#!/usr/bin/env python3
"""Makes the working tree runnable: Debian packages, .venv, pinned Python packages, the C build, `import djongo` in the venv.

    bootstrap.py [build | test]      (test also wants PostgreSQL, which the logic tests compare with)
    bootstrap.py django6 [PYTHON]    the newest Django 6 in .venv-django6/, on a Python 3.12 or newer that is found on PATH or among pyenv's

In: a Debian 12 (or Ubuntu 22.04+) machine with Python 3.10+ and make; root, or sudo, if packages are missing. Out: .venv/ in which
`import djongo` is this tree's package with the extension freshly built into it, and build/ with the `sqm` shell and the C tests.
Every step looks first and does nothing where nothing is missing, so a second run costs about a second. Needs only the standard library.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Tree:
    """An environment and the build for its interpreter. Their extensions lie side by side in djongo/, told apart by their suffixes."""

    def __init__(self, suffix, requirements, *options):
        self.venv = ROOT / f".venv{suffix}"
        self.python = self.venv / "bin" / "python"
        self.build = ROOT / f"build{suffix}"
        self.requirements = requirements
        self.options = options


MAIN = Tree("", (("build", ()), ("test", ()), ("data", ("--no-deps", "--use-pep517"))))
# The shell, the C tests and the server come from the main one.
DJANGO6 = Tree("-django6", (("build", ()), ("django6", ())), "-Dsqm=disabled", "-Dtests=false")

# Debian package: the file pattern or program that shows that it is there (cheaper than asking dpkg, and true on other systems too).
PACKAGES = {
    "gcc": "program:gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "pkg-config": "program:pkg-config",
    "lemon": "program:lemon",
    "libmongoc-dev": "pkg-config:libmongoc-1.0",
    "libicu-dev": "pkg-config:icu-i18n",
    "libpcre2-dev": "pkg-config:libpcre2-8",
    "libedit-dev": "pkg-config:libedit",
    "libssl-dev": "pkg-config:libcrypto",
    "libcurl4": "library:libcurl.so.4",
}
TEST_PACKAGES = {
    "postgresql": "glob:/usr/lib/postgresql/*/bin/postgres",
    "chromium": "program:chromium",
    "chromium-driver": "program:chromedriver",
}


def say(text):
    print(f"bootstrap: {text}", flush=True)


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def present(evidence):
    kind, _, what = evidence.partition(":")
    if kind == "program":
        return shutil.which(what) is not None
    if kind == "pkg-config":
        return shutil.which("pkg-config") and subprocess.run(["pkg-config", "--exists", what]).returncode == 0
    if kind == "library":
        listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
        return what in listing
    if kind == "glob":
        return any(pathlib.Path("/").glob(what.lstrip("/")))
    return os.path.exists(evidence)


def system_packages(wanted):
    packages = dict(wanted)
    packages["python3-dev"] = str(pathlib.Path(sysconfig.get_paths()["include"]) / "Python.h")
    missing = [name for name, evidence in packages.items() if not present(evidence)]
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        missing.append("python3-venv")
    if not missing:
        return
    if not shutil.which("apt-get"):
        sys.exit(f"bootstrap: please install the equivalents of these Debian packages: {' '.join(missing)}")
    admin = [] if os.geteuid() == 0 else ["sudo"]
    if admin and not shutil.which("sudo"):
        sys.exit(f"bootstrap: run as root: apt-get install {' '.join(missing)}")
    say(f"installing Debian packages: {' '.join(missing)}")
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    run(*admin, "apt-get", "-qq", "update", **quiet)
    run(*admin, "apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing, **quiet)


def newer_python(given=None):
    """An interpreter that Django 6 runs on: the one given, this one, on PATH, or pyenv's; the oldest that will do, for it is the most used."""
    names = [f"python3.{minor}" for minor in range(12, 20)]
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    found = [given] if given else [sys.executable, *filter(None, map(shutil.which, names))]
    if not given and pyenv.is_dir():
        found += sorted(str(path) for name in names for path in pyenv.glob(f"{name.removeprefix('python')}*/bin/python3"))
    test = "import sys, ensurepip, sysconfig, os; print(sys.version_info >= (3, 12) and os.path.exists(sysconfig.get_paths()['include'] + '/Python.h'))"
    for candidate in found:
        # Asked, not believed: pyenv puts a "python3.12" on PATH that only says that no such version is chosen.
        try:
            answer = subprocess.run([candidate, "-c", test], capture_output=True, text=True)
        except OSError:
            continue
        if answer.stdout.strip() == "True":
            return candidate
    sys.exit(
        "bootstrap: Django 6 needs Python 3.12 or newer with its headers, and none is on PATH or in pyenv. To get one:\n"
        "  Ubuntu 24.04, Debian 13:  apt-get install python3-dev python3-venv\n"
        "  any other:                pyenv install 3.12   (https://github.com/pyenv/pyenv)\n"
        "  or name yours:            make test-django6 PYTHON6=/path/to/python3.12"
    )


def python_packages(tree, interpreter):
    if not tree.python.exists():
        say(f"making {tree.venv.name} ({interpreter})")
        run(interpreter, "-m", "venv", tree.venv)
    for name, options in tree.requirements:
        requirements = ROOT / "tools" / f"requirements-{name}.txt"
        digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
        stamp = tree.venv / f".installed-{name}"
        if stamp.exists() and stamp.read_text() == digest:
            continue
        say(f"installing {requirements.relative_to(ROOT)}")
        run(tree.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, "-r", requirements)
        stamp.write_text(digest)


def quietly(command, environment):
    """Runs a command of the build; what it printed matters only when it failed."""
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stdout + result.stderr)


def compile_tree(tree):
    """The C core, the shell, the C tests and the extension; warnings are errors."""
    environment = {**os.environ, "PATH": f"{tree.venv / 'bin'}:{os.environ['PATH']}"}
    if not (tree.build / "build.ninja").exists():
        say(f"configuring {tree.build.name}/")
        quietly([tree.venv / "bin" / "meson", "setup", *tree.options, tree.build], environment)
    quietly([tree.venv / "bin" / "ninja", "-C", tree.build], environment)
    (extension,) = (tree.build / "ext").glob("_sqm*.so")
    place_extension(tree, extension)


def place_extension(tree, extension):
    """Puts the extension beside its Python files, and the package on the venv's path: an editable install without import hooks."""
    target = ROOT / "djongo" / extension.name
    if not target.exists() or target.stat().st_mtime_ns != extension.stat().st_mtime_ns:
        # A new file instead of new bytes in the old one: running processes have that mapped.
        scratch = target.with_suffix(".new")
        shutil.copy2(extension, scratch)
        scratch.rename(target)
    purelib = subprocess.run(
        [tree.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()
    link = pathlib.Path(purelib) / "djongo"
    if not link.is_symlink() or link.readlink() != ROOT / "djongo":
        if link.is_symlink():
            link.unlink()
        link.symlink_to(ROOT / "djongo")


def main():
    goal, *rest = sys.argv[1:] or ["build"]
    if goal not in ("build", "test", "django6") or len(rest) > (goal == "django6"):
        sys.exit(__doc__)
    started = time.monotonic()
    system_packages(PACKAGES | (TEST_PACKAGES if goal == "test" else {}))
    if goal == "django6":
        python_packages(DJANGO6, DJANGO6.python if DJANGO6.python.exists() else newer_python(*rest))
        compile_tree(DJANGO6)
    else:
        python_packages(MAIN, sys.executable)
        compile_tree(MAIN)
    say(f"ready ({time.monotonic() - started:.1f} s)")


if __name__ == "__main__":
    main()
