"""Zebu's MYNT (zebumyntapi.web.app, its OAuth section)."""

from sangam.brokers.families.noren import Member, broker

SPEC = broker(
    Member(
        name="zebu",
        title="Zebu",
        aliases=("mynt", "zebu mynt"),
        host="go.mynt.in",
        renews=True,
        acknowledged=True,
        lacks=frozenset({"order margin", "basket margin"}),
    )
)
