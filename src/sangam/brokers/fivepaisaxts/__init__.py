"""5paisa's installation of Symphony XTS. Its own Open API is another broker."""

from sangam.brokers.families.xts import Member, broker

SPEC = broker(
    Member(
        name="fivepaisaxts",
        title="5paisa XTS",
        aliases=("5paisa xts",),
        root="https://xtsmum.5paisa.com",
    )
)
