"""Jainam Broking, Symphony XTS. Its dealers' installations are others."""

from sangam.brokers.families.xts import Member, broker

SPEC = broker(
    Member(
        name="jainamxts",
        title="Jainam XTS",
        aliases=("jainam", "jainam broking"),
        root="https://jtrade.jainam.in:5000",
        prefixes=("/apibinarymarketdata",),
    )
)
