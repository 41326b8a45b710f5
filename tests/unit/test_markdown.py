import re

import pytest

from app.web.pages.documents.markdown import render_markdown
from app.web.pages.documents.views import address_of

SERVED = {"known.md#here": "/docs/known#here"}


def rendered(text: str) -> str:
    return str(render_markdown(f"# Title\n\n{text}", SERVED.get).html)


def test_the_title_stands_apart_from_what_is_below_it():
    document = render_markdown("# A `b` title\n\nText.\n", SERVED.get)
    assert (document.title, document.html.strip()) == ("A b title", "<p>Text.</p>")


@pytest.mark.parametrize("text", ["", "No title.", "## Not a title"])
def test_a_document_without_a_title_is_refused(text: str):
    with pytest.raises(ValueError, match="title"):
        render_markdown(text, SERVED.get)


def test_headings_are_anchors_as_the_hosts_of_repositories_make_them():
    document = render_markdown("# T\n\n## redis_disk\n\n### What a 204 means, and `when`\n", SERVED.get)
    assert re.findall(r'<h\d id="([^"]+)">', document.html) == ["redis_disk", "what-a-204-means-and-when"]
    assert [(each.anchor, each.title, each.level) for each in document.sections] == [
        ("redis_disk", "redis_disk", 2),
        ("what-a-204-means-and-when", "What a 204 means, and when", 3),
    ]


def test_a_link_leads_to_what_is_served_and_another_leaves_its_text():
    assert rendered("[to](known.md#here) and [**else**](../unknown.py).") == (
        '<p><a href="/docs/known#here">to</a> and <strong>else</strong>.</p>\n'
    )


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("#losses", "#losses"),
        ("runbook.md", "/docs/runbook"),
        ("operations.md#settings", "/docs/operations#settings"),
        ("https://prometheus.io/docs", "https://prometheus.io/docs"),
        ("decisions.md", None),
        ("../ops/alerts.yaml", None),
        ("../docs/runbook.md", None),
        ("runbook", None),
        ("http://example.org", None),
        ("javascript:alert(1)", None),
    ],
)
def test_only_the_closed_list_is_served(target: str, address: str | None):
    assert address_of(target) == address


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a <b>b</b>", "`<i>`", "    <i>\n", "```\n<i>\n```"])
def test_html_is_shown_as_it_is_written(hostile: str):
    assert not re.search(r"<(?:script|b|i)\b", rendered(hostile))
    assert "&lt;" in rendered(hostile)


def test_commands_can_be_copied_as_they_stand():
    html = rendered('```\npsql "$A" -c "SELECT 1 < 2"\n```\n\ntext\n\n```\nsecond\n```\n')
    ids = re.findall(r'<pre id="([^"]+)" tabindex="0">', html)
    assert re.findall(r'data-copy="([^"]+)" hidden', html) == ids
    assert len(set(ids)) == 2
    assert "<code>psql &#34;$A&#34; -c &#34;SELECT 1 &lt; 2&#34;\n</code>" in html


def test_a_table_scrolls_by_itself_and_says_what_it_is_about():
    html = rendered("## The <parts>\n\n| a | b |\n|---|---|\n| 1 | `x\\|y` |\n")
    assert 'class="table-scroll" tabindex="0" role="region" aria-label="Table: The &lt;parts&gt;"' in html
    assert re.findall(r"<th\b[^>]*>", html) == ['<th scope="col">'] * 2
    assert "<code>x|y</code>" in html
    assert html.count("<div") == html.count("</div>") == 1
