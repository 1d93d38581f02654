#!/usr/bin/env python3
"""The flights site without typing: `demo.py start` (make demo), `check` (make demo-check), `stop` (make demo-stop).

start   starts the embedded MongoDB, migrates, loads the five tables, creates the user "admin" with a random password, and serves in the background;
        what is done already is not done again. Prints the address, the user and the password.
check   does the same on a free port and then everything a person would do in a browser, over HTTP; each step is printed, and the first that fails
        ends it with exit status 1. It leaves the tables as it found them.
stop    stops the site and its MongoDB.

Everything that lasts lies in examples/flights/.djongo/: the database, the logs, the password (0600), the site's process id.
"""
import argparse
import collections
import contextlib
import html
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SITE = ROOT / "examples" / "flights"
STATE = SITE / ".djongo"
PORTS = range(8000, 8020)


# ---- the site ----------------------------------------------------------------------------------------------------------


def prepare():
    """Schema, data and the admin user; returns the admin's password."""
    sys.path.insert(0, str(SITE))
    os.environ["DJANGO_SETTINGS_MODULE"] = "flights_site.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    started = time.monotonic()
    connection.ensure_connection()
    print(f"database: {connection.vendor}, {STATE} ({time.monotonic() - started:.1f} s to connect)", flush=True)
    started = time.monotonic()
    call_command("migrate", verbosity=0)
    print(f"migrate: done in {time.monotonic() - started:.1f} s", flush=True)
    call_command("load_flights")
    return admin_password()


def admin_password():
    from django.contrib.auth import get_user_model

    path = STATE / "admin-password"
    users = get_user_model().objects
    user = users.filter(username="admin").first()
    if user and path.exists():
        return path.read_text().strip()
    password = secrets.token_urlsafe(9)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password + "\n")
    if user:
        user.set_password(password)
        user.save()
    else:
        users.create_superuser("admin", "admin@example.org", password)
    return password


