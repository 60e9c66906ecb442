"""What pages of the console are made of: tables of any length, and forms of every body that an operation takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from chaser_emulator import assembly
from chaser_emulator.server import Running
from consoles import assert_accessible, console_of
from playwright.sync_api import Browser, Page, expect

MANY = 10_000


@pytest.fixture(scope="module")
def page(emulator: Running, browser: Browser) -> Iterator[Page]:
    with console_of(emulator, browser, "/nothing", expected=("400",)) as one:
        yield one


_TABLE = """async ([many, paged, options]) => {
  const { table } = await import("/_emulator/console/table.js");
  const { h } = await import("/_emulator/console/dom.js");
  const rows = (from, to) => Array.from({length: to - from}, (_one, at) => (
    {id: `row-${from + at}`, name: `thing ${from + at}`, kind: (from + at) % 2 ? "odd" : "even"}
  ));
  window.asked = [];
  const next = async (known) => {
    window.asked.push(known.length);
    if (window.failing) throw new Error("nobody answers");
    const to = Math.min(many, known.length + 100);
    return {rows: rows(known.length, to), done: to === many, total: many};
  };
  const one = table({
    label: "Things",
    columns: [
      {title: "Thing", render: (row) => row.name},
      {title: "Kind", render: (row) => row.kind},
      {title: "Do", render: (row) => h("button", {type: "button", "aria-label": `Do ${row.name}`}, "Do")},
    ],
    link: (row) => `#/nothing?${row.id}`,
    ...(paged ? {next} : {}),
    ...options,
  });
  if (!paged) one.set(rows(0, many));
  const main = document.getElementById("main");
  main.replaceChildren(h("h1", null, "Things"), one.node);
  window.things = one;
}"""


def a_table(page: Page, many: int = MANY, *, paged: bool = False, **options: Any) -> None:
    """Put a table of so many rows on the page, which come by the hundred where it is paged."""
    page.evaluate("window.failing = false")
    page.evaluate(_TABLE, [many, paged, options])
    if many:
        page.get_by_role("row").filter(has_text="thing 0").wait_for()


def test_of_many_rows_few_are_in_the_page_and_each_says_its_place(page: Page) -> None:
    a_table(page)
    assert page.get_by_role("row").count() < 60
    grid = page.get_by_role("table", name="Things")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY + 1))
    page.locator(".window").evaluate("(one) => { one.scrollTop = 5000 * 44 }")
    row = page.get_by_role("row").filter(has=page.get_by_text("thing 5000", exact=True))
    expect(row).to_have_attribute("aria-rowindex", "5002")
    assert page.get_by_role("row").count() < 60
    # They stand in the page in the order that one sees.
    indexes = page.locator(".rows .row").evaluate_all("(all) => all.map((one) => Number(one.ariaRowIndex))")
    assert indexes == sorted(indexes)
    assert page.locator("*").count() < 600


def test_keys_go_from_row_to_row_and_to_both_ends(page: Page) -> None:
    a_table(page)
    page.locator(".window").focus()
    steps = [
        ("ArrowDown", 0), ("ArrowDown", 1), ("End", MANY - 1), ("ArrowDown", MANY - 1), ("ArrowUp", MANY - 2),
        ("Home", 0), ("ArrowUp", 0),
    ]  # fmt: skip
    for key, at in steps:
        page.keyboard.press(key)
        expect(page.locator(":focus")).to_have_text(f"thing {at}")
        expect(page.locator(":focus")).to_be_in_viewport()
    page.keyboard.press("PageDown")
    far = page.evaluate("Number(document.activeElement.textContent.split(' ')[1])")
    assert 5 < far < 40
    page.keyboard.press("PageUp")
    expect(page.locator(":focus")).to_have_text("thing 0")
    # In the column that one is in.
    page.get_by_role("button", name="Do thing 0", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Do thing 1", exact=True)).to_be_focused()


def test_what_has_the_focus_keeps_it_wherever_one_scrolls_and_whatever_is_new(page: Page) -> None:
    a_table(page, paged=True)
    button = page.get_by_role("button", name="Do thing 3", exact=True)
    button.focus()
    page.locator(".window").evaluate("(one) => { one.scrollTop = 60 * 44 }")
    page.get_by_text("thing 60", exact=True).wait_for()
    expect(button).to_be_focused()
    page.evaluate("things.refresh()")
    page.evaluate("things.redraw()")
    expect(button).to_be_focused()


def test_more_rows_come_as_one_scrolls_and_news_ask_for_what_is_in_sight_alone(page: Page) -> None:
    a_table(page, paged=True)
    assert page.evaluate("things.rows().length") == 100
    for many in range(2, 12):
        page.locator(".window").evaluate("(one) => { one.scrollTop = one.scrollHeight }")
        page.wait_for_function("(many) => things.rows().length >= many", arg=many * 100)
    page.evaluate("window.asked = []; things.refresh()")
    page.wait_for_function("asked.length && things.rows().length > 900")
    assert len(page.evaluate("asked")) <= 5
    expect(page.locator(".count")).to_have_text(f"{MANY} in all")
    page.locator(".window").evaluate("(one) => { one.scrollTop = 0 }")
    expect(page.get_by_text("thing 0", exact=True)).to_be_visible()


def test_a_short_list_takes_no_more_room_than_it_needs(page: Page) -> None:
    a_table(page, 2)
    box = page.locator(".table").bounding_box()
    assert box is not None
    assert box["height"] < 200
    a_table(page, 0)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()


def test_a_list_that_fails_says_so_and_is_asked_for_again(page: Page) -> None:
    a_table(page, paged=True)
    page.evaluate("window.failing = true; things.refresh()")
    expect(page.get_by_role("alert").filter(has_text="nobody answers")).to_be_visible()
    page.evaluate("window.failing = false")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert").filter(has_text="nobody answers")).to_have_count(0)
    expect(page.get_by_text("thing 0", exact=True)).to_be_visible()


@pytest.mark.parametrize("paged", [False, True], ids=["whole", "paged"])
def test_words_leave_the_rows_in_which_they_are(page: Page, paged: bool) -> None:
    a_table(page, 350, paged=paged, filter=True)
    page.get_by_label("Filter things").fill("thing EVEN 34")
    # 34, 134, 234, 334, and all even ones from 340 to 348.
    expect(page.locator(".count")).to_have_text("9 of 350 in all")
    expect(page.get_by_role("table", name="Things")).to_have_attribute("aria-rowcount", "10")
    page.get_by_label("Filter things").fill("nobody")
    expect(page.get_by_text("None of 350 has these words.")).to_be_visible()
    page.get_by_label("Filter things").fill("")
    expect(page.locator(".count")).to_have_text("350 in all")
    assert_accessible(page)


def documents() -> list[dict[str, Any]]:
    return [assembly.assemble(), assembly.assemble(assembly.CONTROL)]


def bodies() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], list[Any]]]:
    """Every operation that takes JSON: its id, its document, its schema, and its examples."""
    for document in documents():
        for _path, _method, operation in assembly.operations(document):
            media = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if media is not None:
                examples = [one["value"] for one in media.get("examples", {}).values()]
                yield operation["operationId"], document, media["schema"], examples


_READ = """async ([id, example]) => {
  const { formOf } = await import("/_emulator/console/form.js");
  const form = await formOf(id, example === null ? {} : {initial: example});
  document.getElementById("main").replaceChildren(form.node);
  const unnamed = [...form.node.querySelectorAll("input, select, textarea")]
    .filter((one) => !one.labels.length && !one.closest("fieldset")?.querySelector("legend"));
  const read = form.read();
  const said = [...form.node.querySelectorAll(".problem:not([hidden])")].map((one) => one.textContent);
  return {unnamed: unnamed.length, read: read === undefined ? null : read, said};
}"""


def test_every_body_has_a_form_which_reads_back_what_is_put_into_it(page: Page) -> None:
    wrong: list[str] = []
    for name, document, schema, examples in bodies():
        assert page.evaluate(_READ, [name, None])["unnamed"] == 0, name
        if "$ref" in schema and schema["$ref"].endswith("/OpenApiDocument"):
            continue
        valid = jsonschema_rs.Draft202012Validator({"allOf": [schema], "components": document["components"]})
        for example in examples:
            found = page.evaluate(_READ, [name, example])
            if found["read"] is None or not valid.is_valid(found["read"]):
                wrong.append(f"{name}: {example} gives {found}")
            elif found["read"] != example:
                wrong.append(f"{name}: {example} becomes {found['read']}")
    assert not wrong, "\n".join(wrong)


def test_a_form_says_at_the_field_what_is_wrong_with_it(page: Page, client: httpx.Client) -> None:
    page.evaluate(
        """async () => {
          const { formOf } = await import("/_emulator/console/form.js");
          const { call } = await import("/_emulator/console/api.js");
          const form = await formOf("create-world", {open: ["id", "clock", "rate_limit"]});
          document.getElementById("main").replaceChildren(form.node);
          window.form = form;
          window.send = async () => {
            const body = form.read();
            if (body !== undefined) await call("create-world", {body}).catch(form.refuse);
          };
        }"""
    )
    page.get_by_label("per principal").fill("many")
    page.evaluate("send()")
    expect(page.get_by_label("per principal")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("per principal")).to_have_accessible_description(
        "Requests of one caller in a window. is no number"
    )
    page.get_by_label("per principal").fill("3")
    page.get_by_label("at", exact=True).fill("noon")
    page.evaluate("send()")
    # A clock has a mode as well.
    expect(page.get_by_label("mode (required)")).to_be_focused()
    page.get_by_label("mode (required)").select_option("frozen")
    page.evaluate("send()")
    expect(page.get_by_label("at", exact=True)).to_have_attribute("aria-invalid", "true")
    assert [one["id"] for one in client.get("/_emulator/worlds").json()["worlds"]] == ["default"]
    page.get_by_label("at", exact=True).fill("2026-03-01T12:00:00Z")
    page.get_by_label("id", exact=True).fill("formed")
    page.evaluate("send()")
    made = client.get("/_emulator/worlds/formed").json()
    assert made["clock"]["mode"] == "frozen"
    client.delete("/_emulator/worlds/formed")


_LOOKS = """async (text) => {
  const { nodesOf, PLAIN } = await import("/_emulator/console/ansi.js");
  const { reader } = await import("/_emulator/console/views/session/terminal-text.js");
  const read = reader();
  read.feed(new TextEncoder().encode(text));
  const ofLine = nodesOf(text, PLAIN).map((one) => [one.className ?? "", one.textContent ?? one]);
  return [ofLine, read.take().current.map(({ look, text }) => [look, text])];
}"""


@pytest.mark.parametrize(
    ("sequence", "look"),
    [
        ("1;31", "bold fore-red"),
        ("91", "fore-bright-red"),
        ("103", "back-yellow"),
        ("38;5;12", "fore-bright-blue"),
        ("38:5:4", "fore-blue"),
        ("38;2;1;3;4", ""),
        ("38:2::1:3:4;9", "struck"),
        ("58;5;1", ""),
        ("4;4:0", ""),
        (">4;2", ""),
    ],
    ids=["1-31", "91", "103", "38-5-12", "38-5-4", "rgb", "rgb-by-colons", "of-a-line", "no-line", "no-look"],
)
def test_colours_are_read_alike_in_output_and_in_a_plain_terminal(page: Page, sequence: str, look: str) -> None:
    assert page.evaluate(_LOOKS, f"\x1b[{sequence}mword") == [[[look, "word"]]] * 2


_GENTLY = """async ([wait, calls]) => {
  const { gently } = await import("/_emulator/console/gently.js");
  const did = [];
  let under = 0;
  const work = async () => {
    under += 1;
    did.push(under);
    if (did.length === 1) for (let at = 0; at < calls; at += 1) again();
    await new Promise((done) => setTimeout(done));
    under -= 1;
    if (did.length === 2) throw Object.assign(new Error("given up"), { name: "AbortError" });
  };
  const again = gently(work, undefined, wait);
  again();
  await again();
  await again();
  return did;
}"""


@pytest.mark.parametrize("wait", [0, 1])
def test_what_is_done_anew_is_done_once_at_a_time_and_once_more_for_all_that_came(page: Page, wait: int) -> None:
    assert page.evaluate(_GENTLY, [wait, 5]) == [1, 1, 1]


def test_times_and_numbers_are_written_as_people_say_them(page: Page) -> None:
    script = """async () => {
      const { counted, seconds } = await import("/_emulator/console/format.js");
      const { distance } = await import("/_emulator/console/durations.js");
      return [
        [0.04, 12.34, 59.96, 119.6, 3661, 90_061].map(seconds),
        [0, 1, 1500].map((many) => counted(many, "step")),
        [distance(90_000, 0), distance(0, 400), distance(0, 119_600)],
      ];
    }"""
    assert page.evaluate(script) == [
        ["0 s", "12.3 s", "1 min", "2 min", "1 h 1 min", "1 d 1 h"],
        ["0 steps", "1 step", "1,500 steps"],
        ["in 1 min 30 s", "now", "2 min ago"],
    ]
