"""A very small SVG writer that cannot forget to escape."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from stillwatch.report.safe import shown


def num(value: float) -> str:
    """Coordinate with at most one decimal, so that files stay small and bytes stay equal.

    Example:
        >>> num(3.0), num(2.25), num(-0.01)
        ('3', '2.2', '0')
    """
    text = f"{value:.1f}"
    return text.removesuffix(".0").replace("-0", "0") if text in {"-0.0", "0.0"} else text.removesuffix(".0")


def el(name: str, *children: object, **attributes: object) -> Markup:
    """Return one element. ``class_`` becomes ``class``, other underscores become hyphens; text is shown and
    escaped.

    Example:
        >>> print(el("text", "<b>", class_="tick", text_anchor="end", x=1.0))
        <text class="tick" text-anchor="end" x="1">&lt;b&gt;</text>
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None:
            continue
        text = num(value) if isinstance(value, float) else escape(shown(value, 20_000))
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{text}"')
    inner = "".join(str(c) if isinstance(c, Markup) else str(escape(shown(c))) for c in children)
    parts.append(f">{inner}</{name}>" if children else "/>")
    return Markup("".join(parts))  # noqa: S704


def group(children: Iterable[Markup], **attributes: object) -> Markup:
    """Return ``<g>`` around ``children``."""
    return el("g", Markup("").join(children), **attributes)
