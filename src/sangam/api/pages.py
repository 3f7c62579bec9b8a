"""The few pages that people see: forms and plain words, without scripts and without anything from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from starlette.responses import HTMLResponse

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:15vh auto;padding:0 1rem}"
    "label{display:block;margin:.8rem 0}"
    "input{display:block;width:100%;padding:.4rem;font:inherit;box-sizing:border-box}"
    "button{padding:.4rem 1.2rem;font:inherit}"
)


class Input(NamedTuple):
    name: str
    label: str
    secret: bool = False


class Form(NamedTuple):
    """Where it is posted, what it asks, and what it carries unseen."""

    action: str
    inputs: Sequence[Input] = ()
    hidden: Mapping[str, str] = {}
    button: str = "Go on"


def page(title: str, text: str, form: Form | None = None, status: int = 200) -> HTMLResponse:
    """All texts are escaped here."""
    body = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{_form(form) if form is not None else ''}"
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )
    return HTMLResponse(html, status, _HEADERS)


def _form(form: Form) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in form.hidden.items()
    )
    shown = "".join(
        f'<label>{escape(each.label)}<input name="{escape(each.name)}" type="{"password" if each.secret else "text"}"'
        f' autocomplete="off" maxlength="4096"></label>'
        for each in form.inputs
    )
    button = f"<button>{escape(form.button)}</button>"
    return f'<form method="post" action="{escape(form.action)}">{hidden}{shown}{button}</form>'
