"""Embedded documents and arrays in the admin, by hand of a real browser: examples/blog on a real server."""

import json

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

DUMP = """
import json
from blog.models import Entry
collection = Entry.objects.mongo_find({'headline': %r})
from bson import json_util
print(json_util.dumps(list(collection)))
"""


def stored(site, headline):
    """The stored documents with this headline."""
    return json.loads(site.shell(DUMP % headline))


def make_entry(site, headline, authors=2):
    site.shell(
        "from blog.models import Entry\n"
        f"Entry.objects.create(headline={headline!r}, blog={{'name': 'Beatles', 'tagline': 'Four'}}, tags=['one', 'two', 'three'],\n"
        f"    authors=[{{'name': f'Author {{i}}', 'email': f'a{{i}}@example.com', 'books': [{{'title': f'Book {{i}}', 'year': 1960 + i}}]}} for i in range({authors})])"
    )


def open_entry(browser, headline):
    browser.open("/admin/blog/entry/?q=" + headline.replace(" ", "+"))
    browser.follow(headline)


def rows(browser, array):
    return [row for row in browser.all(f"#{array} > .djongo-rows > .djongo-row") if "djongo-removed" not in row.get_attribute("class")]


def tool(row, kind):
    return row.find_element(By.CSS_SELECTOR, f":scope > .djongo-row-bar .djongo-{kind}")


def press_tool(browser, row, kind):
    browser.press(tool(row, kind))


def names(browser):
    return [row.find_element(By.CSS_SELECTOR, '[name$="-name"]').get_attribute("value") for row in rows(browser, "id_authors")]


def test_create_with_nested_rows(browser):
    """Everything from an empty page: an embedded document, two authors, two books of one of them, tags; then what is stored."""
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "Nested")
    browser.fill("blog-name", "Beatles Blog")
    browser.fill("blog-tagline", "All the latest")
    browser.fill("meta-published", "2026-01-31")
    browser.fill("meta-rating", "4")
    add = "#id_authors > .djongo-add"
    browser.click(add)
    browser.fill("authors-0-name", "John")
    browser.fill("authors-0-email", "john@example.com")
    browser.click("#id_authors-0-books > .djongo-add")
    browser.fill("authors-0-books-0-title", "In His Own Write")
    browser.fill("authors-0-books-0-year", "1964")
    browser.click("#id_authors-0-books > .djongo-add")
    browser.fill("authors-0-books-1-title", "Skywriting")
    browser.click(add)
    browser.fill("authors-1-name", "Paul")
    browser.fill("authors-1-email", "paul@example.com")
    browser.click("#id_tags > .djongo-add")
    browser.fill("tags-0-value", "music")
    browser.click("#id_tags > .djongo-add")
    browser.fill("tags-1-value", "1960s")
    browser.fill("extra", '{"a": [1, 2, {"b": null}]}')
    browser.screenshot("entry-add")
    browser.submit()
    assert "was added successfully" in browser.text()
    browser.screenshot("entry-list")
    (document,) = stored(browser.site, "Nested")
    assert document["blog"] == {"name": "Beatles Blog", "tagline": "All the latest"}
    assert document["meta"]["rating"] == 4 and document["meta"]["published"] == {"$date": "2026-01-31T00:00:00Z"}
    assert [author["name"] for author in document["authors"]] == ["John", "Paul"]
    assert document["authors"][0]["books"] == [{"title": "In His Own Write", "year": 1964}, {"title": "Skywriting", "year": None}]
    assert document["tags"] == ["music", "1960s"]
    assert document["extra"] == {"a": [1, 2, {"b": None}]}


def test_edit_keeps_the_rest(browser):
    """An inner value changes; everything else, keys that no field declares included, stays as it was."""
    make_entry(browser.site, "Kept")
    browser.site.shell("from blog.models import Entry\nEntry.objects.mongo_update_one({'headline': 'Kept'}, {'$set': {'blog.colour': 'red', 'authors.1.age': 80}})")
    (before,) = stored(browser.site, "Kept")
    open_entry(browser, "Kept")
    browser.fill("blog-tagline", "Fab Four")
    browser.screenshot("entry-change")
    browser.picture("admin-entry", "#entry_form fieldset.module")
    browser.submit()
    assert "was changed successfully" in browser.text()
    (after,) = stored(browser.site, "Kept")
    before["blog"]["tagline"] = "Fab Four"
    for document in (before, after):  # null and missing are the same here
        document.update({key: None for key in ("meta", "extra") if document.get(key) is None})
    assert after == before


