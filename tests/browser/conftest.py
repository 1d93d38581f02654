"""The blog of examples/blog, served for real, and a headless Chromium that uses it.

The site runs in a process of its own (manage.py runserver) on the tests' MongoDB. Screenshots go to .cache/browser/.
"""

import contextlib
import io
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings

import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = pathlib.Path(__file__).parents[2]
SITE = ROOT / "examples" / "blog"
SHOTS = ROOT / ".cache" / "browser"
PASSWORD = "a long password for tests"
WIDTHS = (1280, 420)


@pytest.fixture(scope="session")
def site(uri):
    """The address of the running site; `site.manage(...)` runs a management command, `site.shell(code)` code in its Django."""
    name = f"blog_browser_{os.getpid()}"
    environment = {**os.environ, "BLOG_MONGODB": uri, "BLOG_DATABASE": name, "DJANGO_SETTINGS_MODULE": "blog_site.settings", "PYTHONUNBUFFERED": "1"}

    def manage(*arguments, **options):
        command = [sys.executable, "manage.py", *arguments]
        result = subprocess.run(command, cwd=SITE, env={**environment, **options}, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    manage("migrate", "--verbosity=0")
    manage("createsuperuser", "--noinput", "--username=admin", "--email=admin@example.com", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    SHOTS.mkdir(parents=True, exist_ok=True)
    with open(SHOTS / "site.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"], cwd=SITE, env=environment, stdout=log, stderr=log
        )
    site = type("Site", (), {"url": f"http://127.0.0.1:{port}", "manage": staticmethod(manage)})
    # Code that looks at the database runs here: a process for each would take most of the time.
    os.environ.update(environment)
    sys.path.insert(0, str(SITE))
    import django

    django.setup()

    def shell(code):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, {})
        return printed.getvalue().strip()

    site.shell = staticmethod(shell)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(site.url, timeout=5)
                break
            assert server.poll() is None, (SHOTS / "site.log").read_text()
            time.sleep(0.2)
        yield site
    finally:
        server.terminate()
        server.wait(20)
        import pymongo

        with pymongo.MongoClient(uri) as client:
            client.drop_database(name)


def chromium(*, scripts=True):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    profile = tempfile.mkdtemp(prefix="djongo-chromium-")
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or "/usr/bin/chromedriver"))
    driver.set_page_load_timeout(60)
    driver.set_window_size(1280, 1000)
    driver.profile = profile
    return driver


class Browser:
    """A logged-in browser with the few words that the tests need."""

    def __init__(self, driver, site):
        self.driver, self.site = driver, site

    def open(self, path):
        self.driver.get(self.site.url + path)
        return self

    def one(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def fill(self, name, value):
        field = self.one(f'[name="{name}"]')
        field.clear()
        field.send_keys(value)

    def value(self, name):
        return self.one(f'[name="{name}"]').get_attribute("value")

    def press(self, element):
        """Clicks an element once it has come to rest under the pointer: rows that appear move what lies below."""

        def clicked(driver):
            driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
            try:
                element.click()
            except ElementClickInterceptedException:
                return False
            return True

        WebDriverWait(self.driver, 10, poll_frequency=0.1).until(clicked)

    def click(self, css):
        self.press(self.one(css))

    def leave(self, element):
        """Clicks what leads to another page, and waits until that is there."""
        self.driver.execute_script("window.isBeingLeft = true")
        arrived = "return document.readyState === 'complete' && !window.isBeingLeft"
        # Between two pages the driver may find neither element nor document and say so: whether the click has led on, the next page tells.
        trouble = None
        try:
            self.press(element)
        except WebDriverException as error:
            trouble = error
        try:
            WebDriverWait(self.driver, 30, ignored_exceptions=[WebDriverException]).until(lambda driver: driver.execute_script(arrived))
        except TimeoutException as timeout:
            raise trouble or timeout from None

    def follow(self, text):
        self.leave(self.driver.find_element(By.XPATH, f"//a[normalize-space()={text!r}]"))

    def submit(self, name="_save"):
        self.leave(self.one(f'input[name="{name}"]'))

    def text(self):
        return self.one("body").text

    def login(self):
        self.open("/admin/login/")
        self.fill("username", "admin")
        self.fill("password", PASSWORD)
        self.leave(self.one("input[type=submit]"))
        assert "Site administration" in self.text()

    def screenshot(self, name):
        """The whole page at each width; fails if the page is wider than the window."""
        for width in WIDTHS:
            self.driver.set_window_size(width, 1000)
            time.sleep(0.2)
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.driver.set_window_size(width, max(1000, min(height + 140, 6000)))
            time.sleep(0.1)
            self.driver.save_screenshot(str(SHOTS / f"{name}-{width}.png"))
        self.driver.set_window_size(1280, 1000)


    def picture(self, name, css):
        """One element of the page, as docs/images/ has it."""
        self.driver.set_window_size(1000, 2600)
        time.sleep(0.2)
        self.one(css).screenshot(str(SHOTS / f"{name}.png"))
        self.driver.set_window_size(1280, 1000)


@pytest.fixture(scope="session")
def drivers():
    """One Chromium for all tests, in a list: a test that finds it gone puts another one in its place."""
    drivers = [chromium()]
    yield drivers
    stop(drivers[0])


def stop(driver):
    with contextlib.suppress(WebDriverException):
        driver.quit()
    shutil.rmtree(driver.profile, ignore_errors=True)


@pytest.fixture
def browser(drivers, site):
    try:
        drivers[0].delete_all_cookies()
        browser = Browser(drivers[0], site)
        browser.login()
    except WebDriverException as error:  # a site that is at fault is so for the next one too
        warnings.warn(f"Chromium is started again: {error}", stacklevel=1)
        stop(drivers[0])
        drivers[0] = chromium()
        browser = Browser(drivers[0], site)
        browser.login()
    driver = drivers[0]
    yield browser
    severe = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE" and "favicon" not in entry["message"]]
    assert not severe, severe


@pytest.fixture
def browser_without_scripts(site):
    driver = chromium(scripts=False)
    browser = Browser(driver, site)
    browser.login()
    yield browser
    stop(driver)
