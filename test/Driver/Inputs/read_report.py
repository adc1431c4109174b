"""The text of a report, a line each: title, headings, paragraphs, tiles, rows of tables. Fails where tags do not match, or something is
loaded or run."""
import html.parser
import sys

VOID = {"meta", "wbr"}
LINES = {"title": "title: ", "h1": "heading: ", "h2": "heading: ", "p": "", "li": "note: ", "tr": "row: "}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe"), tag
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attributes), attributes
        if tag in VOID:
            return
        self.open.append(tag)
        if tag in LINES or ("class", "tile") in attributes:
            self.text = ""
        if tag == "td" and self.text:
            self.text += " | "

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag
        if tag == "b":
            self.text += " "
        if tag in LINES:
            print(LINES[tag] + self.text)
        elif tag == "div" and self.open[-1] == "div" and self.text:
            print("tile: " + self.text)
            self.text = ""

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "body", "div") or self.open[-1:] == ["div"] and data.strip():
            self.text += data


reader = Reader()
with open(sys.argv[1], encoding="utf-8") as file:
    reader.feed(file.read())
reader.close()
assert not reader.open, reader.open