def free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def serve(port):
    """Starts the site on a port, in the background, and waits until it answers."""
    with open(STATE / "site.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=SITE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while True:
        if process.poll() is not None:
            sys.exit(f"demo: the site ended with exit status {process.returncode}; see {STATE / 'site.log'}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process
        if time.monotonic() > deadline:
            process.terminate()
            sys.exit(f"demo: the site does not answer on port {port}; see {STATE / 'site.log'}")
        time.sleep(0.05)


def serving():
    """(pid, port) of the site that runs in the background, or None."""
    try:
        state = json.loads((STATE / "site.json").read_text())
        arguments = pathlib.Path(f"/proc/{state['pid']}/cmdline").read_bytes().split(b"\0")
        if b"runserver" in arguments and os.readlink(f"/proc/{state['pid']}/cwd") == str(SITE):
            return state["pid"], state["port"]
    except (OSError, ValueError, KeyError):
        pass
    return None


def start():
    password = prepare()
    running = serving()
    if running:
        port = running[1]
    else:
        port = next((port for port in PORTS if free(port)), None)
        if port is None:
            sys.exit(f"demo: the ports {PORTS.start} to {PORTS.stop - 1} are all taken")
        process = serve(port)
        (STATE / "site.json").write_text(json.dumps({"pid": process.pid, "port": port}))
    print(f"""
  Delays by airline and month   http://127.0.0.1:{port}/
  Administration                http://127.0.0.1:{port}/admin/
  User                          admin
  Password                      {password}

  It runs in the background; `make demo-stop` stops it. Log: {(STATE / 'site.log').relative_to(ROOT)}""")


def end(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    for _ in range(200):
        try:
            if not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return
        except OSError:
            return
        time.sleep(0.05)


def stop():
    running = serving()
    if running:
        end(running[0])
        print("The site is stopped.")
    (STATE / "site.json").unlink(missing_ok=True)
    from djongo import embedded

    print("MongoDB is stopped." if embedded.stop(directory=STATE) else "MongoDB was not running.")


# ---- the check ---------------------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Browser:
    """A person's browser as far as this needs one: cookies, forms with their CSRF token, redirects."""

    def __init__(self, port):
        import requests

        self.session = requests.Session()
        self.root = f"http://127.0.0.1:{port}"

    def get(self, path, status=200, **query):
        return self.checked(self.session.get(self.root + path, params=query, timeout=60), status)

    def post(self, path, status=200, **fields):
        """Fetches the page with the form, fills it in over what it already holds, and sends it."""
        page = self.get(path)
        data = self.form_fields(page) | fields
        data = {name: value for name, value in data.items() if value is not None}
        sent = self.session.post(self.root + path, data=data, headers={"Referer": self.root + path}, timeout=60)
        return self.checked(sent, status)

    @staticmethod
    def checked(response, status):
        if response.status_code != status:
            reason = re.search(r"<title>(.*?)</title>", response.text, re.S)
            raise Failed(f"{response.url} answered {response.status_code}: {html.unescape(' '.join(reason[1].split())) if reason else response.text[:300]}")
        return response.text

    @staticmethod
    def form_fields(page):
        """What the page's forms would send if nobody touched them (buttons left out)."""
        fields = {}
        for tag in re.findall(r"<input[^>]*>", page):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            kind = attributes.get("type", "text")
            if "name" not in attributes or kind in ("submit", "button", "search") or (kind in ("checkbox", "radio") and " checked" not in tag):
                continue
            fields.setdefault(attributes["name"], html.unescape(attributes.get("value", "")))
        for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
            chosen = re.search(r'<option value="([^"]*)"[^>]*\bselected', options)
            fields[name] = html.unescape(chosen[1]) if chosen else ""
        for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>\s?(.*?)</textarea>', page, re.S):
            fields[name] = html.unescape(text)
        return fields


def count_on(page):
    """The number of objects of a changelist, from the line under the table."""
    found = re.search(r'class="paginator"[^>]*>(.*?)</(?:p|nav)>', page, re.S)
    numbers = re.findall(r"(\d[\d,]*)\s+(?:flights?|airlines?|airports?|planes?|weather|log entr)", re.sub(r"<[^>]+>", " ", found[1])) if found else []
    expect(numbers, "the changelist shows no count")
    return int(numbers[-1].replace(",", ""))


def facts():
    """What the source file says, read without the database: expected counts of the filters and searches below."""
    from flights.management.commands.load_flights import rows

    counts = collections.Counter()
    for row in rows("flights"):
        day = (row["month"], row["day"])
        counts["all"] += 1
        counts["jfk ua"] += row["origin"] == "JFK" and row["carrier"] == "UA"
        counts["cancelled"] += row["dep_delay"] is None
        counts["late"] += row["dep_delay"] is not None and float(row["dep_delay"]) > 60
        counts["tail"] += (row["tailnum"] or "").startswith("N14228")
        counts["number"] += row["flight"] == "1545"
        counts["february"] += row["month"] == "2"
        counts["valentine"] += day == ("2", "14")
    return counts


def check():
    started = time.monotonic()
    password = prepare()
    from flights.models import Airline, Airport, Flight, Plane, Weather

    log = STATE / "site.log"
    logged = log.stat().st_size if log.exists() else 0
    port = free_port()
    server = serve(port)
    steps = 0

    def step(text):
        nonlocal steps
        steps += 1
        print(f"  ok  {text}", flush=True)

    try:
        expected = facts()
        leftovers(Airline, Flight)
        untouched = Flight.objects.count() == expected["all"]
        page = Browser(port).get("/")
        expect(all(name in page for name in ("United Air Lines", "SkyWest", "<svg", "Dec")), "the public page lacks airlines or its plot")
        expect(not untouched or "336,776 flights" in page, "the public page does not count 336,776 flights")
        jfk = Browser(port).get("/", origin="JFK", measure="arrival", airline="B6")
        expect("Arrival delay" in jfk and jfk != page and "chosen" in jfk, "the public page ignores its form")
        step("public page: delays by airline and month, plot, filter by airport")

        browser = Browser(port)
        expect("Log in" in browser.get("/admin/"), "the admin does not ask for a login")
        expect("Please enter the correct" in browser.post("/admin/login/", username="admin", password="wrong"), "a wrong password is let in")
        index = browser.post("/admin/login/?next=/admin/", username="admin", password=password)
        expect("Tables" in index and "Log out" in index, "cannot log in")
        step("log in (a wrong password is refused)")

        for model in (Airline, Airport, Plane, Weather, Flight):
            name = model._meta.model_name
            listing = browser.get(f"/admin/flights/{name}/")
            expect(count_on(listing) == model.objects.count(), f"the list of {name} shows {count_on(listing)} objects")
            first = re.search(rf'href="(/admin/flights/{name}/[^"]+/change/[^"]*)"', listing)
            expect(first, f"the list of {name} is empty")
            browser.get(html.unescape(first[1]))
        step("the lists of all five tables, and one object's form of each")

        def listed(fact, **query):
            shown = count_on(browser.get("/admin/flights/flight/", **query))
            expect(not untouched or shown == expected[fact], f"{query} lists {shown} flights, the source has {expected[fact]}")
            expect(shown > 0, f"{query} lists nothing")
            return shown

        listed("jfk ua", origin__faa__exact="JFK", airline__carrier__exact="UA")
        listed("cancelled", outcome="cancelled")
        listed("late", outcome="late")
        step(f"filters: United from JFK ({expected['jfk ua']:,}), cancelled ({expected['cancelled']:,}), more than an hour late ({expected['late']:,})")
        listed("tail", q="N14228")
        expect(listed("number", q="1545") > 0, "search by flight number")
        both = count_on(browser.get("/admin/flights/flight/", q="N14228", origin__faa__exact="EWR"))
        expect(0 < both <= expected["tail"], "search within a filter")
        expect(count_on(browser.get("/admin/flights/plane/", q="boeing 737-824")) > 50, "search over two words")
        step(f"search: a tail number ({expected['tail']} flights), a flight number ({expected['number']}), two words, search within a filter")

        year = browser.get("/admin/flights/flight/")
        expect("date__month=2" in html.unescape(year) or "date__year=2013" in html.unescape(year), "no date hierarchy")
        month = browser.get("/admin/flights/flight/", date__year=2013, date__month=2)
        expect("date__day=14" in html.unescape(month), "the date hierarchy shows no days")
        listed("february", date__year=2013, date__month=2)
        listed("valentine", date__year=2013, date__month=2, date__day=14)
        step(f"date hierarchy: 2013, February ({expected['february']:,}), the 14th ({expected['valentine']:,})")

        for column in (1, 2, -7):
            browser.get("/admin/flights/flight/", o=column)
        deep = browser.get("/admin/flights/flight/", p=3000)
        expect(re.findall(r"/admin/flights/flight/\d+/change/", deep), "page 3,000 of the list is empty")
        step("sorting by columns, page 3,000")

        found = json.loads(browser.get("/admin/autocomplete/", app_label="flights", model_name="flight", field_name="airline", term="united"))
        expect([row["id"] for row in found["results"]] == ["UA"], f"autocomplete of airlines: {found}")
        found = json.loads(browser.get("/admin/autocomplete/", app_label="flights", model_name="flight", field_name="origin", term="kennedy"))
        expect("JFK" in [row["id"] for row in found["results"]], f"autocomplete of airports: {found}")
        step("foreign-key widgets: autocomplete of airlines and airports")

        done = browser.post("/admin/flights/airline/add/", carrier="0X", name="Check Air")
        expect("was added successfully" in done, "cannot add an airline")
        done = browser.post("/admin/flights/airline/add/", carrier="0X", name="Check Air again")
        expect("already exists" in done, "a second airline of the same code is accepted")
        flight = {
            "date": "2013-12-31", "scheduled_0": "2013-12-31", "scheduled_1": "23:30:00", "airline": "0X", "number": "7", "tail_number": "N14228",
            "plane": "N14228", "origin": "JFK", "destination_code": "SFO", "destination": "SFO", "departure_delay": "", "arrival_delay": "",
            "air_time": "", "distance": "2586",
        }
        done = browser.post("/admin/flights/flight/add/", **(flight | {"plane": "NOPE"}))
        expect("That choice is not one of the available choices" in done or "Select a valid choice" in done, "an unknown plane is accepted")
        done = browser.post("/admin/flights/flight/add/", **flight)
        expect("was added successfully" in done, "cannot add a flight")
        listing = browser.get("/admin/flights/flight/", airline__carrier__exact="0X")
        expect(count_on(listing) == 1, "the new flight is not in the list")
        key = re.search(r"/admin/flights/flight/(\d+)/change/", listing)[1]
        step("add an airline and a flight (a duplicate and an unknown plane are refused)")

        form = browser.get(f"/admin/flights/flight/{key}/change/")
        values = browser.form_fields(form)
        expect(values["scheduled_1"] == "23:30:00" and values["airline"] == "0X" and values["plane"] == "N14228", f"the form shows {values}")
        done = browser.post(f"/admin/flights/flight/{key}/change/", departure_delay="-3", destination="")
        expect("was changed successfully" in done, "cannot change the flight")
        stored = Flight.objects.select_related("airline", "plane").get(pk=key)
        expect((stored.departure_delay, stored.destination, stored.airline.name, stored.plane.manufacturer) == (-3, None, "Check Air", "BOEING"), f"stored: {vars(stored)}")
        step("edit the flight; the row has the new values")

        history = browser.get(f"/admin/flights/flight/{key}/history/")
        expect("Added." in history and "Changed Destination and Departure delay." in html.unescape(history), "the history lacks the change")
        expect("Check Air" in browser.get("/admin/"), "the index page's recent actions lack the airline")
        step("the log: the flight's history and the recent actions")

        kept = browser.session.cookies["sessionid"]
        end(server.pid)
        server.wait()
        server = serve(port)
        expect("Log out" in browser.get("/admin/") and browser.session.cookies["sessionid"] == kept, "the session is gone after a restart")
        expect(browser.form_fields(browser.get(f"/admin/flights/flight/{key}/change/"))["departure_delay"] == "-3", "the flight is gone after a restart")
        step("restart the server: still logged in, the flight still there")

        page = browser.get("/admin/flights/airline/0X/delete/")
        expect("would require deleting the following protected" in page, "an airline with a flight may be deleted")
        done = browser.post(f"/admin/flights/flight/{key}/delete/", post="yes")
        expect("was deleted successfully" in done, "cannot delete the flight")
        browser.get(f"/admin/flights/flight/{key}/change/", status=200)  # redirects to the index with a message
        expect(not Flight.objects.filter(pk=key).exists(), "the deleted flight is still stored")
        listing = "/admin/flights/airline/"
        done = browser.post(listing, action="delete_selected", _selected_action="0X", post="yes", index="0")
        expect("Successfully deleted 1 airline" in done, "cannot delete the airline by the list's action")
        step("delete the flight by its form and the airline by the list's action (a protected airline is refused)")

        browser.session.post(browser.root + "/admin/logout/", data=browser.form_fields(browser.get("/admin/")), headers={"Referer": browser.root})
        browser.session.cookies.set("sessionid", kept)
        expect("Log out" not in browser.get("/admin/"), "the session outlives the logout")
        step("log out: the session is over")
        problems = log.read_bytes()[logged:].decode(errors="replace").count("Traceback (most recent call last)")
        expect(not problems, f"the site's log has {problems} traceback(s)")
    except Failed as failure:
        print(f"FAILED  {failure}")
        print(f"demo-check: failed after {steps} steps; the site's log is {STATE / 'site.log'}")
        return 1
    finally:
        end(server.pid)
        leftovers(Airline, Flight)
    print(f"demo-check: {steps} steps passed in {time.monotonic() - started:.0f} s")
    return 0


def leftovers(airline, flight):
    """Removes what an interrupted check has left."""
    flight.objects.filter(airline="0X").delete()
    airline.objects.filter(carrier="0X").delete()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "check", "stop"))
    action = parser.parse_args().action
    return {"start": start, "check": check, "stop": stop}[action]()


if __name__ == "__main__":
    sys.exit(main())