def test_reorder_and_remove(browser):
    make_entry(browser.site, "Ordered", authors=3)
    open_entry(browser, "Ordered")
    assert names(browser) == ["Author 0", "Author 1", "Author 2"]
    press_tool(browser, rows(browser, "id_authors")[2], "up")
    press_tool(browser, rows(browser, "id_authors")[0], "down")
    assert names(browser) == ["Author 2", "Author 0", "Author 1"]
    press_tool(browser, rows(browser, "id_authors")[1], "remove")
    assert names(browser) == ["Author 2", "Author 1"]
    press_tool(browser, rows(browser, "id_tags")[0], "down")
    browser.screenshot("entry-reordered")
    browser.submit()
    (document,) = stored(browser.site, "Ordered")
    assert [author["name"] for author in document["authors"]] == ["Author 2", "Author 1"]
    assert [author["books"][0]["title"] for author in document["authors"]] == ["Book 2", "Book 1"]
    assert document["tags"] == ["two", "one", "three"]


def test_removal_can_be_undone(browser):
    make_entry(browser.site, "Undone")
    open_entry(browser, "Undone")
    row = rows(browser, "id_authors")[0]
    press_tool(browser, row, "remove")
    assert len(rows(browser, "id_authors")) == 1
    press_tool(browser, row, "remove")
    browser.submit()
    assert len(stored(browser.site, "Undone")[0]["authors"]) == 2


def test_removing_all_rows(browser):
    make_entry(browser.site, "Emptied")
    open_entry(browser, "Emptied")
    for row in rows(browser, "id_authors"):
        press_tool(browser, row, "remove")
    browser.submit()
    assert "was changed successfully" in browser.text()
    assert not stored(browser.site, "Emptied")[0]["authors"]


def test_errors_show_at_the_input(browser):
    """Wrong inner values: the page comes back with the message at each input, everything typed still there, nothing saved."""
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "Wrong")
    browser.fill("blog-name", "Blog")
    browser.fill("meta-published", "2026-01-31")
    browser.fill("meta-rating", "9")
    browser.click("#id_authors > .djongo-add")
    browser.fill("authors-0-name", "John")
    browser.fill("authors-0-email", "not an address")
    browser.click("#id_authors-0-books > .djongo-add")
    browser.fill("authors-0-books-0-year", "1964")
    browser.driver.execute_script("document.querySelectorAll('form').forEach(form => { form.noValidate = true; })")
    browser.submit()

    def error(css):
        return browser.one(f"{css} .errorlist").text

    assert "less than or equal to 5" in error("#id_meta .field-rating")
    assert "valid email address" in error("#authors-0-row .field-email")
    assert "required" in error("#authors-0-books-0-row .field-title")
    assert browser.value("authors-0-name") == "John"
    assert browser.value("authors-0-books-0-year") == "1964"
    browser.screenshot("entry-errors")
    assert stored(browser.site, "Wrong") == []
    browser.fill("meta-rating", "5")
    browser.fill("authors-0-email", "john@example.com")
    browser.fill("authors-0-books-0-title", "In His Own Write")
    browser.submit()
    assert "was added successfully" in browser.text()
    assert stored(browser.site, "Wrong")[0]["authors"][0]["books"] == [{"title": "In His Own Write", "year": 1964}]


def test_optional_document_left_empty(browser):
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "Without meta")
    browser.fill("blog-name", "Blog")
    browser.submit()
    assert "was added successfully" in browser.text()
    (document,) = stored(browser.site, "Without meta")
    assert document.get("meta") is None and not document["authors"]


def test_required_document(browser):
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "Without blog")
    browser.driver.execute_script("document.querySelectorAll('form').forEach(form => { form.noValidate = true; })")
    browser.submit()
    assert "Please correct the error" in browser.text()
    assert "required" in browser.one(".field-blog").text
    assert stored(browser.site, "Without blog") == []


def test_json_editor(browser):
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "JSON")
    browser.fill("blog-name", "Blog")
    browser.fill("extra", '{"a": ')
    assert browser.one(".djongo-json-note").text
    browser.submit()
    assert "line 1, column" in browser.one(".field-extra .errorlist").text
    assert browser.value("extra") == '{"a": '
    browser.fill("extra", '{"when": {"$date": "2026-01-31T00:00:00Z"}}')
    assert browser.one(".djongo-json-note").text == ""
    browser.submit()
    assert stored(browser.site, "JSON")[0]["extra"] == {"when": {"$date": "2026-01-31T00:00:00Z"}}


def test_by_keyboard(browser):
    """Rows are added, moved and removed without a pointer."""
    make_entry(browser.site, "Keyboard")
    open_entry(browser, "Keyboard")
    add = browser.one("#id_tags > .djongo-add")
    add.send_keys(Keys.ENTER)
    active = browser.driver.switch_to.active_element
    assert active.get_attribute("name") == "tags-3-value"
    active.send_keys("four")
    up = tool(rows(browser, "id_tags")[3], "up")
    up.send_keys(Keys.SPACE)
    assert browser.driver.switch_to.active_element == up
    ActionChains(browser.driver).send_keys(Keys.SPACE).perform()
    tool(rows(browser, "id_tags")[0], "remove").send_keys(Keys.ENTER)
    browser.submit()
    assert stored(browser.site, "Keyboard")[0]["tags"] == ["four", "two", "three"]


