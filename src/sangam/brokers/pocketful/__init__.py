"""Pocketful (api.pocketful.in/docs; SDK pocketful 0.1.2).

Not MCX: how prices of its stream are scaled there is not stated, and a guess would be a wrong price."""

from sangam.brokers.families.tradelab import Member, broker

SPEC = broker(
    Member(
        name="pocketful",
        title="Pocketful",
        hosts={
            "api": "https://trade.pocketful.in",
            "stream": "wss://trade.pocketful.in",
            "channel": "https://algo.pocketful.in",
            "channel_stream": "wss://algo.pocketful.in",
        },
        logins=("oauth", "channel"),
        order_terms={"device": "WEB", "execution_type": "REGULAR", "amo": False},
        change_terms=(
            "exchange_order_id",
            "filled_quantity",
            "remaining_quantity",
            "last_activity_reference",
            "execution_type",
        ),
        echoes=True,
        by_exchange=True,
        session_ends="00:00",
    )
)
