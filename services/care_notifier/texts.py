"""The texts of care messages: one TOML file a kind in `templates/`, checked when loaded.

`text` is the kind's template, of the same name (`shipped`); any other entry is a variant of it, `<kind>.<entry>`
(`payment_thanks.virtual`). A text that names an unknown placeholder is an error here, never a broken text to a buyer
(domain.md 4, "Templates").
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

DIRECTORY = Path(__file__).parent / "templates"

VALUES = frozenset(
    {"订单号", "快递公司", "运单号", "预计天数", "商品清单", "收货地区", "发货时效说明"}
)  # fmt: skip
"""Placeholders that a proposal has a value for."""

CONTACT = {"收件人姓名": "亲"}
"""Placeholders that stay open in the log, since no event holds contact data, and what they are filled with at sending
where the contact data is not known (a fully masked name renders as 亲, domain.md 1).
"""

_PLACEHOLDER = re.compile(r"#([^#]*)#")


class TemplateError(ValueError):
    """A template file that cannot be used; the text says which, and what is wrong with it."""


def load(directory: Path = DIRECTORY) -> dict[str, str]:
    """Template id -> text. Raises TemplateError."""
    texts: dict[str, str] = {}
    for file in sorted(directory.glob("*.toml")):
        for entry, text in _entries(file).items():
            place = f"{file.name}: {entry}"
            if not isinstance(text, str) or not text.strip():
                raise TemplateError(f'{place}: a text is wanted, as in {entry} = "您好..."')
            _check(text, place)
            texts[file.stem if entry == "text" else f"{file.stem}.{entry}"] = text
        if file.stem not in texts:
            raise TemplateError(f"{file.name}: `text` is missing")
    return texts


@cache
def templates() -> Mapping[str, str]:
    """The templates that CareBus ships. Raises TemplateError."""
    return load()


def render(template: str, values: Mapping[str, str]) -> str:
    """The template's text with its values put in, contact placeholders left open.

    Raises KeyError for a template that there is none of, or a value that the proposal lacks: a bug of who proposed it.
    """
    return _PLACEHOLDER.sub(
        lambda found: found[0] if found[1] in CONTACT else values[found[1]],
        templates()[template],
    )


def filled(text: str, contact: Mapping[str, str] = CONTACT) -> str:
    """A rendered text with its contact placeholders filled in: what the buyer reads."""
    for name, value in contact.items():
        text = text.replace(f"#{name}#", value)
    return text


def _entries(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(f"{file.name}: {error}") from None


def _check(text: str, place: str) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name not in VALUES and name not in CONTACT:
            known = "、".join(sorted(VALUES | CONTACT.keys()))
            raise TemplateError(f"{place}: #{name}# is no placeholder; there are {known}")
    if "#" in _PLACEHOLDER.sub("", text):
        raise TemplateError(f"{place}: a single # begins a placeholder that does not end")