def test_admin_widgets_inside(browser):
    """Dates inside documents have the admin's calendar, foreign keys its "add another", new rows too."""
    browser.site.shell("from blog.models import Category\nCategory.objects.get_or_create(name='Music')")
    browser.open("/admin/blog/entry/add/")
    assert browser.one("#id_meta .field-published .datetimeshortcuts a")
    browser.click("#id_meta .field-published .datetimeshortcuts a")
    assert browser.value("meta-published")
    assert browser.one("#add_id_meta-category")
    Select(browser.one("#id_meta-category")).select_by_visible_text("Music")
    browser.fill("headline", "Widgets")
    browser.fill("blog-name", "Blog")
    browser.submit()
    (document,) = stored(browser.site, "Widgets")
    assert set(document["meta"]["category_id"]) == {"$oid"}


def test_references(browser):
    """An array of references is chosen like a many-to-many field."""
    browser.site.shell("from blog.models import Topic\nfor name in ('Music', 'Film', 'Books'): Topic.objects.get_or_create(name=name)")
    browser.open("/admin/blog/entry/add/")
    browser.fill("headline", "Referring")
    browser.fill("blog-name", "Blog")
    topics = Select(browser.one("#id_topics"))
    topics.select_by_visible_text("Music")
    topics.select_by_visible_text("Books")
    browser.submit()
    assert "was added successfully" in browser.text()
    (document,) = stored(browser.site, "Referring")
    assert len(document["topics_id"]) == 2 and all(set(key) == {"$oid"} for key in document["topics_id"])
    open_entry(browser, "Referring")
    assert {option.text for option in Select(browser.one("#id_topics")).all_selected_options} == {"Music", "Books"}
    Select(browser.one("#id_topics")).deselect_by_visible_text("Music")
    browser.submit()
    assert len(stored(browser.site, "Referring")[0]["topics_id"]) == 1


def test_change_list(browser):
    make_entry(browser.site, "Listed one")
    browser.site.shell("from blog.models import Entry\nEntry.objects.create(headline='Listed two', blog={'name': 'Stones'}, meta={'published': '2026-02-01', 'rating': 5})")
    browser.open("/admin/blog/entry/?q=stones")
    assert "Listed two" in browser.text() and "Listed one" not in browser.text()
    browser.open("/admin/blog/entry/?q=author+1")
    assert "Listed one" in browser.text() and "Listed two" not in browser.text()
    browser.open("/admin/blog/entry/?meta__rating=5&q=listed")
    assert "Listed two" in browser.text() and "Listed one" not in browser.text()
    browser.open("/admin/blog/entry/?q=listed")
    browser.follow("Blog name")
    assert [cell.text for cell in browser.all("td.field-blog__name")] == ["Beatles", "Stones"]


def test_delete(browser):
    make_entry(browser.site, "Deleted")
    open_entry(browser, "Deleted")
    browser.follow("Delete")
    browser.leave(browser.one("#content input[type=submit]"))
    assert "was deleted successfully" in browser.text()
    assert stored(browser.site, "Deleted") == []


def test_history_names_the_field(browser):
    make_entry(browser.site, "Logged")
    open_entry(browser, "Logged")
    browser.fill("blog-tagline", "New")
    browser.submit()
    open_entry(browser, "Logged")
    browser.follow("History")
    assert "Changed Blog." in browser.text()
    open_entry(browser, "Logged")
    browser.submit()
    open_entry(browser, "Logged")
    browser.follow("History")
    assert browser.text().count("Changed Blog.") == 1


def test_without_javascript(browser_without_scripts):
    """What is there can be edited, added to by the empty row, ordered by number and removed by a box."""
    browser = browser_without_scripts
    make_entry(browser.site, "Plain", authors=3)
    open_entry(browser, "Plain")
    browser.fill("authors-0-name", "First")
    browser.fill("authors-1-ORDER", "1")
    browser.fill("authors-0-ORDER", "2")
    browser.click('[name="authors-2-DELETE"]')
    browser.fill("authors-3-name", "New")
    browser.fill("authors-3-email", "new@example.com")
    browser.fill("tags-3-value", "four")
    browser.screenshot("entry-without-javascript")
    browser.submit()
    assert "was changed successfully" in browser.text()
    (document,) = stored(browser.site, "Plain")
    assert [author["name"] for author in document["authors"]] == ["Author 1", "First", "New"]
    assert document["tags"] == ["one", "two", "three", "four"]


@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_is_no_wider_than_the_window(browser, width):
    make_entry(browser.site, f"Narrow {width}")
    open_entry(browser, f"Narrow {width}")
    browser.driver.set_window_size(width, 1000)
    wide = browser.driver.execute_script(
        "return [...document.querySelectorAll('.djongo-embedded *, .djongo-array *')].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    browser.driver.set_window_size(1280, 1000)
    assert wide == []


def test_public_page(browser):
    make_entry(browser.site, "Public")
    browser.open("/?author=author+1")
    assert "Public" in browser.text()
    browser.open("/?author=nobody+at+all")
    assert "Nothing here yet." in browser.text()
    browser.open("/")
    browser.screenshot("public-page")
