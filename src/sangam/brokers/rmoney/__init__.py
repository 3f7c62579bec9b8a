"""RMoney (Raghunandan Money), Symphony XTS."""

from sangam.brokers.families.xts import Member, broker

SPEC = broker(
    Member(
        name="rmoney",
        title="RMoney",
        aliases=("raghunandan money",),
        root="https://xts.rmoneyindia.co.in:3000",
        prefixes=("/apimarketdata",),
        lookup="https://xts.rmoneyindia.co.in:4000",
        ways=("page session", "keys"),
        symbols=50,
        margin=True,
    )
)
