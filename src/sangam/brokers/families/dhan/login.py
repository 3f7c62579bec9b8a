"""What every request carries (documents: Authentication)."""

from collections.abc import Mapping

from sangam.brokers.contract import Ctx, FieldKind, LoginField, Request, Session, WireRequest

CLIENT_ID = LoginField("client_id", "Client id", FieldKind.TEXT)


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    """Quotes want the client id, too; elsewhere it is not looked at."""
    return {"access-token": session.secrets["access_token"], "client-id": session.secrets["client_id"]}
