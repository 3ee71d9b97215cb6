"""A page of HTML, read strictly: what a test asks of it."""

import html.parser

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(html.parser.HTMLParser):
    """Tags of a page and the text of its tables; unbalanced tags are an error.

    Attributes:
      tags: (name, attributes) in order.
      text: all text outside <style>.
      headings: texts of h1, h2 and h3.
      tables: rows of cells, by the label of the box around the table.
      ids: of elements.
    """

    def __init__(self, source: str):
        super().__init__()
        self.tags, self.headings, self.ids = [], [], []
        self.tables: dict[str, list[list[str]]] = {}
        self._parts, self._open, self._label = [], [], None
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        self.text = "".join(self._parts)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        self.tags.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if attributes.get("role") == "region":
            self._label = attributes["aria-label"]
            assert self._label not in self.tables
            self.tables[self._label] = []
        if tag == "tr":
            self.tables[self._label].append([])
        if tag in ("td", "th"):
            self.tables[self._label][-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"</{tag}> in {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data):
        if "style" in self._open:
            return
        self._parts.append(data)
        if self._open and self._open[-1] in ("td", "th"):
            self.tables[self._label][-1][-1] += data
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def all(self, name: str) -> list[dict]:
        """Attributes of all elements of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]
