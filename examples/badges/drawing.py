"""Draws a badge as PDF with WeasyPrint, which needs Pango on the machine."""

from html import escape

_INSTALL = """\
WeasyPrint can't be used: {error}
Install it with `pip install weasyprint`, and the library that it needs:
  Debian and Ubuntu  apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
  Fedora             dnf install pango
  macOS              brew install pango"""

try:
    from weasyprint import HTML
except (ImportError, OSError) as error:  # an OSError if there is no Pango
    raise SystemExit(_INSTALL.format(error=error)) from error

_PAGE = """\
<style>
@page {{ size: 90mm 55mm; margin: 6mm; background: #f4f1e8 }}
body {{ font-family: sans-serif; text-align: center }}
h1 {{ font-size: 20pt; margin: 8mm 0 2mm }}
p {{ font-size: 12pt; color: #555 }}
</style>
<h1>{name}</h1>
<p>{company}</p>"""


def draw_badge(name: str, company: str) -> bytes:
    """Return the PDF of a badge."""
    page = _PAGE.format(name=escape(name), company=escape(company))
    pdf: bytes = HTML(string=page).write_pdf()
    return pdf
